# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds in every document of pmemctl, whatever it is about.

Each check yields complaints as text; an empty list is a pass. Only promises of the documented
interface are checked here (lengths, sums, vocabulary, exit status), not their truth.
"""
import base64

KINDS = set("""file-data file-xattr directory symlink fs-metadata fs-journal unwritten free
    cow-staging swap raw-device devdax raid-parity raid-metadata volume-metadata cache-copy
    snapshot-store partition-table namespace-metadata unused unknown""".split())
VERDICTS = {"harmless", "recoverable", "lost", "metadata-at-risk", "unknown"}
CERTAINTIES = {"exact", "redundant", "unknown"}
TOP = ["format", "format_version", "pmemctl", "host", "time", "coverage", "messages"]


def raw_path(entry):
    """The bytes of a path entry."""
    if entry["raw"] is not None:
        return base64.b64decode(entry["raw"], validate=True)
    return entry["path"].encode()


def check_path(entry):
    if entry["raw"] is None:
        return
    try:
        raw_path(entry).decode()
    except UnicodeDecodeError:
        return
    except ValueError:
        yield f"raw is not base64: {entry['raw']}"
        return
    yield f"raw given for a path that is UTF-8: {entry['path']!r}"


def check_top(doc, status):
    for key in TOP:
        if key not in doc:
            yield f"no {key} at top level"
            return
    said = doc["pmemctl"]["exit_status"]
    if status is not None and said != status:
        yield f"exit_status {said}, the program's was {status}"
    # a run that failed altogether (4, 8) covers nothing, either
    if doc["coverage"] != ("incomplete" if said & (4 | 8 | 16) else "complete"):
        yield f"coverage {doc['coverage']}, exit status {said}"
    if said & 4 and not any(m["severity"] == "error" for m in doc["messages"]):
        yield "exit status has 4 and no message says why"


def check_claim(finding, claim):
    owner, via = claim["owner"], claim["via"]
    lengths = {hop["length"] for hop in via}
    if owner["range"] is not None:
        lengths.add(owner["range"]["length"])
    if len(lengths) != 1:
        yield f"different lengths in one piece: {sorted(lengths)}"
    if not via or via[0]["device"] != finding["device"]:
        yield "via does not start at the finding's device"
        return
    start, end = via[0]["start"], via[0]["start"] + via[0]["length"]
    whole = finding["range"]
    if start < whole["start"] or end > whole["start"] + whole["length"] or start >= end:
        yield f"piece {start}..{end} outside of its finding"
    yield from check_words(claim)
    yield from check_owner(owner)


def check_words(claim):
    if claim["owner"]["kind"] not in KINDS:
        yield f"owner.kind {claim['owner']['kind']}"
    if claim["certainty"] not in CERTAINTIES:
        yield f"certainty {claim['certainty']}"
    if claim["verdict"] not in VERDICTS:
        yield f"verdict {claim['verdict']}"
    if claim["certainty"] != "exact" and not claim["reason"]:
        yield f"certainty {claim['certainty']} without a reason"


def check_owner(owner):
    for entry in owner.get("paths") or []:
        yield from check_path(entry)
    if owner["kind"] == "file-data":
        for key in ("filesystem", "inode", "generation", "range"):
            if owner[key] is None:
                yield f"file-data without {key}"
        if not owner["paths"] and owner["paths_complete"] is False and not owner["paths_reason"]:
            yield "paths incomplete without a reason"


def check_cover(finding):
    """The pieces together cover the finding, without gaps."""
    at = finding["range"]["start"]
    end = at + finding["range"]["length"]
    pieces = sorted((c["via"][0]["start"], c["via"][0]["length"])
                    for c in finding["claims"] if c["via"])
    for start, length in pieces:
        if start > at:
            yield f"nothing said about {at}..{start}"
        at = max(at, start + length)
    if at < end:
        yield f"nothing said about {at}..{end}"


def names_of(owner):
    return (str(sorted(p["path"] for p in owner.get("paths") or [])), owner.get("paths_reason"))


def check_finding(finding):
    if finding["range"]["length"] <= 0:
        yield "empty range"
    seen = set()
    for claim in finding["claims"]:
        yield from check_claim(finding, claim)
        owner = claim["owner"]
        key = (tuple((h["device"], h["start"], h["length"]) for h in claim["via"]),
               owner["kind"], owner.get("inode"), str(owner.get("range")), owner.get("detail"),
               names_of(owner),
               # of a device with two others on it that are just being set up, each may be unknown
               owner["kind"] == "unknown" and claim["reason"])
        if key in seen:
            yield f"the same claim twice: {key}"
        seen.add(key)
    yield from check_cover(finding)
    if finding["verdict"] not in {c["verdict"] for c in finding["claims"]}:
        yield f"verdict {finding['verdict']} is none of its claims'"


def claims(doc):
    return [c for f in doc["findings"] for c in f["claims"]]


def inode_keys(doc, kinds, verdicts=VERDICTS):
    """Subvolumes have inodes of the same number, so that names tell them apart."""
    return {(str(c["owner"]["filesystem"]), c["owner"]["inode"], names_of(c["owner"]))
            for c in claims(doc)
            if c["owner"]["kind"] in kinds and c["owner"]["inode"] is not None
            and c["verdict"] in verdicts}


def check_summary(doc):
    summary, findings = doc["summary"], doc["findings"]
    total = sum(f["range"]["length"] for f in findings)
    least = len(inode_keys(doc, {"file-data"}, VERDICTS - {"harmless"}))
    most = len(inode_keys(doc, KINDS))
    if summary["findings"] != len(findings):
        yield f"summary.findings {summary['findings']}, there are {len(findings)}"
    if summary["bad_bytes"] != total:
        yield f"summary.bad_bytes {summary['bad_bytes']}, the findings have {total}"
    if not least <= summary["files"] <= most:
        yield f"summary.files {summary['files']}, the claims name {least} to {most}"
    if summary["lost_bytes"] + summary["recoverable_bytes"] > total:
        yield "more bytes lost or recoverable than bad"
    if bool(summary["lost_bytes"]) != any(c["verdict"] == "lost" for c in claims(doc)):
        yield f"summary.lost_bytes {summary['lost_bytes']} disagrees with the claims"


def check_status(doc):
    status = doc["pmemctl"]["exit_status"]
    known = any(set(f["known_by"]) - {"user"} for f in doc["findings"])
    if known and not status & 1:
        yield f"known bad ranges, exit status {status}"
    if not doc["findings"] and status & 1:
        yield f"no findings, exit status {status}"
    vague = [c for c in claims(doc) if c["certainty"] == "unknown"
             or c["owner"].get("paths_complete") is False]
    if vague and not status & 16:
        yield f"{len(vague)} claims not known, exit status {status}"


def check_overlap(doc):
    """Findings of one device are sorted out: no byte is in two of them."""
    ends = {}
    ranges = sorted((f["device"], f["range"]["start"], f["range"]["length"])
                    for f in doc["findings"])
    for device, start, length in ranges:
        if start < ends.get(device, 0):
            yield f"{device}: findings overlap at {start}"
        ends[device] = start + length


def check_scan(doc, status=None):
    complaints = list(check_top(doc, status))
    if complaints and not all(k in doc for k in TOP):
        return complaints
    for finding in doc["findings"]:
        complaints += [f"{finding['device']} at {finding['range']['start']}: {text}"
                       for text in check_finding(finding)]
    for check in (check_summary, check_status, check_overlap):
        complaints += check(doc)
    return complaints


def check_where(doc, status=None):
    complaints = list(check_top(doc, status))
    at = last = None
    for piece in doc.get("pieces", []):
        start, length = piece["range"]["start"], piece["range"]["length"]
        coding = piece["compressed"]
        if at is not None and start != at and piece["range"] != last:
            complaints.append(f"pieces do not follow each other at {at}")
        at, last = start + length, piece["range"]
        if coding:
            length = coding["range"]["length"]
            if coding["range"]["start"] + length > coding["size"]:
                complaints.append(f"piece at {start}: more than there is of compressed bytes")
        if piece["state"] not in ("data", "unwritten", "hole", "inline", "delalloc"):
            complaints.append(f"state {piece['state']}")
        if {hop["length"] for hop in piece["via"]} - {length}:
            complaints.append(f"piece at {start}: lengths of via differ")
        if piece["state"] in ("data", "unwritten") and not piece["via"] and not piece["reason"]:
            complaints.append(f"piece at {start}: no via")
    return complaints
