# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# loop.sh: an XFS with self-describing data on a loop device, for tests that run on the machine.
# To be sourced after tap.sh; sets the variables of the programs and of the work folder.
#
# Everything it makes (processes, mounts, loop devices, files) goes at the end of the script,
# however that comes. The surprise: mounts are private to the script, so that a leftover of a
# killed one is not seen by others.

if [[ ! ${PMEMCTL_TEST_MOUNTS-} ]]; then
	((EUID == 0)) || tap_skip_all "needs root"
	PMEMCTL_TEST_MOUNTS=private exec unshare -m --propagation private "$0" "$@"
fi

top=${SRCDIR:-$here/../..}
builddir=${BUILDDIR:-$top}
pmemctl=${PMEMCTL:-$builddir/pmemctl}
tools=$builddir/tests/tools
lib=$here/../lib
judge=(/usr/bin/python3 "$lib/judge.py")
seed=${SEED:-1}
work=$(mktemp -d)
declare -a loops=() holders=()

[[ -x $pmemctl && -x $tools/selfdata && -x $tools/hold ]] ||
	{ echo "Bail out! no $pmemctl, selfdata or hold"; exit 1; }

clean_up()
{
	local i
	for i in "${holders[@]}"; do
		kill "$i" && wait "$i"
	done
	# those mounted last first
	awk -v w="$work/" 'index($5, w) == 1 { print $5 }' /proc/self/mountinfo | tac |
		while read -r i; do umount "$i"; done
	for i in "${loops[@]}"; do
		partx -d "$i"
		losetup -d "$i"
	done
	rm -rf "$work"
} 2>/dev/null
trap clean_up EXIT

# new_loop SIZE: a fresh loop device; its path is LOOP, its kernel name DISK.
new_loop()
{
	local image=$work/image${#loops[@]}
	truncate -s "$1" "$image"
	LOOP=$(losetup -P --show -f "$image") || exit
	DISK=${LOOP##*/}
	export BOTTOM=$DISK # for inverse.py
	loops+=("$LOOP")
}

# partition_loop: a table in sfdisk's language on standard input. Kernels that cannot read the
# table are told of the partitions.
partition_loop()
{
	sfdisk -q "$LOOP" || return
	[[ -d /sys/block/$DISK/${DISK}p1 ]] || partx -a "$LOOP"
}

make_xfs() { mkfs.xfs -q -f -m rmapbt=1,reflink=1 "$1"; }
# fill_xfs DEVICE MOUNT MANIFEST: mounted anew at the end, so that all is on the disk.
fill_xfs()
{
	mkdir -p "$2"
	mount "$1" "$2" && "$tools/selfdata" fill "$2" "$seed" 100 40000000 "$3" &&
		umount "$2" && mount -o noatime "$1" "$2"
}

# document NAME ARGUMENT…: $work/NAME.json, NAME.stderr and the status in NAME.status.
document()
{
	local name=$1
	shift
	"$pmemctl" --json "$@" >"$work/$name.json" 2>"$work/$name.stderr"
	echo $? >"$work/$name.status"
}

status_of() { cat "$work/$1.status"; }

# ranges_of DISK TRUTH: --range for each sector of a truth file, as the array RANGES.
ranges_of()
{
	mapfile -t RANGES < <(awk -v d="$1" '{ print "--range\n" d ":" $1 "s+1s" }' "$2")
}

# hold_file ARGUMENT…: starts hold, waits until it holds; its process is HOLDER.
hold_file()
{
	local ready=$work/ready.$RANDOM
	"$tools/hold" "$@" >"$ready" &
	HOLDER=$!
	holders+=("$HOLDER")
	wait_until 20 test -s "$ready"
}

schema_ok() { "${judge[@]}" schema "$work/$1.json" "$top/schema"; }
