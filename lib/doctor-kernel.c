/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the doctor says of the kernel, and where it reads that; see doctor.h.
 *
 * Facts: Documentation/admin-guide/sysctl/vm.rst (memory_failure_*: there only when the kernel was
 * built with CONFIG_MEMORY_FAILURE), Documentation/arch/x86/x86_64/boot-options.rst (mce=),
 * include/ras/ras_event.h; newer kernels have the event in a system of its own.
 */
#include <string.h>

#include "checkpoint.h"
#include "doctor.h"

#define TRACING "sys/kernel/tracing"
#define EXCHANGE_MAJOR 6
#define EXCHANGE_MINOR 10 /* XFS_IOC_COMMIT_RANGE */

void pme_judge_privileges(bool is_root, struct pme_checks *ret)
{
	if (is_root)
		pme_checks_add(ret, PME_CHECK_PRIVILEGES, "pmemctl", PME_RESULT_OK, NULL,
			       "it runs as root");
	else
		pme_checks_add(ret, PME_CHECK_PRIVILEGES, "pmemctl", PME_RESULT_UNKNOWN,
			       "run it as root", "it does not run as root");
}

/* 1 when @release is at least @major.@minor, 0, -EINVAL. */
static int is_at_least(const char *release, uint64_t major, uint64_t minor)
{
	size_t first = strspn(release, "0123456789");
	const char *rest = release + first;
	uint64_t a, b;

	if (*rest != '.' || pme_parse_u64(release, first, &a) < 0 ||
	    pme_parse_u64(rest + 1, strspn(rest + 1, "0123456789"), &b) < 0)
		return -EINVAL;
	return a > major || (a == major && b >= minor);
}

static bool does_not_apply(const struct pme_kernel_facts *kernel, enum pme_check_id id,
			   struct pme_checks *ret)
{
	if (!kernel->applies)
		pme_checks_add(ret, id, "kernel", PME_RESULT_NONE, NULL,
			       "there is no persistent memory here, and nothing is protected");
	return !kernel->applies;
}

void pme_judge_kernel(const struct pme_kernel_facts *kernel, struct pme_checks *ret)
{
	int exchanges = is_at_least(kernel->release, EXCHANGE_MAJOR, EXCHANGE_MINOR);

	if (does_not_apply(kernel, PME_CHECK_KERNEL, ret))
		return;
	if (exchanges < 0)
		pme_checks_add(ret, PME_CHECK_KERNEL, "kernel", PME_RESULT_UNKNOWN, NULL,
			       "its release %s has no version number that can be read",
			       kernel->release);
	else if (exchanges)
		pme_checks_add(ret, PME_CHECK_KERNEL, "kernel", PME_RESULT_OK, NULL,
			       "Linux %s: ranges of files can be exchanged, where the filesystem "
			       "has the feature",
			       kernel->release);
	else
		pme_checks_add(ret, PME_CHECK_KERNEL, "kernel", PME_RESULT_ADVICE,
			       "use Linux 6.10 or newer",
			       "Linux %s cannot exchange ranges of files: a file is repaired only "
			       "while nobody has it open for writing%s",
			       kernel->release,
			       pme_kernel_shares_dax(kernel->release)
				       ? ""
				       : ", and one that was ever reflinked loses DAX when it is "
					 "loaded again");
}

void pme_judge_memory_failure(const struct pme_kernel_facts *kernel, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_MEMORY_FAILURE;

	if (does_not_apply(kernel, id, ret))
		return;
	if (kernel->handles_failure == PME_NOT_KNOWN ||
	    (kernel->handles_failure == PME_YES && kernel->recovery == PME_UNKNOWN)) {
		pme_checks_add(ret, id, "kernel", PME_RESULT_UNKNOWN, NULL,
			       "/proc/sys/vm/memory_failure_recovery cannot be read: %s",
			       kernel->error ? kernel->error : "no number");
	} else if (kernel->handles_failure == PME_NO) {
		pme_checks_add(ret, id, "kernel", PME_RESULT_PROBLEM,
			       "use a kernel that was built with CONFIG_MEMORY_FAILURE",
			       "this kernel does not handle memory failures: there is no "
			       "/proc/sys/vm/memory_failure_recovery");
	} else if (kernel->recovery == 0) {
		pme_checks_add(ret, id, "kernel", PME_RESULT_PROBLEM,
			       "let the kernel recover, and keep that in /etc/sysctl.d",
			       "vm.memory_failure_recovery is 0: the machine stops at a memory "
			       "failure");
		pme_checks_command(ret, "sysctl vm.memory_failure_recovery=1");
	} else {
		pme_checks_add(ret, id, "kernel", PME_RESULT_OK, NULL,
			       "memory failures are handled%s",
			       kernel->early_kill == 1
				       ? "; vm.memory_failure_early_kill is 1: all programs that "
					 "have the page mapped are told at once"
				       : "");
	}
}

