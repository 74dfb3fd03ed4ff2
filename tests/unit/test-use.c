/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What files are: the parsers with tables of cases, and the rows over a made-up /proc.
 *
 * The header of a pool is made here as pool_hdr.h of PMDK has it; the checksum is computed anew by
 * another loop.
 */
#include "check.h"
#include "tree.h"
#include "use-file.h"
#include "use-pool.h"
#include "use.h"

struct header {
	unsigned char bytes[PME_POOL_HEADER];
};

static void put_le(unsigned char *at, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		at[i] = (unsigned char)(value >> 8 * i);
}

static void seal(struct header *header, size_t end)
{
	uint64_t low = 0, high = 0;

	memset(header->bytes + 4088, 0, 8);
	for (size_t word = 0; word < PME_POOL_HEADER / 4; word++) {
		for (size_t i = 0; i < 4 && word * 4 < end; i++)
			low += (uint64_t)header->bytes[word * 4 + i] << 8 * i;
		high += low & UINT32_MAX;
	}
	put_le(header->bytes + 4088, (high & UINT32_MAX) << 32 | (low & UINT32_MAX), 8);
}

/* UUIDs: each byte of one is the digit. */
static struct header header_of(const char *signature, const char *own_parts_replicas)
{
	struct header header = {0};

	memcpy(header.bytes, signature, strlen(signature));
	put_le(header.bytes + 8, 6, 4);
	put_le(header.bytes + 16, 6, 4);
	memcpy(header.bytes + 24, "\x4\x3\x2\x1\x6\x5\x8\x7\x9\xa\xb\xc\xd\xe\xf\x10", 16);
	for (size_t i = 0; i < 5; i++)
		memset(header.bytes + 40 + 16 * i, own_parts_replicas[i], 16);
	put_le(header.bytes + 128, 0x3e00000000000102, 8);
	seal(&header, 2048);
	return header;
}

static void pools(void **state)
{
	static const struct {
		const char *signature, *uuids; /* own, previous and next part, and replica */
		enum pme_pool_kind kind;
		bool has_parts, has_replicas;
	} cases[] = {
		{"PMEMOBJ", "11111", PME_POOL_OBJ, false, false},
		{"PMEMLOG", "11111", PME_POOL_LOG, false, false},
		{"PMEMBLK", "11111", PME_POOL_BLK, false, false},
		{"PMEMOBJ", "11122", PME_POOL_OBJ, false, true},
		{"PMEMOBJ", "12211", PME_POOL_OBJ, true, false},
		{"PMEMOBJ", "12333", PME_POOL_OBJ, true, false}, /* not known */
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct header header = header_of(cases[i].signature, cases[i].uuids);
		struct pme_pool pool = {0};

		assert_int_equal(pme_pool_parse(header.bytes, sizeof(header), &pool), 0);
		assert_int_equal(pool.kind, cases[i].kind);
		assert_int_equal(pool.has_parts, cases[i].has_parts);
		assert_int_equal(pool.has_replicas, cases[i].has_replicas);
		assert_string_equal(pool.set, "01020304-0506-0708-090a-0b0c0d0e0f10");
	}
}

static void damaged_headers_are_none(void **state)
{
	struct header good = header_of("PMEMOBJ", "11111"), other;
	struct pme_pool pool;

	assert_int_equal(pme_pool_parse(good.bytes, sizeof(good) - 1, &pool), -EINVAL);
	for (size_t at = 0; at < 2048; at += 31) {
		other = good;
		other.bytes[at] ^= 4;
		assert_int_equal(pme_pool_parse(other.bytes, sizeof(other), &pool), -EINVAL);
	}
	other = good;
	other.bytes[3000] = 1; /* behind what is summed up */
	assert_int_equal(pme_pool_parse(other.bytes, sizeof(other), &pool), 0);
	other.bytes[16] = 4; /* an old one, without POOL_FEAT_CKSUM_2K: all is */
	seal(&other, 4088);
	assert_int_equal(pme_pool_parse(other.bytes, sizeof(other), &pool), 0);
	other.bytes[3000] = 2;
	assert_int_equal(pme_pool_parse(other.bytes, sizeof(other), &pool), -EINVAL);
	other = header_of("PMEMXXX", "11111");
	assert_int_equal(pme_pool_parse(other.bytes, sizeof(other), &pool), -EINVAL);
}

