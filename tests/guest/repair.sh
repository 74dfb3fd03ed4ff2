# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# repair.sh: what jobs in the guest need that make blocks of files bad and have them repaired. To be sourced after pmem.sh.
#
# Files are below /data/d, and what is right is below /ref: NAME is right for NAME and all NAME.x there. The caller sets
# disk (the pmem disk), what (how results are called), out. The surprise: where the bus is not the NVDIMMs' own, nobody
# tells the kernel of errors but the list of bad blocks itself.

document() { "$PMEMCTL" --json "${@:2}" >"$out/$1.json" 2>"$out/$1.stderr"; }
query() { jq -rc "$2" "$out/$1.json"; }

# outcomes [NAME…]: of all steps, or of those for these files.
outcomes()
{
	jq -r '[.plan[] | select($ARGS.positional == [] or ([.targets[].paths[].path] - [$ARGS.positional[] | "/data/d/" + .]) !=
		[.targets[].paths[].path]) | .outcome] | unique | join(" ")' "$out/repair.json" --args "$@"
}

right() { local i; for i in "/data/d/$1"{,.*}; do [[ ! -e $i ]] || cmp "$i" "/ref/$1" || return; done; }

# cannot_read NAME BLOCK
cannot_read() { ! dd if="/data/d/$1" of=/dev/null bs=4096 skip="$2" count=1 status=none 2>/dev/null; }

# byte_of NAME BLOCK: where it is on the pmem disk.
byte_of()
{
	"$PMEMCTL" --json where "/data/d/$1:$(($2 * 4096))+1" | jq --arg d "$disk" \
		'[.pieces[0].via[] | select(.device == $d)][0].start'
}

# spoil NAME BLOCK: this block of the file cannot be read any more.
spoil()
{
	spoil_byte "$(byte_of "$1" "$2")" && cannot_read "$1" "$2"
}

# spoil_byte BYTE: of the pmem disk.
spoil_byte()
{
	if [[ -d /sys/bus/nd/devices/ndbus0/nfit ]]; then
		inject_disk "$disk" "$1" || return
	elif [[ -d /sys/kernel/debug/clearbus ]]; then
		physical "$disk" "$1" >/sys/kernel/debug/clearbus/inject || return
		wait_until 10 has_badblock "/sys/block/$disk/badblocks" $(($1 / 512)) || return
	else
		echo "$(($1 / 512)) 8" >"/sys/block/$disk/badblocks" || return
	fi
	echo 3 >/proc/sys/vm/drop_caches
}

# hold read|write|sync NAME BLOCK: a program that has the file mapped, in the last case with MAP_SYNC; asked for it (seen),
# it tells what it sees in this block.
hold()
{
	rm -f /run/go /run/seen /run/held
	python3 - "$@" <<-'END' >/dev/null 2>&1 &
		import mmap, os, sys, time
		mode, name, block = sys.argv[1], "/data/d/" + sys.argv[2], int(sys.argv[3]) * 4096
		fd = os.open(name, os.O_RDONLY if mode == "read" else os.O_RDWR)
		prot = mmap.PROT_READ if mode == "read" else mmap.PROT_READ | mmap.PROT_WRITE
		view = mmap.mmap(fd, 0, flags=0x80003 if mode == "sync" else mmap.MAP_SHARED, prot=prot)
		end = min(block + 4096, len(view))
		other = 0 if block else 4096
		first = view[other:other + 8]
		if mode != "read":
		    view[other:other + 8] = first # its own page is writable
		open("/run/held", "w").close()
		while not os.path.exists("/run/go"):
		    time.sleep(0.05)
		with open("/run/seen.new", "wb") as seen:
		    seen.write(view[block:end])
		os.rename("/run/seen.new", "/run/seen")
	END
	holder=$!
	tap_ok "$what: held" wait_until 20 test -e /run/held
}

# seen NAME BLOCK: the mapping that is older than the repair has the right bytes.
seen()
{
	touch /run/go
	wait_until 20 test -e /run/seen || return
	cmp -n "$(stat -c %s /run/seen)" -i "0:$(($2 * 4096))" /run/seen "/ref/$1"
}
