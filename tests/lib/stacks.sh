# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# stacks.sh: block device stacks on two disks, to be sourced by jobs in the guest, after tap.sh.
#
#	stack_disks DISK DISK	the two lowest disks (/dev/pmem0 /dev/pmem1), of at least 400 MiB
#	stack_names		the stacks of the set $STACK_SET that this kernel can make, one per line
#	stack_up NAME		makes one; TOP is the device for the filesystem, of at least 300 MiB
#	stack_down NAME		takes it apart, so that the next one finds blank disks
#
# A set is a file stacks-SET.sh: stack_names, an up_NAME for each stack, set_down for what stack_down()
# here does not know; set_filled NAME and set_quiet NAME for what is to be done later.
#
# It destroys what is on the disks. It prints nothing but errors.
# The surprise: old contents of the disks stay, on purpose: stale data of an earlier stack is a
# trap that a wrong mapping falls into. Only signatures are wiped.

stack_vg=vg-of-pmem # a dash: device-mapper doubles it in its own names
stack_lv=lv-data

# What is still to be done to a stack when its data was written, and when it was read from the top
# for the last time: a set says it.
set_filled() { :; }
set_quiet() { :; }

# Where members of redundant arrays begin, DISK:SECTOR: a set says it.
stack_members() { :; }

stack_disks() { D0=$1 D1=$2; }

sectors_of() { blockdev --getsz "$1"; }

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

# make_lv [option of lvcreate…] [place…]
make_lv()
{
	quietly lvcreate -y -Wn -Zn -n "$stack_lv" "$stack_vg" "$@" || return
	TOP=/dev/$stack_vg/$stack_lv
	wait_until 20 test -b "$TOP"
}

make_vg() { quietly pvcreate -ffy "$@" && quietly vgcreate -s 4m "$stack_vg" "$@"; }

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

# make_md LEVEL [option of mdadm…] DEVICES…
make_md()
{
	local level=$1
	shift
	patiently mdadm --create /dev/md/stack --run --level="$level" "$@" || return
	wait_until 20 test -b /dev/md/stack
	TOP=/dev/md/stack
}

# stale_samples STACK OUT: sectors of the origin that are in the cache only: where these are on top, and
# how far from there the sectors of the origin are, which all have the same distance (stack_distance of the
# set, when all data is in the cache).
stale_samples()
{
	[[ $(stack_cache "$1") == *" dirty" ]] || return 0
	awk -v seed=7 -v far="$(stack_distance "$1")" '
		{ at = $1; $1 = "" }
		FILENAME ~ /pmem0/ { origin[$0] = at; next }
		FILENAME ~ /pmem1/ { cache[$0] = at; next }
		$0 in origin { distance[origin[$0] - at]++; next }
		$0 in cache { stale[n++] = at }
		END {
			most = far
			for (far in distance) if (distance[far] > distance[most]) most = far
			srand(seed)
			for (i = 0; n && i < 80; i++) print stale[int(rand() * n)] + most
		}' "$2/pmem0.places" "$2/pmem1.places" "$2/pieces" | sort -un >"$2/pmem0.stale"
}

stack_up()
{
	TOP=
	"up_$1" || return
	udevadm settle -t 20
	[[ -b $TOP ]] || { echo "$1: no device $TOP" >&2; return 1; }
}

# Takes apart whatever is there, top to bottom; what is not there is no error.  set_down is the set's.
stack_down()
{
	set_down
	[[ ! -d /dev/$stack_vg ]] || quietly vgremove -ffy "$stack_vg"
	udevadm settle -t 180
	if [[ -b /dev/md/stack ]]; then
		quietly wipefs -aqf /dev/md/stack
		patiently mdadm --stop /dev/md/stack
	fi
	blank
}

# stack_areas STACK: "DISK SECTOR SECTORS OWNER WORDS": areas that have no data of the top, as they were laid
# out; every sector in them belongs to that kind of owner, and its detail begins with these words. A set may
# have its own.
stack_areas() { :; }

. "${BASH_SOURCE[0]%/*}/stacks-${STACK_SET:-plain}.sh"
