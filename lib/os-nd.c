/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libndctl and libdaxctl, loaded when ndctl_new() is called.
 *
 * libndctl needs libkmod, which needs libcrypto: to load and relocate them takes longer than all
 * other libraries together, a third of the time of a short command.  Most commands, and machines
 * without persistent memory, never ask it anything.  So its functions are defined here, and call
 * those of the library.  All others need what only ndctl_new() gives, which fails with -ELIBACC
 * when the library cannot be loaded, or lacks one of them.
 *
 * They are weak so that tests can put others in their place.
 */
#include <daxctl/libdaxctl.h>
#include <dlfcn.h>
#include <errno.h>
#include <ndctl/libndctl.h>
#include <pthread.h>
#include <stdbool.h>
#include <uuid/uuid.h>

#include "base.h"

#define LIBRARY "libndctl.so.6" /* brings libdaxctl with it */

typedef void log_fn(struct ndctl_ctx *ctx, int priority, const char *file, int line, const char *fn,
		    const char *format, va_list args);

/* clang-format off */
#define FUNCTIONS(X) \
	X(const char *, daxctl_dev_get_devname, (struct daxctl_dev *dev), (dev)) \
	X(struct daxctl_dev *, daxctl_dev_get_first, (struct daxctl_region *region), (region)) \
	X(unsigned long long, daxctl_dev_get_resource, (struct daxctl_dev *dev), (dev)) \
	X(unsigned long long, daxctl_dev_get_size, (struct daxctl_dev *dev), (dev)) \
	X(const char *, ndctl_btt_get_block_device, (struct ndctl_btt *btt), (btt)) \
	X(void, ndctl_btt_get_uuid, (struct ndctl_btt *btt, uuid_t uuid), (btt, uuid)) \
	X(struct ndctl_cmd *, ndctl_bus_cmd_new_ars_cap, \
	  (struct ndctl_bus *bus, unsigned long long start, unsigned long long length), \
	  (bus, start, length)) \
	X(struct ndctl_cmd *, ndctl_bus_cmd_new_clear_error, \
	  (unsigned long long start, unsigned long long length, struct ndctl_cmd *cmd), \
	  (start, length, cmd)) \
	X(const char *, ndctl_bus_get_devname, (struct ndctl_bus *bus), (bus)) \
	X(struct ndctl_dimm *, ndctl_bus_get_dimm_by_physical_address, \
	  (struct ndctl_bus *bus, unsigned long long address), (bus, address)) \
	X(struct ndctl_bus *, ndctl_bus_get_first, (struct ndctl_ctx *ctx), (ctx)) \
	X(struct ndctl_bus *, ndctl_bus_get_next, (struct ndctl_bus *last), (last)) \
	X(const char *, ndctl_bus_get_provider, (struct ndctl_bus *bus), (bus)) \
	X(int, ndctl_bus_is_cmd_supported, (struct ndctl_bus *bus, int number), (bus, number)) \
	X(int, ndctl_bus_start_scrub, (struct ndctl_bus *bus), (bus)) \
	X(unsigned int, ndctl_cmd_ars_cap_get_clear_unit, (struct ndctl_cmd *cmd), (cmd)) \
	X(unsigned long long, ndctl_cmd_clear_error_get_cleared, (struct ndctl_cmd *cmd), (cmd)) \
	X(unsigned int, ndctl_cmd_get_firmware_status, (struct ndctl_cmd *cmd), (cmd)) \
	X(unsigned int, ndctl_cmd_smart_get_alarm_flags, (struct ndctl_cmd *cmd), (cmd)) \
	X(unsigned int, ndctl_cmd_smart_get_ctrl_temperature, (struct ndctl_cmd *cmd), (cmd)) \
	X(unsigned int, ndctl_cmd_smart_get_flags, (struct ndctl_cmd *cmd), (cmd)) \
	X(unsigned int, ndctl_cmd_smart_get_health, (struct ndctl_cmd *cmd), (cmd)) \
	X(unsigned int, ndctl_cmd_smart_get_life_used, (struct ndctl_cmd *cmd), (cmd)) \
	X(unsigned int, ndctl_cmd_smart_get_media_temperature, (struct ndctl_cmd *cmd), (cmd)) \
	X(unsigned int, ndctl_cmd_smart_get_shutdown_count, (struct ndctl_cmd *cmd), (cmd)) \
	X(unsigned int, ndctl_cmd_smart_get_shutdown_state, (struct ndctl_cmd *cmd), (cmd)) \
	X(unsigned int, ndctl_cmd_smart_get_spares, (struct ndctl_cmd *cmd), (cmd)) \
	X(unsigned int, ndctl_cmd_smart_threshold_get_alarm_control, (struct ndctl_cmd *cmd), (cmd)) \
	X(unsigned int, ndctl_cmd_smart_threshold_get_ctrl_temperature, \
	  (struct ndctl_cmd *cmd), (cmd)) \
	X(unsigned int, ndctl_cmd_smart_threshold_get_media_temperature, \
	  (struct ndctl_cmd *cmd), (cmd)) \
	X(unsigned int, ndctl_cmd_smart_threshold_get_spares, (struct ndctl_cmd *cmd), (cmd)) \
	X(int, ndctl_cmd_submit, (struct ndctl_cmd *cmd), (cmd)) \
	X(int, ndctl_cmd_submit_xlat, (struct ndctl_cmd *cmd), (cmd)) \
	X(void, ndctl_cmd_unref, (struct ndctl_cmd *cmd), (cmd)) \
	X(struct daxctl_region *, ndctl_dax_get_daxctl_region, (struct ndctl_dax *dax), (dax)) \
	X(unsigned long long, ndctl_dax_get_resource, (struct ndctl_dax *dax), (dax)) \
	X(void, ndctl_dax_get_uuid, (struct ndctl_dax *dax, uuid_t uuid), (dax, uuid)) \
	X(int, ndctl_dax_is_enabled, (struct ndctl_dax *dax), (dax)) \
	X(double, ndctl_decode_smart_temperature, (unsigned int value), (value)) \
	X(struct ndctl_cmd *, ndctl_dimm_cmd_new_smart, (struct ndctl_dimm *dimm), (dimm)) \
	X(struct ndctl_cmd *, ndctl_dimm_cmd_new_smart_threshold, (struct ndctl_dimm *dimm), (dimm)) \
	X(const char *, ndctl_dimm_get_devname, (struct ndctl_dimm *dimm), (dimm)) \
	X(long long, ndctl_dimm_get_dirty_shutdown, (struct ndctl_dimm *dimm), (dimm)) \
	X(struct ndctl_dimm *, ndctl_dimm_get_first, (struct ndctl_bus *bus), (bus)) \
	X(struct ndctl_dimm *, ndctl_dimm_get_next, (struct ndctl_dimm *last), (last)) \
	X(const char *, ndctl_dimm_get_unique_id, (struct ndctl_dimm *dimm), (dimm)) \
	X(struct ndctl_dimm *, ndctl_mapping_get_dimm, (struct ndctl_mapping *mapping), (mapping)) \
	X(struct ndctl_mapping *, ndctl_mapping_get_first, (struct ndctl_region *region), (region)) \
	X(struct ndctl_mapping *, ndctl_mapping_get_next, (struct ndctl_mapping *last), (last)) \
	X(const char *, ndctl_namespace_get_block_device, (struct ndctl_namespace *ndns), (ndns)) \
	X(struct ndctl_btt *, ndctl_namespace_get_btt, (struct ndctl_namespace *ndns), (ndns)) \
	X(struct ndctl_dax *, ndctl_namespace_get_dax, (struct ndctl_namespace *ndns), (ndns)) \
	X(const char *, ndctl_namespace_get_devname, (struct ndctl_namespace *ndns), (ndns)) \
	X(enum ndctl_namespace_mode, ndctl_namespace_get_enforce_mode, \
	  (struct ndctl_namespace *ndns), (ndns)) \
	X(struct ndctl_namespace *, ndctl_namespace_get_first, \
	  (struct ndctl_region *region), (region)) \
	X(enum ndctl_namespace_mode, ndctl_namespace_get_mode, \
	  (struct ndctl_namespace *ndns), (ndns)) \
	X(struct ndctl_namespace *, ndctl_namespace_get_next, (struct ndctl_namespace *last), (last)) \
	X(struct ndctl_pfn *, ndctl_namespace_get_pfn, (struct ndctl_namespace *ndns), (ndns)) \
	X(unsigned long long, ndctl_namespace_get_resource, (struct ndctl_namespace *ndns), (ndns)) \
	X(unsigned long long, ndctl_namespace_get_size, (struct ndctl_namespace *ndns), (ndns)) \
	X(void, ndctl_namespace_get_uuid, \
	  (struct ndctl_namespace *ndns, uuid_t uuid), (ndns, uuid)) \
	X(const char *, ndctl_pfn_get_block_device, (struct ndctl_pfn *pfn), (pfn)) \
	X(unsigned long long, ndctl_pfn_get_resource, (struct ndctl_pfn *pfn), (pfn)) \
	X(void, ndctl_pfn_get_uuid, (struct ndctl_pfn *pfn, uuid_t uuid), (pfn, uuid)) \
	X(struct ndctl_bus *, ndctl_region_get_bus, (struct ndctl_region *region), (region)) \
	X(const char *, ndctl_region_get_devname, (struct ndctl_region *region), (region)) \
	X(struct ndctl_region *, ndctl_region_get_first, (struct ndctl_bus *bus), (bus)) \
	X(struct ndctl_region *, ndctl_region_get_next, (struct ndctl_region *last), (last)) \
	X(unsigned long long, ndctl_region_get_resource, (struct ndctl_region *region), (region)) \
	X(int, ndctl_region_is_enabled, (struct ndctl_region *region), (region)) \
	X(unsigned long long, ndctl_region_get_size, (struct ndctl_region *region), (region)) \
	X(void, ndctl_set_log_priority, (struct ndctl_ctx *ctx, int priority), (ctx, priority)) \
	X(struct ndctl_ctx *, ndctl_unref, (struct ndctl_ctx *ctx), (ctx)) \
	X(void, ndctl_set_log_fn, (struct ndctl_ctx *ctx, log_fn *fn), (ctx, fn))
