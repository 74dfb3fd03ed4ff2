/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A door for libext2fs (ext2fs/ext2_io.h): it reads an open descriptor and writes nothing.
 */
#ifndef PME_EXT4_IO_H
#define PME_EXT4_IO_H

#include <ext2fs/ext2fs.h>

/* The name given to ext2fs_open2() is the number of the descriptor, which stays open. */
extern io_manager const pme_ext4_io;

#endif
