#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""inverse.py PMEMCTL MANIFEST ROOT SEED COUNT: `where` and `scan --range` are inverse.

Random files and ranges of the manifest go down by `where`; every piece of data that comes back
must come up again by `scan --range` as the same bytes of the same file. Then random claims of
that scan go down again and must arrive at the piece of the device that they came from.

It says nothing of whether both are right: they could agree on a lie. That is what the raw
sectors are for (judge.py). Prints complaints; the status is 1 when there are any.
"""
import json
import os
import random
import subprocess
import sys

sys.dont_write_bytecode = True
import invariants  # noqa: E402
import truth  # noqa: E402

AT_ONCE = 200  # ranges in one scan


def run(pmemctl, *arguments):
    done = subprocess.run([pmemctl, "--json", *arguments], stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout), done.returncode


def where(pmemctl, path, start, length):
    doc, status = run(pmemctl, "where", path + b":%d+%d" % (start, length))
    return doc, invariants.check_where(doc, status)


def pick(rng, manifest):
    """(File, one of its paths, start, length), within the file."""
    files = [f for f in manifest.files if f.kind == "f" and f.size]
    file = rng.choice(files)
    start = rng.randrange(file.size)
    length = rng.randint(1, min(file.size - start, rng.choice([1, 512, 4096, 200000])))
    return file, rng.choice(file.paths), start, length


def bottom(piece):
    """Where the test's own stack begins: on a loop device the way goes on to the host's disk."""
    named = [h for h in piece["via"] if h["device"] in os.environ.get("BOTTOM", "").split()]
    return (named or piece["via"])[0]


def check_tiling(doc, start, length):
    at, last = start, None
    for piece in doc["pieces"]:
        if piece["range"] == last: # a copy
            continue
        last = piece["range"]
        if last["start"] != at:
            yield f"a gap at {at}"
        at = piece["range"]["start"] + piece["range"]["length"]
    if at != start + length:
        yield f"pieces end at {at}, not {start + length}"


def found_again(piece, path, claims):
    """Do the claims on this path cover the piece, each byte at its place?"""
    hop, at = bottom(piece), piece["range"]["start"]
    end = at + piece["range"]["length"]
    delta = at - hop["start"]
    spans = sorted((c["owner"]["range"]["start"], c["owner"]["range"]["length"]) for c in claims
                   if c["via"][0]["device"] == hop["device"] and c["owner"]["range"]
                   and c["owner"]["range"]["start"] - c["via"][0]["start"] == delta
                   and path in [invariants.raw_path(p) for p in c["owner"]["paths"]])
    for start, length in spans:
        if start <= at:
            at = max(at, start + length)
    return at >= end


def go_down(pmemctl, manifest, root, rng, count):
    """[(path, piece)] of data, and complaints."""
    pieces, complaints = [], []
    for _ in range(count):
        _, name, start, length = pick(rng, manifest)
        path = os.path.join(os.fsencode(root), name)
        doc, bad = where(pmemctl, path, start, length)
        bad += check_tiling(doc, start, length)
        complaints += [f"where {path}:{start}+{length}: {text}" for text in bad]
        pieces += [(path, p) for p in doc["pieces"] if p["state"] == "data"]
    return pieces, complaints


def come_up(pmemctl, pieces):
    """Claims on file data of a scan of all pieces, and complaints."""
    claims, complaints = [], []
    for i in range(0, len(pieces), AT_ONCE):
        ranges = []
        for _, piece in pieces[i:i + AT_ONCE]:
            hop = bottom(piece)
            ranges += ["--range", f"{hop['device']}:{hop['start']}+{hop['length']}"]
        doc, status = run(pmemctl, "scan", *ranges)
        complaints += invariants.check_scan(doc, status)
        claims += [c for c in invariants.claims(doc) if c["owner"]["kind"] == "file-data"]
    complaints += [f"{path}: {piece['range']} does not come up again" for path, piece in pieces
                   if not found_again(piece, path, claims)]
    return claims, complaints


def down_again(pmemctl, claim, rng):
    path = invariants.raw_path(rng.choice(claim["owner"]["paths"]))
    place, hop = claim["owner"]["range"], claim["via"][0]
    doc, complaints = where(pmemctl, path, place["start"], place["length"])
    # past the end of the file there is nothing to say
    for at in sorted({p["range"]["start"] for p in doc["pieces"]}):
        wanted = (hop["device"], hop["start"] + at - place["start"])
        got = [(bottom(p)["device"], bottom(p)["start"]) for p in doc["pieces"]
               if p["range"]["start"] == at and p["via"]]
        if wanted not in got:
            complaints.append(f"byte {at} is at {got}, not {wanted}")
    return [f"down again, {path}: {text}" for text in complaints]


def main():
    pmemctl, manifest, root, seed, count = sys.argv[1:]
    rng = random.Random(int(seed))
    pieces, complaints = go_down(pmemctl, truth.Manifest(manifest), root, rng, int(count))
    claims, more = come_up(pmemctl, pieces)
    complaints += more
    named = [c for c in claims if c["owner"]["paths"]]
    for claim in rng.sample(named, min(len(named), int(count))):
        complaints += down_again(pmemctl, claim, rng)
    if not named:
        complaints.append("nothing was compared")
    for text in complaints[:40]:
        print(text)
    print(f"# inverse: {len(pieces)} pieces, {len(claims)} claims, {len(complaints)} complaints",
          file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
