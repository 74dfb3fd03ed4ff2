/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Health of DIMMs; see health.h.
 *
 * Facts: ndctl's lib/smart.c and ndctl/util/json-smart.c; flags: drivers/acpi/nfit/core.c
 * (flags_show).  The surprise: each value has a bit that says whether it means anything.
 */
#include "health.h"

#include <limits.h>
#include <ndctl/libndctl.h>
#include <string.h>

#include "doc.h"

static void unref_cmd(struct ndctl_cmd **cmd)
{
	if (*cmd)
		ndctl_cmd_unref(*cmd);
}
#define _cleanup_cmd_ _cleanup_(unref_cmd)

/*
 * The kernel carries a command out whatever the firmware says to it, and what a refused one has as
 * values means nothing (ndctl's util/json-smart.c).
 */
static int submit(struct ndctl_cmd *cmd)
{
	int r = ndctl_cmd_submit_xlat(cmd);

	return r >= 0 && ndctl_cmd_get_firmware_status(cmd) != 0 ? -EREMOTEIO : r;
}

/* A value, or null when its bit is not set. */
static void add(struct json_object *object, const char *key, unsigned int flags, unsigned int bit,
		unsigned int value)
{
	pme_json_number(object, key, flags & bit && value != UINT_MAX ? value : PME_UNKNOWN);
}

/* Whole degrees Celsius, rounded down. */
static void add_temperature(struct json_object *object, const char *key, bool known,
			    unsigned int raw)
{
	double degrees = ndctl_decode_smart_temperature(raw);
	int64_t whole = (int64_t)degrees;

	if (!known || raw == UINT_MAX)
		pme_json_set(object, key, NULL);
	else
		pme_json_set(object, key, pme_json_int(whole - (degrees < (double)whole)));
}

static const char *state_of(unsigned int flags, unsigned int health)
{
	if (!(flags & ND_SMART_HEALTH_VALID))
		return NULL;
	if (health & ND_SMART_FATAL_HEALTH)
		return "fatal";
	if (health & ND_SMART_CRITICAL_HEALTH)
		return "critical";
	return health & ND_SMART_NON_CRITICAL_HEALTH ? "non-critical" : "ok";
}

static struct json_object *alarms_json(unsigned int flags, unsigned int alarms)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} names[] = {
		{ND_SMART_SPARE_TRIP, "spares"},
		{ND_SMART_MTEMP_TRIP, "media-temperature"},
		{ND_SMART_CTEMP_TRIP, "controller-temperature"},
	};
	struct json_object *array = flags & ND_SMART_ALARM_VALID ? pme_json_array() : NULL;

	for (size_t i = 0; array && i < PME_ARRAY_SIZE(names); i++)
		if (alarms & names[i].bit)
			pme_json_append(array, pme_json_lossy(names[i].name));
	return array;
}

/* Words of the attribute "flags"; null when it cannot be read. */
static struct json_object *flags_json(const struct pme_topo *topo, const char *name)
{
	_cleanup_free_ char *line = NULL;
	struct json_object *array;
	size_t len;

	if (pme_os_read_line(topo->os, &line, "sys/bus/nd/devices/%s/nfit/flags", name) < 0)
		return NULL;
	array = pme_json_array();
	for (const char *word = line; *word; word += len) {
		_cleanup_free_ char *copy = NULL;

		word += strspn(word, " ");
		len = strcspn(word, " ");
		copy = strndup(word, len);
		if (!copy)
			pme_json_lose();
		if (len > 0)
			pme_json_append(array, copy ? pme_json_lossy(copy) : NULL);
	}
	return array;
}

static struct json_object *thresholds_json(struct ndctl_dimm *dimm)
{
	_cleanup_cmd_ struct ndctl_cmd *cmd = ndctl_dimm_cmd_new_smart_threshold(dimm);
	struct json_object *object = pme_json_object();
	bool known = cmd && submit(cmd) >= 0;
	unsigned int control = known ? ndctl_cmd_smart_threshold_get_alarm_control(cmd) : 0;

