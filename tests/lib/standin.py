#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""standin.py: a slow, obvious stand-in for pmemctl, to try the judge on.

    standin.py --json scan --range LOOP:START+LEN...
    standin.py --json where FILE[:START+LEN]

It knows one mounted XFS on one loop device or one of its partitions, asks `xfs_io fsmap` for
each block and walks the whole tree for names. The judge must find nothing wrong with its
documents, and something wrong with each spoilt copy of them (judge.test). It is no model of
how pmemctl works, and no test of it.
"""
import base64
import os
import re
import stat
import subprocess
import sys

import json

sys.dont_write_bytecode = True
import xfs  # noqa: E402
from truth import SECTOR  # noqa: E402

BLOCK = 4096


def number(text):
    scale = {"s": SECTOR, "k": 1024, "m": 1 << 20, "g": 1 << 30}.get(text[-1])
    return int(text[:-1]) * scale if scale else int(text)


def mounts():
    """[(disk, partition or disk, start of the partition, mount point)] of XFS on loops."""
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        for line in lines:
            words = line.split()
            name = re.fullmatch(r"/dev/((loop\d+)(p\d+)?)", words[words.index("-") + 2])
            if name and words[words.index("-") + 1] == "xfs" and words[3] == "/":
                top, disk = name.group(1), name.group(2)
                start = 0
                if name.group(3):
                    with open(f"/sys/class/block/{top}/start", encoding="ascii") as file:
                        start = int(file.read()) * SECTOR
                found.append((disk, top, start, words[4]))
    return found


class Filesystem:
    def __init__(self, disk, top, start, root):
        self.disk, self.top, self.start, self.root = disk, top, start, root
        out = subprocess.run(["xfs_io", "-c", "fsmap -vvv", root], stdout=subprocess.PIPE,
                             check=True, encoding="ascii").stdout
        self.records = []
        for line in out.splitlines():
            match = xfs.FSMAP_LINE.match(line)
            if match:
                rest = match.group(3)
                offset = re.match(r"\d+\s+(\d+)\.\.\d+\s", rest)
                first = int(offset.group(1)) if offset else None
                self.records.append((int(match.group(1)), int(match.group(2)),
                                     *xfs.fsmap_kinds(rest), first))
        self.paths, self.modes = {}, {}
        self.walk(os.fsencode(root))

    def walk(self, top):
        self.note(top)
        for where, dirs, files in os.walk(top):
            for name in dirs + files:
                self.note(os.path.join(where, name))

    def note(self, path):
        status = os.lstat(path)
        self.paths.setdefault(status.st_ino, []).append(path)
        self.modes[status.st_ino] = status.st_mode

    def owners(self, sector):
        return [r for r in self.records if r[0] <= sector <= r[1]]

    def via(self, at, length):
        hops = [(self.disk, "disk", at)]
        if self.top != self.disk:
            hops.append((self.top, "partition", at - self.start))
        return [{"device": d, "name": d, "kind": k, "start": s, "length": length}
                for d, k, s in hops]

    def kind(self, kinds, inode):
        if len(kinds) == 1:
            return next(iter(kinds))
        mode = self.modes.get(inode, stat.S_IFREG)
        return ("directory" if stat.S_ISDIR(mode) else "symlink" if stat.S_ISLNK(mode)
                else "file-data")


def path_entry(path):
    try:
        return {"path": path.decode(), "raw": None}
    except UnicodeDecodeError:
        return {"path": path.decode("utf-8", "backslashreplace"),
                "raw": base64.b64encode(path).decode()}


def claim(fs, record, at, length, shared):
    low, _, kinds, inode, first = record
    kind = fs.kind(kinds, inode)
    where = None
    if first is not None and inode is not None:
        offset = first * SECTOR + at - fs.start - low * SECTOR
        where = {"start": offset, "length": length}
    verdict = {"free": "harmless", "unwritten": "harmless", "file-data": "lost"}.get(
        kind, "metadata-at-risk")
    return {"via": fs.via(at, length), "certainty": "exact", "reason": None, "donor": None,
            "verdict": verdict,
            "owner": {"kind": kind, "detail": None, "inode": inode,
                      "generation": 1 if inode else None,
                      "filesystem": {"type": "xfs", "uuid": "", "source": "/dev/" + fs.top,
                                     "mounts": [fs.root]},
                      "range": where, "shared": shared, "holders": [], "paths_reason": None,
                      "paths_complete": True,
                      "paths": [path_entry(p) for p in fs.paths.get(inode, [])]}}


def pieces(at, length):
    """Cuts a range at block ends."""
    end = at + length
    while at < end:
        size = min(end, at - at % BLOCK + BLOCK) - at
        yield at, size
        at += size


def outside(fs, at, length):
    return {"via": [{"device": fs.disk, "name": fs.disk, "kind": "disk", "start": at,
                     "length": length}],
            "certainty": "exact", "reason": None, "donor": None, "verdict": "harmless",
            "owner": {"kind": "unused", "detail": None, "inode": None, "generation": None,
                      "filesystem": None, "range": None, "shared": None, "holders": [],
                      "paths": [], "paths_complete": True, "paths_reason": None}}


def finding(fs, at, length):
    claims = []
    for start, size in pieces(at, length):
        records = fs.owners((start - fs.start) // SECTOR)
        if not records:
            claims.append(outside(fs, start, size))
        claims += [claim(fs, r, start, size, len(records) > 1) for r in records]
    order = ["harmless", "recoverable", "lost", "metadata-at-risk", "unknown"]
    return {"id": f"{fs.disk}-{at}", "device": fs.disk, "namespace": None, "mode": None,
            "region": None, "dimms": [], "range": {"start": at, "length": length},
            "physical_address": None, "known_by": ["user"], "claims": claims,
            "verdict": max((c["verdict"] for c in claims), key=order.index)}


def document(kind, status):
    return {"format": "pmemctl." + kind, "format_version": [1, 0],
            "pmemctl": {"version": "0", "argv": sys.argv, "exit_status": status},
            "host": {"name": "x", "boot_id": "x", "kernel": "x"},
            "time": "2026-01-02T03:04:05.678901Z", "coverage": "complete", "messages": []}


def parse_range(text):
    name, _, place = text.rpartition(":")
    start, _, length = place.partition("+")
    return name, number(start), number(length)


def merged(ranges):
    found = []
    for name, start, length in sorted(ranges):
        if found and found[-1][0] == name and found[-1][1] + found[-1][2] >= start:
            end = max(found[-1][1] + found[-1][2], start + length)
            found[-1] = (name, found[-1][1], end - found[-1][1])
        else:
            found.append((name, start, length))
    return found


def scan(ranges):
    asked = {parse_range(text)[0] for text in ranges}
    systems = {m[0]: Filesystem(*m) for m in mounts() if m[0] in asked}
    doc = document("scan", 1)
    doc["findings"] = [finding(systems[name], start, length)
                       for name, start, length in merged(map(parse_range, ranges))]
    lost = [f for f in doc["findings"] if f["verdict"] == "lost"]
    inodes = {c["owner"]["inode"] for f in doc["findings"] for c in f["claims"]
              if c["owner"]["kind"] == "file-data"}
    doc["summary"] = {"findings": len(doc["findings"]), "files": len(inodes),
                      "bad_bytes": sum(f["range"]["length"] for f in doc["findings"]),
                      "lost_bytes": sum(f["range"]["length"] for f in lost),
                      "recoverable_bytes": 0}
    return doc


def where_piece(fs, record, start, end):
    low, _, kinds, _, first = record
    at = (low - first) * SECTOR + start + fs.start
    sharers = len([r for r in fs.owners((at - fs.start) // SECTOR)])
    return {"range": {"start": start, "length": end - start},
            "state": "unwritten" if kinds == {"unwritten"} else "data", "compressed": None,
            "via": fs.via(at, end - start), "device": fs.disk, "namespace": None, "region": None,
            "dimms": [], "physical_address": None, "shared": sharers > 1,
            "reason": None}


def hole(start, end):
    return {"range": {"start": start, "length": end - start}, "state": "hole", "via": [],
            "compressed": None, "device": None, "namespace": None, "region": None, "dimms": [],
            "physical_address": None, "shared": None, "reason": None}


def where(argument):
    path, first, size = os.fsencode(argument), 0, None
    if not os.path.exists(path):
        name, first, size = parse_range(argument)
        path = os.fsencode(name)
    status = os.stat(path)
    fs = next(Filesystem(*m) for m in mounts() if path.startswith(os.fsencode(m[3]) + b"/"))
    end = status.st_size if size is None else min(first + size, status.st_size)
    mine = [r for r in fs.records
            if r[3] == status.st_ino and r[4] is not None and r[2] != {"file-xattr"}]
    doc = document("where", 0)
    doc["file"] = {**path_entry(path), "inode": status.st_ino, "generation": 1,
                   "size": status.st_size}
    doc["pieces"] = []
    for start, length in pieces(first, end - first):
        stop = start + length
        record = next((r for r in mine if r[4] * SECTOR <= start
                       < (r[4] + r[1] - r[0] + 1) * SECTOR), None)
        doc["pieces"].append(where_piece(fs, record, start, stop) if record else hole(start, stop))
    return doc


def main(arguments):
    arguments = [a for a in arguments if a not in ("--json", "--range")]
    doc = scan(arguments[1:]) if arguments[0] == "scan" else where(arguments[1])
    print(json.dumps(doc))
    return doc["pmemctl"]["exit_status"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
