# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# stacks-keyed.sh: single device-mapper targets for stack-keyed.test; see stacks.sh.
#
#	up_NAME		as in all sets; TOP takes the filesystem
#	seal		then makes of it what is looked at: TOP is /dev/mapper/keyed
#	save_table, reopen	make that device anew, so that it remembers nothing
#	areas DISK DISK	"ROLE DISK SECTOR LENGTH [OWNER [DETAIL…]]": places to make bad; an OWNER is what
#			the claim on such a place must say
#	rounds		"NAME MODE ROLE:COUNT…", see run_round
#	least ROUND	so many sectors must fail in it at least
#
# The surprise: integrity keeps data as it is, so that the raw sectors tell which of them are tags:
# what is neither data nor on top, behind the journal.

# shellcheck disable=SC2034,SC2154 # variables of stack-keyed.test

below_start=2048 below=114688 # sectors of most devices under test
journal=0 read_only=

stack_names()
{
	[[ ${NIGHTLY-} ]] || { printf '%s\n' crypt-4096 integrity-direct verity; return; }
	printf '%s\n' crypt-512 crypt-4096 crypt-large-iv
	printf 'integrity-%s\n' direct journal bitmap meta 4096 legacy buffers recovery
	printf '%s\n' verity verity-512 verity-one era log-writes mirror-log lines
	has_target dust && echo dust
	has_target ebs && echo ebs
}

has_target() { dmsetup targets | grep -q "^$1 "; }
has_baseline() { [[ $1 == lines || $1 == dust ]]; }

# make_below: what is under test gets a part of the first disk.
make_below()
{
	quietly dmsetup create below --table "0 $below linear $D0 $below_start" && TOP=/dev/mapper/below
}

# ---- crypt ----

crypt()
{
	local key=c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00
	stack_map keyed <<<"0 100000 crypt aes-xts-plain64 $key $1 $D0 $2 ${3-}"
}
up_crypt-512() { crypt 0 4099; }
up_crypt-4096() { crypt 16 4104 "1 sector_size:4096"; }
up_crypt-large-iv() { crypt 8 4096 "2 sector_size:4096 iv_large_sectors"; }

# ---- integrity ----

# integrity [option of format…] -- [option of open…]
integrity()
{
	local -a format=(--tag-size 4)
	make_below || return
	while [[ $1 != -- ]]; do
		format+=("$1")
		shift
	done
	quietly integritysetup format -q "${format[@]}" ${meta:+--data-device "$TOP"} "${meta:-$TOP}" &&
		quietly integritysetup open "${@:2}" ${meta:+--data-device "$TOP"} "${meta:-$TOP}" keyed &&
		TOP=/dev/mapper/keyed
}

meta=
up_integrity-direct() { integrity --journal-size 2000000 -- -D --buffer-sectors 1; }
up_integrity-journal() { integrity --journal-size 3000000 --interleave-sectors 1024 -- --buffer-sectors 8 && touch "$out/doubt"; }
up_integrity-bitmap() { integrity --interleave-sectors 4096 -- -B --buffer-sectors 2; }
up_integrity-4096() { integrity --sector-size 4096 -- -D --buffer-sectors 1; }
up_integrity-legacy() { integrity --integrity-legacy-padding --interleave-sectors 8192 -- -D --buffer-sectors 1; }
up_integrity-buffers() { integrity -- -D; }
up_integrity-recovery() { integrity -- -D --buffer-sectors 1; }
up_integrity-meta() { local meta=$D1; integrity --interleave-sectors 1024 -- -D --buffer-sectors 1; }

# In recovery mode tags are neither read nor written: what is to be read comes first.
seal_integrity-recovery()
{
	quietly dmsetup remove --retry keyed && quietly integritysetup open -R /dev/mapper/below keyed
}

