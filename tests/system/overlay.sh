# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# overlay.sh: layers on an XFS on a loop device, files of which each has a word of its own, and overlay mounts of them.
# To be sourced after loop.sh.
#
# The surprise: the directories of a turn are $x on the filesystem, $m is where its overlay is mounted.

number=0
# put FILE: fill it with a word of its own, some KiB, with its directories.
put()
{
	number=$((number + 1))
	mkdir -p "${1%/*}"
	yes "word-$number-$RANDOM$RANDOM-of-a-file" | head -n 400 >"$1"
}

word_of() { head -n 1 "$1"; }

# sector_of FILE [COMMAND]: its first one on the disk.
sector_of() { xfs_io -r -c "${2-fiemap}" "$1" | sed -n 's/^\t0: \[0\.\..*\]: \([0-9]*\)\.\..*/\1/p'; }

# layers NAME…: directories of the filesystem, empty, and the mount points of this turn.
layers()
{
	local i
	turn=$work/turn$((${turn##*turn} + 1))
	x=$fs/${turn##*/}
	m=$turn/m
	mkdir -p "$m" "$x"
	for i; do mkdir -p "$x/$i"; done
}
turn=0

overlay() { mount -t overlay -o "$1" none "${2-$m}"; }

# scan_file NAME FILE: the document about its first sector, which must have its word.
scan_file()
{
	local sector
	sync
	sector=$(sector_of "$2")
	inode=$(stat -c %i "$2")
	[[ $(dd if="$LOOP" bs=512 skip="$sector" count=1 iflag=direct status=none | head -n 1) == "$(word_of "$2")" ]] ||
		{ echo "# $2 is not at sector $sector"; return 1; }
	document "$1" scan --range "$DISK:${sector}s+1s"
}

# of NAME FILTER: of the owner with the inode that was asked about.
of() { jq -cr "[.findings[].claims[].owner | select(.inode == $inode)][0] | $2" "$work/$1.json"; }
paths_of() { of "$1" '.paths | map(.raw // .path)[]' | sort; }

# showing WORD ROOT…: all files below the roots with that word, by reading them; the oracle.
showing()
{
	local word=$1
	shift
	find "$@" -xdev -type f -size +0 -exec grep -lF -e "$word" {} + | sort
}

# names_are DESCRIPTION FILE ROOT…: the names of the file are all that show it; it is the only one with its word.
names_are()
{
	local what=$1 file=$2
	shift 2
	scan_file doc "$file" || { tap_result 1 "$what"; return; }
	tap_is "$what" "$(paths_of doc)" "$(showing "$(word_of "$file")" "$x" "$@")"
	tap_is "$what: these are all" "$(of doc '[.paths_complete, .paths_reason]')" "[true,null]"
}

# not_all DESCRIPTION FILE PATTERN [PATH…]: those are found that are given, and that there may be more is said.
not_all()
{
	local what=$1 file=$2 pattern=$3
	shift 3
	scan_file doc "$file" || { tap_result 1 "$what"; return; }
	tap_is "$what: no wrong name" "$(paths_of doc)" "$(printf '%s\n' "$@" | sort)"
	tap_is "$what: it is said" "$(of doc .paths_complete) $(($(status_of doc) & 16))" "false 16"
	tap_like "$what: once more" "$(jq -r '.messages[].text' "$work/doc.json")" "cannot find all names of 1 of 1 inodes"
	tap_like "$what: why" "$(of doc .paths_reason)" "$pattern"
}

# in_space COMMAND: in a mount namespace of its own, where it stays; its process is HOLDER.
in_space()
{
	local ready=$work/ready.$RANDOM
	unshare -m --propagation private bash -c "$1"'
		echo ready >'"$ready"'
		exec sleep 1000' &
	HOLDER=$!
	holders+=("$HOLDER")
	wait_until 20 test -s "$ready"
}

# held_are DESCRIPTION FILE [PID OPEN MAPPED]…: those hold it; that nobody can tell of others is not said.
held_are()
{
	local what=$1 file=$2 expected=
	shift 2
	while (($#)); do
		expected+="[$1,$2,$3]"$'\n'
		shift 3
	done
	scan_file doc "$file" || { tap_result 1 "$what"; return; }
	tap_is "$what" "$(of doc '.holders[] | [.pid, .open, .mapped]')" "${expected%$'\n'}"
	tap_is "$what: nothing is doubtful" "$(jq -r '.messages[].text' "$work/doc.json" | grep -c overlay)" 0
}

# begin: the filesystem, at $fs.
begin()
{
	fs=$work/fs
	new_loop 400M
	make_xfs "$LOOP"
	mkdir "$fs" && mount "$LOOP" "$fs"
	if ! grep -qw overlay /proc/filesystems && ! modprobe -q overlay; then
		tap_skip_all "no overlayfs"
	fi
}
