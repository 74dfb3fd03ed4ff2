/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names within a filesystem -> paths through overlay mounts that have it below; see names.h.
 *
 * A name that begins with the directory of a layer is looked for at the rest of it (names-over.c).
 * As the names of layers prove nothing, and may lead nowhere by now, whatever follows a slash of a
 * name is looked for, too: an overlay that shows the same inode number and times there is one that
 * cannot be told about.  What surprises: overlays come by the thousand, so each is entered once,
 * for all names, and most of them have nothing in their root directory that a name has.
 */
#include <string.h>
#include <sys/sysmacros.h>

#include "names-over.h"
#include "names-places.h"
#include "names.h"

/* Overlays as layers of others. */
struct stacked {
	bool above, below;
};

struct work {
	const struct pme_topo *topo;
	struct pme_items found;	 /* in the filesystem */
	struct pme_items again;	 /* through overlays, which may be a layer of others */
	struct stacked *stacked; /* of each overlay */
	bool second;		 /* only those on others are looked at */
	struct pme_over over; /* the one that is looked at now */
	char **entries;	      /* of its root directory, sorted; or NULL */
	size_t n_entries;
};

/* --- one overlay --- */

static int doubt(const struct work *work, const struct pme_item *item, const char *why)
{
	const struct pme_overlay_mount *mount = work->over.overlay->mounts;
	bool own = strcmp(mount->pid, "self") == 0;
	_cleanup_free_ char *target = pme_names_quote(mount->target), *text = NULL;

	if (!target)
		return -ENOMEM;
	text = pme_printf("the overlay mounted at %s%s%s may show it, too: %s", target,
			  own ? "" : " by process ", own ? "" : mount->pid, why);
	return text ? pme_names_doubt(item->file, text) : -ENOMEM;
}

static int add_alias(const struct work *work, const struct pme_item *item, enum pme_alias_kind kind,
		     const struct stat *st)
{
	return pme_file_add_alias(item->file, &(struct pme_alias){
						      .kind = kind,
						      .devno = st->st_dev,
						      .shown = work->over.overlay->shown,
						      .inode = st->st_ino,
						      .ctime = st->st_ctim,
					      });
}

/* 1 and *@ret, 0 when @mount does not show that, -ENOMEM. */
static int path_through(const struct pme_overlay_mount *mount, const char *rest, char **ret)
{
	_cleanup_free_ char *other = NULL;

	if (strcmp(mount->pid, "self") == 0)
		return pme_names_path(mount->root, mount->target, rest, ret);
	other = pme_printf("/proc/%s/root%s", mount->pid, mount->target);
	return other ? pme_names_path(mount->root, other, rest, ret) : -ENOMEM;
}

static int add_path(const struct pme_item *item, const struct pme_overlay_mount *mount,
		    const char *rest)
{
	_cleanup_free_ char *path = NULL;
	int r = path_through(mount, rest, &path);

	if (r <= 0)
		return r;
	return pme_file_add_path(item->file, pme_take_ptr(path));
}

static bool is_named(const struct pme_item *item, const struct pme_overlay_mount *mount,
		     const char *rest)
{
	_cleanup_free_ char *path = NULL;

	return path_through(mount, rest, &path) > 0 && pme_names_has_path(item->file, path);
}

/*
 * What processes see of a file in a layer that is not shown (any more) by its name: it may have
 * been deleted, or copied, while it was open.
 */
static int add_hidden_alias(const struct work *work, const struct pme_item *item, size_t layer,
			    const struct stat *real)
{
	const struct pme_overlay *overlay = work->over.overlay;
	struct stat st = *real;

	st.st_dev = overlay->shown;
	if (layer == 0 || real->st_ino == 0)
		return 0;
	return add_alias(work, item, overlay->metacopy ? PME_ALIAS_DOUBT : PME_ALIAS_STAMP, &st);
}

static struct stacked *stacked_of(const struct work *work, const struct pme_overlay *overlay)
{
	return &work->stacked[overlay - work->topo->overlays->items];
}

