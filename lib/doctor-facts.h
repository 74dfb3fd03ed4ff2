/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `pmemctl doctor` reads before it judges: plain data, so that rules can be tried on any
 * machine that might be.
 */
#ifndef PME_DOCTOR_FACTS_H
#define PME_DOCTOR_FACTS_H

#include "clear.h"
#include "protect.h"

enum pme_known { PME_NOT_KNOWN, PME_NO, PME_YES };

struct pme_kernel_facts {
	const char *release; /* "6.12.117-amd64" */
	bool applies;	     /* there is persistent memory, or something under protection */
	bool has_nfit;	     /* a bus of ACPI's NFIT: errors come as machine checks */
	bool has_cxl;
	enum pme_known handles_failure; /* built with CONFIG_MEMORY_FAILURE */
	uint64_t early_kill, recovery;	/* of vm.memory_failure_*, or PME_UNKNOWN */
	enum pme_known machine_checks;	/* not switched off on the command line */
	enum pme_known traces;		/* tracefs is there */
	enum pme_known trace_failure, trace_cxl;
	char *error; /* why something of it is not known, or NULL */
};

struct pme_bus_facts {
	const char *name, *provider;
	enum pme_known scrubs;
	bool busy;
	uint64_t count;
	enum pme_known rescrubs; /* hw_error_scrub */
	const char *error;	 /* why one is not known, or NULL */
	enum pme_clear_works clears;
	const char *clear_reason;
};

enum pme_list_reading { PME_READ_WHOLE, PME_READ_CLIPPED, PME_READ_FULL, PME_READ_FAILED };
struct pme_list_facts {
	const char *device; /* "region0", "pmem0" */
	enum pme_list_reading reading;
	size_t ranges;
	int error;
};

struct pme_mode_facts {
	const char *name, *device; /* "namespace0.0"; device NULL: not active */
	enum pme_mode mode;
	bool used; /* something is stacked on it, or mounted */
};

struct pme_dimm_facts {
	const char *name;
	const char *flags; /* attribute nfit/flags; NULL: @error */
	int error;
	uint64_t dirty_shutdowns; /* or PME_UNKNOWN */
	const char *health;	  /* what the watch last heard of its firmware, or NULL */
};

enum pme_fs_ground {
	PME_GROUND_PMEM,    /* on the device of a namespace, or a partition of it */
	PME_GROUND_STACKED, /* on device-mapper, MD and so on, over persistent memory */
	PME_GROUND_OTHER,   /* on no persistent memory */
};
struct pme_fs_facts {
	const char *mount, *type, *device;
	const char *release; /* of the kernel */
	enum pme_fs_ground ground;
	enum pme_mode mode; /* of the namespace below, of PME_GROUND_PMEM */
	bool dax;	    /* mounted so */
	enum pme_known rmap, parents, reflink, exchange; /* XFS */
	const char *error;				 /* why these are not known, or NULL */
	uint64_t parked;				 /* files in quarantine, or PME_UNKNOWN */
	uint64_t left_over; /* staging directories of no repair, or PME_UNKNOWN */
	const char *vault_error;
	uint64_t protected; /* paths under protection in it, or PME_UNKNOWN */
};

struct pme_protection_facts {
	const char *path, *replica, *id;
	int64_t now;
	uint64_t every;				  /* seconds, 0: no timer */
	const struct pme_protection_state *state; /* NULL: @error */
	int error;
	enum pme_known timer; /* enabled */
	enum pme_apart apart;
	const char *common; /* what replica and path have in common, or NULL */
};

struct pme_store_facts {
	const char *path;
	int error;		/* of opening it; -ENOENT: there is none */
	uint64_t unfinished;	/* repairs that have begun and not ended, or PME_UNKNOWN */
	bool watch_ok;		/* the watch that is alive can write it */
	const char *watch_says; /* or why not; NULL without a watch */
};

struct pme_conf_facts {
	bool valid;
	bool hidden;	   /* it may not be read */
	const char *error; /* the first */
	bool mail, metrics, dbus, journal;
	uint64_t hooks; /* programs in the directory of hooks, or PME_UNKNOWN */
};

enum pme_watch_life {
	PME_WATCH_RUNS,
	PME_WATCH_NONE,
	PME_WATCH_OLD,
	PME_WATCH_ODD,
	PME_WATCH_HIDDEN
};
struct pme_watch_facts {
	enum pme_watch_life life;
	bool applies; /* there is something to watch */
	int error;
	struct json_object *doc; /* of RUNS and OLD; else NULL */
};

#endif
