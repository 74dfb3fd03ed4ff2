# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# stacks-md.sh: arrays with mirrors and parity, by mdadm and by LVM; see stacks.sh.
#
# Six members: three partitions on each disk, no two of one start. Bad blocks are never read through
# the array here: md would repair them, or fail members.
#
# The surprise: nothing is resynced, which is slow under emulation. Mirrors and parity are right only
# where data was written; the kernel is told that they are right everywhere. Stale data below makes
# parity that looks like the data that it protects rare, but zeros that a filesystem writes do not.

# shellcheck disable=SC2034 # for stack.test
set_noise=yes
injected=' ' inspected=' raid5-ls '
redundant=' raid1 raid5-ls raid5-ra raid6 raid6-degraded raid10-n2 raid10-f2 raid10-o2 '
redundant+='lvm-raid1 lvm-raid5 '
parity=' raid5-ls raid5-ra raid6 raid6-degraded lvm-raid5 '
lacking=' raid6-degraded '

# All of them take too long for each time.
stack_names()
{
	printf '%s\n' raid1 raid6 raid10-f2 lvm-raid5
	[[ ${NIGHTLY-} != yes ]] || printf '%s\n' raid5-ls raid5-ra raid10-n2 raid10-o2 lvm-raid1 \
		raid1-degraded raid6-degraded
}

stack_members()
{
	echo pmem0:2048 pmem0:253952 pmem0:505856 pmem1:4096 pmem1:256000 pmem1:507904
}

make_members()
{
	partition "$D0" <<-'END' && partition "$D1" <<-'END'
	label: gpt
	start=2048, size=250000
	start=253952, size=250000
	start=505856, size=250000
	END
	label: gpt
	start=4096, size=250000
	start=256000, size=250000
	start=507904, size=250000
	END
}

# make_array LEVEL LAYOUT CHUNK MEMBERS
make_array()
{
	local -a layout=() chunk=()
	make_members || return
	[[ $2 == - ]] || layout=(--layout="$2")
	[[ $3 == - ]] || chunk=(--chunk="$3")
	make_md "$1" -n "$4" --assume-clean "${layout[@]}" "${chunk[@]}" "${D0}p1" "${D1}p1" \
		"${D0}p2" "${D1}p2" "${D0}p3" "${D1}p3"
}

up_raid1()
{
	partition "$D0" <<<'label: gpt
	start=2048, size=700000' && partition "$D1" <<<'label: gpt
	start=4096, size=702000' || return
	make_md 1 -n 2 --assume-clean --bitmap=internal "${D0}p1" "${D1}p1"
}

up_raid5-ls() { make_array 5 left-symmetric 64 6; }
up_raid5-ra() { make_array 5 right-asymmetric 16 6; }
up_raid6() { make_array 6 left-symmetric-6 32 6; }
# Mirrors that were never written in full differ where nobody wrote: these are put in sync.
make_synced()
{
	make_members && make_md 10 -n 6 --layout="$1" --chunk=64 "${D0}p1" "${D1}p1" "${D0}p2" \
		"${D1}p2" "${D0}p3" "${D1}p3" && { mdadm --wait "$TOP" >/dev/null 2>&1 || true; }
}

up_raid10-n2() { make_synced n2; }
up_raid10-f2() { make_synced f2; }
up_raid10-o2() { make_synced o2; }

# The failed members keep old contents, which are nobody's any more.
up_raid1-degraded() { up_raid1 && quietly mdadm "$TOP" --fail "${D1}p1"; }

up_raid6-degraded()
{
	make_array 6 right-asymmetric 64 6 && quietly mdadm "$TOP" --fail "${D1}p2"
}

make_lv_raid()
{
	make_members && make_vg "${D0}p1" "${D1}p1" "${D0}p2" "${D1}p2" "${D0}p3" "${D1}p3" &&
		make_lv --nosync "$@"
}
up_lvm-raid5() { make_lv_raid --type raid5 -i 4 -I 32k -L 400m; }

up_lvm-raid1()
{
	partition "$D0" <<<'label: gpt
	start=2048, size=700000' && partition "$D1" <<<'label: gpt
	start=4096, size=702000' || return
	make_vg "${D0}p1" "${D1}p1" && make_lv --nosync --type raid1 -m 1 -L 304m
}

set_down() { :; }
