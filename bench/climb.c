/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * climb [RUNS]: CPU time of the climb alone, for 512 bad ranges through five layers.
 *
 * The stack is a made-up snapshot, as in the unit tests: nothing is read, so this is what the
 * arithmetic costs, with the judgement of copies.  Each stack is measured with its first layer,
 * with its first two, and so on: what a layer adds is its share.  Times are medians of RUNS runs
 * (21), in microseconds of CPU.
 *
 * The surprise: the layers' order is the stack's, so a layer above stripes is asked about more
 * pieces than the ones below.  "pieces" counts them; "unknown" must be 0.
 */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "../tests/unit/random.h"
#include "../tests/unit/snapshot.h"

#define RANGES 512
#define RANGE_SECTORS 32 /* of up to 16 KiB: two pieces of a stripe, now and then */
#define DISK_SECTORS (1ULL << 28)
#define RUNS 21
#define RUNS_MAX 1001
#define GOAL_USEC 20000
#define LAYERS 5

/* Puts a layer on @lower, with disks of its own where it needs more than one. */
typedef struct pme_dev *(*put_fn)(struct snapshot *snap, struct pme_dev *lower, int level);

struct layer {
	const char *name; /* NULL: no more */
	put_fn put;
};

struct variant {
	const char *name;
	struct layer layers[LAYERS];
};

static struct pme_dev *named(struct snapshot *snap, int level)
{
	_cleanup_free_ char *name = pme_printf("dm-%d", level);

	return snap_dm(snap, name);
}

static struct pme_dev *put_partition(struct snapshot *snap, struct pme_dev *lower, int level)
{
	(void)level;
	return snap_partition(snap, lower, "pmem0p1", 2048, lower->size / PME_SECTOR - 4096);
}

/* Four segments, as a volume that was extended. */
static struct pme_dev *put_linear(struct snapshot *snap, struct pme_dev *lower, int level)
{
	struct pme_dev *dm = named(snap, level);
	uint64_t quarter = lower->size / PME_SECTOR / 4;

	for (uint64_t i = 0; i < 4; i++)
		snap_linear(dm, lower, (3 - i) * quarter, quarter);
	return dm;
}

static struct pme_dev *twin(struct snapshot *snap, const struct pme_dev *lower, int level)
{
	_cleanup_free_ char *name = pme_printf("pmem%d", level);

	return snap_disk(snap, name, lower->size / PME_SECTOR);
}

static struct pme_dev *put_striped(struct snapshot *snap, struct pme_dev *lower, int level)
{
	struct pme_dev *other = twin(snap, lower, level), *dm = named(snap, level);
	uint64_t sectors = lower->size / PME_SECTOR / 128 * 128;

	snap_line(dm, sectors * 2, "striped",
		  pme_printf("2 128 %u:%u 0 %u:%u 0", major(lower->devno), minor(lower->devno),
			     major(other->devno), minor(other->devno)));
	snap_stack(lower, dm);
	snap_stack(other, dm);
	return dm;
}

static struct pme_dev *put_raid0(struct snapshot *snap, struct pme_dev *lower, int level)
{
	struct pme_dev *md = snap_md(snap, "md0", "raid0", 256);
	uint64_t sectors = lower->size / PME_SECTOR / 256 * 256 - 2048;

	snap_member(md, lower, 2048, sectors);
	snap_member(md, twin(snap, lower, level), 2048, sectors);
	return md;
}

static struct pme_dev *put_raid1(struct snapshot *snap, struct pme_dev *lower, int level)
{
	struct pme_dev *md = snap_md(snap, "md1", "raid1", 0);
	uint64_t sectors = lower->size / PME_SECTOR - 2048;

	snap_member(md, lower, 2048, sectors);
	snap_member(md, twin(snap, lower, level), 2048, sectors);
	md->size = SECTORS(sectors);
	return md;
}

static struct pme_dev *put_crypt(struct snapshot *snap, struct pme_dev *lower, int level)
{
	struct pme_dev *dm = named(snap, level);

	snap_line(dm, lower->size / PME_SECTOR - 32768, "crypt",
		  pme_printf("aes-xts-plain64 :64:logon:none 0 %u:%u 32768 1 sector_size:4096",
			     major(lower->devno), minor(lower->devno)));
	snap_stack(lower, dm);
	return dm;
}

