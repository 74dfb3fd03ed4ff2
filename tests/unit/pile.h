/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A random stack of devices together with a slow, obvious model of it: for each sector of each
 * device, which sector of which device below it holds its bytes.
 *
 * The model is filled while the stack is made, forward and sector by sector, as the manual of each
 * kind of device says; nothing of lib/ is asked.  Ways through the stack, those of the model and
 * those of the program, are compared as lists of paths: a path is a sequence of (device, sector).
 */
#ifndef PME_TESTS_PILE_H
#define PME_TESTS_PILE_H

#include "random.h"
#include "snapshot.h"

#define PILE_DEVS 8
#define PILE_SECTORS 256

struct pile_sector {
	struct pme_dev *lower; /* NULL: nowhere */
	uint64_t sector;
};

struct pile_dev {
	struct pme_dev *dev;
	struct pile_sector at[PILE_SECTORS];
	size_t sectors;
};

struct pile {
	struct snapshot snap;
	struct pile_dev devs[PILE_DEVS]; /* each stands on earlier ones only */
	size_t count;
	struct rnd *rnd;
};

/* Some disks and what stands on them; some of it mounted or swap. */
void pile_init(struct pile *pile, struct rnd *rnd);
void pile_done(struct pile *pile);
struct pme_dev *pile_any(struct pile *pile);
/* Bytes of any alignment. */
struct pme_range pile_range(struct pile *pile, const struct pme_dev *dev);

/* How a path ends. */
enum path_end { PATH_OPEN, PATH_AT_FS, PATH_WITH_REASON };

struct path {
	uint64_t hash; /* of the sequence and its end */
	uint64_t bytes;
};

struct paths {
	struct path *items;
	size_t count, alloc;
};

/* What the model says: from the bytes up to each top, and down to the bottom. */
void pile_up(const struct pile *pile, const struct pme_dev *dev, struct pme_range range,
	     struct paths *ret);
void pile_down(const struct pile *pile, const struct pme_dev *dev, struct pme_range range,
	       struct paths *ret);

/* A piece of an answer of the program; all its hops must lie alike in their sectors. */
void paths_add(struct paths *paths, const struct pme_hop *hops, size_t n_hops, uint64_t length,
	       enum path_end end);
/* The same paths with as many bytes each.  Sorts both. */
void paths_check_equal(struct paths *a, struct paths *b);
void paths_done(struct paths *paths);

#endif
