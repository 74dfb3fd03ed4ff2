/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The main job: bad ranges -> climb -> filesystems -> findings.
 *
 * One snapshot, one pass: all ranges are climbed first, then each filesystem that was reached is
 * asked once for everything, then processes are looked at once for all files.
 */
#ifndef PME_SCAN_H
#define PME_SCAN_H

#include "finding.h"
#include "source.h"

struct pme_scan_args {
	char *const *selectors;
	size_t n_selectors;
	char *const *ranges; /* "DEV:START[+LEN]" */
	size_t n_ranges;
	char *const *lists; /* "FILE:DEV" */
	size_t n_lists;
	uint64_t block_size;	 /* of lists with one number per line */
	uint64_t default_length; /* of a range without +LEN */
	bool only_kernel_lists;	 /* stop before the climb: for list */
	bool without_donors;	 /* of those who look for them themselves */
};

struct pme_scan {
	struct pme_topo *topo;
	struct pme_stack stack;
	struct pme_selection selection;
	struct pme_bads bads; /* merged */
	struct pme_findings findings;
	struct pme_scan_aside *overlays, *again; /* scan-aside.h, or NULL */
};

/* A stack that changes under the scan is read again; this often in all. */
#define PME_SCAN_ATTEMPTS 4

/*
 * Run.  Without ranges and lists of the user the kernel's lists are taken; with them, only what the
 * user asks about.  0, or -errno of what stopped it, said in @log (-EINVAL: usage).
 */
int pme_scan_run(const struct pme_os *os, const struct pme_scan_args *args, struct pme_log *log,
		 struct pme_scan *ret);
/* The same on the snapshot that is in @scan already; nothing else is in it yet. */
int pme_scan_snapshot(const struct pme_scan_args *args, struct pme_log *log, struct pme_scan *scan);
void pme_scan_done(struct pme_scan *scan);

/* Members "summary" and "findings" of a document. */
void pme_scan_json(const struct pme_scan *scan, struct json_object *doc);
/* The same, for one that is only printed. */
void pme_scan_json_printed(const struct pme_scan *scan, struct json_object *doc);
/* The same when there was no scan at all: empty. */
void pme_scan_json_empty(struct json_object *doc);

/* PME_EXIT_* mask that follows from findings and @log. */
int pme_scan_exit(const struct pme_scan *scan, const struct pme_log *log);

#endif
