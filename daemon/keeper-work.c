/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the keeper does in its thread: open the store, put changes into it, forget what is old.
 *
 * It gets text and makes its own JSON of it: the objects of the loop stay in the loop.
 */
#include "keeper-work.h"

#include <string.h>

void pmed_keeper_item_free(struct pmed_keeper_item *item)
{
	free(item->text);
	free(item->state);
	free(item->error);
	free(item->moved);
	free(item);
}

void pmed_keeper_file_free(struct pmed_keeper_file *file)
{
	if (!file)
		return;
	pme_store_close(file->store);
	free(file->path);
	free(file);
}

static int open_store(struct pmed_keeper_file *file, struct pmed_keeper_item *item)
{
	int r = 0;

	if (item->replace) {
		file->store = pme_store_close(file->store);
		return pme_store_replace(file->path, item->now, &file->store, &item->moved);
	}
	if (file->store)
		r = pme_store_look(file->store);
	if (file->store && r == 0 && item->expire) /* opening looks at all of it */
		file->store = pme_store_close(file->store);
	if (r == 0 && !file->store)
		r = pme_store_open(file->path, item->now, &file->store, &item->moved);
	return r;
}

static int apply_text(struct pmed_keeper_file *file, const char *text)
{
	_cleanup_free_ char *array = pme_printf("[%s]", text);
	struct json_object *changes = array ? json_tokener_parse(array) : NULL;
	int r = changes ? pme_store_apply(file->store, changes) : -ENOMEM;

	json_object_put(changes);
	return r;
}

int pmed_keeper_work(void *context, void *data)
{
	struct pmed_keeper_file *file = context;
	struct pmed_keeper_item *item = data;
	int r = open_store(file, item);

	if (r == 0 && item->text)
		r = apply_text(file, item->text);
	if (r == 0 && item->state)
		r = apply_text(file, item->state);
	if (r == 0 && item->expire)
		r = pme_store_expire(file->store, item->now, item->before, item->max_events);
	if (r < 0) {
		const char *said = pme_store_error(file->store);

		item->error = pme_printf("%s%s%s", r == -EUCLEAN ? "it is damaged" : strerror(-r),
					 *said ? ": " : "", said);
		/* It is opened again at the next try, which looks whether it is damaged. */
		file->store = pme_store_close(file->store);
	}
	return r;
}
