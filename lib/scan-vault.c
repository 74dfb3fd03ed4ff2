/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files in the vault; see scan-vault.h.
 *
 * A name alone proves nothing: who may write the directory where a filesystem is mounted can make
 * one that looks like it.  So the vault is opened, and the file is looked for in it by its inode; a
 * file with a second name is somebody else's as well.  Where only a part of the filesystem is
 * mounted nothing in the vault has a path: the quarantine is searched for the inode then, while a
 * checkpoint, in a tree of any size, stays a file like others.
 */
#include "scan-vault.h"

#include <string.h>

#include "donor-reach.h"
#include "vault.h"

struct vault {
	const struct pme_fs *fs;
	struct pme_log *log;
	struct pme_reach reach;
	char **names; /* of the quarantine, read when they are needed */
	size_t n_names;
	int quarantine; /* descriptor, or -1 */
};

static void vault_done(struct vault *vault)
{
	pme_os_free_names(vault->names, vault->n_names);
	pme_close_fd(&vault->quarantine);
	pme_reach_close(&vault->reach);
}

static void tell_not_believed(const struct vault *vault, enum pme_vault_part part)
{
	pme_log_add(vault->log, PME_WARNING, pme_fs_subject(vault->fs),
		    "%s/%s in the root of this filesystem is not believed, and files in it are "
		    "like all others: it must be a directory of root, mode 0700, and so must "
		    "%s be",
		    PME_VAULT, pme_vault_part_name(part), PME_VAULT);
}

/* By its path below one of the mounts of the whole filesystem. */
static void note_by_path(const struct vault *vault, struct pme_file *file)
{
	for (size_t i = 0; i < vault->fs->n_mounts; i++) {
		const struct pme_mount *mount = vault->fs->mounts[i];
		int part = strcmp(mount->root, "/") == 0
				   ? pme_vault_part_of(file->paths[0], mount->target)
				   : -1;
		int r;

		if (part < 0)
			continue;
		r = pme_vault_has(vault->reach.root, part, file->paths[0], mount->target,
				  file->inode);
		if (r == -EPERM)
			tell_not_believed(vault, part);
		if (r == 1)
			file->vault = 1 + (unsigned int)part;
	}
}

static int read_quarantine(struct vault *vault)
{
	struct pme_os dir;

	if (vault->quarantine >= 0)
		return 0;
	vault->quarantine = pme_vault_open(vault->reach.root, PME_VAULT_QUARANTINE, false);
	if (vault->quarantine < 0)
		return vault->quarantine;
	dir = (struct pme_os){.root = vault->quarantine};
	return pme_os_list(&dir, ".", &vault->names, &vault->n_names);
}

static void note_by_inode(struct vault *vault, struct pme_file *file)
{
	struct stat st;

	if (read_quarantine(vault) < 0)
		return;
	for (size_t i = 0; i < vault->n_names; i++)
		if (pme_os_stat_at(vault->quarantine, vault->names[i], false, &st) == 0 &&
		    st.st_ino == file->inode)
			file->vault = 1 + PME_VAULT_QUARANTINE;
}

/* A file with one name: each of its paths ends with it. */
static void note_file(struct vault *vault, struct pme_file *file)
{
	if (!S_ISREG(file->mode) || file->nlink != 1)
		return;
	if (file->n_paths > 0)
		note_by_path(vault, file);
	else
		note_by_inode(vault, file);
}

void pme_scan_note_vault(const struct pme_topo *topo, const struct pme_fs *fs,
			 struct pme_file *const *files, size_t n_files, struct pme_log *log)
{
	_cleanup_(vault_done) struct vault vault = {
		.fs = fs,
		.log = log,
		.reach = {.entry = {.fd = -1}, .root = -1},
		.quarantine = -1,
	};
	int r = -ENOENT;

	if (n_files > 0)
		r = pme_reach_open(topo->os, fs, &vault.reach);
	for (size_t i = 0; r == 0 && i < n_files; i++)
		note_file(&vault, files[i]);
}

char *pme_scan_vault_detail(const struct pme_file *file)
{
	static const char *const details[PME_VAULT_PARTS] = {
		[PME_VAULT_CHECKPOINTS] = "checkpoint of pmemctl protect",
		[PME_VAULT_STAGING] = "staging file of a repair",
		[PME_VAULT_QUARANTINE] = "in quarantine: nothing but pmemctl has these blocks",
	};

	return file->vault > 0 ? strdup(details[file->vault - 1]) : NULL;
}
