/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devdax memory that is cleared: that nobody uses it, and zeros where the errors were; see clear.h.
 *
 * Such a device can only be mapped.  Nothing keeps others from opening it: who has it is looked up
 * once more at the last moment, and only bytes that could not be read are ever touched.
 *
 * The surprise: memory that is bad in spite of its list kills whoever touches it (SIGBUS), so a
 * child does, which tells by shared memory how far it came.
 */
#include "clear.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "holders.h"

#define LINE 64U	    /* bytes of a cache line */
#define STOPS_MAX 64	    /* sectors that kill a child, until the rest is taken for bad as well */
#define DRIVER "device_dax" /* its device can be opened and mapped */

/* Out of the caches, into what a power cut leaves. */
#ifdef __x86_64__
static bool can_store(void)
{
	return true;
}

static void store(const unsigned char *buf, size_t size)
{
	for (size_t i = 0; i < size; i += LINE)
		__builtin_ia32_clflush(buf + i);
	__builtin_ia32_mfence();
}
#else
static bool can_store(void)
{
	return false;
}

static void store(const unsigned char *buf, size_t size)
{
	(void)buf;
	(void)size;
}
#endif

/* --- who has it --- */

static int driver_of(const struct pme_os *os, const char *name, char **ret)
{
	_cleanup_free_ char *path = pme_printf("sys/bus/dax/devices/%s/driver", name);
	_cleanup_free_ char *link = NULL;
	const char *slash;
	int r = path ? pme_os_readlink(os, path, &link) : -ENOMEM;

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	slash = strrchr(link, '/');
	*ret = strdup(slash ? slash + 1 : link);
	return *ret ? 0 : -ENOMEM;
}

/*
 * Does /proc have all processes of the machine, and not those of a container only?  The number is
 * that of the first namespace (linux/proc_ns.h: PROC_PID_INIT_INO).
 */
static bool sees_all(const struct pme_os *os)
{
	_cleanup_free_ char *link = NULL;

	return pme_os_readlink(os, "proc/self/ns/pid", &link) == 0 &&
	       strcmp(link, "pid:[4026531836]") == 0;
}

/* It is to have the one driver that lets it be mapped: 0, then *@ret is NULL, or -ENOMEM. */
static int refuse_driver(const struct pme_os *os, const char *name, char **ret)
{
	_cleanup_free_ char *driver = NULL;
	int r = driver_of(os, name, &driver);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		*ret = pme_printf("cannot tell which driver has %s: %s", name, strerror(-r));
	else if (!driver)
		*ret = pme_printf("%s has no driver, and cannot be filled with zeros: daxctl "
				  "enable-device %s",
				  name, name);
	else if (strcmp(driver, "kmem") == 0)
		*ret = pme_printf("in use: %s is memory of the system (kmem)", name);
	else if (strcmp(driver, DRIVER) != 0)
		*ret = pme_printf("in use: %s has the driver %s", name, driver);
	else
		return 0;
	return *ret ? 0 : -ENOMEM;
}

static char *say_holder(const struct pme_file *node, const char *name)
{
	const struct pme_holder *first = &node->holders[0];

	return pme_printf("in use: %s (process %d) has /dev/%s %s: stop it first",
			  first->command ? first->command : "a process", (int)first->pid, name,
			  first->mapped ? "mapped" : "open");
}

/* Where its range alone does not say that its bytes may go. */
static char *say_unknown(const char *name)
{
	return pme_printf("nobody has /dev/%s now, but only the programs that use it know whether "
			  "these bytes matter, and they would find zeros instead of an error: "
			  "--give-up zero does it all the same",
			  name);
}

int pme_clear_refuse_devdax(const struct pme_clear *clear, const struct pme_claim *claim,
			    char **ret)
{
	const char *name = clear->dev->name;
	int r;

	*ret = NULL;
	if (claim->hops[claim->n_hops - 1].dev != clear->dev)
		*ret = pme_printf("the range has to be given on %s",
				  claim->hops[claim->n_hops - 1].dev->name);
	else if (!claim->node || clear->incomplete || !sees_all(clear->scan.topo->os))
		*ret = pme_printf("not all processes can be looked at, and so it is not known "
				  "that nobody has /dev/%s (run as root, not in a container)",
				  name);
	else if (claim->node->n_holders > 0)
		*ret = say_holder(claim->node, name);
	else if ((r = refuse_driver(clear->scan.topo->os, name, ret)) < 0)
		return r;
	else if (!*ret && !can_store())
		*ret = pme_printf("%s cannot be filled with zeros: on this processor it is not "
				  "known how they are made durable",
				  name);
	else if (*ret || clear->give_up || clear->way.works != PME_CLEAR_WORKS)
		return 0;
	else
		*ret = say_unknown(name);
	return *ret ? 0 : -ENOMEM;
}

/* --- zeros --- */

