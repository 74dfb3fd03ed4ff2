/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Donors of what a scan found; see scan-donors.h.
 *
 * A donor found here is not compared with what still reads beside the bad bytes: `pmemctl repair`
 * does, before it believes it.
 */
#include "scan-donors.h"

#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>

#include "donor-reach.h"
#include "donor.h"
#include "saved-conf.h"
#include "vault.h"

#define PIECE (1U << 20) /* bytes of a file that are asked about at once */
#define CLAIMS_MAX 4096	 /* more claims of one filesystem are not asked about */

struct asking {
	struct pme_scan *scan;
	const struct pme_reached_fs *fs;
	struct pme_reach reach;
	uint64_t block;
	struct pme_log *log;
	size_t asked;
	struct pme_saved_cache saved;
	const struct pme_file *open; /* the file of @fd, flushed; or NULL */
	int fd;
};

/* Is anything under protection?  1, 0, -ENOMEM. */
static int is_any(const struct pme_os *os)
{
	_cleanup_(pme_protections_done) struct pme_protections protections = {0};
	_cleanup_(pme_log_done) struct pme_log quiet = {0};
	int r = pme_protections_load(os, &quiet, &protections);

	return r == -ENOMEM ? r : protections.count > 0;
}

/* Can it be lost, and has it no donor yet? */
static bool is_eligible(const struct asking *a, const struct pme_claim *claim)
{
	return claim->fs == &a->fs->fs && claim->kind == PME_OWNER_FILE_DATA &&
	       claim->certainty == PME_EXACT && claim->file && claim->has_file_start &&
	       !claim->own && !claim->behind_end && !claim->file->out_of_reach && !claim->donor;
}

static struct pme_range place_of(const struct pme_claim *claim)
{
	return (struct pme_range){claim->hops[claim->n_hops - 1].start, claim->length};
}

/* Who shares these bytes has the same donor. */
static void give(struct asking *a, const struct pme_claim *from, struct json_object *donor)
{
	struct pme_range whole = place_of(from);

	for (size_t i = 0; i < a->scan->findings.count; i++) {
		struct pme_finding *finding = &a->scan->findings.items[i];

		for (size_t c = 0; c < finding->n_claims; c++) {
			struct pme_claim *claim = &finding->claims[c];
			struct pme_range place = place_of(claim);

			if (is_eligible(a, claim) && place.start >= whole.start &&
			    pme_range_end(place) <= pme_range_end(whole))
				claim->donor = json_object_get(donor);
		}
	}
}

/*
 * A checkpoint with the blocks of a file that has no donor: that is another one than it is of, or
 * that one has come to share them anew.
 */
static bool is_useful_checkpoint(const struct asking *a, const struct pme_finding *finding,
				 const struct pme_claim *claim)
{
	struct pme_range whole = place_of(claim);

	if (claim->fs != &a->fs->fs || !claim->file || !claim->has_file_start ||
	    claim->certainty != PME_EXACT || claim->file->vault != 1 + PME_VAULT_CHECKPOINTS)
		return false;
	for (size_t c = 0; c < finding->n_claims; c++) {
		struct pme_range place = place_of(&finding->claims[c]);

		if (is_eligible(a, &finding->claims[c]) && place.start >= whole.start &&
		    pme_range_end(place) <= pme_range_end(whole))
			return true;
	}
	return false;
}

/* Whole blocks around the bytes of @claim. */
static struct pme_want want_of(struct asking *a, const struct pme_claim *claim)
{
	uint64_t before = claim->file_start % a->block;
	uint64_t length = (before + claim->length + a->block - 1) / a->block * a->block;

	return (struct pme_want){
		.os = a->scan->topo->os,
		.topo = a->scan->topo,
		.stack = &a->scan->stack,
		.fs = &a->fs->fs,
		.root = a->reach.root,
		.fd = a->fd,
		.file = claim->file,
		.range = {claim->file_start - before, length},
		.device_start = place_of(claim).start - before,
		.saved = &a->saved,
		.proven_only = true,
	};
}

