/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a finding says, in short; see state-facts.c.  Findings are those of pmemctl-json(7), checked
 * by pmed_findings_ok() or not: what is not there counts for nothing.
 */
#ifndef PMED_STATE_FACTS_H
#define PMED_STATE_FACTS_H

#include <xxhash.h>

#include "state-private.h"

/* Names of files that lose something; borrowed from the finding. */
struct pmed_name {
	const char *path, *raw; /* raw may be NULL */
	enum pme_verdict verdict;
};
/* A file that loses something: hard links are several names of one, and some have none. */
struct pmed_file {
	XXH128_hash_t id;
	enum pme_verdict verdict;
};
struct pmed_names {
	struct pmed_name *items;
	size_t count, alloc;
	struct pmed_file *files;
	size_t n_files, alloc_files;
};
/* Append names and files of @finding: 0, -ENOMEM. */
int pmed_names_of(struct json_object *finding, struct pmed_names *names);
/* The same of one of its claims. */
int pmed_names_of_claim(struct json_object *claim, struct pmed_names *names);
/* Each name and each file once, with its worst verdict; in the order of names, and of ids. */
void pmed_names_sort(struct pmed_names *names);
/* Are all of these among @others, with whatever verdict?  Both are sorted; what only processes have
 * open has no name. */
bool pmed_names_within(const struct pmed_names *names, const struct pmed_names *others);
void pmed_names_done(struct pmed_names *names);

/* The place of a claim on the device of the finding. */
struct pme_range pmed_place_of(struct json_object *claim);
/* Are both the same kind of thing, of the same volume? */
bool pmed_claims_alike(struct json_object *claim, struct json_object *other);
/* A number that changes with its verdict and what it meets, and how many files it meets. */
int pmed_facts(struct json_object *finding, uint64_t *ret_digest, uint64_t *ret_files);
/* A number that changes with the names of its devices: the kernel gives them anew at each boot. */
uint64_t pmed_facts_devices(struct json_object *finding);
/* Each byte by its worst verdict. */
int pmed_facts_bytes(struct json_object *finding, uint64_t *ret_lost, uint64_t *ret_recoverable);

#endif
