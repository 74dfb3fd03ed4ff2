/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What samples of the health of DIMMs mean; see dimms.h.
 *
 * A threshold that is crossed is news once; it must be left by a margin before it can be news
 * again, so that a value that swings around it is not.  What a DIMM does not tell is never news,
 * and leaves what was known.  A DIMM is the same one only with the same unique ID: names are given
 * anew at each boot, and the store may have it under several.
 */
#include "dimms.h"

#include <string.h>

#include "store.h"

#define MARGIN 2 /* percent, or degrees */

struct pmed_dimm {
	char *name;
	char *id;		    /* unique ID, "" where the platform has none */
	char *state;		    /* health_state, "" at first */
	char *alarms, *flags;	    /* as JSON; empty at first */
	bool here;		    /* in the document that is being learned */
	uint64_t dirty;		    /* shutdowns, or UINT64_MAX: not known */
	bool last_dirty;	    /* the last shutdown was */
	bool spares_low, used, hot; /* thresholds that are crossed */
	struct json_object *sample;
};

struct learn {
	struct pmed_dimm *dimm;
	struct json_object *sample;
	struct pmed_news *news;
	int64_t now, *last_id;
};

static void dimm_done(struct pmed_dimm *dimm)
{
	free(dimm->name);
	free(dimm->id);
	free(dimm->state);
	free(dimm->alarms);
	free(dimm->flags);
	json_object_put(dimm->sample);
}

void pmed_dimms_done(struct pmed_dimms *dimms)
{
	for (size_t i = 0; i < dimms->count; i++)
		dimm_done(&dimms->items[i]);
	free(dimms->items);
	*dimms = (struct pmed_dimms){0};
}

/* Takes @text. */
static void tell(struct learn *l, enum pme_event_severity severity, char *text, const char *advice)
{
	struct json_object *device = pme_json_object(), *names = pme_json_array();
	struct json_object *event;

	*l->last_id = pme_event_next_id(*l->last_id, l->now);
	event = pme_event_new(*l->last_id, PME_EVENT_HEALTH, severity,
			      text ? text : "the health of a DIMM has changed");
	pme_json_append(names, pme_json_lossy(l->dimm->name));
	pme_json_text(device, "name", l->dimm->name);
	pme_json_set(device, "namespace", NULL);
	pme_json_set(device, "mode", NULL);
	pme_json_set(device, "region", NULL);
	pme_json_set(device, "dimms", names);
	pme_json_set(device, "identity", NULL);
	pme_json_set(event, "device", device);
	pme_json_text(event, "advice", advice);
	pme_json_set(event, "detail", json_object_get(l->sample));
	pme_json_append(l->news->events, event);
	free(text);
}

static enum pme_event_severity severity_of(const char *state)
{
	if (strcmp(state, "fatal") == 0)
		return PME_EVENT_CRITICAL;
	if (strcmp(state, "critical") == 0)
		return PME_EVENT_ERROR;
	return strcmp(state, "ok") == 0 ? PME_EVENT_NOTICE : PME_EVENT_WARNING;
}

static int learn_state(struct learn *l)
{
	const char *state = pme_json_get_text(l->sample, "health_state");
	bool first = !*l->dimm->state;
	char *copy;

	if (!*state || strcmp(state, l->dimm->state) == 0)
		return 0;
	copy = strdup(state);
	if (!copy)
		return -ENOMEM;
	free(l->dimm->state);
	l->dimm->state = copy;
	if (first && strcmp(state, "ok") == 0)
		return 0;
	tell(l, severity_of(state), pme_printf("health of %s is %s", l->dimm->name, state),
	     strcmp(state, "ok") == 0 ? NULL : "back up what is on it, and replace the DIMM");
	return 0;
}

struct threshold {
	const char *key, *what, *unit;
	bool below; /* it is bad to be below it */
	int64_t limit;
	bool *crossed;
};

