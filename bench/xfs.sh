# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# XFS: with a reverse map, without it, with parent pointers, and with fewer files. See common.sh.
#
# Parent pointers need a kernel from 6.10 on. Debian 12's mkfs.xfs cannot make them: tests/lib/xfs-features.py
# sets the bit in a fresh filesystem.

# shellcheck disable=SC2034,SC2154 # the tables and settings of common.sh and bench/run

run_queries() { command=("$tools/queries" "$mount" "$work/blocks.$1" "$2"); }
run_parents() { command=("$tools/parents" "$mount" "$work/owners.$1" "$2"); }
run_sweep() { command=("$tools/sweep" "$mount" "$1" "$2"); }
run_pipeline() { command=("$here/pipeline" "$mount" "$work/blocks.$1"); }

collect_pipeline()
{
	local n
	for n; do
		"$here/pipeline" "$mount" "$work/blocks.$n" >"$answers/$part/pipeline.$n"
	done
}

# directory_reads ARGUMENT…: how often pmemctl reads a directory that is not one of the system. The filesystem is
# entered through a copy of the mount that has no path, so its directories show as "/" or "/d0001".
directory_reads()
{
	strace -f -y -qq -e trace=getdents64 -o "$work/trace" "$pmemctl" "$@" >/dev/null 2>&1 || true
	grep -vcE 'getdents64\([0-9]+</(sys|proc|dev|run|etc|usr)[/>]' "$work/trace" || true
}

count_calls()
{
	printf '{"healthy": %d, "bad_512": %d}\n' "$(directory_reads scan "$loop")" \
		"$(directory_reads scan --badblocks "$work/blocks.512:$loop")" >"$out/calls.json"
}

part_xfs()
{
	local n
	begin xfs
	make_filesystem "$files" mkfs.xfs -q -f -m rmapbt=1,reflink=1
	[[ $measuring ]] || return 0
	choose_blocks blocks "${counts[@]}"
	choose_singles
	collect_answers "${counts[@]}"
	collect_pipeline "${counts[@]}"
	count_calls
	FLOORS=("walk walk" "queries-512 queries 512")
	for n in "${counts[@]}"; do
		CASES+=("pmemctl-$n pmemctl $n" "pipeline-$n pipeline $n")
	done
	CASES+=("one-thread-walk walk 1" "nothing-bad nothing_bad")
	ONCE=("inum.512 today inum 512" "whole.512 today whole 512" "filefrag.512 today filefrag 512")
	measure_all
	measure_singles warm "$turns"
	[[ ! $cold ]] || measure_singles cold "$cold_singles"
	finish
}

part_plain()
{
	local tries=$((tries < 2 ? tries : 2)) # they take seconds
	begin plain
	make_filesystem "$files" mkfs.xfs -q -f -m rmapbt=0,reflink=1
	[[ $measuring ]] || return 0
	choose_blocks blocks-files 512
	collect_answers 512
	FLOORS=("sweep-bmap sweep bmap" "sweep-fiemap sweep fiemap")
	CASES=("pmemctl-512 pmemctl 512")
	ONCE=("filefrag.512 today filefrag 512")
	measure_all
	finish
}

format_with_parents()
{
	mkfs.xfs -q -f -m rmapbt=1,reflink=1 "$1"
	python3 "$here/../tests/lib/xfs-features.py" "$1" parent
}

# Does this kernel mount it?
parents_work()
{
	local probe=$work/probe.img device status=0
	truncate -s 512M "$probe"
	device=$(losetup --show -f "$probe")
	format_with_parents "$device" >/dev/null 2>&1 && mount "$device" "$mount" 2>/dev/null && umount "$mount" || status=1
	losetup -d "$device"
	rm -f "$probe"
	return $status
}

part_parents()
{
	begin parents
	if ! parents_work; then
		say "left out: an XFS with parent pointers cannot be made or mounted here"
		echo '{"left_out": "an XFS with parent pointers cannot be made or mounted here"}' >"$out/tree-parents.json"
		finish
		return
	fi
	make_filesystem "$files" format_with_parents
	[[ $measuring ]] || return 0
	choose_blocks blocks 1 64 512
	choose_singles
	collect_answers 1 64 512
	collect_pipeline 1 64 512
	"$tools/owners" "$mount" "$work/blocks.512" >"$work/owners.512"
	FLOORS=("queries-512 queries 512" "parents-512 parents 512")
	CASES=("pmemctl-1 pmemctl 1" "pmemctl-64 pmemctl 64" "pmemctl-512 pmemctl 512" "one-thread-walk walk 1")
	measure_all
	measure_singles warm "$turns"
	[[ ! $cold ]] || measure_singles cold "$cold_singles"
	finish
}

# grow FILES: the same with fewer files than part_xfs has.
grow()
{
	local n
	local -a numbers=()
	begin "growth-$1"
	for n in "${counts[@]}"; do
		((n > $1)) || numbers+=("$n")
	done
	make_filesystem "$1" mkfs.xfs -q -f -m rmapbt=1,reflink=1
	[[ $measuring ]] || return 0
	choose_blocks blocks "${numbers[@]}"
	collect_answers "${numbers[@]}"
	collect_pipeline "${numbers[@]}"
	CASES=("one-thread-walk walk 1")
	for n in "${numbers[@]}"; do
		CASES+=("pmemctl-$n pmemctl $n" "pipeline-$n pipeline $n")
	done
	measure_all
	finish
}

part_growth()
{
	grow $((files / 100))
	grow $((files / 10))
}
