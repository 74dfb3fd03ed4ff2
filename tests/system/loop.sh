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
work=$(mktemp -d) || { echo "Bail out! no folder for what tests make"; exit 1; }
declare -a loops=() holders=()

[[ -x $pmemctl && -x $tools/selfdata && -x $tools/hold ]] ||
	{ echo "Bail out! no $pmemctl, selfdata or hold"; exit 1; }

clean_up()
{
	local i
	for i in "${holders[@]}"; do
		kill "$i" && kill -CONT "$i" && wait "$i" # one may be stopped
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
	udevadm settle -t 60 2>/dev/null # it has the table read anew, and the partitions are gone for a moment
	[[ -d /sys/block/$DISK/${DISK}p1 ]] || partx -a "$LOOP"
	wait_until 20 test -b "${LOOP}p1"
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

# files_come_and_go NAME MOUNT [UPDATE]: scans while the files of a fresh filesystem on LOOP change all the time. UPDATE
# is a command that adds to $work/chunks where its addresses lie on the device, for filesystems that have their own.
files_come_and_go()
{
	local i process
	local -a scans=() addresses=() churn=(/usr/bin/python3 "$lib/churn.py")
	: >"$work/log"
	"${churn[@]}" run --root "$2" --log "$work/log" --seed "$seed" --most 200 &
	process=$!
	holders+=("$process")
	wait_until 120 eval '(($(grep -c created "$work/log") > 300))'
	if [[ ${3-} ]]; then
		: >"$work/chunks"
		addresses=(--chunks "$work/chunks")
		"$3"
	fi
	"${churn[@]}" draw --root "$2" --count 200 "${addresses[@]}" >"$work/places"
	mapfile -t RANGES < <(awk -v d="$DISK" '{ printf "--range\n%s:%.0f+512\n", d, $1 }' "$work/places")
	for i in {1..10}; do
		"${churn[@]}" now >"$work/live$i.json.start"
		document "live$i" scan "${RANGES[@]}"
		"${churn[@]}" now >"$work/live$i.json.end"
		scans+=("$work/live$i.json")
	done
	kill "$process"
	wait "$process" 2>/dev/null
	${3-}
	tap_ok "$1: files come and go: never a wrong name" "${churn[@]}" judge --log "$work/log" --scan "${scans[@]}" \
		--min 300 "${addresses[@]}"
	for i in {1..10}; do
		"${judge[@]}" invariants "$work/live$i.json" --status "$(status_of "live$i")" || break
	done >"$work/complaints"
	tap_is "$1: files come and go: every document is sound" "$(<"$work/complaints")" ""
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