/* All pieces must have one; the first stands for all.  1 and *@ret, 0, -ENOMEM. */
static int find(struct asking *a, const struct pme_want *whole, struct json_object **ret)
{
	for (uint64_t done = 0; done < whole->range.length; done += PIECE) {
		_cleanup_(pme_donor_done) struct pme_donor donor = {0};
		_cleanup_free_ char *reason = NULL;
		struct pme_want want = *whole;
		int r;

		want.range.start += done;
		want.range.length = pme_min(PIECE, whole->range.length - done);
		want.device_start += done;
		r = pme_donor_find(&want, a->log, &donor, &reason);
		if (r <= 0)
			return r;
		if (!*ret)
			*ret = pme_donor_json(&donor);
	}
	return 1;
}

/* Only what is on the media counts.  The file stays open: the next piece is often of it, too. */
static bool open_file(struct asking *a, const struct pme_file *file)
{
	if (a->open == file)
		return true;
	pme_close_fd(&a->fd);
	a->open = NULL;
	a->fd = pme_reach_file(&a->reach, &a->fs->fs, file, O_RDONLY | O_NOATIME);
	if (a->fd < 0 || fsync(a->fd) < 0)
		return false;
	a->open = file;
	return true;
}

static int ask(struct asking *a, struct pme_claim *claim)
{
	struct json_object *donor = NULL;
	struct pme_want want;
	int r;

	if (!open_file(a, claim->file))
		return 0;
	want = want_of(a, claim);
	r = find(a, &want, &donor);
	if (r > 0)
		give(a, claim, donor);
	json_object_put(donor);
	return r < 0 ? r : 0;
}

static size_t count_eligible(const struct asking *a)
{
	size_t count = 0;

	for (size_t i = 0; i < a->scan->findings.count; i++)
		for (size_t c = 0; c < a->scan->findings.items[i].n_claims; c++)
			count += is_eligible(a, &a->scan->findings.items[i].claims[c]);
	return count;
}

static int ask_all(struct asking *a)
{
	int r = 0;

	pme_progress_phase(a->log->progress, PME_PHASE_DONORS, PME_UNIT_RANGES, count_eligible(a));
	for (size_t i = 0; i < a->scan->findings.count; i++) {
		struct pme_finding *finding = &a->scan->findings.items[i];

		for (size_t c = 0; r == 0 && c < finding->n_claims; c++) {
			if (!is_eligible(a, &finding->claims[c]) &&
			    !is_useful_checkpoint(a, finding, &finding->claims[c]))
				continue;
			r = pme_progress_at(a->log->progress, a->asked);
			if (r == 0 && ++a->asked <= CLAIMS_MAX)
				r = ask(a, &finding->claims[c]);
		}
	}
	if (a->asked > CLAIMS_MAX)
		pme_log_add(a->log, PME_WARNING, pme_fs_subject(&a->fs->fs),
			    "donors were looked for only for the first %d lost pieces: pmemctl "
			    "repair asks for all",
			    CLAIMS_MAX);
	return r;
}

/* Without a way in nothing is known to be recoverable, which is what the verdicts say, too. */
static int ask_fs(struct pme_scan *scan, const struct pme_reached_fs *fs, struct pme_log *log)
{
	struct asking a = {.scan = scan, .fs = fs, .log = log, .fd = -1};
	struct statvfs vfs;
	int r = pme_reach_open(scan->topo->os, &fs->fs, &a.reach);

	pme_progress_about(log->progress, pme_fs_subject(&fs->fs));
	if (r == 0 && fstatvfs(a.reach.root, &vfs) == 0 && vfs.f_bsize > 0) {
		a.block = vfs.f_bsize;
		r = ask_all(&a);
	}
	pme_close_fd(&a.fd);
	pme_saved_cache_done(&a.saved);
	pme_reach_close(&a.reach);
	if (r == -ETIME)
		pme_log_incomplete(log, pme_fs_subject(&fs->fs),
				   "donors were not looked for everywhere: %s",
				   pme_progress_error(r));
	return r == -ENOMEM ? r : 0;
}

static bool has_lost(struct pme_scan *scan, const struct pme_reached_fs *fs)
{
	const struct asking a = {.scan = scan, .fs = fs};

	return count_eligible(&a) > 0;
}

int pme_scan_donors(struct pme_scan *scan, struct pme_log *log)
{
	int r = scan->findings.n_fs > 0 ? is_any(scan->topo->os) : 0;

	if (r <= 0)
		return r;
	r = 0;
	for (size_t i = 0; r == 0 && i < scan->findings.n_fs; i++)
		if (has_lost(scan, scan->findings.fs[i]))
			r = ask_fs(scan, scan->findings.fs[i], log);
	return r;
}
