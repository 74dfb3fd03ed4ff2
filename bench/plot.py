# SPDX-License-Identifier: GPL-2.0-or-later
"""A plot of times over the number of files, as SVG: both axes logarithmic, one line for each
number of blocks, warm and cold side by side."""
import math

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, GAP = 300, 220, 60, 30, 40, 70
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#555555")
NAMES = {"one-thread-walk": "bare walk, one thread"}


def label(value):
    for unit, name in ((1_000_000, " M"), (1000, " k")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


def text(x, y, words, anchor="middle"):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{words}</text>'


def line(points, colour, width=2):
    shown = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (f'<polyline points="{shown}" fill="none" stroke="{colour}" '
            f'stroke-width="{width}"/>')


class Panel:
    def __init__(self, left, files, low, high):
        self.left, self.files, self.low, self.high = left, files, low, high

    def x(self, files):
        first, last = math.log10(self.files[0]), math.log10(self.files[-1])
        return self.left + (math.log10(files) - first) / ((last - first) or 1) * WIDTH

    def y(self, msec):
        return TOP + HEIGHT * (self.high - math.log10(msec)) / (self.high - self.low)

    def frame(self, title):
        yield text(self.left + WIDTH / 2, TOP - 10, title)
        for power in range(self.low, self.high + 1):
            y = self.y(10 ** power)
            yield line([(self.left, y), (self.left + WIDTH, y)], "#cccccc", 1)
            yield text(self.left - 5, y + 4, label(10 ** power), "end")
        for files in self.files:
            yield text(self.x(files), TOP + HEIGHT + 16, label(files))

    def curve(self, points, colour):
        places = [(self.x(files), self.y(msec)) for files, msec in points]
        yield line(places, colour)
        for x, y in places:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'


def draw(rows, cases):
    """@rows: [(files, {phase: {case: figures}})], rising; @cases: the names to draw."""
    files = [row[0] for row in rows]
    phases = [phase for phase in ("warm", "cold") if any(phase in row[1] for row in rows)]
    curves = {(phase, case): [(n, row[phase][case]["wall_usec"] / 1000) for n, row in rows
                              if case in row.get(phase, {})] for phase in phases for case in cases}
    times = [msec for points in curves.values() for _, msec in points]
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
    width = LEFT + len(phases) * (WIDTH + GAP) + 130
    height = TOP + HEIGHT + BOTTOM
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="white"/>']
    for i, phase in enumerate(phases):
        panel = Panel(LEFT + i * (WIDTH + GAP), files, low, high)
        out.extend(panel.frame(f"caches {phase}: ms, by number of files"))
        for j, case in enumerate(cases):
            out.extend(panel.curve(curves[phase, case], COLOURS[j % len(COLOURS)]))
    left = LEFT + len(phases) * (WIDTH + GAP) - GAP + 15
    for j, case in enumerate(cases):
        y = TOP + 15 + 20 * j
        out.append(line([(left, y), (left + 20, y)], COLOURS[j % len(COLOURS)]))
        out.append(text(left + 26, y + 4,
                        NAMES.get(case, case.replace("pmemctl-", "") + " blocks"), "start"))
    return "\n".join(out + ["</svg>", ""])
