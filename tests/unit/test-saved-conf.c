/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/saved-conf.c, lib/saved-place.c: files of protections are read as they were written; what
 * makes no sense is refused, and said.
 */
#include "saved-conf.h"

#include <fcntl.h>
#include <string.h>

#include "check.h"
#include "manifest.h"
#include "saved-place.h"
#include "tree.h"

static void comes_back(void **state)
{
	static char path[] = "/srv/\xff\n\"x", replica[] = "/", uuid[] = "32b013a3-2CB1";
	struct pme_protection p = {
		.path = path,
		.replica = replica,
		.fs_uuid = uuid,
		.keep = 3,
		.every = 3600,
	};
	struct pme_protections all = {0};
	struct tree tree;

	(void)state;
	tree_init(&tree);
	tree_dir(&tree, PME_PROTECT_DIR);
	p.id = pme_protection_id(path);
	assert_true(pme_protection_is_id(p.id));
	assert_int_equal(pme_protection_store(&tree.os, &p), 0);
	assert_int_equal(pme_protections_load(&tree.os, &tree.log, &all), 0);
	assert_int_equal(tree.log.count, 0);
	assert_int_equal(all.count, 1);
	assert_string_equal(all.items[0].id, p.id);
	assert_string_equal(all.items[0].path, path);
	assert_string_equal(all.items[0].replica, replica);
	assert_string_equal(all.items[0].fs_uuid, uuid);
	assert_int_equal(all.items[0].keep, 3);
	assert_int_equal(all.items[0].every, 3600);
	pme_protections_done(&all);
	assert_int_equal(pme_protection_forget(&tree.os, p.id), 0);
	assert_int_equal(pme_protections_load(&tree.os, &tree.log, &all), 0);
	assert_int_equal(all.count, 0);
	free(p.id);
	tree_done(&tree);
}

#define HEAD "{\"format\": \"pmemctl.protection\", \"format_version\": [1, 0], "
#define PATHS                                                                                    \
	"\"path\": {\"path\": \"/a\", \"raw\": null}, \"replica\": {\"path\": \"/b\", \"raw\": " \
	"null}, "
#define REST "\"filesystem\": \"ab-12\", \"keep\": 2, \"every\": 0}"

static void nonsense_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		HEAD PATHS REST "x",
		"{\"format\": \"pmemctl.scan\", \"format_version\": [1, 0], " PATHS REST,
		"{\"format\": \"pmemctl.protection\", \"format_version\": [2, 0], " PATHS REST,
		HEAD REST,
		HEAD "\"path\": \"/a\", \"replica\": \"/b\", " REST,
		HEAD "\"path\": {\"path\": \"a\"}, \"replica\": {\"path\": \"/b\"}, " REST,
		HEAD "\"path\": {\"path\": \"/a/../b\"}, \"replica\": {\"path\": \"/b\"}, " REST,
		HEAD "\"path\": {\"path\": \"/a//b\"}, \"replica\": {\"path\": \"/b\"}, " REST,
		HEAD "\"path\": {\"path\": \"/a/\"}, \"replica\": {\"path\": \"/b\"}, " REST,
		HEAD "\"path\": {\"path\": \"/a\\u0000b\"}, \"replica\": {\"path\": \"/b\"}, " REST,
		HEAD "\"path\": {\"path\": \"/a\", \"raw\": \"!\"}, \"replica\": {\"path\": "
		     "\"/b\"}, " REST,
		HEAD PATHS "\"filesystem\": \"a b\", \"keep\": 2, \"every\": 0}",
		HEAD PATHS "\"filesystem\": \"\", \"keep\": 2, \"every\": 0}",
		HEAD PATHS "\"filesystem\": \"ab\", \"keep\": 0, \"every\": 0}",
		HEAD PATHS "\"filesystem\": \"ab\", \"keep\": 1001, \"every\": 0}",
		HEAD PATHS "\"filesystem\": \"ab\", \"keep\": -1, \"every\": 0}",
		HEAD PATHS "\"filesystem\": \"ab\", \"keep\": \"2\", \"every\": 0}",
		HEAD PATHS "\"filesystem\": \"ab\", \"keep\": 2, \"every\": 99999999999}",
		HEAD PATHS "\"filesystem\": \"ab\", \"keep\": 2}",
	};
	struct pme_protection p;

	(void)state;
	for (size_t i = 0; i < PME_ARRAY_SIZE(bad); i++)
		if (pme_protection_parse(bad[i], strlen(bad[i]), &p) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(pme_protection_parse(HEAD PATHS REST, strlen(HEAD PATHS REST), &p), 0);
	assert_string_equal(p.path, "/a");
	pme_protection_done(&p);
}

