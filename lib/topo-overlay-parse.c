/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A line of mountinfo -> an overlay and its layers; see topo-overlay.h.
 *
 * The text is taken apart here, not by libmount: that takes the octal escapes out of all options
 * at once, and then a comma in a path looks like the end of an option.  The surprise: below the
 * octal escapes lowerdir has some of its own ("\:", "\\"), lowerdir+ and datadir+ have none, and
 * upperdir depends on the kernel.
 */
#include "topo-overlay.h"

#include <string.h>
#include <sys/sysmacros.h>

struct text {
	const char *at, *end;
};

/* What is in front of the next @mark, or the rest: false at the end. */
static bool cut(struct text *from, char mark, struct text *ret)
{
	const char *next;

	if (!from->at)
		return false;
	next = memchr(from->at, mark, (size_t)(from->end - from->at));
	*ret = (struct text){from->at, next ? next : from->end};
	from->at = next ? next + 1 : NULL;
	return true;
}

static bool text_is(struct text text, const char *s)
{
	return pme_word_is(text.at, (size_t)(text.end - text.at), s);
}

static bool is_octal(const char *p, const char *end)
{
	if (end - p < 4 || p[0] != '\\' || p[1] < '0' || p[1] > '3')
		return false;
	return p[2] >= '0' && p[2] <= '7' && p[3] >= '0' && p[3] <= '7';
}

/* Without octal escapes, allocated; NULL without memory. */
static char *decode(struct text text)
{
	char *ret = malloc((size_t)(text.end - text.at) + 1), *to = ret;

	for (const char *p = text.at; ret && p < text.end; p++) {
		if (is_octal(p, text.end)) {
			*to++ = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 3;
		} else {
			*to++ = *p;
		}
	}
	if (ret)
		*to = '\0';
	return ret;
}

/* The path [@at, @end), its backslashes taken out when they are @escapes. */
static char *path_of(const char *at, const char *end, bool escapes)
{
	char *ret = malloc((size_t)(end - at) + 1), *to = ret;

	for (; ret && at < end; at++) {
		if (escapes && *at == '\\' && at + 1 < end)
			at++;
		*to++ = *at;
	}
	if (ret)
		*to = '\0';
	return ret;
}

/* @literal: whether there are escapes in it is not sure. */
static int add_layer(struct pme_overlay *overlay, const char *at, const char *end, bool escapes,
		     bool literal, bool data)
{
	struct pme_overlay_layer *layer;
	int r;

	if (at == end)
		return 0;
	if (overlay->n_layers >= PME_OVERLAY_LAYERS_MAX)
		return -EINVAL;
	r = pme_grow(&overlay->layers, &overlay->alloc_layers, overlay->n_layers, sizeof(*layer));
	if (r < 0)
		return r;
	layer = &overlay->layers[overlay->n_layers++];
	*layer = (struct pme_overlay_layer){.path = path_of(at, end, escapes), .data = data};
	if (!layer->path)
		return -ENOMEM;
	if (literal && memchr(at, '\\', (size_t)(end - at))) {
		layer->literal = path_of(at, end, !escapes);
		if (!layer->literal)
			return -ENOMEM;
	}
	return 0;
}

/* "a:b\:c::d": behind a double colon all layers are for data only. */
static int add_lowers(struct pme_overlay *overlay, const char *value)
{
	const char *at = value, *p = value;
	bool data = false;
	int r = 0;

	for (; r == 0 && *p; p++) {
		if (*p == '\\' && p[1]) {
			p++;
		} else if (*p == ':') {
			r = add_layer(overlay, at, p, true, false, data);
			data |= p[1] == ':';
			at = p + 1;
		}
	}
	return r < 0 ? r : add_layer(overlay, at, p, true, false, data);
}

/* The upper layer stands behind the lower ones in the options. */
static void put_last_first(struct pme_overlay *overlay)
{
	struct pme_overlay_layer last = overlay->layers[overlay->n_layers - 1];

	memmove(overlay->layers + 1, overlay->layers,
		(overlay->n_layers - 1) * sizeof(*overlay->layers));
	overlay->layers[0] = last;
}

static int add_upper(struct pme_overlay *overlay, const char *value, const char *end)
{
	size_t before = overlay->n_layers;
	int r = overlay->has_upper ? -EINVAL : add_layer(overlay, value, end, true, true, false);

	if (r == 0 && overlay->n_layers > before) {
		put_last_first(overlay);
		overlay->has_upper = true;
	}
	return r;
}

