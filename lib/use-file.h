/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * First bytes of files that say what they are; words of a hypervisor's command line.
 */
#ifndef PME_USE_FILE_H
#define PME_USE_FILE_H

#include "base.h"

/* "qcow2", when @data begins as an image of a virtual disk does; else NULL. */
const char *pme_image_parse(const void *data, size_t size);
/* Does @data begin as a database of SQLite (https://sqlite.org/fileformat2.html, 1.3)? */
bool pme_sqlite_parse(const void *data, size_t size);

/*
 * /proc/PID/cmdline: the value of "-name" of QEMU, or of its member "guest", as qemu(1) has it.  1
 * and *@ret (allocated), 0 there is none, -ENOMEM.
 */
int pme_guest_name_parse(const char *args, size_t len, char **ret);
/* Do these arguments say that @path is a disk or the memory of the guest? */
bool pme_guest_disk_parse(const char *args, size_t len, const char *path);

#endif
