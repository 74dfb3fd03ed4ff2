/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which processes have these files open or mapped: one pass over /proc for all of them.
 *
 * The surprise: a device is held through any node of it, in any container, so a mapping of one is
 * not known by the inode that /proc/PID/maps shows; /proc/PID/map_files is asked.
 *
 * What it cannot see (processes of others without privilege, hidepid) makes the answer incomplete
 * and is said in the log.  It never attaches to a process.
 */
#ifndef PME_HOLDERS_H
#define PME_HOLDERS_H

#include "claim.h"
#include "log.h"
#include "os.h"

/*
 * Fill holders of each of @files (matched by st_dev and inode; devices by type and number).  Files
 * without a name that are held get the paths /proc/PID/fd/N or /proc/PID/map_files/… and the remark
 * that they are unlinked.
 */
int pme_holders_find(const struct pme_os *os, struct pme_file **files, size_t n_files,
		     struct pme_log *log);

/* Command, unit and container of the process @pid (digits): 0 or -errno. */
int pme_holder_name(const struct pme_os *os, const char *pid, struct pme_holder *holder);

/* Parsers, for tests and fuzzing. */
struct pme_map_line {
	uint64_t start, end, offset, inode; /* start, end: addresses; offset: bytes of the file */
	dev_t devno;
	bool writable, shared;
};
/* One line of /proc/PID/maps: 0 or -EINVAL. */
int pme_map_line_parse(const char *line, size_t len, struct pme_map_line *ret);
/* One line of /proc/PID/smaps: is it "VmFlags:", and mapped with MAP_SYNC?  1, 0, -EINVAL. */
int pme_vmflags_parse(const char *line, size_t len);
/* From the text of /proc/PID/fdinfo/N: may the descriptor write?  1, 0, -EINVAL. */
int pme_fdinfo_parse(const char *text, size_t len);
/*
 * From the same: the mount, and the inode (UINT64_MAX: the kernel does not say, before 5.14).  0 or
 * -EINVAL.
 */
int pme_fdinfo_place_parse(const char *text, size_t len, uint64_t *ret_mount, uint64_t *ret_inode);
/* From the text of /proc/PID/cgroup: systemd unit and container, each allocated or NULL. */
int pme_cgroup_parse(const char *text, size_t len, char **ret_unit, char **ret_container);

#endif