/* One that makes no sense, or has the name of another, is said, and hides no other. */
static void the_others_stay(void **state)
{
	static const char text[] = HEAD PATHS REST;
	struct pme_protections all = {0};
	struct tree tree;
	char *id = pme_protection_id("/a"), *path;

	(void)state;
	tree_init(&tree);
	path = pme_printf(PME_PROTECT_DIR "/%s.json", id);
	tree_file(&tree, path, text);
	tree_file(&tree, PME_PROTECT_DIR "/0000000000000000.json", text);
	tree_file(&tree, PME_PROTECT_DIR "/0000000000000001.json", "{");
	tree_file(&tree, PME_PROTECT_DIR "/0000000000000001.json.new", "{");
	tree_file(&tree, PME_PROTECT_DIR "/README", "{");
	assert_int_equal(pme_protections_load(&tree.os, &tree.log, &all), 0);
	assert_int_equal(all.count, 1);
	assert_int_equal(tree.log.count, 2);
	assert_true(tree.log.failed);
	pme_protections_done(&all);
	free(path);
	free(id);
	tree_done(&tree);
}

static void state_comes_back(void **state)
{
	struct pme_protection_state s = {
		.generation = 9,
		.finished = 8,
		.synced = 1700000000000000,
		.whole = true,
		.files = 3,
		.bytes = 4,
		.not_kept = 5,
		.verified = 6,
		.damaged = 7,
	};
	struct pme_protection_state back;
	struct tree tree;

	(void)state;
	tree_init(&tree);
	tree_dir(&tree, PME_PROTECT_DIR);
	assert_int_equal(pme_protection_state_load(&tree.os, "0123456789abcdef", &back), 0);
	assert_int_equal(back.generation, 0);
	assert_int_equal(pme_protection_state_store(&tree.os, "0123456789abcdef", &s), 0);
	assert_int_equal(pme_protection_state_load(&tree.os, "0123456789abcdef", &back), 0);
	assert_int_equal(back.generation, 9);
	assert_int_equal(back.finished, 8);
	assert_int_equal(back.synced, 1700000000000000);
	assert_true(back.whole);
	assert_int_equal(back.files, 3);
	assert_int_equal(back.bytes, 4);
	assert_int_equal(back.not_kept, 5);
	assert_int_equal(back.verified, 6);
	assert_int_equal(back.damaged, 7);
	tree_file(&tree, PME_PROTECT_DIR "/0123456789abcde0.state", "{\"generation\": 3}");
	assert_int_equal(pme_protection_state_load(&tree.os, "0123456789abcde0", &back), -EINVAL);
	tree_done(&tree);
}

/* A link, a fifo, a directory, a file without end: nobody waits for them, and none is an answer. */
static void odd_files_make_no_sense(void **state)
{
	static const char id[] = "0123456789abcdef";
	static const char path[] = PME_PROTECT_DIR "/0123456789abcdef.state";
	_cleanup_free_ char *huge = calloc(1, (2U << 20) + 1);
	struct pme_protection_state back;
	struct pme_protections all = {0};
	struct tree tree;

	(void)state;
	assert_non_null(huge);
	memset(huge, '\n', 2U << 20);
	tree_init(&tree);
	tree_dir(&tree, PME_PROTECT_DIR);
	assert_int_equal(mkfifoat(tree.os.root, path, 0600), 0);
	assert_int_equal(pme_protection_state_load(&tree.os, id, &back), -EINVAL);
	assert_int_equal(unlinkat(tree.os.root, path, 0), 0);
	assert_int_equal(symlinkat("/dev/zero", tree.os.root, path), 0);
	assert_int_equal(pme_protection_state_load(&tree.os, id, &back), -EINVAL);
	assert_int_equal(unlinkat(tree.os.root, path, 0), 0);
	tree_dir(&tree, path);
	assert_int_equal(pme_protection_state_load(&tree.os, id, &back), -EINVAL);
	assert_int_equal(unlinkat(tree.os.root, path, AT_REMOVEDIR), 0);
	tree_file(&tree, path, huge);
	assert_int_equal(pme_protection_state_load(&tree.os, id, &back), -EINVAL);
	assert_int_equal(mkfifoat(tree.os.root, PME_PROTECT_DIR "/0123456789abcdef.json", 0600), 0);
	assert_int_equal(pme_protections_load(&tree.os, &tree.log, &all), 0);
	assert_int_equal(all.count, 0);
	assert_int_equal(tree.log.count, 1);
	tree_done(&tree);
}

