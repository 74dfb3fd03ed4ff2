/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Repairs that nobody is there to ask for; see repair-auto.h.
 *
 * The surprise: a name that is not known may be one for which it is switched off.  So a file whose
 * names are not complete is only repaired where it is switched off nowhere.
 */
#include "repair-auto.h"

#include <fnmatch.h>
#include <string.h>

static bool is_off_somewhere(const struct pme_conf *conf)
{
	for (size_t i = 0; i < conf->repair.n_paths; i++)
		if (conf->repair.paths[i].automatic == PME_REPAIR_NEVER)
			return true;
	return conf->repair.automatic == PME_REPAIR_NEVER;
}

static bool is_of_namespace(const char *path)
{
	return fnmatch("/proc/[0-9]*/root/*", path, FNM_NOESCAPE) == 0;
}

/* A name that only another mount namespace has says nothing where there is one of ours. */
static bool counts(const struct pme_file *file, size_t name)
{
	for (size_t i = 0; is_of_namespace(file->paths[name]) && i < file->n_paths; i++)
		if (!is_of_namespace(file->paths[i]))
			return false;
	return true;
}

/* Why not, allocated; NULL: it is asked for.  @ret_error: -ENOMEM. */
static char *refusal_of_file(const struct pme_conf *conf, const struct pme_file *file,
			     int *ret_error)
{
	char *text = NULL;

	for (size_t i = 0; i < file->n_paths; i++)
		if (counts(file, i) &&
		    pme_conf_repair_of(conf, file->paths[i]) == PME_REPAIR_NEVER) {
			text = pme_printf("[repair] auto is never for %s", file->paths[i]);
			*ret_error = text ? 0 : -ENOMEM;
			return text;
		}
	if ((file->n_paths > 0 && file->paths_complete) || !is_off_somewhere(conf))
		return NULL;
	text = pme_printf("not all names of inode %llu are known, and [repair] auto is never "
			  "somewhere",
			  (unsigned long long)file->inode);
	*ret_error = text ? 0 : -ENOMEM;
	return text;
}

/* Files of ours, which are nobody's to ask for, follow the others. */
static char *refusal_of(const struct pme_conf *conf, const struct pme_repair_step *step,
			int *ret_error)
{
	for (size_t i = 0; i < step->n_targets; i++) {
		const struct pme_file *file = step->targets[i].file;
		char *text = file->vault ? NULL : refusal_of_file(conf, file, ret_error);

		if (text || *ret_error < 0)
			return text;
	}
	return NULL;
}

int pme_repair_auto_only(struct pme_repair_plan *plan, const struct pme_conf *conf)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->n_steps; i++) {
		struct pme_repair_step *step = &plan->steps[i];

		if (step->refusal)
			continue;
		step->refusal = refusal_of(conf, step, &r);
		if (step->refusal)
			step->outcome = PME_STEP_REFUSED;
	}
	for (size_t i = 0; r == 0 && i < plan->rewrites.count; i++) {
		struct pme_rewrite *rewrite = &plan->rewrites.items[i];

		if (rewrite->refusal || !is_off_somewhere(conf))
			continue;
		rewrite->refusal = strdup("it is of no path, and [repair] auto is never somewhere");
		rewrite->outcome = PME_REWRITE_REFUSED;
		r = rewrite->refusal ? 0 : -ENOMEM;
	}
	return r;
}