static int read_option(struct pme_overlay *overlay, struct text option)
{
	struct text name = {0}, value = option;
	_cleanup_free_ char *text = NULL;
	const char *end;

	cut(&value, '=', &name);
	if (!value.at)
		return 0;
	text = decode(value);
	if (!text)
		return -ENOMEM;
	end = text + strlen(text);
	if (text_is(name, "upperdir"))
		return add_upper(overlay, text, end);
	if (text_is(name, "lowerdir"))
		return add_lowers(overlay, text);
	if (text_is(name, "lowerdir+") || text_is(name, "datadir+"))
		return add_layer(overlay, text, end, false, true, *name.at == 'd');
	if (text_is(name, "redirect_dir")) {
		overlay->redirects = strcmp(text, "on") == 0;
		overlay->follows = strcmp(text, "nofollow") != 0;
	}
	if (text_is(name, "metacopy"))
		overlay->metacopy = strcmp(text, "on") == 0;
	if (text_is(name, "index") || text_is(name, "nfs_export")) /* which needs an index */
		overlay->index |= strcmp(text, "on") == 0;
	return 0;
}

static int read_options(struct pme_overlay *overlay, struct text options)
{
	struct text option;
	int r = 0;

	overlay->follows = true; /* what most kernels do when nothing is said */
	while (r == 0 && cut(&options, ',', &option))
		r = read_option(overlay, option);
	return r;
}

static int read_number(struct text text, dev_t *ret)
{
	struct text part;
	uint64_t numbers[2];

	for (size_t i = 0; i < 2; i++)
		if (!cut(&text, ':', &part) ||
		    pme_parse_u64(part.at, (size_t)(part.end - part.at), &numbers[i]) < 0 ||
		    numbers[i] > UINT32_MAX)
			return -EINVAL;
	*ret = makedev((unsigned int)numbers[0], (unsigned int)numbers[1]);
	return text.at ? -EINVAL : 0;
}

static int add_mount(struct pme_overlay *overlay, struct text root, struct text target,
		     const char *pid)
{
	struct pme_overlay_mount *mount;
	int r = pme_grow(&overlay->mounts, &overlay->alloc_mounts, 0, sizeof(*mount));

	if (r < 0)
		return r;
	mount = &overlay->mounts[overlay->n_mounts++];
	*mount = (struct pme_overlay_mount){
		.pid = strdup(pid),
		.root = decode(root),
		.target = decode(target),
	};
	if (!mount->pid || !mount->root || !mount->target)
		return -ENOMEM;
	return *mount->root == '/' && *mount->target == '/' ? 0 : -EINVAL;
}

int pme_overlay_parse(const char *line, size_t len, const char *pid, struct pme_overlay *ret)
{
	_cleanup_(pme_overlay_done) struct pme_overlay overlay = {0};
	struct text rest = {line, line + len}, head[6], word, tail[3];
	int r;

	for (size_t i = 0; i < PME_ARRAY_SIZE(head); i++)
		if (!cut(&rest, ' ', &head[i]))
			return -EINVAL;
	do {
		if (!cut(&rest, ' ', &word))
			return -EINVAL;
	} while (!text_is(word, "-"));
	for (size_t i = 0; i < PME_ARRAY_SIZE(tail); i++)
		if (!cut(&rest, ' ', &tail[i]))
			return -EINVAL;
	if (!text_is(tail[0], "overlay"))
		return 0;
	r = rest.at ? -EINVAL : read_number(head[2], &overlay.shown);
	if (r == 0)
		r = add_mount(&overlay, head[3], head[4], pid);
	if (r == 0)
		r = read_options(&overlay, tail[2]);
	if (r < 0)
		return r;
	overlay.options = strndup(tail[2].at, (size_t)(tail[2].end - tail[2].at));
	if (!overlay.options)
		return -ENOMEM;
	*ret = overlay;
	overlay = (struct pme_overlay){0};
	return 1;
}

void pme_overlay_done(struct pme_overlay *overlay)
{
	for (size_t i = 0; i < overlay->n_layers; i++) {
		free(overlay->layers[i].path);
		free(overlay->layers[i].literal);
	}
	for (size_t i = 0; i < overlay->n_mounts; i++) {
		free(overlay->mounts[i].pid);
		free(overlay->mounts[i].root);
		free(overlay->mounts[i].target);
	}
	free(overlay->layers);
	free(overlay->mounts);
	free(overlay->options);
	*overlay = (struct pme_overlay){0};
}
