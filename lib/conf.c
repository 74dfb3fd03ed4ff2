/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration: defaults, the files and whether they can be trusted, and what came of them; see
 * conf.h.
 */
#include "conf.h"

#include <fcntl.h>
#include <string.h>

#include "conf-table.h"
#include "doc.h"

/* A file with every setting and its help has 6 KiB; with a thousand paths of repair, 60. */
#define FILE_MAX (1U << 20)
#define PATHS_MAX 1024
#define DROP_INS_MAX 256

static int set_origin(struct pme_conf_origin *origin, const char *file, uint64_t line)
{
	char *name = file ? strdup(file) : NULL;

	if (file && !name)
		return -ENOMEM;
	free(origin->file);
	*origin = (struct pme_conf_origin){.file = name, .line = line};
	return 0;
}

int pme_conf_set(struct pme_conf *conf, size_t i, const char *text, const char *file, uint64_t line,
		 char **ret_why)
{
	struct pme_conf_value value = {0};
	int r = pme_conf_value_parse(&pme_conf_settings[i], text, &value, ret_why);

	if (r == 0)
		r = set_origin(&conf->origins[i], file, line);
	if (r == 0)
		pme_conf_value_store(&pme_conf_settings[i], &value, conf);
	free(value.text);
	return r;
}

static struct pme_conf_path *find_path(struct pme_conf *conf, const char *path)
{
	for (size_t i = 0; i < conf->repair.n_paths; i++)
		if (strcmp(conf->repair.paths[i].path, path) == 0)
			return &conf->repair.paths[i];
	return NULL;
}

static int add_path(struct pme_conf *conf, const char *path, struct pme_conf_path **ret)
{
	struct pme_conf_path *added;
	int r;

	if (conf->repair.n_paths >= PATHS_MAX)
		return -E2BIG;
	r = pme_grow(&conf->repair.paths, &conf->repair.alloc_paths, conf->repair.n_paths,
		     sizeof(*conf->repair.paths));
	if (r < 0)
		return r;
	added = &conf->repair.paths[conf->repair.n_paths];
	*added = (struct pme_conf_path){.path = strdup(path)};
	if (!added->path)
		return -ENOMEM;
	conf->repair.n_paths++;
	*ret = added;
	return 0;
}

static const struct pme_conf_setting *repair_setting(void)
{
	size_t i = 0;

	while (pme_conf_settings[i].type != PME_CONF_REPAIR)
		i++;
	return &pme_conf_settings[i];
}

int pme_conf_set_path(struct pme_conf *conf, const char *path, const char *text, const char *file,
		      uint64_t line, char **ret_why)
{
	struct pme_conf_path *entry = find_path(conf, path);
	struct pme_conf_value value;
	int r = pme_conf_value_parse(repair_setting(), text, &value, ret_why);

	if (r == 0 && !entry)
		r = add_path(conf, path, &entry);
	if (r == 0)
		r = set_origin(&entry->origin, file, line);
	if (r == 0)
		entry->automatic = (enum pme_repair_auto)value.number;
	return r;
}

int pme_conf_defaults(struct pme_conf *ret)
{
	*ret = (struct pme_conf){0};
	ret->origins = calloc(pme_conf_count, sizeof(*ret->origins));
	if (!ret->origins)
		return -ENOMEM;
	for (size_t i = 0; i < pme_conf_count; i++) {
		_cleanup_free_ char *why = NULL;

		if (pme_conf_set(ret, i, pme_conf_settings[i].standard, NULL, 0, &why) < 0)
			return -ENOMEM;
	}
	return 0;
}

void pme_conf_done(struct pme_conf *conf)
{
	for (size_t i = 0; conf->origins && i < pme_conf_count; i++)
		free(conf->origins[i].file);
	for (size_t i = 0; i < conf->repair.n_paths; i++) {
		free(conf->repair.paths[i].path);
		free(conf->repair.paths[i].origin.file);
	}
	free(conf->origins);
	free(conf->repair.paths);
	free(conf->store.path);
	free(conf->hooks.directory);
	free(conf->mail.to);
	free(conf->mail.from);
	free(conf->mail.command);
	free(conf->metrics.file);
	*conf = (struct pme_conf){0};
}

