/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl simulate: what would be hit if a device failed.
 */
#include <string.h>

#include "cli.h"
#include "simulate.h"
#include "text.h"

#define DEPTH 32 /* no stack of devices is deeper */

static int run_simulate(struct cli *cli, struct json_object *doc)
{
	int r = pme_simulate(cli->os, cli->args, cli->n_args, &cli->log, doc);

	if (r < 0)
		pme_simulate_json_empty(doc);
	return r;
}

static void fate_text(const struct cli *cli, struct json_object *object)
{
	const char *reason = pme_json_get_text(object, "reason");
	struct json_object *survives = pme_json_get(object, "survives");

	if (!survives)
		text_verdict(cli, "unknown");
	else
		printf("%s", json_object_get_boolean(survives) ? "survives" : "fails");
	if (*reason) {
		printf(": ");
		text_name(reason);
	}
}

static bool stands_on(struct json_object *upper, const char *device)
{
	struct json_object *lowers = pme_json_get(upper, "lowers");

	for (size_t i = 0; i < pme_json_count(lowers); i++)
		if (strcmp(json_object_get_string(pme_json_at(lowers, i)), device) == 0)
			return true;
	return false;
}

static void users_text(struct json_object *users, int indent)
{
	for (size_t i = 0; i < pme_json_count(users); i++) {
		struct json_object *user = pme_json_at(users, i);
		const char *unit = pme_json_get_text(user, "unit");
		const char *container = pme_json_get_text(user, "container");

		printf("%*sprocess %llu (", indent, "",
		       (unsigned long long)pme_json_get_number(user, "pid"));
		text_name(pme_json_get_text(user, "command"));
		printf("): %llu open, %llu mapped%s",
		       (unsigned long long)pme_json_get_number(user, "files_open"),
		       (unsigned long long)pme_json_get_number(user, "files_mapped"),
		       pme_json_get_bool(user, "map_sync") ? ", MAP_SYNC" : "");
		if (*unit) {
			printf(", ");
			text_name(unit);
		}
		if (*container) {
			printf(", container ");
			text_name(container);
		}
		printf("\n");
	}
}

static void elsewhere_text(struct json_object *mounts, int indent)
{
	for (size_t i = 0; i < pme_json_count(mounts); i++) {
		struct json_object *mount = pme_json_at(mounts, i);
		const char *container = pme_json_get_text(mount, "container");

		printf("%*son ", indent, "");
		text_name(pme_json_get_text(mount, "path"));
		printf(" in the mount namespace of process %llu (",
		       (unsigned long long)pme_json_get_number(mount, "pid"));
		text_name(pme_json_get_text(mount, "command"));
		printf(")");
		if (*container) {
			printf(", container ");
			text_name(container);
		}
		printf("\n");
	}
}

static void filesystem_text(const struct cli *cli, struct json_object *fs, int indent)
{
	printf("%*s%s", indent, "", pme_json_get_text(fs, "type"));
	if (pme_json_count(pme_json_get(fs, "mounts")) > 0) {
		printf(" on ");
		text_join(pme_json_get(fs, "mounts"));
	}
	printf("%s  ", pme_json_get_bool(fs, "dax") ? " (dax)" : "");
	fate_text(cli, fs);
	printf("\n");
	elsewhere_text(pme_json_get(fs, "mounts_elsewhere"), indent + 4);
	users_text(pme_json_get(fs, "holders"), indent + 4);
}

/* Whatever is directly on the device @name (NULL: a device that is gone). */
static void top_text(const struct cli *cli, struct json_object *doc, const char *name, int indent)
{
	struct json_object *filesystems = pme_json_get(doc, "filesystems");
	struct json_object *swaps = pme_json_get(doc, "swap"), *raws = pme_json_get(doc, "raw");

	for (size_t i = 0; i < pme_json_count(filesystems); i++) {
		struct json_object *fs = pme_json_at(filesystems, i);

		if (strcmp(pme_json_get_text(fs, "device"), name) == 0)
			filesystem_text(cli, fs, indent);
	}
	for (size_t i = 0; i < pme_json_count(swaps); i++) {
		struct json_object *swap = pme_json_at(swaps, i);

		if (strcmp(pme_json_get_text(swap, "device"), name) != 0)
			continue;
		printf("%*sswap%s  ", indent, "", pme_json_get(swap, "inode") ? " file" : "");
		fate_text(cli, swap);
		printf("\n");
	}
	for (size_t i = 0; i < pme_json_count(raws); i++)
		if (strcmp(pme_json_get_text(pme_json_at(raws, i), "device"), name) == 0)
			users_text(pme_json_get(pme_json_at(raws, i), "holders"), indent);
}

static void device_text(const struct cli *cli, struct json_object *doc, struct json_object *dev,
			int depth)
{
	struct json_object *stack = pme_json_get(doc, "stack");
	const char *name = pme_json_get_text(dev, "device");

	printf("%*s", 2 * depth, "");
	text_name(pme_json_get_text(dev, "name"));
	printf("  %s  ", pme_json_get_text(dev, "detail"));
	if (pme_json_get(dev, "size"))
		text_bytes(pme_json_get_number(dev, "size"));
	if (depth > 0) {
		printf("  ");
		fate_text(cli, dev);
	}
	printf("\n");
	top_text(cli, doc, name, 2 * depth + 4);
	for (size_t i = 0; depth < DEPTH && i < pme_json_count(stack); i++)
		if (stands_on(pme_json_at(stack, i), name))
			device_text(cli, doc, pme_json_at(stack, i), depth + 1);
}

/* Filesystems whose device is none of those shown above: it is gone. */
static void simulate_text(const struct cli *cli, struct json_object *doc)
{
	struct json_object *devices = pme_json_get(doc, "devices");

	if (pme_json_count(devices) == 0 && pme_json_count(pme_json_get(doc, "filesystems")) == 0)
		printf("Nothing would be hit.\n");
	for (size_t i = 0; i < pme_json_count(devices); i++)
		device_text(cli, doc, pme_json_at(devices, i), 0);
	top_text(cli, doc, "", 0);
}

const struct cmd cmd_simulate = {
	.name = "simulate",
	.format = "pmemctl.simulate",
	.usage = "[SEL…]",
	.summary = "what would be hit if these devices failed as a whole",
	.help = "",
	.max_args = SIZE_MAX,
	.run = run_simulate,
	.empty = pme_simulate_json_empty,
	.text = simulate_text,
};
