/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parsers with tables of cases, and the search over a made-up /proc.
 */
#include "check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "holders.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define MAPS_FORMAT                                    \
	"1000-3000 rw-s 00000000 %x:%x %llu /data\n%s" \
	"5000-7000 r--p 00001000 %x:%x %llu /data\n%s"

static void test_map_lines(void **state)
{
	const struct {
		const char *line;
		struct pme_map_line want;
	} good[] = {
		{"7f0000001000-7f0000003000 rw-s 00002000 fd:03 131                 /srv/a b\n",
		 {0x7f0000001000, 0x7f0000003000, 0x2000, 131, makedev(0xfd, 3), true, true}},
		{"00400000-00401000 r-xp 00000000 00:00 0",
		 {0x400000, 0x401000, 0, 0, makedev(0, 0), false, false}},
		{"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0   [vsyscall]",
		 {0xffffffffff600000, 0xffffffffff601000, 0, 0, makedev(0, 0), false, false}},
		{"1000-2000 r--p ffffffff000 103:12f 18446744073709551615 /x (deleted)",
		 {0x1000, 0x2000, 0xffffffff000, UINT64_MAX, makedev(0x103, 0x12f), false, false}},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(good); i++) {
		const struct pme_map_line *want = &good[i].want;
		struct pme_map_line map = {0};

		assert_int_equal(pme_map_line_parse(good[i].line, strlen(good[i].line), &map), 0);
		assert_true(map.start == want->start && map.end == want->end);
		assert_true(map.offset == want->offset && map.inode == want->inode);
		assert_true(map.devno == want->devno);
		assert_true(map.writable == want->writable && map.shared == want->shared);
	}
}

static void test_bad_map_lines(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"1000-2000",
		"1000-2000 r--p 0 0:0",
		"1000-2000 r--p 0 0:0 ",
		"2000-1000 r--p 0 0:0 1",
		"1000-1000 r--p 0 0:0 1",
		"1000 2000 r--p 0 0:0 1",
		"1000-2000 r-zp 0 0:0 1",
		"1000-2000 r--p 0 0:0 x",
		"1000-2000 r--p 0 0:0 18446744073709551616",
		"10000000000000000-20000000000000000 r--p 0 0:0 1",
		"1000-2000 r--p 0 100000000:0 1",
		"Size:                  8 kB",
		"VmFlags: rd wr sh sf",
	};
	struct pme_map_line map;

	for (size_t i = 0; i < PME_ARRAY_SIZE(bad); i++)
		assert_int_equal(pme_map_line_parse(bad[i], strlen(bad[i]), &map), -EINVAL);
}

static void same(const char *got, const char *want)
{
	if (want && got)
		assert_string_equal(got, want);
	else
		assert_true(!want && !got);
}

static void test_cgroups(void **state)
{
	static const struct {
		const char *text, *unit, *container;
	} cases[] = {
		{"0::/\n", NULL, NULL},
		{"", NULL, NULL},
		{"0::/system.slice/postgresql@15-main.service\n", "postgresql@15-main.service",
		 NULL},
		{"0::/user.slice/user-0.slice/session-2.scope", "session-2.scope", NULL},
		{"0::/user.slice/user-1.slice/user@1.service/app.slice/x.service\n",
		 "user@1.service", NULL},
		{"12:pids:/a\n1:name=systemd:/system.slice/x.service\n0::/\n", "x.service", NULL},
		{"0::/system.slice/docker-" HEX64 ".scope\n", "docker-" HEX64 ".scope", HEX64},
		{"4:memory:/docker/" HEX64 "\n", NULL, HEX64},
		{"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-" HEX64 ".scope",
		 "cri-containerd-" HEX64 ".scope", HEX64},
		{"5:cpu:/kubepods/burstable/pod1-2/" HEX64, NULL, HEX64},
		{"0::/kubepods-pod1.slice:cri-containerd:" HEX64, NULL, HEX64},
		{"0::/kubepods.slice/crio-" HEX64 ".scope", "crio-" HEX64 ".scope", HEX64},
		{"0::/machine.slice/libpod-" HEX64 ".scope/container", "libpod-" HEX64 ".scope",
		 HEX64},
		{"0::/machine.slice/libpod-conmon-" HEX64 ".scope", "libpod-conmon-" HEX64 ".scope",
		 NULL},
		{"0::/system.slice/docker-" HEX64 "a.scope", "docker-" HEX64 "a.scope", NULL},
		{"0::/lxc/web/system.slice/x.service", "x.service", "web"},
		{"0::/lxc.payload.web/x", NULL, "web"},
		{"0::/lxc.monitor.web", NULL, NULL},
		{"0::/machine.slice/systemd-nspawn@deb.service/payload",
		 "systemd-nspawn@deb.service", "deb"},
		{"0::/machine.slice/machine-a\\x2db.scope", "machine-a\\x2db.scope", "a-b"},
		{"0::/machine.slice/machine-qemu\\x2d1\\x2dvm.scope",
		 "machine-qemu\\x2d1\\x2dvm.scope", NULL},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		char *unit = NULL, *container = NULL;

		assert_int_equal(
			pme_cgroup_parse(cases[i].text, strlen(cases[i].text), &unit, &container),
			0);
		same(unit, cases[i].unit);
		same(container, cases[i].container);
		free(unit);
		free(container);
	}
}

