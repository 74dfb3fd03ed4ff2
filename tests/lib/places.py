#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""places.py TEXT DEVICE: the byte of each copy of TEXT on a device or in a file, one a line.

The surprise: grep has byte offsets, too, but counts wrong where it skips NULs."""
import sys

CHUNK = 4 << 20


def places(text, device):
    at, tail = 0, b""
    with open(device, "rb") as file:
        while chunk := file.read(CHUNK):
            data = tail + chunk
            found = data.find(text)
            while found >= 0:
                yield at - len(tail) + found
                found = data.find(text, found + 1)
            at += len(chunk)
            tail = data[-(len(text) - 1):]


for place in places(sys.argv[1].encode(), sys.argv[2]):
    print(place)