static void pool_sets(void **state)
{
	static const struct {
		const char *text;
		int r;
		struct pme_pool_place want;
	} cases[] = {
		{"PMEMPOOLSET\n8M /p/0\n", 1, {1, 1, 1, 1}},
		{"PMEMPOOLSET\n8M /p/0", 1, {1, 1, 1, 1}},
		{"PMEMPOOLSET\n# x\n\nOPTION NOHDRS\n8M /p/a\n16G \t/p/0\n1T /p/c\n",
		 1,
		 {1, 1, 2, 3}},
		{"PMEMPOOLSET\n8M /p/a\n8M /p/b\nREPLICA\n16M /p/0\n", 1, {2, 2, 1, 1}},
		{"PMEMPOOLSET\n8M /p/0\nREPLICA\n8M /p/b\nAUTO /dev/dax0.0\n", 1, {1, 2, 1, 1}},
		{"PMEMPOOLSET\n8M /p/0\nREPLICA u@h remote.set\n", 1, {1, 2, 1, 1}},
		{"PMEMPOOLSET\n8M /p/00\n8M /p\n", 0, {0}},
		{"PMEMPOOLSET\n", 0, {0}},
		{"", -EINVAL, {0}},
		{"PMEMPOOLSE\n8M /p/0\n", -EINVAL, {0}},
		{"PMEMPOOLSET x\n8M /p/0\n", -EINVAL, {0}},
		{"PMEMPOOLSET\n8M p/0\n", -EINVAL, {0}},
		{"PMEMPOOLSET\n8M\n", -EINVAL, {0}},
		{"PMEMPOOLSET\n8M /p/0\nelse /x\n", -EINVAL, {0}},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct pme_pool_place place = {0};

		assert_int_equal(
			pme_pool_set_parse(cases[i].text, strlen(cases[i].text), "/p/0", &place),
			cases[i].r);
		assert_memory_equal(&place, &cases[i].want, sizeof(place));
	}
}

static void images(void **state)
{
	unsigned char bytes[100] = {0};

	assert_null(pme_image_parse(bytes, sizeof(bytes)));
	memcpy(bytes + 64, "\x7f\x10\xda\xbe", 4);
	assert_string_equal(pme_image_parse(bytes, sizeof(bytes)), "VDI");
	assert_null(pme_image_parse(bytes, 67));
	memcpy(bytes, "QFI\xfb", 4);
	assert_string_equal(pme_image_parse(bytes, 4), "qcow2");
	assert_null(pme_image_parse(bytes, 3));
}

static void sqlite(void **state)
{
	static const struct {
		unsigned int page;
		bool good;
	} cases[] = {{1, true},	 {512, true},  {4096, true}, {32768, true},
		     {0, false}, {256, false}, {4097, false}};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		unsigned char bytes[100] = "SQLite format 3";

		bytes[16] = (unsigned char)(cases[i].page >> 8);
		bytes[17] = (unsigned char)cases[i].page;
		assert_int_equal(pme_sqlite_parse(bytes, sizeof(bytes)), cases[i].good);
		assert_false(pme_sqlite_parse(bytes, sizeof(bytes) - 1));
		bytes[15] = ' ';
		assert_false(pme_sqlite_parse(bytes, sizeof(bytes)));
	}
}

#define ARGS(text) text, sizeof(text) - 1