void pme_judge_machine_checks(const struct pme_kernel_facts *kernel, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_MACHINE_CHECKS;

	if (!kernel->has_nfit)
		pme_checks_add(ret, id, "kernel", PME_RESULT_NONE, NULL,
			       "there is no bus of ACPI's NFIT: on others machine checks become "
			       "no bad blocks");
	else if (kernel->machine_checks == PME_NOT_KNOWN)
		pme_checks_add(ret, id, "kernel", PME_RESULT_UNKNOWN, NULL,
			       "/proc/cmdline cannot be read");
	else if (kernel->machine_checks == PME_NO)
		pme_checks_add(ret, id, "kernel", PME_RESULT_PROBLEM,
			       "remove mce=off or nomce from the kernel's command line, and boot",
			       "machine checks are switched off on the kernel's command line");
	else
		pme_checks_add(ret, id, "kernel", PME_RESULT_OK, NULL,
			       "the kernel's command line does not switch them off");
}

void pme_judge_traces(const struct pme_kernel_facts *kernel, struct pme_checks *ret)
{
	const enum pme_check_id id = PME_CHECK_TRACES;

	if (does_not_apply(kernel, id, ret))
		return;
	if (kernel->traces == PME_NOT_KNOWN ||
	    (kernel->traces == PME_YES && kernel->trace_failure == PME_NOT_KNOWN)) {
		pme_checks_add(ret, id, "kernel", PME_RESULT_UNKNOWN, NULL,
			       "/" TRACING " cannot be read: %s",
			       kernel->error ? kernel->error : "reason not known");
	} else if (kernel->traces == PME_NO) {
		pme_checks_add(ret, id, "kernel", PME_RESULT_ADVICE,
			       "mount tracefs, if the kernel has it",
			       "there are no events in /" TRACING);
		pme_checks_command(ret, "mount -t tracefs tracefs /" TRACING);
	} else if (kernel->trace_failure == PME_NO) {
		pme_checks_add(ret, id, "kernel", PME_RESULT_ADVICE,
			       "use a kernel that was built with CONFIG_RAS",
			       "this kernel has no event memory_failure_event");
	} else if (kernel->has_cxl && kernel->trace_cxl == PME_NO) {
		pme_checks_add(ret, id, "kernel", PME_RESULT_PROBLEM, "use a newer kernel",
			       "this kernel has no events of CXL memory: its errors are told "
			       "nowhere");
	} else {
		pme_checks_add(ret, id, "kernel", PME_RESULT_OK, NULL, "memory_failure_event%s",
			       kernel->trace_cxl == PME_YES ? " and those of CXL are there"
							    : " is there");
	}
}

/* --- looking --- */

/* Whatever cannot be told keeps its reason; the first one. */
static enum pme_known known(int r, struct pme_kernel_facts *kernel)
{
	if (r >= 0)
		return r > 0 ? PME_YES : PME_NO;
	if (!kernel->error)
		kernel->error = strdup(strerror(-r));
	return PME_NOT_KNOWN;
}

static enum pme_known has_event(const struct pme_os *os, const char *name,
				struct pme_kernel_facts *kernel)
{
	_cleanup_free_ char *path = pme_printf(TRACING "/events/%s", name);

	return known(path ? pme_os_exists(os, path) : -ENOMEM, kernel);
}

static uint64_t number(const struct pme_os *os, const char *name)
{
	uint64_t value;

	return pme_os_read_u64(os, &value, "proc/sys/vm/%s", name) == 0 ? value : PME_UNKNOWN;
}

static enum pme_known look_at_command_line(const struct pme_os *os)
{
	_cleanup_free_ char *text = NULL;
	const char *pos, *word;
	size_t len;

	if (pme_os_read_line(os, &text, "proc/cmdline") < 0)
		return PME_NOT_KNOWN;
	pos = text;
	while (pme_next_word(&pos, text + strlen(text), &word, &len))
		if (pme_word_is(word, len, "mce=off") || pme_word_is(word, len, "nomce"))
			return PME_NO;
	return PME_YES;
}

void pme_kernel_look(const struct pme_os *os, const char *release, struct pme_kernel_facts *ret)
{
	*ret = (struct pme_kernel_facts){.release = release};
	ret->handles_failure = known(pme_os_exists(os, "proc/sys/vm/memory_failure_recovery"), ret);
	ret->early_kill = number(os, "memory_failure_early_kill");
	ret->recovery = number(os, "memory_failure_recovery");
	ret->machine_checks = look_at_command_line(os);
	ret->traces = known(pme_os_exists(os, TRACING "/events"), ret);
	ret->trace_failure = has_event(os, "ras/memory_failure_event", ret);
	if (ret->trace_failure == PME_NO)
		ret->trace_failure = has_event(os, "memory_failure/memory_failure_event", ret);
	ret->trace_cxl = has_event(os, "cxl/cxl_poison", ret);
}

void pme_kernel_facts_done(struct pme_kernel_facts *kernel)
{
	free(kernel->error);
	*kernel = (struct pme_kernel_facts){0};
}
