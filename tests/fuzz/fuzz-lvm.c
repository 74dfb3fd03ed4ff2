/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: what LVM wrote on a physical volume: the same bytes as label, as header of a
 * metadata area, and as text.  Checksums are made right, so that they do not hide the parsers.
 * Parsers: rest-lvm-disk rest-lvm-text
 */
#include "fuzz.h"
#include "rest-lvm.h"
#include "seal.h"

#define DEV_SIZE (64ULL << 20)

static void try_label(const uint8_t *data, size_t size)
{
	unsigned char buf[PME_LVM_LABEL_BYTES] = {0};
	struct pme_lvm_label label;

	memcpy(buf, data, size < sizeof(buf) ? size : sizeof(buf));
	for (size_t i = 0; i < sizeof(buf); i += PME_SECTOR)
		seal_lvm(buf + i + 16, buf + i + 20, PME_SECTOR - 20);
	if (pme_lvm_label_parse(buf, DEV_SIZE, &label) < 0)
		return;
	FUZZ_CHECK(label.start < PME_LVM_LABEL_BYTES && label.n_areas <= PME_LVM_AREAS_MAX);
	for (size_t i = 0; i < label.n_areas; i++)
		FUZZ_CHECK(pme_range_end(label.areas[i]) <= DEV_SIZE);
	FUZZ_CHECK(label.n_boots <= PME_LVM_BOOTS_MAX);
	for (size_t i = 0; i < label.n_boots; i++)
		FUZZ_CHECK(pme_range_end(label.boots[i]) <= DEV_SIZE);
}

static void try_header(const uint8_t *data, size_t size)
{
	struct pme_range area = {4096, 1044480}, pieces[2];
	unsigned char buf[PME_LVM_HEADER_BYTES] = {0};
	struct pme_lvm_locn locns[2];

	memcpy(buf, data, size < sizeof(buf) ? size : sizeof(buf));
	seal_lvm(buf, buf + 4, sizeof(buf) - 4);
	if (pme_lvm_header_parse(buf, area, locns) < 0)
		return;
	for (size_t l = 0; l < 2; l++) {
		size_t n = pme_lvm_locn_pieces(area, &locns[l], pieces);
		uint64_t sum = 0;

		for (size_t i = 0; i < n; i++) {
			FUZZ_CHECK(pieces[i].start >= area.start + PME_LVM_HEADER_BYTES);
			FUZZ_CHECK(pme_range_end(pieces[i]) <= pme_range_end(area));
			sum += pieces[i].length;
		}
		FUZZ_CHECK(sum == locns[l].size);
	}
}

static void try_text(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_copy(data, size);
	struct pme_lvm_vg vg;

	if (pme_lvm_text_parse(text, size, &vg) < 0)
		return;
	for (size_t i = 0; i < vg.n_runs; i++) {
		FUZZ_CHECK(vg.runs[i].pv < vg.n_pvs && vg.runs[i].lv < vg.n_lvs);
		FUZZ_CHECK(vg.runs[i].pe + vg.runs[i].count <= vg.pvs[vg.runs[i].pv].pe_count);
		FUZZ_CHECK(vg.runs[i].stripe < vg.runs[i].stripes);
	}
	for (size_t i = 0; i < vg.n_lvs; i++)
		FUZZ_CHECK(pme_lvm_find_lv(&vg, vg.lvs[i].name) != PME_LVM_NONE);
	pme_lvm_vg_done(&vg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_label(data, size);
	try_header(data, size);
	try_text(data, size);
	return 0;
}
