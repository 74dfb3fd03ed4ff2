# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# stacks-store.sh: targets whose map is on media: snapshots, writecache; see stacks.sh.
#
# LVM's volumes are on an array: on pmem itself they would be DAX devices, which cannot become
# origins of snapshots. The surprise: what a cache wrote back stays in it as a free copy that
# decodes like live data, so the caches here are too large for that to begin.

stack_names()
{
	printf '%s\n' snapshot-store snapshot-small-chunk writecache-p writecache-s
	[[ ${NIGHTLY-} != yes ]] || printf '%s\n' snapshot-origin writecache-512
}

# make_snapshot CHUNK: an origin of 320 MiB and a snapshot of it.
make_snapshot()
{
	make_md 0 -n 2 --chunk=64 "$D1" "$D0" && make_vg /dev/md/stack && make_lv -L 320m &&
		quietly lvcreate -y -s -c "$1" -L 340m -n lv-snap "$stack_vg/$stack_lv" &&
		wait_until 20 test -b "/dev/$stack_vg/lv-snap"
}

# The data is on the origin; its old contents are copied to the store.
up_snapshot-origin() { make_snapshot 16k; }

# The data is in the store.
up_snapshot-store() { make_snapshot 64k && TOP=/dev/$stack_vg/lv-snap; }
up_snapshot-small-chunk() { make_snapshot 4k && TOP=/dev/$stack_vg/lv-snap; }

# make_writecache MODE BLOCK [option…]
make_writecache()
{
	local mode=$1 block=$2
	shift 2
	dd if=/dev/zero of="$D1" bs=1M count=2 oflag=direct conv=notrunc status=none || return
	stack_map writecache <<<"0 $(sectors_of "$D0") writecache $mode $D0 $D1 $block $# $*"
}

up_writecache-p() { make_writecache p 4096; }
up_writecache-s() { make_writecache s 4096 start_sector 2048; }
up_writecache-512() { make_writecache p 512 start_sector 8; }

set_down()
{
	[[ ! -b /dev/mapper/writecache ]] || quietly dmsetup remove --retry writecache
}
