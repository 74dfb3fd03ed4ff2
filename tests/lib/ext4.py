#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ext4.py: what dumpe2fs and debugfs know of the blocks of an ext2, ext3 or ext4, and whether a scan agrees.

    draw  --device DEV --root DIR --seed N          blocks to ask about, one a line: of each structure, and at random
    judge --device DEV --root DIR --scan S [--min N]

The filesystem must be mounted and at rest (sync): both programs read the device. Prints one line per complaint, ends
with 1 when there is one, and refuses to judge too few. The surprise: icheck knows only blocks of inodes; fixed places
and free blocks come from dumpe2fs.
"""
import argparse
import collections
import json
import os
import random
import re
import subprocess
import sys

PARTS = [("superblock", r"(?:Primary|Backup) superblock at (\d+)"), ("group descriptors", r"Group descriptors? at (\d+)-(\d+)"),
         ("group descriptors", r"Group descriptor at (\d+)"), ("reserved GDT blocks", r"Reserved GDT blocks at (\d+)-(\d+)"),
         ("block bitmap", r"Block bitmap at (\d+)"), ("inode bitmap", r"Inode bitmap at (\d+)"),
         ("inode table", r"Inode table at (\d+)-(\d+)")]


def output(*command):
    environment = dict(os.environ, LC_ALL="C", DEBUGFS_PAGER="__none__")
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=False).stdout.decode("utf-8", "replace")


class Filesystem:
    def __init__(self, device):
        self.device = device
        text = output("dumpe2fs", device)
        head, _, groups = text.partition("\n\n\n")

        def field(name, default=0):
            found = re.search(rf"^{name}:\s+(\d+)", head, re.M)
            return int(found.group(1)) if found else default
        self.size, self.blocks = field("Block size"), field("Block count")
        self.cluster = field("Cluster size", self.size) // self.size
        self.inode_size, self.per_group = field("Inode size"), field("Inodes per group")
        self.places, self.tables, self.free = {}, {}, []
        for number, body in re.findall(r"^Group (\d+):(.*?)(?=^Group |\Z)", groups, re.M | re.S):
            self._read_group(int(number), body)

    def _read_group(self, number, body):
        for name, pattern in PARTS:
            for found in re.finditer(pattern, body):
                first, last = int(found.group(1)), int(found.groups()[-1])
                if name == "inode table":
                    self.tables[first] = number
                for block in range(first, last + 1):
                    self.places[block] = (name, number, first)
        free = re.search(r"^  Free blocks: (.*)$", body, re.M)
        for first, _, last in (part.partition("-") for part in (free.group(1).split(", ") if free else []) if part):
            first, last = int(first), int(last or first)
            # with bigalloc the last one is where its cluster begins
            self.free.append((first, last + self.cluster - 1 if self.cluster > 1 else last))

    def is_free(self, block):
        return any(first <= block <= last for first, last in self.free)

    def owners(self, blocks):
        """{block: inode} by icheck."""
        text = output("debugfs", "-R", "icheck " + " ".join(map(str, blocks)), self.device)
        return {int(b): int(i) for b, i in re.findall(r"^(\d+)\t(\d+)$", text, re.M)}

    def inodes(self, numbers):
        """{inode: (type, block of attributes, {block: (state, unwritten, block of the file)})}: what stat prints."""
        numbers, found = sorted(set(numbers)), {}
        text = subprocess.run(["debugfs", "-f", "-", self.device], stderr=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              input="".join(f"stat <{n}>\n" for n in numbers).encode(),
                              check=False).stdout.decode("utf-8", "replace")
        for part in text.split("debugfs: stat <")[1:]:
            kind = re.search(r"Type: (\w+)", part)
            if kind:
                xattr = int(re.search(r"File ACL: (\d+)", part).group(1))
                found[int(part.partition(">")[0])] = (kind.group(1), xattr, read_map(part))
        return found


def read_map(text):
    blocks = {}
    for what, first, last in re.findall(r"\(([^)]+)\):(\d+)(?:-(\d+))?", text.partition("BLOCKS:\n")[2]
                                        or text.partition("EXTENTS:\n")[2]):
        state = "map" if re.match("ETB|.*IND", what) else "data"
        unwritten = "[u" in what
        start = None if state == "map" else int(re.match(r"\d+", what).group())
        for block in range(int(first), int(last or first) + 1):
            blocks[block] = (state, unwritten, None if start is None else start + block - int(first))
    return blocks


def draw(options):
    fs = Filesystem(options.device)
    rng = random.Random(options.seed)
    classes = collections.defaultdict(list)
    for block, (name, _, _) in fs.places.items():
        classes[name].append(block)
    chosen = {block for blocks in classes.values() for block in rng.sample(sorted(blocks), min(6, len(blocks)))}
    chosen.update(rng.sample(range(fs.blocks), 60))
    chosen.update(sorted(fs.tables)[:2])
    # structures of files: their maps, attributes, directories
    for kind, xattr, blocks in fs.inodes([1, 7, 8, *list_names(options.root)]).values():
        chosen.update([xattr] if xattr else [])
        chosen.update([b for b, (state, _, _) in blocks.items() if state == "map"][:3])
        chosen.update(rng.sample(sorted(blocks), min(1, len(blocks))) if kind != "regular" else [])
        chosen.update([b for b, (_, unwritten, _) in blocks.items() if unwritten][:1])
    print("\n".join(map(str, sorted(chosen))))


INTERNAL = {1: "unused", 8: "fs-journal"}


def judge_place(fs, block, claim, names):
    name, group, first = fs.places[block]
    owner = claim["owner"]
    if owner["kind"] != "fs-metadata" or name not in (owner["detail"] or ""):
        yield f"{owner['kind']} {owner['detail']}; dumpe2fs says {name}"
    if "superblock" not in name and "descriptors" not in name and f"group {group} " not in (owner["detail"] or ""):
        yield f"{owner['detail']}; dumpe2fs says group {group}"
    if name != "inode table" or names is None:
        return
    at = claim["via"][-1]["start"] - first * fs.size
    low = at // fs.inode_size + group * fs.per_group + 1
    high = (at + claim["via"][-1]["length"] - 1) // fs.inode_size + group * fs.per_group + 1
    true = {i: names[i] for i in names if low <= i <= high}
    said = {i["inode"]: {p["path"] if p["raw"] is None else None for p in i["paths"]} for i in owner["inodes"]
            if i["inode"] >= 11 or i["inode"] == 2}
    if set(true) != set(said):
        yield f"inodes {sorted(said)}; they are {sorted(true)}"
    for inode in set(true) & set(said):
        if None not in said[inode] and said[inode] != true[inode]:
            yield f"inode {inode} is {sorted(said[inode])}; its names are {sorted(true[inode])}"


def judge_inode(fs, inode, about, block, claim, skip):
    kind, xattr, blocks = about
    owner = claim["owner"]
    state, unwritten, logical = blocks.get(block, (None, False, None))
    if state == "map":
        wanted = {"fs-metadata"}
    elif inode < 11 and inode != 2:
        wanted = {INTERNAL.get(inode, "fs-metadata")}
    elif block == xattr:
        wanted = {"file-xattr"}
    elif unwritten:
        wanted = {"unwritten"}
    else:
        wanted = {{"regular": "file-data", "directory": "directory", "symlink": "symlink"}.get(kind)}
    if owner["kind"] not in wanted:
        yield f"{owner['kind']} {owner['detail']}; debugfs says {wanted} of inode {inode}"
    if owner["inode"] != inode and block != xattr:
        yield f"inode {owner['inode']}; debugfs says {inode}"
    if logical is not None and owner["range"] is not None:
        if (owner["range"]["start"] + skip) // fs.size != logical:
            yield f"byte {owner['range']['start']} of the file; debugfs says block {logical}"


def judge_attributes(fs, names, claims):
    """A block of attributes has all the inodes that share it."""
    sharers = collections.defaultdict(set)
    for inode, (_, xattr, _) in fs.inodes(names).items():
        sharers[xattr].add(inode)
    for block, here in sorted(claims.items()):
        said = {claim["owner"]["inode"] for claim, _ in here if claim["owner"]["kind"] == "file-xattr"}
        if said and block not in fs.places and said != sharers[block]:
            yield f"block {block}: attributes of {sorted(said)}; debugfs says {sorted(sharers[block])}"


def list_names(root):
    names = collections.defaultdict(set)
    names[os.lstat(root).st_ino].add(root)
    for top, folders, files in os.walk(os.fsencode(root)):
        for name in folders + files:
            path = os.path.join(top, name)
            try:
                names[os.lstat(path).st_ino].add(path.decode())
            except UnicodeDecodeError:
                names[os.lstat(path).st_ino].add(None)
    return names


def judge(options):
    fs, names = Filesystem(options.device), list_names(options.root)
    with open(options.scan, encoding="utf-8") as file:
        doc = json.load(file)
    claims = collections.defaultdict(list)
    for finding in doc["findings"]:
        for claim in finding["claims"]:
            place = claim["via"][-1]
            for at in range(place["start"], place["start"] + place["length"], fs.size):
                claims[at // fs.size].append((claim, at - place["start"]))
    owners = fs.owners([b for b in claims if b not in fs.places])
    about = fs.inodes(owners.values())
    judged = collections.Counter()
    yield from judge_attributes(fs, names, claims)
    for block, here in sorted(claims.items()):
        for claim, skip in here:
            kind = claim["owner"]["kind"]
            judged[kind] += 1
            if claim["certainty"] != "exact":
                yield f"block {block}: {claim['reason']}"
            elif block in fs.places:
                yield from (f"block {block}: {text}" for text in judge_place(fs, block, claim, names if skip == 0 else None))
            elif block in owners:
                yield from (f"block {block}: {text}"
                            for text in judge_inode(fs, owners[block], about[owners[block]], block, claim, skip))
            elif fs.is_free(block) != (kind == "free"):
                yield f"block {block}: {kind} {claim['owner']['detail']}; dumpe2fs: free is {fs.is_free(block)}"
            elif kind not in ("free", "unused"):
                yield f"block {block}: {kind}; no inode has it"
    print(f"# debugfs: judged {dict(judged)}", file=sys.stderr)
    if sum(judged.values()) < options.min:
        yield f"only {sum(judged.values())} claims, not {options.min}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("command", choices=["draw", "judge"])
    parser.add_argument("--device", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scan")
    parser.add_argument("--root", required=True)
    parser.add_argument("--min", type=int, default=60)
    options = parser.parse_args()
    if options.command == "draw":
        draw(options)
        return 0
    complaints = list(judge(options))
    print("\n".join(complaints[:40]))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