/* What is mapped of a device: whole pieces of its alignment.  Nothing touches it until it must. */
struct mapping {
	unsigned char *memory;
	uint64_t first, length; /* bytes of the device */
};

static int map(const struct pme_os *os, const struct pme_dev *dev, int fd, struct pme_range part,
	       struct mapping *ret)
{
	struct mapping mapping;
	uint64_t align;
	int r = pme_os_read_u64(os, &align, "sys/bus/dax/devices/%s/align", dev->name);

	if (r < 0)
		return r;
	if (align == 0 || (align & (align - 1)))
		return -EINVAL;
	mapping.first = part.start - part.start % align;
	mapping.length = (pme_range_end(part) - mapping.first + align - 1) / align * align;
	mapping.memory = mmap(NULL, mapping.length, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			      (off_t)mapping.first);
	if (mapping.memory == MAP_FAILED)
		return -errno;
	*ret = mapping;
	return 0;
}

static void unmap(const struct mapping *mapping)
{
	munmap(mapping->memory, mapping->length);
}

static bool is_zero(const volatile unsigned char *buf, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (buf[i])
			return false;
	return true;
}

/* The child: @at says where it is, in case it dies there.  It ends with 0 when all is zero. */
static _Noreturn void fill_and_tell(const struct mapping *mapping, uint64_t end,
				    volatile uint64_t *at)
{
	signal(SIGBUS, SIG_DFL);
	prctl(PR_SET_DUMPABLE, 0);
	for (; *at < end; *at += PME_SECTOR) {
		unsigned char *sector = mapping->memory + (*at - mapping->first);
		size_t size = pme_min(end - *at, (uint64_t)PME_SECTOR);

		memset(sector, 0, size);
		store(sector, size);
		if (!is_zero(sector, size))
			_exit(1);
	}
	_exit(0);
}

/* 0 all of it, 1 up to *@at, -errno. */
static int run_child(const struct mapping *mapping, uint64_t end, volatile uint64_t *at)
{
	pid_t child = fork(), r;
	int status = 0;

	if (child < 0)
		return -errno;
	if (child == 0)
		fill_and_tell(mapping, end, at);
	do {
		r = waitpid(child, &status, 0);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

static int fill(const struct mapping *mapping, struct pme_range part, volatile uint64_t *at,
		struct pme_range_list *unreadable)
{
	uint64_t end = pme_range_end(part);
	int r = 1;

	*at = part.start;
	for (size_t stops = 0; r == 1 && *at < end; stops++) {
		uint64_t bad;

		r = stops < STOPS_MAX ? run_child(mapping, end, at) : 1;
		if (r != 1)
			return r;
		bad = stops < STOPS_MAX ? pme_min(end - *at, (uint64_t)PME_SECTOR) : end - *at;
		if (pme_range_list_add(unreadable, *at, bad) < 0)
			return -ENOMEM;
		*at += bad;
	}
	return 0;
}

int pme_clear_dax_zero(const struct pme_os *os, const struct pme_dev *dev, int fd,
		       struct pme_range part, struct pme_range_list *unreadable)
{
	struct mapping mapping;
	volatile uint64_t *at;
	int r = map(os, dev, fd, part, &mapping);

	if (r < 0)
		return r;
	at = mmap(NULL, sizeof(*at), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED) {
		r = -errno;
	} else {
		r = fill(&mapping, part, at, unreadable);
		munmap((void *)at, sizeof(*at));
	}
	unmap(&mapping);
	return r;
}

/* --- alone --- */

/* Anybody but this process? */
static int check_alone(const struct pme_os *os, const struct pme_file *like)
{
	_cleanup_(pme_log_done) struct pme_log log = {0};
	struct pme_file *node = calloc(1, sizeof(*node));
	int r;

	if (!node)
		return -ENOMEM;
	node->rdev = like->rdev;
	node->mode = like->mode;
	r = pme_holders_find(os, &node, 1, &log);
	for (size_t i = 0; r == 0 && i < node->n_holders; i++)
		if (node->holders[i].pid != getpid())
			r = -EBUSY;
	pme_file_free(node);
	return r == 0 && log.incomplete ? -EPERM : r;
}

int pme_clear_dax_open(const struct pme_os *os, const struct pme_claim *claim,
		       struct pme_range range)
{
	const struct pme_dev *dev = claim->hops[claim->n_hops - 1].dev;
	_cleanup_free_ char *path = pme_dev_node(dev);
	struct mapping mapping;
	_cleanup_close_ int fd = path ? pme_os_open(os, path, O_RDWR) : -ENOMEM;
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	r = pme_os_fstat(fd, &st);
	if (r < 0)
		return r;
	if (!S_ISCHR(st.st_mode) || st.st_rdev != claim->node->rdev)
		return -ENODEV;
	r = map(os, dev, fd, range, &mapping);
	if (r < 0)
		return r;
	unmap(&mapping);
	r = check_alone(os, claim->node);
	return r < 0 ? r : pme_take_fd(&fd);
}