static void test_bad_cgroups(void **state)
{
	static const char *const bad[] = {"x", "0:x", "\n", "0::/\nrest"};
	char *unit = NULL, *container = NULL;

	for (size_t i = 0; i < PME_ARRAY_SIZE(bad); i++)
		assert_int_equal(pme_cgroup_parse(bad[i], strlen(bad[i]), &unit, &container),
				 -EINVAL);
	assert_int_equal(pme_cgroup_parse("0::/a\0b", 7, &unit, &container), -EINVAL);
}

struct root {
	char path[64];
	struct pme_os os;
	struct stat st; /* of the file "data" */
};

static void make(const struct root *root, const char *name, const char *text)
{
	int fd = openat(root->os.root, name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void make_process(const struct root *root, int pid, const char *comm, const char *cgroup)
{
	char name[64];

	snprintf(name, sizeof(name), "proc/%d", pid);
	assert_int_equal(mkdirat(root->os.root, name, 0700), 0);
	snprintf(name, sizeof(name), "proc/%d/fd", pid);
	assert_int_equal(mkdirat(root->os.root, name, 0700), 0);
	snprintf(name, sizeof(name), "proc/%d/comm", pid);
	make(root, name, comm);
	snprintf(name, sizeof(name), "proc/%d/cgroup", pid);
	make(root, name, cgroup);
	snprintf(name, sizeof(name), "proc/%d/maps", pid);
	make(root, name, "");
}

static int setup(void **state)
{
	struct root *root = calloc(1, sizeof(*root));

	memcpy(root->path, "/tmp/pme-holders-XXXXXX", sizeof("/tmp/pme-holders-XXXXXX"));
	assert_non_null(mkdtemp(root->path));
	assert_int_equal(pme_os_open_root(root->path, &root->os), 0);
	assert_int_equal(mkdirat(root->os.root, "proc", 0700), 0);
	make(root, "data", "x");
	make(root, "proc/version", "not a process");
	assert_int_equal(fstatat(root->os.root, "data", &root->st, 0), 0);
	make_process(root, 1, "init\n", "0::/init.scope\n");
	*state = root;
	return 0;
}

static int teardown(void **state)
{
	struct root *root = *state;
	char command[128];

	pme_os_close(&root->os);
	snprintf(command, sizeof(command), "rm -rf %s", root->path);
	assert_int_equal(system(command), 0);
	free(root);
	return 0;
}

static struct pme_file *new_file(const struct root *root)
{
	struct pme_file *file = calloc(1, sizeof(*file));

	file->devno = root->st.st_dev;
	file->inode = root->st.st_ino;
	file->mode = root->st.st_mode;
	file->nlink = 1;
	return file;
}

/* The lines of two mappings of the file: bytes 0..8191 shared, 4096..12287 private. */
static void make_maps(const struct root *root, const char *flags)
{
	char text[1024];
	unsigned int maj = major(root->st.st_dev), min = minor(root->st.st_dev);
	unsigned long long ino = root->st.st_ino;

	snprintf(text, sizeof(text), MAPS_FORMAT, maj, min, ino, "", maj, min, ino, "");
	make(root, "proc/20/maps", text);
	snprintf(text, sizeof(text), MAPS_FORMAT, maj, min, ino, flags, maj, min, ino,
		 "VmFlags: rd\n");
	make(root, "proc/20/smaps", text);
}

static void test_search(void **state)
{
	const struct root *root = *state;
	struct pme_file *file = new_file(root);
	struct pme_log log = {0};

	make_process(root, 20, "postgres\n", "0::/system.slice/pg.service\n");
	make_process(root, 30, "odd name\n", "junk");
	make_maps(root, "Size: 8 kB\nVmFlags: rd wr sh sf \n");
	assert_int_equal(symlinkat("../../../data", root->os.root, "proc/30/fd/7"), 0);
	assert_int_equal(symlinkat("/nowhere/at/all", root->os.root, "proc/30/fd/8"), 0);
	assert_int_equal(pme_holders_find(&root->os, &file, 1, &log), 0);
	assert_int_equal(file->n_holders, 2);
	assert_int_equal(file->holders[0].pid, 20);
	assert_true(file->holders[0].mapped && file->holders[0].map_sync && !file->holders[0].open);
	assert_int_equal(file->holders[0].mapped_ranges.count, 1);
	assert_int_equal(file->holders[0].mapped_ranges.items[0].length, 12288);
	assert_string_equal(file->holders[0].map_entry, "1000-3000");
	assert_string_equal(file->holders[0].unit, "pg.service");
	assert_true(file->holders[1].open && !file->holders[1].mapped);
	assert_int_equal(file->holders[1].fd, 7);
	assert_string_equal(file->holders[1].command, "odd name");
	assert_null(file->holders[1].unit);
	assert_false(log.incomplete);
	pme_file_free(file);
	pme_log_done(&log);
}

/* Whoever looks into them, and however many do: each process once, in the order of their names. */
static void test_many(void **state)
{
	const struct root *root = *state;
	struct pme_file *file = new_file(root);
	struct pme_log log = {0};
	char name[64], maps[512];

	snprintf(maps, sizeof(maps), MAPS_FORMAT, major(root->st.st_dev), minor(root->st.st_dev),
		 (unsigned long long)root->st.st_ino, "", major(root->st.st_dev),
		 minor(root->st.st_dev), (unsigned long long)root->st.st_ino, "");
	for (int pid = 300; pid > 100; pid--) {
		make_process(root, pid, "many\n", "0::/\n");
		snprintf(name, sizeof(name), "proc/%d/fd/9", pid);
		assert_int_equal(symlinkat("../../../data", root->os.root, name), 0);
		snprintf(name, sizeof(name), "proc/%d/maps", pid);
		make(root, name, maps);
	}
	assert_int_equal(pme_holders_find(&root->os, &file, 1, &log), 0);
	assert_int_equal(file->n_holders, 200);
	for (size_t i = 0; i < file->n_holders; i++) {
		const struct pme_holder *holder = &file->holders[i];

		assert_int_equal(holder->pid, 101 + i);
		assert_true(holder->open && holder->mapped);
		assert_int_equal(holder->fd, 9);
		assert_string_equal(holder->command, "many");
		assert_int_equal(holder->mapped_ranges.count, 1);
	}
	pme_file_free(file);
	pme_log_done(&log);
}

/* MAP_SYNC of another file's mapping is not ours; a file without links gets a path in /proc. */
static void test_unlinked(void **state)
{
	const struct root *root = *state;
	struct pme_file *file = new_file(root);
	struct pme_log log = {0};

	file->nlink = 0;
	make_process(root, 20, "db\n", "0::/\n");
	make_maps(root, "VmFlags: rd sh\n9000-a000 rw-s 00000000 00:01 9 /o\nVmFlags: sf\n");
	assert_int_equal(pme_holders_find(&root->os, &file, 1, &log), 0);
	assert_int_equal(file->n_holders, 1);
	assert_false(file->holders[0].map_sync);
	assert_int_equal(file->n_paths, 1);
	assert_string_equal(file->paths[0], "/proc/20/map_files/1000-3000");
	assert_string_equal(file->paths_reason, "unlinked, still open");
	pme_file_free(file);
	pme_log_done(&log);
}

/*
 * A device is held through any node of it: the one that is open has another name and inode than the
 * one that is mapped.  A block device of the same number is another one.
 */
static void check_devices(const struct root *root, const char *flags_of_6, bool writes)
{
	struct pme_file *files[3] = {new_file(root), calloc(1, sizeof(**files)),
				     calloc(1, sizeof(**files))};
	struct pme_log log = {0};

	files[1]->rdev = files[2]->rdev = makedev(1, 3);
	files[1]->mode = S_IFCHR;
	files[2]->mode = S_IFBLK;
	make_process(root, 20, "db\n", "0::/\n");
	make(root, "proc/20/maps",
	     "1000-3000 rw-s 00001000 00:05 11 /dev/dax0.0\n"
	     "4000-5000 rw-s 00004000 00:05 11 /dev/dax0.0\n"
	     "6000-7000 r--p 00000000 00:05 12 /lib/x\n");
	make(root, "proc/20/smaps",
	     "1000-3000 rw-s 00001000 00:05 11 /dev/dax0.0\nVmFlags: rd sf\n");
	assert_int_equal(mkdirat(root->os.root, "proc/20/map_files", 0700), 0);
	make(root, "proc/20/map_files/6000-7000", "");
	make_process(root, 30, "opener\n", "0::/\n");
	assert_int_equal(mkdirat(root->os.root, "proc/30/fdinfo", 0700), 0);
	make(root, "proc/30/fdinfo/5", "pos:\t0\nflags:\t02000000\nmnt_id:\t9\n");
	make(root, "proc/30/fdinfo/6", flags_of_6);
	if (mknodat(root->os.root, "proc/20/map_files/1000-3000", S_IFCHR | 0600, makedev(1, 3)) ||
	    mknodat(root->os.root, "proc/30/fd/5", S_IFCHR | 0600, makedev(1, 3)) ||
	    mknodat(root->os.root, "proc/30/fd/6", S_IFCHR | 0600, makedev(1, 3))) {
		for (size_t i = 0; i < 3; i++)
			pme_file_free(files[i]);
		skip(); /* not root */
	}
	assert_int_equal(pme_holders_find(&root->os, files, 3, &log), 0);
	assert_int_equal(files[0]->n_holders, 0);
	assert_int_equal(files[2]->n_holders, 0);
	assert_int_equal(files[1]->n_holders, 2);
	assert_true(files[1]->holders[0].mapped && files[1]->holders[0].map_sync);
	assert_int_equal(files[1]->holders[0].mapped_ranges.count, 2);
	assert_int_equal(files[1]->holders[0].mapped_ranges.items[1].start, 0x4000);
	assert_true(files[1]->holders[1].open && !files[1]->holders[1].mapped);
	assert_false(files[1]->holders[0].writes);
	assert_int_equal(files[1]->holders[1].writes, writes);
	assert_int_equal(files[1]->n_paths, 0);
	assert_false(log.incomplete);
	for (size_t i = 0; i < 3; i++)
		pme_file_free(files[i]);
	pme_log_done(&log);
}

static void test_devices(void **state)
{
	check_devices(*state, "pos:\t0\nflags:\t0100000\n", false);
}

static void test_writers_of_devices(void **state)
{
	check_devices(*state, "pos:\t0\nflags:\t02100002\nmnt_id:\t30\n", true);
}

static void test_flags(void **state)
{
	static const struct {
		const char *text;
		int answer;
	} cases[] = {
		{"pos:\t0\nflags:\t0\n", 0},
		{"pos:\t0\nflags:\t02000001\nmnt_id:\t9\n", 1},
		{"pos:\t7\nflags:\t0100002\n", 1},
		{"pos:\t7\nflags:\t0100003\n", 0},
		{"", -EINVAL},
		{"flags:\t02\n", -EINVAL},
		{"pos:\t0\nflags:\t", -EINVAL},
		{"pos:\t0\nflags:\t\n", -EINVAL},
		{"pos:\t0\nflags:\t02", -EINVAL},
		{"pos:\t0\nflags:\t08\n", -EINVAL},
		{"pos:\t0\nflags:\t7777777777777777777777\n", -EINVAL},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++)
		assert_int_equal(pme_fdinfo_parse(cases[i].text, strlen(cases[i].text)),
				 cases[i].answer);
}

/* What cannot be seen is said: a process with a file that is no list of maps, a missing init. */
static void test_blind(void **state)
{
	const struct root *root = *state;
	struct pme_file *file = new_file(root);
	struct pme_log log = {0};

	make_process(root, 20, "x\n", "0::/\n");
	make(root, "proc/20/maps", "no map\n");
	assert_int_equal(renameat(root->os.root, "proc/1", root->os.root, "proc/2"), 0);
	assert_int_equal(pme_holders_find(&root->os, &file, 1, &log), 0);
	assert_true(log.incomplete);
	assert_int_equal(log.count, 2);
	assert_non_null(strstr(log.messages[0].text, "hidepid"));
	assert_non_null(strstr(log.messages[1].text, "1 of 2 processes"));
	pme_file_free(file);
	pme_log_done(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map_lines),
		cmocka_unit_test(test_bad_map_lines),
		cmocka_unit_test(test_cgroups),
		cmocka_unit_test(test_bad_cgroups),
		cmocka_unit_test_setup_teardown(test_search, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unlinked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_devices, setup, teardown),
		cmocka_unit_test_setup_teardown(test_writers_of_devices, setup, teardown),
		cmocka_unit_test(test_flags),
		cmocka_unit_test_setup_teardown(test_blind, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
