#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""xfs-without-exchange.py DEVICE [back]: takes the exchange-range feature bit out of an unmounted XFS, or puts it back.

For xfs_repair of Debian 12, which does not know the feature. The surprise: nothing else on the disk
depends on it, once the log is clean.
"""
import importlib.util
import pathlib
import struct
import sys

path = pathlib.Path(__file__).with_name("xfs-features.py")
spec = importlib.util.spec_from_file_location("features", path)
features = importlib.util.module_from_spec(spec)
spec.loader.exec_module(features)


def main():
    with open(sys.argv[1], "r+b") as device:
        first = device.read(512)
        group = features.number(first, 4, "I") * features.number(first, 84, "I")
        size = features.number(first, 102, "H")
        for i in range(features.number(first, 88, "I")):
            device.seek(i * group)
            block = bytearray(device.read(size))
            bits = features.number(block, features.INCOMPAT, "I") & ~features.BITS["exchange"]
            if sys.argv[2:] == ["back"]:
                bits |= features.BITS["exchange"]
            struct.pack_into(">I", block, features.INCOMPAT, bits)
            struct.pack_into("<I", block, features.CHECKSUM, 0)
            struct.pack_into("<I", block, features.CHECKSUM, features.crc32c(block))
            device.seek(i * group)
            device.write(block)


if __name__ == "__main__":
    main()
