/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: short texts of others: the record of a metadata snapshot, a device number, the name
 * of an LV, the version of an MD superblock, sizes, numbers, a range of the user, the options of a
 * mount, the superblock of an XFS, a time, base64.
 * Parsers: base btt dm-thin-record event md-super range source topo-block topo-find topo-fs
 * topo-udev xfs-inode
 */
#include "btt.h"
#include "dm-thin-record.h"
#include "event.h"
#include "fuzz.h"
#include "md-super.h"
#include "range.h"
#include "source.h"
#include "topo-udev.h"
#include "topo.h"
#include "xfs-inode.h"

static void try_record(const char *text)
{
	struct pme_thin_mark mark;

	if (pme_thin_record_parse(text, "boot", "1 LVM-x y", &mark) != PME_THIN_RECORD_HELD) {
		FUZZ_CHECK(!pme_thin_mark_same(&mark, &mark) || mark.block != 0);
		return;
	}
	_cleanup_free_ char *again = pme_thin_record_text("boot", "1 LVM-x y", &mark);
	struct pme_thin_mark same;

	FUZZ_CHECK(again && pme_thin_record_parse(again, "boot", "1 LVM-x y", &same) ==
				    PME_THIN_RECORD_HELD);
	FUZZ_CHECK(same.block == mark.block && same.sum == mark.sum);
}

/* The text as a range that somebody asks about, and as the options of a mount on the same disk. */
static void try_devices(char *text)
{
	static char name[] = "pmem0", type[] = "xfs";
	const struct pme_os nowhere = {.root = -1};
	struct pme_dev disk = {.name = name, .devno = 7, .size = 1 << 20}, *devs[] = {&disk};
	struct pme_mount mount = {.devno = 8, .type = type, .options = text};
	struct pme_topo topo = {
		.os = &nowhere, .devs = devs, .n_devs = 1, .mounts = &mount, .n_mounts = 1};
	_cleanup_(pme_bads_done) struct pme_bads bads = {0};
	_cleanup_(pme_log_done) struct pme_log log = {0};
	const struct pme_dev *main_dev;
	enum pme_fs_role role;

	if (pme_source_range(&topo, text, PME_SECTOR, &log, &bads) == 0)
		FUZZ_CHECK(bads.count == 1 && bads.items[0].dev == &disk &&
			   pme_range_end(bads.items[0].range) <= disk.size);
	FUZZ_CHECK(pme_topo_fs_find(&topo, &disk, &main_dev, &role) >= 0);
}

/* A time that is understood reads back the same. */
static void try_time(const char *text)
{
	int64_t us, again;

	if (pme_time_asked_parse(text, 1LL << 50, &again) == 0)
		FUZZ_CHECK(again >= 0);
	if (pme_time_parse(text, &us) < 0)
		return;
	_cleanup_free_ char *printed = pme_time_text(us);

	FUZZ_CHECK(printed && pme_time_parse(printed, &again) == 0 && again == us);
}

/* Every content has one text. */
static void try_base64(const char *text, size_t size)
{
	_cleanup_free_ char *bytes = NULL;
	size_t len;

	if (pme_base64_parse(text, size, &bytes, &len) < 0)
		return;
	_cleanup_free_ char *again = pme_base64(bytes, len);

	FUZZ_CHECK(again && strlen(again) == size && memcmp(again, text, size) == 0);
}

static void try_udev(const char *text, size_t size)
{
	_cleanup_free_ char *value = NULL;

	if (pme_udev_property_parse(text, size, "A", &value) == 1)
		FUZZ_CHECK(strlen(value) < size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *copy = fuzz_copy(data, size);
	_cleanup_free_ char *text = strndup(copy, size);
	_cleanup_free_ char *lv = NULL;
	struct pme_xfs_internal internal;
	enum pme_md_version version;
	uint64_t n;
	dev_t devno;

	FUZZ_CHECK(text);
	try_record(text);
	lv = pme_lvm_name(text);
	FUZZ_CHECK(!lv || strchr(lv, '/'));
	pme_devno_parse(copy, size, &devno);
	if (pme_md_version_parse(text, &version) == 0)
		FUZZ_CHECK(version <= PME_MD_1_2);
	pme_size_parse(copy, size, &n);
	if (pme_parse_u64(copy, size, &n) == 0) {
		_cleanup_free_ char *printed = pme_printf("%llu", (unsigned long long)n);

		FUZZ_CHECK(printed && size >= strlen(printed));
	}
	pme_utf8_valid(copy, size);
	pme_btt_number_parse(text, &n);
	try_devices(text);
	try_time(text);
	try_base64(copy, size);
	try_udev(copy, size);
	pme_xfs_internal_parse(copy, size, &internal);
	return 0;
}
