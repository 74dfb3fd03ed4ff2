/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that have what the folder of their process in /proc does not show.
 *
 * /proc/PID shows what the first thread has.  Any thread can have a table of descriptors of its own
 * (unshare(2), CLONE_FILES); and when the first one has ended, it has none and no memory either,
 * while the others run on.  The surprise: each thread has such a folder by its own number, too,
 * though nobody lists it.
 */
#ifndef PME_HOLDERS_THREADS_H
#define PME_HOLDERS_THREADS_H

#include "os.h"

/*
 * One thread for each table of descriptors of the process @pid (digits) besides the one that
 * /proc/PID shows; their numbers, to be freed with pme_os_free_names().  0 or -errno.
 */
int pme_threads_apart(const struct pme_os *os, const char *pid, char ***ret, size_t *ret_count);

/*
 * Has the process @pid no memory of its own, and no thread besides the first?  Then it has no files
 * either: it belongs to the kernel, or has ended.  Most processes of a large machine are the
 * kernel's.  1, 0 (also when that cannot be asked), -ENOMEM; -EACCES or -EPERM: we may not look
 * into it at all, since whoever may not know its program may not know its files.
 */
int pme_process_is_bare(const struct pme_os *os, const char *pid);

#endif
