#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""judge.py: compares documents of pmemctl with the truth.

    oracle --manifest M --truth DEVICE=FILE...    every written sector is on the media, once
    scan   --manifest M --scan S --root DIR... --truth DEVICE=FILE... [--status N] [--min N]
           [--cache "DEVICE dirty|clean|mixed" --places DEVICE=FILE... [--stale DEVICE=FILE...]]
    fsmap  --scan S --fsmap FILE [--top FILE --truth DEVICE=FILE --manifest M] [--db FILE [--unmapped]]
    daddrs --scan S                               filesystem sectors of the claims, for xfs_db
    where  --manifest M --where W... --root DIR... --truth DEVICE=FILE... [--whole] [--status N]
           [--unit BYTES]                        space comes in units, also for scan
           [--copies N --live DEVICE=FILE...]  data moves when it is written again: places beyond
                                        N with the same data are old ones, for scan
           [--members DEVICE:SECTOR... --live DEVICE=FILE...]  of an array with parity, for scan
    locate --manifest M --truth DEVICE=FILE --path P --offset N   the sector of these bytes
    fails  --scan S --top DEVICE --failing FILE [--min N]   what fails on top is what is claimed
    files  --scan S --top DEVICE --failing FILE --names FILE --root DIR [--min N]   of files, too
           [--details LABEL] [--doubt] [--baseline FILE]   also ranges in words; also unknown ones;
                                                  what fails anyway
    roles  --scan S --bad FILE                    "DISK SECTOR ROLE [OWNER [DETAIL]]": so is it called
    facts  --scan S                               claims, paths, holders, messages as lines
    invariants DOC [--status N]
    schema DOC DIR

Prints one line per complaint and ends with 1 when there is one; 0 otherwise. It refuses to
judge with too few live samples (--min): a test that compared nothing must not pass.