/* clang-format on */

#define POINTER(type, name, parameters, arguments) __typeof__(&name) name;
#define SYMBOL(type, name, parameters, arguments) {#name, (void **)&nd.name},
#define WRAPPER(type, name, parameters, arguments)                                                 \
	__attribute__((weak)) type name parameters                                                 \
	{                                                                                          \
		return nd.name arguments;                                                          \
	}

static struct {
	bool is_there;
	__typeof__(&ndctl_new) ndctl_new;
	FUNCTIONS(POINTER)
} nd;

static void load(void)
{
	static const struct {
		const char *name;
		void **place;
	} symbols[] = {{"ndctl_new", (void **)&nd.ndctl_new}, FUNCTIONS(SYMBOL)};
	void *library = dlopen(LIBRARY, RTLD_LAZY | RTLD_LOCAL); /* for good */

	nd.is_there = library;
	for (size_t i = 0; nd.is_there && i < PME_ARRAY_SIZE(symbols); i++) {
		*symbols[i].place = dlsym(library, symbols[i].name);
		nd.is_there = *symbols[i].place;
	}
}

__attribute__((weak)) int ndctl_new(struct ndctl_ctx **ctx)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	return nd.is_there ? nd.ndctl_new(ctx) : -ELIBACC;
}

FUNCTIONS(WRAPPER)
