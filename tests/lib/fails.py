# SPDX-License-Identifier: GPL-2.0-or-later
"""What cannot be read on top of a stack, compared with the claims of a scan.

The truth is what tests/tools/failing says of the top device; the claims are those whose way goes
through that device. The surprise: a sector above may be redundant for one bad sector and lost to
another (a block of 4096 bytes over two legs); only one that is nothing but redundant must not fail.
"""
import sys

import invariants
from truth import SECTOR


def said_sectors(doc, device):
    """{certainty: {sector}} of one device, from the hops on it."""
    said = {certainty: set() for certainty in invariants.CERTAINTIES}
    for claim in invariants.claims(doc):
        for hop in claim["via"]:
            if hop["device"] == device:
                start, end = hop["start"], hop["start"] + hop["length"]
                said[claim["certainty"]].update(range(start // SECTOR, -(-end // SECTOR)))
    return said


def whole(sectors, unit):
    """The sectors of all blocks of @unit bytes that have one of them: a read takes a whole block."""
    count = max(unit // SECTOR, 1)
    return {s // count * count + i for s in sectors for i in range(count)}


def check(doc, device, failing, unit=0):
    """Sectors that fail must be exactly those of exact claims, in the device's blocks."""
    said = said_sectors(doc, device)
    said["exact"] = whole(said["exact"], unit)
    for sector in sorted(failing - said["exact"]):
        other = [c for c in ("redundant", "unknown") if sector in said[c]]
        yield f"{device} sector {sector} fails; claims: {' '.join(other) or 'none'}"
    for sector in sorted(said["exact"] - failing):
        yield f"{device} sector {sector} is claimed as exact and can be read"
    print(f"# fails: {len(failing)} sectors fail, {len(said['redundant'])} are redundant",
          file=sys.stderr)


def said_of_files(doc, device, certainty="exact"):
    """{inode: {sector of the file}} of exact claims on data of files on one device, and names."""
    said, names = {}, {}
    for claim in invariants.claims(doc):
        owner = claim["owner"]
        if claim["via"][-1]["device"] != device or owner["kind"] != "file-data":
            continue
        if claim["certainty"] != certainty or owner["range"] is None:
            continue
        start, end = owner["range"]["start"], owner["range"]["start"] + owner["range"]["length"]
        said.setdefault(owner["inode"], set()).update(range(start // SECTOR, -(-end // SECTOR)))
        names[owner["inode"]] = {invariants.raw_path(p) for p in owner["paths"] or []}
    return said, names


def check_files(doc, device, failing, files, unit=0):
    """The same for files. Sectors wholly behind the end of a file cannot be read, and are left
    out. files: {inode: (size, {name})}."""
    said, names = said_of_files(doc, device)
    for inode in sorted(set(failing) | set(said)):
        size, true = files.get(inode, (0, set()))
        claimed = {s for s in whole(said.get(inode, ()), unit) if s * SECTOR < size}
        failed = {s for s in failing.get(inode, ()) if s * SECTOR < size}
        for sector in sorted(failed - claimed):
            yield f"{sorted(true)}: sector {sector} fails, nothing says so"
        for sector in sorted(claimed - failed):
            yield f"{sorted(true)}: sector {sector} is claimed and can be read"
        if inode in names and names[inode] != true:
            yield f"inode {inode}: called {sorted(names[inode])}, is {sorted(true)}"
    total = sum(map(len, failing.values()))
    print(f"# files: {total} sectors of {len(failing)} files fail", file=sys.stderr)
