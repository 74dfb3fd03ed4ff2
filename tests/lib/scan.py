# SPDX-License-Identifier: GPL-2.0-or-later
"""judge.py scan: samples of raw sectors against the claims of a scan on them.

What decodes as live data must be claimed as all that its owners in the manifest are, and nothing else; anything else may
be claimed only as what such a sector can be. The surprise: below caches, mirrors and arrays with parity a sector may look
like live data and be none, so what it has to be called is asked of caches, rows and degraded.
"""
import collections
import sys

import caches
import degraded
import invariants
import rows
import truth
from documents import claims_at, load, names
from truth import SECTOR, filled, read_pairs, truths


CERTAINTY = {"exact"}  # what claims on data may be; --certainty


def said_of(claims, roots):
    """{(names, file offset)} of the claims on file data, and complaints about them."""
    said, complaints = [], []
    for claim, skip in claims:
        owner = claim["owner"]
        if owner["kind"] != "file-data":
            complaints.append(f"live data is called {owner['kind']}")
            continue
        if claim["certainty"] not in CERTAINTY:
            complaints.append(f"certainty {claim['certainty']}: {claim['reason']}")
        said.append((frozenset(names(owner, roots)), owner["range"]["start"] + skip))
    return said, complaints


def judge_partial(true, claims, roots):
    """Only some names can be known: those given must be right, and said to be some."""
    said, complaints = said_of(claims, roots)
    yield from complaints
    left = list(true)
    for names_said, offset in sorted(said, key=lambda s: -len(s[0])):
        match = next((t for t in left if t[1] == offset and names_said <= t[0]), None)
        if match is None:
            yield f"wrong: {sorted(map(str, names_said))} at {offset}"
        else:
            left.remove(match)
    yield from (f"missing: {sorted(p)} at {o}" for p, o in left)
    for claim, _ in claims:
        if claim["owner"]["paths_complete"] and (
                names(claim["owner"], roots) not in [p for p, _ in true]):
            yield "paths are called complete and are not"


def judge_data(manifest, raw, claims, roots, partial):
    owners = manifest.owners(raw.identity)
    if partial:
        yield from judge_partial([(frozenset(f.paths), o) for f, o in owners], claims, roots)
        return
    true = collections.Counter((frozenset(file.paths), offset) for file, offset in owners)
    said, complaints = said_of(claims, roots)
    yield from complaints
    said = collections.Counter(said)
    yield from (f"missing: {sorted(p)} at {o}" for p, o in (true - said).elements())
    yield from (f"wrong: {sorted(map(str, p))} at {o}" for p, o in (said - true).elements())
    for claim, _ in claims:
        if claim["owner"]["kind"] == "file-data" and claim["owner"]["shared"] != (len(owners) > 1):
            yield f"shared is {claim['owner']['shared']} with {len(owners)} owners"


def allowed(file, offset, kind, raw, manifest):
    """May a sector that does not decode as live data be claimed like this?"""
    states = filled(file, offset, SECTOR, manifest.unit)
    if kind == "unwritten":
        return states <= set("UHZE")
    if raw.kind == "stale":
        # a shorter file keeps its last block as it is where data is never written in place
        return manifest.moves and kind == "file-data" and "E" in states
    # zeros written by the filesystem, or a sector that data fills only in part
    return "Z" in states or "E" in states


def judge_rest(manifest, raw, claims, roots, _partial):
    kinds = {"directory": "d", "symlink": "l"}
    for claim, skip in claims:
        owner = claim["owner"]
        for name in names(owner, roots):
            file = manifest.by_path.get(name)
            if name in (b"", b"lost+found") and owner["kind"] in ("directory", "file-xattr", "fs-metadata"):
                continue
            if file is None:
                yield f"{owner['kind']}: no such file: {name}"
            elif kinds.get(owner["kind"], file.kind) != file.kind:
                yield f"{name} is not a {owner['kind']}"
            elif owner["kind"] in ("file-data", "unwritten"):
                if not allowed(file, owner["range"]["start"] + skip, owner["kind"], raw,
                               manifest):
                    yield f"{raw.kind} sector is called {owner['kind']} of {name}"


# what an old place of data may be, that looks like the one it has now
LEFT_BEHIND = {"free", "unused", "unwritten", "raid-parity"}


def judge_of(raw, claims, expected):
    """The judge of this sector; what data on both sides of a cache must be called is @expected."""
    global CERTAINTY
    if raw.kind != "data":
        return judge_rest
    if not expected:
        return judge_data
    kind, certainty = expected
    CERTAINTY = {certainty}
    return judge_data if kind == "file-data" else (
        lambda *_: caches.check_kind(claims, kind, certainty))


def judge_stale(options, doc, cache):
    """Sectors of the origin that the cache has newer data of."""
    for pair in options.stale:
        device, _, name = pair.partition("=")
        with open(name, encoding="ascii") as lines:
            for sector in (int(line.split()[0]) for line in lines):
                cache.roles["stale"] += 1
                claims = claims_at(doc, device, sector)
                yield from (f"{device} sector {sector} (stale): {text}"
                            for text in caches.check_kind(claims, "unused", "exact"))


def judge_scan(options):
    global CERTAINTY
    manifest, doc = truth.Manifest(options.manifest, options.unit), load(options.scan)
    manifest.moves = options.copies > 0
    yield from invariants.check_scan(doc, options.status)
    judged, expected = collections.Counter(), None
    asked = rows.Rows(options.members, truths(options, manifest))
    live = rows.Rows(options.members, read_pairs(options.live, manifest))
    lacking = options.degraded and degraded.Degraded(
        manifest, live, lambda owner: names(owner, options.root))
    cache = caches.Cache(options.cache, options.places, manifest) if options.cache else None
    for device, sectors in truths(options, manifest).items():
        for raw in sectors.values():
            CERTAINTY = {options.certainty}
            if options.certainty == "redundant" and asked.crowded(device, raw):
                CERTAINTY = {"redundant", "exact"}
            claims = claims_at(doc, device, raw.sector)
            if cache and raw.kind == "data" and claims and cache.is_old(device, raw, claims):
                judged["left behind"] += 1
                continue
            if cache and raw.kind == "data":
                expected = cache.expected(device, raw, asked.crowded(device, raw))
            judge = judge_of(raw, claims, expected)
            kind = raw.kind
            owned = lacking.own(raw, claims, CERTAINTY) if lacking else claims
            parity_only = {c["owner"]["kind"] for c, _ in owned} <= {"raid-parity"}
            if claims and parity_only and live.twin(device, raw):
                kind, judge = "twin", judge_rest
            if (options.copies and kind == "data" and claims
                    and {c["owner"]["kind"] for c, _ in claims} <= LEFT_BEHIND
                    and live.copies[raw.identity] > options.copies):
                # the parity of one column and zeros is what the column is
                parity = any(c["owner"]["kind"] == "raid-parity" for c, _ in claims)
                kind, judge = "twin" if parity else "left behind", judge_rest
            judged[kind] += 1
            if not claims:
                yield f"{device} sector {raw.sector} ({raw.kind}): no claim"
            yield from (f"{device} sector {raw.sector} ({raw.kind}): {text}"
                        for text in judge(manifest, raw, owned, options.root, options.partial))
    print(f"# scan: judged {dict(judged)}", file=sys.stderr)
    if judged["data"] < options.min:
        yield f"only {judged['data']} live samples, not {options.min}"
    if judged["left behind"] > judged["data"] // 4:
        yield f"{judged['left behind']} samples are called old places of live data"
    if cache:
        yield from judge_stale(options, doc, cache)
        yield from cache.check_enough(options.min)
