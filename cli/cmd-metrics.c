/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl metrics: what pmemctld knows, as OpenMetrics text.
 *
 * It reads the document that pmemctld leaves in /run, and never a device: a scrape costs nothing
 * and hangs nowhere.
 */
#include <string.h>
#include <time.h>

#include "cli.h"
#include "metrics.h"

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* NULL: there is none that can be used, which is said. */
static struct json_object *read_watch(struct cli *cli)
{
	_cleanup_free_ char *text = NULL;
	struct json_object *watch = NULL;
	size_t len;
	int r = pme_os_read_file(cli->os, PME_WATCH_FILE, PME_WATCH_MAX, &text, &len);

	if (r == 0)
		r = pme_watch_parse(text, len, &watch);
	if (r == -ENOENT)
		pme_log_incomplete(&cli->log, "pmemctld", "does not run: no /" PME_WATCH_FILE);
	else if (r == -EINVAL)
		pme_log_incomplete(&cli->log, "/" PME_WATCH_FILE, "is no document of pmemctld");
	else if (r < 0)
		pme_log_incomplete(&cli->log, "/" PME_WATCH_FILE, "cannot be read: %s",
				   strerror(-r));
	return watch;
}

static int run_metrics(struct cli *cli, struct json_object *doc)
{
	struct json_object *watch = read_watch(cli);
	int64_t time = now();
	bool up = pme_watch_alive(watch, time);
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int r = out ? pme_metrics_write(watch, time, PME_METRICS_OPEN, out) : -ENOMEM;

	if (out && fclose(out) != 0 && r == 0)
		r = -ENOMEM;
	if (watch && !up)
		pme_log_incomplete(&cli->log, "pmemctld",
				   "does not run any more: what it knew is from %s",
				   pme_json_get_text(watch, "time"));
	pme_json_bool(doc, "up", up);
	pme_json_set(doc, "metrics", r == 0 ? pme_json_lossy(text) : NULL);
	json_object_put(watch);
	free(text);
	return r;
}

static void empty_metrics(struct json_object *doc)
{
	pme_json_bool(doc, "up", false);
	pme_json_set(doc, "metrics", NULL);
}

static void metrics_text(const struct cli *cli, struct json_object *doc)
{
	fputs(pme_json_get_text(doc, "metrics"), stdout);
}

const struct cmd cmd_metrics = {
	.name = "metrics",
	.format = "pmemctl.metrics",
	.usage = "",
	.summary = "what pmemctld knows, as OpenMetrics text",
	.help = "",
	.max_args = 0,
	.run = run_metrics,
	.empty = empty_metrics,
	.text = metrics_text,
};
