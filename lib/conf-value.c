/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of the configuration: from text, into struct pme_conf, and back to text.
 *
 * What is parsed here is written by root, but it becomes arguments of programs and names of files:
 * addresses of mail that look like options, and paths that are not absolute, are refused.
 */
#include <ctype.h>
#include <limits.h>
#include <string.h>

#include "conf-table.h"
#include "event.h"
#include "range.h"

static const char *const type_names[] = {
	[PME_CONF_BOOL] = "boolean",	  [PME_CONF_NUMBER] = "number",
	[PME_CONF_DURATION] = "duration", [PME_CONF_SIZE] = "size",
	[PME_CONF_PATH] = "path",	  [PME_CONF_ADDRESS] = "addresses",
	[PME_CONF_SEVERITY] = "severity", [PME_CONF_REPAIR] = "repair",
};
_Static_assert(PME_ARRAY_SIZE(type_names) == PME_CONF_TYPES, "each type has a name");

/* The largest first, so that texts are short. */
static const struct unit {
	const char *name;
	uint64_t factor;
} duration_units[] = {{"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}},
  size_units[] = {{"t", 1ULL << 40}, {"g", 1ULL << 30}, {"m", 1ULL << 20}, {"k", 1024}, {"", 1}};

static const struct {
	const char *name;
	bool value;
} bools[] = {{"yes", true}, {"no", false},  {"true", true}, {"false", false},
	     {"on", true},  {"off", false}, {"1", true},    {"0", false}};

static const char *const repair_names[] = {
	[PME_REPAIR_NEVER] = "never", [PME_REPAIR_EXACT] = "exact"};

const char *pme_conf_type_name(enum pme_conf_type type)
{
	return type_names[type];
}

const char *pme_conf_repair_name(enum pme_repair_auto automatic)
{
	return repair_names[automatic];
}

int pme_duration_parse(const char *text, size_t len, uint64_t *ret)
{
	uint64_t factor = 1000, number;
	size_t digits = 0;
	int r;

	while (digits < len && text[digits] >= '0' && text[digits] <= '9')
		digits++;
	if (digits < len) {
		factor = 0;
		for (size_t i = 0; i < PME_ARRAY_SIZE(duration_units); i++)
			if (pme_word_is(text + digits, len - digits, duration_units[i].name))
				factor = duration_units[i].factor;
	}
	if (factor == 0)
		return -EINVAL;
	r = pme_parse_u64(text, digits, &number);
	if (r < 0)
		return r;
	return pme_mul(number, factor, ret) < 0 ? -ERANGE : 0;
}

static char *unit_text(const struct unit *units, size_t count, uint64_t number)
{
	size_t i = 0;

	if (number == 0)
		return strdup("0");
	while (i + 1 < count && number % units[i].factor)
		i++;
	return pme_printf("%llu%s", (unsigned long long)(number / units[i].factor), units[i].name);
}

static int parse_bool(const char *text, uint64_t *ret)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(bools); i++)
		if (strcmp(text, bools[i].name) == 0) {
			*ret = bools[i].value;
			return 0;
		}
	return -EINVAL;
}

static int parse_severity(const char *text, uint64_t *ret)
{
	enum pme_event_severity severity;
	int r = pme_event_severity_parse(text, &severity);

	if (r == 0)
		*ret = severity;
	return r;
}

static int parse_repair(const char *text, uint64_t *ret)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(repair_names); i++)
		if (strcmp(text, repair_names[i]) == 0) {
			*ret = i;
			return 0;
		}
	return -EINVAL;
}

/* Absolute, and not the root itself; no component is "." or "..", no slash is one too many. */
bool pme_conf_is_path(const char *text)
{
	const char *part = text;

	if (text[0] != '/' || strlen(text) >= PATH_MAX)
		return false;
	while (*part == '/') {
		size_t len = strcspn(++part, "/");

		if (len == 0 || pme_word_is(part, len, ".") || pme_word_is(part, len, ".."))
			return false;
		part += len;
	}
	return true;
}

/*
 * Bytes of the address that @text begins with; 0: none.  It becomes an argument of a program and a
 * header of a mail: no option, no quoting, no comment.
 */
static size_t address_length(const char *text)
{
	size_t len = 0;

	if (*text == '-')
		return 0;
	while (text[len] && isascii(text[len]) &&
	       (isalnum(text[len]) || strchr(".!#$%&*+-/=?^_{|}~@:[]", text[len])))
		len++;
	return len;
}

static int check_addresses(const char *text, bool single)
{
	for (;;) {
		size_t len = address_length(text);

		if (len == 0)
			return -EINVAL;
		text += len;
		text += strspn(text, " ");
		if (!*text)
			return 0;
		if (*text != ',' || single)
			return -EINVAL;
		text++;
		text += strspn(text, " ");
	}
}

