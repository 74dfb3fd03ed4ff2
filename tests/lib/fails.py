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


def check(doc, device, failing):
    """Sectors that fail must be exactly those of exact claims."""
    said = said_sectors(doc, device)
    for sector in sorted(failing - said["exact"]):
        other = [c for c in ("redundant", "unknown") if sector in said[c]]
        yield f"{device} sector {sector} fails; claims: {' '.join(other) or 'none'}"
    for sector in sorted(said["exact"] - failing):
        yield f"{device} sector {sector} is claimed as exact and can be read"
    print(f"# fails: {len(failing)} sectors fail, {len(said['redundant'])} are redundant",
          file=sys.stderr)
