# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tap.sh: a test script's results in the Test Anything Protocol. To be sourced, on the machine and in the guest alike.
#
#     tap_ok "adds up" test $((1 + 1)) = 2
#     tap_skip "needs btrfs" "no mkfs.btrfs"
#     tap_guest -k 6.12 -n 2 job.sh           # the results of a job in a guest become results of this test
#     tap_done                                # last line: prints the plan, exits with 1 after failures
#
# It knows nothing of what is tested, and has no bare "sleep": wait_until waits for a condition, with a deadline.
# The surprise: a command's output is shown (as "# …") only when it fails.

[[ -v tap_number ]] || tap_number=0 tap_failed=0

# tap_result STATUS NAME: one result.
tap_result()
{
	tap_number=$((tap_number + 1))
	if (($1 == 0)); then
		echo "ok $tap_number - $2"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_number - $2"
	fi
}

# tap_ok NAME COMMAND…: good when COMMAND succeeds.
tap_ok()
{
	local name=$1 output status=0
	shift
	output=$("$@" 2>&1 </dev/null) || status=$?
	tap_result $status "$name"
	((status == 0)) || tap_note "status $status: $*"$'\n'"$output"
}

# tap_is NAME GOT EXPECTED
tap_is()
{
	local status=0
	[[ $2 == "$3" ]] || status=1
	tap_result $status "$1"
	((status == 0)) || tap_note "got:      $2"$'\n'"expected: $3"
}

# tap_like NAME GOT PATTERN: PATTERN is an extended regular expression.
tap_like()
{
	local status=0
	[[ $2 =~ $3 ]] || status=1
	tap_result $status "$1"
	((status == 0)) || tap_note "got:      $2"$'\n'"expected: $3"
}

# flip FILE BYTE: one bit of this byte becomes wrong, whatever it was.
flip()
{
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1") || return
	# shellcheck disable=SC2059 # the byte itself
	printf "\\x$(printf %02x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

tap_skip()
{
	tap_number=$((tap_number + 1))
	echo "ok $tap_number - $1 # SKIP $2"
}

# tap_skip_all REASON: this whole script cannot run.
tap_skip_all()
{
	echo "1..0 # SKIP $1"
	exit 0
}

tap_note() { printf '%s\n' "$*" | sed 's/^/# /'; }

# wait_until SECONDS COMMAND…: try COMMAND until it succeeds; on a busy machine PATIENCE times as long.
wait_until()
{
	local end=$((SECONDS + $1 * ${PATIENCE:-1}))
	shift
	until "$@"; do
		((SECONDS < end)) || { echo "gave up waiting for: $*" >&2; return 1; }
		sleep 0.1
	done
}

# patiently COMMAND…: quietly, again and again: a device is busy while udev has its partitions read, which it does
# whenever somebody who could write closes it. Not while somebody holds a lock on it (flock).
patiently() { wait_until 60 at_rest "$@" || "$@"; }
at_rest() { udevadm settle -t 180 && "$@" >/dev/null 2>&1 </dev/null; }

# Results that come from elsewhere get new numbers; their plan is checked here and does not count.
tap_merge()
{
	local line first=$tap_number plan=
	while IFS= read -r line; do
		if [[ $line =~ ^(not\ )?ok( +[0-9]+)?(.*)$ ]]; then
			tap_number=$((tap_number + 1))
			[[ ! ${BASH_REMATCH[1]} ]] || tap_failed=$((tap_failed + 1))
			line="${BASH_REMATCH[1]}ok $tap_number${BASH_REMATCH[3]}"
		elif [[ $line =~ ^1\.\.([0-9]+) ]]; then
			plan=${BASH_REMATCH[1]}
			continue
		fi
		printf '%s\n' "$line"
	done
	[[ $plan && $((tap_number - first)) == "$plan" ]] || {
		tap_result 1 "all results arrived"
		tap_note "$((tap_number - first)) of ${plan:-an unknown number of}"
	}
}

# tap_guest [options of tests/guest/vm] JOB…: run a job that prints TAP; a crash of the guest is a failure of its own.
tap_guest()
{
	local failed=$tap_failed status=0 vm
	vm=$(dirname "${BASH_SOURCE[0]}")/guest/vm
	tap_merge < <("$vm" "$@" 2>&1)
	wait $! || status=$?
	((status == 0 || tap_failed > failed)) || tap_result 1 "the guest's job has status $status"
}

tap_done()
{
	echo "1..$tap_number"
	exit $((tap_failed > 0))
}
