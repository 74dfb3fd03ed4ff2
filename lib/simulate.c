/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands on devices that fail; see simulate.h.
 *
 * A filesystem is known by its superblock, over all mount namespaces.  The surprise: its device may
 * be gone already, and the mount is there all the same; such a one is selected by its mount point.
 */
#include "simulate.h"

#include <string.h>
#include <sys/sysmacros.h>

#include "simulate-state.h"

static void sim_done(struct pme_sim *sim)
{
	for (size_t i = 0; i < sim->n_fs; i++)
		free(sim->fs[i].answer.reason);
	for (size_t i = 0; i < sim->n_uses; i++)
		pme_fs_use_done(&sim->uses[i]);
	free(sim->fs);
	free(sim->raws);
	free(sim->uses);
	free(sim->lost);
	pme_fates_done(&sim->fates);
	pme_spaces_done(&sim->spaces);
	pme_selection_done(&sim->selection);
}

/* A mount point of ours whose device is not there any more, or NULL. */
static const struct pme_mount *find_lost(const struct pme_sim *sim, const char *path)
{
	const struct pme_mount *found = NULL;

	for (size_t i = 0; i < sim->spaces.n_mounts; i++) {
		const struct pme_mount *mount = &sim->spaces.mounts[i].mount;

		if (sim->spaces.mounts[i].space != 0 || strcmp(mount->target, path) != 0)
			continue;
		if (major(mount->shown) == 0 && strncmp(mount->source, "/dev/", 5) != 0)
			found = NULL;
		else
			found = mount;
	}
	return found && !pme_topo_dev_by_devno(sim->topo, found->devno) ? found : NULL;
}

static int add_lost(struct pme_sim *sim, const struct pme_mount *mount)
{
	int r = pme_grow(&sim->lost, &sim->alloc_lost, sim->n_lost, sizeof(*sim->lost));

	if (r == 0)
		sim->lost[sim->n_lost++] = mount;
	return r;
}

/* 1 it was dealt with here, 0 it is one for pme_select(), -errno */
static int select_special(struct pme_sim *sim, const char *selector, struct pme_log *log)
{
	const struct pme_mount *known, *lost;
	const struct pme_namespace *ns;
	int r;

	if (pme_topo_dev_by_spec(sim->topo, selector))
		return 0;
	known = pme_select_mount(sim->topo, selector);
	if (known && pme_topo_dev_by_devno(sim->topo, known->devno))
		return 0;
	lost = find_lost(sim, selector);
	if (lost) {
		r = add_lost(sim, lost);
		return r < 0 ? r : 1;
	}
	ns = pme_topo_namespace_by_name(sim->topo, selector);
	if (!ns)
		return 0;
	pme_log_add(log, PME_INFO, selector, "the namespace is disabled: nothing stands on it");
	return 1;
}

static int choose(struct pme_sim *sim, char *const *selectors, size_t count, struct pme_log *log)
{
	_cleanup_free_ char **rest = calloc(count + 1, sizeof(*rest));
	size_t n = 0;
	int r = 0;

	if (!rest)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		r = select_special(sim, selectors[i], log);
		if (r < 0)
			return r;
		if (r == 0)
			rest[n++] = selectors[i];
	}
	if (n > 0 || count == 0)
		r = pme_select(sim->topo, rest, n, log, &sim->selection);
	else
		r = 0;
	sim->failing =
		sim->selection.passing.count ? &sim->selection.passing : &sim->selection.bases;
	return r;
}

static int add_use(struct pme_sim *sim, struct pme_fs_use use, size_t *ret)
{
	int r = pme_grow(&sim->uses, &sim->alloc_uses, sim->n_uses, sizeof(*sim->uses));

	if (r < 0)
		return r;
	*ret = sim->n_uses;
	sim->uses[sim->n_uses++] = use;
	return 0;
}

/* The worst that happens to the devices of a filesystem; @reached: does it stand on any? */
struct parts {
	bool reached;
	enum pme_fate worst;
	const struct pme_dev *dev; /* the worst one */
	size_t members, failing;   /* devices that are used alike */
};

static void look_at_part(const struct pme_sim *sim, const struct pme_dev *dev, struct parts *parts)
{
	const struct pme_fate_of *of = dev ? pme_fates_of(&sim->fates, dev) : NULL;

	if (!of)
		return;
	parts->reached |= of->reached;
	if (!parts->dev || of->fate > parts->worst) {
		parts->worst = of->fate;
		parts->dev = dev;
	}
}

static void look_at_members(const struct pme_sim *sim, const struct pme_mount *mount,
			    struct parts *parts)
{
	for (size_t i = 0; i < sim->topo->n_devs; i++) {
		const struct pme_dev *dev = sim->topo->devs[i];

		if (!dev->member_of || !pme_topo_mount_has(sim->topo, mount, dev))
			continue;
		look_at_part(sim, dev, parts);
		parts->members++;
		parts->failing += pme_fates_of(&sim->fates, dev)->fate == PME_FAILS;
	}
}

static int judge_fs(const struct parts *parts, struct pme_fate_answer *ret)
{
	const char *label = pme_dev_label(parts->dev);

	if (parts->worst == PME_SURVIVES)
		return pme_fate_answer(ret, PME_SURVIVES, pme_printf("%s survives", label));
	if (parts->members > 1 && parts->failing < parts->members)
		return pme_fate_answer(ret, PME_FATE_UNKNOWN,
				       pme_printf("whether it can do without %s depends on its "
						  "profiles",
						  label));
	return pme_fate_answer(ret, parts->worst,
			       parts->worst == PME_FAILS
				       ? pme_printf("it needs %s", label)
				       : pme_printf("it needs %s, of which nobody knows", label));
}

