/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where bad ranges come from: the kernel's lists of disks and regions, and the command line.
 *
 * Ranges are relative to the device they are listed for.  What a region's list says about bytes of
 * a namespace's disk is turned into bytes of that disk, so that both lists speak of one device.
 */
#ifndef PME_SOURCE_H
#define PME_SOURCE_H

#include "badblocks.h"
#include "finding.h"
#include "select.h"

struct pme_bad {
	const struct pme_dev *dev;
	struct pme_range range;
	unsigned int known_by; /* bits of enum pme_known_by */
};

/* What became of the kernel's list of one device: only a complete one says what is not bad. */
enum pme_list_state {
	PME_LIST_COMPLETE,
	PME_LIST_CLIPPED,    /* sysfs cut its text off */
	PME_LIST_FULL,	     /* the kernel's table is full: later errors were dropped */
	PME_LIST_UNREADABLE, /* or malformed */
	PME_LIST_NONE,	     /* it has none: that of its region speaks for it, if it is in one */
};
const char *pme_list_state_name(enum pme_list_state state);

struct pme_list {
	const struct pme_dev *dev;
	enum pme_list_state state;
};

struct pme_bads {
	struct pme_bad *items;
	size_t count, alloc;
	struct pme_list *lists; /* of the kernel, as far as they were looked at */
	size_t n_lists, alloc_lists;
};

int pme_bads_add(struct pme_bads *bads, const struct pme_dev *dev, struct pme_range range,
		 unsigned int known_by);
/* Sort by device and start; split and merge so that no two overlap and each has all its sources. */
int pme_bads_merge(struct pme_bads *bads);
void pme_bads_done(struct pme_bads *bads);
/* What became of the list of @dev; NULL: nobody looked. */
const struct pme_list *pme_bads_list(const struct pme_bads *bads, const struct pme_dev *dev);

/*
 * The kernel's lists of all base devices of @selection.  Truncated and unreadable lists are said in
 * @log and make it incomplete; ret->lists has what became of each.  0, -ENOMEM, -E2BIG.
 */
int pme_source_kernel(const struct pme_topo *topo, const struct pme_selection *selection,
		      struct pme_log *log, struct pme_bads *ret);

/*
 * "DEV:START[+LEN]" of the user; START and LEN as pme_range_parse().  -EINVAL (syntax), -ENODEV
 * (no such device), -ERANGE (behind its end): each said in @log.
 */
int pme_source_range(const struct pme_topo *topo, const char *spec, uint64_t default_length,
		     struct pme_log *log, struct pme_bads *ret);

/*
 * "FILE:DEV" of the user: a list as pme_badblocks_parse_file().  Errors as above, and -errno of
 * reading the file.
 */
int pme_source_file(const struct pme_topo *topo, const char *spec, uint64_t block_size,
		    struct pme_log *log, struct pme_bads *ret);

#endif
