/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the doctor says of filesystems; see doctor.h.
 *
 * Facts: fs/xfs/xfs_notify_failure.c and drivers/md (only XFS is told of bad memory, only with a
 * reverse map, and no layer above persistent memory forwards it); mkfs.xfs(8).  A feature that is
 * made at mkfs time can only be had by making the filesystem anew, which is said.
 */
#include <string.h>

#include "checkpoint.h"
#include "doctor.h"

#define ANEW "save the files, make the filesystem anew, and restore them"

static bool is_xfs(const struct pme_fs_facts *fs)
{
	return strcmp(fs->type, "xfs") == 0;
}

static bool is_ext(const struct pme_fs_facts *fs)
{
	return strncmp(fs->type, "ext", 3) == 0;
}

static void add_unknown(const struct pme_fs_facts *fs, enum pme_check_id id, struct pme_checks *ret)
{
	pme_checks_add(ret, id, fs->mount, PME_RESULT_UNKNOWN, NULL, "%s: it cannot be asked: %s",
		       fs->type, fs->error ? fs->error : "reason not known");
}

static void judge_notice(const struct pme_fs_facts *fs, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_FAILURE_NOTICE;

	if (fs->ground == PME_GROUND_OTHER) {
		pme_checks_add(ret, id, fs->mount, PME_RESULT_NONE, NULL,
			       "it is on no persistent memory");
	} else if (fs->ground == PME_GROUND_STACKED) {
		pme_checks_add(ret, id, fs->mount, PME_RESULT_ADVICE,
			       "let pmemctld run: it follows errors through these layers",
			       "%s on %s: the layers below it do not forward failures of memory",
			       fs->type, fs->device);
		pme_checks_command(ret, "systemctl enable --now pmemctld");
	} else if (fs->mode != PME_MODE_FSDAX) {
		pme_checks_add(ret, id, fs->mount, PME_RESULT_NONE, NULL,
			       "the namespace below is not fsdax: no program has its memory "
			       "mapped");
	} else if (!is_xfs(fs)) {
		pme_checks_add(ret, id, fs->mount, PME_RESULT_ADVICE,
			       "let pmemctld run: it tells what the kernel does not",
			       "%s: the kernel tells only XFS of bad memory", fs->type);
		pme_checks_command(ret, "systemctl enable --now pmemctld");
	} else if (fs->rmap == PME_NOT_KNOWN) {
		add_unknown(fs, id, ret);
	} else if (fs->rmap == PME_NO) {
		pme_checks_add(ret, id, fs->mount, PME_RESULT_ADVICE,
			       ANEW " (mkfs.xfs -m rmapbt=1)",
			       "XFS without a reverse map: it is not told");
	} else {
		pme_checks_add(ret, id, fs->mount, PME_RESULT_OK, NULL,
			       "XFS with a reverse map, on the memory itself: it is told");
	}
}

static void judge_dax(const struct pme_fs_facts *fs, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_DAX;

	if (!fs->dax) {
		pme_checks_add(ret, id, fs->mount, PME_RESULT_NONE, NULL,
			       "%s: not mounted with DAX for all files", fs->type);
	} else if (!is_xfs(fs)) {
		pme_checks_add(ret, id, fs->mount, PME_RESULT_OK, NULL,
			       "%s with DAX: it has no reflinks", fs->type);
	} else if (fs->reflink == PME_NOT_KNOWN) {
		add_unknown(fs, id, ret);
	} else if (fs->reflink == PME_YES && !pme_kernel_shares_dax(fs->release)) {
		pme_checks_add(ret, id, fs->mount, PME_RESULT_ADVICE,
			       "use Linux 6.2 or newer; until then do not reflink files that "
			       "programs map (cp does so by itself: cp --reflink=never)",
			       "XFS with DAX and reflinks, on Linux %s: a file that was ever "
			       "reflinked loses DAX when it is loaded again",
			       fs->release);
	} else {
		pme_checks_add(ret, id, fs->mount, PME_RESULT_OK, NULL,
			       fs->reflink == PME_YES ? "XFS with DAX, and reflinked files keep it"
						      : "XFS with DAX, without reflinks");
	}
}

/* A feature of XFS that mkfs.xfs gives it. */
struct feature {
	enum pme_check_id id;
	const char *name, *todo;
	bool is_new; /* only Linux 6.10 and newer have it */
};

static bool is_new_enough(const char *release)
{
	const struct pme_kernel_facts kernel = {.applies = true, .release = release};
	struct pme_checks row = {0};
	bool yes;

	pme_judge_kernel(&kernel, &row);
	yes = row.count > 0 && row.items[0].result == PME_RESULT_OK;
	pme_checks_done(&row);
	return yes;
}

static void judge_feature(const struct pme_fs_facts *fs, const struct feature *feature,
			  enum pme_known has, struct pme_checks *ret)
{
	if (has == PME_NOT_KNOWN) {
		add_unknown(fs, feature->id, ret);
	} else if (has == PME_YES) {
		pme_checks_add(ret, feature->id, fs->mount, PME_RESULT_OK, NULL, "XFS with %s",
			       feature->name);
	} else if (feature->is_new && !is_new_enough(fs->release)) {
		pme_checks_add(ret, feature->id, fs->mount, PME_RESULT_NONE, NULL,
			       "XFS without %s, which Linux %s does not have", feature->name,
			       fs->release);
	} else {
		pme_checks_add(ret, feature->id, fs->mount, PME_RESULT_ADVICE, feature->todo,
			       "XFS without %s", feature->name);
	}
}

