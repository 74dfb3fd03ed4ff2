/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words of the parameters of a device-mapper target; see the header.
 */
#include "dm-params.h"

#include <string.h>
#include <sys/sysmacros.h>

#define MAJOR_MAX 0xfffU /* MINORBITS is 20 in include/linux/kdev_t.h */
#define MINOR_MAX 0xfffffU

struct pme_dm_params pme_dm_params_of(const struct pme_dm_line *line)
{
	const char *text = line->params ? line->params : "";

	return (struct pme_dm_params){.pos = text, .end = text + strlen(text)};
}

int pme_dm_params_u64(struct pme_dm_params *params, uint64_t *ret)
{
	const char *word;
	size_t len;

	if (pme_next_word(&params->pos, params->end, &word, &len) != 1)
		return -EINVAL;
	return pme_parse_u64(word, len, ret) < 0 ? -EINVAL : 0;
}

int pme_dm_params_sectors(struct pme_dm_params *params, uint64_t *ret)
{
	uint64_t sectors;
	int r = pme_dm_params_u64(params, &sectors);

	if (r < 0)
		return r;
	return pme_mul(sectors, PME_SECTOR, ret) < 0 ? -EINVAL : 0;
}

static int parse_dev(const char *word, size_t len, dev_t *ret)
{
	const char *colon = memchr(word, ':', len);
	uint64_t major, minor;

	if (!colon || pme_parse_u64(word, colon - word, &major) < 0 ||
	    pme_parse_u64(colon + 1, word + len - (colon + 1), &minor) < 0)
		return -EINVAL;
	if (major > MAJOR_MAX || minor > MINOR_MAX || (major == 0 && minor == 0))
		return -EINVAL;
	*ret = makedev((unsigned int)major, (unsigned int)minor);
	return 0;
}

int pme_dm_params_dev(struct pme_dm_params *params, dev_t *ret)
{
	const char *word;
	size_t len;

	if (pme_next_word(&params->pos, params->end, &word, &len) != 1)
		return -EINVAL;
	return parse_dev(word, len, ret);
}

int pme_dm_params_end(struct pme_dm_params *params)
{
	const char *word;
	size_t len;

	return pme_next_word(&params->pos, params->end, &word, &len) == 0 ? 0 : -EINVAL;
}

bool pme_dm_line_names(const struct pme_dm_line *line, dev_t devno)
{
	struct pme_dm_params params = pme_dm_params_of(line);
	const char *word;
	size_t len;
	dev_t named;

	while (pme_next_word(&params.pos, params.end, &word, &len) == 1)
		if (parse_dev(word, len, &named) == 0 && named == devno)
			return true;
	return false;
}

const struct pme_dev *pme_dm_lower(const struct pme_dev *upper, dev_t devno)
{
	for (size_t i = 0; i < upper->n_lowers; i++)
		if (upper->lowers[i]->devno == devno)
			return upper->lowers[i];
	return NULL;
}
