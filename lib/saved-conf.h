/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is under protection: one JSON file for each path, and one that says how it went.
 *
 *   /var/lib/pmemctl/protect/ID.json   what `pmemctl protect add` was told
 *   /var/lib/pmemctl/protect/ID.state  what sync and verify did last
 *   /var/lib/pmemctl/protect/ID.lock   held by what works on it
 *
 * ID is made of the path: 16 hexadecimal digits.
 */
#ifndef PME_SAVED_CONF_H
#define PME_SAVED_CONF_H

#include "log.h"
#include "os.h"

#define PME_PROTECT_DIR "var/lib/pmemctl/protect"
#define PME_PROTECT_KEEP_MAX 1000
#define PME_PROTECT_EVERY_MAX (366ULL * 86400) /* seconds */

struct pme_protection {
	char *id;
	char *path;	/* absolute, of a file or a directory */
	char *fs_uuid;	/* of its filesystem: with another one mounted there, nothing is done */
	char *replica;	/* absolute, of a directory */
	uint64_t keep;	/* versions of each file: 1 to PME_PROTECT_KEEP_MAX */
	uint64_t every; /* seconds between syncs; 0: nobody does it by itself */
};

struct pme_protections {
	struct pme_protection *items; /* by path */
	size_t count, alloc;
};

/* Times are µs of CLOCK_REALTIME, 0: never. */
struct pme_protection_state {
	uint64_t generation; /* of the last sync that was begun */
	uint64_t finished;   /* of the last sync that did not stop: the numbers below are its */
	int64_t synced;	     /* end of the last sync */
	bool whole;	     /* everything was kept by it */
	uint64_t files, bytes;
	uint64_t not_kept; /* files that it could not keep */
	int64_t verified;  /* end of the last verify */
	uint64_t damaged;  /* versions of files that it found damaged */
};

void pme_protection_done(struct pme_protection *protection);
void pme_protections_done(struct pme_protections *protections);

/* The ID of @path; allocated, NULL without memory. */
char *pme_protection_id(const char *path);
bool pme_protection_is_id(const char *text);

/* All of a file: 0, -EINVAL for what makes no sense, -ENOMEM. */
int pme_protection_parse(const char *text, size_t len, struct pme_protection *ret);
int pme_protection_state_parse(const char *text, size_t len, struct pme_protection_state *ret);

/* All that are there; one that makes no sense is an error in @log, and left out.  0, -errno. */
int pme_protections_load(const struct pme_os *os, struct pme_log *log, struct pme_protections *ret);
/* Say that they could not be loaded. */
void pme_protections_error(struct pme_log *log, enum pme_severity severity, int error);
/* One of them: 0, -ENOENT, -EINVAL when it makes no sense, -errno. */
int pme_protection_load(const struct pme_os *os, const char *id, struct pme_protection *ret);
/* Keep @protection: written whole or not at all, synced.  0 or -errno. */
int pme_protection_store(const struct pme_os *os, const struct pme_protection *protection);
/* Forget it, with its state and its lock, which the caller holds: 0 or -errno. */
int pme_protection_forget(const struct pme_os *os, const char *id);

/* 0; all zero when there is none yet; -EINVAL when it makes no sense; -errno. */
int pme_protection_state_load(const struct pme_os *os, const char *id,
			      struct pme_protection_state *ret);
int pme_protection_state_store(const struct pme_os *os, const char *id,
			       const struct pme_protection_state *state);

/* A descriptor that holds the lock of @id; -ETIMEDOUT: somebody else has it; -errno. */
int pme_protection_lock(const struct pme_os *os, const char *id, unsigned int seconds);

#endif
