/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The JSON document that every command prints, and small helpers for its values.
 *
 * Unknown values are null, never omitted; numbers are decimal integers; text that is not UTF-8 is
 * shown with U+FFFD for each bad byte and carried whole as base64 in "raw".
 */
#ifndef PME_DOC_H
#define PME_DOC_H

#include <json-c/json.h>

#include "log.h"
#include "range.h"

#define PME_EXIT_BAD 1
#define PME_EXIT_REPAIRED 2
#define PME_EXIT_ERROR 4
#define PME_EXIT_USAGE 8
#define PME_EXIT_INCOMPLETE 16

/*
 * A document with its top level in the order of pmemctl-json(7); "messages", "coverage" and
 * "exit_status" are filled by pme_doc_finish().  NULL without memory.
 */
struct json_object *pme_doc_new(const char *format, int argc, char *const *argv);
/*
 * Fill in messages, coverage and exit status: 0, or -ENOMEM, also when any value of the document
 * was lost before for lack of memory: then it must not be shown.
 */
int pme_doc_finish(struct json_object *doc, const struct pme_log *log, int exit_status);

/*
 * Values, instead of those of json-c, which say that there is no memory by a NULL that nobody
 * looks at, at each of many calls.  These remember it until pme_doc_finish(), and accept the NULL
 * of one that failed as object, array or value.
 */
struct json_object *pme_json_object(void);
struct json_object *pme_json_array(void);
/* With room for so many values; more are allowed. */
struct json_object *pme_json_array_of(size_t count);
struct json_object *pme_json_int(int64_t value);
/* For a caller that could not compute a value for lack of memory. */
void pme_json_lose(void);
/*
 * All take @value; NULL is null.  Here and below @key is not copied, as a document has some 50 keys
 * for a bad block: a literal, or a word of a table.
 */
void pme_json_set(struct json_object *object, const char *key, struct json_object *value);
/* The same with a key from elsewhere, which is copied. */
void pme_json_set_named(struct json_object *object, const char *name, struct json_object *value);
void pme_json_append(struct json_object *array, struct json_object *value);

/* Members.  @text may be NULL, @value may be PME_UNKNOWN (UINT64_MAX): null. */
void pme_json_text(struct json_object *object, const char *key, const char *text);
/* The same for allocated text: takes it; NULL means that there was no memory for it. */
void pme_json_owned_text(struct json_object *object, const char *key, char *text);
void pme_json_number(struct json_object *object, const char *key, uint64_t value);
void pme_json_bool(struct json_object *object, const char *key, bool value);
void pme_json_range(struct json_object *object, const char *key, struct pme_range range);
/* [{"start": …, "length": …}, …]; a new reference. */
struct json_object *pme_json_ranges(const struct pme_range_list *list);
/* {"path": …, "raw": null or base64} */
struct json_object *pme_json_path(const char *path);
/* Text as a JSON string, bytes that are not UTF-8 replaced by U+FFFD. */
struct json_object *pme_json_lossy(const char *text);

/* Reading back, for text output: "" and 0 when absent or null. */
const char *pme_json_get_text(struct json_object *object, const char *key);
uint64_t pme_json_get_number(struct json_object *object, const char *key);
bool pme_json_get_bool(struct json_object *object, const char *key);
/* NULL when absent or null. */
struct json_object *pme_json_get(struct json_object *object, const char *key);
/* 0 when it is no array. */
size_t pme_json_count(struct json_object *array);
/* NULL when there is none. */
struct json_object *pme_json_at(struct json_object *array, size_t i);

/* Text that goes to a stream, or, without one, is kept: then the room for it grows. */
struct pme_json_writer {
	char *text;
	size_t used, size; /* bytes */
	FILE *out;
	bool failed; /* the stream, or no memory */
};

/*
 * Values of an array that is only going to be printed: what is appended becomes text at once, so
 * that of a long one only the text is held, and several threads can make parts of it.  Begun with
 * the depth of the values in the document (2: in a member of the top level) and zeros.
 */
struct pme_json_printed {
	int depth;
	struct pme_json_writer writer;
};
void pme_json_printed_append(struct pme_json_printed *values, struct json_object *value);
/* Append them to @array, as one element, and be empty again. */
void pme_json_printed_end(struct pme_json_printed *values, struct json_object *array);

/* Write @value, indented, with a newline behind it.  Needs no memory: 0, or -errno of @out. */
int pme_json_write(struct json_object *value, FILE *out);

#endif
