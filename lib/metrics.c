/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Metrics from the watch document; see metrics.h.
 *
 * The order is that of the formats: all samples of one family together, each set of labels once.
 * The surprise: two devices of the same name may be known, one of them gone; so labels have the
 * identity, and a set of labels that comes twice is shown once.
 */
#include "metrics.h"

#include <string.h>

#define ITEMS_MAX 4096 /* of an array: devices, sources */

struct writer {
	FILE *out;
	enum pme_metrics_format format;
	int64_t now;
};

enum type { GAUGE, COUNTER };

/* How a sample is made of an object. */
enum value { NUMBER, TRUTH, TIME, AGE, MISSING, IS_COMPLETE, IS_OK, LENGTH };

struct family {
	const char *name; /* counters without "_total" */
	enum type type;
	const char *unit; /* or NULL */
	const char *help;
	enum value value;
	const char *member; /* "scrub/last": of the object below */
};

struct labels {
	struct json_object *object; /* borrowed */
	char *text;		    /* device="pmem0",region="region0" */
};

static void announce(const struct writer *w, const struct family *f)
{
	const char *total =
		f->type == COUNTER && w->format == PME_METRICS_PROMETHEUS ? "_total" : "";

	fprintf(w->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", f->name, total, f->help, f->name, total,
		f->type == COUNTER ? "counter" : "gauge");
	if (f->unit && w->format == PME_METRICS_OPEN)
		fprintf(w->out, "# UNIT %s %s\n", f->name, f->unit);
}

static void sample(const struct writer *w, const struct family *f, const char *labels,
		   const char *more, uint64_t value)
{
	bool any = *labels || *more;

	fprintf(w->out, "%s%s%s%s%s%s%s %llu\n", f->name, f->type == COUNTER ? "_total" : "",
		any ? "{" : "", labels, *labels && *more ? "," : "", more, any ? "}" : "",
		(unsigned long long)value);
}

/* A value of a label: escaped, and valid UTF-8 whatever it was. */
static void write_value(FILE *out, const char *text)
{
	bool valid = pme_utf8_valid(text, strlen(text));

	for (const char *c = text; *c; c++) {
		if (*c == '\\' || *c == '"')
			fprintf(out, "\\%c", *c);
		else if (*c == '\n')
			fputs("\\n", out);
		else
			fputc((*c & 0x80 && !valid) || (*c > 0 && *c < ' ') ? '?' : *c, out);
	}
}

static struct json_object *below(struct json_object *object, const char *path)
{
	const char *slash = strchr(path, '/');
	_cleanup_free_ char *first = slash ? strndup(path, (size_t)(slash - path)) : NULL;

	if (!json_object_is_type(object, json_type_object))
		return NULL;
	if (!slash)
		return pme_json_get(object, path);
	return first ? below(pme_json_get(object, first), slash + 1) : NULL;
}

static bool number_of(struct json_object *value, uint64_t *ret)
{
	if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
		return false;
	*ret = json_object_get_uint64(value);
	return true;
}

static bool time_of(struct json_object *value, int64_t *ret)
{
	return json_object_is_type(value, json_type_string) &&
	       pme_time_parse(json_object_get_string(value), ret) == 0;
}

/* False: it is not known, so there is no sample. */
static bool evaluate(const struct writer *w, const struct family *f, struct json_object *object,
		     uint64_t *ret)
{
	struct json_object *value = below(object, f->member);
	int64_t time;

	switch (f->value) {
	case NUMBER:
		return number_of(value, ret);
	case TRUTH:
		*ret = (uint64_t)json_object_get_boolean(value);
		return json_object_is_type(value, json_type_boolean);
	case TIME:
	case AGE:
		if (!time_of(value, &time))
			return false;
		if (f->value == AGE)
			time = w->now > time ? w->now - time : 0;
		*ret = (uint64_t)time / 1000000;
		return true;
	case MISSING:
		*ret = value == NULL;
		return true;
	case IS_COMPLETE:
	case IS_OK:
		*ret = json_object_is_type(value, json_type_string) &&
		       strcmp(json_object_get_string(value),
			      f->value == IS_OK ? "ok" : "complete") == 0;
		return value != NULL;
	case LENGTH:
		if (!json_object_is_type(value, json_type_array))
			return false;
		*ret = pme_json_count(value);
		return true;
	}
	return false;
}

