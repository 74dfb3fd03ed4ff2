/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of a volume group; see rest-lvm.h.  libdevmapper parses the syntax.
 *
 * The surprise: its parser calls itself for each section within a section, so that a hostile text
 * could end the program; the depth is counted before.
 */
#include "rest-lvm.h"

#include <libdevmapper.h>
#include <string.h>

#define DEPTH_MAX 16	/* LVM itself needs 5 */
#define NAME_LENGTH 127 /* of a volume: lvm(8), VALID NAMES */

typedef const struct dm_config_node *node_t;

static void say_nothing(int level, const char *file, int line, int dm_errno_or_class,
			const char *format, ...) _printf_(5, 6);
static void say_nothing(int level, const char *file, int line, int dm_errno_or_class,
			const char *format, ...)
{
}

static void destroy_tree(struct dm_config_tree **tree)
{
	if (*tree)
		dm_config_destroy(*tree);
}

/* Behind the string that starts at @p, or @end. */
static const char *skip_string(const char *p, const char *end)
{
	char quote = *p++;

	while (p < end && *p != quote)
		p += *p == '\\' && quote == '"' && p + 1 < end ? 2 : 1;
	return p < end ? p + 1 : end;
}

static bool is_shallow(const char *text, size_t len)
{
	const char *p = text, *end = text + len;
	unsigned int depth = 0;

	while (p < end) {
		if (*p == '"' || *p == '\'') {
			p = skip_string(p, end);
			continue;
		}
		if (*p == '#')
			while (p + 1 < end && *p != '\n')
				p++;
		if (*p == '{' && ++depth > DEPTH_MAX)
			return false;
		if (*p == '}' && depth > 0)
			depth--;
		p++;
	}
	return true;
}

static node_t child(node_t parent, const char *key)
{
	for (node_t n = parent ? parent->child : NULL; n; n = n->sib)
		if (n->key && strcmp(n->key, key) == 0)
			return n;
	return NULL;
}

static const char *text_of(node_t parent, const char *key)
{
	node_t n = child(parent, key);

	return n && n->v && n->v->type == DM_CFG_STRING ? n->v->v.str : NULL;
}

static int number_of(node_t parent, const char *key, uint64_t *ret)
{
	node_t n = child(parent, key);

	if (!n || !n->v || n->v->type != DM_CFG_INT || n->v->v.i < 0)
		return -EINVAL;
	*ret = (uint64_t)n->v->v.i;
	return 0;
}

static bool has_flag(node_t parent, const char *flag)
{
	node_t n = child(parent, "status");

	for (const struct dm_config_value *v = n ? n->v : NULL; v; v = v->next)
		if (v->type == DM_CFG_STRING && strcmp(v->v.str, flag) == 0)
			return true;
	return false;
}

/* "fNC3gV-FCiO-…" without its dashes. */
static int id_of(node_t parent, char ret[PME_LVM_ID + 1])
{
	const char *text = text_of(parent, "id");
	size_t len = 0;

	for (; text && *text; text++) {
		if (*text == '-')
			continue;
		if (len == PME_LVM_ID)
			return -EINVAL;
		ret[len++] = *text;
	}
	ret[len] = '\0';
	return len == PME_LVM_ID ? 0 : -EINVAL;
}

static int name_of(node_t n, char **ret)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789+_.-";
	size_t len = n->key ? strlen(n->key) : 0;

	if (len == 0 || len > NAME_LENGTH || strspn(n->key, allowed) != len)
		return -EINVAL;
	*ret = strdup(n->key);
	return *ret ? 0 : -ENOMEM;
}

static int add_pv(struct pme_lvm_vg *vg, node_t n)
{
	struct pme_lvm_pv *pv;
	uint64_t start_sect, bytes, end;
	int r = pme_grow(&vg->pvs, &vg->alloc_pvs, vg->n_pvs, sizeof(*pv));

	if (r < 0)
		return r;
	pv = &vg->pvs[vg->n_pvs];
	*pv = (struct pme_lvm_pv){.key = NULL};
	r = name_of(n, &pv->key);
	if (r < 0)
		return r;
	vg->n_pvs++;
	if (id_of(n, pv->id) < 0 || number_of(n, "pe_start", &start_sect) < 0 ||
	    number_of(n, "pe_count", &pv->pe_count) < 0 ||
	    pme_mul(start_sect, PME_SECTOR, &pv->pe_start) < 0 ||
	    pme_mul(pv->pe_count, vg->extent, &bytes) < 0 || pme_add(pv->pe_start, bytes, &end) < 0)
		return -EINVAL;
	return 0;
}

