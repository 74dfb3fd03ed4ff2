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
           [--degraded]                 which lacks a member, for scan (with --live) and fsmap
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
import os
import re
import sys

sys.dont_write_bytecode = True
import fails  # noqa: E402
import fsmap  # noqa: E402
import invariants  # noqa: E402
import scan  # noqa: E402
import truth  # noqa: E402
import where  # noqa: E402
from documents import claims_at, load  # noqa: E402
from truth import truths  # noqa: E402


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


JUDGES = {
    "oracle": judge_oracle,
    "scan": scan.judge_scan,
    "fsmap": fsmap.judge_fsmap,
    "daddrs": fsmap.judge_daddrs,
    "where": where.judge_where,
    "locate": judge_locate,
    "facts": judge_facts,
    "fails": judge_fails,
    "files": judge_files,
    "roles": judge_roles,
    "invariants": judge_invariants,
    "schema": judge_schema,
}


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
        command.add_argument("--degraded", action="store_true")
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
        for text in JUDGES[options.command](options):
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
