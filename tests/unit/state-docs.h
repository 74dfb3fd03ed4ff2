/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Made-up documents of workers for the tests of daemon/state*.c, as texts with ' for ".
 */
#ifndef PME_TESTS_STATE_DOCS_H
#define PME_TESTS_STATE_DOCS_H

#include "check.h"
#include "state.h"

/* JSON with ' for "; it must be JSON. */
static inline struct json_object *json(const char *text)
{
	_cleanup_free_ char *own = strdup(text);
	struct json_object *value;

	assert_non_null(own);
	for (char *p = own; *p; p++)
		if (*p == '\'')
			*p = '"';
	value = json_tokener_parse(own);
	if (!value)
		print_error("no JSON: %s\n", own);
	assert_non_null(value);
	return value;
}

#define DEVICE_FMT                                                                      \
	"{'device':'%s','namespace':%s,'mode':%s,'region':'region0','dimms':['nmem0']," \
	"'identity':'%s','uuid':null,'size':1048576,'list':'%s','bad_bytes':0,'ranges':[]}"

static inline char *disk_text(const char *name, const char *identity, const char *list)
{
	return pme_printf(DEVICE_FMT, name, "'namespace0.0'", "'fsdax'", identity, list);
}

static inline char *region_text(const char *list)
{
	return pme_printf(DEVICE_FMT, "region0", "null", "null", "iset:1", list);
}

/* A finding of 4096 bytes, with one file. */
static inline char *finding_text(unsigned int id, const char *device, uint64_t start,
				 const char *known_by, const char *verdict, const char *path)
{
	return pme_printf(
		"{'id':'%016x','device':'%s','namespace':'namespace0.0','mode':'fsdax',"
		"'region':'region0','dimms':['nmem0'],'range':{'start':%llu,'length':4096},"
		"'physical_address':%llu,'known_by':[%s],'verdict':'%s','claims':[{'via':"
		"[{'device':'%s','name':null,'kind':'disk','start':%llu,'length':4096}],"
		"'certainty':'exact','reason':null,'owner':{'kind':'file-data','detail':null,"
		"'filesystem':null,'inode':7,'generation':1,'range':null,'shared':false,"
		"'paths':[{'path':'%s','raw':null}],'paths_complete':true,'paths_reason':null,"
		"'inodes':[],'holders':[{'pid':42,'command':'db','unit':'db.service',"
		"'container':null,'open':true,'mapped':false,'map_sync':false,"
		"'range_mapped':false}]},'verdict':'%s','donor':null}]}",
		id, device, (unsigned long long)start, (unsigned long long)(start + (1 << 30)),
		known_by, verdict, device, (unsigned long long)start, path, verdict);
}

static inline char *doc_text(const char *format, const char *coverage, const char *messages,
			     const char *devices, const char *findings)
{
	return pme_printf("{'format':'pmemctl.%s','format_version':[1,0],'pmemctl':{},'host':{},"
			  "'time':'2026-01-02T03:04:05.000000Z','coverage':'%s','messages':[%s],"
			  "'devices':[%s],'findings':[%s]}",
			  format, coverage, messages, devices, findings);
}

/* "type:severity " of each event. */
static inline char *event_words(const struct pmed_news *news)
{
	char *words = NULL;

	for (size_t i = 0; i < pme_json_count(news->events); i++) {
		struct json_object *event = pme_json_at(news->events, i);
		_cleanup_free_ char *word = pme_printf("%s:%s", pme_json_get_text(event, "type"),
						       pme_json_get_text(event, "severity"));

		words_add(&words, word);
	}
	return words;
}

#endif