/*
 * Whoever may write the file can make root run programs.  Its owner must be that of the root
 * directory, which is root, but for made-up trees.
 */
static int check_trust(const struct pme_os *os, int fd, const char *name, bool directory,
		       struct pme_log *log)
{
	struct stat root, st;
	int r = pme_os_fstat(os->root, &root);

	if (r == 0)
		r = pme_os_fstat(fd, &st);
	if (r < 0) {
		pme_log_add(log, PME_ERROR, name, "cannot be examined: %s", strerror(-r));
		return -EINVAL;
	}
	if (directory ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode)) {
		pme_log_add(log, PME_ERROR, name, "is no %s",
			    directory ? "directory" : "regular file");
		return -EINVAL;
	}
	if (st.st_uid != root.st_uid && st.st_uid != 0) {
		pme_log_add(log, PME_ERROR, name, "belongs to user %u, not to root: not used",
			    st.st_uid);
		return -EINVAL;
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		pme_log_add(log, PME_ERROR, name,
			    "can be written by others than root (mode %04o): not used",
			    st.st_mode & 07777);
		return -EINVAL;
	}
	return 0;
}

static int cannot_read(struct pme_log *log, const char *name, int r)
{
	if (r == -ENOMEM)
		return r;
	if (r == -EFBIG)
		pme_log_add(log, PME_ERROR, name, "is larger than 1 MiB");
	else
		pme_log_add(log, PME_ERROR, name, "cannot be read: %s", strerror(-r));
	return -EINVAL;
}

/* -ENOENT when there is none; O_NONBLOCK, as a FIFO would wait for a writer. */
static int load_file(const struct pme_os *os, const char *path, struct pme_log *log,
		     struct pme_conf *conf)
{
	_cleanup_close_ int fd = pme_os_open(os, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *name = pme_printf("/%s", path), *text = NULL;
	size_t len;
	int r;

	if (!name)
		return -ENOMEM;
	if (fd == -ENOENT)
		return fd;
	if (fd < 0)
		return cannot_read(log, name, fd);
	r = check_trust(os, fd, name, false, log);
	if (r < 0)
		return r;
	r = pme_os_read_fd(fd, FILE_MAX, &text, &len);
	return r < 0 ? cannot_read(log, name, r) : pme_conf_parse(text, len, name, log, conf);
}

/* As for the shell: no hidden ones, and nothing that an editor or a package manager left. */
static bool is_drop_in(const char *name)
{
	size_t len = strlen(name);

	return name[0] != '.' && len > 5 && strcmp(name + len - 5, ".conf") == 0;
}

static int load_names(const struct pme_os *os, char *const *names, size_t count,
		      struct pme_log *log, struct pme_conf *conf)
{
	size_t used = 0;
	int ret = 0;

	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *path = pme_printf(PME_CONF_DIR "/%s", names[i]);
		int r;

		if (!is_drop_in(names[i]))
			continue;
		if (!path)
			return -ENOMEM;
		if (used++ == DROP_INS_MAX) {
			pme_log_add(log, PME_ERROR, "/" PME_CONF_DIR, "has more than %d files",
				    DROP_INS_MAX);
			return -EINVAL;
		}
		r = load_file(os, path, log, conf);
		if (r == -ENOENT)
			pme_log_add(log, PME_ERROR, "/" PME_CONF_DIR, "%s: points nowhere",
				    names[i]);
		if (r == -ENOMEM)
			return r;
		ret = r < 0 ? -EINVAL : ret;
	}
	return ret;
}

