/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl list: the bad ranges of each device.
 */
#include "cli.h"
#include "health.h"
#include "list.h"
#include "text.h"

static void empty_list(struct json_object *doc)
{
	pme_list_json_empty(doc);
	pme_json_set(doc, "health", NULL);
}

static int run_list(struct cli *cli, struct json_object *doc)
{
	struct pme_scan_args args = cli_scan_args(cli);
	struct pme_scan scan = {0};
	int r;

	args.only_kernel_lists = true;
	r = pme_scan_run(cli->os, &args, &cli->log, &scan);
	if (r == 0) {
		pme_list_json(&scan, doc);
		pme_json_set(doc, "health", cli->health ? pme_health_json(scan.topo) : NULL);
		cli->exit_status = pme_scan_exit(&scan, &cli->log);
		if (scan.bads.count > 0)
			cli->exit_status |= PME_EXIT_BAD;
	} else {
		empty_list(doc);
	}
	pme_scan_done(&scan);
	return r;
}

static void range_text(struct json_object *range)
{
	uint64_t start = pme_json_get_number(range, "start");
	uint64_t length = pme_json_get_number(range, "length");

	printf("    %llu+%llu  (sector %llu+%llu", (unsigned long long)start,
	       (unsigned long long)length, (unsigned long long)(start / PME_SECTOR),
	       (unsigned long long)(length / PME_SECTOR));
	if (pme_json_get(range, "physical_address"))
		printf(", physical 0x%llx",
		       (unsigned long long)pme_json_get_number(range, "physical_address"));
	if (pme_json_count(pme_json_get(range, "dimms")) > 0) {
		printf(", ");
		text_join(pme_json_get(range, "dimms"));
	}
	printf(")  known by ");
	text_join(pme_json_get(range, "known_by"));
	printf("\n");
}

static void device_text(struct json_object *device)
{
	struct json_object *ranges = pme_json_get(device, "ranges");
	const char *ns = pme_json_get_text(device, "namespace");

	printf("%s", pme_json_get_text(device, "device"));
	if (*ns)
		printf("  %s (%s)", ns, pme_json_get_text(device, "mode"));
	printf(": ");
	if (pme_json_count(ranges) == 0) {
		printf("no bad blocks known\n");
		return;
	}
	printf("%zu bad range%s, ", pme_json_count(ranges), pme_json_count(ranges) == 1 ? "" : "s");
	text_bytes(pme_json_get_number(device, "bad_bytes"));
	printf("\n");
	for (size_t i = 0; i < pme_json_count(ranges); i++)
		range_text(pme_json_at(ranges, i));
}

static void celsius_text(struct json_object *dimm, const char *key, const char *what)
{
	struct json_object *value = pme_json_get(dimm, key);

	if (value)
		printf(", %s %lld C", what, (long long)json_object_get_int64(value));
}

static void percent_text(struct json_object *dimm, const char *key, const char *what)
{
	if (pme_json_get(dimm, key))
		printf(", %s %llu %%", what, (unsigned long long)pme_json_get_number(dimm, key));
}

static void health_text(struct json_object *dimms)
{
	for (size_t i = 0; i < pme_json_count(dimms); i++) {
		struct json_object *dimm = pme_json_at(dimms, i);
		const char *state = pme_json_get_text(dimm, "health_state");

		text_name(pme_json_get_text(dimm, "name"));
		if (!pme_json_get_bool(dimm, "available")) {
			printf(": health not available: ");
			text_name(pme_json_get_text(dimm, "reason"));
			printf("\n");
			continue;
		}
		printf(": health %s", *state ? state : "unknown");
		celsius_text(dimm, "media_temperature", "media");
		celsius_text(dimm, "controller_temperature", "controller");
		percent_text(dimm, "spares", "spares");
		percent_text(dimm, "life_used", "life used");
		printf("\n");
	}
}

static void list_text(const struct cli *cli, struct json_object *doc)
{
	struct json_object *devices = pme_json_get(doc, "devices");

	if (pme_json_count(devices) == 0)
		printf("This machine has no persistent memory.\n");
	for (size_t i = 0; i < pme_json_count(devices); i++)
		device_text(pme_json_at(devices, i));
	health_text(pme_json_get(doc, "health"));
}

const struct cmd cmd_list = {
	.name = "list",
	.format = "pmemctl.list",
	.usage = "[--health] [SEL…]",
	.summary = "the bad ranges of each device, with DIMM and physical address",
	.help = "\n  --health  also the health of all DIMMs, as their firmware says\n",
	.options = CLI_HEALTH,
	.max_args = SIZE_MAX,
	.run = run_list,
	.empty = empty_list,
	.text = list_text,
};
