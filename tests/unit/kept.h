/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A made-up machine on which something is protected: files of protections, and versions of one file
 * in their replicas, as `pmemctl protect sync` leaves them.
 *
 * Who uses it links with --wrap=pme_os_fstat and --wrap=pme_os_ioctl: everything belongs to
 * kept_owner, whoever runs the test, and every inode has the generation KEPT_GENERATION, also on
 * filesystems that have none.
 */
#ifndef PME_TESTS_KEPT_H
#define PME_TESTS_KEPT_H

#include "check.h"
#include "claim.h"
#include "manifest.h"
#include "tree.h"

#define KEPT_UUID "32b013a3-2cb1-4595-814c-b458611bb4aa"
#define KEPT_GENERATION 4000000000U

extern uid_t kept_owner; /* 0 unless a test says otherwise */

struct kept {
	const char *path, *replica; /* of the protection */
	uint64_t version;
	int64_t taken;
	uint64_t inode;
	uint32_t generation;
	const char *uuid, *id; /* as the manifest has them; @id NULL: that of the protection */
	bool has_checkpoint;
	bool unsettled; /* somebody had the file open for writing */
	bool other_boot;
	int64_t mtime, ctime;
	int source; /* its bytes, all of them data */
};

/* The file @file of KEPT_UUID with the bytes of @source, kept for /srv in /backup. */
struct kept kept_plain(const struct pme_file *file, int source, uint64_t version, int64_t taken);

/* /srv is under protection, in /backup. */
void kept_protect(struct tree *tree, const char *path, const char *replica);
/* Its protection, too, is made when it is missing. */
void kept_make(struct tree *tree, const struct kept *kept);
/* "backup/ID/INODE-GENERATION", with "/" and @name behind it unless that is NULL. */
char *kept_place(const struct kept *kept, const char *name);
/* Directories of @path, which only root may enter. */
void kept_dirs(struct tree *tree, const char *path);

#endif
