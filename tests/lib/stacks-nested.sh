# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# stacks-nested.sh: deep stacks, some by hand and some at random, from bricks; see stacks.sh and
# bricks.sh.
#
# A random stack puts up to two bricks on each of the two disks, joins them, and puts two or three
# more on top: the same SEED gives the same stacks.

. "${BASH_SOURCE[0]%/*}/bricks.sh"

seed=${SEED:-1}
# To come: cached-raid5 (a bad clean copy in the cache fails, although the origin has it: dm-cache never
# asks it; the judge must expect that of cache-copy claims).
fixed_stacks='thin-crypt-raid1 striped-lv-raid0-raid10 snapshot-in-file file-on-linear loop-thin
	striped-lv-raid0s thin-on-segments crypt-striped delay-md lvm-raid1 raid6-crypt
	raid1-crypt lvm-delay unstriped-mirror integrity-part'
random_stacks=16

stack_names()
{
	local i
	if [[ ${NIGHTLY-} ]]; then
		# shellcheck disable=SC2086 # words
		printf '%s\n' $fixed_stacks
		for ((i = 1; i <= random_stacks; i++)); do echo "random-$i"; done
	else
		printf '%s\n' thin-crypt-raid1 striped-lv-raid0-raid10 snapshot-in-file
	fi
}

# ---- random stacks ----

# draw LIMIT: DRAWN is a number below it.
draw()
{
	state=$(((state * 1103515245 + 12345) & 0x7fffffff))
	DRAWN=$(((state >> 8) % $1))
}

# draw_brick WORD…: one that may still come; some come once in a stack.
draw_brick()
{
	while draw $# && DRAWN=${*:DRAWN + 1:1} && [[ " $once " == *" ${DRAWN%%-*} "* ]]; do :; done
	case $DRAWN in
	lvm* | thin | loop | snapshot | writecache) once+=" ${DRAWN%%-*}" ;;
	mirror) once+=" lvm" ;; # LVM does not look at mirrors (ignore_lvm_mirrors)
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
		start=2048, size=360448
		start=362496
		END
		undo+=("wipefs -aqf $disk; partx -d $disk || true")
	done
}

# An image on an XFS: the climb goes on through the file.
make_image()
{
	local lower loop
	put join-linear "$D0" "$D1" && lower=$OUT || return
	mkdir -p /mnt/nested
	quietly mkfs.xfs -q -f -K -m rmapbt=1,reflink=1 "$lower" && mount -o noatime "$lower" /mnt/nested || return
	undo+=("umount /mnt/nested")
	quietly fallocate -l 400M /mnt/nested/image && quietly dd if=/dev/zero of=/mnt/nested/image bs=1M \
		count=400 conv=notrunc oflag=direct && sync -f /mnt/nested || return
	loop=$(losetup --show -f --direct-io=on /mnt/nested/image) && made "$loop" "losetup -d $loop" || return
	recipe+=(file loop)
}

up_file-on-linear() { make_image && put linear "$OUT" && TOP=$OUT; }

# What is written after the snapshot was made is in its store.
up_snapshot-in-file()
{
	make_image && recipe+=(lvm snapshot) && places=1 put_lvm_of "$stack_lv" "$OUT" -l 45%VG &&
		quietly lvcreate -y -s -c 16k -l 45%VG -n lv-snap "$stack_vg/$stack_lv" &&
		TOP=/dev/$stack_vg/lv-snap && wait_until 20 test -b "$TOP"
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
	one_disk=yes
	put partition "$D0" && a=$OUT && put partition "$D1" && recipe+=(lvm-raid1) &&
		places=2 put_lvm_of "$stack_lv" "$a" "$OUT" --type raid1 --nosync -m 1 -l 80%VG && TOP=$OUT
}

up_cached-raid5()
{
	same_rows=yes
	make_halves && recipe+=(raid5 cache) || return
	put_zeroed 5 32 "${D0}p1" "${D1}p1" "${D0}p2" &&
		places=2 put_lvm_of "$stack_lv" "$OUT" "${D1}p2" -l 70 "$OUT" || return
	quietly lvcreate -y -n fast -L 64m "$stack_vg" "${D1}p2" &&
		quietly lvconvert -y --type cache --cachevol fast --cachemode writethrough "$stack_vg/$stack_lv" &&
		TOP=/dev/$stack_vg/$stack_lv
}

up_raid6-crypt()
{
	same_rows=yes
	make_halves && recipe+=(raid6) && put_zeroed 6 64 "${D0}p1" "${D1}p1" "${D0}p2" "${D1}p2" &&
		put crypt-512 "$OUT" && put linear "$OUT" && TOP=$OUT
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

up_unstriped-mirror()
{
	local a
	put partition "$D0" && a=$OUT && put partition "$D1" && put mirror "$a" "$OUT" && put linear "$OUT" || return
	recipe+=(unstriped)
	map "0 $(($(sectors_of "$OUT") / 512 * 256)) unstriped 2 128 1 $OUT 0" && TOP=$OUT
}

# Only the first 32 MiB have tags, and those have been written; a striped device below.
up_integrity-part()
{
	local rest size table
	put striped-128 "$D0" "$D1" && rest=$OUT && map "0 81920 linear $OUT 2048" || return
	recipe+=(integrity segments)
	quietly integritysetup format -q --no-wipe --sector-size 512 --tag-size 4 --integrity crc32c "$OUT" &&
		quietly integritysetup open --integrity crc32c --integrity-no-journal "$OUT" "n$bricks" || return
	made "/dev/mapper/n$bricks" "integritysetup close n$bricks"
	size=65536 table="$OUT 0"
	quietly dd if=/dev/zero of="$OUT" bs=1M count=32 oflag=direct || return
	map "0 $size linear $table
$size 500000 linear $rest 100000" && TOP=$OUT
}

# In the reverse order of its making. What udev is looking at is busy for a moment.
set_down()
{
	local i status=0
	for ((i = ${#undo[@]} - 1; i >= 0; i--)); do
		eval "${undo[i]}" >/dev/null 2>&1 || {
			udevadm settle -t 20
			quietly eval "${undo[i]}" || status=1
		}
	done
	undo=() recipe=() bricks=0 one_disk='' same_rows='' whole_pages=''
	return $status
}
