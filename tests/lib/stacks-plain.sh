# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# stacks-plain.sh: partitions, segments and stripes: one place for each byte; see stacks.sh.

# shellcheck disable=SC2034 # for stack.test
injected=' whole lvm-parts raid0-original striped-128 ' inspected=' whole lvm-linear raid0-alternate '

stack_names()
{
	printf '%s\n' whole gpt mbr linear striped-8 striped-128 striped-2048 lvm-linear \
		lvm-parts lvm-striped raid0-original raid0-alternate raid0-small-chunk \
		raid0-equal lvm-on-raid0 linear-on-lvm
	if modprobe -qn md-linear || modprobe -qn linear; then
		echo md-linear
	fi
}

up_whole() { TOP=$D0; }

up_gpt()
{
	partition "$D0" <<-'END' || return
	label: gpt
	start=2048, size=40960
	start=45056, size=655360
	start=700416
	END
	TOP=${D0}p2
}

# The logical partition lies in an extended one: its number says nothing of its place.
up_mbr()
{
	partition "$D0" <<-'END' || return
	label: dos
	start=2048, size=20480, type=83
	start=22528, type=5
	start=24576, size=8192, type=83
	start=36864, size=655360, type=83
	END
	TOP=${D0}p6
}

# Five segments from both disks, none in the order of its disk, one start that is odd in 4 KiB.
up_linear()
{
	stack_map "mixed-linear" <<-END
	0 200000 linear $D1 500000
	200000 104 linear $D0 700001
	200104 250000 linear $D0 4096
	450104 300000 linear $D1 8
	750104 96000 linear $D0 300000
	END
}

up_striped()
{
	local size
	size=$((700000 / (2 * $1) * 2 * $1))
	stack_map "striped-$1" <<<"0 $size striped 2 $1 $D1 4096 $D0 $((2048 + 8))"
}
up_striped-8() { up_striped 8; }
up_striped-128() { up_striped 128; }
up_striped-2048() { up_striped 2048; }

up_lvm-linear() { make_vg "$D0" "$D1" && make_lv -l 90%VG; }

# Three physical volumes; the logical volume gets their extents in pieces, backwards.
up_lvm-parts()
{
	make_partitions && make_vg "${D0}p1" "${D0}p2" "${D1}p1" || return
	make_lv -l 20 "${D1}p1:60-79" || return
	quietly lvextend -l +30 "$stack_vg/$stack_lv" "${D0}p2:10-39" &&
		quietly lvextend -l +15 "$stack_vg/$stack_lv" "${D0}p1:5-19" &&
		quietly lvextend -l +20 "$stack_vg/$stack_lv" "${D1}p1:10-29"
}

up_lvm-striped()
{
	partition "$D0" <<<'label: gpt
	start=2048, size=614400' || return
	make_vg "${D0}p1" "$D1" && make_lv -i 2 -I 16k -L 560m
}

make_raid0() { make_partitions && make_md 0 -n 3 "$@" "${D0}p1" "${D1}p1" "${D0}p2"; }

up_raid0-original() { make_raid0 --chunk=64 --layout=original; }
up_raid0-alternate() { make_raid0 --chunk=64 --layout=alternate; }
up_raid0-small-chunk() { make_raid0 --chunk=4 --layout=original; }
up_raid0-equal() { make_md 0 -n 2 --chunk=512 "$D1" "$D0"; }
up_md-linear() { make_partitions && make_md linear -n 3 "${D0}p2" "${D1}p1" "${D0}p1"; }

up_lvm-on-raid0()
{
	make_raid0 --chunk=32 --layout=alternate && make_vg /dev/md/stack && make_lv -l 80%VG
}

up_linear-on-lvm()
{
	up_lvm-striped || return
	stack_map "over-lvm" <<-END
	0 400000 linear /dev/$stack_vg/$stack_lv 400000
	400000 300000 linear /dev/$stack_vg/$stack_lv 8
	END
}

set_down()
{
	local name
	for name in mixed-linear striped-8 striped-128 striped-2048 over-lvm; do
		[[ ! -b /dev/mapper/$name ]] || quietly dmsetup remove --retry "$name"
	done
}