static void guests(void **state)
{
	static const struct {
		const char *args;
		size_t len;
		const char *name; /* NULL: none */
	} cases[] = {
		{ARGS("kvm\0-name\0web\0"), "web"},
		{ARGS("kvm\0--name\0web,process=x"), "web"},
		{ARGS("kvm\0-name\0debug-threads=on,guest=web\0"), "web"},
		{ARGS("kvm\0-name\0guest=a,,b,debug-threads=on\0"), "a,b"},
		{ARGS("kvm\0-name\0guest=,x\0"), NULL},
		{ARGS("kvm\0-name\0debug-threads=on\0"), NULL},
		{ARGS("kvm\0-name"), NULL},
		{ARGS("kvm\0-name\0"), NULL},
		{ARGS("kvm\0-nam\0x\0"), NULL},
		{ARGS(""), NULL},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *name = NULL;
		int r = pme_guest_name_parse(cases[i].args, cases[i].len, &name);

		assert_int_equal(r, cases[i].name != NULL);
		if (name || cases[i].name)
			assert_string_equal(name, cases[i].name);
	}
}

static void disks_of_guests(void **state)
{
	static const struct {
		const char *args;
		size_t len;
		bool is_disk;
	} cases[] = {
		{ARGS("kvm\0-drive\0file=/a/d,format=raw\0"), true},
		{ARGS("kvm\0-blockdev\0{\"driver\":\"file\",\"filename\":\"/a/d\",\"x\":1}\0"),
		 true},
		{ARGS("kvm\0-object\0memory-backend-file,id=m,mem-path=/a/d"), true},
		{ARGS("kvm\0-hda\0/a/d\0"), true},
		{ARGS("cloud-hypervisor\0--disk\0path=/a/d\0"), true},
		{ARGS("/a/d\0-hda\0/a/e\0"), false}, /* the program */
		{ARGS("kvm\0-D\0/a/d\0"), false},
		{ARGS("kvm\0-serial\0file:/a/d\0"), false},
		{ARGS("kvm\0-chardev\0file,id=c,path=/a/d\0"), false},
		{ARGS("kvm\0-drive\0file=/a/d2\0"), false},
		{ARGS("kvm\0-drive\0file=/b/a/d\0"), false},
		{ARGS(""), false},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++)
		assert_int_equal(pme_guest_disk_parse(cases[i].args, cases[i].len, "/a/d"),
				 cases[i].is_disk);
}

/* --- the rows --- */

struct asked {
	struct tree tree;
	struct pme_file file;
	char *path;
	struct pme_holder holder;
};

static int set_up(void **state)
{
	struct asked *asked = calloc(1, sizeof(*asked));

	assert_non_null(asked);
	tree_init(&asked->tree);
	asked->file = (struct pme_file){
		.paths = &asked->path,
		.holders = &asked->holder,
		.n_paths = 1,
		.n_holders = 1,
	};
	asked->holder = (struct pme_holder){.pid = 7, .open = true, .fd = 3};
	*state = asked;
	return 0;
}

static int tear_down(void **state)
{
	struct asked *asked = *state;

	tree_done(&asked->tree);
	free(asked);
	return 0;
}

static struct pme_use *ask(struct asked *asked, const char *command, const char *path,
			   const void *head, size_t size)
{
	struct pme_use_facts facts = {
		.os = &asked->tree.os,
		.file = &asked->file,
		.head = head,
		.head_size = size,
	};
	struct pme_use *use = NULL;
	int r;

	asked->path = (char *)path;
	asked->holder.command = (char *)command;
	r = pme_use_find(&facts, &use);
	assert_int_equal(r, use != NULL);
	return use;
}

static void a_server_and_its_file(void **state)
{
	static const struct {
		const char *command, *path, *what; /* NULL: a file like others */
	} cases[] = {
		{"postgres", "/pg/base/5/16384", "table or index of PostgreSQL"},
		{"postgres", "/pg/pg_wal/000000010000000000000001",
		 "write-ahead log of PostgreSQL"},
		{"postgres", "/var/log/postgresql/x.log", NULL},
		{"postgres", "/usr/lib/postgresql/bin/postgres", NULL},
		{"mariadbd", "/m/db/t.ibd", "InnoDB tablespace of MySQL or MariaDB"},
		{"mysqld", "/m/ibdata1", "InnoDB system tablespace of MySQL or MariaDB"},
		{"mongod", "/d/collection-0-1.wt", "collection or index of MongoDB"},
		{"redis-server", "/r/appendonly.aof", "append-only file of Redis"},
		{"post", "/pg/base/5/16384", NULL},
		{"", "/pg/base/5/16384", NULL},
		{"cp", "/m/db/t.ibd", NULL},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct pme_use *use = ask(*state, cases[i].command, cases[i].path, NULL, 0);

		assert_int_equal(use != NULL, cases[i].what != NULL);
		if (use) {
			assert_string_equal(use->what, cases[i].what);
			assert_int_equal(use->kind, PME_USE_DATABASE);
			assert_int_equal(use->source, PME_USE_BY_HOLDER);
			assert_int_equal(use->pid, 7);
			assert_true(strlen(use->advice) > 0);
		}
		pme_use_free(use);
	}
}

