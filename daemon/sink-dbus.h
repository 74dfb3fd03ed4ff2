/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watch on the system bus: sink-dbus.c is the connection and the signals, sink-dbus-object.c
 * the object with its methods, sink-dbus-facts.c what its properties say.
 */
#ifndef PMED_SINK_DBUS_H
#define PMED_SINK_DBUS_H

#include <systemd/sd-bus.h>

#include "sink.h"

#define PMED_DBUS_NAME "org.pmemctl.Daemon1" /* of the interface, too */
#define PMED_DBUS_PATH "/org/pmemctl/Daemon1"
/* A dbus-daemon throws out who sends more than 32 MiB at once, unless it is configured to. */
#define PMED_DBUS_TEXT_MAX ((size_t)16 << 20)
#define PMED_DBUS_RESCANS 16 /* that wait for the bus to say who asks */
#define PMED_DBUS_WAITING 64

/* Values of the properties; texts are constants. */
struct pmed_dbus_facts {
	const char *state;    /* "healthy", "degraded", "faulted", "unknown" */
	const char *coverage; /* "complete", "incomplete", "unknown" */
	uint64_t bad_bytes;
	uint64_t last_scan; /* µs of CLOCK_REALTIME since which all was looked at; 0: not all was */
	uint32_t findings;
};

/* A call of Rescan whose sender is being looked up; free when @call is NULL. */
struct pmed_rescan {
	struct pmed_dbus *dbus;
	sd_bus_message *call;
	sd_bus_slot *slot;
};

struct pmed_dbus {
	struct pmed_sink *sink;
	sd_bus *bus; /* NULL: none */
	bool named;  /* it has the name, so it is there for others */
	char *why;   /* it cannot be; NULL: it is, or tries */
	sd_event_source *timer;
	uint64_t delay;	 /* µs, before the next try */
	uint64_t queued; /* bytes, since all was written last */
	const char *version;
	struct pmed_dbus_facts facts;
	int64_t waiting[PMED_DBUS_WAITING]; /* events given to the bus before it gave the name */
	size_t n_waiting;
	struct pmed_rescan rescans[PMED_DBUS_RESCANS];
};

/* Of members "jobs", "devices", "findings", "incidents" of the watch document; NULL: unknown. */
void pmed_dbus_facts(struct json_object *doc, struct pmed_dbus_facts *ret);
/* The region that @name, of a region, namespace or device, belongs to; NULL: none is known. */
const char *pmed_dbus_region(struct json_object *doc, const char *name);
/* These members, of now.  New reference, NULL without memory. */
struct json_object *pmed_dbus_doc(struct pmed *d);

/* Does a message with @size bytes fit into what may wait for the bus?  It counts as sent then. */
bool pmed_dbus_room(struct pmed_dbus *dbus, size_t size);

/* The object on dbus->bus; 0 or -errno.  And before the bus goes. */
int pmed_dbus_object_add(struct pmed_dbus *dbus);
void pmed_dbus_object_drop(struct pmed_dbus *dbus);

#endif
