# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# btrfs: against the bare calls, and against btrfs inspect-internal for each block. See common.sh.
#
# The surprise: the calls want logical addresses, pmemctl is asked about those of the device, as they come from it.

# shellcheck disable=SC2034,SC2154 # the tables and settings of common.sh and bench/run

run_calls() { command=("$tools/calls" "$mount" "$work/logical.$1"); }

# blocks-files tells logical addresses: keep them, and go on with physical ones.
choose_logical()
{
	local n
	choose_blocks blocks-files "$@"
	for n; do
		awk '{ printf "%.0f\n", $1 * 512 }' "$work/blocks.$n" >"$work/logical.$n"
		"$tools/physical" "$mount" "$work/blocks.$n" >"$work/physical"
		mv "$work/physical" "$work/blocks.$n"
		cp "$work/blocks.$n" "$answers/$part/blocks.$n"
	done
}

part_btrfs()
{
	begin btrfs
	make_filesystem "$files" mkfs.btrfs -q -f -d single -m single
	[[ $measuring ]] || return 0
	choose_logical 1 64 512
	collect_answers 1 64 512
	"$here/today" resolve "$mount" "$work/blocks.512" "$work/logical.512" >"$answers/$part/resolve.512"
	CASES=("calls-512 calls 512" "pmemctl-1 pmemctl 1" "pmemctl-64 pmemctl 64" "pmemctl-512 pmemctl 512"
		"resolve-512 today resolve 512 $work/logical.512")
	measure_all
	finish
}
