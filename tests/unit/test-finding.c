/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/finding.c and finding-json.c: verdicts, sums, identities, and the JSON of a finding made by
 * hand, which is compared with tests/unit/data/finding.json.
 */
#include "finding.h"

#include <fcntl.h>

#include "doc.h"
#include "os.h"
#include "random.h"
#include "snapshot.h"

static int setup(void **state)
{
	static struct snapshot snap;

	snap_init(&snap, NULL);
	*state = &snap;
	return 0;
}

static int teardown(void **state)
{
	snap_done(*state);
	return 0;
}

/* A claim of @length bytes at byte @start of the finding's device. */
static struct pme_claim *add_claim(struct pme_finding *finding, uint64_t start, uint64_t length,
				   enum pme_owner_kind kind, enum pme_certainty certainty)
{
	struct pme_hop hop = {.dev = finding->dev, .kind = "disk", .start = start};
	struct pme_top top = {.hops = &hop, .n_hops = 1, .length = length};
	struct pme_claim *claim = pme_finding_add_claim(finding, &top, 0, length);

	assert_non_null(claim);
	claim->kind = kind;
	claim->certainty = certainty;
	return claim;
}

static struct pme_finding *add_finding(struct pme_findings *findings, const struct pme_dev *dev,
				       uint64_t start, uint64_t length)
{
	struct pme_finding *finding;

	assert_int_equal(pme_grow(&findings->items, &findings->alloc, findings->count,
				  sizeof(*findings->items)),
			 0);
	finding = &findings->items[findings->count++];
	*finding = (struct pme_finding){.dev = dev, .range = {start, length}};
	return finding;
}

static void claims_begin_where_the_piece_does(void **state)
{
	static const struct pme_dev a = {.name = (char *)"a"}, b = {.name = (char *)"b"};
	struct pme_hop hops[] = {{.dev = &a, .kind = "disk", .start = 1000},
				 {.dev = &b, .kind = "dm-linear", .start = 50}};
	struct pme_top top = {.hops = hops, .n_hops = 2, .length = 100};
	struct pme_findings findings = {0};
	struct pme_claim *claim =
		pme_finding_add_claim(add_finding(&findings, &a, 1000, 100), &top, 30, 20);

	assert_int_equal(claim->length, 20);
	assert_int_equal(claim->n_hops, 2);
	assert_int_equal(claim->hops[0].start, 1030);
	assert_int_equal(claim->hops[1].start, 80);
	assert_string_equal(claim->hops[1].kind, "dm-linear");
	assert_int_equal(hops[0].start, 1000);
	pme_findings_done(&findings);
}

/* The worst claim decides; bytes behind the end of a file are nobody's loss. */
static void the_worst_claim_is_the_verdict(void **state)
{
	static const struct {
		enum pme_owner_kind kinds[3];
		size_t count;
		enum pme_verdict verdict;
	} cases[] = {
		{{0}, 0, PME_HARMLESS},
		{{PME_OWNER_FREE}, 1, PME_HARMLESS},
		{{PME_OWNER_FREE, PME_OWNER_UNKNOWN}, 2, PME_VERDICT_UNKNOWN},
		{{PME_OWNER_UNKNOWN, PME_OWNER_FS_METADATA}, 2, PME_METADATA_AT_RISK},
		{{PME_OWNER_FILE_DATA, PME_OWNER_FREE, PME_OWNER_DIRECTORY}, 3, PME_LOST},
	};
	static const struct pme_dev dev = {.name = (char *)"pmem0"};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct pme_findings findings = {0};
		struct pme_finding *finding = add_finding(&findings, &dev, 0, 512);

		for (size_t c = 0; c < cases[i].count; c++)
			add_claim(finding, 0, 512, cases[i].kinds[c], PME_EXACT);
		pme_findings_judge(&findings);
		assert_int_equal(finding->verdict, cases[i].verdict);
		pme_findings_done(&findings);
	}
}