static void learn_threshold(struct learn *l, const struct threshold *t)
{
	struct json_object *member = pme_json_get(l->sample, t->key);
	int64_t value = member ? json_object_get_int64(member) : 0;
	int64_t excess = t->below ? t->limit - value : value - t->limit;
	bool crossed = *t->crossed ? excess > -MARGIN : excess > 0;

	if (!member || crossed == *t->crossed)
		return;
	*t->crossed = crossed;
	tell(l, crossed ? PME_EVENT_WARNING : PME_EVENT_NOTICE,
	     pme_printf("%s of %s %s: %lld %s, limit %lld", t->what, l->dimm->name,
			crossed ? "crossed its threshold" : "is in order again", (long long)value,
			t->unit, (long long)t->limit),
	     NULL);
}

static void learn_thresholds(struct learn *l, const struct pme_conf *conf)
{
	struct json_object *own =
		pme_json_get(pme_json_get(l->sample, "thresholds"), "media_temperature");
	const struct threshold spares = {
		"spares", "spares", "%", true, (int64_t)conf->health.spares, &l->dimm->spares_low};
	const struct threshold used = {
		"life_used",   "life used", "%", false, (int64_t)conf->health.life_used,
		&l->dimm->used};
	struct threshold hot = {
		"media_temperature", "temperature", "C", false, (int64_t)conf->health.temperature,
		&l->dimm->hot};

	learn_threshold(l, &spares);
	learn_threshold(l, &used);
	if (hot.limit == 0 && own)
		hot.limit = json_object_get_int64(own);
	if (hot.limit != 0)
		learn_threshold(l, &hot);
}

/* The count tells each of them; without one, that the last was dirty is told once. */
static void learn_shutdowns(struct learn *l)
{
	struct json_object *member = pme_json_get(l->sample, "dirty_shutdowns");
	uint64_t dirty = pme_json_get_number(l->sample, "dirty_shutdowns");
	const char *last = pme_json_get_text(l->sample, "shutdown_state");
	bool counted = member && l->dimm->dirty != UINT64_MAX && dirty > l->dimm->dirty;
	bool last_dirty = strcmp(last, "dirty") == 0;

	if (counted || (last_dirty && !l->dimm->last_dirty))
		tell(l, PME_EVENT_ERROR,
		     pme_printf("%s was shut down dirty: data may not have reached its media",
				l->dimm->name),
		     "check the data on it: what was written last may be missing");
	if (member)
		l->dimm->dirty = dirty;
	if (*last)
		l->dimm->last_dirty = last_dirty;
}

/*
 * Alarms of its own, or flags such as "not_armed": *@known becomes what the member @key has now.
 * Null: it does not say.
 */
static int learn_words(struct learn *l, const char *key, char **known)
{
	struct json_object *words = pme_json_get(l->sample, key);
	bool any = pme_json_count(words) > 0;
	char *copy;

	if (!words || strcmp(json_object_to_json_string(words), *known) == 0)
		return 0;
	copy = strdup(json_object_to_json_string(words));
	if (!copy)
		return -ENOMEM;
	free(*known);
	*known = copy;
	tell(l, any ? PME_EVENT_WARNING : PME_EVENT_NOTICE,
	     pme_printf("%s of %s: %s", key, l->dimm->name, any ? copy : "none"), NULL);
	return 0;
}

static void drop(struct pmed_dimms *dimms, size_t at)
{
	dimm_done(&dimms->items[at]);
	dimms->count--;
	memmove(&dimms->items[at], &dimms->items[at + 1],
		(dimms->count - at) * sizeof(*dimms->items));
}

/* Position of the DIMM of @sample: by its unique ID, by its name where there is none; or count. */
static size_t find(const struct pmed_dimms *dimms, const char *name, const char *id)
{
	size_t i;

	for (i = 0; i < dimms->count; i++)
		if (strcmp(dimms->items[i].id, id) == 0 &&
		    (*id || strcmp(dimms->items[i].name, name) == 0))
			break;
	return i;
}

static int rename_dimm(struct pmed_dimm *dimm, const char *name)
{
	char *copy = strdup(name);

	if (!copy)
		return -ENOMEM;
	free(dimm->name);
	dimm->name = copy;
	return 0;
}

