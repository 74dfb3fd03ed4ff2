/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/rest-lvm-disk.c and lib/rest-lvm-text.c: labels, headers and texts built here.  The bytes of
 * the label and the header are those that lvm2 2.03.16 wrote on a disk of 64 MiB.
 */
#include <endian.h>

#include "check.h"
#include "rest-crc.h"
#include "rest-lvm.h"

#define DISK_SIZE (64ULL << 20)

static const char group[] = "vg-0 {\n"
			    "id = \"fNC3gV-FCiO-KfBc-Io0Z-Epry-4uew-SsbZup\"\n"
			    "seqno = 8\n"
			    "format = \"lvm2\"\n"
			    "status = [\"RESIZEABLE\", \"READ\", \"WRITE\"]\n"
			    "flags = []\n"
			    "extent_size = 2048\n"
			    "max_lv = 0\n"
			    "physical_volumes {\n"
			    "pv1 {\n"
			    "id = \"Gw1zLX-ansZ-E5QQ-ieId-lQdf-cmEU-fGWyeo\"\n"
			    "device = \"/dev/loop1\"\t# a hint { only\n"
			    "status = [\"ALLOCATABLE\"]\n"
			    "dev_size = 131072\n"
			    "pe_start = 2048\n"
			    "pe_count = 63\n"
			    "}\n"
			    "pv0 {\n"
			    "id = \"YpMlrW-Vh93-95eI-RDW5-Ljnr-w2dU-KDsNsP\"\n"
			    "dev_size = 131072\n"
			    "pe_start = 2048\n"
			    "pe_count = 62\n"
			    "}\n"
			    "}\n"
			    "logical_volumes {\n"
			    "str {\n"
			    "id = \"XXu9o9-VcOh-ucPv-SY0i-gTf1-nTXZ-koglPI\"\n"
			    "status = [\"READ\", \"WRITE\", \"VISIBLE\"]\n"
			    "segment_count = 1\n"
			    "segment1 {\n"
			    "start_extent = 0\n"
			    "extent_count = 6\n"
			    "type = \"striped\"\n"
			    "stripe_count = 2\n"
			    "stripe_size = 128\n"
			    "stripes = [\n"
			    "\"pv0\", 5,\n"
			    "\"pv1\", 0\n"
			    "]\n"
			    "}\n"
			    "}\n"
			    "pool {\n"
			    "id = \"aaaaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaaa\"\n"
			    "status = [\"READ\", \"WRITE\", \"VISIBLE\"]\n"
			    "segment1 {\n"
			    "start_extent = 0\n"
			    "extent_count = 8\n"
			    "type = \"thin-pool\"\n"
			    "metadata = \"pool_tmeta\"\n"
			    "pool = \"pool_tdata\"\n"
			    "transaction_id = 1\n"
			    "chunk_size = 128\n"
			    "}\n"
			    "}\n"
			    "thin {\n"
			    "id = \"bbbbbb-bbbb-bbbb-bbbb-bbbb-bbbb-bbbbbb\"\n"
			    "status = [\"READ\", \"WRITE\", \"VISIBLE\"]\n"
			    "segment1 {\n"
			    "start_extent = 0\n"
			    "extent_count = 50\n"
			    "type = \"thin\"\n"
			    "thin_pool = \"pool\"\n"
			    "transaction_id = 0\n"
			    "device_id = 7\n"
			    "}\n"
			    "}\n"
			    "pool_tdata {\n"
			    "id = \"cccccc-cccc-cccc-cccc-cccc-cccc-cccccc\"\n"
			    "status = [\"READ\", \"WRITE\"]\n"
			    "segment1 {\n"
			    "start_extent = 0\n"
			    "extent_count = 8\n"
			    "type = \"raid1\"\n"
			    "raids = [\"pool_tdata_rmeta_0\", \"pool_tdata_rimage_0\"]\n"
			    "}\n"
			    "}\n"
			    "pool_tdata_rimage_0 {\n"
			    "id = \"dddddd-dddd-dddd-dddd-dddd-dddd-dddddd\"\n"
			    "status = [\"READ\", \"WRITE\"]\n"
			    "segment1 {\n"
			    "start_extent = 0\n"
			    "extent_count = 8\n"
			    "type = \"striped\"\n"
			    "stripe_count = 1\n"
			    "stripes = [\"pv0\", 20]\n"
			    "}\n"
			    "}\n"
			    "pvmove0 {\n"
			    "id = \"eeeeee-eeee-eeee-eeee-eeee-eeee-eeeeee\"\n"
			    "status = [\"READ\", \"WRITE\", \"PVMOVE\", \"LOCKED\"]\n"
			    "segment1 {\n"
			    "start_extent = 0\n"
			    "extent_count = 4\n"
			    "type = \"mirror\"\n"
			    "mirror_count = 2\n"
			    "extents_moved = 0\n"
			    "mirrors = [\"pv0\", 40, \"pv1\", 40]\n"
			    "}\n"
			    "}\n"
			    "}\n"
			    "}\n"
			    "contents = \"Text Format Volume Group\"\n"
			    "version = 1\n";