static int add_lv(struct pme_lvm_vg *vg, node_t n)
{
	struct pme_lvm_lv *lv;
	int r = pme_grow(&vg->lvs, &vg->alloc_lvs, vg->n_lvs, sizeof(*lv));

	if (r < 0)
		return r;
	lv = &vg->lvs[vg->n_lvs];
	*lv = (struct pme_lvm_lv){.parent = PME_LVM_NONE};
	r = name_of(n, &lv->name);
	if (r < 0)
		return r;
	vg->n_lvs++;
	lv->visible = has_flag(n, "VISIBLE");
	lv->pvmove = has_flag(n, "PVMOVE");
	return id_of(n, lv->id);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct pme_lvm_lv *)a)->name, ((const struct pme_lvm_lv *)b)->name);
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct pme_lvm_pv *)a)->key, ((const struct pme_lvm_pv *)b)->key);
}

size_t pme_lvm_find_lv(const struct pme_lvm_vg *vg, const char *name)
{
	size_t low = 0, high = vg->n_lvs;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(vg->lvs[middle].name, name);

		if (order == 0)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return PME_LVM_NONE;
}

size_t pme_lvm_find_pv(const struct pme_lvm_vg *vg, const char *id)
{
	for (size_t i = 0; i < vg->n_pvs; i++)
		if (strcmp(vg->pvs[i].id, id) == 0)
			return i;
	return PME_LVM_NONE;
}

static size_t find_key(const struct pme_lvm_vg *vg, const char *key)
{
	size_t low = 0, high = vg->n_pvs;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(vg->pvs[middle].key, key);

		if (order == 0)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return PME_LVM_NONE;
}

/* Volumes that @n names are parts of @lv: "raids = ["r_rmeta_0", "r_rimage_0"]". */
static void note_parts(struct pme_lvm_vg *vg, size_t lv, node_t n)
{
	static const char *const keys[] = {
		"stripes",    "mirrors",    "raids",	"raid0_lvs", "mirror_log",
		"metadata",   "pool",	    "origin",	"data",	     "cow_store",
		"cache_pool", "writecache", "meta_dev", "vdo_pool",
	};

	for (size_t k = 0; k < PME_ARRAY_SIZE(keys); k++) {
		node_t list = child(n, keys[k]);

		for (const struct dm_config_value *v = list ? list->v : NULL; v; v = v->next) {
			size_t part = PME_LVM_NONE;

			if (v->type == DM_CFG_STRING)
				part = pme_lvm_find_lv(vg, v->v.str);
			if (part != PME_LVM_NONE && part != lv && !vg->lvs[part].visible)
				vg->lvs[part].parent = lv;
		}
	}
}

static int add_run(struct pme_lvm_vg *vg, const struct pme_lvm_run *run)
{
	const struct pme_lvm_pv *pv = &vg->pvs[run->pv];
	uint64_t end;
	int r;

	if (pme_add(run->pe, run->count, &end) < 0 || end > pv->pe_count)
		return -EINVAL;
	r = pme_grow(&vg->runs, &vg->alloc_runs, vg->n_runs, sizeof(*run));
	if (r == 0)
		vg->runs[vg->n_runs++] = *run;
	return r;
}

/* The pairs of a list ["pv0", 5, "pv1", 0]: those that are physical volumes. */
static int add_runs(struct pme_lvm_vg *vg, node_t list, struct pme_lvm_run *run)
{
	uint64_t index = 0;
	int r = 0;

	for (const struct dm_config_value *v = list->v; r == 0 && v; v = v->next->next, index++) {
		if (v->type != DM_CFG_STRING || !v->next || v->next->type != DM_CFG_INT ||
		    v->next->v.i < 0)
			return -EINVAL;
		run->pv = find_key(vg, v->v.str);
		run->pe = (uint64_t)v->next->v.i;
		run->stripe = run->stripes > 1 ? index : 0;
		if (run->pv != PME_LVM_NONE)
			r = add_run(vg, run);
	}
	return r;
}

/* Extents, checked to be in range of the arithmetic in bytes. */
static int parse_extents(const struct pme_lvm_vg *vg, node_t n, struct pme_lvm_run *ret)
{
	uint64_t end, bytes;

	if (number_of(n, "start_extent", &ret->le) < 0 ||
	    number_of(n, "extent_count", &ret->le_count) < 0 ||
	    pme_add(ret->le, ret->le_count, &end) < 0 || pme_mul(end, vg->extent, &bytes) < 0)
		return -EINVAL;
	ret->count = ret->le_count;
	return 0;
}