static const struct variant variants[] = {
	{"flat",
	 {{"partition", put_partition},
	  {"linear", put_linear},
	  {"striped", put_striped},
	  {"raid0", put_raid0},
	  {"linear", put_linear}}},
	{"redundant",
	 {{"partition", put_partition},
	  {"linear", put_linear},
	  {"raid1", put_raid1},
	  {"crypt", put_crypt},
	  {"linear", put_linear}}},
};

static uint64_t now_nsec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Bad ranges that do not meet: one in each part of the disk. */
static void draw(struct pme_range ranges[RANGES])
{
	struct rnd rnd = {.state = 1};
	uint64_t part = DISK_SECTORS / RANGES;

	for (uint64_t i = 0; i < RANGES; i++)
		ranges[i] = (struct pme_range){
			SECTORS(i * part + rnd_below(&rnd, part - RANGE_SECTORS)),
			SECTORS(1 + rnd_below(&rnd, RANGE_SECTORS)),
		};
}

static void climb_all(struct snapshot *snap, const struct pme_dev *disk,
		      const struct pme_range *ranges, struct pme_tops *tops)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < RANGES; i++)
		r = pme_stack_add_bad(&snap->stack, disk, ranges[i]);
	pme_stack_seal_bad(&snap->stack);
	for (size_t i = 0; r == 0 && i < RANGES; i++)
		r = pme_climb(&snap->stack, disk, ranges[i], tops);
	if (r < 0)
		errx(1, "climb: %s", strerror(-r));
}

struct result {
	uint64_t usec;
	size_t pieces, unknown;
};

static void count(const struct pme_tops *tops, struct result *ret)
{
	ret->pieces = tops->count;
	ret->unknown = 0;
	for (size_t i = 0; i < tops->count; i++)
		ret->unknown += tops->items[i].certainty == PME_UNCERTAIN ||
				tops->items[i].owner == PME_OWNER_UNKNOWN;
}

/* One run: a fresh snapshot with the first @height layers, whose top is swap. */
static uint64_t run(const struct variant *variant, int height, struct result *ret)
{
	struct pme_range ranges[RANGES];
	struct pme_tops tops = {0};
	struct pme_dev *disk, *top;
	struct snapshot snap;
	uint64_t start, end;

	draw(ranges);
	snap_init(&snap, NULL);
	disk = top = snap_disk(&snap, "pmem0", DISK_SECTORS);
	for (int i = 0; i < height; i++)
		top = variant->layers[i].put(&snap, top, i + 1);
	snap_probe(&snap, disk, 0, NULL, NULL, NULL);
	top->swap = true;
	start = now_nsec();
	climb_all(&snap, disk, ranges, &tops);
	end = now_nsec();
	count(&tops, ret);
	pme_tops_done(&tops);
	snap_done(&snap);
	return (end - start) / 1000;
}

static struct result measure(const struct variant *variant, int height, size_t runs)
{
	uint64_t times[RUNS_MAX];
	struct result result;

	for (size_t i = 0; i < runs; i++)
		times[i] = run(variant, height, &result);
	qsort(times, runs, sizeof(*times), compare);
	result.usec = times[runs / 2];
	return result;
}

static bool report(const struct variant *variant, size_t runs)
{
	struct result result = {0};

	for (int height = 0; height <= LAYERS; height++) {
		uint64_t below = result.usec;

		result = measure(variant, height, runs);
		printf("| %s | %d | %s | %" PRIu64 " | %+" PRId64 " | %zu | %zu |\n", variant->name,
		       height, height ? variant->layers[height - 1].name : "(disk)", result.usec,
		       (int64_t)(result.usec - below), result.pieces, result.unknown);
	}
	return result.usec < GOAL_USEC;
}

int main(int argc, char **argv)
{
	unsigned long runs = argc > 1 ? strtoul(argv[1], NULL, 10) : RUNS;
	bool kept = true;

	if (argc > 2 || runs == 0 || runs > RUNS_MAX)
		errx(8, "usage: climb [RUNS]");
	printf("| stack | height | layer | CPU us | its share | pieces | unknown |\n");
	printf("|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < PME_ARRAY_SIZE(variants); i++)
		kept &= report(&variants[i], runs);
	printf("\nGoal: %d ranges through %d layers in under %d ms of CPU time: %s\n", RANGES,
	       LAYERS, GOAL_USEC / 1000, kept ? "kept" : "NOT kept");
	return !kept;
}
