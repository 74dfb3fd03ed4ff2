/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is a file the disk or memory of a virtual machine that runs?  A hypervisor has it open, and it
 * begins as an image does, or the command line of the hypervisor names it: a log or firmware that
 * the hypervisor has open is no image.  Raw disks that were added later are not known.
 */
#include <inttypes.h>
#include <string.h>

#include "use-file.h"
#include "use.h"

#define ARGS_MAX (1U << 20) /* bytes of a command line that are looked at */

static const char advice[] =
	"Shut the guest down or detach the disk, restore these bytes, and check the filesystems in "
	"it: the guest gets read errors, or SIGBUS where its memory is mapped.";

/* /proc/PID/comm has 15 characters. */
static bool is_hypervisor(const char *command)
{
	static const char *const beginnings[] = {"qemu-system-", "qemu-kvm", "cloud-hyperviso",
						 "firecracker", "crosvm"};

	for (size_t i = 0; i < PME_ARRAY_SIZE(beginnings); i++)
		if (strncmp(command, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return strcmp(command, "kvm") == 0;
}

static bool names_it(const struct pme_file *file, const char *args, size_t len)
{
	for (size_t i = 0; i < file->n_paths; i++)
		if (pme_guest_disk_parse(args, len, file->paths[i]))
			return true;
	return false;
}

static char *what_text(const struct pme_holder *holder, const char *format, const char *name)
{
	return pme_printf("%s%simage of the virtual machine %s%sin use by %s (process %d)%s%s",
			  format ? format : "", format ? " " : "", name ? name : "",
			  name ? ", " : "", holder->command, (int)holder->pid,
			  holder->unit ? " of " : "", holder->unit ? holder->unit : "");
}

int pme_use_guest(const struct pme_use_facts *facts, struct pme_use **ret)
{
	const struct pme_holder *holder = pme_use_holder(facts->file, is_hypervisor);
	const char *format = facts->head ? pme_image_parse(facts->head, facts->head_size) : NULL;
	_cleanup_free_ char *args = NULL;
	char *name = NULL;
	size_t len = 0;
	int r;

	if (!holder)
		return 0;
	r = pme_os_read_attr(facts->os, &args, &len, "proc/%d/cmdline", (int)holder->pid);
	if (r == -ENOMEM)
		return r;
	len = r < 0 ? 0 : pme_min(len, ARGS_MAX);
	if (!format && !names_it(facts->file, args ? args : "", len))
		return 0;
	r = pme_guest_name_parse(args ? args : "", len, &name);
	if (r < 0)
		return r;
	*ret = pme_use_new(&(struct pme_use){
		.kind = PME_USE_VM_IMAGE,
		.source = PME_USE_BY_HOLDER,
		.what = what_text(holder, format, name),
		.name = name,
		.advice = advice,
		.pid = holder->pid,
	});
	return *ret ? 1 : -ENOMEM;
}
