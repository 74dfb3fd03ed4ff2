/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The manifest: the model as lines of text.
 *
 *	selfdata-manifest 1 TAG
 *	F NUMBER KIND SIZE
 *	P PATH				one line per name of the F before it
 *	X START LENGTH STATE CONTENT OFFSET GENERATION
 *
 * Bytes of paths other than letters, digits and "._-/" are written as %XX, so that any name fits
 * on a line.  Numbers are decimal.  Only linked files are listed.  The reader refuses anything
 * else: a manifest that is cut short must not look like a small tree, hence the last line "end".
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "selfdata.h"

static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("._-/", c));
}

static void put_path(FILE *out, const char *path)
{
	fputs("P ", out);
	for (; *path; path++)
		fprintf(out, is_plain(*path) ? "%c" : "%%%02X", (unsigned char)*path);
	fputc('\n', out);
}

static void put_file(FILE *out, const struct sd_file *file)
{
	fprintf(out, "F %" PRIu64 " %c %" PRIu64 "\n", file->number, file->kind, file->size);
	for (size_t i = 0; i < file->n_paths; i++)
		put_path(out, file->paths[i]);
	for (size_t i = 0; i < file->n_extents; i++) {
		const struct sd_extent *x = &file->extents[i];
		bool data = x->state == SD_DATA;

		fprintf(out, "X %" PRIu64 " %" PRIu64 " %c %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
			x->start, x->length, x->state, data ? x->id.content : 0,
			data ? x->id.offset : 0, data ? x->id.generation : 0);
	}
}

int sd_manifest_save(const struct sd_model *model, const char *name)
{
	FILE *out = fopen(name, "we");
	int err;

	if (!out)
		return -errno;
	fprintf(out, "selfdata-manifest 1 %" PRIu64 "\n", model->tag);
	for (size_t i = 0; i < model->n_files; i++)
		if (model->files[i]->n_paths)
			put_file(out, model->files[i]);
	fputs("end\n", out);
	err = ferror(out) ? -EIO : 0;
	if (fclose(out) != 0 && !err)
		err = -errno;
	return err;
}

static int unescape(char *text)
{
	char *out = text;

	for (; *text; text++) {
		char hex[3] = {0};

		if (*text != '%') {
			*out++ = *text;
			continue;
		}
		if (!text[1] || !text[2])
			return -EINVAL;
		memcpy(hex, text + 1, 2);
		*out++ = (char)strtoul(hex, NULL, 16);
		text += 2;
	}
	*out = '\0';
	return 0;
}

/* Splits at single blanks; words point into line. */
static size_t split(char *line, char **words, size_t limit)
{
	size_t count = 0;
	char *word;

	line[strcspn(line, "\n")] = '\0';
	while (count < limit && (word = strsep(&line, " ")))
		words[count++] = word;
	return line ? 0 : count;
}

static int get_numbers(char *const *words, const size_t *which, size_t count, uint64_t *ret)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = sd_parse_u64(words[which[i]], &ret[i]);
	return err;
}

static int get_extent(const struct sd_model *model, struct sd_file *file, char **words)
{
	static const size_t which[] = {1, 2, 4, 5, 6};
	uint64_t n[5];

	if (!file || get_numbers(words, which, 5, n) != 0 || !strchr("DUHZ", *words[3]))
		return -EINVAL;
	sd_file_put(file, &(struct sd_extent){
				  .start = n[0],
				  .length = n[1],
				  .state = (enum sd_state) * words[3],
				  .id = {model->tag, n[2], n[3], n[4]},
			  });
	return 0;
}

static int get_file(struct sd_model *model, char **words, struct sd_file **ret_file)
{
	static const size_t which[] = {1, 3};
	uint64_t n[2];

	if (get_numbers(words, which, 2, n) != 0)
		return -EINVAL;
	*ret_file = sd_model_add(model, *words[2], NULL);
	(*ret_file)->number = n[0];
	(*ret_file)->size = n[1];
	return 0;
}

/* 1 at the last line, 0 to go on. */
static int get_line(struct sd_model *model, char *line, struct sd_file **file)
{
	char *words[8];
	size_t count = split(line, words, 8);

	if (count == 1 && strcmp(words[0], "end") == 0)
		return 1;
	if (count == 3 && strcmp(words[0], "selfdata-manifest") == 0)
		return strcmp(words[1], "1") ? -EINVAL : sd_parse_u64(words[2], &model->tag);
	if (count == 4 && *words[0] == 'F')
		return get_file(model, words, file);
	if (count == 7 && *words[0] == 'X')
		return get_extent(model, *file, words);
	if (count != 2 || *words[0] != 'P' || !*file || unescape(words[1]) != 0)
		return -EINVAL;
	sd_file_add_path(*file, words[1]);
	return 0;
}

int sd_manifest_load(struct sd_model *model, const char *name)
{
	FILE *in = fopen(name, "re");
	struct sd_file *file = NULL;
	char *line = NULL;
	size_t room = 0;
	int r = 0;

	if (!in)
		return -errno;
	*model = (struct sd_model){0};
	while (r == 0 && getline(&line, &room, in) > 0)
		r = get_line(model, line, &file);
	free(line);
	fclose(in);
	return r == 1 ? 0 : r ? r : -EINVAL;
}
