# SPDX-License-Identifier: GPL-2.0-or-later
"""What must be said of data that is on a cache device, on its origin, or on both.

Where every piece of the data is comes from complete `selfdata decode -a` of both devices: whatever
is on both is a clean copy, or perhaps one. The surprise: what is stale on the origin is known by its
place only: as far from the live sector on top as every sector of the origin that is live.
"""
import collections
import sys

import truth

KIND, CERTAINTY = 0, 1
DATA = "file-data"


class Cache:
    """--cache "DEVICE dirty|clean|mixed|none" and --places DEVICE=FILE…"""

    def __init__(self, words, pairs, manifest):
        self.device, self.mode = words.split()
        self.roles, self._places = collections.Counter(), collections.defaultdict(set)
        self._times = collections.Counter()
        for pair in pairs:
            device, _, name = pair.partition("=")
            for raw in truth.read_truth(name, manifest).values():
                if raw.kind == "data":
                    self._places[raw.identity].add(device)
                    self._times[device, raw.identity] += 1

    def is_old(self, device, raw, claims):
        """Was this written to the cache more than once, and may this be the older place?"""
        return (device == self.device and self._times[device, raw.identity] > 1 and
                all(claim["owner"]["kind"] == "unknown" and
                    (claim["reason"] or "").startswith("no data of cache set") for claim, _ in claims))

    def role(self, device, raw):
        """A word for what this live sector is, which is counted."""
        twice = len(self._places[raw.identity]) > 1
        if device == self.device:
            role = "dirty" if self.mode == "dirty" or not twice else "copy"
        else:
            role = "both" if twice else "origin"
        self.roles[role] += 1
        return role

    def expected(self, device, raw, both_bad):
        """(kind, certainty) of its claims."""
        role = self.role(device, raw)
        if role == "origin" or both_bad and self.mode == "clean":
            return DATA, "exact"
        if self.mode == "mixed":
            return DATA, "unknown"
        if role == "dirty":
            return (DATA, "exact") if self.mode == "dirty" else ("nothing that is clean", None)
        if role == "both":
            return (DATA, "redundant") if self.mode == "clean" else ("unused", "exact")
        return "cache-copy", "redundant"

    def check_enough(self, least):
        wanted = {"dirty": ["dirty", "stale"], "clean": ["copy", "both"],
                  "mixed": ["copy", "both"], "none": ["origin"]}
        print(f"# cache: judged {dict(self.roles)}", file=sys.stderr)
        for role in wanted[self.mode]:
            if self.roles[role] < least:
                yield f"only {self.roles[role]} sectors of the kind {role}, not {least}"


def check_kind(claims, kind, certainty):
    """All claims on a sector are of this kind, and lose nothing."""
    for claim, _ in claims:
        said = (claim["owner"]["kind"], claim["certainty"], claim["verdict"])
        if said != (kind, certainty, "harmless"):
            yield f"called {' '.join(said)}, not {kind}"
    if not claims:
        yield "no claim"