static void certainty_and_the_end_of_the_file_soften(void **state)
{
	static const struct pme_dev dev = {.name = (char *)"pmem0"};
	struct pme_findings findings = {0};
	struct pme_finding *finding = add_finding(&findings, &dev, 0, 512);

	add_claim(finding, 0, 512, PME_OWNER_FILE_DATA, PME_REDUNDANT);
	add_claim(finding, 0, 512, PME_OWNER_FILE_DATA, PME_EXACT)->behind_end = true;
	pme_findings_judge(&findings);
	assert_int_equal(finding->claims[0].verdict, PME_RECOVERABLE);
	assert_int_equal(finding->claims[1].verdict, PME_HARMLESS);
	assert_int_equal(finding->verdict, PME_RECOVERABLE);
	/* whose file it is, is not known either */
	add_claim(finding, 0, 512, PME_OWNER_FILE_DATA, PME_UNCERTAIN)->behind_end = true;
	pme_findings_judge(&findings);
	assert_int_equal(finding->claims[2].verdict, PME_VERDICT_UNKNOWN);
	pme_findings_done(&findings);
}

#define MODEL_BYTES 48

/* Each byte counts once, for the worst that is claimed of it. */
/* The file that a loop device stands on means what its bytes mean there, also when nobody knows. */
static void an_image_means_what_it_carries(void **state)
{
	static const struct {
		enum pme_certainty file;
		enum pme_owner_kind kind;
		enum pme_certainty certainty;
		enum pme_verdict verdict;
		enum pme_certainty becomes;
	} cases[] = {
		{PME_EXACT, PME_OWNER_FREE, PME_EXACT, PME_HARMLESS, PME_EXACT},
		{PME_EXACT, PME_OWNER_FILE_DATA, PME_EXACT, PME_LOST, PME_EXACT},
		{PME_EXACT, PME_OWNER_UNKNOWN, PME_UNCERTAIN, PME_VERDICT_UNKNOWN, PME_UNCERTAIN},
		{PME_REDUNDANT, PME_OWNER_UNKNOWN, PME_UNCERTAIN, PME_RECOVERABLE, PME_REDUNDANT},
		{PME_UNCERTAIN, PME_OWNER_FREE, PME_EXACT, PME_VERDICT_UNKNOWN, PME_UNCERTAIN},
	};
	static const struct pme_dev disk = {.name = (char *)"pmem0"};
	static const struct pme_dev loop = {.name = (char *)"loop7"};
	struct pme_hop hops[] = {{.dev = &disk, .kind = "disk"}, {.dev = &loop, .kind = "loop"}};
	struct pme_top top = {.hops = hops, .n_hops = 2, .length = 512};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct pme_findings findings = {0};
		struct pme_finding *finding = add_finding(&findings, &disk, 0, 512);
		struct pme_claim *claim;

		add_claim(finding, 0, 512, PME_OWNER_FILE_DATA, cases[i].file)->carries = &loop;
		claim = pme_finding_add_claim(finding, &top, 0, 512);
		claim->kind = cases[i].kind;
		claim->certainty = cases[i].certainty;
		pme_findings_judge(&findings);
		assert_int_equal(finding->claims[0].verdict, cases[i].verdict);
		assert_int_equal(finding->claims[0].certainty, cases[i].becomes);
		if (cases[i].becomes != cases[i].file)
			assert_string_equal(finding->claims[0].reason,
					    "what these bytes are on loop7 is not known");
		pme_findings_done(&findings);
	}
}

