#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""live.py PHASE --manifest M --root DIR [--min N]: judges scans that ran while the stack changed.

PHASE is a folder with the content of some raw sectors before and after (DISK.before, DISK.after:
outputs of `selfdata decode`), a scan in peace before and after (before.json, after.json) and the
scans meanwhile (scan-N.json, scan-N.status). A claim on a file is right when the sector held that
data before or holds it after, or when a scan in peace said the same. Where both of these name a
file, so must a scan that calls itself complete.

The surprise: data that moved away stays where it was, so most claims are right at both moments;
what this finds is a name for bytes that never held it.
"""
import argparse
import glob
import os
import sys

sys.dont_write_bytecode = True
import invariants  # noqa: E402
import judge  # noqa: E402
import truth  # noqa: E402

INCOMPLETE = 16


def named(doc, device, sector, roots):
    """{(names, offset)} of the claims on data of files for one sector."""
    return {(frozenset(judge.names(c["owner"], roots)), c["owner"]["range"]["start"] + skip)
            for c, skip in judge.claims_at(doc, device, sector) if c["owner"]["kind"] == "file-data"}


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


def judge_doc(doc, sectors, peace, roots):
    complete = not doc["pmemctl"]["exit_status"] & INCOMPLETE
    for (disk, sector), true in sectors.items():
        said = named(doc, disk, sector, roots)
        calm = [named(p, disk, sector, roots) for p in peace]
        for names, offset in said - true.union(*calm):
            yield f"{disk} sector {sector}: never was {sorted(map(str, names))} at {offset}"
        if complete and all(calm) and not said:
            yield f"{disk} sector {sector}: called complete, and no file is named"


def judge_peace(doc, sectors, roots):
    """In peace nothing but the truth may be said."""
    for (disk, sector), true in sectors.items():
        said = named(doc, disk, sector, roots)
        if true and said - true:
            yield f"{disk} sector {sector}: in peace, {sorted(map(str, said - true))}"


def complaints(options):
    manifest = truth.Manifest(options.manifest)
    sectors = read_sectors(options.phase, manifest)
    peace = [judge.load(os.path.join(options.phase, f"{n}.json")) for n in ("before", "after")]
    scans = sorted(glob.glob(os.path.join(options.phase, "scan-*.json")))
    vague = 0
    for doc in peace:
        yield from judge_peace(doc, sectors, options.root)
    for name in scans:
        doc = judge.load(name)
        with open(name.removesuffix("json") + "status", encoding="ascii") as file:
            status = int(file.read())
        vague += bool(status & INCOMPLETE)
        for text in [*invariants.check_scan(doc, status),
                     *judge_doc(doc, sectors, peace, options.root)]:
            yield f"{os.path.basename(name)}: {text}"
    live = sum(bool(named(peace[0], *place, options.root)) for place in sectors)
    print(f"# live: {len(scans)} scans, {vague} incomplete; {len(sectors)} sectors, {live} of files",
          file=sys.stderr)
    if live < options.min or not scans:
        yield f"only {live} sectors are of files, {len(scans)} scans"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("phase")
    parser.add_argument("--manifest", required=True)
    parser.add_argument("--root", nargs="+", required=True)
    parser.add_argument("--min", type=int, default=0)
    texts = list(complaints(parser.parse_args()))
    for text in texts[:40]:
        print(text)
    return 1 if texts else 0


if __name__ == "__main__":
    sys.exit(main())
