/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/clear-command.c, clear-dax.c and clear-judge.c: what is refused of what no disk shows; what
 * is sent to a bus that does as it is told, or less; and zeros, also where memory kills who touches
 * it.
 *
 * The bus is made up: the functions of libndctl are those of this file.
 */
#include <fcntl.h>
#include <linux/ndctl.h>
#include <ndctl/libndctl.h>
#include <unistd.h>

#include "clear.h"
#include "snapshot.h"
#include "tree.h"

#define BASE 0x100000000ULL
#define MIB (1ULL << 20)
#define LIST "sys/bus/nd/devices/region0/badblocks"

struct ndctl_bus {
	bool is_there;
	unsigned long commands; /* bits of ND_CMD_* */
	unsigned int unit;
	uint64_t at_once, works_for; /* bytes that are cleared by one command, and by all */
	char *sent;		     /* the commands, as words */
};

struct ndctl_cmd {
	uint64_t address, length, cleared;
	bool is_clear;
};

static struct ndctl_bus bus;

struct ndctl_bus *ndctl_bus_get_first(struct ndctl_ctx *ctx)
{
	return bus.is_there ? &bus : NULL;
}

struct ndctl_bus *ndctl_bus_get_next(struct ndctl_bus *last)
{
	return NULL;
}

const char *ndctl_bus_get_devname(struct ndctl_bus *which)
{
	return "ndbus0";
}

int ndctl_bus_is_cmd_supported(struct ndctl_bus *which, int cmd)
{
	return which->commands >> cmd & 1;
}

static struct ndctl_cmd *new_cmd(uint64_t address, uint64_t length, bool is_clear)
{
	struct ndctl_cmd *cmd = calloc(1, sizeof(*cmd));

	assert_non_null(cmd);
	*cmd = (struct ndctl_cmd){.address = address, .length = length, .is_clear = is_clear};
	return cmd;
}

struct ndctl_cmd *ndctl_bus_cmd_new_ars_cap(struct ndctl_bus *which, unsigned long long address,
					    unsigned long long len)
{
	return new_cmd(address, len, false);
}

struct ndctl_cmd *ndctl_bus_cmd_new_clear_error(unsigned long long address, unsigned long long len,
						struct ndctl_cmd *cap)
{
	assert_true(address >= cap->address && address + len <= cap->address + cap->length);
	return (address | len) & (bus.unit - 1) ? NULL : new_cmd(address, len, true);
}

int ndctl_cmd_submit(struct ndctl_cmd *cmd)
{
	_cleanup_free_ char *word = NULL;

	if (!cmd->is_clear)
		return 0;
	word = pme_printf("%llx+%llu", (unsigned long long)(cmd->address - BASE),
			  (unsigned long long)cmd->length);
	words_add(&bus.sent, word);
	cmd->cleared = pme_min(pme_min(bus.at_once, bus.works_for), cmd->length);
	bus.works_for -= cmd->cleared;
	return 0;
}

unsigned int ndctl_cmd_ars_cap_get_clear_unit(struct ndctl_cmd *cap)
{
	return bus.unit;
}

unsigned long long ndctl_cmd_clear_error_get_cleared(struct ndctl_cmd *cmd)
{
	return cmd->cleared;
}

void ndctl_cmd_unref(struct ndctl_cmd *cmd)
{
	free(cmd);
}

struct ndctl_ctx *ndctl_unref(struct ndctl_ctx *ctx)
{
	return NULL;
}

/* A region of 1 GiB: 64 MiB fsdax, 64 MiB devdax with 2 MiB in front of its data, and free space.
 */
struct machine {
	struct tree tree;
	struct snapshot snap;
	struct pme_dev *region, *disk, *dax;
	struct pme_clear clear;
};

