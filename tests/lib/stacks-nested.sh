# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# stacks-nested.sh: deep stacks, some by hand and some at random, from bricks; see stacks.sh.
#
# A brick put_NAME takes one device (or two) and sets OUT to what it made of them; it pushes the
# command that takes it apart again. A random stack puts up to two bricks on each of the two disks,
# joins them, and puts two or three more on top: the same SEED gives the same stacks.
# To add a brick: put_NAME, and its name in ONE (takes one device) or JOIN (takes two).
#
# The surprises: no brick begins where its device does, or LVM would find its label twice; arrays are made with --assume-clean, as a resync of emulated memory takes minutes.

# Bricks whose layers are followed; those to come (add them when they are, and their fixed stacks below):
#	ONE: delay crypt-512 crypt-4096
#	JOIN: raid1 raid10-near raid10-far raid10-offset
ONE='partition linear segments loop thin lvm'
JOIN='striped-8 striped-128 raid0 lvm-striped join-linear'
OUT='' bricks=0 seed=${SEED:-1}
declare -a undo=() recipe=()

# To come: thin-crypt-raid1 striped-lv-raid0-raid10 crypt-striped delay-md lvm-raid1 cached-raid5 raid1-crypt lvm-delay
fixed_stacks='file-on-linear loop-thin striped-lv-raid0s thin-on-segments'
random_stacks=16

stack_names()
{
	local i
	if [[ ${NIGHTLY-} ]]; then
		# shellcheck disable=SC2086 # words
		printf '%s\n' $fixed_stacks
		for ((i = 1; i <= random_stacks; i++)); do echo "random-$i"; done
	elif [[ $(uname -r) == 6.1.* ]]; then
		printf '%s\n' file-on-linear loop-thin random-3
	else
		printf '%s\n' file-on-linear loop-thin striped-lv-raid0s thin-on-segments random-1 random-2
	fi
}

# ---- bricks ----

# made DEVICE UNDO…: a brick made this device.
made()
{
	OUT=$1
	shift
	undo+=("$*")
	bricks=$((bricks + 1))
	udevadm settle -t 20
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
		made "${disk}p1" "wipefs -aqf $disk; partx -d $disk" ;;
	*) put_linear "$disk" ;; # not every device has partitions
	esac
}

put_linear() { map "0 $(($(sectors_of "$1") - 4096)) linear $1 $((8 * bricks + 16))"; }

# Three pieces, in another order.
put_segments()
{
	local size
	size=$(($(sectors_of "$1") / 24 * 8))
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
	loop=$(losetup --show -f -o 1048576 "$1") && made "$loop" "losetup -d $loop"
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

# put NAME DEVICE…: with a note of it.
put()
{
	recipe+=("$1")
	"put_$1" "${@:2}" || { echo "${recipe[*]}: cannot be made" >&2; return 1; }
}

# ---- random stacks ----

# draw LIMIT: DRAWN is a number below it.
draw()
{
	state=$(((state * 1103515245 + 12345) & 0x7fffffff))
	DRAWN=$(((state >> 8) % $1))
}

# draw_brick WORD…: one that may still come: LVM, and a pool, once in a stack.
draw_brick()
{
	while draw $# && DRAWN=${*:DRAWN + 1:1} && [[ " $once " == *" ${DRAWN%%-*} "* ]]; do :; done
	case $DRAWN in
	lvm* | thin | loop) once+=" ${DRAWN%%-*}" ;;
	esac
}

pile()
{
	local count=$1
	while ((count-- > 0)); do
		# shellcheck disable=SC2086 # words
		draw_brick $ONE
		put "$DRAWN" "$OUT" || return
	done
}

up_random()
{
	local state=$((seed * 7919 + $1)) once='' a
	draw 3
	OUT=$D0 && pile "$DRAWN" && a=$OUT && draw 3 && OUT=$D1 && pile "$DRAWN" || return
	# shellcheck disable=SC2086 # words
	draw_brick $JOIN
	put "$DRAWN" "$a" "$OUT" && draw 2 && pile $((2 + DRAWN)) && TOP=$OUT
}
for ((number = 1; number <= random_stacks; number++)); do
	eval "up_random-$number() { up_random $number; }"
done

# ---- fixed stacks ----

