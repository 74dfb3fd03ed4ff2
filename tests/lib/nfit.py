#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
nfit.py MODULES: pmemctld and pmemctl on nfit_test, the mock of the kernel's own tests: a bus that scrubs, clears,
notifies, and has DIMMs with health.

The job of nfit.test, in the guest.  Errors come as `ndctl inject-error` makes them: told at once, or found by a scrub
only.  Which files have them the filesystem says itself (FIEMAP).  Everything that would look again by itself is a day
away, so what is told was heard.

The surprise: nothing there can be mapped (every fault is SIGBUS, or never ends), so files are read and written only.
"""
import glob
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
import watched  # noqa: E402
from watched import Failure, read, run, wait_for  # noqa: E402

MODULES = ("nfit_test_iomap", "libnvdimm", "nd_btt", "nd_pmem", "nfit", "device_dax", "dax_pmem", "nfit_test")
MNT = "/mnt/nfit"
CONF = """[watch]
reread = 1d
snapshot = 7d
[rate]
burst = 100000
[health]
interval = 1d
"""


def load(folder):
    """The mock's modules in the place of the kernel's own."""
    for name in ("nd_e820", "nfit", "dax_pmem", "device_dax", "nd_pmem", "nd_btt", "libnvdimm"):
        run("rmmod", name, check=False)
    for name in MODULES:
        run("insmod", f"{folder}/{name}.ko")
    run("udevadm", "settle", "-t", "60")


class World:
    """One namespace with a filesystem: two files that share their blocks, and free space."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.bus = self.namespace = self.disk = self.region = None

    def ndctl(self, *argv, **options):
        return run("ndctl", argv[0], "-b", "nfit_test.0", *argv[1:], **options)

    def build(self):
        for what in ("disable-region", "init-labels", "enable-region"):
            self.ndctl(what, "all" if what != "init-labels" else "-f", *(["all"] if what == "init-labels" else []))
        buses = json.loads(run("ndctl", "list", "-B").stdout)
        self.bus = next(bus["dev"] for bus in buses if bus["provider"] == "nfit_test.0")
        regions = json.loads(self.ndctl("list", "-R").stdout)
        self.region = next(r["dev"] for r in regions if r["type"] == "pmem" and r["size"] >= 300 << 20 and
                           r["available_size"] >= 300 << 20)
        made = json.loads(self.ndctl("create-namespace", "-r", self.region, "-m", "fsdax", "-M", "mem").stdout)
        self.namespace, self.disk = made["dev"], made["blockdev"]
        run("udevadm", "settle", "-t", "60")
        os.makedirs(MNT, exist_ok=True)
        self.make_files()

    def make_files(self):
        run("mkfs.xfs", "-q", "-f", "-m", "rmapbt=1,reflink=1", "-d", "daxinherit=0", f"/dev/{self.disk}")
        run("mount", "-o", "dax=never", f"/dev/{self.disk}", MNT)
        run("dd", "if=/dev/urandom", f"of={MNT}/report", "bs=1M", "count=4", "conv=fsync")
        run("cp", "--reflink=always", f"{MNT}/report", f"{MNT}/copy")
        run("sync", "-f", MNT)

    def sector_of(self, name, block):
        """Where block @block of a file is on the disk, from FIEMAP."""
        for line in run("filefrag", "-b512", "-v", f"{MNT}/{name}").stdout.split("\n"):
            words = line.replace("..", " ").replace(":", " ").split()
            if len(words) >= 6 and words[0].isdigit() and int(words[1]) <= block * 8 <= int(words[2]):
                return int(words[3]) + block * 8 - int(words[1])
        raise Failure(f"{name} has no block {block}")

    def listed(self, sector):
        return any(int(first) <= sector < int(first) + int(count) for first, count in (
            line.split() for line in read(f"/sys/block/{self.disk}/badblocks").split("\n") if line))

    def inject(self, sector, *options):
        """As `ndctl inject-error` counts: from the start of the disk."""
        self.ndctl("inject-error", f"--block={sector}", "--count=8", *options, self.namespace)


def told(kind, test, seconds=120):
    return wait_for(lambda: f"{kind}; told was {[e['text'] for e in watched.journal((kind,))]}",
                    lambda: next((e for e in watched.journal((kind,)) if test(e)), None), seconds, 0.5)


def sources(world):
    found = wait_for("the watch", world.daemon.document)
    for source in found["sources"]:
        if source["name"] in ("scrub", "health", "badblocks") and not source["available"]:
            raise Failure(f"{source['name']}: {source['reason']}")


