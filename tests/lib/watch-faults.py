#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
watch-faults.py SEED CYCLES: what pmemctld hears of tables and arrays, that it is never in the way, and
that a worker that crashes or hangs in the kernel costs one job.

The job of watch.test, in the guest; the machine is that of schedules.py.  Everything that would look
again by itself is a day away, so what is noticed was heard.

The surprise: a reader of a suspended device cannot be killed, so a stand-in for pmemctl that reads one
is a worker that truly hangs; it ends when the device is resumed, and not before.
"""
import os
import random
import signal
import sys
import time

sys.dont_write_bytecode = True
import schedules  # noqa: E402
import watched  # noqa: E402
from watched import Failure, read, run, wait_for, write  # noqa: E402

CONF = """[watch]
reread = 1d
snapshot = 7d
[rate]
burst = 100000
[jobs]
retry = 1s
retry_max = 2s
deadline = 60s
"""
SHORT = CONF.replace("deadline = 60s", "deadline = 5s")
WORKER = "/run/stand-in"
BUSY = "Device or resource busy", "target is busy", "in use"


def document(daemon, test):
    """The watch document when test() of it is true."""
    def look():
        daemon.alive()
        found = daemon.document()
        return found if found and test(found) else None
    return wait_for(lambda: f"the watch document: {daemon.document()}", look, 120)


def idle(daemon):
    return document(daemon, lambda d: d["jobs"]["inventory"]["last_success"] and not d["jobs"]["waiting"] and
                    not d["jobs"]["running"] and all(r["scan"]["last_success"] for r in d["jobs"]["regions"]))


def heard(daemon, name):
    found = idle(daemon)
    return next(source["heard"] for source in found["sources"] if source["name"] == name)


def meanings():
    return {watched.meaning(finding) for finding in watched.scan()["findings"]}


def agrees():
    return set(watched.kept()) == meanings()


def comes_to_agree():
    wait_for("store and scan agree", agrees, 60, 0.5)


def sources(world):
    for name in ("uevents", "mounts", "arrays", "badblocks", "written", "reread"):
        source = next(s for s in idle(world.daemon)["sources"] if s["name"] == name)
        if not source["available"]:
            raise Failure(f"{name}: {source['reason']}")


def hears_reload(world):
    """An error beyond the volume comes to be in it."""
    leg = world.legs[1]
    write(f"/sys/block/{leg.disk()}/badblocks", f"{131072 + 65536 + 4096} 8")
    comes_to_agree()
    before, count = meanings(), heard(world.daemon, "uevents")
    world.reload()
    wait_for("the reload is heard", lambda: heard(world.daemon, "uevents") > count)
    if meanings() == before:
        raise Failure(f"the reload changes nothing: {before}")
    comes_to_agree()


def hears_failure(world):
    """What a mirror has twice is recoverable, and not when the good leg has failed."""
    before = meanings()
    write(f"/sys/block/{world.legs[0].disk()}/badblocks", f"{world.file_sector()} 8")
    comes_to_agree()
    new = meanings() - before
    if [verdict for _, verdict, _ in new] != ["recoverable"]:
        raise Failure(f"the error of one leg: {new}")
    count = heard(world.daemon, "arrays")
    world.fail()
    wait_for("the failed member is heard", lambda: heard(world.daemon, "arrays") > count)
    key = next(iter(new))[0]
    wait_for("the verdict is lost",
             lambda: watched.rows(f"SELECT verdict FROM findings WHERE id = '{key}'") == [("lost",)], 60, 0.5)
    comes_to_agree()


class World(schedules.World):
    def file_sector(self):
        """Where a file of the mirror is on the disk of its first leg, behind the data offset of MD."""
        extents = run("filefrag", "-b4096", "-v", schedules.MNT + "2/file").stdout.split("\n")
        block = next(int(line.replace("..", " ").replace(":", " ").split()[3]) for line in extents
                     if line.strip().startswith("1:"))
        member = next(line for line in run("mdadm", "--examine", "/dev/mapper/leg0").stdout.split("\n")
                      if "Data Offset" in line)
        return int(member.split(":")[1].split()[0]) + block * 8


# ---- never in the way ----

class Way:
    """Who asked for something, and how often it was busy because of the watch."""

    def __init__(self, world):
        self.world = world
        self.asked = self.busy = 0
        self.faults = []

    def ask(self, words, *argv):
        """When it is busy, who holds it; others (udev reads what is new) may."""
        self.asked += 1
        end = time.monotonic() + 30
        while True:
            done = run(*argv, check=False)
            if done.returncode == 0:
                return
            said = done.stdout + done.stderr
            held = watched.holders(self.world.daemon, words)
            if held or argv[0] == "umount":  # nobody else is at work there
                self.busy += 1
                self.faults.append(f"{' '.join(argv)}: {said.strip()}: {held}")
            if not any(text in said for text in BUSY) or time.monotonic() > end:
                raise Failure(f"{' '.join(argv)}: {said}")

    def trouble(self, error):
        """Errors by machine check stay, and a list has an end; those of the legs can be cleared."""
        world = self.world
        if len(world.errors) < 200:
            error()
        else:
            world.error_written()
        if sum(len(leg.bad()) for leg in world.legs) > 60:
            world.clear()

    def cycle(self):
        world = self.world
        disk, other = world.mounted.disk(), world.legs[0].disk()
        self.trouble(world.error_mounted)
        time.sleep(world.dice.choice((0, 0.1, 0.3, 0.6)))  # a worker is about to begin, or at work
        self.ask([schedules.MNT + "/", disk], "umount", schedules.MNT)
        run("mount", "-o", "dax=always", f"/dev/{disk}", schedules.MNT)
        run("dmsetup", "create", "--noudevsync", "cycle", "--table", f"0 8192 linear /dev/{other} 200000")
        self.trouble(world.error_written)
        time.sleep(world.dice.choice((0, 0.1, 0.3, 0.6)))
        name = os.path.basename(os.path.realpath("/dev/mapper/cycle"))
        self.ask(["/dev/mapper/cycle", "/dev/" + name], "dmsetup", "remove", "--noudevsync", "cycle")
        namespace = world.modal.namespace()
        self.trouble(world.error_modal)
        time.sleep(world.dice.choice((0, 0.1, 0.3, 0.6)))
        self.ask([str(world.modal.disk())], "ndctl", "disable-namespace", namespace)
        run("ndctl", "enable-namespace", namespace)
        mine = [line for line in watched.holders(world.daemon, ["/dev/", schedules.MNT])
                if line.startswith(f"{world.daemon.process.pid} ") and "/dev/null" not in line]
        self.faults += [f"the watch itself holds {line}" for line in mine]


def never_in_the_way(world, cycles, result):
    way = Way(world)
    for _ in range(cycles):
        way.cycle()
        world.daemon.alive()
    longest = watched.rows("SELECT job, max(ended - id) / 1000, count(*) FROM jobs GROUP BY job")
    result.note(f"{way.asked} requests in {cycles} cycles, {way.busy} times busy because of the watch")
    result.note("longest jobs: " + ", ".join(f"{job} {ms} ms of {count}" for job, ms, count in longest))
    if way.faults:
        raise Failure("\n".join(way.faults))


# ---- workers that crash and hang ----

def stand_in(build, region, what):
    """A pmemctl that does @what instead of a scan of @region."""
    write(WORKER + ".new", f'#!/bin/sh\n[ "$2 $3" != "scan {region}" ] || {{ {what}; }}\n'
          f'exec {build}/pmemctl "$@"\n')
    os.chmod(WORKER + ".new", 0o755)
    os.rename(WORKER + ".new", WORKER)


def count_of(name):
    """A metric without labels."""
    lines = run(os.environ["PMEMCTL"], "metrics", check=False).stdout.split("\n")
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def gap(kind, words):
    """An event of a gap in what is known, with these words."""
    return next((e for e in watched.journal((kind,)) if words in e["text"]), None)


def others_are_watched(world):
    """An error elsewhere is told."""
    world.error_mounted()
    page = world.errors_last
    comes_to_know(world, page)


def comes_to_know(world, page):
    first = page * watched.PAGE
    wait_for("the error is told", lambda: any(
        f["physical_address"] == first for e in watched.journal(("finding-added",)) for f in e["findings"]), 60, 0.5)


def crashes(world, build):
    failed = count_of("pmemctl_jobs_failed")
    stand_in(build, world.modal.name, "kill -SEGV $$")
    world.error_modal()
    page = world.errors_last
    wait_for("the crash is told", lambda: gap("coverage-incomplete", "signal 11"), 60, 0.5)
    others_are_watched(world)
    if count_of("pmemctl_jobs_failed") <= failed:
        raise Failure(f"metrics do not count it: {failed}")
    said = run(os.environ["PMEMCTL"], "status", check=False).stdout
    if "signal 11" not in said:
        raise Failure(f"status does not say it: {said}")
    stand_in(build, world.modal.name, ":")
    comes_to_know(world, page)
    wait_for("the gap is closed", lambda: gap("coverage-complete", world.modal.name), 60, 0.5)


def hangs(world, build):
    """In the kernel: SIGKILL does not end it."""
    idle(world.daemon)
    run("dmsetup", "suspend", "--noudevsync", "--noflush", "shift")
    stand_in(build, world.modal.name,
             "exec dd if=/dev/mapper/shift of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null")
    world.error_modal()
    page = world.errors_last
    document(world.daemon, lambda d: world.modal.name in [job["region"] for job in d["jobs"]["stuck"]])
    wait_for("it is told", lambda: gap("coverage-incomplete", "hangs in the kernel"), 60, 0.5)
    others_are_watched(world)
    if count_of("pmemctl_jobs_stuck") < 1:
        raise Failure("metrics do not show it")
    said = run(os.environ["PMEMCTL"], "status", check=False).stdout
    if "hang" not in said:
        raise Failure(f"status does not say it: {said}")
    stand_in(build, world.modal.name, ":")
    run("dmsetup", "resume", "--noudevsync", "shift")
    comes_to_know(world, page)
    document(world.daemon, lambda d: not d["jobs"]["stuck"])


def ends_while_it_hangs(world, build):
    """A worker that cannot end is left behind; the next watch begins all the same."""
    idle(world.daemon)
    run("dmsetup", "suspend", "--noudevsync", "--noflush", "shift")
    stand_in(build, world.modal.name,
             "exec dd if=/dev/mapper/shift of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null")
    world.error_modal()
    document(world.daemon, lambda d: d["jobs"]["stuck"])
    world.daemon.end()
    world.kills.append(time.time() * 1e6)  # a hook that was at work is run again
    stand_in(build, world.modal.name, ":")
    world.daemon.start()
    idle(world.daemon)
    run("dmsetup", "resume", "--noudevsync", "shift")
    comes_to_agree()


def main():
    seed, cycles = sys.argv[1], int(sys.argv[2])
    build = os.environ["BUILDDIR"]
    result = watched.Result()
    watched.configure(CONF)
    watched.begin_journal()
    stand_in(build, "none", ":")
    daemon = watched.Daemon(build, WORKER)
    world = World(daemon, random.Random(seed))
    if not result.run("the world", world.build):
        return result.end()
    daemon.start()
    result.run("the sources are there", sources, world)
    result.run("a table that is loaded anew is heard", hears_reload, world)
    result.run("a member that fails is heard", hears_failure, world)
    result.run(f"{cycles} cycles, never in the way", never_in_the_way, world, cycles, result)
    write("/etc/pmemctl/pmemctl.conf", SHORT)
    daemon.process.send_signal(signal.SIGHUP)
    result.run("a worker that crashes", crashes, world, build)
    result.run("a worker that hangs in the kernel", hangs, world, build)
    result.run("the end, while one hangs", ends_while_it_hangs, world, build)
    result.run("each finding was told once", world.told)
    result.run("the watch ends", daemon.end)
    return result.end()


if __name__ == "__main__":
    sys.exit(main())
