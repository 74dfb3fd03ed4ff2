/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a worker's end means; see answer.h.
 */
#include "answer.h"

#include <string.h>

#define DEPTH_MAX 64 /* of JSON: ours has less than 16 */
#define REASON_MAX 400

/* Text of others as one line of UTF-8, control characters as blanks: allocated, NULL: no memory. */
static char *one_line(const char *text, size_t len)
{
	struct json_object *json;
	char *line, *ret;

	if (len > REASON_MAX)
		len = REASON_MAX;
	line = strndup(text, len);
	if (!line)
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	json = pme_json_lossy(line);
	ret = json ? strdup(json_object_get_string(json)) : NULL;
	json_object_put(json);
	free(line);
	return ret;
}

/* The whole output must be one document. */
static struct json_object *read_document(const char *text, size_t len)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	struct json_object *doc;
	size_t end;

	if (!tokener)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	doc = json_tokener_parse_ex(tokener, text, (int)len);
	end = json_tokener_get_parse_end(tokener);
	if (json_tokener_get_error(tokener) != json_tokener_success)
		end = 0;
	json_tokener_free(tokener);
	while (end > 0 && end < len && strchr(" \t\r\n", text[end]))
		end++;
	if (end != len || !json_object_is_type(doc, json_type_object)) {
		json_object_put(doc);
		return NULL;
	}
	return doc;
}

static bool is_text(struct json_object *object, const char *key)
{
	return json_object_is_type(pme_json_get(object, key), json_type_string);
}

static bool has_format(struct json_object *doc, const char *format)
{
	return is_text(doc, "format") && strcmp(pme_json_get_text(doc, "format"), format) == 0;
}

/* The first error among the messages of @doc, else the first message; NULL when there is none. */
static char *complaint_of(struct json_object *doc)
{
	struct json_object *messages = pme_json_get(doc, "messages"), *best = NULL;
	_cleanup_free_ char *subject = NULL, *text = NULL;

	if (!json_object_is_type(messages, json_type_array))
		return NULL;
	for (size_t i = 0; i < pme_json_count(messages); i++) {
		struct json_object *message = pme_json_at(messages, i);

		if (!json_object_is_type(message, json_type_object) || !is_text(message, "text") ||
		    !is_text(message, "subject") || !is_text(message, "severity"))
			continue;
		if (!best)
			best = message;
		if (strcmp(pme_json_get_text(message, "severity"), "error") != 0)
			continue;
		best = message;
		break;
	}
	if (!best)
		return NULL;
	subject = one_line(pme_json_get_text(best, "subject"), REASON_MAX);
	text = one_line(pme_json_get_text(best, "text"), REASON_MAX);
	if (!subject || !text)
		return NULL;
	return *subject ? pme_printf("%s: %s", subject, text) : pme_take_ptr(text);
}

/* Why there can be no document; NULL: there may be one. */
static char *why_no_document(const struct pmed_result *result)
{
	if (result->error)
		return pme_printf("the worker cannot be started: %s", strerror(-result->error));
	if (result->stuck)
		return pme_printf("the worker hangs in the kernel since %llu s: SIGKILL does not "
				  "end it",
				  (unsigned long long)(result->usec / 1000000));
	if (result->timed_out)
		return pme_printf("the worker did not end within %llu s and was killed",
				  (unsigned long long)(result->usec / 1000000));
	if (result->signal)
		return pme_printf("the worker was ended by signal %d (%s)", result->signal,
				  strsignal(result->signal));
	if (result->cut)
		return pme_printf("the worker said more than %zu MiB, or did not close its output",
				  PMED_ANSWER_MAX >> 20);
	return NULL;
}

static bool is_answer(int exit_code)
{
	return (exit_code & ~(PME_EXIT_BAD | PME_EXIT_INCOMPLETE)) == 0;
}

/* It said itself that it failed, or said nothing of use. */
static char *why_failed(const struct pmed_result *result, struct json_object *doc)
{
	_cleanup_free_ char *said = doc ? complaint_of(doc) : NULL;

	if (!said && result->err_len > 0)
		said = one_line(result->err, result->err_len);
	if (said && *said)
		return pme_printf("the worker failed (exit status %d): %s", result->exit_code,
				  said);
	if (is_answer(result->exit_code))
		return pme_printf("the worker's answer (%zu bytes) is not the document that it "
				  "should be",
				  result->out_len);
	return pme_printf("the worker failed (exit status %d) and did not say why",
			  result->exit_code);
}

int pmed_answer_read(const struct pmed_result *result, const char *format,
		     struct json_object **ret_doc, char **ret_why)
{
	struct json_object *doc;

	*ret_why = why_no_document(result);
	if (*ret_why)
		return -EIO;
	doc = read_document(result->out, result->out_len);
	if (doc && has_format(doc, format) && is_answer(result->exit_code)) {
		*ret_doc = doc;
		return 0;
	}
	*ret_why = why_failed(result, doc);
	json_object_put(doc);
	return -EIO;
}
