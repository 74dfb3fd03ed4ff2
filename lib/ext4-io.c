/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How libext2fs reads: from a descriptor that is open already, and never a byte more than asked.
 *
 * The library's own manager opens by path, caches, and knows how to write; this one does not.  The
 * surprise: a negative count is a number of bytes, and blocks are 1024 bytes until it says else.
 */
#include "ext4-io.h"

#include <string.h>

#include "os.h"

#define FIRST_BLOCK_SIZE 1024

static errcode_t close_channel(io_channel channel)
{
	if (--channel->refcount > 0)
		return 0;
	free(channel->name);
	free(channel);
	return 0;
}

/* @name is the number of the descriptor. */
static errcode_t open_channel(const char *name, int flags, io_channel *ret)
{
	io_channel channel = calloc(1, sizeof(*channel));

	if (!channel)
		return EXT2_ET_NO_MEMORY;
	channel->magic = EXT2_ET_MAGIC_IO_CHANNEL;
	channel->manager = pme_ext4_io;
	channel->name = strdup(name);
	channel->block_size = FIRST_BLOCK_SIZE;
	channel->refcount = 1;
	if (!channel->name) {
		free(channel);
		return EXT2_ET_NO_MEMORY;
	}
	*ret = channel;
	return 0;
}

static errcode_t set_block_size(io_channel channel, int size)
{
	channel->block_size = size;
	return 0;
}

static errcode_t read_blocks(io_channel channel, unsigned long long block, int count, void *data)
{
	uint64_t fd, offset, size;
	int r = pme_parse_u64(channel->name, strlen(channel->name), &fd);

	size = count < 0 ? -(uint64_t)count : (uint64_t)count * (uint64_t)channel->block_size;
	if (r == 0)
		r = pme_mul(block, (uint64_t)channel->block_size, &offset);
	if (r == 0)
		r = pme_os_pread((int)fd, data, size, offset);
	return r < 0 ? -r : 0; /* numbers below 2^16 are errno */
}

static errcode_t read_few(io_channel channel, unsigned long block, int count, void *data)
{
	return read_blocks(channel, block, count, data);
}

static errcode_t refuse_write(io_channel channel, unsigned long block, int count, const void *data)
{
	return EROFS;
}

static errcode_t refuse_write64(io_channel channel, unsigned long long block, int count,
				const void *data)
{
	return EROFS;
}

static errcode_t flush_nothing(io_channel channel)
{
	return 0;
}

static struct struct_io_manager manager = {
	.magic = EXT2_ET_MAGIC_IO_MANAGER,
	.name = "descriptor, to read only",
	.open = open_channel,
	.close = close_channel,
	.set_blksize = set_block_size,
	.read_blk = read_few,
	.read_blk64 = read_blocks,
	.write_blk = refuse_write,
	.write_blk64 = refuse_write64,
	.flush = flush_nothing,
};

io_manager const pme_ext4_io = &manager;