static void bytes_count_for_their_worst_verdict(void **state)
{
	static const struct pme_dev dev = {.name = (char *)"pmem0"};
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 2000; round++) {
		uint64_t expected[PME_LOST + 1] = {0}, bytes;
		int worst[MODEL_BYTES];
		struct pme_findings findings = {0};
		struct pme_finding *finding = add_finding(&findings, &dev, 4096, MODEL_BYTES);

		memset(worst, -1, sizeof(worst));
		for (uint64_t n = rnd_below(&rnd, 8); n > 0; n--) {
			uint64_t start = rnd_below(&rnd, MODEL_BYTES);
			uint64_t length = 1 + rnd_below(&rnd, MODEL_BYTES - start);
			int verdict = (int)rnd_below(&rnd, PME_LOST + 1);

			add_claim(finding, 4096 + start, length, PME_OWNER_FREE, PME_EXACT)
				->verdict = (enum pme_verdict)verdict;
			for (uint64_t i = start; i < start + length; i++)
				worst[i] = verdict > worst[i] ? verdict : worst[i];
		}
		for (size_t i = 0; i < MODEL_BYTES; i++)
			if (worst[i] >= 0)
				expected[worst[i]]++;
		for (int v = PME_HARMLESS; v <= PME_LOST; v++) {
			assert_int_equal(pme_finding_bytes(finding, (enum pme_verdict)v, &bytes),
					 0);
			assert_int_equal(bytes, expected[v]);
		}
		pme_findings_done(&findings);
	}
}

/* What is stored by id must not change from one version to the next. */
static void ids_are_stable(void **state)
{
	static const struct pme_dev dev = {.name = (char *)"pmem0", .identity = (char *)"ns:1234"};
	struct pme_finding finding = {.dev = &dev, .range = {1048576, 4096}};
	_cleanup_free_ char *id = pme_finding_id(&finding);

	assert_string_equal(id, "ecab258c1cd208bd");
}

static void ids_differ_by_identity_and_range(void **state)
{
	static const struct pme_dev devs[] = {
		{.name = (char *)"pmem0", .identity = (char *)"ns:1"},
		{.name = (char *)"pmem1", .identity = (char *)"ns:1"},
		{.name = (char *)"pmem0", .identity = (char *)"ns:2"},
		{.name = (char *)"pmem0", .identity = (char *)"ns:1 5"},
	};
	struct pme_finding findings[] = {
		{.dev = &devs[0], .range = {512, 512}}, {.dev = &devs[2], .range = {512, 512}},
		{.dev = &devs[0], .range = {0, 512}},	{.dev = &devs[0], .range = {512, 1024}},
		{.dev = &devs[0], .range = {5, 6}},	{.dev = &devs[3], .range = {6, 7}},
		{.dev = &devs[0], .range = {5, 67}},
	};
	struct pme_finding renamed = {.dev = &devs[1], .range = {512, 512}, .known_by = 3};
	_cleanup_free_ char *same = pme_finding_id(&renamed);
	char *ids[PME_ARRAY_SIZE(findings)];

	for (size_t i = 0; i < PME_ARRAY_SIZE(findings); i++) {
		ids[i] = pme_finding_id(&findings[i]);
		assert_int_equal(strlen(ids[i]), 16);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(ids[i], ids[k]);
	}
	assert_string_equal(same, ids[0]);
	for (size_t i = 0; i < PME_ARRAY_SIZE(findings); i++)
		free(ids[i]);
}

/* A file with two names, one of them no UTF-8, and a process that has it mapped. */
static struct pme_file make_file(char **paths, struct pme_holder *holder)
{
	return (struct pme_file){
		.inode = 131,
		.generation = 7,
		.mode = 0100644,
		.paths = paths,
		.n_paths = 2,
		.paths_complete = false,
		.paths_reason = (char *)"a directory cannot be read",
		.holders = holder,
		.n_holders = 1,
	};
}

/* Claims of every shape: a file, an inode chunk, a filesystem that is not mounted, nothing. */
static void fill_claims(struct pme_finding *finding, const struct pme_top *top,
			const struct pme_fs *fs, struct pme_file *const *files)
{
	struct pme_claim *data = pme_finding_add_claim(finding, top, 0, 512);
	struct pme_claim *inodes, *unmounted, *spare;

	data->kind = PME_OWNER_FILE_DATA;
	data->fs = fs;
	data->file = files[0];
	data->file_start = 8192;
	data->has_file_start = true;
	data->shared = true;
	inodes = pme_finding_add_claim(finding, top, 512, 512);
	inodes->kind = PME_OWNER_FS_METADATA;
	inodes->detail = strdup("inode chunk");
	inodes->fs = fs;
	inodes->inodes = files;
	inodes->n_inodes = 1;
	unmounted = pme_finding_add_claim(finding, top, 1024, 512);
	unmounted->kind = PME_OWNER_UNKNOWN;
	unmounted->certainty = PME_UNCERTAIN;
	unmounted->reason = strdup("not mounted");
	unmounted->fs_type = strdup("xfs");
	spare = add_claim(finding, 1049600 + 1536, 512, PME_OWNER_UNUSED, PME_EXACT);
	spare->detail = strdup("outside of all partitions");
}

