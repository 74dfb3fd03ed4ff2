# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# stacks-cache.sh: dm-cache, by itself and by LVM, with blocks that are dirty, clean, and both; see stacks.sh.
#
# The cache is on the second disk, the origin on the first one. Blocks that are written whole go to
# the cache at once; with a migration threshold of 0 nothing is moved besides these. The surprise:
# only a cache in writeback mode takes blocks that quickly, so the clean ones were dirty before.

# shellcheck disable=SC2034 # for stack.test
set_noise=yes set_complete=yes
injected=' ' inspected=' '

# STACKS can also choose lvm-cachevol and lvm-cachepool.
stack_names()
{
	printf '%s\n' cache-writeback cache-writethrough cache-passthrough cache-mixed
}

# What is in the cache: "DISK dirty|clean|mixed".
stack_cache()
{
	case $1 in
	cache-writeback | lvm-cachepool) echo "pmem1 dirty" ;;
	cache-mixed) echo "pmem1 mixed" ;;
	*) echo "pmem1 clean" ;;
	esac
}

stack_distance() { echo 0; }

stack_areas() { [[ $1 == lvm-* ]] || echo "pmem1 2048 8192 volume-metadata metadata of cache"; }

# cache_table FEATURE…: of /dev/mapper/cache.
cache_table()
{
	echo "0 655360 cache /dev/mapper/cache-meta /dev/mapper/cache-data $D0 64 $# $* smq 2 migration_threshold 0"
}

# make_cache FEATURE…
make_cache()
{
	stack_map cache-meta <<<"0 8192 linear $D1 2048" &&
		stack_map cache-data <<<"0 700000 linear $D1 40960" &&
		dd if=/dev/zero of=/dev/mapper/cache-meta bs=4k count=1 conv=fsync status=none &&
		stack_map cache <<<"$(cache_table "$@")"
}

# set_mode FEATURE…: another mode, with the same blocks, all of them clean.
set_mode()
{
	umount "$mount" && flush_cache cache && dmsetup remove --retry cache &&
		stack_map cache <<<"$(cache_table "$@")" && mount -o noatime "$TOP" "$mount" &&
		is_clean cache
}

# rewrite [COUNT]: writes what is there once more, all or COUNT times 64 KiB: that is dirty, then.
rewrite()
{
	umount "$mount" && dd if="$TOP" of="$TOP" bs=64k ${1:+count=$1} iflag=direct oflag=direct \
		conv=notrunc status=none && mount -o noatime "$TOP" "$mount"
}

up_cache-writeback() { make_cache metadata2 writeback; }
up_cache-writethrough() { make_cache writeback; }
up_cache-passthrough() { make_cache metadata2 writeback; }
up_cache-mixed() { make_cache metadata2 writeback; }

# dirty_blocks DM_NAME
dirty_blocks() { dmsetup status --noflush "$1" | awk '{ print $14 }'; }
is_clean() { [[ $(dirty_blocks "$1") == 0 ]]; }

lvm_name() { echo "${stack_vg//-/--}-${stack_lv//-/--}"; }

make_cached_lv()
{
	make_vg "$D0" "$D1" && make_lv -L 320m "$D0" &&
		quietly lvcreate -y -Wn -Zn -n lv-fast -L 320m "$stack_vg" "$D1"
}

# A volume that can do DAX, as on these disks, is only converted while it is not active.
up_lvm-cachevol()
{
	make_cached_lv && quietly lvchange -an "$stack_vg/$stack_lv" &&
		quietly lvconvert -y --type cache --cachevol lv-fast --chunksize 32k \
			--cachemode writeback "$stack_vg/$stack_lv" &&
		quietly lvchange -ay "$stack_vg/$stack_lv" &&
		dmsetup message "$(lvm_name)" 0 migration_threshold 0
}

up_lvm-cachepool()
{
	make_cached_lv && quietly lvchange -an "$stack_vg/$stack_lv" &&
		quietly lvconvert -y --type cache-pool --chunksize 32k \
		--poolmetadataspare n --cachemetadataformat 1 "$stack_vg/lv-fast" &&
		quietly lvconvert -y --type cache --cachepool lv-fast --cachemode writeback \
			"$stack_vg/$stack_lv" && quietly lvchange -ay "$stack_vg/$stack_lv" &&
		dmsetup message "$(lvm_name)" 0 migration_threshold 0
}

# flush DM_NAME: an idle policy writes back what is dirty.
flush_cache()
{
	dmsetup message "$1" 0 migration_threshold 204800 && wait_until 60 is_clean "$1" &&
		dmsetup message "$1" 0 migration_threshold 0
}

# After the data was written.
set_filled()
{
	sync
	case $1 in
	cache-writethrough) set_mode writethrough ;;
	cache-passthrough) set_mode metadata2 passthrough ;;
	cache-mixed) flush_cache cache && rewrite 400 ;;
	lvm-cachevol)
		quietly lvchange -y --cachemode writethrough "$stack_vg/$stack_lv" &&
			flush_cache "$(lvm_name)"
		;;
	esac
}

# Reading takes clean blocks into the cache, which is as large as the origin: all is made dirty. Twice,
# because a block that is about to be taken in is written to the origin.
set_quiet()
{
	[[ $(stack_cache "$1") != *" dirty" ]] || { rewrite && rewrite; }
}

set_samples() { stale_samples "$@"; }

set_down()
{
	local name
	for name in cache cache-data cache-meta; do
		[[ ! -b /dev/mapper/$name ]] || quietly dmsetup remove --retry "$name"
	done
}
