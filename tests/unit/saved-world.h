/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The world of test-saved.c and test-saved-trouble.c: a file, what was kept of it (kept.h), and
 * what is found of that.
 */
#ifndef PME_TESTS_SAVED_WORLD_H
#define PME_TESTS_SAVED_WORLD_H

#include <fcntl.h>

#include "kept.h"
#include "saved.h"

#define SIZE 10000 /* of the file */

struct saved_world {
	struct tree tree;
	int source, root;
	struct pme_file file;
	struct pme_saved_list list;
};

static inline int saved_world_set_up(void **state)
{
	struct saved_world *w = calloc(1, sizeof(*w));
	char bytes[SIZE];

	assert_non_null(w);
	kept_owner = 0;
	tree_init(&w->tree);
	tree_file(&w->tree, "srv/file", "");
	w->root = pme_os_open(&w->tree.os, "srv", O_RDONLY | O_DIRECTORY);
	w->source = pme_os_open(&w->tree.os, "srv/file", O_RDWR);
	assert_true(w->root >= 0 && w->source >= 0);
	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(pwrite(w->source, bytes, SIZE, 0), SIZE);
	w->file = (struct pme_file){.devno = 77, .inode = 131, .generation = 5};
	*state = w;
	return 0;
}

static inline int saved_world_tear_down(void **state)
{
	struct saved_world *w = *state;

	pme_saved_done(&w->list);
	close(w->source);
	close(w->root);
	tree_done(&w->tree);
	free(w);
	return 0;
}

static inline struct kept version(const struct saved_world *w, uint64_t version, int64_t taken)
{
	return kept_plain(&w->file, w->source, version, taken);
}

static inline void find(struct saved_world *w, const char *uuid)
{
	pme_saved_done(&w->list);
	assert_int_equal(
		pme_saved_find(&w->tree.os, w->root, uuid, &w->file, &w->tree.log, &w->list), 0);
}

/* Found, newest first: their numbers, each with a blank. */
static inline void assert_found(struct saved_world *w, const char *expected)
{
	_cleanup_free_ char *found = strdup("");

	find(w, KEPT_UUID);
	for (size_t i = 0; i < w->list.count; i++) {
		char number[32];

		assert_true(snprintf(number, sizeof(number), "%llx",
				     (unsigned long long)w->list.items[i].generation) > 0);
		words_add(&found, number);
	}
	assert_string_equal(found, expected);
}

/* One more message, of no weight, that has @part in it; none: NULL. */
static inline void assert_said(struct saved_world *w, const char *part)
{
	struct pme_log *log = &w->tree.log;

	assert_int_equal(log->count, part ? 1 : 0);
	assert_false(log->failed || log->incomplete);
	if (part) {
		assert_int_equal(log->messages[0].severity, PME_INFO);
		if (!strstr(log->messages[0].text, part))
			fail_msg("said: %s", log->messages[0].text);
	}
	pme_log_done(log);
	*log = (struct pme_log){0};
}

#endif
