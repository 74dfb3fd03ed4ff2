# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# ext4: against one pass over the inode tables and a walk, and against debugfs. See common.sh.
#
# The surprise: mkfs leaves inode tables to a thread of the kernel, which would make them while others are measured.

# shellcheck disable=SC2034,SC2154 # the tables and settings of common.sh and bench/run

run_pass() { command=("$tools/pass" "$loop" "$work/blocks.$1"); }

part_ext4()
{
	begin ext4
	make_filesystem "$files" mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0
	[[ $measuring ]] || return 0
	choose_blocks blocks-files 1 64 512
	collect_answers 1 64 512
	"$here/today" debugfs "$mount" "$work/blocks.512" "$loop" >"$answers/$part/debugfs.512"
	FLOORS=("walk walk")
	CASES=("pass-512 pass 512" "pmemctl-1 pmemctl 1" "pmemctl-64 pmemctl 64" "pmemctl-512 pmemctl 512"
		"debugfs-512 today debugfs 512 $loop")
	ONCE=("filefrag.512 today filefrag 512")
	measure_all
	finish
}
