# SPDX-License-Identifier: GPL-2.0-or-later
"""Arrays with a member missing: a bad sector damages its own bytes, and those of the missing member
that are computed from it and the rest of its row.

What is missing is on no disk: so a claim on bytes that are on a disk is never one of these.
"""
import collections


class Degraded:
    """live: rows.Rows of all sectors of all members that are left."""

    def __init__(self, manifest, live, names):
        self.manifest, self.live, self.names = manifest, live, names

    def is_computed(self, claim, certainties):
        """May (claim, bytes of it before the sector) be one on bytes that are on no disk?"""
        claim, skip = claim
        if claim["certainty"] not in certainties:
            return False
        owner = claim["owner"]
        if owner["kind"] != "file-data":
            return True
        return not any(self.live.copies[identity] for identity in (
            file and file.identity(owner["range"]["start"] + skip)
            for file in map(self.manifest.by_path.get, self.names(owner))) if identity)

    def own(self, raw, claims, certainties):
        """The claims on what the sector itself holds: for live data nothing else passes.
        certainties: of the rest; with other bad sectors in the row "exact" is one."""
        return [c for c in claims if not self.is_computed(c, certainties)] if (
            raw.kind == "data") else [c for c in claims if c[0]["certainty"] not in certainties]


def unique_places(top):
    """{hash: sector} of what is on top just once."""
    count = collections.Counter(raw.hash for raw in top.values())
    return {raw.hash: sector for sector, raw in top.items() if count[raw.hash] == 1}


def check_content(raws, top):
    """What is on top once, and on a member, is led to. raws: [(device, Raw, {sectors of the top})].
    Parity of a row of zeros and one chunk is what the chunk is, and leads elsewhere: some may."""
    unique, right, wrong = unique_places(top), 0, []
    for device, raw, places in raws:
        if raw.hash not in unique:
            continue
        if unique[raw.hash] in places:
            right += 1
        else:
            wrong.append(f"{device} sector {raw.sector} is fs sector {unique[raw.hash]}, "
                         f"not {sorted(places)}")
    if right < 5:
        yield f"only {right} sectors that are on top just once are led to"
    if len(wrong) > right // 4:
        yield from wrong
