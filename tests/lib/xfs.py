# SPDX-License-Identifier: GPL-2.0-or-later
"""What xfs_io and xfs_db say of the sectors of an XFS, and whether claims agree.

Filesystem sectors have 512 bytes."""
import re

import invariants

FSMAP_LINE = re.compile(r"\s*\d+: \d+:\d+ \[(\d+)\.\.(\d+)\]:\s+(.*)")
SPECIAL = [("free space", {"free"}), ("unknown", invariants.KINDS - {"free"}), ("journalling log", {"fs-journal"}),
           ("cow reservation", {"cow-staging"}), ("", {"fs-metadata"})]


def fsmap_kinds(rest):
    """(kinds that pmemctl may say, inode or None) of one line of `fsmap -vvv`."""
    inode = re.match(r"(\d+)\s", rest)
    if not inode:
        return next(kinds for prefix, kinds in SPECIAL if rest.startswith(prefix)), None
    flags = rest.split()[-1]
    flags = int(flags, 8) if len(flags) >= 7 else 0
    if "extent map" in rest:
        kinds = {"fs-metadata"}
    elif flags & 0o1000000:
        kinds = {"file-xattr"}
    elif flags & 0o10000:
        kinds = {"unwritten"}
    else:
        kinds = {"file-data", "directory", "symlink", "fs-metadata"}
    return kinds, int(inode.group(1))


def read_fsmap(name):
    with open(name, encoding="ascii") as lines:
        found = [FSMAP_LINE.match(line) for line in lines]
    return [(int(m.group(1)), int(m.group(2)), *fsmap_kinds(m.group(3))) for m in found if m]


def check_sector(records, sector, claims):
    true = [(kinds, inode) for low, high, kinds, inode in records if low <= sector <= high]
    for claim in claims:
        kind, inode = claim["owner"]["kind"], claim["owner"]["inode"]
        if not any(kind in k and (i is None or i == inode) for k, i in true):
            yield f"{kind} of inode {inode}; fsmap says {true}"
    said = {c["owner"]["inode"] for c in claims}
    yield from (f"inode {i} of fsmap is not named" for k, i in true
                if i is not None and i not in said)


DB_KINDS = {"free1": {"free"}, "free2": {"free"}, "freelist": {"fs-metadata"},
            "data": {"file-data", "unwritten", "fs-metadata"}, "rldata": {"file-data"},
            "cowdata": {"cow-staging"},
            "dir": {"directory"}, "symlink": {"symlink"}, "attr": {"file-xattr"},
            "log": {"fs-journal"}, "inode": {"fs-metadata"}, "sb": {"fs-metadata"},
            "bmapbtd": {"fs-metadata"}, "bmapbta": {"fs-metadata"}}
# without a reverse map nobody else tells these from each other; block maps are "data" for xfs_db
UNMAPPED = {"btbno", "btcnt", "btino", "btfino", "btrefcnt", "freelist", "data", "symlink",
            "cowdata", "inode", "attr"}


def check_db(name, found, unmapped):
    """Output of "daddr N" and "blockuse" in turns: a line "current daddr is N", then the use.
    unmapped: an XFS without a reverse map."""
    sector = None
    with open(name, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            place = re.match(r"current daddr is (\d+)", line)
            use = re.match(r"block \d+ \(\d+/\d+\) type (\S+)", line)
            if place:
                sector = int(place.group(1))
            elif use and sector is not None:
                kinds = DB_KINDS.get(use.group(1), {"fs-metadata"})
                if unmapped and use.group(1) in UNMAPPED:
                    kinds = kinds | {"unknown"}
                for claim in found.get(sector, ()):
                    if claim["owner"]["kind"] not in kinds | {"cow-staging"}:
                        yield (f"fs sector {sector}: {claim['owner']['kind']}; "
                               f"xfs_db says {use.group(1)}")
