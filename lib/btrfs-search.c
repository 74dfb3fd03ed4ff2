/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tree searches; see btrfs-search.h.
 *
 * The surprise: the two keys of a request bound the whole key, they do not filter: types between
 * those asked for come along.  That nothing follows is not told; but the kernel stops before its
 * end only where the next item does not fit, or enough were found.
 */
#include "btrfs-search.h"

#include <linux/btrfs.h>
#include <string.h>

#include "os.h"

#define ITEM_MAX (64U << 10)	/* of the largest node */
#define BUFFER_SIZE (72U << 10) /* holds the largest item, and many of the usual ones */

int pme_btrfs_item_next(const void *buf, size_t size, size_t *pos, struct pme_btrfs_item *ret)
{
	struct btrfs_ioctl_search_header header;

	if (*pos == size)
		return 0;
	if (*pos > size || size - *pos < sizeof(header))
		return -EINVAL;
	memcpy(&header, (const char *)buf + *pos, sizeof(header));
	if (size - *pos - sizeof(header) < header.len || header.type > UINT8_MAX)
		return -EINVAL;
	*ret = (struct pme_btrfs_item){
		.key = {header.objectid, (uint8_t)header.type, header.offset},
		.data = (const unsigned char *)buf + *pos + sizeof(header),
		.len = header.len,
	};
	*pos += sizeof(header) + header.len;
	return 1;
}

int pme_btrfs_key_compare(const struct pme_btrfs_key *a, const struct pme_btrfs_key *b)
{
	if (a->objectid != b->objectid)
		return a->objectid < b->objectid ? -1 : 1;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* The key behind @key; false when there is none. */
static bool step(struct pme_btrfs_key *key)
{
	if (++key->offset != 0)
		return true;
	if (++key->type != 0)
		return true;
	return ++key->objectid != 0;
}

static int ask(struct pme_btrfs_search *search)
{
	struct btrfs_ioctl_search_args_v2 *args = search->args;
	int r;

	if (!args)
		args = search->args = malloc(sizeof(*args) + BUFFER_SIZE);
	if (!args)
		return -ENOMEM;
	*args = (struct btrfs_ioctl_search_args_v2){
		.key = {.tree_id = search->tree,
			.min_objectid = search->next.objectid,
			.max_objectid = search->last.objectid,
			.min_type = search->next.type,
			.max_type = search->last.type,
			.min_offset = search->next.offset,
			.max_offset = search->last.offset,
			.max_transid = UINT64_MAX,
			.nr_items = search->batch ? search->batch : UINT32_MAX},
		.buf_size = BUFFER_SIZE,
	};
	r = pme_os_ioctl(search->fd, BTRFS_IOC_TREE_SEARCH_V2, args);
	if (r < 0)
		return r;
	search->left = search->found = args->key.nr_items;
	search->pos = 0;
	search->ended |= search->left == 0;
	return 0;
}

/* Behind the last item that was found: would the kernel have told the next one? */
static bool was_last(const struct pme_btrfs_search *search)
{
	size_t room = BUFFER_SIZE - search->pos;

	return search->left == 0 && (search->batch == 0 || search->found < search->batch) &&
	       room >= sizeof(struct btrfs_ioctl_search_header) + ITEM_MAX;
}

int pme_btrfs_search_next(struct pme_btrfs_search *search, struct pme_btrfs_item *ret)
{
	int r = 0;

	if (search->left == 0 && !search->ended)
		r = ask(search);
	if (r < 0 || search->ended)
		return r;
	r = pme_btrfs_item_next(search->args->buf, BUFFER_SIZE, &search->pos, ret);
	if (r <= 0 || pme_btrfs_key_compare(&ret->key, &search->next) < 0)
		return r < 0 ? r : -EPROTO;
	search->left--;
	search->next = ret->key;
	if (!step(&search->next) || pme_btrfs_key_compare(&search->next, &search->last) > 0 ||
	    was_last(search))
		search->ended = true;
	return 1;
}

void pme_btrfs_search_done(struct pme_btrfs_search *search)
{
	free(search->args);
	search->args = NULL;
}

struct pme_btrfs_search pme_btrfs_search_of(int fd, uint64_t tree, uint64_t objectid, uint8_t type)
{
	return (struct pme_btrfs_search){
		.fd = fd,
		.tree = tree,
		.next = {objectid, type, 0},
		.last = {objectid, type, UINT64_MAX},
	};
}