static int setup(void **state)
{
	static struct machine m;

	m = (struct machine){0};
	bus = (struct ndctl_bus){
		.is_there = true,
		.commands = 1UL << ND_CMD_ARS_CAP | 1UL << ND_CMD_ARS_STATUS |
			    1UL << ND_CMD_CLEAR_ERROR,
		.unit = 256,
		.at_once = UINT64_MAX,
		.works_for = UINT64_MAX,
	};
	tree_init(&m.tree);
	tree_dir(&m.tree, "sys/bus/nd/drivers/nd_region");
	tree_link(&m.tree, "sys/bus/nd/devices/region0/driver", "../../drivers/nd_region");
	tree_file(&m.tree, "sys/bus/nd/devices/region0/available_size", "939524096\n");
	tree_file(&m.tree, LIST, "");
	tree_link(&m.tree, "proc/self/ns/pid", "pid:[4026531836]");
	tree_link(&m.tree, "sys/bus/dax/devices/dax0.1/driver", "../../../drivers/device_dax");
	tree_file(&m.tree, "sys/bus/dax/devices/dax0.1/align", "4096\n");
	snap_init(&m.snap, &m.tree.os);
	m.snap.topo->nd = &bus;
	m.region = snap_region(&m.snap, "region0", BASE, 1024 * MIB, "nmem0");
	m.snap.topo->regions[0]->provider = strdup("ACPI.NFIT");
	m.disk = snap_namespace(&m.snap, m.region, "namespace0.0", PME_MODE_FSDAX, 0, 64 * MIB,
				2 * MIB, "pmem0");
	m.dax = snap_namespace(&m.snap, m.region, "namespace0.1", PME_MODE_DEVDAX, 64 * MIB,
			       64 * MIB, 2 * MIB, "dax0.1");
	*state = &m;
	return 0;
}

static void forget(struct machine *m)
{
	m->clear.scan.topo = NULL;
	pme_clear_done(&m->clear);
	free(bus.sent);
	bus.sent = NULL;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	forget(m);
	m->snap.topo->nd = NULL;
	snap_done(&m->snap);
	tree_done(&m->tree);
	return 0;
}

/* The range of one claim that is all of it, up to @upper, which may be @dev itself. */
static struct pme_claim *ask(struct machine *m, const struct pme_dev *dev, struct pme_range range,
			     const struct pme_dev *upper, enum pme_owner_kind kind)
{
	struct pme_findings *findings = &m->clear.scan.findings;
	struct pme_hop hops[] = {{.dev = dev, .kind = "disk", .start = range.start},
				 {.dev = upper, .kind = "namespace", .start = 4096}};
	struct pme_top top = {.hops = hops, .n_hops = upper == dev ? 1 : 2, .length = range.length};
	struct pme_claim *claim;

	m->clear.scan.topo = m->snap.topo;
	assert_int_equal(pme_grow(&findings->items, &findings->alloc, findings->count,
				  sizeof(*findings->items)),
			 0);
	findings->items[findings->count] = (struct pme_finding){.dev = dev, .range = range};
	claim = pme_finding_add_claim(&findings->items[findings->count++], &top, 0, range.length);
	assert_non_null(claim);
	claim->kind = kind;
	claim->certainty = PME_EXACT;
	return claim;
}

/* NULL: it may be cleared. */
static void judged(struct machine *m, const char *why)
{
	assert_int_equal(pme_clear_judge(&m->clear), 0);
	assert_int_equal(m->clear.way.path, PME_CLEAR_COMMAND);
	if (!why && m->clear.reason)
		fail_msg("%s", m->clear.reason);
	if (why && (!m->clear.reason || !strstr(m->clear.reason, why)))
		fail_msg("%s: not for \"%s\"", m->clear.reason ? m->clear.reason : "", why);
	assert_int_equal(m->clear.state, why ? PME_CLEAR_REFUSED : PME_CLEAR_PLANNED);
	forget(m);
}

