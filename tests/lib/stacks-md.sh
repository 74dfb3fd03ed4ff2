# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# stacks-md.sh: arrays with mirrors and parity, by mdadm and by LVM; see stacks.sh.
#
# Six members: three partitions on each disk, no two of one start. Bad blocks are never read through
# the array here: md would repair them, or fail members.

# shellcheck disable=SC2034 # for stack.test
injected=' ' inspected=' raid5-ls '
redundant=' raid1 raid5-ls raid5-ra raid6 raid6-degraded raid10-n2 raid10-f2 raid10-o2 '

stack_names()
{
	printf '%s\n' raid1 raid5-ls raid5-ra raid6 raid10-n2 raid10-f2 raid10-o2 \
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

# make_array LEVEL LAYOUT CHUNK MEMBERS: mirrors and parity are complete before it is used.
make_array()
{
	local -a layout=() chunk=()
	make_members || return
	[[ $2 == - ]] || layout=(--layout="$2")
	[[ $3 == - ]] || chunk=(--chunk="$3")
	make_md "$1" -n "$4" "${layout[@]}" "${chunk[@]}" "${@:5}" "${D0}p1" "${D1}p1" "${D0}p2" \
		"${D1}p2" "${D0}p3" "${D1}p3" || return
	mdadm --wait "$TOP" >&2
	[[ -b $TOP ]]
}

up_raid1()
{
	partition "$D0" <<<'label: gpt
	start=2048, size=700000' && partition "$D1" <<<'label: gpt
	start=4096, size=702000' || return
	make_md 1 -n 2 --bitmap=internal "${D0}p1" "${D1}p1" || return
	mdadm --wait "$TOP" >&2
	[[ -b $TOP ]]
}

up_raid5-ls() { make_array 5 left-symmetric 64 6; }
up_raid5-ra() { make_array 5 right-asymmetric 16 6; }
up_raid6() { make_array 6 left-symmetric-6 32 6; }
up_raid10-n2() { make_array 10 n2 64 6; }
up_raid10-f2() { make_array 10 f2 64 6; }
up_raid10-o2() { make_array 10 o2 64 6; }

# The failed members keep old contents, which are nobody's any more.
up_raid1-degraded() { up_raid1 && quietly mdadm "$TOP" --fail "${D1}p1"; }

up_raid6-degraded()
{
	make_array 6 right-asymmetric 64 6 && quietly mdadm "$TOP" --fail "${D1}p2"
}

set_down() { :; }