/* The one of @sample. */
static int get_dimm(struct pmed_dimms *dimms, struct json_object *sample, struct pmed_dimm **ret)
{
	const char *name = pme_json_get_text(sample, "name");
	const char *id = pme_json_get_text(sample, "unique_id");
	size_t at = find(dimms, name, id);
	struct pmed_dimm *dimm;
	int r;

	if (at < dimms->count) {
		*ret = &dimms->items[at];
		return rename_dimm(*ret, name);
	}
	if (dimms->count >= PMED_DIMMS_MAX)
		return -E2BIG;
	r = pme_grow(&dimms->items, &dimms->alloc, dimms->count, sizeof(*dimms->items));
	if (r < 0)
		return r;
	dimm = &dimms->items[dimms->count++];
	*dimm = (struct pmed_dimm){
		.name = strdup(name),
		.id = strdup(id),
		.state = strdup(""),
		.alarms = strdup("[ ]"),
		.flags = strdup("[ ]"),
		.dirty = UINT64_MAX,
	};
	if (dimm->name && dimm->id && dimm->state && dimm->alarms && dimm->flags) {
		*ret = dimm;
		return 0;
	}
	drop(dimms, dimms->count - 1);
	return -ENOMEM;
}

/* Takes @sample. */
static void keep(struct learn *l, const char *key, struct json_object *sample)
{
	struct json_object *row = pme_json_object();

	pme_json_text(row, "dimm", key);
	pme_json_set(row, "time", pme_json_int(l->now));
	pme_json_set(row, "sample", sample);
	pme_json_append(l->news->changes, pme_store_change("health", row));
}

static int learn_values(struct learn *l, const struct pme_conf *conf)
{
	int r = learn_state(l);

	learn_thresholds(l, conf);
	learn_shutdowns(l);
	return r;
}

static int learn_one(struct pmed_dimms *dimms, const struct pme_conf *conf, struct learn *l)
{
	int r = *pme_json_get_text(l->sample, "name") ? get_dimm(dimms, l->sample, &l->dimm)
						      : -EINVAL;

	if (r < 0)
		return r == -E2BIG ? 0 : r;
	json_object_put(l->dimm->sample);
	l->dimm->sample = json_object_get(l->sample);
	l->dimm->here = true;
	r = learn_words(l, "alarms", &l->dimm->alarms);
	if (r == 0)
		r = learn_words(l, "flags", &l->dimm->flags);
	if (r < 0 || !pme_json_get_bool(l->sample, "available"))
		return r;
	r = learn_values(l, conf);
	keep(l, l->dimm->name, json_object_get(l->sample));
	return r;
}

/* The next run is not to miss it again.  Its name may be another one's now, so its key is its ID.
 */
static void keep_gone(struct learn *l)
{
	struct json_object *sample = pme_json_object();

	pme_json_text(sample, "name", l->dimm->name);
	pme_json_text(sample, "unique_id", l->dimm->id);
	pme_json_bool(sample, "gone", true);
	keep(l, l->dimm->id, sample);
}

/* Those that the document did not have. */
static void learn_gone(struct pmed_dimms *dimms, struct learn *l)
{
	for (size_t i = dimms->count; i-- > 0;) {
		l->dimm = &dimms->items[i];
		if (l->dimm->here)
			continue;
		l->sample = l->dimm->sample;
		tell(l, PME_EVENT_WARNING,
		     pme_printf("%s is gone: nobody tells its health any more", l->dimm->name),
		     NULL);
		if (*l->dimm->id)
			keep_gone(l);
		drop(dimms, i);
	}
}

int pmed_dimms_learn(struct pmed_dimms *dimms, const struct pme_conf *conf,
		     struct json_object *health, int64_t now, int64_t *last_id,
		     struct pmed_news *news)
{
	struct learn gone = {.news = news, .now = now, .last_id = last_id};

	if (!json_object_is_type(health, json_type_array))
		return -EINVAL;
	for (size_t i = 0; i < dimms->count; i++)
		dimms->items[i].here = false;
	for (size_t i = 0; i < pme_json_count(health); i++) {
		struct learn l = {
			.sample = pme_json_at(health, i),
			.news = news,
			.now = now,
			.last_id = last_id,
		};
		int r = json_object_is_type(l.sample, json_type_object) ? learn_one(dimms, conf, &l)
									: -EINVAL;

		if (r < 0)
			return r;
	}
	learn_gone(dimms, &gone);
	return 0;
}

