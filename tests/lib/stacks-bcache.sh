# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# stacks-bcache.sh: bcache with data that is dirty, clean, and without a cache; see stacks.sh.
#
# The backing device is on the first disk, the cache device on the second one. Everything that is
# written goes to the cache, never past it. The surprise: the cache takes no new data while it is
# collecting garbage or is half full, so it is much larger than the data.

# shellcheck disable=SC2034 # for stack.test
set_noise=yes set_complete=yes
injected=' ' inspected=' '

stack_names() { printf '%s\n' bcache-dirty bcache-clean bcache-none; }

# What is in the cache: "DISK dirty|clean|mixed".
stack_cache()
{
	case $1 in
	bcache-dirty) echo "pmem1 dirty" ;;
	bcache-none) echo "pmem1 none" ;;
	*) echo "pmem1 clean" ;;
	esac
}

# 16 sectors if nothing else is said.
stack_distance() { if [[ $1 == bcache-clean ]]; then echo 2048; else echo 16; fi; }

# On the cache device behind the superblock and a bucket of 64 KiB: the journal, each 128th bucket of some
# 6300 (bcache-tools, make.c).
stack_areas()
{
	echo "pmem0 8 8 volume-metadata superblock of bcache"
	[[ $1 != bcache-none ]] || return 0
	echo "pmem1 8 8 volume-metadata superblock of cache set"
	echo "pmem1 128 5120 volume-metadata journal of cache set"
}

backing() { echo "/sys/class/block/${D0##*/}/bcache/$1"; }

# register DISK
register()
{
	[[ -e /sys/class/block/${1##*/}/bcache ]] || echo "$1" >/sys/fs/bcache/register
}

# make_backing [option of make-bcache…]
make_backing()
{
	modprobe bcache && quietly make-bcache --wipe-bcache -w 4k "$@" -B "$D0" && register "$D0" &&
		wait_until 20 test -b /dev/bcache0 && TOP=/dev/bcache0
}

# Nothing is written back before set_filled().
make_cached()
{
	local set
	make_backing "$@" && quietly make-bcache --wipe-bcache -b 64k -w 4k -C "$D1" &&
		register "$D1" &&
		wait_until 20 test -e "/sys/class/block/${D1##*/}/bcache/set" &&
		set=$(readlink "/sys/class/block/${D1##*/}/bcache/set") &&
		echo "${set##*/}" >"$(backing attach)" && wait_until 20 is_state clean &&
		echo writeback >"$(backing cache_mode)" && echo 0 >"$(backing writeback_running)" &&
		echo 0 >"$(backing sequential_cutoff)" &&
		echo 0 >"/sys/fs/bcache/${set##*/}/congested_write_threshold_us" &&
		echo 0 >"/sys/fs/bcache/${set##*/}/congested_read_threshold_us"
}

is_state() { [[ $(<"$(backing state)") == "$1" ]]; }

up_bcache-dirty() { make_cached; }
up_bcache-clean() { make_cached --data-offset 2048; }
up_bcache-none() { make_backing; }

# After the data was written.
set_filled()
{
	sync
	[[ $1 == bcache-clean ]] || return 0
	umount "$mount" && echo writethrough >"$(backing cache_mode)" &&
		echo 0 >"$(backing writeback_percent)" && echo 1 >"$(backing writeback_running)" &&
		wait_until 120 is_state clean && mount -o noatime "$TOP" "$mount"
}

set_samples() { stale_samples "$@"; }

# The cache set first: its backing devices stop with it, and nothing is written back.
set_down()
{
	local set=/sys/class/block/${D1##*/}/bcache/set disk
	[[ ! -e $set ]] || echo 1 >"$set/stop"
	wait_until 20 test ! -e "$set"
	[[ ! -e $(backing stop) ]] || echo 1 >"$(backing stop)"
	wait_until 20 test ! -e "$(backing stop)"
	for disk in "$D0" "$D1"; do
		dd if=/dev/zero of="$disk" bs=4k count=4 conv=fsync status=none
	done
}