static bool is_known(const struct pme_sim *sim, const struct pme_mount *mount)
{
	for (size_t i = 0; i < sim->n_fs; i++)
		if (pme_sim_shows(&sim->fs[i], mount))
			return true;
	return false;
}

static int add_fs(struct pme_sim *sim, const struct pme_mount *mount, const struct parts *parts)
{
	struct pme_sim_fs *fs;
	int r = pme_grow(&sim->fs, &sim->alloc_fs, sim->n_fs, sizeof(*sim->fs));

	if (r < 0)
		return r;
	fs = &sim->fs[sim->n_fs++];
	*fs = (struct pme_sim_fs){
		.mount = mount,
		.main = pme_topo_dev_by_devno(sim->topo, mount->devno),
	};
	if (parts)
		r = judge_fs(parts, &fs->answer);
	else
		r = pme_fate_answer(&fs->answer, PME_FAILS,
				    pme_printf("its device is gone already"));
	if (r < 0)
		return r;
	return add_use(sim, (struct pme_fs_use){.shown = mount->shown}, &fs->use);
}

static int find_filesystems(struct pme_sim *sim)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sim->n_lost; i++)
		if (!is_known(sim, sim->lost[i]))
			r = add_fs(sim, sim->lost[i], NULL);
	for (size_t i = 0; r == 0 && i < sim->spaces.n_mounts; i++) {
		const struct pme_mount *mount = &sim->spaces.mounts[i].mount;
		struct parts parts = {0};

		if (mount->devno == 0 || is_known(sim, mount))
			continue;
		look_at_part(sim, pme_topo_dev_by_devno(sim->topo, mount->devno), &parts);
		look_at_part(sim, pme_topo_fs_device(sim->topo, mount, PME_FS_LOG), &parts);
		look_at_part(sim, pme_topo_fs_device(sim->topo, mount, PME_FS_REALTIME), &parts);
		look_at_members(sim, mount, &parts);
		if (parts.reached)
			r = add_fs(sim, mount, &parts);
	}
	return r;
}

static int add_raw(struct pme_sim *sim, const struct pme_dev *dev)
{
	struct pme_fs_use use = {
		.rdev = dev->devno,
		.type = dev->kind == PME_DEV_CHARDEV ? S_IFCHR : S_IFBLK,
	};
	_cleanup_free_ char *node = pme_dev_node(dev);
	struct pme_sim_raw raw = {.dev = dev};
	struct stat st;
	int r;

	if (!node)
		return -ENOMEM;
	if (!use.rdev && pme_os_stat(sim->topo->os, node, true, &st) == 0 && S_ISCHR(st.st_mode))
		use.rdev = st.st_rdev;
	if (!use.rdev)
		return 0;
	r = add_use(sim, use, &raw.use);
	if (r == 0)
		r = pme_grow(&sim->raws, &sim->alloc_raws, sim->n_raws, sizeof(*sim->raws));
	if (r == 0)
		sim->raws[sim->n_raws++] = raw;
	return r;
}

static int find_raws(struct pme_sim *sim)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sim->topo->n_devs; i++)
		if (sim->topo->devs[i]->kind != PME_DEV_REGION && sim->fates.items[i].reached)
			r = add_raw(sim, sim->topo->devs[i]);
	return r;
}

static int run(struct pme_sim *sim, char *const *selectors, size_t count, struct pme_log *log)
{
	struct pme_log seen = {0}; /* of interest only when the selectors are good */
	int r = pme_spaces_load(sim->topo, &seen, &sim->spaces);

	if (r == 0)
		r = choose(sim, selectors, count, log);
	if (r == 0)
		pme_log_merge(log, &seen);
	pme_log_done(&seen);
	if (r == 0)
		r = pme_fates_judge(sim->topo, sim->failing->items, sim->failing->count,
				    &sim->fates);
	if (r == 0)
		r = find_filesystems(sim);
	if (r == 0)
		r = find_raws(sim);
	if (r == 0)
		r = pme_fs_holders_find(sim->topo, &sim->spaces, sim->uses, sim->n_uses, log);
	return r;
}

int pme_simulate_snapshot(const struct pme_topo *topo, char *const *selectors, size_t n_selectors,
			  struct pme_log *log, struct json_object *doc)
{
	struct pme_sim sim = {.topo = topo};
	int r = run(&sim, selectors, n_selectors, log);

	if (r == 0)
		pme_sim_json(&sim, doc);
	sim_done(&sim);
	return r;
}

static void free_topo(struct pme_topo **topo)
{
	pme_topo_free(*topo);
}

int pme_simulate(const struct pme_os *os, char *const *selectors, size_t n_selectors,
		 struct pme_log *log, struct json_object *doc)
{
	_cleanup_(free_topo) struct pme_topo *topo = NULL;
	int r = pme_topo_load(os, log, &topo);

	if (r < 0) {
		pme_log_add(log, PME_ERROR, "/sys", "cannot look at the devices: %s", strerror(-r));
		return r;
	}
	return pme_simulate_snapshot(topo, selectors, n_selectors, log, doc);
}
