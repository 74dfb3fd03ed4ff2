# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# stacks.sh: block device stacks on two disks, to be sourced by jobs in the guest, after tap.sh.
#
#	stack_disks DISK DISK	the two lowest disks (/dev/pmem0 /dev/pmem1), of at least 400 MiB
#	stack_names		the stacks that this kernel can make, one per line
#	stack_up NAME		makes one; TOP is the device for the filesystem, of at least 300 MiB
#	stack_down NAME		takes it apart, so that the next one finds blank disks
#
# It destroys what is on the disks. It prints nothing but errors.
# The surprise: old contents of the disks stay, on purpose: stale data of an earlier stack is a
# trap that a wrong mapping falls into. Only signatures are wiped.

stack_vg=vg-of-pmem # a dash: device-mapper doubles it in its own names
stack_lv=lv-data

stack_disks() { D0=$1 D1=$2; }

sectors_of() { blockdev --getsz "$1"; }

stack_names()
{
	printf '%s\n' whole gpt mbr linear striped-8 striped-128 striped-2048 lvm-linear \
		lvm-parts lvm-striped raid0-original raid0-alternate raid0-small-chunk \
		raid0-equal lvm-on-raid0 linear-on-lvm
	if modprobe -qn md-linear || modprobe -qn linear; then
		echo md-linear
	fi
}

# quietly COMMAND…: its output only when it fails.
quietly()
{
	local output
	output=$("$@" 2>&1 </dev/null) || {
		printf '%s: %s\n' "$*" "$output" >&2
		return 1
	}
}

# partition DISK: a table in sfdisk's language on standard input.
partition()
{
	local output
	output=$(sfdisk -q --wipe always --wipe-partitions always "$1" 2>&1) || {
		printf 'sfdisk %s: %s\n' "$1" "$output" >&2
		return 1
	}
	udevadm settle -t 20
}

blank()
{
	local disk part
	for disk in "$D0" "$D1"; do
		for part in "${disk}"p*; do
			[[ ! -b $part ]] || quietly wipefs -aqf "$part"
		done
		quietly wipefs -aqf "$disk"
		partx -d "$disk" 2>/dev/null
	done
	udevadm settle -t 20
}

# stack_map NAME: a device-mapper device with the table on standard input.
stack_map()
{
	dmsetup create "$1" >&2 || return
	wait_until 20 test -b "/dev/mapper/$1"
	TOP=/dev/mapper/$1
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

# make_lv [option of lvcreate…] [place…]
make_lv()
{
	quietly lvcreate -y -Wn -Zn -n "$stack_lv" "$stack_vg" "$@" || return
	TOP=/dev/$stack_vg/$stack_lv
	wait_until 20 test -b "$TOP"
}

make_vg() { quietly pvcreate -ffy "$@" && quietly vgcreate -s 4m "$stack_vg" "$@"; }

up_lvm-linear() { make_vg "$D0" "$D1" && make_lv -l 90%VG; }

make_partitions()
{
	partition "$D0" <<-'END' && partition "$D1" <<-'END'
	label: gpt
	start=2048, size=204800
	start=206848, size=409600
	END
	label: gpt
	start=4096, size=700000
	END
}

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

# make_md LEVEL [option of mdadm…] DEVICES…
make_md()
{
	local level=$1
	shift
	quietly mdadm --create /dev/md/stack --run --level="$level" "$@" || return
	wait_until 20 test -b /dev/md/stack
	TOP=/dev/md/stack
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

stack_up()
{
	TOP=
	"up_$1" || return
	udevadm settle -t 20
	[[ -b $TOP ]] || { echo "$1: no device $TOP" >&2; return 1; }
}

# Takes apart whatever is there, top to bottom; what is not there is no error.
stack_down()
{
	local name
	for name in mixed-linear striped-8 striped-128 striped-2048 over-lvm; do
		[[ ! -b /dev/mapper/$name ]] || quietly dmsetup remove --retry "$name"
	done
	[[ ! -d /dev/$stack_vg ]] || quietly vgremove -ffy "$stack_vg"
	udevadm settle -t 20
	if [[ -b /dev/md/stack ]]; then
		quietly wipefs -aqf /dev/md/stack
		quietly mdadm --stop /dev/md/stack
	fi
	blank
}
