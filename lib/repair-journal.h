/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal of repairs, in the store: each act is on the disk before it is done, so that whoever
 * comes after a crash, a kill or a power cut knows what may have happened, and finishes it or takes
 * it back.
 *
 * Tables (store-schema.c): repairs (one row each run over one step of a plan) and repair_acts.
 * Written with synchronous=FULL; the watch may write the same store at the same time.
 */
#ifndef PME_REPAIR_JOURNAL_H
#define PME_REPAIR_JOURNAL_H

#include <json-c/json.h>

#include "log.h"
#include "os.h"

struct pme_repair_journal;

/* Open the store @path for repairs, made when missing: 0 or -errno, said in @log. */
int pme_repair_journal_open(const char *path, struct pme_log *log, struct pme_repair_journal **ret);
struct pme_repair_journal *pme_repair_journal_close(struct pme_repair_journal *journal);

/*
 * A repair begins; @about (borrowed) has all that is needed to finish it or to take it back:
 * filesystem, device, files by inode and generation, ranges, names of staging files.  *@ret_id is
 * its number, also the name of its folder in the vault's staging.  0 or -errno: then nothing may be
 * done.
 */
int pme_repair_begin(struct pme_repair_journal *journal, struct json_object *about,
		     int64_t *ret_id);
/* The act @name (static) with @detail (borrowed, or NULL) comes next: 0 when it is on the disk. */
int pme_repair_act(struct pme_repair_journal *journal, int64_t id, const char *name,
		   struct json_object *detail);
/* It is over: "repaired", "given-up" (zeros), "rolled-back", "failed" with @error. */
int pme_repair_end(struct pme_repair_journal *journal, int64_t id, const char *state,
		   const char *error);

/*
 * Repairs that began and did not end, oldest first: {"id","begun","about","acts":[{"time","name",
 * "detail"}]} each.  @id: this one alone, 0: all.  A new reference in *@ret.
 */
int pme_repair_unfinished(struct pme_repair_journal *journal, int64_t id, struct json_object **ret);

/*
 * Say in @log that there are some, as far as the store @path can be read: whoever looks at a
 * machine must know that bytes of a repair in place may be wrong until it is finished.
 */
void pme_repair_note_unfinished(const char *path, struct pme_log *log);

/* Numbers of the repairs that have begun and not ended, read only; -ENOENT: there is no store. */
struct pme_repair_ids {
	int64_t *items; /* owned: free(3) */
	size_t count, alloc;
};
int pme_repair_pending(const char *path, struct pme_repair_ids *ret);

/* Finish or take back every one of them: 0, -EUCLEAN when the state of one makes no sense (said in
 * @log; nothing of it was touched), -errno. */
int pme_repair_resume(const struct pme_os *os, struct pme_repair_journal *journal,
		      struct pme_log *log, struct json_object *doc);

#endif
