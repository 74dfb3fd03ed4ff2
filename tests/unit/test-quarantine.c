/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/vault.c and lib/quarantine.c in a temporary directory: who is believed, names, and the way of
 * a staging file into quarantine.  Only root can own a vault: without it these tests are skipped.
 */
#include "quarantine.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "check.h"
#include "doc.h"
#include "quarantine-list.h"

struct world {
	char path[40];
	int root, staging;
};

static int setup(void **state)
{
	static struct world world;

	memcpy(world.path, "/tmp/test-quarantine-XXXXXX", 28);
	assert_non_null(mkdtemp(world.path));
	world.root = open(world.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(world.root >= 0);
	world.staging = -1;
	if (geteuid() == 0)
		world.staging = pme_vault_open(world.root, PME_VAULT_STAGING, true);
	*state = &world;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int teardown(void **state)
{
	struct world *world = *state;

	pme_close_fd(&world->staging);
	pme_close_fd(&world->root);
	return nftw(world->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

static uint64_t put(int dir, const char *name)
{
	_cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static struct pme_park park_of(const struct world *world, const char *name, uint64_t inode)
{
	return (struct pme_park){
		.root = world->root,
		.from = world->staging,
		.name = name,
		.inode = inode,
		.id = 12,
	};
}

/* What is at @path below the root: its inode, 0 when nothing is. */
static uint64_t at(const struct world *world, const char *path)
{
	struct stat st;

	return fstatat(world->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
}

static void a_vault_that_others_could_have_made_is_not_believed(void **state)
{
	struct world *world = *state;

	need_root();
	assert_int_equal(fchmodat(world->root, PME_VAULT, 0755, 0), 0);
	assert_int_equal(pme_vault_open(world->root, PME_VAULT_STAGING, false), -EPERM);
	assert_int_equal(fchmodat(world->root, PME_VAULT, 0700, 0), 0);
	assert_int_equal(pme_vault_open(world->root, PME_VAULT_CHECKPOINTS, false), -ENOENT);
	assert_int_equal(fchownat(world->root, PME_VAULT, 1, 0, 0), 0);
	assert_int_equal(pme_vault_open(world->root, PME_VAULT_STAGING, true), -EPERM);
	assert_int_equal(fchownat(world->root, PME_VAULT, 0, 0, 0), 0);
	assert_int_equal(renameat(world->root, PME_VAULT, world->root, "other"), 0);
	assert_int_equal(symlinkat("other", world->root, PME_VAULT), 0);
	assert_int_equal(pme_vault_open(world->root, PME_VAULT_STAGING, true), -EPERM);
}

static void the_part_is_told_by_the_path(void **state)
{
	static const struct {
		const char *path, *target;
		int part;
	} cases[] = {
		{"/srv/.pmemctl/quarantine/1.0", "/srv", PME_VAULT_QUARANTINE},
		{"/.pmemctl/staging/1/a", "/", PME_VAULT_STAGING},
		{"/srv/.pmemctl/checkpoints/1/a", "/srv", PME_VAULT_CHECKPOINTS},
		{"/srv/a/.pmemctl/quarantine/1.0", "/srv", -1},
		{"/srv/.pmemctl/quarantine", "/srv", -1},
		{"/srv/.pmemctl/quarantined/1.0", "/srv", -1},
		{"/srv/.pmemctl2/quarantine/1.0", "/srv", -1},
		{"/srv2/.pmemctl/quarantine/1.0", "/srv", -1},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++)
		assert_int_equal(pme_vault_part_of(cases[i].path, cases[i].target), cases[i].part);
}

static void a_file_is_in_the_vault_by_its_inode(void **state)
{
	const struct world *world = *state;
	uint64_t inode;
	const char *path = "/m/.pmemctl/staging/file";

	need_root();
	inode = put(world->staging, "file");
	assert_int_equal(pme_vault_has(world->root, PME_VAULT_STAGING, path, "/m", inode), 1);
	assert_int_equal(pme_vault_has(world->root, PME_VAULT_STAGING, path, "/m", inode + 1), 0);
	assert_int_equal(pme_vault_has(world->root, PME_VAULT_QUARANTINE, path, "/m", inode), 0);
	assert_int_equal(pme_vault_has(world->root, PME_VAULT_STAGING, path, "/n", inode), 0);
	assert_int_equal(unlinkat(world->staging, "file", 0), 0);
	assert_int_equal(pme_vault_has(world->root, PME_VAULT_STAGING, path, "/m", inode), 0);
}

static void names_are_numbers(void **state)
{
	static const struct {
		const char *name;
		int result;
		int64_t id;
		unsigned int n;
	} cases[] = {
		{"0.0", 0, 0, 0},
		{"9223372036854775807.4294967295", 0, INT64_MAX, UINT32_MAX},
		{"9223372036854775808.0", -EINVAL, 0, 0},
		{"1.4294967296", -EINVAL, 0, 0},
		{"01.0", -EINVAL, 0, 0},
		{"1.00", -EINVAL, 0, 0},
		{"1", -EINVAL, 0, 0},
		{"1.", -EINVAL, 0, 0},
		{".1", -EINVAL, 0, 0},
		{"1.0 ", -EINVAL, 0, 0},
		{"-1.0", -EINVAL, 0, 0},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		unsigned int n = 0;
		int64_t id = 0;

		assert_int_equal(
			pme_quarantine_name_parse(cases[i].name, strlen(cases[i].name), &id, &n),
			cases[i].result);
		assert_int_equal(id, cases[i].id);
		assert_int_equal(n, cases[i].n);
	}
}

static void parking_moves_and_may_be_asked_again(void **state)
{
	const struct world *world = *state;
	struct pme_park park;
	struct stat st;

	need_root();
	park = park_of(world, "a", put(world->staging, "a"));
	assert_int_equal(pme_quarantine_park(&park), 0);
	assert_int_equal(at(world, ".pmemctl/quarantine/12.0"), park.inode);
	assert_int_equal(at(world, ".pmemctl/staging/a"), 0);
	assert_int_equal(fstatat(world->root, ".pmemctl/quarantine/12.0", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(pme_quarantine_park(&park), 0);
	assert_int_equal(at(world, ".pmemctl/quarantine/12.0"), park.inode);
}

static void parking_never_takes_another_file(void **state)
{
	const struct world *world = *state;
	struct pme_park park, second;

	need_root();
	park = park_of(world, "a", put(world->staging, "a"));
	assert_int_equal(pme_quarantine_park(&park), 0);
	/* the name is taken */
	second = park_of(world, "b", put(world->staging, "b"));
	assert_int_equal(pme_quarantine_park(&second), -EEXIST);
	assert_int_equal(at(world, ".pmemctl/staging/b"), second.inode);
	/* another inode under the name */
	second.n = 1;
	second.inode++;
	assert_int_equal(pme_quarantine_park(&second), -EPERM);
	second.inode--;
	/* a second name */
	assert_int_equal(linkat(world->staging, "b", world->root, "b", 0), 0);
	assert_int_equal(pme_quarantine_park(&second), -EPERM);
	assert_int_equal(unlinkat(world->root, "b", 0), 0);
	/* nowhere */
	second.name = "c";
	assert_int_equal(pme_quarantine_park(&second), -ENOENT);
	/* the first one is gone from staging, and what has its name in quarantine is another */
	park.inode++;
	assert_int_equal(pme_quarantine_park(&park), -EEXIST);
}

/* What the journal says; @about with ' for ".  @complete: is that all? */
static struct json_object *sources(const char *about, const char *uuid, bool complete)
{
	_cleanup_free_ char *text = strdup(about);
	struct json_object *object, *found;
	bool said;

	for (char *c = text; *c; c++)
		if (*c == '\'')
			*c = '"';
	object = json_tokener_parse(text);
	assert_non_null(object);
	found = pme_parked_sources(object, uuid, &said);
	json_object_put(object);
	assert_int_equal(said, complete);
	return found;
}

#define ABOUT(parts, targets) \
	"{'filesystem': {'uuid': 'u'}, 'parts': " parts ", 'targets': " targets "}"
#define RANGE "[{'range': {'start': 0, 'length': 4096}}]"
#define TARGET "{'inode': 7, 'starts': [8192], 'path': {'path': '/srv/a', 'raw': 'L3M='}}"
/* two of three follow each other */
#define RANGES                                      \
	"[{'range': {'start': 0, 'length': 4096}}," \
	" {'range': {'start': 8192, 'length': 4096}}, {'range': {'start': 65536, 'length': 512}}]"
#define TARGETS "[{'inode': 7, 'starts': [12288, 8192, 0], 'path': {'path': '/srv/a'}}]"

static void sources_come_from_the_journal(void **state)
{
	static const char *const nonsense[] = {
		ABOUT(RANGE, "[]"),
		ABOUT(RANGE, "7"),
		ABOUT(RANGE, "[{}]"),
		ABOUT("{}", "[" TARGET "]"),
		ABOUT("[]", "[" TARGET "]"),
		ABOUT("[{'range': {'length': 0}}]", "[" TARGET "]"),
		ABOUT("[{'range': {'length': '4096'}}]", "[" TARGET "]"),
		ABOUT(RANGES, "[" TARGET "]"),
		ABOUT(RANGE, "[{'inode': -7, 'starts': [0], 'path': {'path': '/a'}}]"),
		ABOUT(RANGE,
		      "[{'inode': 7, 'starts': [9223372036854775807], 'path': {'path': '/a'}}]"),
		ABOUT(RANGE, "[{'inode': 7, 'starts': 0, 'path': {'path': '/a'}}]"),
		ABOUT(RANGE, "[{'inode': 7, 'starts': [0], 'path': '/a'}]"),
		"{}",
	};
	struct json_object *array = sources(ABOUT(RANGE, "[" TARGET ", {}]"), "u", false), *first;
	bool complete = true;

	assert_int_equal(pme_json_count(array), 1);
	first = pme_json_at(array, 0);
	assert_string_equal(pme_json_get_text(first, "path"), "/srv/a");
	assert_string_equal(pme_json_get_text(first, "raw"), "L3M=");
	assert_int_equal(pme_json_get_number(first, "inode"), 7);
	assert_int_equal(pme_json_get_number(pme_json_get(first, "range"), "start"), 8192);
	assert_int_equal(pme_json_get_number(pme_json_get(first, "range"), "length"), 4096);
	json_object_put(array);
	array = sources(ABOUT(RANGES, TARGETS), "u", true);
	assert_int_equal(pme_json_count(array), 2);
	first = pme_json_get(pme_json_at(array, 1), "range");
	assert_int_equal(pme_json_get_number(first, "start"), 8192);
	assert_int_equal(pme_json_get_number(first, "length"), 8192);
	json_object_put(array);
	assert_null(sources(ABOUT(RANGE, "[" TARGET "]"), "another", false));
	assert_null(sources(ABOUT(RANGE, "[" TARGET "]"), NULL, false));
	assert_null(pme_parked_sources(NULL, "u", &complete));
	assert_false(complete);
	for (size_t i = 0; i < PME_ARRAY_SIZE(nonsense); i++)
		assert_null(sources(nonsense[i], "u", false));
}

/* As many as one repair has of its own; more are left out, and that is said. */
static void sources_that_are_too_many_are_not_all(void **state)
{
	const char *one = TARGET ",";

	(void)state;
	for (size_t count = 65536; count <= 65537; count++) {
		_cleanup_free_ char *targets = calloc(count + 1, strlen(one)), *about = NULL;
		struct json_object *array;

		for (size_t i = 0; i < count; i++)
			memcpy(targets + i * strlen(one), one, strlen(one));
		targets[count * strlen(one) - 1] = '\0';
		about = pme_printf(ABOUT(RANGE, "[%s]"), targets);
		array = sources(about, "u", count == 65536);
		assert_int_equal(pme_json_count(array), 65536);
		json_object_put(array);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_vault_that_others_could_have_made_is_not_believed,
						setup, teardown),
		cmocka_unit_test(the_part_is_told_by_the_path),
		cmocka_unit_test_setup_teardown(a_file_is_in_the_vault_by_its_inode, setup,
						teardown),
		cmocka_unit_test(names_are_numbers),
		cmocka_unit_test(sources_come_from_the_journal),
		cmocka_unit_test(sources_that_are_too_many_are_not_all),
		cmocka_unit_test_setup_teardown(parking_moves_and_may_be_asked_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(parking_never_takes_another_file, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
