/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Self-describing test data: the sector format, and the model of what was written.
 *
 * Every whole 512-byte sector of file data names the run that wrote it, the content (the number
 * of the file that it was written to first), the byte offset in that content and the generation
 * (a write sequence number).  A raw sector of any device below the filesystem can be decoded
 * without knowing how it got there.
 *
 * The surprise: a content is not a file.  Reflinks make several files show one content, at other
 * offsets; only the model (and the manifest that it is saved to) knows which.  One triple
 * (content, offset, generation) must live in exactly one place on the media, so nothing here
 * writes less than a 4 KiB block except the last one: a smaller write into a shared block would
 * make the filesystem copy the rest of that block.
 */
#ifndef SELFDATA_H
#define SELFDATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SD_SECTOR 512u
#define SD_BLOCK 4096u

struct sd_id {
	uint64_t tag; /* the run */
	uint64_t content;
	uint64_t offset; /* bytes, a multiple of SD_SECTOR */
	uint64_t generation;
};

/* Fills buf (SD_SECTOR bytes) with the one and only image of this sector. */
void sd_sector_build(const struct sd_id *id, void *buf);
/* 1 and *ret_id when buf is such a sector, 0 when it is anything else, even by one bit. */
int sd_sector_parse(const void *buf, struct sd_id *ret_id);

/* xorshift64*; the same seed gives the same tree. */
struct sd_rng {
	uint64_t state;
};
void sd_rng_init(struct sd_rng *rng, uint64_t seed);
uint64_t sd_rng_next(struct sd_rng *rng);
uint64_t sd_rng_below(struct sd_rng *rng, uint64_t limit);

enum sd_state {
	SD_DATA = 'D',	    /* written; carries content, offset, generation */
	SD_UNWRITTEN = 'U', /* allocated by fallocate and never written */
	SD_HOLE = 'H',	    /* may be backed by blocks that the filesystem allocated ahead */
	SD_ZERO = 'Z',	    /* reads as zeros; how is the filesystem's choice */
};

struct sd_extent {
	uint64_t start, length; /* bytes of the file */
	enum sd_state state;
	struct sd_id id; /* of the byte at start; SD_DATA only */
};

struct sd_file {
	uint64_t number;
	char kind; /* f, d or l */
	uint64_t size;
	struct sd_extent *extents; /* sorted; they cover [0, size) without gaps */
	size_t n_extents;
	char **paths;	/* relative to the root; more than one: hard links */
	size_t n_paths; /* 0: unlinked */
	bool was_shared;
};

struct sd_model {
	uint64_t tag;
	uint64_t generation; /* the last one used */
	struct sd_file **files;
	size_t n_files;
};

/* All of these end the program when memory is out: a test tool has no better answer. */
struct sd_file *sd_model_add(struct sd_model *model, char kind, const char *path);
void sd_model_clear(struct sd_model *model);
void sd_file_add_path(struct sd_file *file, const char *path);
void sd_file_drop_path(struct sd_file *file, size_t index);
void sd_file_put(struct sd_file *file, const struct sd_extent *extent);
void sd_file_resize(struct sd_file *file, uint64_t size);
const struct sd_extent *sd_file_at(const struct sd_file *file, uint64_t offset);

/* 0 or -errno; the format is described in sd-manifest.c. */
int sd_manifest_save(const struct sd_model *model, const char *name);
int sd_manifest_load(struct sd_model *model, const char *name);

/* The subcommands: main()'s arguments after the name; exit status. */
int sd_cmd_fill(int argc, char **argv);
int sd_cmd_dedupe(int argc, char **argv);
int sd_cmd_verify(int argc, char **argv);
int sd_cmd_decode(int argc, char **argv);

int sd_parse_u64(const char *text, uint64_t *ret_value);
void *sd_grow(void *array, size_t count, size_t size);
char *sd_join(const char *dir, const char *name);

#endif