/* What processes see of one that is shown, and others that have this overlay as a layer. */
static int add_shown(struct work *work, const struct pme_item *item, const char *rest, size_t layer,
		     const struct stat *seen)
{
	bool fixed = layer == 0 && work->over.overlay->has_upper && !item->copied;
	int r = add_alias(work, item, fixed ? PME_ALIAS_SURE : PME_ALIAS_STAMP, seen);

	/* the kernel stacks no more than two */
	if (r < 0 || work->second || !stacked_of(work, work->over.overlay)->below)
		return r;
	return pme_items_add(&work->again,
			     &(struct pme_item){
				     .file = item->file,
				     .name = rest,
				     .devno = seen->st_dev,
				     .inode = seen->st_ino,
				     .copied = !fixed,
				     .overlay = work->over.overlay,
			     })
		       ? 0
		       : -ENOMEM;
}

/* The file is in @layer, by its name: through all mounts. */
static int judge(struct work *work, const struct pme_item *item, struct pme_above *place,
		 size_t layer)
{
	const struct pme_over_ask ask = {
		.over = &work->over,
		.layer = layer,
		.rest = place->rest,
		.devno = item->devno,
		.inode = item->inode,
	};
	bool shown = false;
	struct pme_over_reply reply = {0};
	int r = 0;

	place->judged = true;
	for (size_t i = 0; r == 0 && i < work->over.n_bases; i++) {
		const struct pme_over_base *base = &work->over.bases[i];

		pme_over_judge(&ask, base, &reply);
		if (reply.answer == PME_OVER_DOUBT)
			r = doubt(work, item, reply.why);
		if (r < 0 || reply.answer != PME_OVER_SHOWN)
			continue;
		r = add_path(item, base->mount, place->rest);
		if (r == 0 && !shown)
			r = add_shown(work, item, place->rest, layer, &reply.seen);
		shown = true;
	}
	if (r == 0 && shown && pme_over_is_index(&work->over, layer, &reply.real))
		r = doubt(work, item, "there may be links of it that share it (index)");
	return r < 0 || shown ? r : add_hidden_alias(work, item, layer, &reply.real);
}

static bool is_layer_at(const struct pme_over_layer *layer, const struct pme_above *place)
{
	return layer->fd >= 0 && layer->inode == place->inode && layer->devno == place->devno;
}

/* Of a filesystem that is only mounted in parts, some directories above a file are not seen. */
static bool is_below(const struct pme_over_layer *layer, const struct pme_item *item,
		     const struct pme_above *place)
{
	struct stat st;

	return layer->fd >= 0 && layer->devno == item->devno && place->inode == 0 &&
	       !item->file->out_of_reach && pme_over_stat(layer->fd, place->rest, &st) == 0 &&
	       st.st_dev == item->devno && st.st_ino == item->inode;
}

static int judge_layers(struct work *work, struct pme_item *item)
{
	int r = 0;

	for (size_t i = 0; i < work->over.overlay->n_layers; i++)
		for (size_t p = 0; r == 0 && p < item->n_places; p++) {
			struct pme_above *place = &item->places[p];

			if (!is_layer_at(&work->over.layers[i], place) &&
			    !(item->partial && is_below(&work->over.layers[i], item, place)))
				continue;
			if (item->has_stat || (item->partial && !item->file->out_of_reach))
				r = judge(work, item, place, i);
			else
				r = doubt(work, item, "it cannot be looked at");
		}
	return r;
}

static int compare_entry(const void *key, const void *entry)
{
	const char *name = key, *other = *(char *const *)entry;
	size_t len = strcspn(name, "/");
	int r = strncmp(name, other, len);

	return r ? r : -(other[len] != '\0');
}

static bool may_have(const struct work *work, const struct pme_over_base *base, const char *rest)
{
	if (!work->entries || strcmp(base->mount->root, "/") != 0)
		return true;
	return bsearch(rest, work->entries, work->n_entries, sizeof(*work->entries),
		       compare_entry) != NULL;
}

static bool is_alike(const struct pme_over *over, const struct stat *real, const struct stat *seen)
{
	struct stat same = *seen;

	if (!over->known) /* a copy of another file, if the layer that it is in is not known */
		same.st_ino = real->st_ino;
	return pme_over_is_same(real, &same);
}

