# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# stacks-thin.sh: thin volumes: blocks of both disks in the order in which they were written; see stacks.sh.
#
# The surprise: volumes are made with a neighbour that has blocks of its own, between theirs.

# shellcheck disable=SC2034 # for stack.test
injected=' ' inspected=' '

stack_names()
{
	printf '%s\n' thin-origin lvm-thin
	[[ ! ${NIGHTLY-} ]] || printf '%s\n' thin-striped thin-linear
}

# make_pool BLOCK: a pool "pool-data" on /dev/mapper/thin-data, its metadata on the first disk; a volume of 400 MiB.
make_pool()
{
	dmsetup create thin-meta >&2 <<<"0 16384 linear $D0 2048" || return
	wait_until 20 test -b /dev/mapper/thin-meta
	dd if=/dev/zero of=/dev/mapper/thin-meta bs=4k count=1 conv=fsync 2>/dev/null
	dmsetup create thin-pool >&2 <<-END || return
	0 $(sectors_of /dev/mapper/thin-data) thin-pool /dev/mapper/thin-meta /dev/mapper/thin-data $1 0
	END
	dmsetup message thin-pool 0 "create_thin 7" && dmsetup message thin-pool 0 "create_thin 9" || return
	stack_map thin-other <<<"0 40960 thin /dev/mapper/thin-pool 9" || return
	dd if=/dev/urandom of=/dev/mapper/thin-other bs=1M count=4 seek=3 conv=fsync 2>/dev/null || return
	dmsetup remove --retry thin-other
	stack_map thin-top <<<"0 819200 thin /dev/mapper/thin-pool 7"
}

up_thin-striped()
{
	stack_map thin-data <<<"0 1228800 striped 2 256 $D0 32768 $D1 4096" && make_pool 128
}

up_thin-linear()
{
	stack_map thin-data <<-END || return
	0 300000 linear $D1 8
	300000 700000 linear $D0 40960
	END
	make_pool 256
}

# An external origin, shorter than the volume: it shows through where nothing was written.
up_thin-origin()
{
	stack_map thin-data <<<"0 760000 linear $D1 4096" && make_pool 128 && dmsetup remove --retry thin-top || return
	stack_map thin-source <<<"0 700000 linear $D0 20480" || return
	stack_map thin-top <<<"0 819200 thin /dev/mapper/thin-pool 7 /dev/mapper/thin-source"
}

up_lvm-thin()
{
	make_vg "$D0" "$D1" || return
	quietly lvcreate -y -L 640m -c 64k --poolmetadatasize 8m --type thin-pool -n pool "$stack_vg" || return
	quietly lvcreate -y -Wn -V 400m -n "$stack_lv" --thinpool pool "$stack_vg" || return
	TOP=/dev/$stack_vg/$stack_lv
	wait_until 20 test -b "$TOP"
}

set_down()
{
	local name
	for name in thin-top thin-source thin-other thin-pool thin-meta thin-data; do
		[[ ! -b /dev/mapper/$name ]] || quietly dmsetup remove --retry "$name"
	done
}
