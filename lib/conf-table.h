/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The settings of the configuration as one table, and their values as text: what the parts of
 * conf.c share.  Nothing else includes this.
 */
#ifndef PME_CONF_TABLE_H
#define PME_CONF_TABLE_H

#include "conf.h"

enum pme_conf_type {
	PME_CONF_BOOL,
	PME_CONF_NUMBER,
	PME_CONF_DURATION, /* kept as milliseconds */
	PME_CONF_SIZE,	   /* bytes */
	PME_CONF_PATH,	   /* absolute */
	PME_CONF_ADDRESS,  /* addresses of mail, with commas between them */
	PME_CONF_SEVERITY,
	PME_CONF_REPAIR,
	PME_CONF_TYPES
};

struct pme_conf_setting {
	const char *section, *key;
	enum pme_conf_type type;
	size_t offset;		  /* in struct pme_conf */
	const char *standard;	  /* the default, as text that is parsed like any other */
	const char *least, *most; /* NULL: no limit */
	bool empty;		  /* also good: 0, or no text, outside the limits */
	bool single;		  /* not more than one address */
	const char *about;	  /* a sentence without its period */
};

extern const struct pme_conf_setting pme_conf_settings[];
extern const size_t pme_conf_count;

const char *pme_conf_type_name(enum pme_conf_type type);

#define PME_CONF_PATH_EXPECTED "an absolute path without \".\", \"..\" and needless slashes"
bool pme_conf_is_path(const char *text);

/* A value of whatever type; text is owned by the caller. */
struct pme_conf_value {
	uint64_t number; /* also bool and enums */
	char *text;
};

/*
 * The value of @setting that @text says.  0; -EINVAL, then *@ret_why says what is wrong (allocated,
 * NULL without memory); -ENOMEM.
 */
int pme_conf_value_parse(const struct pme_conf_setting *setting, const char *text,
			 struct pme_conf_value *ret, char **ret_why);
/* Text that would be parsed to what @conf has, allocated; NULL without memory. */
char *pme_conf_value_text(const struct pme_conf_setting *setting, const struct pme_conf *conf);
/* Into @conf, which takes the text. */
void pme_conf_value_store(const struct pme_conf_setting *setting, struct pme_conf_value *value,
			  struct pme_conf *conf);
const char *pme_conf_repair_name(enum pme_repair_auto automatic);

/* Set row @i, with where: 0, -EINVAL (see pme_conf_value_parse()), -ENOMEM. */
int pme_conf_set(struct pme_conf *conf, size_t i, const char *text, const char *file, uint64_t line,
		 char **ret_why);
/*
 * The same for [repair "@path"], which is "/" or a good one, made when it is new; -E2BIG when there
 * are too many.
 */
int pme_conf_set_path(struct pme_conf *conf, const char *path, const char *text, const char *file,
		      uint64_t line, char **ret_why);

#endif
