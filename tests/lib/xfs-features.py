#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""xfs-features.py DEVICE [parent] [exchange]: sets feature bits in a freshly made XFS.

Debian 12's mkfs.xfs cannot make filesystems with parent pointers or exchange-range; kernels from
6.10 on can use them. On an empty filesystem nothing but the superblocks differs: the root
directory has no parent, and no other inode has a name.

It refuses anything but a version 5 XFS whose only used inodes are the ones that mkfs made. The
surprise: each allocation group has a copy of the superblock, and each copy a checksum.
"""
import struct
import sys

BITS = {"exchange": 0x40, "parent": 0x80}
INCOMPAT, CHECKSUM = 216, 224  # byte offsets in the superblock
MADE_BY_MKFS = 3               # the root directory and two realtime inodes


def crc32c(data):
    value = 0xffffffff
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
    return value ^ 0xffffffff


def number(block, offset, kind):
    return struct.unpack_from(">" + kind, block, offset)[0]


def check(block, name):
    used = number(block, 128, "Q") - number(block, 136, "Q")
    if block[:4] != b"XFSB" or number(block, 100, "H") & 15 != 5:
        sys.exit(f"{name}: no XFS of version 5")
    if used != MADE_BY_MKFS:
        sys.exit(f"{name}: not empty: {used} inodes are in use")


def patch(block, bits):
    block = bytearray(block)
    struct.pack_into(">I", block, INCOMPAT, number(block, INCOMPAT, "I") | bits)
    struct.pack_into("<I", block, CHECKSUM, 0)
    struct.pack_into("<I", block, CHECKSUM, crc32c(block))
    return block


def main():
    name, *features = sys.argv[1:]
    bits = sum(BITS[f] for f in features or BITS)
    with open(name, "r+b") as device:
        first = device.read(512)
        check(first, name)
        group = number(first, 4, "I") * number(first, 84, "I")
        size = number(first, 102, "H")
        for i in range(number(first, 88, "I")):
            device.seek(i * group)
            block = patch(device.read(size), bits)
            device.seek(i * group)
            device.write(block)


if __name__ == "__main__":
    main()
