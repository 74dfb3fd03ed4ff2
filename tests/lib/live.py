#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""live.py PHASE --manifest M --root DIR [--min N] [--sure] [--leg DISK]: judges scans that ran
while the stack changed.

PHASE is a folder with the content of some raw sectors before and after (DISK.before, DISK.after:
outputs of `selfdata decode`), a scan in peace before and after (before.json, after.json) and the
scans meanwhile (scan-N.json, scan-N.status; scan-N.live: "begin" or "begin end" when the change was
under way at these moments; scan-N.ms). A claim on a file is right when the sector held that data
before or holds it after, or when a scan in peace said the same. Where both of these name a
file, so must a scan that calls itself complete. A DISK that is but one leg may be unused, but
nothing on it is ever lost. With --sure at least half of the scans in the midst are complete, when
there are so many of them that one more or less does not count.

The surprise: data that moved away stays where it was, so most claims are right at both moments;
what this finds is a name for bytes that never held it.
"""
import argparse
import glob
import os
import sys

sys.dont_write_bytecode = True
import documents  # noqa: E402
import invariants  # noqa: E402
import truth  # noqa: E402

INCOMPLETE = 16
ENOUGH = 6


def named(doc, device, sector, roots):
    """{(names, offset)} of the claims on data of files for one sector."""
    return {(frozenset(documents.names(c["owner"], roots)), c["owner"]["range"]["start"] + skip)
            for c, skip in documents.claims_at(doc, device, sector) if c["owner"]["kind"] == "file-data"}


def true_names(manifest, raws):
    return {(frozenset(file.paths), offset) for raw in raws if raw and raw.kind == "data"
            for file, offset in manifest.owners(raw.identity)}


def read_sectors(phase, manifest):
    """{(disk, sector): names that are true before or after}."""
    found = {}
    for name in glob.glob(os.path.join(phase, "*.before")):
        disk = os.path.basename(name).removesuffix(".before")
        before = truth.read_truth(name, manifest)
        after = truth.read_truth(name.removesuffix("before") + "after", manifest)
        for sector in before:
            raws = (before[sector], after.get(sector))
            found[disk, sector] = true_names(manifest, raws)
    return found


def judge_doc(doc, sectors, peace, options):
    complete = not doc["pmemctl"]["exit_status"] & INCOMPLETE
    for (disk, sector), true in sectors.items():
        said = named(doc, disk, sector, options.root)
        calm = [named(p, disk, sector, options.root) for p in peace]
        for names, offset in said - true.union(*calm):
            yield f"{disk} sector {sector}: never was {sorted(map(str, names))} at {offset}"
        claims = [claim for claim, _ in documents.claims_at(doc, disk, sector)]
        if disk == options.leg and any(c["verdict"] == "lost" for c in claims):
            yield f"{disk} sector {sector}: called lost, with the other leg"
        idle = disk == options.leg and {c["owner"]["kind"] for c in claims} == {"unused"}
        if complete and all(calm) and not said and not idle:
            yield f"{disk} sector {sector}: called complete, and no file is named"


def judge_peace(doc, sectors, roots):
    """In peace nothing but the truth may be said."""
    for (disk, sector), true in sectors.items():
        said = named(doc, disk, sector, roots)
        if true and said - true:
            yield f"{disk} sector {sector}: in peace, {sorted(map(str, said - true))}"


def content(name):
    with open(name, encoding="ascii") as file:
        return file.read().strip()


def judge_peaceful(doc, status, sectors, options):
    if status & INCOMPLETE:
        yield "incomplete in peace"
    yield from invariants.check_scan(doc, status)
    yield from judge_peace(doc, sectors, options.root)


def complaints(options):
    manifest = truth.Manifest(options.manifest)
    sectors = read_sectors(options.phase, manifest)
    peace = [documents.load(os.path.join(options.phase, f"{n}.json")) for n in ("before", "after")]
    scans = [n.removesuffix("json") for n in glob.glob(os.path.join(options.phase, "scan-*.json"))]
    vague, begun, midst, unsure = 0, 0, 0, 0
    for name, doc in zip(("before", "after"), peace):
        status = int(content(os.path.join(options.phase, f"{name}.status")))
        yield from (f"{name}: {t}" for t in judge_peaceful(doc, status, sectors, options))
    for name in scans:
        doc, status = documents.load(name + "json"), int(content(name + "status"))
        live = content(name + "live").split()
        vague += bool(status & INCOMPLETE)
        begun += bool(live)
        midst += "end" in live
        unsure += "end" in live and bool(status & INCOMPLETE)
        for text in [*invariants.check_scan(doc, status),
                     *judge_doc(doc, sectors, peace, options)]:
            yield f"{os.path.basename(name)}: {text}"
    files = sum(bool(named(peace[0], *place, options.root)) for place in sectors)
    longest = max((int(content(name + "ms")) for name in scans), default=0)
    print(f"# live: {len(scans)} scans, {begun} while it happened, {midst} of them in the midst; "
          f"{vague} incomplete, {unsure} of them in the midst; the longest {longest} ms; "
          f"{len(sectors)} sectors, {files} of files", file=sys.stderr)
    if files < options.min or not begun:
        yield f"only {files} sectors are of files, {begun} scans while it happened"
    if options.sure and midst >= ENOUGH and 2 * unsure > midst:
        yield f"{unsure} of {midst} scans in the midst are incomplete"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("phase")
    parser.add_argument("--manifest", required=True)
    parser.add_argument("--root", nargs="+", required=True)
    parser.add_argument("--min", type=int, default=0)
    parser.add_argument("--sure", action="store_true")
    parser.add_argument("--leg")
    texts = list(complaints(parser.parse_args()))
    for text in texts[:40]:
        print(text)
    return 1 if texts else 0


if __name__ == "__main__":
    sys.exit(main())
