# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# protect.sh: what tests of pmemctl protect on loop devices share. To be sourced after loop.sh.
#
# The surprise: /var/lib/pmemctl is a memory filesystem of the test only.

# shellcheck disable=SC2154 # of loop.sh
mkdir -p /var/lib/pmemctl && mount -t tmpfs -o mode=0700 none /var/lib/pmemctl || exit
chmod 755 "$work"

# protect NAME STATUS ARGUMENT…: document, status, schema.
protect()
{
	local name=$1 status=$2
	shift 2
	document doc protect "$@"
	tap_is "$name: status" "$(status_of doc)" "$status"
	tap_ok "$name: schema" schema_ok doc
	[[ $(status_of doc) == "$status" ]] || tap_note "$(said '.messages[] | "\(.subject): \(.text)"')"
}
said() { jq -cr "$1" "$work/doc.json"; }
messages() { said '.messages[] | "\(.subject): \(.text)"'; }
id_of()
{
	"$pmemctl" --json protect list 2>/dev/null | jq -r --arg p "$1" '.protections[] | select(.path.path == $p).id'
}

# versions REPLICA: the directory of each object, and its newest version.
newest() { for o in "$1"/*/; do printf '%s %s\n' "${o%/}" "$(basename "$(ls "$o"*.manifest | tail -1)" .manifest)"; done; }

# copies_are_exact TREE REPLICA: each file of the tree has a copy, equal to it.
copies_are_exact()
{
	local object version name file n=0
	while read -r object version; do
		name=$(basename "$object")
		file=
		IFS= read -rd '' file < <(find "$1" -xdev -name .pmemctl -prune -o -inum $((16#${name%-*})) -type f -print0 -quit)
		# another file may have been given the number of one that is gone
		[[ $file && $(lsattr -v "$file" | awk 'NR == 1 { printf "%08x", $1 }') == "${name#*-}" ]] || continue
		cmp "$file" "$object/$version.data" || { echo "$file: $object/$version.data"; return 1; }
		n=$((n + 1))
	done < <(newest "$2")
	[[ $n == "$(find "$1" -xdev -name .pmemctl -prune -o -type f -printf '%i\n' | sort -u | wc -l)" ]] ||
		{ echo "only $n copies"; return 1; }
}

# replica_on TYPE SIZE: a new filesystem for replicas, mounted; its directory is REPLICA.
replica_on()
{
	new_loop "$2"
	REPLICA=$work/replica.$DISK
	mkdir "$REPLICA"
	case $1 in
	xfs) mkfs.xfs -q -f -m reflink=1 "$LOOP" ;;
	ext4) mkfs.ext4 -q -F "$LOOP" ;;
	esac && mount "$LOOP" "$REPLICA" && mkdir -m 755 "$REPLICA/copies" || exit
	REPLICA+=/copies
}
