/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where versions are kept, and what they are called.
 *
 *   REPLICA/ID/INODE-GENERATION/N.data, N.sums, N.manifest   of each version of a file
 *   REPLICA/ID/INODE-GENERATION/damaged                      a version was found damaged
 *   REPLICA/ID/INODE-GENERATION/N.unseen                     sync N was the first that did not meet
 *                                                            the file, though it lives; empty
 *   VAULT/checkpoints/ID/INODE-GENERATION-N-NONCE            its checkpoint
 *   VAULT/checkpoints/ID/dax/…                               the same, where it has to be DAX
 *
 * All numbers hexadecimal.  A version is there when its manifest is; it is the last to come and the
 * first to go.  Names of files play no part: a file is its inode and its generation.
 */
#ifndef PME_SAVED_PLACE_H
#define PME_SAVED_PLACE_H

#include "saved-conf.h"
#include "saved.h"

#define PME_SAVED_DAMAGED "damaged"
#define PME_SAVED_UNSEEN "unseen"

/*
 * The directory @name of @parent, which only root may enter; with @make, made when missing (not
 * synced).  A descriptor; -ENOENT; -EPERM: something else is there, or others may enter; -errno.
 */
int pme_saved_dir(int parent, const char *name, bool make);

/*
 * The directory of the replica of @protection.  -ENOENT: no replica directory; -EPERM: others may
 * write it.
 */
int pme_saved_replica(const struct pme_os *os, const struct pme_protection *protection, bool make);

/* Was a version in the directory of an object found damaged?  1, 0, -errno. */
int pme_saved_is_damaged(int object);
/* The first sync that did not meet the file: 1, 0: each did, -errno. */
int pme_saved_unseen(int object, uint64_t *ret);

/* Names, allocated; NULL without memory. */
char *pme_saved_object_name(uint64_t inode, uint32_t generation);
char *pme_saved_checkpoint_name(const struct pme_manifest *manifest);

/* Of a name of an object or of a checkpoint: 0 or -EINVAL. */
int pme_saved_object_parse(const char *name, uint64_t *ret_inode, uint32_t *ret_generation);
int pme_saved_checkpoint_parse(const char *name, uint64_t *ret_inode, uint32_t *ret_generation,
			       uint64_t *ret_version);

/* Of a file of a version, with this @suffix (".data", …): 0 or -EINVAL. */
int pme_saved_version_parse(const char *name, const char *suffix, uint64_t *ret);

/* Generations of the versions in the directory of an object, newest first: 0 or -errno. */
int pme_saved_versions(int object, uint64_t **ret, size_t *ret_count);
/*
 * The same, and how many names there are besides the manifests: two for each, and "damaged";
 * SIZE_MAX where one of them says that the file was not met.
 */
int pme_saved_look(int object, uint64_t **ret, size_t *ret_count, size_t *ret_others);

/*
 * One version.  @checkpoints: the directory of checkpoints, or -1.  0; -errno of reading; *@ret_why
 * (static text) says why.
 */
int pme_saved_load(int object, uint64_t version, int checkpoints, struct pme_saved *ret,
		   const char **ret_why);
void pme_saved_free(struct pme_saved *saved); /* what it owns */

/* The directory of checkpoints of @id below the root of a filesystem; a descriptor or -errno. */
int pme_checkpoints_open(int root, const char *id, bool make);
/* A checkpoint of it: a descriptor or -errno. */
int pme_checkpoint_open(int checkpoints, const char *name);

/*
 * Up to @size bytes, whole blocks, at the block border @offset of a file of @end bytes, around the
 * page cache if @fd is; zeros behind the end.  0, -EIO, -ESTALE: it is shorter than that.  @buf is
 * aligned.
 */
int pme_saved_read_raw(int fd, void *buf, size_t size, uint64_t offset, uint64_t end);

/* A buffer for that; NULL without memory. */
void *pme_saved_buffer(size_t size);

/*
 * @count blocks from block number @block on, all of one page of sums, into the aligned @buf; for
 * each that is not good, @ret_bad (if given) gets true.  0, or the error of the first that is not:
 * see pme_saved_read().
 */
int pme_saved_read_blocks(const struct pme_saved *saved, uint64_t block, size_t count, void *buf,
			  bool *ret_bad);

#endif