static void put64(unsigned char *p, uint64_t value)
{
	value = htole64(value);
	memcpy(p, &value, sizeof(value));
}

static void put_crc(unsigned char *p, const unsigned char *data, size_t len)
{
	uint32_t crc = htole32(pme_rest_crc(0xf597a6cfU, data, len));

	memcpy(p, &crc, sizeof(crc));
}

/* A label in sector @number, with an area of data and two of metadata. */
static void make_label(unsigned char *buf, size_t number)
{
	unsigned char *sector = buf + number * PME_SECTOR;

	memset(buf, 0, PME_LVM_LABEL_BYTES);
	memcpy(sector, "LABELONE", 8);
	put64(sector + 8, number);
	sector[20] = 32;
	memcpy(sector + 24, "LVM2 001YpMlrWVh9395eIRDW5Ljnrw2dUKDsNsP", 40);
	put64(sector + 64, DISK_SIZE);
	put64(sector + 72, 1 << 20); /* data, then the end of the list */
	put64(sector + 104, 4096);
	put64(sector + 112, 1044480);
	put64(sector + 120, 66060288);
	put64(sector + 128, 1048576);
	put_crc(sector + 16, sector + 20, PME_SECTOR - 20);
}

static void crc_is_the_one_of_lvm(void **state)
{
	/* "123456789": the check value of CRC-32, which starts with ones and is inverted */
	assert_int_equal(~pme_rest_crc(0xffffffffU, "123456789", 9), 0xcbf43926U);
}

static void labels(void **state)
{
	unsigned char buf[PME_LVM_LABEL_BYTES];
	struct pme_lvm_label label;

	for (size_t i = 0; i < 4; i++) {
		make_label(buf, i);
		assert_int_equal(pme_lvm_label_parse(buf, DISK_SIZE, &label), 0);
		assert_int_equal(label.start, i * PME_SECTOR);
		assert_string_equal(label.id, "YpMlrWVh9395eIRDW5Ljnrw2dUKDsNsP");
		assert_int_equal(label.n_areas, 2);
		assert_int_equal(label.areas[0].start, 4096);
		assert_int_equal(label.areas[1].length, 1048576);
		assert_int_equal(pme_lvm_label_parse(buf, DISK_SIZE - 1, &label), -EINVAL);
		buf[i * PME_SECTOR + 300] ^= 1;
		assert_int_equal(pme_lvm_label_parse(buf, DISK_SIZE, &label), -EINVAL);
	}
	memset(buf, 0, sizeof(buf));
	assert_int_equal(pme_lvm_label_parse(buf, DISK_SIZE, &label), -ENODATA);
}

/* lvm2, lib/format_text/layout.h: struct pv_header_extension is behind the lists. */
static void boot_loader_areas(void **state)
{
	unsigned char buf[PME_LVM_LABEL_BYTES];
	struct pme_lvm_label label;

	make_label(buf, 0);
	put64(buf + 152, 1ULL << 32 | 2); /* version 2, used */
	put_crc(buf + 16, buf + 20, PME_SECTOR - 20);
	assert_int_equal(pme_lvm_label_parse(buf, DISK_SIZE, &label), 0);
	assert_int_equal(label.n_boots, 0);
	put64(buf + 160, 2 << 20);
	put64(buf + 168, 65536);
	put_crc(buf + 16, buf + 20, PME_SECTOR - 20);
	assert_int_equal(pme_lvm_label_parse(buf, DISK_SIZE, &label), 0);
	assert_int_equal(label.n_boots, 1);
	assert_int_equal(label.boots[0].start, 2 << 20);
	assert_int_equal(label.boots[0].length, 65536);
	assert_int_equal(label.n_areas, 2);
	put64(buf + 168, DISK_SIZE);
	put_crc(buf + 16, buf + 20, PME_SECTOR - 20);
	assert_int_equal(pme_lvm_label_parse(buf, DISK_SIZE, &label), -EINVAL);
	put64(buf + 152, 0); /* no extension: no list */
	put_crc(buf + 16, buf + 20, PME_SECTOR - 20);
	assert_int_equal(pme_lvm_label_parse(buf, DISK_SIZE, &label), 0);
	assert_int_equal(label.n_boots, 0);
}

