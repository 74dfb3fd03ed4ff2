#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""churn.py: a filesystem that never rests, and the judge of scans meanwhile.

    run   --root DIR --log LOG --seed N           creates, renames and unlinks files until it is killed
    draw  --root DIR --count N                    blocks of files that are there: bytes of the device, one a line
    judge --root DIR --log LOG --scan S... [--min N]   S.start and S.end hold the times of each scan

A file is written once and synced, and its places are taken down; no name is used twice. So a claim is right only when a
file of this name had this byte at this place at some time during the scan. What one file had the whole time through
must be named by a scan that calls itself complete. With --chunks FILE ("LOGICAL LENGTH DEVICE-BYTE" a line, all that there
were at any time) the kernel tells places in addresses of the filesystem's own. The surprise: inode numbers do come
again, at once.
"""
import argparse
import collections
import fcntl
import json
import os
import random
import struct
import sys
import time

BLOCK = 4096
FIEMAP = 0xC020660B
NEVER = float("inf")


def extents(fd):
    """[(byte of the file, byte of the device, length)] of its own bytes: XFS frees what is reserved behind them."""
    size = os.fstat(fd).st_size
    count = 512
    buf = bytearray(struct.pack("=QQLLLL", 0, 2 ** 63, 0, 0, count, 0) + bytes(56 * count))
    fcntl.ioctl(fd, FIEMAP, buf)
    found = []
    for i in range(struct.unpack_from("=L", buf, 20)[0]):
        logical, physical, length = struct.unpack_from("=QQQ", buf, 32 + 56 * i)
        if logical < size:
            found.append((logical, physical, min(length, size - logical)))
    return found


class Chunks:
    """Addresses of the filesystem and bytes of its device; one and the same without a file."""

    def __init__(self, name):
        self.chunks = None
        if name:
            with open(name, encoding="ascii") as lines:
                self.chunks = sorted({tuple(map(int, line.split())) for line in lines})

    def addresses(self, place):
        if self.chunks is None:
            return [place]
        return [start + place - at for start, length, at in self.chunks if at <= place < at + length]

    def places(self, address):
        if self.chunks is None:
            return [address]
        return [at + address - start for start, length, at in self.chunks if start <= address < start + length]


class Churn:
    def __init__(self, root, log, seed):
        self.root, self.rng, self.names, self.number = root, random.Random(seed), [], 0
        self.log = open(log, "w", encoding="ascii")

    def note(self, *words):
        self.log.write(json.dumps([time.monotonic(), *words]) + "\n")
        self.log.flush()

    def new_name(self):
        self.number += 1
        folder = os.path.join(self.root, f"d{self.rng.randrange(8)}")
        os.makedirs(folder, exist_ok=True)
        return os.path.join(folder, f"n{self.number}")

    def create(self):
        name = self.new_name()
        self.note("creating", name)
        try:
            with open(name, "wb") as file:
                for _ in range(self.rng.randrange(1, 4)):
                    file.write(os.urandom(BLOCK * self.rng.randrange(1, 24)))
                    file.flush()
                    os.fsync(file.fileno())
                self.note("created", name, extents(file.fileno()))
        except OSError:
            os.unlink(name)
            self.note("gone", name)
            return
        self.names.append(name)

    def rename(self):
        old = self.names.pop(self.rng.randrange(len(self.names)))
        new = self.new_name()
        self.note("renaming", old, new)
        os.rename(old, new)
        self.note("renamed", old, new)
        self.names.append(new)

    def unlink(self):
        name = self.names.pop(self.rng.randrange(len(self.names)))
        self.note("unlinking", name)
        os.unlink(name)
        self.note("gone", name)

    def step(self, most):
        if len(self.names) < most // 2 or (len(self.names) < most and self.rng.random() < 0.5):
            self.create()
        elif self.rng.random() < 0.3:
            self.rename()
        else:
            self.unlink()


class Life:
    """One name: when it may have been there, when it surely was, and what its file has where: unknown when it was
    never finished, because there was no room, or because the churn was killed."""

    def __init__(self, start):
        self.may, self.sure, self.map = [start, NEVER], [NEVER, NEVER], []

    def offset_of(self, addresses):
        for logical, physical, length in self.map:
            for address in addresses:
                if physical <= address < physical + length:
                    return logical + address - physical
        return None


def read_log(name):
    lives = collections.defaultdict(lambda: None)
    with open(name, encoding="ascii") as lines:
        for line in lines:
            at, what, path, *more = json.loads(line)
            if what == "creating":
                lives[path] = Life(at)
            elif what == "created":
                lives[path].map, lives[path].sure[0] = more[0], at
            elif what == "renaming":
                lives[path].sure[1] = at
                lives[more[0]] = Life(at)
                lives[more[0]].map = lives[path].map
            elif what == "renamed":
                lives[path].may[1] = at
                lives[more[0]].sure[0] = at
            elif what == "unlinking":
                lives[path].sure[1] = at
            elif what == "gone":
                lives[path].may[1] = at
    return lives


def judge_scan(doc, lives, times, counts, chunks):
    start, end = times
    complete = not doc["pmemctl"]["exit_status"] & 16
    whole = [(path, life) for path, life in lives.items() if life.sure[0] <= start and end <= life.sure[1]]
    for finding in doc["findings"]:
        for claim in finding["claims"]:
            owner, place = claim["owner"], claim["via"][-1]["start"]
            at = chunks.addresses(place)
            counts[owner["kind"]] += 1
            steady = {path for path, life in whole if life.offset_of(at) is not None}
            for path in (p["path"] for p in owner["paths"] or []):
                if owner["kind"] not in ("file-data", "unwritten"):
                    continue
                life = lives.get(path)
                if life is None:
                    yield f"{path} at {place}: no such file at any time"
                elif life.may[1] < start or end < life.may[0]:
                    yield f"{path} at {place}: not there during the scan"
                elif life.map and life.offset_of(at) != owner["range"]["start"]:
                    yield f"{path} at {place}: byte {owner['range']['start']}, it has {life.offset_of(at)} there"
                counts["named"] += 1
            if steady and complete and not steady & {p["path"] for p in owner["paths"] or []}:
                yield f"{place} is called {owner['kind']}; {steady} had it all the time"
            if steady and owner["kind"] in ("free", "unused"):
                yield f"{place} is called {owner['kind']}; {steady} had it all the time"


def judge(options):
    lives, counts, chunks = read_log(options.log), collections.Counter(), Chunks(options.chunks)
    for name in options.scan:
        with open(name, encoding="utf-8") as file:
            doc = json.load(file)
        with open(name + ".start", encoding="ascii") as first, open(name + ".end", encoding="ascii") as last:
            times = float(first.read()), float(last.read())
        yield from judge_scan(doc, lives, times, counts, chunks)
    print(f"# churn: {len(lives)} names, {dict(counts)}", file=sys.stderr)
    if counts["named"] < options.min:
        yield f"only {counts['named']} names said, not {options.min}"


def draw(options):
    places, chunks = [], Chunks(options.chunks)
    for top, _, files in os.walk(options.root):
        for name in files:
            try:
                with open(os.path.join(top, name), "rb") as file:
                    places += [at for _, p, n in extents(file.fileno()) for i in range(0, n, BLOCK)
                               for at in chunks.places(p + i)]
            except FileNotFoundError:
                continue
    random.Random(1).shuffle(places)
    print("\n".join(map(str, sorted(set(places[:options.count])))))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("command", choices=["run", "draw", "judge", "now"])
    parser.add_argument("--root")
    parser.add_argument("--log")
    parser.add_argument("--scan", nargs="+", default=[])
    parser.add_argument("--chunks")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--most", type=int, default=300)
    parser.add_argument("--min", type=int, default=1)
    options = parser.parse_args()
    if options.command == "now":
        print(time.monotonic())
    elif options.command == "draw":
        draw(options)
    elif options.command == "run":
        churn = Churn(options.root, options.log, options.seed)
        while True:
            churn.step(options.most)
    else:
        complaints = list(judge(options))
        print("\n".join(complaints[:40]))
        return 1 if complaints else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