static char *label_text(struct json_object *object, const char *const *members,
			const char *const *names)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	for (size_t i = 0; out && members[i]; i++) {
		struct json_object *value = below(object, members[i]);

		fprintf(out, "%s%s=\"", i ? "," : "", names[i]);
		if (json_object_is_type(value, json_type_string))
			write_value(out, json_object_get_string(value));
		fputc('"', out);
	}
	if (out && fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static void labels_free(struct labels *labels, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(labels[i].text);
	free(labels);
}

static int compare_labels(const void *a, const void *b)
{
	return strcmp(((const struct labels *)a)->text, ((const struct labels *)b)->text);
}

/* The objects of an array with their labels, sorted, each once. */
static int label_all(struct json_object *array, const char *const *members,
		     const char *const *names, struct labels **ret, size_t *ret_count)
{
	size_t count = json_object_is_type(array, json_type_array) ? pme_json_count(array) : 0;
	size_t n = 0, kept = 0;
	struct labels *labels;

	count = pme_min(count, ITEMS_MAX);
	labels = calloc(count + 1, sizeof(*labels));
	if (!labels)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct json_object *object = pme_json_at(array, i);

		if (!json_object_is_type(object, json_type_object))
			continue;
		labels[n] = (struct labels){object, label_text(object, members, names)};
		if (!labels[n++].text) {
			labels_free(labels, n);
			return -ENOMEM;
		}
	}
	qsort(labels, n, sizeof(*labels), compare_labels);
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && strcmp(labels[kept - 1].text, labels[i].text) == 0)
			free(labels[i].text);
		else
			labels[kept++] = labels[i];
	}
	*ret = labels;
	*ret_count = kept;
	return 0;
}

static void write_families(const struct writer *w, const struct family *families, size_t count,
			   const struct labels *labels, size_t n_labels)
{
	uint64_t value;

	for (size_t i = 0; i < count; i++) {
		bool announced = false;

		for (size_t j = 0; j < n_labels; j++) {
			if (!evaluate(w, &families[i], labels[j].object, &value))
				continue;
			if (!announced)
				announce(w, &families[i]);
			announced = true;
			sample(w, &families[i], labels[j].text, "", value);
		}
	}
}

static int write_array(const struct writer *w, struct json_object *array,
		       const char *const *members, const char *const *names,
		       const struct family *families, size_t count)
{
	struct labels *labels = NULL;
	size_t n_labels = 0;
	int r = label_all(array, members, names, &labels, &n_labels);

	if (r < 0)
		return r;
	write_families(w, families, count, labels, n_labels);
	labels_free(labels, n_labels);
	return 0;
}

static const struct family device_families[] = {
	{"pmemctl_device_present", GAUGE, NULL, "Whether the device is there.", TRUTH, "present"},
	{"pmemctl_device_bad_bytes", GAUGE, "bytes", "Bytes that cannot be read.", NUMBER,
	 "bad_bytes"},
	{"pmemctl_device_files_affected", GAUGE, NULL, "Files that bad bytes meet.", NUMBER,
	 "files"},
	{"pmemctl_device_last_scan_timestamp_seconds", GAUGE, "seconds",
	 "When the device was last scanned with success.", TIME, "last_scan"},
	{"pmemctl_device_coverage_complete", GAUGE, NULL, "Whether that scan could see everything.",
	 IS_COMPLETE, "coverage"},
	{"pmemctl_device_scrub_timestamp_seconds", GAUGE, "seconds",
	 "When the last address range scrub of its bus ended.", TIME, "scrub/last"},
	{"pmemctl_device_scrub_age_seconds", GAUGE, "seconds",
	 "Time since the last address range scrub ended.", AGE, "scrub/last"},
};

static const char *const device_members[] = {"name", "namespace", "region", "identity", NULL};
static const char *const device_names[] = {"device", "namespace", "region", "identity", NULL};

static const struct family findings_family = {.name = "pmemctl_device_findings",
					      .help = "Bad ranges by what they mean."};

static int write_findings(const struct writer *w, struct json_object *devices)
{
	static const char *const verdicts[] = {"lost", "recoverable", "metadata-at-risk", "unknown",
					       "harmless"};
	struct labels *labels = NULL;
	size_t count = 0;
	int r = label_all(devices, device_members, device_names, &labels, &count);

	if (r < 0)
		return r;
	if (count > 0)
		announce(w, &findings_family);
	for (size_t i = 0; i < count * PME_ARRAY_SIZE(verdicts); i++) {
		const struct labels *device = &labels[i / PME_ARRAY_SIZE(verdicts)];
		const char *verdict = verdicts[i % PME_ARRAY_SIZE(verdicts)];
		struct json_object *findings = below(device->object, "findings");
		_cleanup_free_ char *more = pme_printf("verdict=\"%s\"", verdict);
		uint64_t value;

		if (more && number_of(below(findings, verdict), &value))
			sample(w, &findings_family, device->text, more, value);
	}
	labels_free(labels, count);
	return 0;
}

#define WRITE(array, members, names, families) \
	write_array(w, array, members, names, families, PME_ARRAY_SIZE(families))