/* As lvm2 wrote it; the same with a text that goes on behind the header. */
static void headers(void **state)
{
	static const unsigned char magic[] = " LVM2 x[5A%r0N*>\1";
	struct pme_range area = {4096, 1044480}, pieces[2];
	unsigned char buf[PME_LVM_HEADER_BYTES] = {0};
	struct pme_lvm_locn locns[2];

	memcpy(buf + 4, magic, sizeof(magic));
	put64(buf + 24, area.start);
	put64(buf + 32, area.length);
	put64(buf + 40, 0x3800);
	put64(buf + 48, 0x737);
	put_crc(buf, buf + 4, sizeof(buf) - 4);
	assert_int_equal(pme_lvm_header_parse(buf, area, locns), 0);
	assert_int_equal(pme_lvm_locn_pieces(area, &locns[0], pieces), 1);
	assert_int_equal(pieces[0].start, 4096 + 0x3800);
	assert_int_equal(pieces[0].length, 0x737);
	assert_int_equal(pme_lvm_locn_pieces(area, &locns[1], pieces), 0);
	put64(buf + 40, area.length - 100);
	put_crc(buf, buf + 4, sizeof(buf) - 4);
	assert_int_equal(pme_lvm_header_parse(buf, area, locns), 0);
	assert_int_equal(pme_lvm_locn_pieces(area, &locns[0], pieces), 2);
	assert_int_equal(pieces[0].length, 100);
	assert_int_equal(pieces[1].start, 4096 + 512);
	assert_int_equal(pieces[1].length, 0x737 - 100);
	buf[500] = 1;
	assert_int_equal(pme_lvm_header_parse(buf, area, locns), -EINVAL);
}

static void a_group(void **state)
{
	static const struct {
		const char *lv, *parent;
	} parts[] = {{"pool_tdata", "pool"}, {"pool_tdata_rimage_0", "pool_tdata"}};
	struct pme_lvm_vg vg;
	size_t pv;

	assert_int_equal(pme_lvm_text_parse(group, strlen(group), &vg), 0);
	assert_string_equal(vg.name, "vg-0");
	assert_int_equal(vg.seqno, 8);
	assert_int_equal(vg.extent, 1 << 20);
	pv = pme_lvm_find_pv(&vg, "YpMlrWVh9395eIRDW5Ljnrw2dUKDsNsP");
	assert_int_equal(vg.pvs[pv].pe_start, 1 << 20);
	assert_int_equal(vg.pvs[pv].pe_count, 62);
	assert_int_equal(vg.n_lvs, 6);
	for (size_t i = 0; i < PME_ARRAY_SIZE(parts); i++)
		assert_int_equal(vg.lvs[pme_lvm_find_lv(&vg, parts[i].lv)].parent,
				 pme_lvm_find_lv(&vg, parts[i].parent));
	assert_int_equal(vg.lvs[pme_lvm_find_lv(&vg, "thin")].device_id, 7);
	assert_string_equal(vg.lvs[pme_lvm_find_lv(&vg, "thin")].thin_pool, "pool");
	assert_true(vg.lvs[pme_lvm_find_lv(&vg, "pvmove0")].pvmove);
	assert_int_equal(vg.n_runs, 5); /* two stripes, an image, two legs of the move */
	pme_lvm_vg_done(&vg);
}

/* Whatever is cut off: no crash, and no group without its end. */
static void cut_groups(void **state)
{
	struct pme_lvm_vg vg;

	for (size_t len = 0; len < strlen(group) - 60; len += 7)
		assert_int_equal(pme_lvm_text_parse(group, len, &vg), -EINVAL);
}

static void deep_texts_are_refused(void **state)
{
	_cleanup_free_ char *text = malloc(2 << 20);
	struct pme_lvm_vg vg;

	assert_non_null(text);
	for (size_t i = 0; i < 2 << 20; i += 2)
		memcpy(text + i, "a{", 2);
	assert_int_equal(pme_lvm_text_parse(text, 2 << 20, &vg), -EINVAL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_is_the_one_of_lvm),
		cmocka_unit_test(labels),
		cmocka_unit_test(boot_loader_areas),
		cmocka_unit_test(headers),
		cmocka_unit_test(a_group),
		cmocka_unit_test(cut_groups),
		cmocka_unit_test(deep_texts_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
