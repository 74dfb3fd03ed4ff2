/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * selfdata decode: what do raw sectors of a block device hold?
 *
 *	selfdata decode DEV SECTOR COUNT
 *	selfdata decode [-m MANIFEST] DEV -a
 *	selfdata decode [-m MANIFEST] DEV -r SEED N_DATA [N_OTHER [N_ZERO [START LENGTH]]]
 *
 * prints one line per sector, "SECTOR TAG CONTENT OFFSET GENERATION", "SECTOR other HASH" or
 * "SECTOR zero".  -a prints all sectors that are not zero.  With -r the window is read once and
 * N_DATA sectors of self-data, N_OTHER that hold something else and N_ZERO that are all zeros are
 * drawn, each with the same chance, the same ones for the same seed.  Fewer come out when there
 * are fewer.  -m: N_DATA counts data of this manifest's run only; what other runs left behind is
 * drawn like N_OTHER; with -a it alone is printed.
 *
 * It reads around the page cache: what a mounted filesystem just wrote is on the device after a
 * sync, but the block device's own cache may be older.  Old data in free space decodes like live
 * data; only the manifest can tell.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "selfdata.h"

#define CHUNK (1u << 20)

enum kind { KIND_DATA, KIND_OTHER, KIND_ZERO, KIND_FOREIGN, N_KINDS };

struct sample {
	uint64_t sector;
	enum kind kind;
	struct sd_id id;
	uint64_t hash; /* of KIND_OTHER: to find the same bytes on another device */
};

/* Reservoir sampling: each seen sector ends up in the sample with the same chance. */
struct draw {
	struct sample *samples;
	uint64_t wanted, seen;
};

struct device {
	const char *name;
	int fd;
	uint64_t n_sectors;
	uint64_t tag; /* of the run that counts; 0: any */
};

typedef int (*visit_fn)(void *arg, const struct sample *sample);

/* Words, not memcmp(): vector instructions are slow under software emulation. */
static int is_zero(const char *sector)
{
	uint64_t words[8], seen = 0;

	for (size_t i = 0; i < SD_SECTOR && !seen; i += sizeof(words)) {
		memcpy(words, sector + i, sizeof(words));
		seen = words[0] | words[1] | words[2] | words[3] | words[4] | words[5] | words[6] |
		       words[7];
	}
	return !seen;
}

/* FNV-1a, eight bytes at a time. */
static uint64_t hash_sector(const char *sector)
{
	uint64_t hash = 0xcbf29ce484222325ull, word;

	for (size_t i = 0; i < SD_SECTOR; i += sizeof(word)) {
		memcpy(&word, sector + i, sizeof(word));
		hash = (hash ^ word) * 0x100000001b3ull;
		hash ^= hash >> 29;
	}
	return hash;
}

static struct sample look(const char *buf, uint64_t sector)
{
	struct sample sample = {.sector = sector, .kind = KIND_OTHER};

	if (sd_sector_parse(buf, &sample.id))
		sample.kind = KIND_DATA;
	else if (is_zero(buf))
		sample.kind = KIND_ZERO;
	else
		sample.hash = hash_sector(buf);
	return sample;
}

static void print(const struct sample *s)
{
	if (s->kind == KIND_DATA)
		printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", s->sector,
		       s->id.tag, s->id.content, s->id.offset, s->id.generation);
	else if (s->kind == KIND_OTHER)
		printf("%" PRIu64 " other %016" PRIx64 "\n", s->sector, s->hash);
	else
		printf("%" PRIu64 " zero\n", s->sector);
}

/* Visits all sectors of the window, read with O_DIRECT at CHUNK-aligned places. */
static int each_sector(const struct device *dev, uint64_t start, uint64_t length, visit_fn visit,
		       void *arg)
{
	uint64_t end = start + length, at = start;
	char *buf = aligned_alloc(4096, CHUNK);
	int err = buf ? 0 : -ENOMEM;

	while (at < end && !err) {
		uint64_t base = at * SD_SECTOR / CHUNK * CHUNK;
		ssize_t n = pread(dev->fd, buf, CHUNK, (off_t)base);
		uint64_t upto = n < 0 ? 0 : (base + (uint64_t)n) / SD_SECTOR;

		if (n < 0)
			err = -errno;
		else if (upto <= at)
			err = -EIO;
		for (; !err && at < end && at < upto; at++) {
			struct sample sample = look(buf + (at * SD_SECTOR - base), at);

			err = visit(arg, &sample);
		}
	}
	free(buf);
	return err;
}

static int device_open(const char *name, struct device *ret_dev)
{
	struct device dev = {.name = name};
	struct stat st;
	uint64_t bytes;

	dev.fd = open(name, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (dev.fd < 0 && errno == EINVAL)
		dev.fd = open(name, O_RDONLY | O_CLOEXEC);
	if (dev.fd < 0 || fstat(dev.fd, &st) < 0)
		return -errno;
	bytes = (uint64_t)st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(dev.fd, BLKGETSIZE64, &bytes) < 0)
		return -errno;
	dev.n_sectors = bytes / SD_SECTOR;
	*ret_dev = dev;
	return 0;
}

static int print_used_visit(void *arg, const struct sample *sample)
{
	(void)arg;
	if (sample->kind != KIND_ZERO)
		print(sample);
	return 0;
}