def names_of(event):
    return sorted(file["path"] for file in event["files"])


def has_both(event):
    return names_of(event) == [f"{MNT}/copy", f"{MNT}/report"]


def idle(world):
    def look():
        found = world.daemon.document()
        return found and found["jobs"]["inventory"]["last_success"] and not found["jobs"]["waiting"] and \
            not found["jobs"]["running"]
    wait_for("an idle watch", look, 120)


def is_told_at_once(world):
    """The platform notifies: both files are named, everywhere."""
    sector = world.sector_of("report", 10)
    world.inject(sector)
    wait_for("the kernel's list", lambda: world.listed(sector), 60)
    event = told("finding-added", has_both)
    wait_for("the hook", lambda: glob.glob(f"{watched.HOOKS}/{event['id']}"), 30)
    found = json.loads(run(os.environ["PMEMCTL"], "--json", "events", check=False).stdout)
    if not any(e["id"] == event["id"] and has_both(e) for e in found["events"]):
        raise Failure(f"pmemctl events has not event {event['id']}")
    metrics = run(os.environ["PMEMCTL"], "metrics", check=False).stdout.split("\n")
    ours = f'pmemctl_device_bad_bytes{{device="{world.disk}",'
    if not any(line.startswith(ours) and line.endswith("} 4096") for line in metrics):
        raise Failure("the metrics do not have the bad bytes")


def is_found_by_a_scrub(world):
    """Nobody tells; who scrubs finds it, and the watch tells the scrub and what it found."""
    sector = world.sector_of("copy", 300)
    idle(world)
    world.inject(sector, "--no-notify")
    before = len(watched.journal(("scrub-finished",)))
    if world.listed(sector):
        raise Failure("it is listed before the scrub")
    done = run(os.environ["PMEMCTL"], "--json", "scrub", "start", check=False)
    if done.returncode:
        raise Failure(f"scrub start: {done.returncode}: {done.stdout}{done.stderr}")
    done = run(os.environ["PMEMCTL"], "--json", "scrub", "wait", "--deadline", "2min", check=False)
    if done.returncode not in (0, 1):
        raise Failure(f"scrub wait: {done.returncode}: {done.stdout}{done.stderr}")
    wait_for("the kernel's list", lambda: world.listed(sector), 60)
    told("scrub-started", lambda e: e["device"]["name"] == world.bus)
    wait_for("the end of the scrub is told", lambda: len(watched.journal(("scrub-finished",))) > before, 60, 0.5)
    base = int(read(f"/sys/block/{world.disk}/device/resource"), 0)
    told("finding-added", lambda e: has_both(e) and any(
        f["physical_address"] == base + sector * 512 for f in e["findings"]))
    said = run(os.environ["PMEMCTL"], "status", check=False).stdout
    if "scrub" not in said:
        raise Failure(f"status tells no age of a scrub: {said}")


def is_one_of_ndctl(world):
    """A scrub that somebody else starts."""
    idle(world)
    before = len(watched.journal(("scrub-finished",)))
    run("ndctl", "start-scrub", world.bus)
    run("ndctl", "wait-scrub", world.bus)
    wait_for("the end of the scrub is told", lambda: len(watched.journal(("scrub-finished",))) > before, 60, 0.5)


def agrees(world):
    wait_for(lambda: f"store and scan agree: {watched.kept()} {watched.scan()['findings']}", lambda: set(
        watched.kept()) == {watched.meaning(f) for f in watched.scan()["findings"]}, 60, 0.5)


def is_cleared(world):
    """What no partition has: pmemctl clears it through the bus, and the watch says that it is gone."""
    namespace = json.loads(world.ndctl("create-namespace", "-m", "fsdax", "-M", "mem").stdout)  # where room is left
    run("udevadm", "settle", "-t", "60")
    disk, sector = namespace["blockdev"], 1 << 18
    subprocess.run(["sfdisk", "-q", f"/dev/{disk}"], input=b"label: gpt\nstart=2048, size=2048\n", check=True,
                   timeout=60)
    run("udevadm", "settle", "-t", "60")
    base = int(read(f"/sys/block/{disk}/device/resource"), 0) + sector * 512
    idle(world)
    world.ndctl("inject-error", f"--block={sector}", "--count=8", namespace["dev"])
    told("finding-added", lambda e: any(f["physical_address"] == base for f in e["findings"]))
    done = run(os.environ["PMEMCTL"], "--json", "clear", f"{disk}:{sector}s+8s", check=False)
    answer = json.loads(done.stdout)
    if answer["state"] != "cleared" or read(f"/sys/block/{disk}/badblocks"):
        raise Failure(f"clear: {done.returncode}: {done.stdout}{done.stderr}")
    told("finding-gone", lambda e: any(f["physical_address"] == base for f in e["findings"]))


