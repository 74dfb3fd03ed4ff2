/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings that a scan does not show any more, and those that it shows anew: what is known of their
 * bytes?
 *
 * The surprise: what is not in a list is not gone for that.  A list may be cut off, full, or not
 * readable; so a finding is gone when every list that said so was read whole and says so no more.
 * (The kernel sorts its lists, but one that is cut off may be full as well: then what is missing in
 * its beginning may be bad, and was dropped.)  And the same bad bytes can come back as other
 * ranges, when the kernel merges or splits entries, or on another device: those of a disk are the
 * region's while the disk is disabled.  Then the old finding is gone, but nobody is told that its
 * bytes are good; nor that those of the region are new.
 */
#include "state-private.h"

#include <string.h>

bool pmed_address_of(struct json_object *json, struct pme_range range, uint64_t *ret)
{
	struct json_object *address = pme_json_get(json, "physical_address");
	uint64_t end;

	if (!json_object_is_type(address, json_type_int) || json_object_get_int64(address) < 0)
		return false;
	*ret = json_object_get_uint64(address);
	return pme_add(*ret, range.length, &end) == 0;
}

struct pme_range pmed_range_of(struct json_object *json)
{
	struct json_object *range = pme_json_get(json, "range");

	return (struct pme_range){pmed_number(range, "start"), pmed_number(range, "length")};
}

static bool is_complete(const char *list)
{
	return list && strcmp(list, "complete") == 0;
}

/* Did every list that had it say whole that it has it no more? */
static bool is_taken_back(const struct pmed_device *device, const struct pmed_finding *finding)
{
	bool none = device->list && strcmp(device->list, "none") == 0;
	bool region = is_complete(device->region_list);

	if (none)
		return region;
	if ((finding->known_by & PMED_BY_REGION) && !region)
		return false;
	return is_complete(device->list) || finding->known_by == PMED_BY_REGION;
}

/* Bytes of @finding that are neither in @own, by place, nor in @physical, by address. */
static int bytes_beside(const struct pmed_finding *finding, const struct pme_range_list *own,
			const struct pme_range_list *physical, uint64_t *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list rest = {0}, left = {0};
	int r = pme_range_list_subtract(finding->range, own, &rest);

	for (size_t i = 0; r >= 0 && i < rest.count; i++) {
		struct pme_range piece = rest.items[i];

		if (!finding->has_address) {
			r = pme_range_list_add(&left, piece.start, piece.length);
			continue;
		}
		piece.start = finding->address + (piece.start - finding->range.start);
		r = pme_range_list_subtract(piece, physical, &left);
	}
	*ret = pme_range_list_bytes(&left);
	return r < 0 ? r : 0;
}

/* Physical addresses of all findings of a document, on whatever device. */
int pmed_addresses_in(struct json_object *findings, struct pme_range_list *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < pme_json_count(findings); i++) {
		struct pme_range range = pmed_range_of(pme_json_at(findings, i));
		uint64_t address;

		if (pmed_address_of(pme_json_at(findings, i), range, &address))
			r = pme_range_list_add(ret, address, range.length);
	}
	pme_range_list_normalize(ret);
	return r;
}

static bool is_mild(const struct pmed_finding *finding)
{
	return finding->verdict == PME_HARMLESS || finding->verdict == PME_VERDICT_UNKNOWN;
}

/* The same of the findings of a device, or of those that are not @mild. */
static int add_addresses(const struct pmed_device *device, bool mild, struct pme_range_list *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < device->n_findings; i++)
		if (device->findings[i].has_address && (mild || !is_mild(&device->findings[i])))
			r = pme_range_list_add(ret, device->findings[i].address,
					       device->findings[i].range.length);
	return r;
}

/* The same of the findings of devices of @region that the document does not have. */
static int addresses_away(const struct pmed_state *state, const char *region,
			  struct pme_range_list *ret)
{
	int r = 0;

	for (size_t i = 0; i < state->n_devices; i++) {
		const struct pmed_device *device = state->devices[i];
		const char *of = pmed_device_region(device);

		if (!device->list && of && strcmp(of, region) == 0 && r == 0)
			r = add_addresses(device, true, ret);
	}
	pme_range_list_normalize(ret);
	return r;
}

