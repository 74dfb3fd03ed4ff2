#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""report.py FOLDER: report.md and report.json from the raw results that bench/run left in FOLDER.

Also compares the answers: (block, path) pairs of pmemctl with those of the expert's pipeline.
Exit status 1 when an answer differs or a limit is missed by more than the spread of the runs.

Limits are judged by the ratio of medians.  Beside it stands the median of the ratios within
each turn: where the two are far apart, other work on the machine has disturbed the run and neither
proves much.  Memory is that of the worst run: a limit on memory has no good days.
"""
import json
import os
import statistics
import sys

SECTOR = 512
MIB = 1 << 20
# The promises that the project's issues name; each: (what, phase, case, base, at most).
RATIOS = [
    ("512 blocks against the bare walk, one thread", "warm", "pmemctl-512", "walk", 1.15),
]
PEER_SPEEDUP = {"warm": 4.0, "cold": 4.0}  # against the pipeline, 512 blocks
MEMORY_512 = 64 * MIB
HEALTHY = 1.3  # of the time of ndctl list -N
COLD_NOISE = 1.2  # cold differences below this prove nothing


def load(path, default=None):
    if not os.path.exists(path):
        return default
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def load_lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def summarize(rows):
    """{phase: {case: figures}} in the order of the first turn."""
    groups = {}
    for row in rows:
        phase, case = row["case"].split("/", 1)
        groups.setdefault(phase, {}).setdefault(case, []).append(row)
    return {phase: {case: figures(runs) for case, runs in cases.items()}
            for phase, cases in groups.items()}


def figures(runs):
    wall = [run["wall_usec"] for run in runs]
    median = statistics.median(wall)
    return {
        "runs": len(runs),
        "wall_usec": median,
        "wall_min_usec": min(wall),
        "wall_max_usec": max(wall),
        "walls_usec": wall,
        "spread": (max(wall) - min(wall)) / median,
        "quartile_spread": quartile_spread(wall) / median,
        "cpu_usec": statistics.median(run["user_usec"] + run["system_usec"] for run in runs),
        "user_usec": statistics.median(run["user_usec"] for run in runs),
        "peak_bytes": max(run["peak_kib"] for run in runs) * 1024,
    }


def quartile_spread(values):
    if len(values) < 4:
        return max(values) - min(values)
    low, _, high = statistics.quantiles(values, n=4)
    return high - low


def read_blocks(path):
    """Sectors of the first and the last sector of each block."""
    with open(path, encoding="ascii") as file:
        return [tuple(map(int, line.split())) for line in file]


def pipeline_pairs(path):
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
            if not claim["owner"].get("paths"):
                continue
            hop = claim["via"][-1]
            for at in range(hop["start"], hop["start"] + hop["length"], step):
                for path in claim["owner"]["paths"]:
                    yield starts[at], path["path"]


def compare_answers(folder):
    answers = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        kind, count = name.rsplit(".", 1)
        if kind != "blocks":
            continue
        blocks = read_blocks(os.path.join(folder, name))
        document = load(os.path.join(folder, "pmemctl." + count))
        ours = set(pmemctl_pairs(document, blocks))
        theirs = set(pipeline_pairs(os.path.join(folder, "pipeline." + count)))
        answers.append({
            "blocks": int(count), "coverage": document["coverage"],
            "pmemctl_pairs": len(ours), "pipeline_pairs": len(theirs),
            "only_pmemctl": len(ours - theirs), "only_pipeline": len(theirs - ours),
            "blocks_without_name": len({sector for sector, _ in blocks} -
                                       {sector for sector, _ in ours}),
            "examples": sorted(ours ^ theirs)[:5],
        })
    return sorted(answers, key=lambda answer: answer["blocks"])


def ratio_of(case, base):
    """How many times longer @case takes than @base: (ratio of medians, median of ratios)."""
    return (case["wall_usec"] / base["wall_usec"],
            statistics.median(a / b for a, b in zip(case["walls_usec"], base["walls_usec"])))


def judge(what, value, limit, unit, at_most=True, by_turn=None):
    good = value <= limit if at_most else value >= limit
    return {"what": what, "value": value, "by_turn": by_turn, "limit": limit, "at_most": at_most,
            "unit": unit, "kept": bool(good)}


def judge_times(times):
    for what, phase, case, base, limit in RATIOS:
        cases = times.get(phase, {})
        if case in cases and base in cases:
            ratio, by_turn = ratio_of(cases[case], cases[base])
            yield judge(f"{what}, {phase}", ratio, limit, "times", by_turn=by_turn)
    for phase, limit in PEER_SPEEDUP.items():
        cases = times.get(phase, {})
        if "pmemctl-512" in cases and "pipeline-512" in cases:
            speedup, by_turn = ratio_of(cases["pipeline-512"], cases["pmemctl-512"])
            yield judge(f"512 blocks faster than the pipeline, {phase}", speedup, limit, "times",
                        at_most=False, by_turn=by_turn)
    peaks = [cases["pmemctl-512"]["peak_bytes"] for cases in times.values()
             if "pmemctl-512" in cases]
    if peaks:
        yield judge("peak memory for 512 blocks", max(peaks) / MIB, MEMORY_512 / MIB, "MiB")


def judge_healthy(healthy):
    for guest in healthy:
        cases = guest["times"]["healthy"]
        ratio, by_turn = ratio_of(cases["scan"], cases["ndctl-list"])
        yield judge(f"healthy scan against ndctl list -N, {guest['namespaces']} namespaces, "
                    f"kernel {guest['kernel']}", ratio, HEALTHY, "times", by_turn=by_turn)


def load_healthy(folder):
    guests = []
    for name in sorted(os.listdir(folder)):
        if name.startswith("guest-") and name.endswith(".json"):
            guest = load(os.path.join(folder, name))
            guest["times"] = summarize(load_lines(os.path.join(folder, name[:-5] + ".jsonl")))
            guests.append(guest)
    return guests


# ---- Markdown ----

HOW = ("Runs take turns. Times are medians in milliseconds; ratios are ratios of medians and, in "
       "brackets, the median of the ratios within each turn.")

def table(head, rows):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(str(cell) for cell in row) + " |"
    yield ""


def msec(usec):
    return f"{usec / 1000:.1f}" if usec < 100_000 else f"{usec / 1000:.0f}"


def times(ratio):
    return "{:.2f} ({:.2f})".format(*ratio)


def time_rows(cases):
    floor = cases.get("walk")
    for name, case in cases.items():
        peer = cases.get(name.replace("pmemctl", "pipeline")) if "pmemctl" in name else None
        yield (name, case["runs"], msec(case["wall_usec"]),
               f"{msec(case['wall_min_usec'])} to {msec(case['wall_max_usec'])}",
               f"{case['quartile_spread']:.0%}", msec(case["cpu_usec"]),
               f"{case['peak_bytes'] / MIB:.1f}",
               times(ratio_of(case, floor)) if floor else "",
               times(ratio_of(peer, case)) if peer else "")


def describe(run, tree):
    if run:
        yield (f"Machine: {run['cpu']}, {run['cores']} cores, "
               f"{run['memory_kib'] / (1 << 20):.0f} GiB, Linux {run['kernel']}; load at the "
               f"start {run['load']:.1f}. Command: `{run['command'].strip()}`, version "
               f"`{run['version']}`.")
        yield ""
    if tree:
        yield (f"Tree: {tree['files']:,} files in {tree['directories']:,} directories, "
               f"{tree['hard_links']:,} hard links, {tree['reflinked_copies']:,} reflinked copies "
               f"({tree['of_these_one_block_only']:,} of them share one block only), one file of "
               f"{tree['large_file_extents']:,} extents; XFS with rmapbt and reflink on a loop "
               "device with direct I/O. Blocks are chosen at random from all that hold data of "
               "files and directories.")
        yield ""


def markdown_times(times):
    notes = {
        "warm": "Caches warm.",
        "cold": "Caches cold: unmounted, caches dropped, mounted again, programs read back in. "
                f"A cold difference of less than {COLD_NOISE} times proves nothing.",
    }
    for phase in ("warm", "cold"):
        if phase not in times:
            continue
        yield f"## {phase.capitalize()}"
        yield ""
        yield f"{notes[phase]} {HOW}"
        yield ""
        yield from table(("case", "runs", "wall", "from to", "middle half", "CPU",
                          "peak MiB (worst)", "x walk", "faster than pipeline"),
                         time_rows(times[phase]))


def markdown_answers(answers, calls):
    if answers:
        yield "## Answers"
        yield ""
        yield "Pairs of a bad block and a path; both programs are asked about the same blocks."
        yield ""
        yield from table(
            ("blocks", "pairs pmemctl", "pairs pipeline", "only pmemctl", "only pipeline",
             "blocks without a name", "coverage"),
            ((a["blocks"], a["pmemctl_pairs"], a["pipeline_pairs"], a["only_pmemctl"],
              a["only_pipeline"], a["blocks_without_name"], a["coverage"]) for a in answers))
    if calls:
        yield (f"Calls that read directories of the filesystem (strace): {calls['healthy']} when "
               f"nothing is bad, {calls['bad_512']} with 512 bad blocks.")
        yield ""


def markdown_healthy(healthy):
    if not healthy:
        return
    yield "## Nothing bad"
    yield ""
    yield ("In a guest (software emulation, so only the ratio means something), each namespace "
           "fsdax with an XFS mounted on it. " + HOW)
    yield ""
    rows = []
    for guest in healthy:
        for name, case in guest["times"]["healthy"].items():
            base = guest["times"]["healthy"]["ndctl-list"]
            rows.append((guest["namespaces"], guest["kernel"], name, case["runs"],
                         msec(case["wall_usec"]),
                         f"{msec(case['wall_min_usec'])} to {msec(case['wall_max_usec'])}",
                         f"{case['quartile_spread']:.0%}", msec(case["cpu_usec"]),
                         times(ratio_of(case, base))))
    yield from table(("namespaces", "kernel", "case", "runs", "wall", "from to", "middle half",
                      "CPU", "x ndctl list -N"), rows)
    walks = sum(guest["directory_reads"] for guest in healthy)
    yield f"Calls of these scans that read directories of the filesystems (strace): {walks}."
    yield ""


def markdown(report):
    yield "# pmemctl: measured"
    yield ""
    yield from describe(report["run"], report["tree"])
    yield "## Goals"
    yield ""
    yield from table(("promise", "measured", "by turn", "limit", "kept"),
                     ((p["what"], f"{p['value']:.2f} {p['unit']}",
                       f"{p['by_turn']:.2f}" if p["by_turn"] else "",
                       f"at {'most' if p['at_most'] else 'least'} {p['limit']:g} {p['unit']}",
                       "yes" if p["kept"] else "**no**") for p in report["promises"]))
    yield from markdown_times(report["times"])
    yield from markdown_answers(report["answers"], report["calls"])
    yield from markdown_healthy(report["healthy"])


def main(folder):
    times = summarize(load_lines(os.path.join(folder, "results.jsonl")))
    healthy = load_healthy(folder)
    report = {
        "format": "pmemctl.bench", "format_version": [1, 0],
        "run": load(os.path.join(folder, "run.json")),
        "tree": load(os.path.join(folder, "tree.json")),
        "calls": load(os.path.join(folder, "calls.json")),
        "times": times, "answers": compare_answers(os.path.join(folder, "answers")),
        "healthy": healthy,
        "promises": list(judge_times(times)) + list(judge_healthy(healthy)),
    }
    with open(os.path.join(folder, "report.json"), "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
    with open(os.path.join(folder, "report.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(markdown(report)).rstrip("\n") + "\n")
    same = all(a["only_pmemctl"] == a["only_pipeline"] == 0 for a in report["answers"])
    walked = (report["calls"] or {}).get("healthy", 0) or sum(g["directory_reads"] for g in healthy)
    kept = all(promise["kept"] for promise in report["promises"])
    return 0 if same and kept and not walked else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
