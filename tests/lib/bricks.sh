# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# bricks.sh: layers to make nested stacks of; to be sourced by a set of stacks, see stacks.sh.
#
# A brick put_NAME takes one device (or two) and sets OUT to what it made of them; it pushes the
# command that takes it apart again. To add one: put_NAME, and its name in ONE (takes one device) or
# JOIN (takes two).
#
# The surprises: no brick begins where its device does, or LVM would find its label twice; arrays
# are made with --assume-clean, as a resync of emulated memory takes minutes, so members with parity
# are zeroed instead; and loop devices read past the page cache, which would fail whole folios.

# shellcheck disable=SC2034,SC2154,SC2017 # for sets and stack-nested.test; stacks.sh; whole chunks
ONE='partition linear segments loop thin lvm delay crypt-512 crypt-4096 snapshot writecache'
JOIN='striped-8 striped-128 raid0 lvm-striped join-linear raid1 raid10-near raid10-far raid10-offset
	raid5 raid6 mirror'
OUT='' bricks=0
# Bad sectors on the first disk only: a leg that failed once is not read any more.
one_disk=''
# The same sector of both disks is in the same row of a stripe: some rows lose two.
same_rows=''
# md computes pages from parity: a bad sector takes the whole page of its member with it.
whole_pages=''
declare -a undo=() recipe=()

# made DEVICE UNDO…: a brick made this device.
made()
{
	OUT=$1
	shift
	undo+=("$*")
	bricks=$((bricks + 1))
	wait_until 20 test -b "$OUT"
}

# map TABLE: a device-mapper device.
map()
{
	quietly dmsetup create "n$bricks" --table "$1" || return
	made "/dev/mapper/n$bricks" "dmsetup remove --retry n$bricks"
}

put_partition()
{
	local disk=$1
	case $disk in
	*/pmem?)
		partition "$disk" <<<"label: gpt
		start=$((2048 + 8 * bricks))" || return
		made "${disk}p1" "wipefs -aqf $disk; partx -d $disk || true" ;;
	*) put_linear "$disk" ;; # not every device has partitions
	esac
}

put_linear() { map "0 $(($(sectors_of "$1") - 4096)) linear $1 $((8 * bricks + 16))"; }

# Three pieces, in another order.
put_segments()
{
	local size
	size=$(sectors_of "$1")
	size=$((size / 24 * 8))
	map "0 $size linear $1 $size
$size 1000 linear $1 $((2 * size))
$((size + 1000)) $((size - 1000)) linear $1 $((2 * size + 1000))
$((2 * size)) $size linear $1 0"
}

put_delay() { map "0 $(($(sectors_of "$1") - 256)) delay $1 256 0"; }

put_crypt()
{
	local key=c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00
	map "0 $((($(sectors_of "$1") - 4096) / 8 * 8)) crypt aes-xts-plain64 $key 0 $1 4096 $2"
}
put_crypt-512() { put_crypt "$1" 0; }
put_crypt-4096() { put_crypt "$1" "1 sector_size:4096"; }

put_loop()
{
	local loop
	loop=$(losetup --show -f -o 1048576 --direct-io=on --sector-size "$(blockdev --getss "$1")" "$1") &&
		made "$loop" "losetup -d $loop"
}

# A pool on the first part for metadata and on the rest for data; blocks are given in any order.
put_thin()
{
	local size meta data pool id=$bricks
	size=$(sectors_of "$1")
	map "0 8192 linear $1 0" && meta=$OUT && map "0 $(((size - 8192) / 128 * 128)) linear $1 8192" &&
		data=$OUT || return
	quietly dd if=/dev/zero of="$meta" bs=4096 count=1 oflag=direct
	map "0 $(sectors_of "$data") thin-pool $meta $data 128 0 1 skip_block_zeroing" && pool=$OUT &&
		quietly dmsetup message "$pool" 0 "create_thin $id" || return
	map "0 $(((size - 40960) / 128 * 128)) thin $pool $id"
}

# A snapshot of what was there, which has a store of its own, and its origin, which goes on changing.
put_snapshot()
{
	local size origin real store
	size=$(sectors_of "$1")
	size=$((size / 64 * 8))
	map "0 $((5 * size)) linear $1 $((8 * bricks + 16))" && real=$OUT && quietly wipefs -aqf "$real" &&
		map "0 $((3 * size - 4096)) linear $1 $((5 * size + 4096))" && store=$OUT &&
		quietly dd if=/dev/zero of="$store" bs=64K count=1 oflag=direct &&
		map "0 $((5 * size)) snapshot-origin $real" && origin=$OUT &&
		map "0 $((5 * size)) snapshot $real $store P 16" && quietly dd if=/dev/urandom of="$origin" \
		bs=1M count=4 seek=40 oflag=direct
}

