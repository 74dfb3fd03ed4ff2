#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""oldnew.py honest|alike|right DIR REFERENCE [SPOILT]: are blocks of repaired files what they may be?

Files NAME and NAME.x of DIR share their blocks, and should be REFERENCE/NAME. honest: each block is right or an error;
alike: also the same one in all files that share it; right: all of them are right. What is not so is printed; status 1
then. On the last line: how many blocks are errors. Where media cannot fail, a block that has only the character SPOILT
counts as an error.

The surprise: a block is asked for by itself, as an error anywhere in a read makes all of it fail.
"""
import glob
import os
import sys

BLOCK = 4096


def blocks(name, spoilt=None):
    """Its blocks; None for one that cannot be read."""
    with open(name, "rb", buffering=0) as file:
        for at in range(0, os.fstat(file.fileno()).st_size, BLOCK):
            try:
                block = os.pread(file.fileno(), BLOCK, at)
                yield None if spoilt and not block.strip(spoilt) else block
            except OSError:
                yield None


def main():
    how, folder, references = sys.argv[1:4]
    spoilt = sys.argv[4].encode() if len(sys.argv) > 4 else None
    wrong, errors = [], 0
    for reference in sorted(glob.glob(os.path.join(references, "*"))):
        names = sorted(glob.glob(os.path.join(folder, os.path.basename(reference) + "*")))
        files = {name: list(blocks(name, spoilt)) for name in names}
        for i, true in enumerate(blocks(reference)):
            got = {name: file[i] if i < len(file) else b"" for name, file in files.items()}
            bad = [name for name, block in got.items() if block is None]
            errors += len(bad)
            wrong += [f"{name}: block {i} has other bytes" for name, block in got.items() if block not in (None, true)]
            if how == "right" or (how == "alike" and len(bad) != len(got)):
                wrong += [f"{name}: block {i} cannot be read" for name in bad]
    print("\n".join(wrong))
    print(f"{errors} blocks cannot be read")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