static int print_live_visit(void *arg, const struct sample *sample)
{
	const uint64_t *tag = arg;

	if (sample->kind == KIND_DATA && sample->id.tag == *tag)
		print(sample);
	return 0;
}

static int print_visit(void *arg, const struct sample *sample)
{
	(void)arg;
	print(sample);
	return 0;
}

struct lottery {
	struct draw draws[N_KINDS];
	uint64_t tag;
	struct sd_rng rng;
};

static int draw_visit(void *arg, const struct sample *sample)
{
	struct lottery *lottery = arg;
	bool foreign = sample->kind == KIND_DATA && lottery->tag && sample->id.tag != lottery->tag;
	struct draw *draw = &lottery->draws[foreign ? KIND_FOREIGN : sample->kind];
	uint64_t slot = draw->seen++;

	if (slot >= draw->wanted)
		slot = sd_rng_below(&lottery->rng, draw->seen);
	if (slot < draw->wanted)
		draw->samples[slot] = *sample;
	return 0;
}

static int by_sector(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return x->sector < y->sector ? -1 : x->sector > y->sector;
}

static void print_draw(struct draw *draw)
{
	uint64_t count = draw->seen < draw->wanted ? draw->seen : draw->wanted;

	qsort(draw->samples, count, sizeof(*draw->samples), by_sector);
	for (uint64_t i = 0; i < count; i++)
		print(&draw->samples[i]);
	free(draw->samples);
}

/* numbers: SEED N_DATA N_OTHER N_ZERO START LENGTH; a length of 0 means up to the end. */
static int decode_random(const struct device *dev, const uint64_t *numbers)
{
	const uint64_t wanted[N_KINDS] = {numbers[1], numbers[2], numbers[3], numbers[2]};
	struct lottery lottery = {.tag = dev->tag};
	uint64_t start = numbers[4], length = numbers[5];
	int err;

	if (start >= dev->n_sectors || length > dev->n_sectors - start)
		return -ERANGE;
	sd_rng_init(&lottery.rng, numbers[0]);
	for (int i = 0; i < N_KINDS; i++) {
		lottery.draws[i].wanted = wanted[i];
		lottery.draws[i].samples = calloc(wanted[i] + 1, sizeof(struct sample));
		if (!lottery.draws[i].samples)
			return -ENOMEM;
	}
	err = each_sector(dev, start, length ? length : dev->n_sectors - start, draw_visit,
			  &lottery);
	for (int i = 0; i < N_KINDS; i++)
		print_draw(&lottery.draws[i]);
	return err;
}

static int decode_range(const struct device *dev, const uint64_t *numbers)
{
	if (numbers[0] >= dev->n_sectors || numbers[1] > dev->n_sectors - numbers[0])
		return -ERANGE;
	return each_sector(dev, numbers[0], numbers[1], print_visit, NULL);
}

static int decode_all(const struct device *dev, const uint64_t *numbers)
{
	uint64_t tag = dev->tag;

	(void)numbers;
	return each_sector(dev, 0, dev->n_sectors, tag ? print_live_visit : print_used_visit,
			   &tag);
}

static int decode(const char *name, uint64_t tag,
		  int (*run)(const struct device *, const uint64_t *), const uint64_t *numbers)
{
	struct device dev = {0};
	int err = device_open(name, &dev);

	dev.tag = tag;
	if (!err) {
		err = run(&dev, numbers);
		close(dev.fd);
	}
	if (err)
		fprintf(stderr, "selfdata: %s: %s\n", name, strerror(-err));
	return err ? 4 : 0;
}

static int read_tag(const char *manifest, uint64_t *ret_tag)
{
	struct sd_model model = {0};
	int err = sd_manifest_load(&model, manifest);

	*ret_tag = model.tag;
	sd_model_clear(&model);
	if (err)
		fprintf(stderr, "selfdata: %s: %s\n", manifest, strerror(-err));
	return err;
}

static int decode_arguments(int argc, char **argv, uint64_t tag)
{
	bool random = argc > 1 && strcmp(argv[1], "-r") == 0;
	int first = random ? 2 : 1, count = argc - first;
	uint64_t numbers[6] = {0};
	bool good = random ? count >= 2 && count <= 6 && count != 5 : count == 2;

	if (argc == 2 && strcmp(argv[1], "-a") == 0)
		return decode(argv[0], tag, decode_all, numbers);
	for (int i = 0; good && i < count; i++)
		good = sd_parse_u64(argv[first + i], &numbers[i]) == 0;
	if (good)
		return decode(argv[0], tag, random ? decode_random : decode_range, numbers);
	fputs("usage: selfdata decode [-m MANIFEST] DEV SECTOR COUNT | -a |"
	      " -r SEED N_DATA [N_OTHER [N_ZERO [START LENGTH]]]\n",
	      stderr);
	return 8;
}

int sd_cmd_decode(int argc, char **argv)
{
	uint64_t tag = 0;

	if (argc < 3 || strcmp(argv[0], "-m") != 0)
		return decode_arguments(argc, argv, 0);
	if (read_tag(argv[1], &tag) != 0)
		return 4;
	return decode_arguments(argc - 2, argv + 2, tag);
}
