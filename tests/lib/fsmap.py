# SPDX-License-Identifier: GPL-2.0-or-later
"""judge.py fsmap and daddrs: claims on metadata and free space against GETFSMAP, xfs_db and the bytes themselves."""
import sys

import degraded
import truth
import xfs
from documents import claims_at, load, on_filesystem
from truth import SECTOR, truths


def judge_degraded_content(options, doc, manifest, top):
    return degraded.check_content([
        (device, raw, {(claim["via"][-1]["start"] + skip) // SECTOR
                       for claim, skip in claims_at(doc, device, raw.sector)})
        for device, sectors in truths(options, manifest).items()
        for raw in sectors.values() if raw.kind == "other"], top)


def judge_content(options, doc):
    """A sector that is no self-data must be found, byte by byte, where the claim says it is."""
    manifest = truth.Manifest(options.manifest)
    top = truth.read_truth(options.top, manifest)
    compared = 0
    if options.degraded:
        yield from judge_degraded_content(options, doc, manifest, top)
        return
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
    found, records = on_filesystem(doc), xfs.read_fsmap(options.fsmap)
    for sector, claims in sorted(found.items()):
        yield from (f"fs sector {sector}: {text}"
                    for text in xfs.check_sector(records, sector, claims))
    if options.db:
        yield from xfs.check_db(options.db, found, options.unmapped)
    if options.top:
        yield from judge_content(options, doc)
    print(f"# fsmap: judged {len(found)} fs sectors", file=sys.stderr)
    if len(found) < options.min:
        yield f"only {len(found)} claims on the filesystem, not {options.min}"


def judge_daddrs(options):
    for sector in sorted(on_filesystem(load(options.scan))):
        print(sector)
    return ()
