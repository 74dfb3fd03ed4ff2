/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of lib/store*.c: a store in a directory of its own, changes as JSON with ' for ", and
 * events in it.
 */
#ifndef PME_TESTS_STORE_PLACE_H
#define PME_TESTS_STORE_PLACE_H

#include "check.h"
#include "event.h"
#include "store.h"

struct place {
	char *dir, *path;
	struct pme_store *store;
	char *moved;
};

static inline int setup(void **state)
{
	static struct place p;
	char name[] = "/tmp/test-store.XXXXXX";

	p = (struct place){0};
	assert_non_null(mkdtemp(name));
	p.dir = strdup(name);
	p.path = pme_printf("%s/store.db", name);
	*state = &p;
	return 0;
}

static inline int teardown(void **state)
{
	struct place *p = *state;
	_cleanup_free_ char *rm = pme_printf("rm -rf '%s'", p->dir);

	pme_store_close(p->store);
	assert_int_equal(system(rm), 0);
	free(p->dir);
	free(p->path);
	free(p->moved);
	return 0;
}

static inline void open_it(struct place *p)
{
	p->store = pme_store_close(p->store);
	free(pme_take_ptr(p->moved));
	assert_int_equal(pme_store_open(p->path, 77, &p->store, &p->moved), 0);
}

static inline struct json_object *json(const char *text)
{
	_cleanup_free_ char *own = strdup(text);
	struct json_object *value;

	for (char *c = own; *c; c++)
		if (*c == '\'')
			*c = '"';
	value = json_tokener_parse(own);
	assert_non_null(value);
	return value;
}

static inline int apply(struct place *p, const char *text)
{
	struct json_object *changes = json(text);
	int r = pme_store_apply(p->store, changes);

	json_object_put(changes);
	return r;
}

#define DEVICE                                                                                     \
	"{'table':'devices','row':{'identity':'ns:a','name':'pmem0','present':1,'dimms':['nmem0']" \
	"}}"
#define FINDING                                                                                  \
	"{'table':'findings','row':{'id':'01','device':'ns:a','state':'present','first_seen':5," \
	"'last_seen':5,'finding':'{}'}}"
#define INCIDENT \
	"{'table':'incidents','row':{'id':9,'device':'ns:a','cause':'findings','opened':9}}"

static inline char *load_text(struct place *p)
{
	struct json_object *rows;
	char *text;

	assert_int_equal(pme_store_load(p->store, &rows), 0);
	text = strdup(json_object_to_json_string_ext(rows, JSON_C_TO_STRING_PLAIN));
	json_object_put(rows);
	assert_non_null(text);
	return text;
}

static inline void put_event(struct place *p, int64_t id, enum pme_event_type type,
			     enum pme_event_severity severity, const char *name)
{
	struct json_object *event = pme_event_new(id, type, severity, "words");
	struct json_object *device = json_object_new_object(), *changes = json_object_new_array();
	struct json_object *dimms = json_object_new_array();

	json_object_array_add(dimms, json_object_new_string("nmem0"));
	pme_json_text(device, "name", name);
	pme_json_text(device, "namespace", "namespace0.0");
	pme_json_text(device, "region", "region0");
	pme_json_text(device, "identity", "ns:a");
	pme_json_set(device, "dimms", dimms);
	pme_json_set(event, "device", device);
	json_object_array_add(changes, pme_store_change("events", event));
	assert_int_equal(pme_store_apply(p->store, changes), 0);
	json_object_put(changes);
}

static inline int add_id(void *arg, struct json_object *event)
{
	_cleanup_free_ char *id =
		pme_printf("%llu", (unsigned long long)pme_json_get_number(event, "id"));

	words_add(arg, id);
	return 0;
}

static inline void check_ids(struct place *p, struct pme_event_filter filter, const char *expected)
{
	_cleanup_free_ char *words = NULL;

	assert_int_equal(pme_store_events(p->store, &filter, add_id, &words), 0);
	assert_string_equal(words ? words : "", expected);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
