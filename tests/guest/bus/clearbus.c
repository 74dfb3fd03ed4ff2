// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * clearbus: for tests only: an nvdimm bus that can clear errors, over the memory that memmap=SIZE!START reserves.
 *
 * Neither QEMU's NVDIMMs (which never clear) nor memory of the firmware (which forgets without asking) have what real
 * NVDIMMs have: a bus that is asked to clear an address, and that may refuse. Everything else is the kernel's own
 * libnvdimm and nd_pmem, with DAX. In /sys/kernel/debug/clearbus:
 *
 *   inject      a physical address: LENGTH bytes there become bad, and whoever polls is told
 *   length      of what inject makes bad (4096)
 *   fails       1: clearing fails; how many bytes were cleared until now: cleared
 *   works_for   so many requests to clear work still, then "fails" is on by itself (0: no such limit)
 *
 * The surprise: nothing is really bad; the memory can be read by whoever does not ask the kernel.
 */
#include <linux/debugfs.h>
#include <linux/ioport.h>
#include <linux/libnvdimm.h>
#include <linux/module.h>
#include <linux/nd.h>
#include <linux/ndctl.h>
#include <linux/platform_device.h>

#define REGIONS 4
#define UNIT 256

static struct nvdimm_bus *bus;
static struct nd_region *regions[REGIONS];
static struct resource memory[REGIONS];
static int n_regions;
static struct platform_device *parent;
static struct dentry *dir;
static u64 length = 4096, cleared;
static u32 works_for;
static bool fails;

static void clear(struct nd_cmd_clear_error *cmd, int *ret)
{
	if (fails) {
		cmd->status = 1;
		cmd->cleared = 0;
		*ret = -EIO;
		return;
	}
	cmd->status = 0;
	cmd->cleared = cmd->length;
	cleared += cmd->length;
	if (works_for && --works_for == 0)
		fails = true;
}

static int control(struct nvdimm_bus_descriptor *desc, struct nvdimm *dimm, unsigned int cmd, void *buf,
		   unsigned int size, int *ret)
{
	struct nd_cmd_ars_cap *cap = buf;
	int unused;

	if (!ret)
		ret = &unused;
	*ret = 0;
	if (dimm)
		return -ENOTTY;
	if (cmd == ND_CMD_ARS_CAP) {
		cap->status = ND_ARS_PERSISTENT << 16;
		cap->max_ars_out = PAGE_SIZE;
		cap->clear_err_unit = UNIT;
		cap->flags = 0;
		return 0;
	}
	if (cmd == ND_CMD_CLEAR_ERROR) {
		clear(buf, ret);
		return 0;
	}
	return -ENOTTY;
}

static struct nvdimm_bus_descriptor descriptor = {
	.provider_name = "clearbus",
	.module = THIS_MODULE,
	.ndctl = control,
	/* libndctl sends CLEAR_ERROR only where ARS_STATUS is, too; nobody asks for that here */
	.cmd_mask = BIT(ND_CMD_ARS_CAP) | BIT(ND_CMD_ARS_STATUS) | BIT(ND_CMD_CLEAR_ERROR),
};

static int inject(void *data, u64 address)
{
	int r = nvdimm_bus_add_badrange(bus, address, length);

	for (int i = 0; r == 0 && i < n_regions; i++)
		nvdimm_region_notify(regions[i], NVDIMM_REVALIDATE_POISON);
	return r;
}
DEFINE_DEBUGFS_ATTRIBUTE(inject_fops, NULL, inject, "%llu\n");

static int add_region(struct resource *found, void *unused)
{
	struct nd_region_desc desc = {.res = &memory[n_regions]};

	if (n_regions == REGIONS)
		return 0;
	memory[n_regions] = (struct resource){
		.start = found->start, .end = found->end, .flags = IORESOURCE_MEM, .name = "clearbus"};
	set_bit(ND_REGION_PAGEMAP, &desc.flags);
	regions[n_regions] = nvdimm_pmem_region_create(bus, &desc);
	if (!regions[n_regions])
		return -ENXIO;
	n_regions++;
	return 0;
}

static int __init start(void)
{
	parent = platform_device_register_simple("clearbus", -1, NULL, 0);
	if (IS_ERR(parent))
		return PTR_ERR(parent);
	bus = nvdimm_bus_register(&parent->dev, &descriptor);
	if (!bus) {
		platform_device_unregister(parent);
		return -ENXIO;
	}
	walk_iomem_res_desc(IORES_DESC_PERSISTENT_MEMORY_LEGACY, IORESOURCE_MEM, 0, -1, NULL, add_region);
	dir = debugfs_create_dir("clearbus", NULL);
	debugfs_create_file("inject", 0200, dir, NULL, &inject_fops);
	debugfs_create_u64("length", 0600, dir, &length);
	debugfs_create_u64("cleared", 0400, dir, &cleared);
	debugfs_create_u32("works_for", 0600, dir, &works_for);
	debugfs_create_bool("fails", 0600, dir, &fails);
	return 0;
}

static void __exit stop(void)
{
	debugfs_remove_recursive(dir);
	nvdimm_bus_unregister(bus);
	platform_device_unregister(parent);
}

module_init(start);
module_exit(stop);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("for tests: an nvdimm bus that clears errors, or refuses to");