/* Whatever the layers are: does the overlay show something like it? */
static int look_everywhere(const struct work *work, const struct pme_item *item)
{
	const struct pme_over *over = &work->over;

	for (size_t p = 0; item->has_stat && p < item->n_places; p++)
		for (size_t i = 0; i < over->n_bases && !item->places[p].judged; i++) {
			const struct pme_over_base *base = &over->bases[i];
			const char *rest = item->places[p].rest;
			const char *below = pme_names_below(base->mount->root, rest);
			struct stat seen;
			int r;

			if (!below || !*rest || !may_have(work, base, rest))
				continue;
			r = pme_over_stat(base->fd, below, &seen);
			if (r < 0 && r != -EXDEV && !pme_over_is_absent(r))
				return doubt(work, item, "it cannot be looked at there");
			if (r < 0 || !is_alike(over, &item->st, &seen) ||
			    is_named(item, base->mount, rest))
				continue;
			r = add_alias(work, item, PME_ALIAS_DOUBT, &seen);
			return r < 0 ? r
				     : doubt(work, item,
					     "its layers are not found by the names that it "
					     "was mounted with");
		}
	return 0;
}

/* Without all layers, what was moved by renaming is not found. */
static bool may_be_anywhere(const struct pme_over *over)
{
	return !over->known && over->n_bases > 0 &&
	       (over->overlay->metacopy || (over->overlay->redirects && over->overlay->has_upper));
}

static int look_at_item(struct work *work, struct pme_item *item)
{
	for (size_t p = 0; p < item->n_places; p++)
		item->places[p].judged = false;
	return judge_layers(work, item);
}

/* What is not found by the layers; those on other overlays are not looked at before these. */
static int look_around(const struct work *work, const struct pme_item *item)
{
	int r = look_everywhere(work, item);

	if (r == 0 && may_be_anywhere(&work->over))
		r = doubt(work, item, "not all of its layers are found, and it renames");
	if (r == 0 && !work->over.known && work->over.n_bases > 0 && !item->has_stat)
		r = doubt(work, item,
			  "its layers are not found, and the inode cannot be looked at");
	if (r == 0 && work->over.cut)
		r = doubt(work, item, "not all of its mounts are looked at");
	return r;
}

/* Unlinked, but open: only in an overlay with nothing else below has it a number of its own. */
static int look_at_unlinked(const struct work *work, struct pme_file *file)
{
	const struct pme_item item = {.file = file};
	const struct stat st = {.st_dev = work->over.overlay->shown, .st_ino = file->inode};

	if (!work->over.known || file->mode == 0 || file->nlink > 0)
		return 0;
	for (size_t i = 0; i < work->over.overlay->n_layers; i++)
		if (work->over.layers[i].devno != file->devno)
			return 0;
	return add_alias(work, &item, PME_ALIAS_SURE, &st);
}

static void list_root(struct work *work)
{
	for (size_t i = 0; i < work->over.n_bases; i++) {
		const struct pme_over_base *base = &work->over.bases[i];

		if (strcmp(base->mount->root, "/") != 0)
			continue;
		if (pme_os_list_quietly(base->fd, &work->entries, &work->n_entries) < 0)
			work->entries = NULL;
		return;
	}
}

static int look_at_all(struct work *work, struct pme_file **files, size_t n_files)
{
	struct pme_items *now = work->second ? &work->again : &work->found;
	bool last = work->second || !stacked_of(work, work->over.overlay)->above;
	int r = 0;

	for (size_t i = 0; r == 0 && i < work->found.count && work->second; i++)
		for (size_t p = 0; p < work->found.items[i].n_places; p++)
			work->found.items[i].places[p].judged = false;
	for (size_t i = 0; r == 0 && i < now->count; i++)
		r = look_at_item(work, &now->items[i]);
	for (size_t i = 0; r == 0 && last && i < work->found.count; i++)
		r = look_around(work, &work->found.items[i]);
	for (size_t i = 0; r == 0 && last && i < n_files; i++)
		r = look_at_unlinked(work, files[i]);
	return r;
}