static void space_of_a_region(void **state)
{
	static const struct pme_range place = {256 * MIB, 4096};
	struct machine *m = *state;

	ask(m, m->region, place, m->region, PME_OWNER_UNUSED);
	judged(m, NULL);
	ask(m, m->region, (struct pme_range){256 * MIB + 256, 256}, m->region, PME_OWNER_UNUSED);
	judged(m, "whole sectors");
	bus.unit = 4096;
	ask(m, m->region, (struct pme_range){256 * MIB, 512}, m->region, PME_OWNER_UNUSED);
	judged(m, "4096 bytes at once");
	ask(m, m->region, place, m->region, PME_OWNER_NAMESPACE_METADATA);
	judged(m, "in use: namespace-metadata");
	ask(m, m->region, place, m->region, PME_OWNER_UNUSED)->certainty = PME_UNCERTAIN;
	judged(m, "not known whose");
	ask(m, m->region, place, m->disk, PME_OWNER_UNUSED);
	judged(m, "give the range there (pmem0:4096+4096)");
	ask(m, m->region, place, m->region, PME_OWNER_UNUSED);
	m->clear.incomplete = true;
	judged(m, "not all of this machine");

	/* less is available than is in no namespace that is known */
	tree_file(&m->tree, "sys/bus/nd/devices/region0/available_size", "939520000\n");
	ask(m, m->region, place, m->region, PME_OWNER_UNUSED);
	judged(m, "does not count all");
	assert_int_equal(unlinkat(m->tree.os.root, "sys/bus/nd/devices/region0/driver", 0), 0);
	ask(m, m->region, place, m->region, PME_OWNER_UNUSED);
	judged(m, "disabled");
}

static void memory_of_devdax(void **state)
{
	static const struct pme_range place = {MIB, 4096};
	static const char driver[] = "sys/bus/dax/devices/dax0.1/driver";
	struct machine *m = *state;
	struct pme_holder holder = {.command = (char[]){"qemu"}, .pid = 7, .mapped = true};
	struct pme_file free_node = {0}, held = {.holders = &holder, .n_holders = 1};

	ask(m, m->dax, place, m->dax, PME_OWNER_DEVDAX)->node = &free_node;
	judged(m, "--give-up zero");
	ask(m, m->dax, place, m->dax, PME_OWNER_DEVDAX)->node = &free_node;
	m->clear.give_up = true;
	judged(m, NULL);
	ask(m, m->region, place, m->dax, PME_OWNER_DEVDAX)->node = &free_node;
	m->clear.give_up = true;
	judged(m, "give the range there (dax0.1:4096+4096)");
	ask(m, m->dax, place, m->dax, PME_OWNER_DEVDAX)->node = &held;
	m->clear.give_up = true;
	judged(m, "in use: qemu (process 7) has /dev/dax0.1 mapped");
	ask(m, m->dax, place, m->dax, PME_OWNER_DEVDAX);
	m->clear.give_up = true;
	judged(m, "not known that nobody has");
	ask(m, m->dax, place, m->dax, PME_OWNER_DEVDAX)->node = &free_node;
	m->clear.give_up = m->clear.incomplete = true;
	judged(m, "not known that nobody has");

	/* in a container */
	assert_int_equal(unlinkat(m->tree.os.root, "proc/self/ns/pid", 0), 0);
	tree_link(&m->tree, "proc/self/ns/pid", "pid:[4026532000]");
	ask(m, m->dax, place, m->dax, PME_OWNER_DEVDAX)->node = &free_node;
	m->clear.give_up = true;
	judged(m, "not known that nobody has");
	assert_int_equal(unlinkat(m->tree.os.root, "proc/self/ns/pid", 0), 0);
	tree_link(&m->tree, "proc/self/ns/pid", "pid:[4026531836]");

	assert_int_equal(unlinkat(m->tree.os.root, driver, 0), 0);
	ask(m, m->dax, place, m->dax, PME_OWNER_DEVDAX)->node = &free_node;
	m->clear.give_up = true;
	judged(m, "no driver");
	tree_link(&m->tree, driver, "../../../drivers/kmem");
	ask(m, m->dax, place, m->dax, PME_OWNER_DEVDAX)->node = &free_node;
	m->clear.give_up = true;
	judged(m, "memory of the system");
}