	if (control == UINT_MAX)
		control = 0;
	pme_json_number(object, "spares",
			control & ND_SMART_SPARE_TRIP ? ndctl_cmd_smart_threshold_get_spares(cmd)
						      : PME_UNKNOWN);
	add_temperature(object, "media_temperature", control & ND_SMART_MTEMP_TRIP,
			known ? ndctl_cmd_smart_threshold_get_media_temperature(cmd) : UINT_MAX);
	add_temperature(object, "controller_temperature", control & ND_SMART_CTEMP_TRIP,
			known ? ndctl_cmd_smart_threshold_get_ctrl_temperature(cmd) : UINT_MAX);
	return object;
}

static void add_smart(struct json_object *object, struct ndctl_cmd *cmd)
{
	unsigned int flags = cmd ? ndctl_cmd_smart_get_flags(cmd) : 0;
	unsigned int shutdown = cmd ? ndctl_cmd_smart_get_shutdown_state(cmd) : 0;

	if (flags == UINT_MAX)
		flags = 0;
	pme_json_text(object, "health_state",
		      cmd ? state_of(flags, ndctl_cmd_smart_get_health(cmd)) : NULL);
	add_temperature(object, "media_temperature", flags & ND_SMART_MTEMP_VALID,
			cmd ? ndctl_cmd_smart_get_media_temperature(cmd) : UINT_MAX);
	add_temperature(object, "controller_temperature", flags & ND_SMART_CTEMP_VALID,
			cmd ? ndctl_cmd_smart_get_ctrl_temperature(cmd) : UINT_MAX);
	add(object, "spares", flags, ND_SMART_SPARES_VALID,
	    cmd ? ndctl_cmd_smart_get_spares(cmd) : UINT_MAX);
	add(object, "life_used", flags, ND_SMART_USED_VALID,
	    cmd ? ndctl_cmd_smart_get_life_used(cmd) : UINT_MAX);
	pme_json_text(object, "shutdown_state",
		      !(flags & ND_SMART_SHUTDOWN_VALID) ? NULL
		      : shutdown			 ? "dirty"
							 : "clean");
	pme_json_set(object, "alarms",
		     alarms_json(flags, cmd ? ndctl_cmd_smart_get_alarm_flags(cmd) : 0));
}

/* As the kernel read it at boot, or as the DIMM says. */
static void add_shutdowns(struct json_object *object, struct ndctl_dimm *dimm,
			  struct ndctl_cmd *cmd)
{
	long long dirty = ndctl_dimm_get_dirty_shutdown(dimm);
	unsigned int flags = cmd ? ndctl_cmd_smart_get_flags(cmd) : 0;

	if (dirty >= 0)
		pme_json_number(object, "dirty_shutdowns", (uint64_t)dirty);
	else
		add(object, "dirty_shutdowns", flags == UINT_MAX ? 0 : flags,
		    ND_SMART_SHUTDOWN_COUNT_VALID,
		    cmd ? ndctl_cmd_smart_get_shutdown_count(cmd) : UINT_MAX);
}

static struct json_object *dimm_json(const struct pme_topo *topo, struct ndctl_dimm *dimm)
{
	_cleanup_cmd_ struct ndctl_cmd *cmd = ndctl_dimm_cmd_new_smart(dimm);
	struct json_object *object = pme_json_object();
	const char *name = ndctl_dimm_get_devname(dimm), *reason = NULL;
	int r = cmd ? submit(cmd) : -EOPNOTSUPP;

	if (!cmd)
		reason = "its firmware has no smart commands";
	else if (r == -EREMOTEIO)
		reason = "its firmware refuses the smart command";
	else if (r < 0)
		reason = strerror(-r);
	pme_json_text(object, "name", name);
	pme_json_text(object, "unique_id", ndctl_dimm_get_unique_id(dimm));
	pme_json_bool(object, "available", r >= 0);
	pme_json_text(object, "reason", reason);
	add_smart(object, r >= 0 ? cmd : NULL);
	add_shutdowns(object, dimm, r >= 0 ? cmd : NULL);
	pme_json_set(object, "thresholds", thresholds_json(dimm));
	pme_json_set(object, "flags", flags_json(topo, name));
	return object;
}

struct json_object *pme_health_json(const struct pme_topo *topo)
{
	struct json_object *array = pme_json_array();
	struct ndctl_bus *bus;
	struct ndctl_dimm *dimm;

	if (!topo->nd)
		return array;
	ndctl_bus_foreach(topo->nd, bus) ndctl_dimm_foreach(bus, dimm)
		pme_json_append(array, dimm_json(topo, dimm));
	return array;
}
