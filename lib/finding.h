/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings: one bad range of a device with everything it means, and their JSON.
 *
 * The shape of the JSON is fixed: see pmemctl-json(7) and schema/pmemctl.scan.json.
 */
#ifndef PME_FINDING_H
#define PME_FINDING_H

#include <json-c/json.h>

#include "climb.h"
#include "fs.h"

/* Who says that a range is bad: bits. */
enum pme_known_by {
	PME_BY_BADBLOCKS = 1, /* the disk's list */
	PME_BY_REGION = 2,    /* the region's list */
	PME_BY_USER = 4,      /* the command line */
};

struct pme_claim {
	struct pme_hop *hops; /* owned; hops[0]: the reported device */
	size_t n_hops;
	uint64_t length;
	enum pme_certainty certainty;
	enum pme_owner_kind kind;
	enum pme_verdict verdict;
	char *detail, *reason;	     /* owned, or NULL */
	const struct pme_fs *fs;     /* borrowed, or NULL */
	char *fs_type, *fs_uuid;     /* owned; of a filesystem that is not mounted, or NULL */
	const struct pme_file *file; /* borrowed, or NULL */
	const struct pme_file *node; /* borrowed: device whose holders use these bytes, or NULL */
	uint64_t file_start;
	bool has_file_start, shared;
	const struct pme_dev
		*carries;	   /* loop device whose file these bytes are; borrowed, or NULL */
	bool own;		   /* data of a file that is pmemctl's own: see pme_file.vault */
	bool behind_end;	   /* all bytes are behind the end of the file, in its last block */
	struct json_object *donor; /* with proof, of lost data, as pme_donor_json(); or NULL */
	struct pme_file *const *inodes; /* borrowed: inodes that live in these bytes */
	size_t n_inodes;
};

struct pme_finding {
	const struct pme_dev *dev;
	struct pme_range range;
	unsigned int known_by; /* bits of enum pme_known_by */
	enum pme_verdict verdict;
	struct pme_claim *claims;
	size_t n_claims, alloc_claims;
};

/* A mounted filesystem that bad ranges reach, and what it said. */
struct pme_reached_fs {
	struct pme_fs fs;
	struct pme_range_list ranges;
	struct pme_fs_result result;
};

/* A device that programs use raw, and who does. */
struct pme_raw_dev {
	const struct pme_dev *dev;
	struct pme_file *node; /* owned */
};

struct pme_findings {
	struct pme_finding *items;
	size_t count, alloc;
	struct pme_raw_dev *raws;
	size_t n_raws, alloc_raws;
	struct pme_reached_fs **fs; /* pointers: claims borrow from them */
	size_t n_fs, alloc_fs;
};

/* A new claim at the end of @finding's, along the way of @top; NULL without memory. */
struct pme_claim *pme_finding_add_claim(struct pme_finding *finding, const struct pme_top *top,
					uint64_t skip, uint64_t length);
void pme_findings_done(struct pme_findings *findings);

/* Sets every claim's and every finding's verdict. */
void pme_findings_judge(struct pme_findings *findings);

/* What a claim means, and what to do: one sentence each. */
struct pme_advice {
	const char *consequence, *advice;
};
const struct pme_advice *pme_claim_advice(const struct pme_claim *claim); /* of a judged one */

/* Bytes of @finding's range whose worst verdict is @verdict. */
int pme_finding_bytes(const struct pme_finding *finding, enum pme_verdict verdict, uint64_t *ret);

/* Bytes of @finding's range that a file in quarantine has and nobody misses: 0, -ENOMEM. */
int pme_finding_quarantined(const struct pme_finding *finding, uint64_t *ret);

/* 16 hex digits from device identity and range; allocated, NULL without memory. */
char *pme_finding_id(const struct pme_finding *finding);

/*
 * JSON, each a new reference owned by the caller.  json-c never returns an error for a missing
 * member; memory exhaustion yields NULL.
 */
struct json_object *pme_findings_json(const struct pme_topo *topo,
				      const struct pme_findings *findings);
/* The same for the top level of a document that is only printed (struct pme_json_printed). */
struct json_object *pme_findings_printed(const struct pme_topo *topo,
					 const struct pme_findings *findings);
struct json_object *pme_findings_summary_json(const struct pme_findings *findings);

/* Members device, namespace, mode, region, dimms of the device of a range at byte @offset. */
void pme_json_device(struct json_object *object, const struct pme_topo *topo,
		     const struct pme_dev *dev, uint64_t offset);
/* Names of the DIMMs that hold byte @offset of @dev. */
struct json_object *pme_dimms_json(const struct pme_topo *topo, const struct pme_dev *dev,
				   uint64_t offset);
/* Holders of @file; NULL: none.  @range: bytes of it that are asked about, or NULL. */
struct json_object *pme_holders_json(const struct pme_file *file, const struct pme_range *range);
/* Names of the bits of enum pme_known_by. */
struct json_object *pme_known_by_json(unsigned int known_by);
/* One device on a way, as member of "via". */
struct json_object *pme_hop_json(const struct pme_hop *hop, uint64_t length);

#endif