def smart(world, dimm, *options):
    run("ndctl", "inject-smart", "-b", "nfit_test.0", *options, dimm)


def health(world):
    """Each alarm of a DIMM is told, with the DIMM's name, and that it is better again (the mock's are never well)."""
    dimm = json.loads(world.ndctl("list", "-D").stdout)[0]["dev"]
    samples = json.loads(run(os.environ["PMEMCTL"], "--json", "list", "--health", check=False).stdout)["health"]
    sample = next(s for s in samples if s["name"] == dimm)
    theirs = json.loads(world.ndctl("list", "-DH", "-d", dimm).stdout)[0]["health"]
    for ours, key in (("spares", "spares_percentage"), ("life_used", "life_used_percentage"),
                      ("health_state", "health_state"), ("shutdown_state", "shutdown_state")):
        if sample[ours] != theirs.get(key):
            raise Failure(f"{ours}: {sample} and ndctl says {theirs}")
    smart(world, dimm, "--media-temperature=95")
    told("health", lambda e: dimm in e["device"]["dimms"] and e["text"].startswith("temperature") and
         "crossed" in e["text"])
    smart(world, dimm, "--spares=2")
    told("health", lambda e: dimm in e["device"]["dimms"] and e["text"].startswith("spares") and "2 %" in e["text"])
    smart(world, dimm, "--fatal")
    worst = told("health", lambda e: dimm in e["device"]["dimms"] and e["severity"] == "critical")
    smart(world, dimm, "--unsafe-shutdown")
    told("health", lambda e: dimm in e["device"]["dimms"] and "dirty" in e["text"])
    smart(world, dimm, "--fatal-uninject")
    told("health", lambda e: dimm in e["device"]["dimms"] and e["text"].endswith("is non-critical") and
         e["id"] > worst["id"])
    said = run(os.environ["PMEMCTL"], "status", check=False).stdout
    if dimm not in said:
        raise Failure(f"status says nothing of {dimm}: {said}")


def goes_and_comes_back(world):
    """A removal lists what was on it, and the return closes the incident."""
    idle(world)
    run("umount", MNT)
    world.ndctl("disable-namespace", world.namespace)
    told("device-offline", lambda e: e["device"]["namespace"] == world.namespace)
    world.ndctl("enable-namespace", world.namespace)
    told("device-online", lambda e: e["device"]["namespace"] == world.namespace)
    run("mount", "-o", "dax=never", f"/dev/{world.disk}", MNT)


def bus_goes(world):
    """The whole bus: nothing hangs, nothing is held."""
    run("umount", MNT)
    idle(world)
    run("ndctl", "disable-region", "all")
    wait_for(lambda: f"the bus goes: {watched.holders(world.daemon, ['/sys/', '/dev/nd'])}",
             lambda: run("rmmod", "nfit_test", check=False).returncode == 0, 30, 0.5)
    world.daemon.alive()
    wait_for("no device is there", lambda: (d := world.daemon.document()) and
             not any(device["present"] for device in d["devices"]), 60)


def main():
    result = watched.Result()
    watched.configure(CONF)
    watched.begin_journal()
    daemon = watched.Daemon(os.environ["BUILDDIR"])
    world = World(daemon)
    if not (result.run("the mock's modules", load, sys.argv[1]) and result.run("a namespace", world.build)):
        return result.end()
    daemon.start()
    for name, step in (("the sources are there", sources), ("an error that is notified", is_told_at_once),
                       ("an error that a scrub finds", is_found_by_a_scrub), ("a scrub of ndctl", is_one_of_ndctl),
                       ("what no partition has is cleared through the bus", is_cleared),
                       ("store and scan agree", agrees),
                       ("health of DIMMs", health), ("a namespace goes and comes back", goes_and_comes_back),
                       ("store and scan agree again", agrees), ("the bus goes", bus_goes)):
        result.run(name, step, world)
    result.run("the watch ends", daemon.end)
    return result.end()


if __name__ == "__main__":
    sys.exit(main())
