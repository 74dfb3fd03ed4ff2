/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was named to `pmemctl repair` and is not there, or not what it should be; see repair-args.h.
 *
 * A name may be a file, a device or a mount point, and these are told apart by what is there.  So
 * what is nothing at all is missed only beside a file: else it is for pme_select() to say.
 */
#include "repair-args.h"

#include <fcntl.h>
#include <string.h>

#include "repair-plan.h"
#include "select.h"

static bool is_file(const char *path)
{
	struct stat st;

	return pme_os_stat_at(AT_FDCWD, path, true, &st) == 0 && S_ISREG(st.st_mode);
}

/* Is @name a device, or something else that can be selected?  1, 0, -ENOMEM. */
static int is_selector(const struct pme_topo *topo, char *name)
{
	_cleanup_(pme_selection_done) struct pme_selection selection = {0};
	_cleanup_(pme_log_done) struct pme_log unheard = {0};
	int r = pme_select(topo, &name, 1, &unheard, &selection);

	return r == -ENOMEM ? r : r == 0;
}

static int look_for_missing(const struct pme_os *os, const struct pme_repair_args *args,
			    struct pme_log *log)
{
	struct pme_topo *topo = NULL;
	int r = 0, missing = 0;

	for (size_t i = 0; r == 0 && i < args->n_targets; i++) {
		struct stat st;
		int error = pme_os_stat_at(AT_FDCWD, args->targets[i], true, &st), known;

		if (error == 0)
			continue;
		if (!topo)
			r = pme_topo_load(os, log, &topo);
		known = r < 0 ? r : is_selector(topo, args->targets[i]);
		if (known == 0) {
			missing = error;
			pme_log_add(log, PME_ERROR, args->targets[i],
				    "no such file, nor a device or mount point: %s: nothing was "
				    "repaired",
				    strerror(-error));
		}
		r = known < 0 ? known : 0;
	}
	pme_topo_free(topo);
	return r < 0 ? r : missing;
}

static int check_from(const char *from, struct pme_log *log)
{
	_cleanup_close_ int fd = pme_os_open_at(AT_FDCWD, from, O_RDONLY | O_NONBLOCK);
	struct stat st;
	int r = fd < 0 ? fd : pme_os_fstat(fd, &st);

	if (r == 0 && S_ISREG(st.st_mode))
		return 0;
	pme_log_add(log, PME_ERROR, from, "%s: --from names a file with the bytes that were lost",
		    r < 0 ? strerror(-r) : "not a regular file");
	return r < 0 ? r : -EISDIR;
}

int pme_repair_args_check(const struct pme_os *os, const struct pme_repair_args *args,
			  struct pme_log *log)
{
	bool files = false;
	int r;

	for (size_t i = 0; i < args->n_targets; i++)
		files |= is_file(args->targets[i]);
	r = files && args->n_targets > 1 ? look_for_missing(os, args, log) : 0;
	return r == 0 && files && args->from ? check_from(args->from, log) : r;
}

/* The first byte of @target behind those that are wanted of it: not behind its end. */
static uint64_t wanted_end(const struct pme_repair_step *step,
			   const struct pme_repair_target *target)
{
	return pme_min(target->start + step->device.length, target->file->size);
}

void pme_repair_args_note_short(const struct pme_repair_args *args,
				const struct pme_repair_plan *plan, struct pme_log *log)
{
	uint64_t needed = 0;
	struct stat st;

	if (!args->from || pme_os_stat_at(AT_FDCWD, args->from, true, &st) < 0)
		return;
	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct pme_repair_step *step = &plan->steps[i];

		for (size_t t = 0; !step->donor.kind && !step->zero && t < step->n_targets; t++)
			if (pme_repair_name_of(&plan->named, step->targets[t].file))
				needed = pme_max(needed, wanted_end(step, &step->targets[t]));
	}
	if (needed > (uint64_t)st.st_size)
		pme_log_add(log, PME_ERROR, args->from,
			    "it ends at byte %llu, and bytes up to %llu are wanted",
			    (unsigned long long)st.st_size, (unsigned long long)needed);
}