static int look_at_overlay(struct work *work, const struct pme_overlay *overlay,
			   struct pme_file **files, size_t n_files)
{
	int r = pme_over_enter(work->topo->os, overlay, &work->over);

	if (r == 0)
		list_root(work);
	if (r == 0)
		r = look_at_all(work, files, n_files);
	pme_os_free_names(work->entries, work->n_entries);
	work->entries = NULL;
	work->n_entries = 0;
	pme_over_done(&work->over);
	return r;
}

/* Directories above what overlays show, by looking through them: those of one come together. */
static int fill_again(struct work *work)
{
	const struct pme_overlay *last = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < work->again.count; i++) {
		struct pme_item *item = &work->again.items[i];

		if (item->overlay != last) {
			pme_over_done(&work->over);
			r = pme_over_enter(work->topo->os, item->overlay, &work->over);
			last = item->overlay;
		}
		if (r == 0 && work->over.n_bases > 0)
			r = pme_item_fill(work->over.bases[0].fd, work->over.bases[0].mount->root,
					  item);
	}
	pme_over_done(&work->over);
	return r;
}

static void work_done(struct work *work)
{
	pme_items_done(&work->found);
	pme_items_done(&work->again);
	free(work->stacked);
}

static int doubt_all(const struct work *work, const char *why)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < work->found.count; i++)
		r = pme_names_doubt(work->found.items[i].file, why);
	return r;
}

static int look_at_overlays(struct work *work, const struct pme_names *names,
			    struct pme_file **files, size_t n_files)
{
	const struct pme_overlays *all = work->topo->overlays;
	int r = 0;

	for (size_t i = 0; r == 0 && i < all->count; i++) {
		if (work->second && !work->stacked[i].above)
			continue;
		if (pme_progress_over(names->progress))
			return doubt_all(work, "the time was over before all overlays were "
					       "looked at");
		r = look_at_overlay(work, &all->items[i], files, n_files);
	}
	return r;
}

/* Whose layers is the overlay that was entered on? */
static void note_stacked(const struct work *work)
{
	const struct pme_overlays *all = work->topo->overlays;

	for (size_t i = 0; i < work->over.overlay->n_layers; i++) {
		const struct pme_over_layer *layer = &work->over.layers[i];

		for (size_t j = 0; layer->fd >= 0 && major(layer->devno) == 0 && j < all->count;
		     j++)
			if (all->items[j].shown == layer->devno) {
				stacked_of(work, work->over.overlay)->above = true;
				work->stacked[j].below = true;
			}
	}
}

/* Are there overlays on overlays?  1, 0, -errno. */
static int find_stacked(struct work *work)
{
	const struct pme_overlays *all = work->topo->overlays;
	bool any = false;

	work->stacked = calloc(all->count + 1, sizeof(*work->stacked));
	if (!work->stacked)
		return -ENOMEM;
	for (size_t i = 0; i < all->count; i++) {
		int r = pme_over_enter(work->topo->os, &all->items[i], &work->over);

		if (r == 0)
			note_stacked(work);
		pme_over_done(&work->over);
		if (r < 0)
			return r;
		any |= work->stacked[i].above;
	}
	return any;
}

int pme_names_publish_overlays(const struct pme_topo *topo, const struct pme_fs *fs,
			       const struct pme_names *names, struct pme_file **files,
			       size_t n_files)
{
	_cleanup_(work_done) struct work work = {.topo = topo};
	int r = pme_items_load(topo->os, fs, names, &work.found), stacked = 0;

	if (r == 0)
		stacked = find_stacked(&work);
	if (stacked < 0)
		return stacked;
	if (r == 0)
		r = look_at_overlays(&work, names, files, n_files);
	work.second = true;
	if (r == 0 && stacked)
		r = fill_again(&work);
	if (r == 0 && stacked)
		r = look_at_overlays(&work, names, files, n_files);
	if (r == 0 && topo->overlays->cut)
		r = doubt_all(&work, "not all overlay mounts can be found");
	return r;
}
