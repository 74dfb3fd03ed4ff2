# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows of arrays: sectors of different members that stand for each other.

Members of one test begin at different sectors of the disks, and a row has the same place behind the
start of each. The surprise: where everything else of a row is zeros, its parity is what it protects,
and content cannot tell the two apart.
"""
import collections


class Rows:
    """members: [DISK:SECTOR], where each begins; devices: {disk: {sector: Raw}}."""

    def __init__(self, members, devices):
        self.starts = [(disk, int(start)) for disk, _, start in (m.partition(":") for m in members)]
        self.rows, self.copies = collections.Counter(), collections.Counter()
        self.twins = collections.Counter()
        for disk, sectors in devices.items():
            for raw in sectors.values():
                row = self.row_of(disk, raw.sector)
                self.rows[row] += 1
                self.copies[raw.identity] += 1
                self.twins[raw.identity, row] += 1

    def row_of(self, disk, sector):
        starts = [start for name, start in self.starts if name == disk and start <= sector]
        return sector - max(starts) if starts else None

    def crowded(self, disk, raw):
        """Is another one of its row, or another copy, among them? When all of them are bad, nothing
        is promised of its certainty."""
        row = self.row_of(disk, raw.sector)
        return (row is not None and self.rows[row] > 1
                or raw.identity is not None and self.copies[raw.identity] > 1)

    def twin(self, disk, raw):
        """Does another one of its row hold the same data?"""
        row = self.row_of(disk, raw.sector)
        return None not in (row, raw.identity) and self.twins[raw.identity, row] > 1
