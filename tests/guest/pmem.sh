# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# pmem.sh: what jobs in the guest need: namespaces, bad blocks, and the way from a file down to a physical address.
#
# To be sourced. Only for the guest: it destroys namespaces and injects memory errors.
# The surprise: which of the regions becomes pmem0 differs from boot to boot, so everything goes by name or device number.

. "${BASH_SOURCE[0]%/*}/../tap.sh" # wait_until

# make_fsdax: one fsdax namespace on each region, with its memory map in RAM.
make_fsdax()
{
	local namespace
	for namespace in /sys/bus/nd/devices/namespace*; do
		[[ $(<"$namespace/size") != 0 ]] || continue
		ndctl create-namespace -f -e "${namespace##*/}" -m fsdax -M mem >/dev/null || return
	done
	udevadm settle -t 180
}

# pmem_disks: the names of all pmem disks.
pmem_disks()
{
	local disk
	for disk in /sys/block/pmem*; do
		[[ ! -e $disk ]] || echo "${disk##*/}"
	done
}

# physical DISK BYTE: the physical address of this byte of a pmem disk. Data of an fsdax namespace starts where the
# driver's device (pfn) says, not where the namespace does.
physical()
{
	printf '0x%x\n' $(($(<"/sys/block/$1/device/resource") + $2))
}

# region_of DISK: the region's folder in sysfs.
region_of()
{
	realpath "/sys/block/$1/device/.."
}

# inject ADDRESS [ORDER]: tell the kernel about bad memory, 2^ORDER bytes (12), as a corrected-by-nobody machine check
# would. Goes through the NFIT notifier: bad blocks of disk and region, and their pollers wake up. Kills nobody.
# All fields have to be written each time; "bank" does it.
inject()
{
	local mce=/sys/kernel/debug/mce-inject
	[[ -d $mce ]] || modprobe mce-inject || return
	echo sw >$mce/flags
	echo 0xbc0000000000009f >$mce/status
	printf '0x%x' $((0x80 | ${2:-12})) >$mce/misc
	echo "$1" >$mce/addr
	echo 1 >$mce/bank
}

# has_badblock FILE SECTOR: whether this sector is in a badblocks file.
has_badblock()
{
	awk -v s="$2" '$1 <= s && s < $1 + $2 { found = 1 } END { exit !found }' "$1"
}

# inject_disk DISK BYTE [ORDER]: the same by place on a disk; waits until the kernel shows it.
inject_disk()
{
	inject "$(physical "$1" "$2")" "${3-}" || return
	wait_until 10 has_badblock "/sys/block/$1/badblocks" $(($2 / 512))
}

# file_byte FILE BYTE: the byte of its filesystem's device on which this byte of a file is.
file_byte()
{
	# "0: [16..23]: 208..215 8 0x1", all in sectors
	xfs_io -r -c "fiemap -v $2 512" "$1" | tr '[]:.' '    ' | awk -v at="$2" '
		$1 == 0 && $4 ~ /^[0-9]+$/ { print ($4 + int(at / 512) - $2) * 512 + at % 512; exit }'
}

# free_byte MOUNT_POINT: a byte on the device of an XFS: the middle of its last free extent of 1 MiB or more.
free_byte()
{
	# "8: 254:0 [4288..1044479]: free space 1040192", in sectors
	xfs_io -c 'fsmap -n 10000' "$1" | tr '[]:.' '    ' | awk '
		/free space/ && $5 - $4 >= 2048 { at = int(($4 + $5) / 16) * 8 * 512 }
		END { print at }'
}

# lower DM_NAME BYTE: "DISK BYTE" below a linear device-mapper device.
lower()
{
	local start length device offset
	while read -r start length _ device offset; do
		(($2 / 512 >= start && $2 / 512 < start + length)) || continue
		echo "$(basename "$(realpath "/sys/dev/block/$device")") $(($2 - start * 512 + offset * 512))"
	done < <(dmsetup table "$1")
}