static int add_segment(struct pme_lvm_vg *vg, size_t lv, node_t n)
{
	struct pme_lvm_run run = {.lv = lv, .stripes = 1};
	const char *type = text_of(n, "type"), *pool = text_of(n, "thin_pool");
	node_t stripes = child(n, "stripes"), mirrors = child(n, "mirrors");

	if (!type || parse_extents(vg, n, &run) < 0)
		return -EINVAL;
	strncpy(run.type, type, sizeof(run.type) - 1);
	note_parts(vg, lv, n);
	if (pool && !vg->lvs[lv].thin_pool) {
		vg->lvs[lv].thin_pool = strdup(pool);
		if (!vg->lvs[lv].thin_pool)
			return -ENOMEM;
		return number_of(n, "device_id", &vg->lvs[lv].device_id);
	}
	if (mirrors)
		return add_runs(vg, mirrors, &run);
	if (!stripes)
		return 0;
	if (number_of(n, "stripe_count", &run.stripes) < 0 || run.stripes == 0 ||
	    run.le_count % run.stripes != 0)
		return -EINVAL;
	run.count = run.le_count / run.stripes;
	if (run.stripes > 1 &&
	    (number_of(n, "stripe_size", &run.chunk) < 0 || run.chunk == 0 ||
	     pme_mul(run.chunk, PME_SECTOR, &run.chunk) < 0 || vg->extent % run.chunk != 0))
		return -EINVAL;
	return add_runs(vg, stripes, &run);
}

static int add_segments(struct pme_lvm_vg *vg, node_t lvs)
{
	int r = 0;

	for (node_t n = lvs ? lvs->child : NULL; r == 0 && n; n = n->sib) {
		size_t lv = pme_lvm_find_lv(vg, n->key);

		for (node_t s = n->child; r == 0 && s; s = s->sib)
			if (s->key && strncmp(s->key, "segment", 7) == 0 && s->child)
				r = add_segment(vg, lv, s);
	}
	return r;
}

static int parse_group(node_t n, struct pme_lvm_vg *vg)
{
	node_t pvs = child(n, "physical_volumes"), lvs = child(n, "logical_volumes");
	int r = name_of(n, &vg->name);

	if (r < 0)
		return r;
	if (id_of(n, vg->id) < 0 || number_of(n, "seqno", &vg->seqno) < 0 ||
	    number_of(n, "extent_size", &vg->extent) < 0 || vg->extent == 0 ||
	    pme_mul(vg->extent, PME_SECTOR, &vg->extent) < 0)
		return -EINVAL;
	for (n = pvs ? pvs->child : NULL; r == 0 && n; n = n->sib)
		r = add_pv(vg, n);
	for (n = lvs ? lvs->child : NULL; r == 0 && n; n = n->sib)
		r = add_lv(vg, n);
	if (r < 0)
		return r;
	if (vg->n_pvs > 0)
		qsort(vg->pvs, vg->n_pvs, sizeof(*vg->pvs), by_key);
	if (vg->n_lvs > 0)
		qsort(vg->lvs, vg->n_lvs, sizeof(*vg->lvs), by_name);
	return add_segments(vg, lvs);
}

void pme_lvm_vg_done(struct pme_lvm_vg *vg)
{
	for (size_t i = 0; i < vg->n_pvs; i++)
		free(vg->pvs[i].key);
	for (size_t i = 0; i < vg->n_lvs; i++) {
		free(vg->lvs[i].name);
		free(vg->lvs[i].thin_pool);
	}
	free(vg->name);
	free(vg->pvs);
	free(vg->lvs);
	free(vg->runs);
	*vg = (struct pme_lvm_vg){.name = NULL};
}

int pme_lvm_text_parse(const char *text, size_t len, struct pme_lvm_vg *ret)
{
	_cleanup_(destroy_tree) struct dm_config_tree *tree = NULL;
	_cleanup_(pme_lvm_vg_done) struct pme_lvm_vg vg = {.name = NULL};
	_cleanup_free_ char *copy = NULL;
	int r = -EINVAL;

	if (len > PME_LVM_TEXT_MAX || !is_shallow(text, len))
		return -EINVAL;
	copy = strndup(text, len); /* the parser may look at the byte behind */
	dm_log_with_errno_init(say_nothing);
	tree = dm_config_create();
	if (!copy || !tree)
		return -ENOMEM;
	if (!dm_config_parse_without_dup_node_check(tree, copy, copy + strlen(copy)))
		return -EINVAL;
	for (node_t n = tree->root; n; n = n->sib)
		if (!n->v && n->child) { /* the only section is the group */
			r = parse_group(n, &vg);
			break;
		}
	if (r < 0)
		return r;
	*ret = vg;
	vg = (struct pme_lvm_vg){.name = NULL};
	return 0;
}