/* Whether it works is said beforehand, whatever else there is to say. */
static void buses_that_cannot(void **state)
{
	static const struct {
		bool is_there;
		unsigned long without;
		unsigned int unit;
		enum pme_clear_works works;
		const char *why;
	} cases[] = {
		{true, 0, 256, PME_CLEAR_WORKS, "has a command"},
		{true, 1UL << ND_CMD_CLEAR_ERROR, 256, PME_CLEAR_FAILS, "has no command"},
		{true, 1UL << ND_CMD_ARS_CAP, 256, PME_CLEAR_FAILS, "has no command"},
		{true, 1UL << ND_CMD_ARS_STATUS, 256, PME_CLEAR_FAILS, "has no command"},
		{true, 0, 0, PME_CLEAR_UNKNOWN, "does not say"},
		{true, 0, 768, PME_CLEAR_UNKNOWN, "does not say"},
		{false, 0, 256, PME_CLEAR_UNKNOWN, "cannot be asked"},
	};
	struct machine *m = *state;
	unsigned long all = bus.commands;
	struct pme_clear_way way;

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		bus.is_there = cases[i].is_there;
		bus.commands = all & ~cases[i].without;
		bus.unit = cases[i].unit;
		assert_int_equal(pme_clear_command_way(m->snap.topo, m->dax,
						       (struct pme_range){0, 512}, &way),
				 0);
		assert_int_equal(way.works, cases[i].works);
		assert_non_null(strstr(way.reason, cases[i].why));
		pme_clear_way_done(&way);
	}
	m->snap.topo->namespaces[1]->data_start = PME_UNKNOWN;
	assert_int_equal(
		pme_clear_command_way(m->snap.topo, m->dax, (struct pme_range){0, 512}, &way), 0);
	assert_int_equal(way.works, PME_CLEAR_UNKNOWN);
	assert_non_null(strstr(way.reason, "run as root"));
	pme_clear_way_done(&way);
}

static void prepare(struct machine *m, struct pme_range range)
{
	ask(m, m->region, range, m->region, PME_OWNER_UNUSED);
	assert_int_equal(pme_clear_judge(&m->clear), 0);
	assert_int_equal(pme_clear_command_look(&m->clear), 0);
}

static void ran(struct machine *m, enum pme_clear_state state, const char *sent, uint64_t written,
		uint64_t failed)
{
	assert_int_equal(pme_clear_command_run(&m->clear), 0);
	assert_int_equal(m->clear.state, state);
	assert_string_equal(bus.sent, sent);
	assert_int_equal(pme_range_list_bytes(&m->clear.written), written);
	assert_int_equal(pme_range_list_bytes(&m->clear.failed), failed);
}

/* Nothing but what the list has, and within the range. */
static void only_what_is_listed(void **state)
{
	struct machine *m = *state;
	struct pme_range range = {256 * MIB, MIB};

	tree_file(&m->tree, LIST, "524280 16\n524800 8\n526330 8\n");
	prepare(m, range);
	tree_file(&m->tree, LIST, "524280 8\n526336 2\n");
	ran(m, PME_CLEAR_CLEARED, "10000000+4096 10040000+4096 100ff400+3072 ", 11264, 0);
	assert_non_null(strstr(m->clear.reason, "as long as no namespace has them"));
	forget(m);

	prepare(m, (struct pme_range){300 * MIB, MIB});
	assert_int_equal(m->clear.listed.count, 0);
	forget(m);
	ask(m, m->region, range, m->region, PME_OWNER_UNUSED);
	assert_int_equal(pme_clear_judge(&m->clear), 0);
	tree_file(&m->tree, LIST, "524288 8");
	assert_int_equal(pme_clear_command_look(&m->clear), -EOVERFLOW);
}

