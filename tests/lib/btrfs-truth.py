#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""btrfs-truth.py: what `btrfs inspect-internal dump-tree` says, against documents of pmemctl.

    prefix MANIFEST DROP PREFIX...    the manifest with every file below each PREFIX; the paths that
                                      begin with DROP only below those behind the first
    blocks DUMP SEED N                N tree blocks: LOGICAL, one for each kind of tree at least
    trees  DUMP SCAN MAP              claims on tree blocks; MAP: lines of btrfs-map-logical
    coded  DUMP SEED N                N bytes of compressed extents: LOGICAL of a sector
    extents DUMP SCAN MAP             claims on them: inodes and bytes of files
    unpack COPIES WHERE...            zlib extents of files, read and unpacked from where they are said
                                      to be: each piece has its COPIES places, each copy is the file's

Prints one line per complaint and ends with 1 when there is one. dump-tree and map-logical have
arithmetic of their own. The surprise: the owner in the header of a block that snapshots share is the
tree that wrote it; which trees use it is told by the sections of the dump in which it stands.
"""
import collections
import json
import mmap
import os
import random
import re
import sys
import zlib

SECTION = re.compile(r"^(\S.*?)(?: key \((\S+) ROOT_ITEM \d+\))? *$")
BLOCK = re.compile(r"^(leaf|node) (\d+) (?:level (\d+) )?items ")
ITEM = re.compile(r"^\titem \d+ key \((\d+) EXTENT_DATA (\d+)\)")
DISK = re.compile(r"^\t\textent data disk byte (\d+) nr (\d+)")
DATA = re.compile(r"^\t\textent data offset (\d+) nr (\d+) ram (\d+)")
CODING = re.compile(r"^\t\textent compression (\d+) \((\w+)\)")
WORDS = {"root tree": "root tree", "chunk tree": "chunk tree", "EXTENT_TREE": "extent tree",
         "DEV_TREE": "device tree", "FS_TREE": "tree of the top-level subvolume (ID 5)",
         "CSUM_TREE": "checksum tree", "UUID_TREE": "uuid tree", "QUOTA_TREE": "quota tree",
         "FREE_SPACE_TREE": "free space tree", "BLOCK_GROUP_TREE": "block group tree",
         "DATA_RELOC_TREE": "data relocation tree"}


def tree_word(section, key):
    word = WORDS.get(key or section)
    return word or f"tree of the subvolume with ID {key}"


def read_dump(name):
    """({logical: (level, {words of trees})}, {(tree, inode, offset): fields of a file extent})"""
    blocks, extents = {}, {}
    tree = place = None
    with open(name, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            line = line.rstrip("\n")
            block, item = BLOCK.match(line), ITEM.match(line)
            if block:
                level = int(block.group(3) or 0)
                blocks.setdefault(int(block.group(2)), (level, set()))[1].add(tree)
            elif re.match(r"^(root tree|chunk tree|.* key \(\S+ ROOT_ITEM \d+\)) *$", line):
                tree = tree_word(*SECTION.match(line).groups())
            elif item:
                place = (tree, int(item.group(1)), int(item.group(2)))
            elif place and DISK.match(line):
                extents[place] = [int(n) for n in DISK.match(line).groups()]
            elif place in extents and DATA.match(line):
                extents[place] += [int(n) for n in DATA.match(line).groups()]
            elif place in extents and CODING.match(line):
                extents[place].append(CODING.match(line).group(2))
                place = None
    return blocks, extents


def read_map(name):
    """{(disk, physical): logical}"""
    found = {}
    with open(name, encoding="ascii") as lines:
        for line in lines:
            words = line.split()
            found[words[7].rpartition("/")[2], int(words[5])] = int(words[3])
    return found


def claims(scan, places):
    """(logical, claim) of every claim of a place that was asked about."""
    with open(scan, encoding="utf-8") as file:
        doc = json.load(file)
    for finding in doc["findings"]:
        logical = places.get((finding["device"], finding["range"]["start"]))
        if logical is None:
            yield None, finding["claims"]
            continue
        yield logical, finding["claims"]


def blocks(dump, seed, count):
    found, _ = read_dump(dump)
    kinds = collections.defaultdict(list)
    for logical, (level, trees) in sorted(found.items()):
        kinds[level > 0, tuple(sorted(trees))].append(logical)
    draw = random.Random(int(seed))
    chosen = {draw.choice(them) for them in kinds.values()}
    rest = sorted(set(found) - chosen)
    chosen |= set(draw.sample(rest, min(len(rest), max(0, int(count) - len(chosen)))))
    print("\n".join(map(str, sorted(chosen))))
    return ()


def trees(dump, scan, places):
    found, _ = read_dump(dump)
    seen = collections.Counter()
    for logical, them in claims(scan, read_map(places)):
        if logical not in found:
            yield f"block {logical} is not in the dump"
            continue
        level, words = found[logical]
        seen.update(words)
        for claim in them:
            owner, detail = claim["owner"], claim["owner"]["detail"] or ""
            want = f"node (level {level}) of the " if level else "leaf of the "
            if owner["kind"] != "fs-metadata" or not detail.startswith(want):
                yield f"block {logical} of {words}: {owner['kind']}, {detail}"
            said = set(detail[len(want):].split(", "))
            if said != words and " and others" not in detail:
                yield f"block {logical} of {sorted(words)}: {detail}"
    print(f"# trees: {sum(seen.values())} blocks: {dict(seen)}", file=sys.stderr)
    if len(seen) < 7:
        yield f"only {len(seen)} kinds of trees"


def coded(dump, seed, count):
    _, extents = read_dump(dump)
    places = sorted({(e[0], e[1]) for e in extents.values() if len(e) > 5 and e[5] != "none"})
    draw = random.Random(int(seed))
    for start, length in draw.sample(places, min(len(places), int(count))):
        print(start + draw.randrange(length // 4096) * 4096)
    return ()


def extents_(dump, scan, places):
    _, extents = read_dump(dump)
    judged = shared = 0
    for logical, them in claims(scan, read_map(places)):
        true = collections.Counter(
            (place[1], place[2], place[2] + e[3] - 1, e[5]) for place, e in extents.items()
            if len(e) > 5 and e[0] <= (logical or 0) < e[0] + e[1])
        said = collections.Counter()
        for claim in them:
            owner = claim["owner"]
            text = re.fullmatch(r"compressed \((\w+)\): bytes (\d+) to (\d+) of the file "
                                "cannot be read without these", owner["detail"] or "")
            if owner["kind"] != "file-data" or not text or owner["range"] is not None:
                yield f"logical {logical}: {owner['kind']}, {owner['detail']}"
                continue
            said[owner["inode"], int(text.group(2)), int(text.group(3)), text.group(1)] += 1
            if owner["shared"] != (sum(true.values()) > 1):
                yield f"logical {logical}: shared is {owner['shared']}"
            if not owner["paths"] or not owner["paths_complete"]:
                yield f"logical {logical}: names of inode {owner['inode']}: {owner['paths_reason']}"
        judged += 1
        shared += sum(true.values()) > 1
        if said != true:
            yield f"logical {logical}: said {sorted(said.elements())}, true {sorted(true.elements())}"
    print(f"# extents: judged {judged}, {shared} of them shared", file=sys.stderr)
    if judged < 20 or not shared:
        yield f"only {judged} extents, {shared} shared"


def read_place(hop):
    """Past the cache of the block device, which the filesystem does not use."""
    start = hop["start"] // 4096 * 4096
    room = mmap.mmap(-1, (hop["start"] + hop["length"] - start + 4095) // 4096 * 4096)
    fd = os.open("/dev/" + hop["device"], os.O_RDONLY | os.O_DIRECT)
    try:
        os.preadv(fd, [room], start)
    finally:
        os.close(fd)
    return bytes(room[hop["start"] - start:][:hop["length"]])


def packed(doc):
    """{(start of the file's bytes, length): {part of the compressed bytes: [hop of each copy]}}"""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for piece in doc["pieces"]:
        if piece["compressed"]:
            part = piece["compressed"]["range"]
            found[piece["range"]["start"], piece["range"]["length"]][
                part["start"], part["length"], piece["compressed"]["size"]].append(
                    next(h for h in piece["via"] if h["kind"] == "loop"))
    return found


def unpack(copies, *documents):
    judged = split = 0
    for name in documents:
        with open(name, encoding="utf-8") as file:
            doc = json.load(file)
        with open(doc["file"]["path"], "rb") as file:
            content = file.read()
        for (start, length), parts in packed(doc).items():
            where = f"{doc['file']['path']}: {start}+{length}"
            if {len(hops) for hops in parts.values()} != {int(copies)}:
                yield f"{where}: not {copies} copies of each of {sorted(parts)}"
                continue
            if sum(part[1] for part in parts) != next(iter(parts))[2]:
                yield f"{where}: {sorted(parts)} are not all"
            for copy in range(int(copies)):
                raw = b"".join(read_place(parts[part][copy]) for part in sorted(parts))
                try:
                    plain = zlib.decompressobj().decompress(raw)
                except zlib.error as error:
                    yield f"{where}: copy {copy}: {error}"
                    continue
                if content[start:start + length] not in plain:
                    yield f"{where}: copy {copy} is something else"
                judged += 1
            split += len(parts) > 1
    print(f"# unpack: {judged} extents, {split} of them in several parts", file=sys.stderr)
    if judged < 20:
        yield f"only {judged} extents"


def prefix(manifest, drop, *prefixes):
    entries, entry = [], []
    with open(manifest, encoding="ascii") as lines:
        head, *rest = lines.read().splitlines()
    for line in rest:
        if line.startswith("F ") or line == "end":
            entries.append(entry)
            entry = []
        entry.append(line)
    print(head)
    for number, place in enumerate(prefixes):
        for entry in entries:
            paths = [x for x in entry if x.startswith("P ")]
            if number == 0:
                paths = [x for x in paths if not x[2:].startswith(drop)]
            if paths:
                print(entry[0])
                print("\n".join(f"P {place}/{x[2:]}" for x in paths))
                for line in entry[1:]:
                    if line.startswith("X "):
                        print(line)
    print("end")
    return ()


def main():
    commands = {"prefix": prefix, "blocks": blocks, "trees": trees, "coded": coded,
                "extents": extents_, "unpack": unpack}
    complaints = 0
    for text in commands[sys.argv[1]](*sys.argv[2:]):
        complaints += 1
        if complaints <= 20:
            print(text)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