void pmed_dimms_fail(struct pmed_dimms *dimms, const char *why)
{
	for (size_t i = 0; i < dimms->count; i++) {
		struct json_object *sample = pme_json_object();

		pme_json_text(sample, "name", dimms->items[i].name);
		pme_json_bool(sample, "available", false);
		pme_json_text(sample, "reason", why);
		json_object_put(dimms->items[i].sample);
		dimms->items[i].sample = sample;
	}
}

/* The unique ID of the sample of @row; "" without one: nothing says which DIMM it is. */
static const char *id_of(struct json_object *row)
{
	return pme_json_get_text(pme_json_get(row, "sample"), "unique_id");
}

/* Is there a later one of the same DIMM? */
static bool is_outdated(struct json_object *rows, struct json_object *row)
{
	for (size_t i = 0; i < pme_json_count(rows); i++) {
		struct json_object *other = pme_json_at(rows, i);

		if (strcmp(id_of(other), id_of(row)) == 0 &&
		    pme_json_get_number(other, "time") > pme_json_get_number(row, "time"))
			return true;
	}
	return false;
}

/* What was told then is learned anew, and told to nobody. */
static int recall(struct pmed_dimms *dimms, const struct pme_conf *conf, struct json_object *sample)
{
	struct pmed_news news;
	int64_t last_id = 0;
	struct learn l = {.sample = sample, .news = &news, .last_id = &last_id};
	int r = get_dimm(dimms, sample, &l.dimm);

	if (r < 0)
		return r == -E2BIG ? 0 : r;
	json_object_put(l.dimm->sample);
	l.dimm->sample = json_object_get(sample);
	r = pmed_news_new(&news);
	if (r == 0)
		r = learn_words(&l, "alarms", &l.dimm->alarms);
	if (r == 0)
		r = learn_words(&l, "flags", &l.dimm->flags);
	if (r == 0)
		r = learn_values(&l, conf);
	pmed_news_done(&news);
	return r;
}

int pmed_dimms_load(struct pmed_dimms *dimms, const struct pme_conf *conf, struct json_object *rows)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < pme_json_count(rows); i++) {
		struct json_object *row = pme_json_at(rows, i);
		struct json_object *sample = pme_json_get(row, "sample");

		if (*id_of(row) && *pme_json_get_text(sample, "name") && !is_outdated(rows, row) &&
		    !pme_json_get_bool(sample, "gone"))
			r = recall(dimms, conf, sample);
	}
	return r;
}

/* Those of @array that are texts; null: it is not known. */
static struct json_object *texts_json(struct json_object *array)
{
	struct json_object *texts =
		json_object_is_type(array, json_type_array) ? pme_json_array() : NULL;

	for (size_t i = 0; texts && i < pme_json_count(array); i++)
		if (json_object_is_type(pme_json_at(array, i), json_type_string))
			pme_json_append(texts, json_object_get(pme_json_at(array, i)));
	return texts;
}

/* What everybody may see of a sample; what is not what it should be is not known. */
static struct json_object *dimm_json(const struct pmed_dimm *dimm)
{
	static const struct {
		const char *key;
		json_type type;
	} members[] = {
		{"reason", json_type_string},
		{"health_state", json_type_string},
		{"spares", json_type_int},
		{"life_used", json_type_int},
		{"media_temperature", json_type_int},
		{"dirty_shutdowns", json_type_int},
	};
	struct json_object *object = pme_json_object();

	pme_json_set(object, "name", pme_json_lossy(dimm->name));
	pme_json_bool(object, "available", pme_json_get_bool(dimm->sample, "available"));
	for (size_t i = 0; i < PME_ARRAY_SIZE(members); i++) {
		struct json_object *value = pme_json_get(dimm->sample, members[i].key);

		if (!json_object_is_type(value, members[i].type))
			value = NULL;
		pme_json_set(object, members[i].key, json_object_get(value));
	}
	pme_json_set(object, "alarms", texts_json(pme_json_get(dimm->sample, "alarms")));
	pme_json_set(object, "flags", texts_json(pme_json_get(dimm->sample, "flags")));
	return object;
}

struct json_object *pmed_health_json(const struct pmed_dimms *dimms)
{
	struct json_object *array = pme_json_array();

	for (size_t i = 0; dimms && i < dimms->count; i++)
		pme_json_append(array, dimm_json(&dimms->items[i]));
	return array;
}
