#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""noise.py: compares documents of pmemctl with files whose sectors say whose they are.

    scan SCAN DRAWN NAMES ROOT   DRAWN: lines of `selfdata decode`; NAMES: "CONTENT\\tPATH" below ROOT
    where WHERE NAMES            WHERE: "PATH\\tSTART\\tLENGTH\\tSECTOR TAG CONTENT OFFSET GENERATION"

One line per complaint, and status 1 when there is one, or when there was too little to compare.
"""
import base64
import collections
import json
import sys

SECTOR = 512


def read_names(name):
    found = collections.defaultdict(set)
    with open(name, "rb") as lines:
        for line in lines:
            content, _, path = line.rstrip(b"\n").partition(b"\t")
            found[int(content)].add(path)
    return found


def raw_path(path):
    return base64.b64decode(path["raw"]) if path["raw"] else path["path"].encode()


def check_claims(claims, words, names, root):
    """Claims on one sector; words: what it says."""
    file = names.get(int(words[2])) if len(words) == 5 else None
    kinds = sorted((c["owner"]["kind"], c["certainty"]) for c in claims)
    if not file:
        # whatever has it, no file of this test has; a directory may be a file to its filesystem
        if not all(kind in ("unknown", "directory") for kind, _ in kinds):
            yield f"is called {kinds}, and is no file's"
        return
    if kinds != [("file-data", "exact")]:
        yield f"is called {kinds}, and is one of {sorted(file)}"
        return
    owner = claims[0]["owner"]
    said = {raw_path(p) for p in owner["paths"]}
    if said != {root + b"/" + path for path in file}:
        yield f"is called {sorted(said)}, and is {sorted(file)}"
    if not owner["paths_complete"]:
        yield f"names are called incomplete: {owner['paths_reason']}"
    if owner["range"]["start"] != int(words[3]):
        yield f"is at {words[3]}, not at {owner['range']['start']}"


def check_scan(scan, drawn, names, root):
    with open(scan, encoding="utf-8") as file:
        doc = json.load(file)
    names, live, others = read_names(names), 0, 0
    found = {f["range"]["start"] // SECTOR: f["claims"] for f in doc["findings"]}
    with open(drawn, encoding="ascii") as lines:
        for words in map(str.split, lines):
            sector = int(words[0])
            claims = found.get(sector)
            if claims is None:  # part of a longer one
                start = max((s for s in found if s < sector), default=None)
                claims = [] if start is None else None
            if claims is None:
                continue
            mine = len(words) == 5 and int(words[2]) in names
            live, others = live + mine, others + (not mine)
            if not claims:
                yield f"sector {sector}: no claim"
            yield from (f"sector {sector}: {text}"
                        for text in check_claims(claims, words, names, root.encode()))
    print(f"# {live} sectors of files, {others} others", file=sys.stderr)
    if live < 30 or others < 10:
        yield "too few to compare"


def check_where(where, names):
    contents = {path: content for content, paths in read_names(names).items() for path in paths}
    compared = 0
    with open(where, "rb") as lines:
        for line in lines:
            path, start, _, words = line.rstrip(b"\n").split(b"\t")
            words = words.split()
            compared += 1
            if len(words) != 5 or int(words[2]) != contents[path] or int(words[3]) != int(start):
                yield f"{path} at {int(start)}: there is {words}"
    print(f"# {compared} pieces", file=sys.stderr)
    if compared < 10:
        yield "too few to compare"


def main():
    check = {"scan": check_scan, "where": check_where}[sys.argv[1]]
    complaints = list(check(*sys.argv[2:]))
    for text in complaints[:40]:
        print(text)
    return 1 if complaints else 0


sys.exit(main())
