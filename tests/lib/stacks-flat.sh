# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# stacks-flat.sh: device-mapper targets that are known from their table, whose raw sectors decode:
# delay, flakey, era, unstriped, mirror, multipath; see stacks.sh.
#
# The surprise: log-writes is not among them, as its log holds a copy of all data that decodes like
# the data and that nothing reads.

# shellcheck disable=SC2034 # for stack.test
injected=' delay mirror ' inspected=' ' redundant=' mirror '

stack_names()
{
	printf '%s\n' delay era mirror unstriped
	[[ ! ${NIGHTLY-} ]] || printf '%s\n' flakey two-lines multipath
}

stack_members() { echo pmem0:2048 pmem1:4096; }

up_delay()
{
	stack_map delay <<-END
	0 350000 delay $D1 4096 0
	350000 350000 delay $D0 2048 0 $D0 2048 0 $D0 2048 0
	END
}

up_flakey()
{
	stack_map flakey <<-END
	0 350000 flakey $D1 8 600 0
	350000 350000 flakey $D0 4096 600 0
	END
}

up_era()
{
	dd if=/dev/zero of="$D1" bs=1M count=1 oflag=direct conv=notrunc status=none || return
	quietly dmsetup create era-meta --table "0 16384 linear $D1 0" &&
		stack_map era <<<"0 $(sectors_of "$D0") era /dev/mapper/era-meta $D0 128"
}

up_two-lines()
{
	stack_map two-lines <<-END
	0 300000 linear $D1 70000
	300000 1000 delay $D0 600000 0
	301000 399000 flakey $D0 16 600 0
	END
}

# It is told to be in sync, so its legs must be equal also where nothing is written.
up_mirror()
{
	quietly blkdiscard -z -o $((2048 * 512)) -l $((700000 * 512)) "$D0" &&
		quietly blkdiscard -z -o $((4096 * 512)) -l $((700000 * 512)) "$D1" || return
	stack_map mirror <<<"0 700000 mirror core 2 1024 nosync 2 $D0 2048 $D1 4096"
}

# One path, as two of the same memory would be two ways up; and it takes no requests, only bios.
up_multipath()
{
	stack_map multipath <<<"0 700000 multipath 2 queue_mode bio 0 1 1 round-robin 0 1 1 $D0 1"
}

# The second of two stripes: what is on one disk.
up_unstriped()
{
	quietly dmsetup create stripes --table "0 1400064 striped 2 128 $D0 2048 $D1 4096" &&
		stack_map unstriped <<<"0 700032 unstriped 2 128 1 /dev/mapper/stripes 0"
}

set_down()
{
	local name
	for name in delay flakey era era-meta two-lines mirror multipath unstriped stripes; do
		[[ ! -b /dev/mapper/$name ]] || quietly dmsetup remove --retry "$name"
	done
}
