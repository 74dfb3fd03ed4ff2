#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""shares.py COMMAND FOLDER SEED …: files that share blocks with each other, and with themselves, in every way.

  make FOLDER SEED             some files; pieces of them are reflinks of others, at other places, of themselves, too
  diverge FOLDER SEED          clones of some, and blocks of some are written anew
  choose FOLDER SEED           where blocks of them lie: a byte of the device in each line
  judge FOLDER RIGHT RESULT    each block is as in the folder RIGHT, or of a step that RESULT (of repair) does not call repaired
"""
import fcntl
import json
import os
import random
import struct
import sys

BLOCK = 4096
FIEMAP, FICLONE, FICLONERANGE = 0xC020660B, 0x40049409, 0x4020940D


def files(folder):
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.startswith("f")]


def blocks_of(path):
    return (os.stat(path).st_size + BLOCK - 1) // BLOCK


def write_some(rng, path):
    with open(path, "r+b") as file:
        for _ in range(rng.randint(1, 10)):
            file.seek(rng.randrange(os.stat(path).st_size // BLOCK) * BLOCK)
            file.write(rng.randbytes(BLOCK))


def make(folder, seed):
    rng = random.Random(seed)
    names = [f"{folder}/f{i}" for i in range(rng.randint(2, 6))]
    for name in names:
        with open(name, "wb") as file:
            file.write(rng.randbytes(BLOCK * rng.randint(5, 600) + rng.choice((0, rng.randrange(1, BLOCK)))))
    os.sync()
    for _ in range(rng.randrange(40)):
        a, b = rng.choice(names), rng.choice(names)
        whole = min(os.stat(a).st_size, os.stat(b).st_size) // BLOCK
        length = rng.randint(1, min(50, whole))
        at, to = (rng.randint(0, os.stat(name).st_size // BLOCK - length) for name in (a, b))
        if a == b and abs(at - to) < length:
            continue
        with open(a, "rb") as source, open(b, "r+b") as target:
            fcntl.ioctl(target, FICLONERANGE,
                        struct.pack("=qQQQ", source.fileno(), at * BLOCK, length * BLOCK, to * BLOCK))
    os.sync()


def diverge(folder, seed):
    rng = random.Random(seed + 1)
    for name in files(folder):
        if rng.random() < 0.4:
            with open(name, "rb") as source, open(name + "c", "wb") as target:
                fcntl.ioctl(target, FICLONE, source.fileno())
        if rng.random() < 0.3:
            write_some(rng, name)
    os.sync()


def place_of(file, block):
    ask = bytearray(struct.pack("=QQLLLL", block * BLOCK, BLOCK, 1, 0, 1, 0) + bytes(56))
    fcntl.ioctl(file, FIEMAP, ask)
    logical, physical = struct.unpack_from("=QQ", ask, 32)
    return physical + block * BLOCK - logical


def choose(folder, seed):
    rng = random.Random(seed + 2)
    places = set()
    for name in files(folder):
        count = blocks_of(name)
        with open(name, "rb") as file:
            places |= {place_of(file, b) for b in rng.sample(range(count), min(count, rng.choice((1, 3, 10, 60))))}
    print(*sorted(places), sep="\n")


def judge(folder, right, result):
    with open(result) as file:
        steps = [step for step in json.load(file)["plan"] if step["outcome"] != "repaired"]
    left = {(path["path"], target["range"]["start"] + at) for step in steps for target in step["targets"]
            for path in target["paths"] for at in range(0, target["range"]["length"], BLOCK)}
    wrong = 0
    for name in files(folder):
        with open(name, "rb") as file, open(os.path.join(right, os.path.basename(name)), "rb") as other:
            now, was = file.read(), other.read()
        for at in range(0, max(len(now), len(was)), BLOCK):
            if now[at:at + BLOCK] != was[at:at + BLOCK] and (name, at) not in left:
                wrong += 1
                if wrong <= 10:
                    print(f"{name}: block {at // BLOCK} is wrong, and was not said to be")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    command, arguments = sys.argv[1], sys.argv[2:]
    if command != "judge":
        arguments[1] = int(arguments[1])
    {"make": make, "diverge": diverge, "choose": choose, "judge": judge}[command](*arguments)
