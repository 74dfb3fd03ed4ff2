# SPDX-License-Identifier: GPL-2.0-or-later
"""Answers of pmemctl compared with those of other tools: pairs of a bad block and a path.

A tool that knows less than pmemctl does not make it wrong; a pair that only the tool knows does.
All have to be alike but filefrag, which does not look at directories, where their blocks are among
those that are asked about.
"""
import json
import os

SECTOR = 512
LESS = [("xfs", "filefrag")]  # (part, tool)


def read_blocks(path):
    """(first sector, sectors) of each block."""
    with open(path, encoding="ascii") as file:
        return [tuple(map(int, line.split())) for line in file]


def peer_pairs(path):
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            sector, name = line.rstrip("\n").split(" ", 1)
            yield int(sector), name.rstrip("/")


def pmemctl_pairs(document, blocks):
    """Each block that a claim covers, with each of the claim's paths."""
    starts = {sector * SECTOR: sector for sector, _ in blocks}
    step = min(count for _, count in blocks) * SECTOR
    for finding in document["findings"]:
        for claim in finding["claims"]:
            hop = claim["via"][-1]
            for at in range(hop["start"], hop["start"] + hop["length"], step):
                for path in claim["owner"].get("paths") or ():
                    yield starts[at], path["path"]


def compare(folder, part, count):
    """One row for each other tool; one without a tool when there is none."""
    here = os.path.join(folder, part)
    blocks = read_blocks(os.path.join(here, f"blocks.{count}"))
    with open(os.path.join(here, f"pmemctl.{count}"), encoding="utf-8") as file:
        document = json.load(file)
    ours = set(pmemctl_pairs(document, blocks))
    peers = sorted(name.rsplit(".", 1)[0] for name in os.listdir(here)
                   if name.endswith(f".{count}") and name.split(".")[0] not in
                   ("blocks", "pmemctl"))
    for peer in peers or (None,):
        theirs = set(peer_pairs(os.path.join(here, f"{peer}.{count}"))) if peer else None
        yield {
            "part": part, "blocks": count, "coverage": document["coverage"], "peer": peer,
            "pmemctl_pairs": len(ours),
            "blocks_without_name": len({s for s, _ in blocks} - {s for s, _ in ours}),
            "peer_pairs": len(theirs) if peer else None,
            "only_pmemctl": len(ours - theirs) if peer else None,
            "only_peer": len(theirs - ours) if peer else None,
            "examples": sorted(ours ^ theirs)[:5] if peer else [],
        }


def compare_all(folder):
    rows = []
    for part in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        counts = sorted(int(name.split(".")[1]) for name in os.listdir(os.path.join(folder, part))
                        if name.startswith("pmemctl."))
        for count in counts:
            rows.extend(compare(folder, part, count))
    return rows


def are_right(row):
    if not row["peer"]:
        return True
    less = (row["part"], row["peer"]) in LESS
    return row["only_peer"] == 0 and (less or row["only_pmemctl"] == 0)