static char *golden(void)
{
	_cleanup_free_ char *path = pme_printf("%s/tests/unit/data/finding.json", getenv("SRCDIR"));
	struct pme_os here = {.root = AT_FDCWD};
	char *text = NULL;
	size_t len;

	assert_int_equal(pme_os_read_file(&here, path, 1 << 20, &text, &len), 0);
	return text;
}

static char *as_text(struct json_object *object)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_int_equal(pme_json_write(object, out), 0);
	fclose(out);
	json_object_put(object);
	return text;
}

/* The same document when it is only printed. */
static void check_printed(const struct pme_topo *topo, const struct pme_findings *findings,
			  struct json_object *all)
{
	struct json_object *whole = pme_json_object(), *printed = pme_json_object();
	_cleanup_free_ char *expected = NULL, *got = NULL;

	pme_json_set(whole, "findings", json_object_get(all));
	pme_json_set(printed, "findings", pme_findings_printed(topo, findings));
	expected = as_text(whole);
	got = as_text(printed);
	assert_string_equal(got, expected);
}

static void json_is_the_golden_file(void **state)
{
	struct snapshot *snap = *state;
	struct pme_dev *region = snap_region(snap, "region0", 1 << 30, 64 << 20, "nmem0");
	struct pme_dev *disk = snap_namespace(snap, region, "namespace0.0", PME_MODE_FSDAX, 0,
					      64 << 20, 2 << 20, "pmem0");
	struct pme_dev *dm = snap_dm(snap, "dm-0");
	char *paths[] = {(char *)"/srv/a", (char *)"/srv/b\xff"};
	struct pme_range mapped = {4096, 8192};
	struct pme_holder holder = {
		.pid = 12,
		.command = (char *)"postgres",
		.unit = (char *)"postgresql.service",
		.mapped = true,
		.mapped_ranges = {.items = &mapped, .count = 1},
	};
	struct pme_file file = make_file(paths, &holder), *const files[] = {&file};
	const struct pme_mount mount = {.target = (char *)"/srv"}, *mounts[] = {&mount};
	const struct pme_fs fs = {
		.dev = dm,
		.type = "xfs",
		.uuid = (char *)"1234-abcd",
		.source = "/dev/mapper/vg0-data",
		.mounts = mounts,
		.n_mounts = 1,
	};
	struct pme_hop hops[] = {{.dev = disk, .kind = "disk", .start = 1049600},
				 {.dev = dm, .kind = "dm-linear", .start = 1024}};
	struct pme_top top = {.hops = hops, .n_hops = 2, .length = 2048};
	_cleanup_free_ char *expected = golden(), *got = NULL;
	struct pme_findings findings = {0};
	struct pme_finding *finding = add_finding(&findings, disk, 1049600, 2048);
	struct json_object *all;

	dm->alias = strdup("vg0/data");
	finding->known_by = PME_BY_BADBLOCKS | PME_BY_REGION;
	fill_claims(finding, &top, &fs, files);
	pme_findings_judge(&findings);
	all = pme_findings_json(snap->topo, &findings);
	got = as_text(json_object_get(pme_json_at(all, 0)));
	assert_string_equal(got, expected);
	check_printed(snap->topo, &findings, all);
	json_object_put(all);
	pme_findings_done(&findings);
}

static void check_number(struct json_object *object, const char *key, uint64_t value)
{
	assert_non_null(pme_json_get(object, key));
	assert_int_equal(pme_json_get_number(object, key), value);
}

