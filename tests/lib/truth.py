# SPDX-License-Identifier: GPL-2.0-or-later
"""What is true: the manifest of `selfdata fill` and the output of `selfdata decode`.

Nothing here knows where a filesystem or a layer puts its blocks. The answer to "whose is this
sector" is looked up by the identity that the sector itself carries.

The surprise: old copies of data stay in free space and decode like live data. They are told
apart by their generation, which the manifest no longer lists.
"""
import bisect
import collections
import urllib.parse

SECTOR = 512

Extent = collections.namedtuple("Extent", "start length state content offset generation")


class File:
    def __init__(self, number, kind, size):
        self.number, self.kind, self.size = number, kind, size
        self.paths, self.extents = [], []

    def at(self, offset):
        """The extent that holds this byte, or None (past the end)."""
        i = bisect.bisect_right(self.extents, (offset, float("inf"))) - 1
        if i < 0 or offset >= self.extents[i].start + self.extents[i].length:
            return None
        return self.extents[i]

    def states(self, offset, length):
        """The set of states in a range; 'E' is past the end of the file."""
        found = set()
        end = offset + length
        while offset < end:
            extent = self.at(offset)
            if extent is None:
                return found | {"E"}
            found.add(extent.state)
            offset = extent.start + extent.length
        return found

    def identity(self, offset):
        """(content, offset, generation) when a whole sector of one piece of data is there."""
        extent = self.at(offset)
        if extent is None or extent.state != "D":
            return None
        skip = offset - extent.start
        if extent.length - skip < SECTOR:
            return None
        return (extent.content, extent.offset + skip, extent.generation)


class Manifest:
    def __init__(self, name, unit=0):
        self.tag, self.unit, self.moves = None, unit, False
        self.files, self.by_path = [], {}
        self._index = collections.defaultdict(list)
        self._read(name)
        for file in self.files:
            for path in file.paths:
                self.by_path[path] = file
            for extent in file.extents:
                if extent.state == "D":
                    self._index[extent.content, extent.generation].append((file, extent))

    def _read(self, name):
        complete = False
        with open(name, encoding="ascii") as lines:
            for line in lines:
                word = line.split()
                if word[0] == "selfdata-manifest":
                    self.tag = int(word[2])
                elif word[0] == "F":
                    self.files.append(File(int(word[1]), word[2], int(word[3])))
                elif word[0] == "P":
                    self.files[-1].paths.append(urllib.parse.unquote_to_bytes(word[1]))
                elif word[0] == "X":
                    numbers = [int(w) for w in word[4:7]]
                    self.files[-1].extents.append(
                        Extent(int(word[1]), int(word[2]), word[3], *numbers))
                complete = word == ["end"]
        if not complete:
            raise SystemExit(f"{name}: manifest is cut short")

    def owners(self, identity):
        """[(File, file offset)]: everything that shows this sector now."""
        content, offset, generation = identity
        return [(file, x.start + offset - x.offset)
                for file, x in self._index.get((content, generation), ())
                if x.offset <= offset and offset + SECTOR <= x.offset + x.length]

    def sectors(self):
        """Every identity that must be on the media, once each."""
        found = set()
        for file in self.files:
            for x in file.extents:
                if x.state == "D":
                    found.update((x.content, x.offset + i, x.generation)
                                 for i in range(0, x.length - SECTOR + 1, SECTOR))
        return found


class Raw:
    """One line of `selfdata decode`: what a raw sector holds."""

    def __init__(self, words, tag):
        self.sector, self.kind, self.identity, self.hash = int(words[0]), "stale", None, None
        if len(words) == 5:
            if int(words[1]) == tag:
                self.identity = tuple(int(w) for w in words[2:])
        else:
            self.kind = words[1]
            self.hash = words[2] if len(words) > 2 else None


def read_truth(name, manifest):
    """{sector: Raw}; kind is data (live), stale, other or zero."""
    found = {}
    with open(name, encoding="ascii") as lines:
        for line in lines:
            raw = Raw(line.split(), manifest.tag)
            if raw.identity and manifest.owners(raw.identity):
                raw.kind = "data"
            found[raw.sector] = raw
    return found


def read_pairs(pairs, manifest):
    return {pair.partition("=")[0]: read_truth(pair.partition("=")[2], manifest)
            for pair in pairs}


def truths(options, manifest):
    return read_pairs(options.truth, manifest)


def filled(file, start, length, unit):
    """States of these bytes; holes are zeros where space comes in units, only some of them used."""
    states = file.states(start, length)
    if unit and "H" in states:
        first = start // unit * unit
        if all(file.states(at, unit) != set("H") for at in range(first, start + length, unit)):
            states = states - {"H"} | {"Z"}
    return states