# The roles of a disk with tags, at START and LENGTH sectors of it.
tag_areas()
{
	local disk=$1 start=$2 length=$3 name=${1##*/}
	journal=$(dmsetup table keyed | grep -o 'journal_sectors:[0-9]*')
	journal=${journal#*:}
	echo "superblock $name $start 8 volume-metadata integrity superblock of keyed$"
	echo "journal $name $((start + 8)) $journal volume-metadata integrity (journal|bitmap)( .not written in this mode.)? of keyed: read at its next activation, after which"
	"$tools/selfdata" decode "$disk" "$start" "$length" | grep -av ' zero$' | awk -v top="$out/top" -v name="$name" \
		-v from=$((start + 8 + journal)) '
		BEGIN { while ((getline line <top) > 0) { split(line, w); on_top[w[3]] = 1 } }
		$1 >= from && !($2 == "other" && $3 in on_top) {
			print $2 == "other" ? "tag" : "data", name, $1, 1 }'
}

integrity_areas()
{
	"$tools/selfdata" decode "$TOP" -a | grep -a other >"$out/top"
	if [[ $stack == *-meta ]]; then
		echo "any ${1##*/} 0 $(sectors_of "$1")"
		tag_areas "$2" 0 16384
		"$tools/selfdata" decode "$1" $below_start $below | awk -v name="${1##*/}" \
			'$2 != "zero" && $2 != "other" { print "data", name, $1, 1 }'
	else
		tag_areas "$1" $below_start $below
		# without its superblock and its journal it does not come back at all
		echo "any ${1##*/} $((below_start + 8 + journal)) $(($(sectors_of "$1") - below_start - 8 - journal))"
	fi
}

# ---- verity: the filesystem first, then the hashes ----

hash_device='' data_size=50331648
up_verity() { verity_data; }
up_verity-512() { verity_data; }
up_verity-one() { verity_data; }
verity_data() { fs_size=$data_size && make_below; }

seal_verity() { verity 4096 4096; }
seal_verity-512() { verity 512 512; }
seal_verity-one() { verity 4096 1024 --data-blocks $((data_size / 4096)) --hash-offset $data_size; }

# verity DATA_BLOCK HASH_BLOCK [option…]
verity()
{
	local root data_block=$1 hash_block=$2
	shift 2
	hash_device=$D1
	[[ $# == 0 ]] || hash_device=/dev/mapper/below
	[[ $# != 0 ]] || set -- --data-blocks $((data_size / data_block))
	root=$(veritysetup format --data-block-size "$data_block" --hash-block-size "$hash_block" "$@" \
		/dev/mapper/below "$hash_device" | awk '/^Root hash/ { print $3 }') && [[ $root ]] || return
	quietly veritysetup open ${4:+--hash-offset "$4"} /dev/mapper/below keyed "$hash_device" "$root" || return
	TOP=/dev/mapper/keyed
	echo "$data_block $hash_block ${4:-0}" >"$out/verity"
}

# The tree lies behind the superblock, top level first.
verity_areas()
{
	local data_block hash_block offset count start disk=${2##*/} base=0 level
	local -a counts=()
	read -r data_block hash_block offset <"$out/verity"
	((offset == 0)) || { disk=${1##*/} base=$((below_start + offset / 512)); }
	for ((count = data_size / data_block; count > 1;)); do
		count=$(((count + hash_block / 32 - 1) / (hash_block / 32)))
		counts+=("$count")
	done
	echo "magic $disk $base 1 unknown" # without it nobody knows whether a superblock is there
	((hash_block == 512)) ||
		echo "superblock $disk $((base + 1)) $((hash_block / 512 - 1)) volume-metadata verity superblock of keyed$"
	start=$((base + hash_block / 512))
	for ((level = ${#counts[@]} - 1; level >= 0; level--)); do
		echo "hash$level $disk $start $((counts[level] * hash_block / 512)) volume-metadata verity hashes .level $level. of bytes .* of keyed:"
		start=$((start + counts[level] * hash_block / 512))
	done
	echo "behind $disk $start 64 unused"
}

# ---- what keeps something beside the data ----

# Old contents make no new metadata.
make_side()
{
	dd if=/dev/zero of="$D1" bs=4096 count=16 oflag=direct conv=notrunc status=none &&
		quietly dmsetup create side --table "0 16384 linear $D1 0"
}

up_era()
{
	make_side && stack_map keyed <<<"0 100000 era /dev/mapper/side $D0 128"
}

up_log-writes() { stack_map keyed <<<"0 100000 log-writes $D0 $D1"; }

up_mirror-log()
{
	make_side && stack_map keyed <<<"0 100000 mirror disk 3 /dev/mapper/side 1024 nosync 2 $D0 2048 $D1 20480"
}

# ---- lines of several kinds; what fails by itself ----

up_lines()
{
	stack_map keyed <<-END
	0 32000 linear $D1 2048
	32000 32000 striped 2 64 $D0 2048 $D1 70000
	64000 36000 switch 1 1024 0 $D0 100000
	END
}

# Behind the filesystem, as mkfs writes there.
seal_lines()
{
	{ dmsetup table keyed; printf '%s\n' '100000 32 error' '100032 32 zero'; } >/tmp/table && reopen
}

up_dust() { fs_size=40960000 && stack_map keyed <<<"0 100000 dust $D0 2048 512"; }
up_ebs() { stack_map keyed <<<"0 100000 ebs $D0 2051 1 8"; }

opened_dust()
{
	local block
	for block in 80017 84242 90000 90001 99999; do
		quietly dmsetup message keyed 0 addbadblock $block || return
	done
	quietly dmsetup message keyed 0 enable
}

# ---- all of them ----

seal()
{
	if declare -F "seal_$stack" >/dev/null; then "seal_$stack"; fi
}

save_table()
{
	dmsetup table --showkeys keyed >/tmp/table && read_only=
	[[ $stack != verity* ]] || read_only=--readonly
	reopen
}

reopen()
{
	quietly dmsetup remove --retry keyed && quietly dmsetup create $read_only keyed /tmp/table || return
	udevadm settle -t 20
	wait_until 20 test -b /dev/mapper/keyed || return
	if declare -F "opened_$stack" >/dev/null; then "opened_$stack"; fi
}

areas()
{
	local a=${1##*/} b=${2##*/}
	case $stack in
	integrity-*) ;;
	*) echo "any $a 0 $(sectors_of "$1")" ;;
	esac
	case $stack in
	integrity-*) integrity_areas "$@" ;;
	verity*) verity_areas "$@" ;;
	era) echo "side $b 0 16384 volume-metadata era metadata of keyed$" ;;
	log-writes) echo "side $b 0 100000 volume-metadata write log of keyed$" ;;
	mirror-log) echo "side $b 0 16384 volume-metadata mirror log of keyed$" ;;
	lines) echo "any $b 0 $(sectors_of "$2")" ;;
	esac
}

rounds()
{
	case $stack in
	integrity-recovery) printf '%s\n' 'data mounted data:64 any:32' 'tags reopened tag:64' ;;
	integrity-buffers) printf '%s\n' 'data mounted data:64 any:16' 'tags reopened tag:3' ;;
	integrity-*) printf '%s\n' 'data mounted data:64 any:32' 'tags reopened tag:64' 'rest live superblock:8 journal:64' ;;
	verity) printf '%s\n' 'data mounted file:64 any:32' 'hash0 reopened hash0:64' 'rest live superblock:4 behind:16' \
		'magic live magic:1' ;;
	verity-512) printf '%s\n' 'data mounted file:64 any:32' 'hash0 reopened hash0:64' 'hash1 reopened hash1:64' \
		'hash2 reopened hash2:2' 'rest live behind:16' 'magic live magic:1' ;;
	verity-one) printf '%s\n' 'data mounted file:64 any:32' 'hash0 reopened hash0:64' 'hash1 reopened hash1:3' \
		'rest live superblock:1 behind:16' 'magic live magic:1' ;;
	mirror-log) echo 'side live side:64' ;;
	era | log-writes) printf '%s\n' 'data mounted file:64 any:32' 'side live side:64' ;;
	*) echo 'data mounted file:64 any:32' ;;
	esac
}

least()
{
	case $1 in
	data | tags | hash*) [[ $2 == integrity-recovery && $1 == tags ]] && echo 0 || echo 64 ;;
	*) echo 0 ;;
	esac
}

set_down()
{
	local name
	for name in keyed side below; do
		[[ ! -b /dev/mapper/$name ]] || quietly dmsetup remove --retry "$name"
	done
	fs_size= read_only=
}
