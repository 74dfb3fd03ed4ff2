/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MESSAGE_ID of each type of event in the journal.  Made at random, once; they never change, as
 * people and programs look for them.  What they mean and what to do is in systemd/pmemctl.catalog.
 */
#ifndef PMED_SINK_JOURNAL_H
#define PMED_SINK_JOURNAL_H

#include "event.h"

#define PMED_MESSAGE_IDS(X)                                                  \
	X(PME_EVENT_FINDING_ADDED, "b35d507593fc4225a3abb15280ad1a8b")       \
	X(PME_EVENT_FINDING_CHANGED, "2cc1fe6cf3964bacad0aeca8e1944a7c")     \
	X(PME_EVENT_FINDING_GONE, "9cbd37b926544ca39d797a6b8192d3f5")        \
	X(PME_EVENT_DEVICE_OFFLINE, "e597d79462464e95ae0d3a1de33bdf7c")      \
	X(PME_EVENT_DEVICE_ONLINE, "40cb0fea3fb94c6e98478367f64273d9")       \
	X(PME_EVENT_DEVICE_CHANGED, "544ce7b30bbf4efb9e8d1356cc75b25d")      \
	X(PME_EVENT_DAX_LOST, "c4631971f2fc426f80aa2cd49afef1d6")            \
	X(PME_EVENT_SCRUB_STARTED, "9a78475e6b2744eb9beba9bdb8d4efed")       \
	X(PME_EVENT_SCRUB_FINISHED, "75804acc88d04b58a32a8ff234076c4c")      \
	X(PME_EVENT_HEALTH, "8e729b96b3ae4e3e9f19419349b48a5b")              \
	X(PME_EVENT_MEMORY_FAILURE, "293b20dafe364bbc89691d19b740b843")      \
	X(PME_EVENT_CXL, "fda01878d67a41e29f708c13383c3e07")                 \
	X(PME_EVENT_COVERAGE_INCOMPLETE, "c9e4a44cd03243bf88cba1a06a555372") \
	X(PME_EVENT_COVERAGE_COMPLETE, "46f9476bc3964cd4a351c9f4cdb876aa")   \
	X(PME_EVENT_WATCH_STARTED, "17657cc2feec4f34b897fe73a7477fd5")       \
	X(PME_EVENT_WATCH_STOPPED, "a465657bb3734f619126a76768db0196")       \
	X(PME_EVENT_STORE_REPLACED, "ae4453c4d85640feb380fdc1d6d96a7e")      \
	X(PME_EVENT_SINK_FAILED, "6d1d41dd02954687a153b0c086812f17")

/* Borrowed. */
const char *pmed_message_id(enum pme_event_type type);

#endif
