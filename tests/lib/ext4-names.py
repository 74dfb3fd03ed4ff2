#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ext4-names.py COMMAND…: a tree of all kinds of directories, and whether scans know all names in it.

fill ROOT                makes it: wide and deep directories, files with many links, names that are hard to read
draw ROOT DISK COUNT SEED PATH…
                         --range options, a line each, for one block of COUNT files at random and of all PATHs
judge ROOT JSON [FILES]  every file that the scan names has exactly the names that the tree has, and says that these
                         are all; there are at least FILES of them
subset ROOT JSON [FILES] the same, but some names may be missing when it says so
The surprise: files get their blocks before they are drawn, so the filesystem is synced first.
"""
import base64
import fcntl
import json
import os
import random
import stat
import struct
import sys

FIEMAP, SYNC = 0xC020660B, 1
LONG = "n" * 255


def put(name, dir_fd=None):
    fd = os.open(name, os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=dir_fd)
    os.write(fd, os.urandom(4096))
    os.close(fd)


def deep(root, depth):
    """A directory as deep as that, all names as long as they get: a descriptor."""
    fd = os.open(root, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(LONG, dir_fd=fd)
        lower = os.open(LONG, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = lower
    return fd


def fill(root):
    root = os.fsencode(root)
    # a hash tree, of two levels with small blocks, with holes where names were
    os.mkdir(root + b"/wide")
    for i in range(6000):
        put(root + b"/wide/%040d" % i)
    for i in range(0, 6000, 7):
        os.unlink(root + b"/wide/%040d" % i)
    # links: in one directory, in many
    for i in range(12):
        os.makedirs(root + b"/links/%d/below" % i)
    for i in range(20):
        put(root + b"/links/%d" % (100 + i))
        for k in range(i % 12):
            os.link(root + b"/links/%d" % (100 + i), root + b"/links/%d/below/%d" % (k, i))
            os.link(root + b"/links/%d" % (100 + i), root + b"/wide/link%d-%d" % (k, i))
    os.mkdir(root + b"/strange")
    for name in (b"\xff\xfe", b"new\nline", b"...", b" ", b"..a", b"\\", b"s" * 255):
        put(root + b"/strange/" + name)
    bottom = deep(root, 100)
    put("bottom", bottom)
    os.link("bottom", b"near", src_dir_fd=bottom, dst_dir_fd=os.open(root, os.O_RDONLY))
    for i in range(30):
        path = root + b"/nested/" + b"/".join(b"%d" % k for k in range(i + 1))
        os.makedirs(path)
        put(path + b"/file")
    os.rename(root + b"/nested/0/1/2", root + b"/nested/moved")
    os.sync()


def tree(root, directories=True):
    """Inode -> all names, relative; also where the path is longer than a call takes."""
    names = {}
    todo = [(os.open(root, os.O_RDONLY), b"")]
    while todo:
        fd, path = todo.pop()
        for name in map(os.fsencode, os.listdir(fd)):
            st = os.lstat(name, dir_fd=fd)
            is_directory = stat.S_ISDIR(st.st_mode)
            if directories or not is_directory:
                names.setdefault(st.st_ino, set()).add(path + name)
            if is_directory:
                todo.append((os.open(name, os.O_RDONLY, dir_fd=fd), path + name + b"/"))
        os.close(fd)
    return names


def open_long(root, path):
    fd = os.open(root, os.O_RDONLY)
    for name in path.split(b"/"):
        lower = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = lower
    return fd


def first_block(root, path):
    """Byte of the device where the file or directory begins, or None."""
    fd = open_long(root, path)
    request = bytearray(struct.pack("=QQIIII", 0, 1 << 62, SYNC, 0, 1, 0) + bytes(56))
    fcntl.ioctl(fd, FIEMAP, request)
    os.close(fd)
    (mapped,) = struct.unpack_from("=I", request, 20)
    logical, physical, _, _, _, flags = struct.unpack_from("=QQQQQI", request, 32)
    return physical if mapped and logical == 0 and not flags & 0x206 else None


def draw(root, disk, count, seed, *paths):
    files = sorted(path for names in tree(root, False).values() for path in names)
    for path in random.Random(int(seed)).sample(files, int(count)) + [os.fsencode(path) for path in paths]:
        place = first_block(root, path)
        if place is not None:
            print(f"--range\n{disk}:{place}+512")


def judge(root, document, at_least="1", whole=True):
    truth = tree(root)
    top = os.fsencode(root).rstrip(b"/") + b"/"
    with open(document, encoding="utf-8") as file:
        claims = [claim for finding in json.load(file)["findings"] for claim in finding["claims"]]
    seen = set()
    for owner in (claim["owner"] for claim in claims):
        if owner.get("inode") is None:
            continue
        got = [base64.b64decode(path["raw"]) if path["raw"] else os.fsencode(path["path"]) for path in owner["paths"]]
        want = {top + name for name in truth.get(owner["inode"], ())}
        if whole and owner["paths_complete"] is not True:
            sys.exit(f"inode {owner['inode']}: {owner.get('paths_reason')}")
        if len(got) != len(set(got)) or not set(got) <= want or (owner["paths_complete"] and set(got) != want):
            sys.exit(f"inode {owner['inode']}: {got} is not {want}")
        seen.add(owner["inode"])
    if len(seen) < int(at_least):
        sys.exit(f"only {len(seen)} files")


def subset(root, document, at_least="1"):
    judge(root, document, at_least, False)


if __name__ == "__main__":
    {"fill": fill, "draw": draw, "judge": judge, "subset": subset}[sys.argv[1]](*sys.argv[2:])
