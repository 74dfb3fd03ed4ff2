#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""figures.py RESULTS PART PHASE NAME: with how many threads was the floor NAME fastest?

As a module: figures of raw results (lines of "PART/PHASE/NAME", by bench/timed), and the promises.

Promises are judged by the ratio of medians.  Beside it stands the median of the ratios within each
turn: where the two are far apart, other work on the machine has disturbed the run and neither
proves much.  Memory is that of the worst run: a limit on memory has no good days.
"""
import json
import os
import statistics
import sys

MIB = 1 << 20
COLD_NOISE = 1.2  # cold differences below this prove nothing
MEMORY_512 = 64 * MIB
MEMORY_GROWTH = 1.1
HEALTHY = 1.3  # of the time of ndctl list -N
BOTH = ("warm", "cold")
# (part, what, phases, floors, at most).  A floor is a sum of cases; of several floors the faster
# one counts.
FLOORS = [
    ("xfs", "512 blocks against 512 bare queries and a bare walk", BOTH,
     [["queries-512", "walk"]], 1.25),
    ("xfs", "512 blocks against the bare walk, one thread", ("warm",), [["one-thread-walk"]], 1.15),
    ("plain", "512 blocks without a reverse map against the faster bare sweep", BOTH,
     [["sweep-bmap"], ["sweep-fiemap"]], 1.25),
    ("parents", "512 blocks with parent pointers against bare queries, handles and GETPARENTS",
     BOTH, [["queries-512", "parents-512"]], 1.5),
    ("ext4", "512 blocks on ext4 against one pass over the inode tables and a bare walk", BOTH,
     [["pass-512", "walk"]], 1.25),
    ("btrfs", "512 blocks on btrfs against the bare calls", BOTH, [["calls-512"]], 1.5),
]
# (part, what, peer, {phase: at least}): how many times faster.
PEERS = [
    ("xfs", "one find after one query for each block", "pipeline-512", {"warm": 4, "cold": 4}),
    ("xfs", "find -inum over the list", "inum.512", {"warm": 40, "cold": 15}),
    ("xfs", "whole fsmap -vvv with find and awk", "whole.512", {"warm": 40, "cold": 15}),
    ("xfs", "filefrag of all files", "filefrag.512", {"warm": 40, "cold": 15}),
    ("ext4", "debugfs icheck and ncheck", "debugfs-512", {"warm": 8}),
    ("btrfs", "btrfs inspect-internal logical-resolve for each block", "resolve-512",
     {"warm": 40}),
]
SINGLE_MEDIAN, SINGLE_WORST = 0.6, 1.1  # of the one-thread walk
SINGLE_PARENTS_MSEC = 10  # cold


def load_lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def summarize(rows):
    """{part: {phase: {case: figures}}} in the order of the first turn; part "" if there is none."""
    groups = {}
    for row in rows:
        part, phase, case = row["case"].rjust(len(row["case"]) + 2 - row["case"].count("/"),
                                              "/").split("/")
        groups.setdefault(part, {}).setdefault(phase, {}).setdefault(case, []).append(row)
    return {part: {phase: {case: figures(runs) for case, runs in cases.items()}
                   for phase, cases in phases.items()} for part, phases in groups.items()}


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


def find(cases, name):
    """The case of this name: with a number of threads, the fastest; None if there is none."""
    found = [case for key, case in cases.items() if key.split("@")[0] == name]
    return min(found, key=lambda case: case["wall_usec"]) if found else None


def total(cases):
    """One case made of several, turn by turn; None when one is missing."""
    if any(case is None for case in cases):
        return None
    return {"wall_usec": sum(case["wall_usec"] for case in cases),
            "walls_usec": [sum(turn) for turn in zip(*(case["walls_usec"] for case in cases))]}


def ratio_of(case, base):
    """How many times longer @case takes than @base: (ratio of medians, median of ratios)."""
    by_turn = None
    if len(case["walls_usec"]) == len(base["walls_usec"]):
        by_turn = statistics.median(a / b for a, b in zip(case["walls_usec"], base["walls_usec"]))
    return case["wall_usec"] / base["wall_usec"], by_turn


def judge(what, value, limit, unit, at_most=True, by_turn=None, cold=False):
    """A promise with what became of it.  Near its limit a cold one is neither kept nor broken."""
    good = value <= limit if at_most else value >= limit
    return {"what": what, "value": value, "by_turn": by_turn, "limit": limit, "at_most": at_most,
            "unit": unit, "kept": bool(good),
            "in_noise": cold and limit / COLD_NOISE < value < limit * COLD_NOISE}


def judge_floors(parts):
    for part, what, phases, floors, limit in FLOORS:
        for phase in phases:
            cases = parts.get(part, {}).get(phase, {})
            sums = [total([find(cases, name) for name in floor]) for floor in floors]
            if "pmemctl-512" not in cases or None in sums:
                continue
            floor = min(sums, key=lambda case: case["wall_usec"])
            ratio, by_turn = ratio_of(cases["pmemctl-512"], floor)
            yield judge(f"{what}, {phase}", ratio, limit, "times", by_turn=by_turn,
                        cold=phase == "cold")


def judge_peers(parts):
    for part, what, peer, limits in PEERS:
        for phase, limit in limits.items():
            cases = parts.get(part, {}).get(phase, {})
            if "pmemctl-512" in cases and peer in cases:
                ratio, by_turn = ratio_of(cases[peer], cases["pmemctl-512"])
                yield judge(f"512 blocks faster than {what}, {phase}", ratio, limit, "times",
                            at_most=False, by_turn=by_turn, cold=phase == "cold")


def singles(cases):
    """Medians of the single blocks, sorted, in microseconds."""
    return sorted(case["wall_usec"] for name, case in cases.items() if name.startswith("block-"))


def judge_singles(parts):
    for part, phases in parts.items():
        for phase in BOTH:
            cases = phases.get(phase + "-single")
            if not cases:
                continue
            times = singles(cases)
            median, worst = statistics.median(times), times[-1]
            what, cold = f"of {len(times)} single blocks, {phase}", phase == "cold"
            if part == "parents" and cold:
                for kind, value in (("median", median), ("worst", worst)):
                    yield judge(f"{kind} {what}, with parent pointers", value / 1000,
                                SINGLE_PARENTS_MSEC, "ms", cold=True)
            if part == "xfs":
                walk = cases["walk@1"]["wall_usec"]
                for kind, value, limit in (("median", median, SINGLE_MEDIAN),
                                           ("worst", worst, SINGLE_WORST)):
                    yield judge(f"{kind} {what}, against the bare walk, one thread", value / walk,
                                limit, "times", cold=cold)


def growth(parts, trees):
    """[(files, {phase: {case: figures}})], rising, of XFS with a reverse map."""
    return sorted(((trees[part]["files"], phases) for part, phases in parts.items()
                   if part == "xfs" or part.startswith("growth-")), key=lambda row: row[0])


def judge_memory(parts, trees):
    peaks = [(files, max(phases[phase]["pmemctl-512"]["peak_bytes"] for phase in BOTH
                         if "pmemctl-512" in phases.get(phase, {})))
             for files, phases in growth(parts, trees)
             if "pmemctl-512" in phases.get("warm", {})]
    if "xfs" in parts:
        yield judge("peak memory for 512 blocks", peaks[-1][1] / MIB, MEMORY_512 / MIB, "MiB")
    if len(peaks) > 1:
        yield judge(f"peak memory for 512 blocks, {peaks[-1][0]:,} files against {peaks[0][0]:,}",
                    peaks[-1][1] / peaks[0][1], MEMORY_GROWTH, "times")


def judge_healthy(healthy):
    for guest in healthy:
        cases = guest["times"]["healthy"]
        ratio, by_turn = ratio_of(cases["scan"], cases["ndctl-list"])
        yield judge(f"healthy scan against ndctl list -N, {guest['namespaces']} namespaces, "
                    f"kernel {guest['kernel']}", ratio, HEALTHY, "times", by_turn=by_turn)


def judge_all(parts, trees, healthy):
    return (list(judge_floors(parts)) + list(judge_singles(parts)) + list(judge_peers(parts)) +
            list(judge_memory(parts, trees)) + list(judge_healthy(healthy)))


def main(results, part, phase, name):
    cases = summarize(load_lines(results))[part][phase]
    best = min((case["wall_usec"], int(key.split("@")[1])) for key, case in cases.items()
               if key.startswith(name + "@"))
    print(best[1])


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