/* Is @finding gone?  Also when lists do not tell, but all its bytes came back as other ranges. */
static int judge_gone(const struct pmed_device *device, struct pmed_finding *finding,
		      const struct pme_range_list *own, const struct pme_range_list *bad)
{
	static const struct pme_range_list none = {0};
	bool taken_back = is_taken_back(device, finding);
	uint64_t good;
	int r = bytes_beside(finding, own, taken_back ? bad : &none, &good);

	if (r < 0 || (!taken_back && good > 0))
		return r;
	finding->mark = PMED_GONE;
	finding->bytes = good == 0			? PMED_STILL_BAD
			 : good < finding->range.length ? PMED_PARTLY_BAD
							: PMED_PLAIN;
	return 0;
}

int pmed_mark_gone(struct pmed_device *device, const struct pme_range_list *bad)
{
	_cleanup_(pme_range_list_done) struct pme_range_list own = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < device->n_findings; i++)
		if (device->findings[i].fresh)
			r = pme_range_list_add(&own, device->findings[i].range.start,
					       device->findings[i].range.length);
	pme_range_list_normalize(&own);
	for (size_t i = 0; r == 0 && i < device->n_findings; i++)
		if (!device->findings[i].fresh)
			r = judge_gone(device, &device->findings[i], &own, bad);
	return r;
}

/* New on a region, but people were told of these bytes when their disk was there. */
int pmed_mark_known(const struct pmed_state *state, struct pmed_device *device)
{
	static const struct pme_range_list none = {0};
	_cleanup_(pme_range_list_done) struct pme_range_list away = {0};
	const char *region = pmed_device_region(device);
	int r;

	if (!region || strcmp(region, pmed_device_name(device)) != 0)
		return 0;
	r = addresses_away(state, region, &away);
	for (size_t i = 0; r == 0 && i < device->n_findings; i++) {
		uint64_t news;

		if (device->findings[i].mark != PMED_ADDED)
			continue;
		r = bytes_beside(&device->findings[i], &none, &away, &news);
		if (r == 0 && news == 0)
			device->findings[i].bytes = PMED_KNOWN_AWAY;
	}
	return r;
}

/* --- devices that are gone, and others that have their bytes --- */

static bool all_present(const struct pmed_state *state)
{
	for (size_t i = 0; i < state->n_devices; i++)
		if (!state->devices[i]->present)
			return false;
	return true;
}

int pmed_sites_read(const struct pmed_state *state, struct pmed_sites *ret)
{
	int r = 0;

	if (all_present(state)) /* as nearly always: then nothing counts elsewhere */
		return 0;
	for (size_t i = 0; r == 0 && i < state->n_devices; i++) {
		const struct pmed_device *device = state->devices[i];

		if (!device->present)
			r = add_addresses(device, false, &ret->lost_away);
		else if (pmed_text(device->about, "namespace"))
			r = add_addresses(device, true, &ret->namespaces);
		else
			r = add_addresses(device, true, &ret->regions);
	}
	pme_range_list_normalize(&ret->lost_away);
	pme_range_list_normalize(&ret->namespaces);
	pme_range_list_normalize(&ret->regions);
	return r;
}

void pmed_sites_done(struct pmed_sites *sites)
{
	pme_range_list_done(&sites->lost_away);
	pme_range_list_done(&sites->namespaces);
	pme_range_list_done(&sites->regions);
}

bool pmed_counts_elsewhere(const struct pmed_sites *sites, const struct pmed_device *device,
			   const struct pmed_finding *finding)
{
	struct pme_range bytes = {finding->address, finding->range.length};

	if (!finding->has_address)
		return false;
	if (!device->present)
		return pme_range_list_meets(&sites->namespaces, bytes) ||
		       (is_mild(finding) && pme_range_list_meets(&sites->regions, bytes));
	return !pmed_text(device->about, "namespace") && is_mild(finding) &&
	       pme_range_list_meets(&sites->lost_away, bytes);
}

static bool is_covered(const struct pme_range_list *list, struct pme_range bytes)
{
	_cleanup_(pme_range_list_done) struct pme_range_list rest = {0};

	return pme_range_list_meets(list, bytes) &&
	       pme_range_list_subtract(bytes, list, &rest) == 0 && rest.count == 0;
}

bool pmed_is_supplanted(const struct pmed_sites *sites, const struct pmed_device *device)
{
	if (device->present || device->n_findings == 0)
		return false;
	for (size_t i = 0; i < device->n_findings; i++) {
		const struct pmed_finding *finding = &device->findings[i];
		struct pme_range bytes = {finding->address, finding->range.length};

		if (!finding->has_address || !is_covered(&sites->namespaces, bytes))
			return false;
	}
	return true;
}
