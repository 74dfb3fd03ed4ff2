#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""rounds.py DISK FILE CONTROL STORES ROUNDS LOST SEED: blocks of a file go bad and are repaired, round after round, while
`stores run` (tests/tools/stores.c; STORES is its path) writes and reads it. Prints TAP lines, without a plan. In guests
blocks of DISK really go bad; of a loop device they are called so to pmemctl, and read all the same.

In each round up to three blocks rest while they are kept (protect sync), become bad, and then everybody likes to write
them; they must be repaired, the file that shares them, too. LOST more rounds are about blocks that were written since they were kept: they
must stay errors.

The surprise: a file that is written without a pause is never repaired, by contract (the commit finds it changed), so the
writers rest more and more from try to try.
"""
import fcntl
import json
import os
import random
import struct
import subprocess
import sys
import time

BLOCK = 4096
FIEMAP, FICLONE = 0xC020660B, 0x40049409
AT_ONCE = 4  # blocks that are kept by one sync
RESTS = (100, 100, 300, 600, 1000, 2000, 4000)  # ms between bursts, from try to try
MCE = "/sys/kernel/debug/mce-inject/"

disk, path, control, stores = sys.argv[1:5]
n_rounds, n_lost, seed = map(int, sys.argv[5:8])
twin = path + ".twin"
pmemctl = os.environ["PMEMCTL"]
rng = random.Random(seed)
tries = []


def say(good, name, *notes):
    print(("ok - " if good else "not ok - ") + name)
    for note in notes if not good else ():
        print("\n".join("# " + line for line in str(note).splitlines()))
    sys.stdout.flush()
    return good


def tell(command, *arguments):
    """To those who store."""
    subprocess.run([stores, command, control, *map(str, arguments)], check=True)


def byte_on_disk(block):
    """Where this block of the file is on its device."""
    with open(path, "rb") as file:
        ask = bytearray(struct.pack("=QQLLLL", block * BLOCK, BLOCK, 1, 0, 1, 0) + bytes(56))
        fcntl.ioctl(file, FIEMAP, ask)
    logical, physical = struct.unpack_from("=QQ", ask, 32)
    return physical + block * BLOCK - logical


def put(name, value):
    with open(name, "w") as file:
        file.write(value + "\n")


def is_listed(byte):
    with open(f"/sys/block/{disk}/badblocks") as file:
        ranges = [tuple(map(int, line.split())) for line in file]
    return any(start <= byte // 512 < start + length for start, length in ranges)


def make_bad(byte):
    """As a machine check that nobody could correct would; see inject in pmem.sh. What to repair, as arguments."""
    if disk.startswith("loop"):
        return ["--range", f"{disk}:{byte}+{BLOCK}"]
    with open(f"/sys/block/{disk}/device/resource") as file:
        address = int(file.read(), 0) + byte
    for name, value in (("flags", "sw"), ("status", "0xbc0000000000009f"), ("misc", "0x8c"),
                        ("addr", hex(address)), ("bank", "1")):
        put(MCE + name, value)
    end = time.monotonic() + 20
    while not is_listed(byte):
        if time.monotonic() > end:
            sys.exit("Bail out! the kernel does not list the bad block")
        time.sleep(0.02)
    return [disk]


def block_of(name, block):
    """Its bytes, or None: it cannot be read."""
    with open(name, "rb", buffering=0) as file:
        try:
            return os.pread(file.fileno(), BLOCK, block * BLOCK)
        except OSError:
            return None


def share():
    """The twin shares all blocks of the file, as it is now."""
    with open(path, "rb") as file, open(twin, "wb") as other:
        fcntl.ioctl(other, FICLONE, file.fileno())


def repair(*options):
    done = subprocess.run([pmemctl, "--json", "repair", *options], capture_output=True, text=True)
    return json.loads(done.stdout)


def steps_of(doc, block):
    """Those with this block of the file, or of its twin."""
    return [s for s in doc["plan"] if any(
        t["range"]["start"] <= block * BLOCK < t["range"]["start"] + t["range"]["length"] and
        {p["path"] for p in t["paths"]} & {path, twin} for t in s["targets"])]


def one_round(number, blocks):
    bytes_ = [byte_on_disk(block) for block in blocks]
    was = [block_of(twin, block) for block in blocks]
    what = [argument for byte in bytes_ for argument in make_bad(byte)]
    for block in blocks:
        tell("heat", block)
    for i, rest in enumerate(RESTS):
        tell("rest", rest)
        doc = repair("--apply", *what)
        steps = [step for block in blocks for step in steps_of(doc, block)]
        outcomes = {s["outcome"] for s in steps}
        if "changed" not in outcomes:
            break
    tries.append(i + 1)
    for block in blocks:
        tell("free", block)
    tell("rest", RESTS[0])
    notes = [f"blocks {blocks}, bytes {bytes_}", [(s["outcome"], s["refusal"], s["no_proof"], s["error"]) for s in steps],
             doc["messages"]]
    # no step: the page was in memory, and has other blocks since it was written back
    good = say(outcomes == {"repaired"} or not steps, f"round {number}: repaired", *notes)
    good &= say([block_of(twin, block) for block in blocks] == was, f"round {number}: the twin has what it had", *notes)
    return good


def keep(blocks):
    for block in blocks:
        tell("hold", block)
    done = subprocess.run([pmemctl, "--json", "protect", "sync"], capture_output=True, text=True)
    if done.returncode not in (0, 16):
        print("# sync:", done.stdout)
    share()


def nothing_wrong(number):
    done = subprocess.run([stores, "tell", control], capture_output=True, text=True)
    return say(done.returncode == 0, f"round {number}: only errors and right bytes were read", done.stdout)


def lost_round(number, block):
    """Written after it was kept, and in the midst of it: nobody else has the bytes."""
    end = time.monotonic() + 20
    share()
    tell("heat", block)
    while block_of(path, block) == block_of(twin, block) and time.monotonic() < end:
        time.sleep(0.05)
    steps = steps_of(repair("--apply", *make_bad(byte_on_disk(block))), block)
    tell("lose", block)
    say({s["outcome"] for s in steps} == {"refused"}, f"lost {number}: not repaired",
        [(s["outcome"], s["donor"], s["error"]) for s in steps])


def main():
    blocks = list(range(os.stat(path).st_size // BLOCK))
    rng.shuffle(blocks)
    number = at = 0
    while number < n_rounds:
        some = [blocks[(at + i) % len(blocks)] for i in range(AT_ONCE)]
        at += AT_ONCE
        keep(some)
        while some and number < n_rounds:
            number += 1
            together = [some.pop() for _ in range(min(len(some), rng.choice((1, 1, 2, 3))))]
            if not one_round(number, together) or not nothing_wrong(number):
                sys.exit(1)
        for block in some:
            tell("free", block)
    if not disk.startswith("loop"):
        say(not repair(disk)["plan"], "nobody misses any block")
    for i in range(n_lost):
        lost_round(i + 1, blocks[i])
        nothing_wrong(f"lost {i + 1}")
    told = subprocess.run([stores, "tell", control], capture_output=True, text=True).stdout
    print(f"# {len(tries)} repairs took {sum(tries)} tries; {told}", end="")


if __name__ == "__main__":
    main()
