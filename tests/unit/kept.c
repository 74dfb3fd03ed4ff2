/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kept versions; see kept.h.  Everything fails the test at once when it cannot be made.
 */
#include "kept.h"

#include <fcntl.h>
#include <linux/fs.h>

#include "replica.h"
#include "saved-place.h"

uid_t kept_owner;

int __real_pme_os_fstat(int fd, struct stat *ret);
int __real_pme_os_ioctl(int fd, unsigned long request, void *arg);
int __wrap_pme_os_fstat(int fd, struct stat *ret);
int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg);

int __wrap_pme_os_fstat(int fd, struct stat *ret)
{
	int r = __real_pme_os_fstat(fd, ret);

	ret->st_uid = kept_owner;
	return r;
}

int __wrap_pme_os_ioctl(int fd, unsigned long request, void *arg)
{
	if (request != FS_IOC_GETVERSION)
		return __real_pme_os_ioctl(fd, request, arg);
	*(int *)arg = (int)KEPT_GENERATION;
	return 0;
}

struct kept kept_plain(const struct pme_file *file, int source, uint64_t version, int64_t taken)
{
	return (struct kept){
		.path = "/srv",
		.replica = "/backup",
		.version = version,
		.taken = taken,
		.inode = file->inode,
		.generation = file->generation,
		.uuid = KEPT_UUID,
		.source = source,
	};
}

void kept_protect(struct tree *tree, const char *path, const char *replica)
{
	_cleanup_free_ char *id = pme_protection_id(path);
	struct pme_protection p = {
		.id = id,
		.path = (char *)path,
		.replica = (char *)replica,
		.fs_uuid = (char *)KEPT_UUID,
		.keep = 2,
	};

	assert_non_null(id);
	tree_dir(tree, PME_PROTECT_DIR);
	tree_dir(tree, replica + 1);
	assert_int_equal(pme_protection_store(&tree->os, &p), 0);
}

void kept_dirs(struct tree *tree, const char *path)
{
	_cleanup_free_ char *part = strdup(path);

	assert_non_null(part);
	for (char *end = part; end; end = strchr(end, '/')) {
		char was = *end;

		*end = '\0';
		if (*part)
			assert_true(mkdirat(tree->os.root, part, 0700) == 0 || errno == EEXIST);
		*end = was;
		end += was == '/';
	}
	assert_true(mkdirat(tree->os.root, part, 0700) == 0 || errno == EEXIST);
}

char *kept_place(const struct kept *kept, const char *name)
{
	_cleanup_free_ char *id = pme_protection_id(kept->path);
	_cleanup_free_ char *object = pme_saved_object_name(kept->inode, kept->generation);
	char *place = pme_printf("%s/%s/%s%s%s", kept->replica + 1, id, object, name ? "/" : "",
				 name ? name : "");

	assert_true(id && object && place);
	return place;
}

static void fill(const struct kept *kept, struct pme_manifest *m)
{
	struct stat st;

	assert_int_equal(fstat(kept->source, &st), 0);
	*m = (struct pme_manifest){
		.protection = kept->id ? strdup(kept->id) : pme_protection_id(kept->path),
		.fs_uuid = strdup(kept->uuid),
		.path = strdup("/srv/as it was called"),
		.nonce = 0x77,
		.generation = kept->version,
		.taken = kept->taken,
		.has_checkpoint = kept->has_checkpoint,
		.settled = !kept->has_checkpoint && !kept->unsettled,
		.inode = kept->inode,
		.inode_generation = kept->generation,
		.size = (uint64_t)st.st_size,
		.mtime = kept->mtime,
		.ctime = kept->ctime,
		.boot = kept->other_boot ? 1 : pme_os_boot(),
	};
	m->extents.items = calloc(1, sizeof(*m->extents.items));
	assert_true(m->protection && m->fs_uuid && m->path && m->extents.items);
	m->extents.count = m->extents.alloc = st.st_size > 0;
	m->extents.items[0].range.length = (uint64_t)st.st_size;
}

void kept_make(struct tree *tree, const struct kept *kept)
{
	_cleanup_free_ char *place = kept_place(kept, NULL);
	_cleanup_close_ int object = -1;
	struct pme_manifest manifest;
	struct pme_replica_job job = {.source = kept->source, .manifest = &manifest};

	kept_protect(tree, kept->path, kept->replica);
	kept_dirs(tree, place);
	object = pme_os_open(&tree->os, place, O_RDONLY | O_DIRECTORY);
	assert_true(object >= 0);
	job.object = object;
	fill(kept, &manifest);
	assert_int_equal(pme_replica_write(&job), 0);
	assert_int_equal(pme_replica_publish(object, kept->version), 0);
	pme_manifest_done(&manifest);
}
