# SPDX-License-Identifier: GPL-2.0-or-later
"""judge.py where: the pieces of files against the media: is each written sector where its piece says?"""
import collections
import sys

import invariants
import truth
from documents import load, relative
from truth import SECTOR, filled, truths


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


def copies(doc, piece):
    """Different places of the bytes of a piece."""
    return len({(p["via"][-1]["device"], p["via"][-1]["start"]) for p in doc["pieces"]
                if p["range"] == piece["range"]})


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
        places = collections.Counter((p["range"]["start"], p["range"]["length"])
                                     for p in doc["pieces"])
        total = sum(length for _, length in places)
        if options.copies:
            yield from (f"{doc['file']['path']}: {piece['range']} in {copies(doc, piece)} places"
                        for piece in doc["pieces"] if piece["state"] == "data"
                        and copies(doc, piece) != options.copies)
        if options.whole and total != file.size:
            yield f"{doc['file']['path']}: {total} bytes in pieces, not {file.size}"
        for piece in doc["pieces"]:
            pieces += 1
            yield from (f"{doc['file']['path']!r}: {text}"
                        for text in judge_piece(manifest, media, file, piece))
    print(f"# where: judged {pieces} pieces", file=sys.stderr)
    if pieces < options.min:
        yield f"only {pieces} pieces, not {options.min}"
