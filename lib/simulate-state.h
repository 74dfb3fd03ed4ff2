/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What simulate.c finds, and simulate-json.c writes.
 */
#ifndef PME_SIMULATE_STATE_H
#define PME_SIMULATE_STATE_H

#include "fate.h"
#include "holders-fs.h"
#include "select.h"

/* A mounted filesystem that stands on what fails. */
struct pme_sim_fs {
	const struct pme_mount *mount; /* one of its mounts */
	const struct pme_dev *main;    /* or NULL: the device is gone */
	struct pme_fate_answer answer;
	size_t use; /* index of its holders */
};

/* A device that programs may use raw. */
struct pme_sim_raw {
	const struct pme_dev *dev;
	size_t use;
};

struct pme_sim {
	const struct pme_topo *topo;
	struct pme_selection selection;
	const struct pme_dev_list *failing; /* in @selection */
	struct pme_fates fates;
	struct pme_spaces spaces;
	const struct pme_mount **lost; /* selected ones whose device is gone */
	size_t n_lost, alloc_lost;
	struct pme_sim_fs *fs;
	size_t n_fs, alloc_fs;
	struct pme_sim_raw *raws;
	size_t n_raws, alloc_raws;
	struct pme_fs_use *uses;
	size_t n_uses, alloc_uses;
};

/* Does @mount show the filesystem of @fs? */
static inline bool pme_sim_shows(const struct pme_sim_fs *fs, const struct pme_mount *mount)
{
	return mount->shown == fs->mount->shown;
}

void pme_sim_json(const struct pme_sim *sim, struct json_object *doc);

#endif
