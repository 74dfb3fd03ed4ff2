/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far the run is; see progress-bar.h.
 *
 * The bar appears after a second, and never where standard error is no terminal.  It has no
 * percentage when nobody knows how much there is; one by an estimate says "about".
 */
#include "progress-bar.h"

#include <string.h>
#include <sys/ioctl.h>

#include "conf.h"

#define BAR_AFTER PME_SECOND
#define BAR_CELLS 20
#define WIDTH 80 /* of a terminal that does not say */
#define MILLISECOND (PME_SECOND / 1000)

int progress_take_deadline(struct cli *cli, const char *text)
{
	uint64_t msec;

	if (pme_duration_parse(text, strlen(text), &msec) < 0 ||
	    pme_mul(msec, MILLISECOND, &cli->deadline) < 0) {
		pme_log_add(&cli->log, PME_ERROR, text, "%s",
			    "not a time: expected seconds, or a number with ms, s, min, h or d");
		return -EINVAL;
	}
	return 0;
}

static size_t terminal_width(void)
{
	struct winsize size = {0};

	if (pme_os_ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return WIDTH;
	return size.ws_col;
}

/* Names come from outside: what is no plain character is '?'. */
static void make_plain(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || (unsigned char)*text > '~')
			*text = '?';
}

static char *left_text(const struct pme_progress *progress)
{
	uint64_t left = pme_progress_left(progress);
	unsigned long long seconds = (left + PME_SECOND - 1) / PME_SECOND;

	if (left == UINT64_MAX)
		return strdup("");
	if (seconds < 90)
		return pme_printf(", about %llu s left", seconds);
	return pme_printf(", about %llu min left", (seconds + 30) / 60);
}

/* "43 % [########------------], about 3 s left"; without a total: "12345 entries". */
static char *amount_text(const struct pme_progress *progress)
{
	int permille = pme_progress_permille(progress);
	int cells = permille * BAR_CELLS / 1000;
	_cleanup_free_ char *left = left_text(progress);

	if (!left)
		return NULL;
	if (permille < 0)
		return pme_printf("%llu %s", (unsigned long long)progress->done,
				  pme_unit_name(progress->unit));
	return pme_printf("[%.*s%.*s] %s%d %%%s", cells, "####################", BAR_CELLS - cells,
			  "--------------------", progress->estimated ? "about " : "",
			  permille / 10, left);
}

static void show_bar(void *arg, const struct pme_progress *progress)
{
	struct cli *cli = arg;
	_cleanup_free_ char *amount = NULL, *line = NULL;
	size_t width;

	if (progress->now - progress->begun < BAR_AFTER)
		return;
	amount = amount_text(progress);
	line = amount ? pme_printf("%s%s%s: %s", progress->subject ? progress->subject : "",
				   progress->subject ? ": " : "", pme_phase_text(progress->phase),
				   amount)
		      : NULL;
	if (!line)
		return;
	make_plain(line);
	width = terminal_width();
	/* in the last column the cursor may go to the next line */
	fprintf(stderr, "\r\033[K%.*s", (int)pme_min(width > 1 ? width - 1 : 1, 1000), line);
	fflush(stderr);
	cli->bar = true;
}

static uint64_t in_msec(uint64_t nsec)
{
	return nsec == UINT64_MAX ? UINT64_MAX : nsec / MILLISECOND;
}

/* One line; without memory for it there is none. */
static void show_line(void *arg, const struct pme_progress *progress)
{
	struct json_object *line = json_object_new_object();
	struct json_object *version = json_object_new_array();
	const char *text;

	(void)arg;
	if (version) {
		json_object_array_add(version, json_object_new_int(1));
		json_object_array_add(version, json_object_new_int(1));
	}
	pme_json_text(line, "format", "pmemctl.progress");
	pme_json_set(line, "format_version", version);
	pme_json_text(line, "phase", pme_phase_name(progress->phase));
	pme_json_text(line, "subject", progress->subject);
	pme_json_text(line, "unit", pme_unit_name(progress->unit));
	pme_json_number(line, "done", progress->done);
	pme_json_number(line, "total",
			pme_progress_permille(progress) < 0 ? UINT64_MAX : progress->total);
	pme_json_bool(line, "estimated", progress->estimated);
	pme_json_number(line, "elapsed_msec", in_msec(progress->now - progress->begun));
	pme_json_number(line, "left_msec", in_msec(pme_progress_left(progress)));
	text = line ? json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN |
								   JSON_C_TO_STRING_NOSLASHESCAPE)
		    : NULL;
	if (text)
		fprintf(stderr, "%s\n", text);
	json_object_put(line);
}

static bool is_terminal(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

void progress_begin(struct cli *cli)
{
	if (cli->lines)
		cli->progress.tell = show_line;
	else if (!cli->quiet && is_terminal())
		cli->progress.tell = show_bar;
	cli->progress.arg = cli;
	pme_progress_start(&cli->progress, cli->deadline);
	cli->log.progress = &cli->progress;
}

void progress_end(struct cli *cli)
{
	cli->log.progress = NULL;
	if (cli->bar)
		fprintf(stderr, "\r\033[K");
	cli->bar = false;
}