# What was written last is in the first part only, and not written back.
put_writecache()
{
	local cache
	map "0 81920 linear $1 16" && cache=$OUT && quietly dd if=/dev/zero of="$cache" bs=4096 count=1 \
		oflag=direct && map "0 $(($(sectors_of "$1") - 90112)) linear $1 86016" &&
		map "0 $(sectors_of "$OUT") writecache s $OUT $cache 4096 4 high_watermark 95 low_watermark 90"
}

put_lvm_of()
{
	local lv=$1
	shift
	quietly pvcreate -ffy "${@:1:$places}" && quietly vgcreate -s 4m "$stack_vg" "${@:1:$places}" &&
		quietly lvcreate -y -Wn -Zn -n "$stack_lv" "$stack_vg" "${@:places + 1}" &&
		made "/dev/$stack_vg/$lv" "vgremove -ffy $stack_vg"
}
put_lvm() { places=1 put_lvm_of "$stack_lv" "$1" -l 95%VG; }
put_lvm-striped() { places=2 put_lvm_of "$stack_lv" "$1" "$2" -i 2 -I 64k -l 95%VG; }

smaller()
{
	local a b
	a=$(sectors_of "$1") b=$(sectors_of "$2")
	echo $((a < b ? a : b))
}

put_join-linear()
{
	local a b
	a=$(sectors_of "$1") b=$(sectors_of "$2")
	map "0 $((b - 2048)) linear $2 2048
$((b - 2048)) $((a - 8)) linear $1 8"
}

put_striped()
{
	local size
	size=$((($(smaller "$1" "$2") - 2048) / $3 * $3))
	map "0 $((size * 2)) striped 2 $3 $2 2048 $1 2048"
}
put_striped-8() { put_striped "$1" "$2" 8; }
put_striped-128() { put_striped "$1" "$2" 128; }

# put_md LEVEL OPTION… -- DEVICE…
put_md()
{
	local name=/dev/md/n$bricks level=$1 node
	local -a options=()
	shift
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	quietly mdadm --create "$name" --run --level="$level" -n $# "${options[@]}" "$@" || return
	wait_until 20 test -b "$name" || return
	node=$(realpath "$name")
	# a leg that could not be read is not thrown out
	[[ ! -e /sys/block/${node##*/}/md/max_read_errors ]] ||
		echo 1000000 >"/sys/block/${node##*/}/md/max_read_errors"
	made "$name" "mdadm --stop $name; mdadm --zero-superblock $*"
}
put_raid0() { put_md 0 --chunk=64 -- "$1" "$2"; }
put_raid1() { put_md 1 --assume-clean --bitmap=internal -- "$1" "$2"; }
put_raid10() { put_md 10 --assume-clean --chunk=64 "--layout=$3" -- "$1" "$2"; }
put_raid10-near() { put_raid10 "$1" "$2" n2; }
put_raid10-far() { put_raid10 "$1" "$2" f2; }
put_raid10-offset() { put_raid10 "$1" "$2" o2; }

# halves DEVICE: two devices, in half.
halves()
{
	local size
	size=$(sectors_of "$1")
	size=$(((size - 8192) / 16 * 8))
	map "0 $size linear $1 2048" && half=("$OUT") && map "0 $size linear $1 $((2048 + size))" && half+=("$OUT")
}

put_zeroed()
{
	local device
	for device in "${@:3}"; do
		quietly dd if=/dev/zero of="$device" bs=1M oflag=direct count=$(($(sectors_of "$3") / 2048)) || return
	done
	whole_pages=yes
	put_md "$1" --assume-clean --chunk="$2" -- "${@:3}"
}

put_raid5()
{
	local -a half
	halves "$1" && put_zeroed 5 32 "${half[0]}" "$2" "${half[1]}"
}

put_raid6()
{
	local -a half a
	halves "$1" && a=("${half[@]}") && halves "$2" && put_zeroed 6 16 "${a[0]}" "${half[1]}" "${half[0]}" "${a[1]}"
}

put_mirror()
{
	one_disk=yes
	map "0 $(($(smaller "$1" "$2") - 4096)) mirror core 2 1024 nosync 2 $1 2048 $2 1024"
}

# put NAME DEVICE…: with a note of it.
put()
{
	recipe+=("$1")
	"put_$1" "${@:2}" || { echo "${recipe[*]}: cannot be made" >&2; return 1; }
}