Truth files are outputs of `selfdata decode`. For `where` they must be complete (decode -a).
"""
import argparse
import collections
import json
import os
import re
import sys

sys.dont_write_bytecode = True
import caches  # noqa: E402
import fails  # noqa: E402
import invariants  # noqa: E402
import rows  # noqa: E402
import truth  # noqa: E402
from truth import SECTOR  # noqa: E402


def load(name):
    with open(name, encoding="utf-8") as file:
        return json.load(file)


def read_pairs(pairs, manifest):
    return {pair.partition("=")[0]: truth.read_truth(pair.partition("=")[2], manifest)
            for pair in pairs}


def truths(options, manifest):
    return read_pairs(options.truth, manifest)


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


# ---- oracle: the generator's own promise ----

def judge_oracle(options):
    manifest = truth.Manifest(options.manifest)
    places = collections.Counter()
    for sectors in truths(options, manifest).values():
        for raw in sectors.values():
            if raw.kind == "data":
                places[raw.identity] += 1
    wanted = manifest.sectors()
    yield from (f"{i} is not on the media" for i in sorted(wanted - set(places)))
    yield from (f"{i} is on the media {n} times" for i, n in sorted(places.items()) if n > 1)
    print(f"# oracle: {len(wanted)} sectors", file=sys.stderr)
    if not wanted:
        yield "no data at all"


# ---- scan ----

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


def filled(file, start, length, unit):
    """States of these bytes; holes are zeros where space comes in units, only some of them used."""
    states = file.states(start, length)
    if unit and "H" in states:
        first = start // unit * unit
        if all(file.states(at, unit) != set("H") for at in range(first, start + length, unit)):
            states = states - {"H"} | {"Z"}
    return states


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
LEFT_BEHIND = {"free", "unused", "raid-parity"}


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
    cache = caches.Cache(options.cache, options.places, manifest) if options.cache else None
    for device, sectors in truths(options, manifest).items():
        for raw in sectors.values():
            CERTAINTY = {options.certainty}
            if options.certainty == "redundant" and asked.crowded(device, raw):
                CERTAINTY = {"redundant", "exact"}
            claims = claims_at(doc, device, raw.sector)
            if cache and raw.kind == "data":
                expected = cache.expected(device, raw, asked.crowded(device, raw))
            judge = judge_of(raw, claims, expected)
            kind = raw.kind
            if {c["owner"]["kind"] for c, _ in claims} == {"raid-parity"} and live.twin(device, raw):
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
                        for text in judge(manifest, raw, claims, options.root, options.partial))
    print(f"# scan: judged {dict(judged)}", file=sys.stderr)
    if judged["data"] < options.min:
        yield f"only {judged['data']} live samples, not {options.min}"
    if judged["left behind"] > judged["data"] // 4:
        yield f"{judged['left behind']} samples are called old places of live data"
    if cache:
        yield from judge_stale(options, doc, cache)
        yield from cache.check_enough(options.min)


# ---- fsmap and xfs_db: metadata and free space ----

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


def on_filesystem(doc):
    """{filesystem sector: [claim]} from the first sector of each claim that reached a mounted one:
    an origin below a snapshot may hold an old one, too."""
    found = collections.defaultdict(list)
    for claim in invariants.claims(doc):
        if (claim["owner"].get("filesystem") or {}).get("mounts"):
            found[claim["via"][-1]["start"] // SECTOR].append(claim)
    return found


def judge_fsmap_sector(records, sector, claims):
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


def judge_db(name, found, unmapped):
    """unmapped: an XFS without a reverse map. Output of "daddr N" and "blockuse" in turns: a line "current daddr is N", then the use."""
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


def judge_content(options, doc):
    """A sector that is no self-data must be found, byte by byte, where the claim says it is."""
    manifest = truth.Manifest(options.manifest)
    top = truth.read_truth(options.top, manifest)
    compared = 0
    for device, sectors in truths(options, manifest).items():
        for raw in sectors.values():
            if raw.kind != "other":
                continue
            for claim, skip in claims_at(doc, device, raw.sector):
                if (claim["certainty"] == "unknown" or
                        not (claim["owner"].get("filesystem") or {}).get("mounts")):
                    continue
                place = (claim["via"][-1]["start"] + skip) // SECTOR
                compared += 1
                if place not in top or top[place].hash != raw.hash:
                    yield f"{device} sector {raw.sector} is not fs sector {place}"
    print(f"# fsmap: compared {compared} sectors that are no self-data", file=sys.stderr)


def judge_fsmap(options):
    doc = load(options.scan)
    found, records = on_filesystem(doc), read_fsmap(options.fsmap)
    for sector, claims in sorted(found.items()):
        yield from (f"fs sector {sector}: {text}"
                    for text in judge_fsmap_sector(records, sector, claims))
    if options.db:
        yield from judge_db(options.db, found, options.unmapped)
    if options.top:
        yield from judge_content(options, doc)
    print(f"# fsmap: judged {len(found)} fs sectors", file=sys.stderr)
    if len(found) < options.min:
        yield f"only {len(found)} claims on the filesystem, not {options.min}"


def judge_daddrs(options):
    for sector in sorted(on_filesystem(load(options.scan))):
        print(sector)
    return ()


# ---- fails ----

def numbers(name):
    with open(name, encoding="ascii") as lines:
        return {int(line) for line in lines}


def judge_fails(options):
    failing = numbers(options.failing)
    if options.baseline:
        failing -= numbers(options.baseline)
    doc = load(options.scan)
    yield from invariants.check_scan(doc, options.status)
    yield from fails.check(doc, options.top, failing, options.unit, options.details,
                           options.doubt)
    judged = len(failing | fails.said_sectors(doc, options.top)["redundant"])
    if judged < options.min:
        yield f"only {judged} sectors fail or are redundant, not {options.min}"


def judge_files(options):
    doc, files, failing = load(options.scan), {}, collections.defaultdict(set)
    with open(options.names, "rb") as lines:
        for line in lines.read().split(b"\0")[:-1]:
            inode, size, name = line.split(b" ", 2)
            whole = os.fsencode(options.root[0]) + b"/" + name
            files.setdefault(int(inode), (int(size), set()))[1].add(whole)
    with open(options.failing, encoding="ascii") as lines:
        for line in lines:
            inode, sector = map(int, line.split())
            failing[inode].add(sector)
    yield from fails.check_files(doc, options.top, failing, files, options.unit, options.doubt)
    judged = [*failing.values(), *fails.said_of_files(doc, options.top, ("redundant",))[0].values()]
    if sum(map(len, judged)) < options.min:
        yield f"fewer than {options.min} sectors of files fail or are redundant"


def judge_roles(options):
    """Each bad sector has a claim; where its owner is known, all are that, in these words."""
    doc, judged = load(options.scan), collections.Counter()
    with open(options.bad, encoding="ascii") as lines:
        for line in lines:
            device, sector, role, owner, words = (line.strip().split(maxsplit=4) + ["", ""])[:5]
            judged[role] += 1
            claims = claims_at(doc, device, int(sector))
            if not claims:
                yield f"{device} sector {sector} ({role}): no claim"
            for claim, _ in claims if owner else ():
                said = claim["owner"]
                if said["kind"] != owner or not re.match(words, said["detail"] or ""):
                    yield f"{device} sector {sector} ({role}): {said['kind']}: {said['detail']}"
    print(f"# roles: {dict(judged)}", file=sys.stderr)
    if not judged:
        yield "no sector at all"


# ---- where ----

def where_file(doc, manifest, roots):
    name = relative(invariants.raw_path(doc["file"]), roots)
    return manifest.by_path.get(name)


def piece_sector(manifest, media, file, piece, offset):
    """One whole sector of a piece of data: is it on the media where the piece says?"""
    wanted = file.identity(offset)
    if wanted is None:
        return
    hop = next((h for h in piece["via"] if h["device"] in media), piece["via"][0])
    place = hop["start"] + offset - piece["range"]["start"]
    raw = media.get(hop["device"], {}).get(place // SECTOR)
    if place % SECTOR or raw is None or raw.identity != wanted:
        got = raw and (raw.identity or raw.kind)
        yield f"offset {offset}: {hop['device']} at {place} holds {got}, not {wanted}"


STATES = {"data": set("DZE"), "unwritten": set("UHZE"), "hole": set("HZE"),
          "delalloc": set("HZE"), "inline": set("DHZ")}


def judge_piece(manifest, media, file, piece):
    start, length = piece["range"]["start"], piece["range"]["length"]
    states = file.states(start, length)
    if piece["state"] == "data":
        states = filled(file, start, length, manifest.unit)
    if not states <= STATES[piece["state"]]:
        yield f"offset {start}+{length} is {piece['state']}; written: {sorted(states)}"
    if piece["state"] != "data":
        return
    owners = set()
    for offset in range(start + -start % SECTOR, start + length - SECTOR + 1, SECTOR):
        yield from piece_sector(manifest, media, file, piece, offset)
        if file.identity(offset):
            owners.add(len(manifest.owners(file.identity(offset))) > 1)
    if owners and piece["shared"] is not None and piece["shared"] not in owners:
        yield f"offset {start}+{length}: shared is {piece['shared']}, true is {owners}"


def judge_where(options):
    manifest = truth.Manifest(options.manifest, options.unit)
    media, pieces = truths(options, manifest), 0
    for name in options.where:
        doc = load(name)
        file = where_file(doc, manifest, options.root)
        yield from invariants.check_where(doc, options.status)
        if file is None:
            yield f"{name}: no such file in the manifest: {doc['file']}"
            continue
        if doc["file"]["size"] != file.size:
            yield f"{doc['file']['path']}: size {doc['file']['size']}, not {file.size}"
        total = sum(p["range"]["length"] for p in doc["pieces"])
        if options.whole and total != file.size:
            yield f"{doc['file']['path']}: {total} bytes in pieces, not {file.size}"
        for piece in doc["pieces"]:
            pieces += 1
            yield from (f"{doc['file']['path']!r}: {text}"
                        for text in judge_piece(manifest, media, file, piece))
    print(f"# where: judged {pieces} pieces", file=sys.stderr)
    if pieces < options.min:
        yield f"only {pieces} pieces, not {options.min}"


# ---- questions of tests ----

def judge_locate(options):
    """Prints the sector (of the only device) where an offset of a file is."""
    manifest = truth.Manifest(options.manifest)
    wanted = manifest.by_path[os.fsencode(options.path)].identity(options.offset)
    for sectors in truths(options, manifest).values():
        for raw in sectors.values():
            if raw.identity == wanted:
                print(raw.sector)
                return
    yield f"{options.path} at {options.offset} is not on the media"


def judge_facts(options):
    """A line for each claim, path, holder and message, for tests to look for."""
    doc = load(options.scan)
    for claim in invariants.claims(doc):
        owner = claim["owner"]
        print(f"claim {owner['kind']} {owner['inode']} {claim['certainty']} {claim['reason']}")
        for entry in owner.get("paths") or []:
            print("path", entry["path"])
        for holder in owner.get("holders") or []:
            print("holder", *(f"{k}={v}" for k, v in holder.items()))
    for message in doc["messages"]:
        print("message", message["severity"], message["subject"], message["text"])
    return ()


# ---- any document ----

def judge_invariants(options):
    doc = load(options.document)
    check = {"pmemctl.where": invariants.check_where,
             "pmemctl.scan": invariants.check_scan}.get(doc.get("format"))
    return check(doc, options.status) if check else list(invariants.check_top(doc, options.status))


def judge_schema(options):
    import jsonschema
    doc = load(options.document)
    schema = load(os.path.join(options.directory, f"{doc['format']}.json"))
    store = {}
    for name in os.listdir(options.directory):
        if name.endswith(".json"):
            part = load(os.path.join(options.directory, name))
            store[part.get("$id", name)] = part
    here = "file://" + os.path.realpath(options.directory) + "/"
    resolver = jsonschema.RefResolver(schema.get("$id", here), schema, store=store)
    kind = jsonschema.validators.validator_for(schema)
    for error in kind(schema, resolver=resolver).iter_errors(doc):
        yield f"{'/'.join(map(str, error.absolute_path))}: {error.message}"


def parse():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("oracle", "scan", "fsmap", "daddrs", "where", "locate", "facts",
                 "fails", "files", "roles"):
        command = commands.add_parser(name)
        command.add_argument("--manifest")
        command.add_argument("--scan")
        command.add_argument("--where", nargs="+")
        command.add_argument("--fsmap")
        command.add_argument("--top")
        command.add_argument("--db")
        command.add_argument("--failing")
        command.add_argument("--baseline")
        command.add_argument("--details")
        command.add_argument("--doubt", action="store_true")
        command.add_argument("--bad")
        command.add_argument("--names")
        command.add_argument("--root", nargs="+", default=[])
        command.add_argument("--truth", nargs="+", default=[])
        command.add_argument("--path")
        command.add_argument("--offset", type=int)
        command.add_argument("--partial", action="store_true")
        command.add_argument("--whole", action="store_true")
        command.add_argument("--unmapped", action="store_true")
        command.add_argument("--status", type=int)
        command.add_argument("--min", type=int, default=1)
        command.add_argument("--unit", type=int, default=0)
        command.add_argument("--copies", type=int, default=0)
        command.add_argument("--certainty", default="exact")
        command.add_argument("--members", nargs="*", default=[])
        command.add_argument("--cache")
        command.add_argument("--places", nargs="*", default=[])
        command.add_argument("--stale", nargs="*", default=[])
        command.add_argument("--live", nargs="*", default=[])
    command = commands.add_parser("invariants")
    command.add_argument("document")
    command.add_argument("--status", type=int)
    command = commands.add_parser("schema")
    command.add_argument("document")
    command.add_argument("directory")
    return parser.parse_args()


def main():
    options = parse()
    complaints = 0
    try:
        for text in globals()["judge_" + options.command](options):
            complaints += 1
            if complaints <= 40:
                print(text)
    except (KeyError, TypeError, ValueError, OSError) as error:
        print(f"cannot be judged: {type(error).__name__}: {error}")
        return 1
    if complaints > 40:
        print(f"... {complaints} complaints")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