static void a_guest_and_its_disk(void **state)
{
	struct asked *asked = *state;
	struct pme_use *use;

	tree_file(&asked->tree, "proc/7/cmdline", "qemu-system-x86_64");
	assert_null(ask(asked, "qemu-system-x86", "/a/d", NULL, 0));
	use = ask(asked, "qemu-system-x86", "/a/d", "QFI\xfb", 4);
	assert_string_equal(
		use->what,
		"qcow2 image of the virtual machine in use by qemu-system-x86 (process 7)");
	assert_int_equal(use->kind, PME_USE_VM_IMAGE);
	assert_null(use->name);
	pme_use_free(use);
	assert_null(ask(asked, "qemu-img", "/a/d", "QFI\xfb", 4));
}

static void a_guest_with_a_name(void **state)
{
	static const char args[] = "kvm\0-name\0guest=web\0-drive\0file=/a/d,format=raw";
	struct asked *asked = *state;
	struct pme_use *use;
	FILE *file;
	_cleanup_free_ char *path = pme_printf("%s/proc/7/cmdline", asked->tree.path);

	tree_file(&asked->tree, "proc/7/cmdline", "");
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(args, 1, sizeof(args), file), sizeof(args));
	assert_int_equal(fclose(file), 0);
	asked->holder.unit = (char *)"libvirtd.service";
	use = ask(asked, "kvm", "/a/d", NULL, 0);
	assert_string_equal(use->what,
			    "image of the virtual machine web, in use by kvm (process 7) of "
			    "libvirtd.service");
	assert_string_equal(use->name, "web");
	pme_use_free(use);
	assert_null(ask(asked, "kvm", "/a/log", NULL, 0));
}

static void a_part_of_a_pool(void **state)
{
	struct header header = header_of("PMEMOBJ", "12211");
	struct asked *asked = *state;
	struct pme_use *use = ask(asked, "app", "/p/part", header.bytes, sizeof(header));

	assert_string_equal(use->what, "one of several parts of a PMDK object pool set");
	assert_string_equal(use->command, "pmempool info /p/part");
	pme_use_free(use);
	tree_file(&asked->tree, "p/x.set", "PMEMPOOLSET\n8M /p/other\nREPLICA\n8M /p/part\n");
	tree_file(&asked->tree, "p/a.set", "no pool set");
	use = ask(asked, "app", "/p/part", header.bytes, sizeof(header));
	assert_string_equal(use->what,
			    "part 1 of 1 in replica 2 of 2 of the PMDK object pool set /p/x.set");
	assert_string_equal(use->command, "pmempool sync --bad-blocks /p/x.set");
	assert_int_equal(use->source, PME_USE_BY_HEADER);
	assert_string_equal(use->name, "01020304-0506-0708-090a-0b0c0d0e0f10");
	pme_use_free(use);
	header = header_of("PMEMLOG", "11111");
	use = ask(asked, "app", "/q/pool", header.bytes, sizeof(header));
	assert_string_equal(use->what, "PMDK log pool");
	assert_string_equal(use->command, "pmempool check /q/pool");
	pme_use_free(use);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pools),
		cmocka_unit_test(damaged_headers_are_none),
		cmocka_unit_test(pool_sets),
		cmocka_unit_test(images),
		cmocka_unit_test(sqlite),
		cmocka_unit_test(guests),
		cmocka_unit_test(disks_of_guests),
		cmocka_unit_test_setup_teardown(a_server_and_its_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_guest_and_its_disk, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_guest_with_a_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_part_of_a_pool, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