static void no_directory_is_an_error(void **state)
{
	struct pme_protections all = {0};
	struct tree tree;

	(void)state;
	tree_init(&tree);
	assert_int_equal(pme_protections_load(&tree.os, &tree.log, &all), 0);
	tree_dir(&tree, "var/lib/pmemctl");
	assert_int_equal(symlinkat("nowhere", tree.os.root, PME_PROTECT_DIR), 0);
	assert_int_equal(pme_protections_load(&tree.os, &tree.log, &all), -ENOTDIR);
	assert_int_equal(unlinkat(tree.os.root, PME_PROTECT_DIR, 0), 0);
	tree_file(&tree, PME_PROTECT_DIR, "");
	assert_int_equal(pme_protections_load(&tree.os, &tree.log, &all), -ENOTDIR);
	assert_int_equal(all.count, 0);
	tree_done(&tree);
}

/* Who has waited for a lock that was forgotten has it of the file that is there then. */
static void a_lock_is_of_what_is_there(void **state)
{
	static const char id[] = "0123456789abcdef";
	_cleanup_close_ int first = -1, second = -1;
	struct stat a, b;
	struct tree tree;

	(void)state;
	tree_init(&tree);
	tree_dir(&tree, PME_PROTECT_DIR);
	first = pme_protection_lock(&tree.os, id, 0);
	assert_true(first >= 0);
	assert_int_equal(pme_protection_lock(&tree.os, id, 0), -ETIMEDOUT);
	assert_int_equal(pme_protection_forget(&tree.os, id), 0);
	second = pme_protection_lock(&tree.os, id, 0);
	assert_true(second >= 0);
	assert_int_equal(pme_os_fstat(first, &a), 0);
	assert_int_equal(pme_os_fstat(second, &b), 0);
	assert_int_equal(a.st_nlink, 0);
	assert_int_equal(b.st_nlink, 1);
	tree_done(&tree);
}

static void names_are_read(void **state)
{
	static const char *const bad[] = {
		"",
		"0000000000000083",
		"0000000000000083-0000000",
		"0000000000000083-000000001",
		"0000000000000083 00000001",
		"000000000000008G-00000001",
		"000000000000008A-00000001",
	};
	struct pme_manifest m = {.inode = 131, .inode_generation = 1, .generation = 2, .nonce = 3};
	char *object = pme_saved_object_name(131, 0xffffffff),
	     *name = pme_saved_checkpoint_name(&m);
	uint64_t inode, version;
	uint32_t generation;

	(void)state;
	assert_string_equal(object, "0000000000000083-ffffffff");
	assert_int_equal(pme_saved_object_parse(object, &inode, &generation), 0);
	assert_int_equal(inode, 131);
	assert_int_equal(generation, 0xffffffff);
	for (size_t i = 0; i < PME_ARRAY_SIZE(bad); i++) {
		assert_int_equal(pme_saved_object_parse(bad[i], &inode, &generation), -EINVAL);
		assert_int_equal(pme_saved_checkpoint_parse(bad[i], &inode, &generation, &version),
				 -EINVAL);
	}
	assert_int_equal(pme_saved_checkpoint_parse(name, &inode, &generation, &version), 0);
	assert_int_equal(inode, 131);
	assert_int_equal(generation, 1);
	assert_int_equal(version, 2);
	assert_int_equal(pme_saved_object_parse(name, &inode, &generation), -EINVAL);
	assert_int_equal(pme_saved_checkpoint_parse(object, &inode, &generation, &version),
			 -EINVAL);
	free(object);
	free(name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(the_others_stay),
		cmocka_unit_test(state_comes_back),
		cmocka_unit_test(odd_files_make_no_sense),
		cmocka_unit_test(no_directory_is_an_error),
		cmocka_unit_test(a_lock_is_of_what_is_there),
		cmocka_unit_test(names_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
