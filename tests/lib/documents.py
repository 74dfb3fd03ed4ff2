# SPDX-License-Identifier: GPL-2.0-or-later
"""What a document of pmemctl says: the claims on a sector, the names of an owner."""
import collections
import json
import os

import invariants
from truth import SECTOR


def load(name):
    with open(name, encoding="utf-8") as file:
        return json.load(file)


def relative(path, roots):
    """The name within the filesystem, by whichever mount it was named: MOUNT or MOUNT=BELOW,
    where only the folder BELOW is mounted. None for a path elsewhere."""
    for root in roots:
        mount, _, below = os.fsencode(root).partition(b"=")
        if path == mount:
            return below
        if path.startswith(mount + b"/"):
            return b"/".join(filter(None, [below, path[len(mount) + 1:]]))
    return None


def names(owner, roots):
    return {relative(invariants.raw_path(p), roots) for p in owner.get("paths") or []}


def claims_at(doc, device, sector):
    """[(claim, bytes from the start of its piece)] for one sector of the reported device."""
    at, found = sector * SECTOR, []
    for finding in doc["findings"]:
        whole = finding["range"]
        if finding["device"] != device or not 0 <= at - whole["start"] < whole["length"]:
            continue
        for claim in finding["claims"]:
            skip = at - claim["via"][0]["start"]
            if 0 <= skip < claim["via"][0]["length"]:
                found.append((claim, skip))
    return found


def on_filesystem(doc):
    """{filesystem sector: [claim]} of the first sector of each claim that reached a mounted one (an
    origin below a snapshot may hold an old one, too), with all claims that have that sector."""
    spans = sorted(((claim["via"][-1]["start"], number, claim)
                    for number, claim in enumerate(invariants.claims(doc))
                    if (claim["owner"].get("filesystem") or {}).get("mounts")))
    found, reaching = collections.defaultdict(list), []
    for start in sorted({span[0] for span in spans}):
        reaching = [claim for claim in reaching
                    if claim["via"][-1]["start"] + claim["via"][-1]["length"] > start]
        while spans and spans[0][0] == start:
            reaching.append(spans.pop(0)[2])
        found[start // SECTOR].extend(reaching)
    return found
