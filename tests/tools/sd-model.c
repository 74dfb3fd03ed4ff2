/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model of a filled tree: which file shows which content where.
 *
 * It records what the generator did and never asks a filesystem.  Extents are cut and replaced
 * like paper strips: the newest wins.  Memory that runs out ends the program.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "selfdata.h"

void *sd_grow(void *array, size_t count, size_t size)
{
	void *bigger;

	/* Room for a power of two: grow only when count has reached one. */
	if (count & (count - 1))
		return array;
	bigger = reallocarray(array, count ? count * 2 : 1, size);
	if (!bigger) {
		perror("selfdata");
		exit(4);
	}
	return bigger;
}

char *sd_join(const char *dir, const char *name)
{
	char *path = NULL;

	if (asprintf(&path, "%s%s%s", dir, *dir ? "/" : "", name) < 0) {
		perror("selfdata");
		exit(4);
	}
	return path;
}

int sd_parse_u64(const char *text, uint64_t *ret_value)
{
	char *end;

	errno = 0;
	*ret_value = strtoull(text, &end, 10);
	if (errno)
		return -errno;
	return end == text || *end || *text == '-' ? -EINVAL : 0;
}

struct sd_file *sd_model_add(struct sd_model *model, char kind, const char *path)
{
	struct sd_file *file = sd_grow(NULL, 0, sizeof(*file));

	*file = (struct sd_file){.number = model->n_files + 1, .kind = kind};
	if (path)
		sd_file_add_path(file, path);
	model->files = sd_grow(model->files, model->n_files, sizeof(*model->files));
	model->files[model->n_files++] = file;
	return file;
}

static void file_free(struct sd_file *file)
{
	for (size_t i = 0; i < file->n_paths; i++)
		free(file->paths[i]);
	free(file->paths);
	free(file->extents);
	free(file);
}

void sd_model_clear(struct sd_model *model)
{
	for (size_t i = 0; i < model->n_files; i++)
		file_free(model->files[i]);
	free(model->files);
	*model = (struct sd_model){0};
}

void sd_file_add_path(struct sd_file *file, const char *path)
{
	file->paths = sd_grow(file->paths, file->n_paths, sizeof(*file->paths));
	file->paths[file->n_paths] = strdup(path);
	if (!file->paths[file->n_paths++]) {
		perror("selfdata");
		exit(4);
	}
}

void sd_file_drop_path(struct sd_file *file, size_t index)
{
	free(file->paths[index]);
	file->n_paths--;
	/* sd_grow() counts on an array that has its power of two; it only ever has more. */
	memmove(file->paths + index, file->paths + index + 1,
		(file->n_paths - index) * sizeof(*file->paths));
}

static struct sd_extent advance(struct sd_extent extent, uint64_t by)
{
	extent.start += by;
	extent.length -= by;
	extent.id.offset += by;
	return extent;
}

static bool continues(const struct sd_extent *a, const struct sd_extent *b)
{
	if (a->state != b->state || a->start + a->length != b->start)
		return false;
	return a->state != SD_DATA ||
	       (a->id.content == b->id.content && a->id.generation == b->id.generation &&
		a->id.offset + a->length == b->id.offset);
}

struct strips {
	struct sd_extent *at;
	size_t count;
};

static void push(struct strips *strips, struct sd_extent extent)
{
	struct sd_extent *last = strips->count ? &strips->at[strips->count - 1] : NULL;

	if (!extent.length)
		return;
	if (last && continues(last, &extent)) {
		last->length += extent.length;
		return;
	}
	strips->at = sd_grow(strips->at, strips->count, sizeof(*strips->at));
	strips->at[strips->count++] = extent;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Replaces whatever the file showed in this range; the size grows when the range lies past it. */
void sd_file_put(struct sd_file *file, const struct sd_extent *extent)
{
	struct strips out = {0};
	uint64_t from = extent->start, to = from + extent->length;
	bool done = false;

	for (size_t i = 0; i < file->n_extents; i++) {
		struct sd_extent old = file->extents[i];
		struct sd_extent head = old;

		head.length = old.start < from ? min_u64(old.length, from - old.start) : 0;
		push(&out, head);
		if (!done && old.start + old.length >= from) {
			push(&out, *extent);
			done = true;
		}
		if (old.start + old.length > to)
			push(&out, old.start < to ? advance(old, to - old.start) : old);
	}
	if (!done)
		push(&out, *extent);
	free(file->extents);
	file->extents = out.at;
	file->n_extents = out.count;
	if (file->size < to)
		file->size = to;
}

/* truncate(2): the rest of a written last block becomes zeros, what follows is a hole. */
static void stretch(struct sd_file *file, uint64_t size)
{
	struct sd_extent gap = {.start = file->size, .state = SD_HOLE};
	const struct sd_extent *last = file->size ? sd_file_at(file, file->size - 1) : NULL;
	uint64_t in_block = (SD_BLOCK - file->size % SD_BLOCK) % SD_BLOCK;

	if (last && in_block) {
		gap.state = last->state == SD_DATA ? SD_ZERO : last->state;
		gap.length = min_u64(in_block, size - file->size);
		sd_file_put(file, &gap);
	}
	gap = (struct sd_extent){.start = file->size, .state = SD_HOLE};
	gap.length = size - file->size;
	if (gap.length)
		sd_file_put(file, &gap);
}

void sd_file_resize(struct sd_file *file, uint64_t size)
{
	if (size > file->size) {
		stretch(file, size);
		return;
	}
	while (file->n_extents && file->extents[file->n_extents - 1].start >= size)
		file->n_extents--;
	if (file->n_extents) {
		struct sd_extent *last = &file->extents[file->n_extents - 1];

		last->length = min_u64(last->length, size - last->start);
	}
	file->size = size;
}

const struct sd_extent *sd_file_at(const struct sd_file *file, uint64_t offset)
{
	size_t low = 0, high = file->n_extents;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct sd_extent *extent = &file->extents[middle];

		if (offset < extent->start)
			high = middle;
		else if (offset - extent->start >= extent->length)
			low = middle + 1;
		else
			return extent;
	}
	return NULL;
}