static int load_drop_ins(const struct pme_os *os, struct pme_log *log, struct pme_conf *conf)
{
	static const char name[] = "/" PME_CONF_DIR;
	_cleanup_close_ int fd = pme_os_open(os, PME_CONF_DIR, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	char **names = NULL;
	size_t count = 0;
	int r;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return cannot_read(log, name, fd);
	r = check_trust(os, fd, name, true, log);
	if (r < 0)
		return r;
	r = pme_os_list(os, PME_CONF_DIR, &names, &count);
	if (r < 0)
		return cannot_read(log, name, r);
	r = load_names(os, names, count, log, conf);
	pme_os_free_names(names, count);
	return r;
}

/* What single values cannot tell. */
static int check_together(const struct pme_conf *conf, struct pme_log *log)
{
	if (conf->jobs.retry_max >= conf->jobs.retry)
		return 0;
	pme_log_add(log, PME_ERROR, "/" PME_CONF_FILE, "[jobs] retry_max is shorter than retry");
	return -EINVAL;
}

int pme_conf_load(const struct pme_os *os, struct pme_log *log, struct pme_conf *ret)
{
	int r = pme_conf_defaults(ret), file, dir, together;

	if (r < 0)
		return r;
	file = load_file(os, PME_CONF_FILE, log, ret);
	if (file == -ENOENT)
		file = 0;
	dir = load_drop_ins(os, log, ret);
	together = check_together(ret, log);
	if (file == -ENOMEM || dir == -ENOMEM)
		return -ENOMEM;
	return file < 0 || dir < 0 || together < 0 ? -EINVAL : 0;
}

static void origin_json(struct json_object *object, const struct pme_conf_origin *origin)
{
	pme_json_text(object, "file", origin->file);
	pme_json_number(object, "line", origin->file ? origin->line : UINT64_MAX);
}

static struct json_object *setting_json(const struct pme_conf *conf, size_t i)
{
	const struct pme_conf_setting *setting = &pme_conf_settings[i];
	struct json_object *object = pme_json_object();

	pme_json_text(object, "section", setting->section);
	pme_json_text(object, "path", NULL);
	pme_json_text(object, "setting", setting->key);
	pme_json_text(object, "type", pme_conf_type_name(setting->type));
	pme_json_owned_text(object, "value", pme_conf_value_text(setting, conf));
	pme_json_text(object, "default", setting->standard);
	pme_json_text(object, "least", setting->least);
	pme_json_text(object, "most", setting->most);
	origin_json(object, &conf->origins[i]);
	pme_json_text(object, "about", setting->about);
	return object;
}

static struct json_object *path_json(const struct pme_conf *conf, const struct pme_conf_path *path)
{
	const struct pme_conf_setting *setting = repair_setting();
	struct json_object *object = pme_json_object();

	pme_json_text(object, "section", setting->section);
	pme_json_text(object, "path", path->path);
	pme_json_text(object, "setting", setting->key);
	pme_json_text(object, "type", pme_conf_type_name(setting->type));
	pme_json_text(object, "value", pme_conf_repair_name(path->automatic));
	pme_json_text(object, "default", pme_conf_repair_name(conf->repair.automatic));
	pme_json_text(object, "least", NULL);
	pme_json_text(object, "most", NULL);
	origin_json(object, &path->origin);
	pme_json_text(object, "about", setting->about);
	return object;
}

void pme_conf_json(const struct pme_conf *conf, struct json_object *doc)
{
	struct json_object *array = pme_json_array();

	for (size_t i = 0; i < pme_conf_count; i++)
		pme_json_append(array, setting_json(conf, i));
	for (size_t i = 0; i < conf->repair.n_paths; i++)
		pme_json_append(array, path_json(conf, &conf->repair.paths[i]));
	pme_json_set(doc, "settings", array);
}

static bool is_below(const char *path, const char *top)
{
	size_t len = strcmp(top, "/") == 0 ? 0 : strlen(top);

	return strncmp(path, top, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

enum pme_repair_auto pme_conf_repair_of(const struct pme_conf *conf, const char *path)
{
	const struct pme_conf_path *longest = NULL;

	for (size_t i = 0; i < conf->repair.n_paths; i++) {
		const struct pme_conf_path *entry = &conf->repair.paths[i];

		if (is_below(path, entry->path) &&
		    (!longest || strlen(entry->path) > strlen(longest->path)))
			longest = entry;
	}
	return longest ? longest->automatic : conf->repair.automatic;
}

bool pme_conf_repairs(const struct pme_conf *conf)
{
	for (size_t i = 0; i < conf->repair.n_paths; i++)
		if (conf->repair.paths[i].automatic == PME_REPAIR_EXACT)
			return true;
	return conf->repair.automatic == PME_REPAIR_EXACT;
}
