#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
schedules.py SEED FIRST COUNT: random schedules of what may happen to persistent memory and to its watch;
after each, the store says what a fresh scan says, and each finding was told exactly once.

The job of schedules.test, in the guest.  "A finding that existed longer than the settle time" is one
that exists at a check: a check waits until store and scan agree, and then wants all of it told, by the
journal and by a hook.  Every schedule has checks in its midst.

Four regions: two NVDIMMs (errors by machine checks, which stay), one with a filesystem, one whose mode
changes; and two of the firmware's table (errors through sysfs, which a write clears), with a mirror and
a volume whose table is loaded anew.  The surprise: the mirror repairs what it cannot read, so for those
the lists of the kernel are the truth, not what was injected.
"""
import collections
import os
import random
import signal
import sys
import time

sys.dont_write_bytecode = True
import watched  # noqa: E402
from watched import Failure, read, run, wait_for, write  # noqa: E402

MIB = 1 << 20
MNT = "/mnt/watched"
DEADLINE = 90  # for store and scan to agree: a look at everything comes every 20 s
FULL = 300  # sysfs shows one page of a list
MODES = ("fsdax", "sector", "devdax", "raw")
CONF = """[watch]
reread = 20s
snapshot = 10s
[rate]
burst = 100000
[jobs]
retry = 1s
"""


class World:
    """What there is, and what has been done to it."""

    def __init__(self, daemon, dice):
        self.daemon = daemon
        self.dice = dice
        self.log = []
        self.errors = set()   # pages that machine checks have named
        self.errors_last = 0
        self.kills = []
        nvdimms = [region for region in watched.regions() if not region.legacy]
        self.legs = [region for region in watched.regions() if region.legacy]
        if len(nvdimms) != 2 or len(self.legs) != 2:
            raise Failure(f"regions: {len(nvdimms)} and {len(self.legs)}, not 2 and 2")
        self.mounted, self.modal = nvdimms
        self.device = None    # whose disk was unbound
        self.shifted = False
        self.failed = False   # the second leg of the mirror
        self.overrun = 0      # times that a watch lost uevents, and knew it

    # ---- the beginning ----

    def build(self):
        for region in (self.mounted, self.modal):
            run("ndctl", "create-namespace", "-f", "-e", region.namespace(), "-m", "fsdax", "-M", "mem")
        run("udevadm", "settle", "-t", "30")
        os.makedirs(MNT, exist_ok=True)
        run("mkfs.xfs", "-q", "-f", "-K", "-m", "rmapbt=1,reflink=1", f"/dev/{self.mounted.disk()}")
        run("mount", "-o", "dax=always", f"/dev/{self.mounted.disk()}", MNT)
        run("dd", "if=/dev/zero", f"of={MNT}/file", "bs=1M", "count=300")
        for i, leg in enumerate(self.legs):
            run("dmsetup", "create", f"leg{i}", "--table", f"0 131072 linear /dev/{leg.disk()} 0")
        run("dmsetup", "create", "shift", "--table", self.table())
        run("udevadm", "settle", "-t", "30")
        run("mdadm", "--create", "/dev/md/mirror", "--run", "--assume-clean", "--level=1", "-n", "2",
            "--bitmap=internal", "/dev/mapper/leg0", "/dev/mapper/leg1")
        run("mkfs.ext4", "-q", "-b", "4096", "/dev/md/mirror")
        os.makedirs(MNT + "2", exist_ok=True)
        run("mount", "/dev/md/mirror", MNT + "2")
        run("dd", "if=/dev/zero", f"of={MNT}2/file", "bs=1M", "count=40")
        run("sync")

    def table(self):
        return f"0 65536 linear /dev/{self.legs[1].disk()} {131072 + (32768 if self.shifted else 0)}"

    # ---- what may happen ----

    def check_machine(self, region):
        """Slots of 64 KiB, so that no two errors become one range."""
        if len(region.bad()) >= FULL:
            return self.error_written()
        address = region.start + region.size // 4 + self.dice.randrange(2000) * 65536
        address -= address % watched.PAGE
        watched.machine_check(address)
        self.errors_last = address // watched.PAGE
        self.errors.add(self.errors_last)
        wait_for("the kernel's list", lambda: address // watched.PAGE in region.bad(), 20)
        return f"{region.name} {address:#x}"

    def error_mounted(self):
        return self.check_machine(self.mounted)

    def error_modal(self):
        return self.check_machine(self.modal)

    def error_written(self):
        leg = self.dice.choice(self.legs)
        if len(leg.bad()) >= FULL:
            return self.clear()
        sector = (8 * MIB + self.dice.randrange(1900) * 65536) // 512
        write(f"/sys/block/{leg.disk()}/badblocks", f"{sector} 8")
        return f"{leg.disk()} {sector}"

    def clear(self):
        leg = self.dice.choice(self.legs)
        pages = sorted(leg.bad())
        if not pages:
            return "nothing"
        page = self.dice.choice(pages)
        base = int(read(f"/sys/block/{leg.disk()}/device/resource"), 0)
        run("dd", "if=/dev/zero", f"of=/dev/{leg.disk()}", "bs=4096", "count=1", "oflag=direct", "conv=notrunc",
            f"seek={page - base // watched.PAGE}", check=False)
        if page in leg.bad():
            raise Failure(f"{leg.disk()}: page {page:#x} cannot be cleared")
        return f"{leg.disk()} {page:#x}"

    def unbind(self):
        """Or bind, when it is not there."""
        driver = "/sys/bus/nd/drivers/nd_pmem"
        if self.device:
            write(driver + "/bind", self.device)
            self.device = None
            wait_for("the disk", lambda: self.mounted.disk() and os.path.exists(f"/dev/{self.mounted.disk()}"))
            run("mount", "-o", "dax=always", f"/dev/{self.mounted.disk()}", MNT)
            return "bound"
        run("umount", MNT)
        self.device = self.mounted.driver_device()
        write(driver + "/unbind", self.device)
        return "unbound"

    def mode(self):
        mode = self.dice.choice(MODES)
        run("ndctl", "create-namespace", "-f", "-e", self.modal.namespace(), "-m", mode)
        return mode

    def reload(self):
        self.shifted = not self.shifted
        run("dmsetup", "load", "shift", "--table", self.table())
        run("dmsetup", "resume", "--noudevsync", "shift")
        return str(self.shifted)

    def fail(self):
        """Or take it back."""
        if self.failed:
            run("mdadm", "/dev/md/mirror", "--remove", "/dev/mapper/leg1")
            run("mdadm", "/dev/md/mirror", "--re-add", "/dev/mapper/leg1")
        else:
            run("mdadm", "/dev/md/mirror", "--fail", "/dev/mapper/leg1")
        self.failed = not self.failed
        return "failed" if self.failed else "again"

    def kill(self):
        if self.daemon.running():
            self.daemon.end(signal.SIGKILL)
            self.kills.append(time.time() * 1e6)
        return self.restart(0.5)

    def end(self):
        if self.daemon.running():
            self.daemon.end()
            self.kills.append(time.time() * 1e6)  # a hook that was at work is run again
        return self.restart(0.5)

    def restart(self, chance):
        """At once, or by a later step."""
        if self.dice.random() >= chance:
            return "down"
        return self.begin()

    def begin(self):
        if self.daemon.running():
            self.daemon.cont()
            return "runs"
        small = self.dice.random() < 0.5
        self.daemon.start(small)
        return "up" + (", with a small socket" if small else "")

    def stop(self):
        if self.daemon.running():
            self.daemon.stop()
        return ""

    def flood(self):
        """More uevents than a small socket holds, while nobody takes them."""
        if not self.daemon.running():
            return "down"
        self.daemon.stop()
        with open("/sys/devices/virtual/mem/null/uevent", "w", buffering=1) as file:
            for _ in range(600):
                file.write("change\n")
        return ""

    def pause(self):
        """Part of a schedule: what comes then comes to a watch that is idle, or at work."""
        seconds = self.dice.choice((0.05, 0.3, 1, 3))
        time.sleep(seconds)
        return f"{seconds} s"

    # ---- the check ----

    def missing(self):
        """What store and truth do not agree on; empty: nothing."""
        fresh = watched.scan()
        kept = collections.Counter(watched.kept())
        there = collections.Counter(watched.meaning(finding) for finding in fresh["findings"])
        faults = [f"only in the store: {key}" for key in (kept - there)]
        faults += [f"only in the scan: {key}" for key in (there - kept)]
        true = {page for region in watched.regions() for page in region.bad()}
        found = watched.pages_of(fresh)
        faults += [f"not in the scan: page {page:#x}" for page in sorted(true - found)]
        faults += [f"only in the scan: page {page:#x}" for page in sorted(found - true)]
        faults += [f"the kernel lost page {page:#x}" for page in sorted(self.errors - true)]
        devices = {d["identity"] for d in fresh["devices"]}
        kept = {row[0] for row in watched.rows("SELECT identity FROM devices WHERE present")}
        return faults + [f"device: {identity}" for identity in sorted(devices ^ kept)]

    def check(self):
        self.begin()
        self.daemon.alive()
        faults = []

        def agree():
            faults[:] = self.missing()
            return not faults

        wait_for(lambda: "store and scan agree\n" + "\n".join(faults), agree, DEADLINE, 0.5)
        self.told()
        document = self.daemon.document()
        lost = sum(source["overrun"] for source in document["sources"] if source["name"] == "uevents")
        self.overrun += lost > 0
        return f"good, overrun {lost}"

    def was_killed(self, number):
        """Who is killed between telling and writing down that it was told tells it again, under that number."""
        return any(number < kill < number + 10e6 for kill in self.kills)

    def told(self):
        """What is kept was told: once each by the journal, and to the hook."""
        events = []

        def arrived():
            kept = {row[0] for row in watched.rows(
                "SELECT id FROM events WHERE type IN ('finding-added', 'finding-gone')")}
            events[:] = watched.journal(("finding-added", "finding-gone"))
            heard = {int(name) for name in os.listdir(watched.HOOKS)}
            lost[:] = sorted(kept - {event["id"] for event in events}), sorted(kept - heard)
            return not any(lost)

        lost = []
        wait_for(lambda: f"not in the journal: {lost[0]}; not by the hook: {lost[1]}", arrived, DEADLINE, 0.5)
        numbers = collections.Counter(event["id"] for event in events)
        twice = [number for number, count in numbers.items() if count > 1]
        twice += [int(name) for name in os.listdir(watched.HOOKS)
                  if len(read(f"{watched.HOOKS}/{name}").split("\n")) > 1]
        twice = [number for number in twice if not self.was_killed(number)]
        there, faults = watched.told_findings(sorted(events, key=lambda event: event["id"]))
        kept = set(watched.rows("SELECT device, id FROM findings WHERE state <> 'gone'"))
        faults += [f"event {number} came twice" for number in twice]
        faults += [f"kept, never told: {key}" for key in sorted(kept - there)]
        faults += [f"told, not kept: {key}" for key in sorted(there - kept)]
        if faults:
            raise Failure("\n".join(faults))


STEPS = (  # chance, what
    (5, World.error_mounted), (3, World.error_modal), (5, World.error_written), (4, World.clear),
    (4, World.unbind), (1, World.mode), (2, World.reload), (2, World.fail), (2, World.kill), (2, World.end),
    (2, World.begin), (2, World.stop), (1, World.flood), (5, World.pause), (1, World.check),
)


def schedule(world):
    world.log.clear()
    steps = world.dice.choices([step for _, step in STEPS], [chance for chance, _ in STEPS],
                               k=world.dice.randrange(6, 14))
    for step in steps + [World.check]:
        began = time.monotonic()
        world.log.append(step.__name__)
        said = step(world)
        world.log[-1] += f" {said} ({time.monotonic() - began:.1f} s)"


def main():
    seed, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    result = watched.Result()
    watched.configure(CONF)
    watched.begin_journal()
    daemon = watched.Daemon(os.environ["BUILDDIR"])
    world = World(daemon, random.Random())
    if not result.run("the world", world.build):
        return result.end()
    daemon.start()
    for number in range(first, first + count):
        world.dice.seed(f"{seed}:{number}")
        good = result.run(f"schedule {seed}:{number}", schedule, world)
        result.note("; ".join(world.log))
        if not good:
            break  # what comes after it would not be as the seed says
    if daemon.running():
        result.run("the watch ends", daemon.end)
    result.note(f"{world.overrun} times uevents were lost")
    return result.end()


if __name__ == "__main__":
    sys.exit(main())