static int parse_plain(const struct pme_conf_setting *setting, const char *text, uint64_t *ret)
{
	switch (setting->type) {
	case PME_CONF_BOOL:
		return parse_bool(text, ret);
	case PME_CONF_NUMBER:
		return pme_parse_u64(text, strlen(text), ret);
	case PME_CONF_DURATION:
		return pme_duration_parse(text, strlen(text), ret);
	case PME_CONF_SIZE:
		return pme_size_parse(text, strlen(text), ret);
	case PME_CONF_PATH:
		return pme_conf_is_path(text) ? 0 : -EINVAL;
	case PME_CONF_ADDRESS:
		return check_addresses(text, setting->single);
	case PME_CONF_SEVERITY:
		return parse_severity(text, ret);
	case PME_CONF_REPAIR:
		return parse_repair(text, ret);
	case PME_CONF_TYPES:
		break;
	}
	return -EINVAL;
}

static const char *expected(const struct pme_conf_setting *setting)
{
	switch (setting->type) {
	case PME_CONF_BOOL:
		return "yes or no";
	case PME_CONF_NUMBER:
		return "a decimal number";
	case PME_CONF_DURATION:
		return "a number with ms, s, min, h or d behind it";
	case PME_CONF_SIZE:
		return "a number of bytes, or with k, m, g or t behind it";
	case PME_CONF_PATH:
		return PME_CONF_PATH_EXPECTED;
	case PME_CONF_ADDRESS:
		return setting->single ? "one plain address"
				       : "plain addresses with one comma between each two";
	case PME_CONF_SEVERITY:
		return "critical, error, warning, notice or info";
	case PME_CONF_REPAIR:
		return "never or exact";
	case PME_CONF_TYPES:
		break;
	}
	return "nothing";
}

static bool is_text(enum pme_conf_type type)
{
	return type == PME_CONF_PATH || type == PME_CONF_ADDRESS;
}

static int check_limits(const struct pme_conf_setting *setting, uint64_t number, char **ret_why)
{
	uint64_t least = 0, most = UINT64_MAX;

	if (is_text(setting->type) || !setting->least || (setting->empty && number == 0))
		return 0;
	if (parse_plain(setting, setting->least, &least) < 0 ||
	    parse_plain(setting, setting->most, &most) < 0)
		return -EINVAL;
	if (number >= least && number <= most)
		return 0;
	*ret_why = pme_printf("must be %sfrom %s to %s", setting->empty ? "0, or " : "",
			      setting->least, setting->most);
	return -EINVAL;
}

int pme_conf_value_parse(const struct pme_conf_setting *setting, const char *text,
			 struct pme_conf_value *ret, char **ret_why)
{
	uint64_t number = 0;
	int r = 0;

	*ret_why = NULL;
	if (!(is_text(setting->type) && setting->empty && !text[0]))
		r = parse_plain(setting, text, &number);
	if (r < 0) {
		*ret_why = r == -ERANGE ? strdup("is too large a number")
					: pme_printf("is not %s", expected(setting));
		return -EINVAL;
	}
	r = check_limits(setting, number, ret_why);
	if (r < 0)
		return r;
	*ret = (struct pme_conf_value){.number = number};
	if (!is_text(setting->type))
		return 0;
	ret->text = strdup(text);
	return ret->text ? 0 : -ENOMEM;
}

void pme_conf_value_store(const struct pme_conf_setting *setting, struct pme_conf_value *value,
			  struct pme_conf *conf)
{
	void *at = (char *)conf + setting->offset;

	if (is_text(setting->type)) {
		free(*(char **)at);
		*(char **)at = pme_take_ptr(value->text);
	} else if (setting->type == PME_CONF_BOOL) {
		*(bool *)at = value->number;
	} else if (setting->type == PME_CONF_REPAIR) {
		*(enum pme_repair_auto *)at = (enum pme_repair_auto)value->number;
	} else {
		*(uint64_t *)at = value->number;
	}
}

char *pme_conf_value_text(const struct pme_conf_setting *setting, const struct pme_conf *conf)
{
	const void *at = (const char *)conf + setting->offset;

	switch (setting->type) {
	case PME_CONF_BOOL:
		return strdup(*(const bool *)at ? "yes" : "no");
	case PME_CONF_NUMBER:
		return pme_printf("%llu", (unsigned long long)*(const uint64_t *)at);
	case PME_CONF_DURATION:
		return unit_text(duration_units, PME_ARRAY_SIZE(duration_units),
				 *(const uint64_t *)at);
	case PME_CONF_SIZE:
		return unit_text(size_units, PME_ARRAY_SIZE(size_units), *(const uint64_t *)at);
	case PME_CONF_PATH:
	case PME_CONF_ADDRESS:
		return strdup(*(char *const *)at ? *(char *const *)at : "");
	case PME_CONF_SEVERITY:
		return strdup(
			pme_event_severity_name((enum pme_event_severity) * (const uint64_t *)at));
	case PME_CONF_REPAIR:
		return strdup(pme_conf_repair_name(*(const enum pme_repair_auto *)at));
	case PME_CONF_TYPES:
		break;
	}
	return NULL;
}