static void judge_xfs(const struct pme_fs_facts *fs, struct pme_checks *ret)
{
	static const struct feature owners = {PME_CHECK_OWNERS, "a reverse map",
					      ANEW " (mkfs.xfs -m rmapbt=1)", false};
	static const struct feature names = {PME_CHECK_NAMES, "parent pointers",
					     ANEW " (mkfs.xfs -n parent=1, xfsprogs 6.10 or newer)",
					     true};
	static const struct feature reflink = {PME_CHECK_REFLINK, "reflinks",
					       ANEW " (mkfs.xfs -m reflink=1)", false};
	static const struct feature exchange = {
		PME_CHECK_EXCHANGE, "the exchange of ranges",
		ANEW " (mkfs.xfs -i exchange=1, xfsprogs 6.10 or newer)", true};

	judge_feature(fs, &owners, fs->rmap, ret);
	judge_feature(fs, &names, fs->parents, ret);
	judge_feature(fs, &reflink, fs->reflink, ret);
	judge_feature(fs, &exchange, fs->exchange, ret);
}

void pme_judge_filesystem(const struct pme_fs_facts *fs, struct pme_checks *ret)
{
	judge_notice(fs, ret);
	judge_dax(fs, ret);
	if (is_xfs(fs))
		judge_xfs(fs, ret);
	else if (is_ext(fs))
		pme_checks_add(ret, PME_CHECK_REFLINK, fs->mount, PME_RESULT_ADVICE,
			       "keep what must survive on an XFS with reflinks",
			       "%s has none: files are kept only as they were when nobody wrote "
			       "them, and repaired only in place",
			       fs->type);
	else
		pme_checks_add(ret, PME_CHECK_REFLINK, fs->mount, PME_RESULT_NONE, NULL,
			       "files of %s cannot be put under protection", fs->type);
}

void pme_judge_quarantine(const struct pme_fs_facts *fs, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_QUARANTINE;

	if (fs->parked == PME_UNKNOWN) {
		pme_checks_add(ret, id, fs->mount, PME_RESULT_UNKNOWN, NULL,
			       "its quarantine cannot be read: %s",
			       fs->vault_error ? fs->vault_error : "reason not known");
	} else if (fs->parked > 0) {
		pme_checks_add(ret, id, fs->mount, PME_RESULT_ADVICE,
			       "see which of them are cleared, and release those",
			       "%llu files with bad blocks are in quarantine",
			       (unsigned long long)fs->parked);
		pme_checks_command(ret, "pmemctl quarantine list");
	} else {
		pme_checks_add(ret, id, fs->mount, PME_RESULT_OK, NULL, "none");
	}
}

void pme_judge_staging(const struct pme_fs_facts *fs, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_STAGING;

	if (fs->left_over == PME_UNKNOWN)
		pme_checks_add(ret, id, fs->mount, PME_RESULT_UNKNOWN, NULL,
			       "what is in its staging cannot be told: %s",
			       fs->vault_error ? fs->vault_error : "reason not known");
	else if (fs->left_over > 0)
		pme_checks_add(ret, id, fs->mount, PME_RESULT_ADVICE,
			       "look at what is in .pmemctl/staging of it; when no repair and no "
			       "sync runs, remove what a scan finds no bad blocks in",
			       "%llu directories in its staging belong to no repair that the "
			       "journal knows to be unfinished",
			       (unsigned long long)fs->left_over);
	else
		pme_checks_add(ret, id, fs->mount, PME_RESULT_OK, NULL, "nothing");
}

void pme_judge_protected(const struct pme_fs_facts *fs, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_PROTECTED;

	if (fs->protected == PME_UNKNOWN) {
		pme_checks_add(ret, id, fs->mount, PME_RESULT_UNKNOWN, NULL,
			       "what is under protection cannot be read");
	} else if (fs->protected > 0) {
		pme_checks_add(ret, id, fs->mount, PME_RESULT_OK, NULL, "%llu paths",
			       (unsigned long long)fs->protected);
	} else if (!is_xfs(fs) && !is_ext(fs)) {
		pme_checks_add(ret, id, fs->mount, PME_RESULT_NONE, NULL,
			       "files of %s cannot be put under protection", fs->type);
	} else if (fs->ground == PME_GROUND_OTHER) {
		pme_checks_add(ret, id, fs->mount, PME_RESULT_NONE, NULL,
			       "it is on no persistent memory");
	} else {
		_cleanup_free_ char *mount = pme_checks_quote(fs->mount);

		pme_checks_add(ret, id, fs->mount, PME_RESULT_ADVICE,
			       "protect the files that matter, with a replica on another module "
			       "or disk",
			       "nothing is");
		pme_checks_command(ret, "pmemctl protect add --every 1h %s", mount ? mount : "");
	}
}
