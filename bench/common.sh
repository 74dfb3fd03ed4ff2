# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the parts of bench/run share: filesystems on loop devices, cases, turns. Sourced, never run.
#
# A part measures one kind of filesystem: begin, make_filesystem, choose_blocks, then FLOORS and CASES are filled and
# measured. An entry of these tables is "NAME FUNCTION [ARGUMENT…]"; the function run_FUNCTION leaves in $command what is
# to be run. A floor is a bare program whose function gets the number of threads behind its arguments: all numbers are
# tried first, and the fastest one takes part in the turns, as "NAME@NUMBER".
# The surprise: raw results are lines of "PART/PHASE/NAME"; phases are warm, cold, and these with -threads or -single.

# shellcheck disable=SC2034,SC2154 # set by bench/run, used by the parts
threads=(1 2 4 8 16 32)
tries=3 # with each number of threads, to choose one
part='' loop='' mount='' image=''
FLOORS=() CASES=() ONCE=()

die() { printf 'run: %s\n' "$*" >&2; exit 4; }
say() { printf '%(%T)T %s\n' -1 "${part:+$part: }$*" >&2; }

begin()
{
	part=$1 FLOORS=() CASES=() ONCE=()
	mkdir -p "$answers/$part"
}

finish()
{
	[[ ! $mount ]] || ! mountpoint -q "$mount" || umount "$mount"
	[[ ! $loop ]] || losetup -d "$loop"
	[[ ! $image || $image != "$work"/* ]] || rm -f "$image"
	loop='' image='' part=''
}

# make_filesystem FILES COMMAND [ARGUMENT…]: the command, with the device as its last argument, makes it. A sparse
# image, sized so that allocation groups are those of a device in real life. With --prepare that is all: a part ends
# when $measuring is empty.
make_filesystem()
{
	local number=$1 free made
	image=${images:-$work}/$part.img
	made=$image.json
	if [[ ! -s $made ]]; then
		free=$(df --output=avail -B1 "${image%/*}" | tail -n 1)
		((free > number * 10000 + (1 << 30))) || die "${image%/*}: too little room; see --images"
		rm -f "$image"
		truncate -s $((number * 24576 + (2 << 30))) "$image"
	fi
	loop=$(losetup --direct-io=on --show -f "$image")
	if [[ ! -s $made ]]; then
		say "making the tree: $number files"
		"${@:2}" "$loop"
		mount -o noatime "$loop" "$mount"
		"$tools/mktree" -s "$seed" "$mount" "$number" >"$work/tree"
		umount "$mount"
		mv "$work/tree" "$made"
	fi
	if [[ ! $measuring ]]; then
		finish
		return
	fi
	cp "$made" "$out/tree-$part.json"
	mount -o noatime "$loop" "$mount"
}

# choose_blocks PROGRAM NUMBER…: lists of so many blocks, a shorter one is the beginning of a longer one.
choose_blocks()
{
	local n
	say "choosing blocks"
	"$tools/$1" "$mount" "${*: -1}" "$seed" >"$work/blocks"
	for n in "${@:2}"; do
		head -n "$n" "$work/blocks" >"$work/blocks.$n"
		cp "$work/blocks.$n" "$answers/$part/blocks.$n"
	done
}

# ---- what is run ----

run_walk() { command=("$tools/walk" "$mount" "$1"); }
run_pmemctl() { command=("$pmemctl" --json scan --badblocks "$work/blocks.$1:$loop"); }
run_nothing_bad() { command=("$pmemctl" --json scan "$loop"); }
run_today() { command=("$here/today" "$1" "$mount" "$work/blocks.$2" "${@:3}"); }

# run_case PHASE NAME FUNCTION [ARGUMENT…], with its standard output to $output. pmemctl's status 1 is "bad data
# present"; 16 comes from processes that even root may not look into.
run_case()
{
	local phase=$1 name=$2 status=0
	local -a command
	[[ $phase != cold* ]] || make_cold
	"run_$3" "${@:4}"
	"$tools/timed" "$part/$phase/$name" "$results" "${command[@]}" >"${output:-/dev/null}" 2>"$work/stderr" || status=$?
	(((status & ~17) == 0)) || die "$part: $name failed with status $status: $(head -n 3 "$work/stderr")"
	((status == 0)) || [[ $3 == pmemctl || $3 == nothing_bad ]] || die "$part: $name failed: $(head -n 3 "$work/stderr")"
}

run_entry()
{
	local -a words
	read -ra words <<<"$2"
	run_case "$1" "${words[@]}" "${@:3}"
}

# Programs come back into memory, the filesystem stays cold.
make_cold()
{
	local program
	umount "$mount"
	sync
	echo 3 >/proc/sys/vm/drop_caches
	mount -o noatime "$loop" "$mount"
	for program in "$tools"/{calls,parents,pass,queries,sweep,timed,walk}; do
		"$program" >/dev/null 2>&1 || true
	done
	"$tools/walk" "$work/empty" >/dev/null
	"$tools/walk" "$work/empty" 2 >/dev/null
	for program in "xfs_io -V" "find --version" "filefrag -V" "debugfs -V" "btrfs version" "awk 1 /dev/null" "paste --version"; do
		$program >/dev/null 2>&1 || true
	done
	"$here/pipeline" "$work/empty" /dev/null </dev/null >/dev/null 2>&1 || true
	"$pmemctl" --json scan >/dev/null 2>&1 || true
}

# All floors with all numbers of threads; then $chosen has those of this phase.
choose_threads()
{
	local phase=$1 turn entry n name rest
	chosen=()
	for ((turn = 1; turn <= tries; turn++)); do
		say "$phase, numbers of threads, turn $turn of $tries"
		for entry in "${FLOORS[@]}"; do
			for n in "${threads[@]}"; do
				read -r name rest <<<"$entry"
				run_entry "$phase-threads" "$name@$n $rest" "$n"
			done
		done
	done
	for entry in "${FLOORS[@]}"; do
		read -r name rest <<<"$entry"
		n=$("$here/figures.py" "$results" "$part" "$phase-threads" "$name")
		chosen+=("$name@$n $rest $n")
	done
}

# take_turns PHASE TURNS ENTRY…
take_turns()
{
	local phase=$1 turn entry
	for ((turn = 1; turn <= $2; turn++)); do
		say "$phase, turn $turn of $2"
		for entry in "${@:3}"; do
			run_entry "$phase" "$entry"
		done
	done
}

# The tools that take seconds: one run, whose output is the answer of this tool.
run_once()
{
	local phase=$1 entry
	for entry in "${ONCE[@]}"; do
		say "$phase, ${entry%% *}, once"
		output=$answers/$part/${entry%% *} run_entry "$phase" "$entry"
	done
}

measure()
{
	local phase=$1
	local -a chosen
	choose_threads "$phase"
	take_turns "$phase" "$turns" "${chosen[@]}" "${CASES[@]}"
	run_once "$phase"
}

measure_all()
{
	measure warm
	[[ ! $cold ]] || measure cold
}

# Single blocks, each a case of its own, among runs of the one-thread walk.
measure_singles()
{
	local phase=$1 rounds=$2 round i
	for ((round = 1; round <= rounds; round++)); do
		say "$phase, single blocks, turn $round of $rounds"
		for ((i = 0; i < singles; i++)); do
			((i % 16)) || run_case "$phase-single" walk@1 walk 1
			run_case "$phase-single" "block-$i" pmemctl "single.$i"
		done
	done
}

choose_singles()
{
	local i
	for ((i = 0; i < singles; i++)); do
		sed -n "$((i + 1))p" "$work/blocks" >"$work/blocks.single.$i"
	done
}

# collect_answers NUMBER…: those of pmemctl, which also warms the caches.
collect_answers()
{
	local n
	for n; do
		say "answers: $n blocks"
		"$pmemctl" --json scan --badblocks "$work/blocks.$n:$loop" >"$answers/$part/pmemctl.$n" 2>/dev/null || true
	done
}