static void less_than_was_asked_for(void **state)
{
	struct machine *m = *state;
	struct pme_range range = {256 * MIB, MIB};

	tree_file(&m->tree, LIST, "524288 8\n524800 8\n");
	bus.at_once = 2048;
	prepare(m, range);
	tree_file(&m->tree, LIST, "");
	ran(m, PME_CLEAR_CLEARED, "10000000+4096 10000800+2048 10040000+4096 10040800+2048 ", 8192,
	    0);
	forget(m);

	/* half a sector is none */
	tree_file(&m->tree, LIST, "524288 8\n524800 8\n");
	bus.works_for = 4096 + 768;
	prepare(m, range);
	ran(m, PME_CLEAR_PARTLY, "10000000+4096 10000800+2048 10040000+4096 10040300+3328 ", 4608,
	    3584);
	assert_int_equal(m->clear.failed.items[0].start, 256 * MIB + 256 * 1024 + 512);
	assert_int_equal(pme_range_list_bytes(&m->clear.still_bad), 8192);
	forget(m);

	bus.works_for = 0;
	prepare(m, range);
	ran(m, PME_CLEAR_FAILED, "10000000+4096 10040000+4096 ", 0, 8192);
	forget(m);

	/* a list that does not change */
	bus.at_once = bus.works_for = UINT64_MAX;
	prepare(m, range);
	ran(m, PME_CLEAR_PARTLY, "10000000+4096 10040000+4096 ", 8192, 0);
	assert_non_null(strstr(m->clear.reason, "still has 8192 bytes"));
}

/* A device that cannot be had is not touched. */
static void without_the_device(void **state)
{
	struct machine *m = *state;
	struct pme_file node = {0};

	tree_file(&m->tree, LIST, "139264 8\n");
	ask(m, m->dax, (struct pme_range){2 * MIB, 4096}, m->dax, PME_OWNER_DEVDAX)->node = &node;
	m->clear.give_up = true;
	assert_int_equal(pme_clear_judge(&m->clear), 0);
	assert_int_equal(pme_clear_command_look(&m->clear), 0);
	assert_int_equal(m->clear.listed.count, 1);
	assert_int_equal(m->clear.listed.items[0].start, 2 * MIB);
	tree_file(&m->tree, "dev/dax0.1", "no device");
	assert_int_equal(pme_clear_command_run(&m->clear), 0);
	assert_int_equal(m->clear.state, PME_CLEAR_REFUSED);
	assert_null(bus.sent);
}

/* A file in the place of the device: behind its end there is SIGBUS. */
static void zeros_are_written(void **state)
{
	struct machine *m = *state;
	_cleanup_(pme_range_list_done) struct pme_range_list unreadable = {0};
	unsigned char bytes[12288];
	int fd;

	memset(bytes, 0xaa, sizeof(bytes));
	tree_file(&m->tree, "dev/memory", "");
	fd = pme_os_open(&m->tree.os, "dev/memory", O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pme_os_pwrite(fd, bytes, sizeof(bytes), 0), 0);
	assert_int_equal(pme_clear_dax_zero(&m->tree.os, m->dax, fd, (struct pme_range){4608, 1024},
					    &unreadable),
			 0);
	assert_int_equal(unreadable.count, 0);
	assert_int_equal(pread(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], i >= 4608 && i < 5632 ? 0 : 0xaa);
	assert_int_equal(pme_clear_dax_zero(&m->tree.os, m->dax, fd, (struct pme_range){8192, 8192},
					    &unreadable),
			 0);
	pme_range_list_normalize(&unreadable);
	assert_int_equal(unreadable.count, 1);
	assert_int_equal(unreadable.items[0].start, 12288);
	assert_int_equal(unreadable.items[0].length, 4096);
	/* more than are tried one by one */
	assert_int_equal(pme_clear_dax_zero(&m->tree.os, m->dax, fd, (struct pme_range){65536, MIB},
					    &unreadable),
			 0);
	pme_range_list_normalize(&unreadable);
	assert_int_equal(pme_range_list_bytes(&unreadable), 4096 + MIB);
	close(fd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(space_of_a_region, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_of_devdax, setup, teardown),
		cmocka_unit_test_setup_teardown(buses_that_cannot, setup, teardown),
		cmocka_unit_test_setup_teardown(only_what_is_listed, setup, teardown),
		cmocka_unit_test_setup_teardown(less_than_was_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(without_the_device, setup, teardown),
		cmocka_unit_test_setup_teardown(zeros_are_written, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
