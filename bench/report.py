#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""report.py FOLDER: report.md, report.json and growth.svg from the raw results of bench/run.

Exit status 1 when an answer is wrong or a promise is broken by more than the noise.
"""
import json
import os
import sys

sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
import answers as comparison  # noqa: E402
import figures  # noqa: E402
import plot  # noqa: E402

MIB = figures.MIB
HOW = ("Runs take turns. Times are medians in milliseconds; ratios are ratios of medians and, in "
       "brackets, the median of the ratios within each turn. `NAME@N` is a bare program with N "
       "threads, the fastest of the numbers tried before the turns.")
TITLES = {
    "xfs": "XFS with a reverse map",
    "plain": "XFS without a reverse map",
    "parents": "XFS with parent pointers",
    "ext4": "ext4",
    "btrfs": "btrfs",
}
CASES = {
    "walk": "bare walk over all directories, getdents only",
    "one-thread-walk": "bare walk, one thread",
    "nothing-bad": "pmemctl scan of the device when nothing is bad: start, devices, mounts",
    "queries-512": "a bare GETFSMAP for each block",
    "parents-512": "bare handle-open and GETPARENTS for each owner of a block",
    "sweep-bmap": "bare BULKSTAT and GETBMAPX of all files and directories",
    "sweep-fiemap": "bare BULKSTAT and FIEMAP of all files",
    "pass-512": "one sequential pass over the inode tables on the device",
    "calls-512": "bare LOGICAL_INO for each block, INO_PATHS for each inode",
    "pipeline-512": "bench/pipeline: a query for each block in one xfs_io, one find, one awk",
    "inum.512": "a query for each block in one xfs_io, one find with -inum for each inode",
    "whole.512": "the whole fsmap -vvv, awk, find",
    "filefrag.512": "filefrag -v of all files, awk",
    "debugfs-512": "debugfs icheck, then ncheck",
    "resolve-512": "btrfs inspect-internal logical-resolve, once for each block",
}


def load(path, default=None):
    if not os.path.exists(path):
        return default
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def load_trees(folder):
    return {name[len("tree-"):-len(".json")]: load(os.path.join(folder, name))
            for name in sorted(os.listdir(folder))
            if name.startswith("tree-") and name.endswith(".json")}


def load_healthy(folder):
    guests = []
    for name in sorted(os.listdir(folder)):
        if name.startswith("guest-") and name.endswith(".json"):
            guest = load(os.path.join(folder, name))
            rows = figures.load_lines(os.path.join(folder, name[:-5] + ".jsonl"))
            guest["times"] = figures.summarize(rows)[""]
            guests.append(guest)
    return guests


# ---- Markdown ----

def table(head, rows):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(str(cell) for cell in row) + " |"
    yield ""


def msec(usec):
    return f"{usec / 1000:.1f}" if usec < 100_000 else f"{usec / 1000:.0f}"


def times(ratio):
    if ratio[1] is None:
        return f"{ratio[0]:.2f}"
    return "{:.2f} ({:.2f})".format(*ratio)


def describe(runs):
    last = {part: run for run in runs for part in run["parts"]}
    for run in runs:
        parts = [part for part in run["parts"] if last[part] is run]
        if not parts:
            continue
        yield (f"Machine: {run['cpu']}, {run['cores']} cores, "
               f"{run['memory_kib'] / (1 << 20):.0f} GiB, Linux {run['kernel']}; load at the "
               f"start {run['load']:.1f}. Command: `{run['command'].strip()}`, version "
               f"`{run['version']}`: {', '.join(parts)}.")
        yield ""
    yield "Filesystems on loop devices with direct I/O."
    yield ""


def outcome(promise):
    word = "yes" if promise["kept"] else "**no**"
    return word + (", but within the noise" if promise["in_noise"] else "")


def markdown_promises(promises):
    yield "## Goals"
    yield ""
    yield from table(("goal", "measured", "by turn", "limit", "kept"),
                     ((p["what"], f"{p['value']:.2f} {p['unit']}",
                       f"{p['by_turn']:.2f}" if p["by_turn"] else "",
                       f"at {'most' if p['at_most'] else 'least'} {p['limit']:g} {p['unit']}",
                       outcome(p)) for p in promises))
    yield (f"A cold difference of less than {figures.COLD_NOISE} times proves nothing: cold goals "
           "that near to their limit are neither kept nor missed for certain. Floors that are sums "
           "count the start of two programs, about a millisecond each.")
    yield ""


def named_by(rows):
    """{case: pairs that it names, of all that are known}, for the rows of one part."""
    found = {}
    for row in rows:
        missed = row["only_peer"] or 0
        ours = found.get(f"pmemctl-{row['blocks']}", (0, 0))
        found[f"pmemctl-{row['blocks']}"] = (row["pmemctl_pairs"], max(ours[1], missed))
        if row["peer"]:
            found[f"{row['peer']}-{row['blocks']}"] = (row["peer_pairs"], row["only_pmemctl"])
    return {case: f"{pairs} of {pairs + missed}" for case, (pairs, missed) in found.items()}


def case_rows(cases, named):
    for name, case in cases.items():
        count = name.replace(".", "-").rsplit("-", 1)[-1]
        ours = cases.get("pmemctl-512" if not count.isdigit() else "pmemctl-" + count)
        yield (name, case["runs"], msec(case["wall_usec"]),
               f"{msec(case['wall_min_usec'])} to {msec(case['wall_max_usec'])}",
               f"{case['quartile_spread']:.0%}" if case["runs"] > 1 else "",
               msec(case["cpu_usec"]), f"{case['peak_bytes'] / MIB:.1f}",
               times(figures.ratio_of(case, ours)) if ours else "",
               named.get(name.replace(".", "-"), ""))


def thread_rows(phases):
    for phase in figures.BOTH:
        found = {}
        for name, case in phases.get(phase + "-threads", {}).items():
            found.setdefault(name.split("@")[0], []).append(msec(case["wall_usec"]))
        for name, cells in found.items():
            yield (name, phase, *cells)


def thread_head(phases):
    names = list(phases.get("warm-threads", {}))
    return ("floor", "caches", *(name.split("@")[1] for name in names
                                 if name.split("@")[0] == names[0].split("@")[0]))


def markdown_threads(phases):
    if not any(phase.endswith("-threads") for phase in phases):
        return
    yield "Floors by the number of threads, before the turns:"
    yield ""
    yield from table(thread_head(phases), thread_rows(phases))


def markdown_singles(phases):
    rows = []
    for phase in figures.BOTH:
        cases = phases.get(phase + "-single")
        if cases:
            found = figures.singles(cases)
            rows.append((phase, len(found), cases["block-0"]["runs"], msec(found[0]),
                         msec(found[len(found) // 10]),
                         msec(figures.statistics.median(found)), msec(found[-len(found) // 10]),
                         msec(found[-1]), msec(cases["walk@1"]["wall_usec"])))
    if rows:
        yield "Single blocks, each the median of its own runs:"
        yield ""
        yield from table(("caches", "blocks", "runs of each", "fastest", "first tenth",
                          "median", "last tenth",
                          "slowest", "bare walk, one thread"), rows)


def tree_line(tree):
    return (f"{tree['files']:,} files in {tree['directories']:,} directories, "
            f"{tree['hard_links']:,} hard links, {tree['reflinked_copies']:,} reflinked copies "
            f"({tree['of_these_one_block_only']:,} of them share one block only), one file of "
            f"{tree['large_file_extents']:,} extents.")


def markdown_part(title, phases, tree, named):
    yield f"## {title}"
    yield ""
    yield tree_line(tree)
    yield ""
    for name in CASES:
        if any(figures.find(phases.get(phase, {}), name) for phase in figures.BOTH):
            yield f"* `{name}`: {CASES[name]}"
    yield ""
    for phase in figures.BOTH:
        if phase in phases:
            yield f"Caches {phase}:"
            yield ""
            yield from table(("case", "runs", "wall", "from to", "middle half", "CPU",
                              "peak MiB (worst)", "x pmemctl", "pairs named"),
                             case_rows(phases[phase], named))
    yield from markdown_threads(phases)
    yield from markdown_singles(phases)


def markdown_parts(report):
    yield "## How to read the tables"
    yield ""
    yield (HOW + " `pmemctl-N` is asked about N blocks; `x pmemctl` says how many times longer "
           "than that one for as many blocks (512 if the case has no number), `pairs named` "
           "how many pairs of a block and a path it names, of all that are known. Cold: unmounted, "
           "caches dropped, mounted again, programs read back in. Blocks are chosen at random from "
           "all that hold data of files and, on XFS with a reverse map, of directories.")
    yield ""
    for part, title in TITLES.items():
        tree = report["trees"].get(part)
        if tree and "left_out" in tree:
            yield from (f"## {title}", "", f"Left out: {tree['left_out']}.", "")
        elif tree and part in report["times"]:
            named = named_by([row for row in report["answers"] if row["part"] == part])
            yield from markdown_part(title, report["times"][part], tree, named)


def growth_rows(rows, cases):
    for files, phases in rows:
        for case in cases:
            cells = [phases.get(phase, {}).get(case) for phase in figures.BOTH]
            peer = [phases.get(phase, {}).get(case.replace("pmemctl", "pipeline"))
                    for phase in figures.BOTH]
            if cells[0]:
                yield (f"{files:,}", case, *(msec(c["wall_usec"]) if c else "" for c in cells),
                       f"{max(c['peak_bytes'] for c in cells if c) / MIB:.1f}",
                       *(msec(c["wall_usec"]) if c and "pmemctl" in case else "" for c in peer))


def growth_cases(rows):
    return [name for name in rows[-1][1]["warm"]
            if name.startswith("pmemctl-")] + ["one-thread-walk"]


def markdown_growth(rows):
    if len(rows) < 2:
        return
    yield "## Growth"
    yield ""
    yield ("XFS with a reverse map; the last two columns are the pipeline of today for as many "
           "blocks.")
    yield ""
    yield from table(("files", "case", "warm ms", "cold ms", "peak MiB (worst)",
                      "pipeline warm ms", "cold ms"), growth_rows(rows, growth_cases(rows)))
    yield "![time by number of files](growth.svg)"
    yield ""


def markdown_answers(rows, calls):
    if rows:
        yield "## Answers"
        yield ""
        yield ("Pairs of a bad block and a path; all are asked about the same blocks. filefrag "
               "does not look at directories.")
        yield ""
        yield from table(
            ("part", "blocks", "against", "pairs pmemctl", "pairs it", "only pmemctl", "only it",
             "blocks without a name", "coverage"),
            ((r["part"], r["blocks"], r["peer"] or "(nothing)", r["pmemctl_pairs"],
              *("" if r[key] is None else r[key]
                for key in ("peer_pairs", "only_pmemctl", "only_peer")),
              r["blocks_without_name"], r["coverage"]) for r in rows))
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
                         times(figures.ratio_of(case, base))))
    yield from table(("namespaces", "kernel", "case", "runs", "wall", "from to", "middle half",
                      "CPU", "x ndctl list -N"), rows)
    walks = sum(guest["directory_reads"] for guest in healthy)
    yield f"Calls of these scans that read directories of the filesystems (strace): {walks}."
    yield ""


def markdown(report, rows):
    yield "# pmemctl: measured"
    yield ""
    yield from describe(report["runs"])
    yield from markdown_promises(report["promises"])
    yield from markdown_answers(report["answers"], report["calls"])
    yield from markdown_growth(rows)
    yield from markdown_parts(report)
    yield from markdown_healthy(report["healthy"])


def main(folder):
    parts = figures.summarize(figures.load_lines(os.path.join(folder, "results.jsonl")))
    trees, healthy = load_trees(folder), load_healthy(folder)
    report = {
        "format": "pmemctl.bench", "format_version": [2, 0],
        "runs": figures.load_lines(os.path.join(folder, "runs.jsonl")),
        "trees": trees, "calls": load(os.path.join(folder, "calls.json")),
        "times": parts, "answers": comparison.compare_all(os.path.join(folder, "answers")),
        "healthy": healthy,
        "promises": figures.judge_all(parts, trees, healthy),
    }
    rows = figures.growth(parts, trees)
    if len(rows) > 1:
        with open(os.path.join(folder, "growth.svg"), "w", encoding="utf-8") as file:
            file.write(plot.draw(rows, growth_cases(rows)))
    with open(os.path.join(folder, "report.json"), "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
    with open(os.path.join(folder, "report.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(markdown(report, rows)).rstrip("\n") + "\n")
    right = all(comparison.are_right(row) for row in report["answers"])
    walked = (report["calls"] or {}).get("healthy", 0) or sum(g["directory_reads"] for g in healthy)
    kept = all(promise["kept"] or promise["in_noise"] for promise in report["promises"])
    return 0 if right and kept and not walked else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