static int write_watch_parts(const struct writer *w, struct json_object *watch)
{
	static const struct family sources[] = {
		{"pmemctl_source_available", GAUGE, NULL, "Whether the kernel is heard this way.",
		 TRUTH, "available"},
		{"pmemctl_source_heard", COUNTER, NULL, "Hints and events it gave.", NUMBER,
		 "heard"},
		{"pmemctl_source_overruns", COUNTER, NULL, "Times that it missed something.",
		 NUMBER, "overrun"},
	};
	static const struct family sinks[] = {
		{"pmemctl_sink_on", GAUGE, NULL, "Whether events go there.", TRUTH, "on"},
		{"pmemctl_sink_working", GAUGE, NULL, "Whether nothing is wrong with it.", MISSING,
		 "reason"},
		{"pmemctl_sink_delivered", COUNTER, NULL, "Events delivered.", NUMBER, "delivered"},
		{"pmemctl_sink_failed", COUNTER, NULL, "Events that could not be delivered.",
		 NUMBER, "failed"},
		{"pmemctl_sink_suppressed", COUNTER, NULL,
		 "Events not delivered because there were too many, or the same was said before.",
		 NUMBER, "suppressed"},
	};
	static const struct family regions[] = {
		{"pmemctl_region_scan_failures", GAUGE, NULL,
		 "Scans of the region that failed since the last that did not.", NUMBER,
		 "scan/failures"},
		{"pmemctl_region_snapshot_failures", GAUGE, NULL,
		 "Snapshots of the region that failed since the last that did not.", NUMBER,
		 "snapshot/failures"},
	};
	static const struct family dimms[] = {
		{"pmemctl_dimm_healthy", GAUGE, NULL, "Whether the module says that it is well.",
		 IS_OK, "health_state"},
	};
	static const char *const name[] = {"name", NULL}, *const source[] = {"source", NULL},
				 *const sink[] = {"sink", NULL}, *const region[] = {"region", NULL},
				 *const dimm[] = {"dimm", NULL};
	int r = WRITE(pme_json_get(watch, "sources"), name, source, sources);

	if (r == 0)
		r = WRITE(pme_json_get(watch, "sinks"), name, sink, sinks);
	if (r == 0)
		r = WRITE(below(watch, "jobs/regions"), name, region, regions);
	if (r == 0)
		r = WRITE(pme_json_get(watch, "dimms"), name, dimm, dimms);
	return r;
}

static void write_single(const struct writer *w, struct json_object *watch)
{
	static const struct family families[] = {
		{"pmemctl_start_timestamp_seconds", GAUGE, "seconds", "When the watch began.", TIME,
		 "started"},
		{"pmemctl_watch_timestamp_seconds", GAUGE, "seconds",
		 "When the watch last said how it is.", TIME, "time"},
		{"pmemctl_store_working", GAUGE, NULL, "Whether the store is kept.", TRUTH,
		 "store/ok"},
		{"pmemctl_jobs_started", COUNTER, NULL, "Jobs started.", NUMBER, "jobs/started"},
		{"pmemctl_jobs_succeeded", COUNTER, NULL, "Jobs that succeeded.", NUMBER,
		 "jobs/succeeded"},
		{"pmemctl_jobs_failed", COUNTER, NULL, "Jobs that failed.", NUMBER, "jobs/failed"},
		{"pmemctl_jobs_timed_out", COUNTER, NULL,
		 "Jobs that were killed at their deadline.", NUMBER, "jobs/timed_out"},
		{"pmemctl_jobs_stuck", GAUGE, NULL,
		 "Jobs that hang in the kernel, and that nothing can end.", LENGTH, "jobs/stuck"},
		{"pmemctl_repair_failures", GAUGE, NULL,
		 "Repairs that the configuration asks for that failed since the last that did not.",
		 NUMBER, "jobs/repair/failures"},
		{"pmemctl_incidents_open", GAUGE, NULL, "Incidents that are not over.", LENGTH,
		 "incidents"},
	};
	static const struct family build = {.name = "pmemctl_build_info",
					    .help = "The version of the watch."};
	static const char *const version[] = {"version", NULL};
	const struct labels all = {.object = watch, .text = (char *)""};
	_cleanup_free_ char *label = label_text(watch, version, version);

	write_families(w, families, PME_ARRAY_SIZE(families), &all, 1);
	if (label) {
		announce(w, &build);
		sample(w, &build, label, "", 1);
	}
}

int pme_metrics_write(struct json_object *watch, int64_t now, enum pme_metrics_format format,
		      FILE *out)
{
	static const struct family up = {
		.name = "pmemctl_up", .help = "Whether somebody watches over persistent memory."};
	const struct writer writer = {.out = out, .format = format, .now = now}, *w = &writer;
	int r = 0;

	announce(w, &up);
	sample(w, &up, "", "", pme_watch_alive(watch, now));
	if (watch) {
		struct json_object *devices = pme_json_get(watch, "devices");

		write_single(w, watch);
		r = WRITE(devices, device_members, device_names, device_families);
		if (r == 0)
			r = write_findings(w, devices);
		if (r == 0)
			r = write_watch_parts(w, watch);
	}
	if (format == PME_METRICS_OPEN)
		fputs("# EOF\n", out);
	if (r == 0 && (fflush(out) != 0 || ferror(out)))
		r = -EIO;
	return r;
}
