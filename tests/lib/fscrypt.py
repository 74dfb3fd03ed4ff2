#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""fscrypt.py add|remove ROOT: an encrypted folder ROOT/secret with files in it; its key goes away again.

Numbers and structures: linux/fscrypt.h. The surprise: the key belongs to the filesystem, whoever gave it, and stays
while any mount of it does.
"""
import fcntl
import os
import struct
import sys

ADD_KEY, REMOVE_KEY, SET_POLICY = 0xC0506617, 0xC0406618, 0x800C6613
BY_IDENTIFIER = 2


def add(root, fd):
    key = bytearray(struct.pack("=II32sII32s", BY_IDENTIFIER, 0, b"", 64, 0, b"") + b"k" * 64)
    fcntl.ioctl(fd, ADD_KEY, key)
    identifier = bytes(key[8:24])
    with open(f"{root}/identifier", "wb") as file:
        file.write(identifier)
    os.mkdir(f"{root}/secret")
    folder = os.open(f"{root}/secret", os.O_RDONLY)
    fcntl.ioctl(folder, SET_POLICY, struct.pack("=BBBBBBBB16s", 2, 1, 4, 0, 0, 0, 0, 0, identifier))
    with open(f"{root}/secret/file", "wb") as file:
        file.write(bytes(20000))
    os.mkdir(f"{root}/secret/folder")
    os.symlink("t" * 200, f"{root}/secret/link")


def remove(root, fd):
    with open(f"{root}/identifier", "rb") as file:
        fcntl.ioctl(fd, REMOVE_KEY, bytearray(struct.pack("=II16s16sI20s", BY_IDENTIFIER, 0, file.read(), b"", 0, b"")))


if __name__ == "__main__":
    {"add": add, "remove": remove}[sys.argv[1]](sys.argv[2], os.open(sys.argv[2], os.O_RDONLY))
