/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding a device of the snapshot by what people call it; see topo.h.
 *
 * A path below /dev is looked up once, and its device number decides: symlinks and names may point
 * anywhere.  Only where there is no such node the text is taken for a name.  Paths elsewhere are
 * not devices here, whatever they are.
 */
#include "topo.h"

#include <string.h>
#include <sys/sysmacros.h>

const struct pme_dev *pme_topo_dev_by_name(const struct pme_topo *topo, const char *name)
{
	return pme_topo_find(topo, name);
}

const struct pme_dev *pme_topo_dev_by_devno(const struct pme_topo *topo, dev_t devno)
{
	for (size_t i = 0; devno != 0 && i < topo->n_devs; i++)
		if (topo->devs[i]->devno == devno)
			return topo->devs[i];
	return NULL;
}

/*
 * LVM joins VG and LV by a hyphen and doubles those in either name; a third part names a layer
 * inside the LV (lvm2 libdm: dm_build_dm_name, dm_split_lvm_name).
 */
char *pme_lvm_name(const char *dm_name)
{
	_cleanup_free_ char *name = malloc(strlen(dm_name) + 1);
	char *out = name;
	char *slash = NULL;

	if (!name)
		return NULL;
	for (const char *p = dm_name; *p; p++) {
		if (*p == '/')
			return NULL;
		if (*p != '-') {
			*out++ = *p;
		} else if (p[1] == '-') {
			*out++ = *p++;
		} else if (slash) {
			return NULL;
		} else {
			slash = out;
			*out++ = '/';
		}
	}
	*out = '\0';
	if (!slash || slash == name || slash[1] == '\0')
		return NULL;
	return pme_take_ptr(name);
}

static const struct pme_dev *find_by_alias(const struct pme_topo *topo, const char *alias)
{
	for (size_t i = 0; i < topo->n_devs; i++)
		if (topo->devs[i]->alias && strcmp(topo->devs[i]->alias, alias) == 0)
			return topo->devs[i];
	return NULL;
}

static const struct pme_dev *find_by_namespace(const struct pme_topo *topo, const char *name)
{
	for (size_t i = 0; i < topo->n_devs; i++)
		if (topo->devs[i]->ns && strcmp(topo->devs[i]->ns->name, name) == 0)
			return topo->devs[i];
	return NULL;
}

/* "vg0/data" and "vg0-data": the alias of a dm device, or the LV of this dm name. */
static const struct pme_dev *find_by_dm_name(const struct pme_topo *topo, const char *name)
{
	const struct pme_dev *dev = find_by_alias(topo, name);
	_cleanup_free_ char *lv = NULL;

	if (dev)
		return dev;
	lv = pme_lvm_name(name);
	return lv ? find_by_alias(topo, lv) : NULL;
}

/* The kernel writes a slash in a device name as an exclamation mark in sysfs: "cciss!c0d0". */
static const struct pme_dev *find_by_node_name(const struct pme_topo *topo, const char *name)
{
	_cleanup_free_ char *kernel = strdup(name);

	if (!kernel)
		return NULL;
	for (char *p = strchr(kernel, '/'); p; p = strchr(p, '/'))
		*p = '!';
	return pme_topo_find(topo, kernel);
}

static const struct pme_dev *find_by_text(const struct pme_topo *topo, const char *name)
{
	const struct pme_dev *dev = find_by_node_name(topo, name);

	return dev ? dev : find_by_dm_name(topo, name);
}

static const struct pme_dev *find_by_path(const struct pme_topo *topo, const char *path)
{
	static const char mapper[] = "dev/mapper/";
	struct stat st;
	bool found = pme_os_stat(topo->os, path, true, &st) == 0;

	if (found && S_ISBLK(st.st_mode))
		return pme_topo_dev_by_devno(topo, st.st_rdev);
	if (found && !S_ISCHR(st.st_mode))
		return NULL;
	if (strncmp(path, mapper, strlen(mapper)) == 0)
		return find_by_dm_name(topo, path + strlen(mapper));
	return find_by_text(topo, path + strlen("dev/"));
}

const struct pme_dev *pme_topo_dev_by_spec(const struct pme_topo *topo, const char *spec)
{
	const struct pme_dev *dev;

	if (strncmp(spec, "/dev/", strlen("/dev/")) == 0)
		return find_by_path(topo, spec + 1);
	if (spec[0] == '/')
		return NULL;
	dev = find_by_text(topo, spec);
	return dev ? dev : find_by_namespace(topo, spec);
}