up_thin-crypt-raid1()
{
	local a
	put partition "$D0" && a=$OUT && put partition "$D1" && put raid1 "$a" "$OUT" &&
		put crypt-512 "$OUT" && put thin "$OUT" && TOP=$OUT
}

up_striped-lv-raid0-raid10()
{
	local a
	make_halves || return
	put raid0 "${D0}p1" "${D1}p1" && a=$OUT && put raid10-near "${D0}p2" "${D1}p2" &&
		put lvm-striped "$a" "$OUT" && TOP=$OUT
}

make_halves()
{
	local disk
	for disk in "$D0" "$D1"; do
		partition "$disk" <<-'END' || return
		label: gpt
		start=2048, size=327680
		start=331776
		END
		undo+=("wipefs -aqf $disk; partx -d $disk")
	done
}

# An image on an XFS: the climb goes on through the file. Its volume has a snapshot.
up_file-on-linear()
{
	local lower loop
	put join-linear "$D0" "$D1" && lower=$OUT || return
	mkdir -p /mnt/nested
	quietly mkfs.xfs -q -f -K -m rmapbt=1,reflink=1 "$lower" && mount -o noatime "$lower" /mnt/nested || return
	undo+=("umount /mnt/nested")
	quietly fallocate -l 600M /mnt/nested/image && quietly dd if=/dev/zero of=/mnt/nested/image bs=1M \
		count=600 conv=notrunc oflag=direct && sync -f /mnt/nested || return
	loop=$(losetup --show -f --direct-io=on /mnt/nested/image) && made "$loop" "losetup -d $loop" || return
	recipe+=("file")
	put linear "$loop" && TOP=$OUT
}

up_crypt-striped() { put striped-8 "$D0" "$D1" && put crypt-4096 "$OUT" && TOP=$OUT; }

up_delay-md()
{
	local a
	put partition "$D0" && a=$OUT && put partition "$D1" && put raid10-far "$a" "$OUT" && put partition "$OUT" &&
		put segments "$OUT" && put delay "$OUT" && TOP=$OUT
}

up_lvm-raid1()
{
	local a
	put partition "$D0" && a=$OUT && put partition "$D1" && recipe+=(lvm-raid1) &&
		places=2 put_lvm_of "$stack_lv" "$a" "$OUT" --type raid1 --nosync -m 1 -l 80%VG && TOP=$OUT
}

up_cached-raid5()
{
	make_halves && recipe+=(raid5 cache) || return
	put_md 5 --assume-clean --chunk=32 -- "${D0}p1" "${D1}p1" "${D0}p2" &&
		places=2 put_lvm_of "$stack_lv" "$OUT" "${D1}p2" -l 76 "$OUT" || return
	quietly lvcreate -y -n fast -L 64m "$stack_vg" "${D1}p2" &&
		quietly lvconvert -y --type cache --cachevol fast --cachemode writethrough "$stack_vg/$stack_lv" &&
		TOP=/dev/$stack_vg/$stack_lv
}

# A leg of its own key each.
up_raid1-crypt()
{
	local a
	put crypt-4096 "$D0" && a=$OUT && put crypt-512 "$D1" && put raid1 "$a" "$OUT" && put lvm "$OUT" && TOP=$OUT
}

up_loop-thin()
{
	put striped-128 "$D0" "$D1" && put thin "$OUT" && put loop "$OUT" && put linear "$OUT" && TOP=$OUT
}

up_striped-lv-raid0s()
{
	local a
	make_halves || return
	put raid0 "${D0}p1" "${D1}p1" && a=$OUT && put raid0 "${D1}p2" "${D0}p2" &&
		put lvm-striped "$a" "$OUT" && TOP=$OUT
}

up_thin-on-segments() { put raid0 "$D0" "$D1" && put segments "$OUT" && put thin "$OUT" && TOP=$OUT; }

up_lvm-delay()
{
	put join-linear "$D0" "$D1" && put lvm "$OUT" && put segments "$OUT" && put delay "$OUT" &&
		put loop "$OUT" && TOP=$OUT
}

# In the reverse order of its making.
set_down()
{
	local i status=0
	for ((i = ${#undo[@]} - 1; i >= 0; i--)); do
		udevadm settle -t 20
		quietly bash -c "${undo[i]}" || status=1
	done
	undo=() recipe=() bricks=0
	return $status
}
