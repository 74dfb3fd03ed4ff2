/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parents FOLDER INODES THREADS: open each inode of INODES (lines "INODE GENERATION", by
 * bench/owners) by its handle and ask for its parents, and print how many names there are.
 *
 * A floor: the names of known inodes on an XFS with parent pointers.  The structures are those of
 * the kernel's xfs_fs.h from 6.10 on, which the headers of Debian 12 do not have.
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <xfs/xfs.h>

#include "bare.h"

#define BUFFER_SIZE 4096
#define FILEID_XFS_64 0x81 /* FILEID_INO32_GEN with XFS_FILEID_TYPE_64FLAG */
#define FILE_FLAGS (O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOATIME | O_CLOEXEC)
#define ENDS 3 /* XFS_GETPARENTS_OFLAG_ROOT and _DONE */

struct parents_rec {
	struct xfs_handle parent;
	uint32_t reclen;
	uint32_t reserved;
	char name[];
};

struct parents {
	struct xfs_attrlist_cursor cursor;
	uint16_t iflags;
	uint16_t oflags;
	uint32_t bufsize;
	uint64_t reserved;
	uint64_t buffer;
};

#define IOC_PARENTS _IOWR('X', 62, struct parents)

struct fid64 {
	uint64_t ino;
	uint32_t gen;
} __attribute__((packed));

struct inode {
	uint64_t ino;
	uint32_t gen;
};

struct inodes {
	struct inode *items;
	size_t count;
};

static struct inodes read_inodes(const char *path)
{
	struct bare_list list = bare_read_list(path, 1);
	struct inodes inodes = {.items = bare_alloc(list.count, sizeof(*inodes.items))};
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;

	if (!file)
		err(1, "%s", path);
	while (inodes.count < list.count && getline(&line, &size, file) > 0) {
		char *end;
		struct inode *inode = &inodes.items[inodes.count++];

		inode->ino = strtoull(line, &end, 10);
		inode->gen = (uint32_t)strtoul(end, NULL, 10);
	}
	free(line);
	free(list.items);
	fclose(file);
	return inodes;
}

static int open_inode(int root, const struct inode *inode)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(struct fid64)];
	} u = {.handle = {.handle_bytes = sizeof(struct fid64), .handle_type = FILEID_XFS_64}};
	const struct fid64 fid = {inode->ino, inode->gen};
	int fd;

	memcpy(u.room + sizeof(struct file_handle), &fid, sizeof(fid));
	fd = open_by_handle_at(root, &u.handle, FILE_FLAGS);
	if (fd < 0)
		err(1, "inode %" PRIu64, inode->ino);
	return fd;
}

static unsigned long count_records(const char *buf)
{
	unsigned long count = 0;
	size_t pos = 0;

	while (pos + sizeof(struct parents_rec) <= BUFFER_SIZE) {
		const struct parents_rec *rec = (const void *)(buf + pos);

		if (rec->reclen < sizeof(*rec))
			break;
		count += rec->reclen > sizeof(*rec);
		pos += rec->reclen;
	}
	return count;
}

static void run(struct bare_work *work)
{
	char *buf = bare_alloc(1, BUFFER_SIZE);
	const struct inodes *inodes = work->arg;
	size_t i;

	while (bare_next(work, &i)) {
		struct parents request = {.bufsize = BUFFER_SIZE, .buffer = (uintptr_t)buf};
		int fd = open_inode(work->fd, &inodes->items[i]);

		do {
			memset(buf, 0, BUFFER_SIZE);
			if (ioctl(fd, IOC_PARENTS, &request) < 0)
				err(1, "XFS_IOC_GETPARENTS");
			atomic_fetch_add(&work->found, count_records(buf));
		} while (!(request.oflags & ENDS));
		close(fd);
	}
	free(buf);
}

int main(int argc, char **argv)
{
	struct bare_work work = {.run = run};
	struct inodes inodes;

	if (argc != 4)
		errx(1, "usage: parents FOLDER INODES THREADS");
	inodes = read_inodes(argv[2]);
	work.fd = bare_open(argv[1]);
	work.arg = &inodes;
	work.count = inodes.count;
	bare_spread(&work, bare_threads(argv[3]));
	printf("%lu\n", work.found);
	return 0;
}