/* A file counts once, and only where it may lose something. */
static void the_summary_adds_up(void **state)
{
	static const struct pme_dev dev = {.name = (char *)"pmem0"};
	struct pme_findings findings = {0};
	struct pme_file a = {.inode = 1}, b = {.inode = 2}, c = {.inode = 3};
	struct pme_finding *finding;
	struct json_object *summary;

	finding = add_finding(&findings, &dev, 0, 1024);
	add_claim(finding, 0, 512, PME_OWNER_FILE_DATA, PME_EXACT)->file = &a;
	add_claim(finding, 0, 512, PME_OWNER_FILE_DATA, PME_EXACT)->file = &b;
	add_claim(finding, 512, 512, PME_OWNER_UNWRITTEN, PME_EXACT)->file = &c;
	finding = add_finding(&findings, &dev, 4096, 512);
	add_claim(finding, 4096, 256, PME_OWNER_FILE_DATA, PME_REDUNDANT)->file = &a;
	add_claim(finding, 4352, 256, PME_OWNER_UNKNOWN, PME_UNCERTAIN);
	finding = add_finding(&findings, &dev, 8192, 512);
	add_claim(finding, 8192, 512, PME_OWNER_FS_JOURNAL, PME_EXACT);
	pme_findings_judge(&findings);
	summary = pme_findings_summary_json(&findings);
	check_number(summary, "findings", 3);
	check_number(summary, "bad_bytes", 2048);
	check_number(summary, "files", 2);
	check_number(summary, "lost_bytes", 512);
	check_number(summary, "recoverable_bytes", 256);
	check_number(summary, "metadata_at_risk_bytes", 512);
	check_number(summary, "unknown_bytes", 256);
	check_number(summary, "harmless_bytes", 512);
	json_object_put(summary);
	pme_findings_done(&findings);
}

/* Data of pmemctl's own files is nobody's loss; what others have of the same bytes is theirs. */
static void own_files_lose_nothing(void **state)
{
	static const struct pme_dev dev = {.name = (char *)"pmem0", .identity = (char *)"x"};
	static const struct pme_file parked = {.inode = 7, .devno = 1, .vault = 3},
				     checkpoint = {.inode = 8, .devno = 1, .vault = 1},
				     live = {.inode = 9, .devno = 1};
	static const struct {
		uint64_t start, length;
		const struct pme_file *file;
	} claims[] = {{0, 1024, &parked}, {512, 512, &live}, {1024, 512, &checkpoint}};
	struct pme_findings findings = {0};
	struct pme_finding *finding = add_finding(&findings, &dev, 0, 1536);
	struct json_object *summary;

	for (size_t i = 0; i < PME_ARRAY_SIZE(claims); i++) {
		struct pme_claim *claim = add_claim(finding, claims[i].start, claims[i].length,
						    PME_OWNER_FILE_DATA, PME_EXACT);

		claim->file = claims[i].file;
		claim->own = claims[i].file->vault > 0;
	}
	pme_findings_judge(&findings);
	assert_int_equal(finding->claims[0].verdict, PME_HARMLESS);
	assert_int_equal(finding->claims[1].verdict, PME_LOST);
	assert_int_equal(finding->claims[2].verdict, PME_HARMLESS);
	assert_int_equal(finding->verdict, PME_LOST);
	summary = pme_findings_summary_json(&findings);
	check_number(summary, "files", 1);
	check_number(summary, "lost_bytes", 512);
	check_number(summary, "harmless_bytes", 1024);
	check_number(summary, "quarantined_bytes", 512);
	json_object_put(summary);
	pme_findings_done(&findings);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(claims_begin_where_the_piece_does),
		cmocka_unit_test(own_files_lose_nothing),
		cmocka_unit_test(the_worst_claim_is_the_verdict),
		cmocka_unit_test(certainty_and_the_end_of_the_file_soften),
		cmocka_unit_test(an_image_means_what_it_carries),
		cmocka_unit_test(bytes_count_for_their_worst_verdict),
		cmocka_unit_test(ids_are_stable),
		cmocka_unit_test(ids_differ_by_identity_and_range),
		cmocka_unit_test_setup_teardown(json_is_the_golden_file, setup, teardown),
		cmocka_unit_test(the_summary_adds_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
