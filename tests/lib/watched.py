# SPDX-License-Identifier: GPL-2.0-or-later
"""
watched.py: pmemctld under test in a guest: it is started, stopped and killed here; memory errors come
and go; and what it told (journal, hooks), what it keeps (store) and what is true are read side by side.

For jobs in the guest, as root.  The journal is the real one; the daemon is a child of the test, not a
unit, because units limit how often a program may die, and systemd as process 1 costs a minute.

The surprise: a physical address is what an error keeps when its namespace changes its mode, its name or
goes away, so truth is a set of physical pages.
"""
import glob
import json
import os
import signal
import socket
import sqlite3
import subprocess
import time

STORE = "/var/lib/pmemctl/pmemctl.db"
WATCH = "/run/pmemctl/watch.json"
HOOKS = "/run/hooks-heard"
ND = "/sys/bus/nd/devices"
MCE = "/sys/kernel/debug/mce-inject"
PAGE = 4096
ANSWERS = (0, 1, 16, 17)  # exit statuses of a scan that answers


class Failure(Exception):
    pass


def read(path):
    with open(path) as file:
        return file.read().strip()


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def run(*argv, check=True, timeout=600):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
    if check and done.returncode:
        raise Failure(f"{' '.join(argv)}: status {done.returncode}: {done.stdout}{done.stderr}")
    return done


def wait_for(what, test, seconds=300, pause=0.1):
    """The first true answer of test()."""
    end = time.monotonic() + seconds
    while True:
        answer = test()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failure(f"waited {seconds} s in vain: {what() if callable(what) else what}")
        time.sleep(pause)


class Result:
    """Results as TAP."""

    def __init__(self):
        self.number = self.failed = 0

    def note(self, text):
        print("# " + str(text).replace("\n", "\n# "), flush=True)

    def tell(self, name, why=None):
        self.number += 1
        self.failed += why is not None
        print(f"{'ok' if why is None else 'not ok'} {self.number} - {name}", flush=True)
        if why is not None:
            self.note(why)

    def run(self, name, function, *args):
        """True when it raised nothing."""
        try:
            function(*args)
        except (Failure, OSError, subprocess.SubprocessError, KeyError, ValueError, sqlite3.Error) as error:
            self.tell(name, f"{type(error).__name__}: {error}")
            return False
        self.tell(name)
        return True

    def end(self):
        print(f"1..{self.number}", flush=True)
        return 1 if self.failed else 0


class Daemon:
    """One pmemctld, with this program in the place of systemd."""

    def __init__(self, build, program=None):
        self.build = build
        self.program = program or f"{build}/pmemctl"
        self.process = None
        self.stopped = False
        self.err = "/run/pmemctld.err"
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind("/run/pmemctld.notify")
        self.notify.settimeout(600)

    def start(self, small=False):
        """small: the socket of uevents gets no more than everybody may have."""
        argv = ["setpriv", "--bounding-set", "-net_admin"] if small else []
        self.notify.setblocking(False)
        try:
            while self.notify.recv(4096):
                pass
        except BlockingIOError:
            pass
        self.notify.settimeout(600)
        with open(self.err, "a") as err:
            self.process = subprocess.Popen(argv + [f"{self.build}/pmemctld", "--program", self.program],
                                            env=dict(os.environ, NOTIFY_SOCKET="/run/pmemctld.notify"),
                                            stdin=subprocess.DEVNULL, stdout=err, stderr=err)
        while "READY=1" not in self.notify.recv(4096).decode().split("\n"):
            pass

    def running(self):
        return self.process is not None

    def end(self, number=signal.SIGTERM):
        self.cont()
        self.process.send_signal(number)
        status = self.process.wait(600)
        self.process = None
        if number == signal.SIGTERM and status != 0:
            raise Failure(f"the watch ended with {status}: {read(self.err)[-2000:]}")

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)
        self.stopped = True

    def cont(self):
        if self.stopped:
            self.process.send_signal(signal.SIGCONT)
        self.stopped = False

    def alive(self):
        status = self.process.poll()
        if status is not None:
            raise Failure(f"the watch died with {status}: {read(self.err)[-2000:]}")

    def document(self):
        try:
            with open(WATCH) as file:
                document = json.load(file)
        except FileNotFoundError:
            return None
        return document if document["pid"] == self.process.pid else None


def begin_journal():
    """journald makes its sockets itself when nobody gives them to it."""
    os.makedirs("/run/systemd/journal", exist_ok=True)
    os.makedirs("/run/log/journal", exist_ok=True)
    journald = subprocess.Popen(["/lib/systemd/systemd-journald"], stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("journald", lambda: os.path.exists("/run/systemd/journal/socket"))
    return journald


def configure(text):
    """A hook that leaves each event under its number, and that this text says."""
    for path in ("/etc/pmemctl/hooks.d", "/var/lib/pmemctl", "/run/pmemctl", HOOKS):
        os.makedirs(path, mode=0o755, exist_ok=True)
    hook = "/etc/pmemctl/hooks.d/50-heard"
    write(hook, f'#!/bin/sh\necho "$PMEMCTL_TYPE" >>{HOOKS}/$PMEMCTL_EVENT_ID\n')
    os.chmod(hook, 0o755)
    write("/etc/pmemctl/pmemctl.conf", text)


class Region:
    """A region of persistent memory, by where it is; @legacy: its errors are in the disk's list only."""

    def __init__(self, name):
        self.name = name
        self.start = int(read(f"{ND}/{name}/resource"), 0)
        self.size = int(read(f"{ND}/{name}/size"))
        bus = os.path.realpath(f"{ND}/{name}/..")
        self.legacy = read(f"{bus}/provider") == "e820"

    def disk(self):
        """The name of its disk; None without one."""
        found = glob.glob(f"{ND}/{self.name}/*/block/*") + glob.glob(f"{ND}/{self.name}/*/*/block/*")
        found = [os.path.basename(path) for path in found if os.path.basename(path).startswith("pmem")]
        return found[0] if found else None

    def driver_device(self):
        """Who the disk belongs to: pfn0.0, btt1.0, namespace2.0."""
        return os.path.basename(os.path.realpath(f"/sys/block/{self.disk()}/device"))

    def namespace(self):
        for path in glob.glob(f"{ND}/{self.name}/namespace[0-9]*"):
            if read(path + "/size") != "0":
                return os.path.basename(path)
        return None

    def bad(self):
        """Physical pages in the lists of the region and of its disk."""
        disk, pages = self.disk(), set()
        lists = [(f"{ND}/{self.name}/badblocks", self.start)]
        if disk and os.path.exists(f"/sys/block/{disk}/device/resource"):
            lists.append((f"/sys/block/{disk}/badblocks", int(read(f"/sys/block/{disk}/device/resource"), 0)))
        for path, base in lists:
            for line in read(path).split("\n"):
                if line:
                    first, count = (int(word) * 512 for word in line.split()[:2])
                    pages.update(range((base + first) // PAGE, (base + first + count + PAGE - 1) // PAGE))
        return pages


def regions():
    return [Region(os.path.basename(path)) for path in sorted(glob.glob(ND + "/region*"))]


def machine_check(address):
    """As a machine check that nobody corrected: lists of region and disk, and their pollers wake up."""
    if not os.path.isdir(MCE):
        run("modprobe", "mce-inject")
    for name, text in (("flags", "sw"), ("status", "0xbc0000000000009f"), ("misc", "0x8c"),
                       ("addr", hex(address)), ("bank", "1")):
        write(f"{MCE}/{name}", text + "\n")  # the last byte is cut off


def scan():
    done = run(os.environ["PMEMCTL"], "--json", "scan", check=False)
    if done.returncode not in ANSWERS:
        raise Failure(f"scan: status {done.returncode}: {done.stdout[-500:]}{done.stderr}")
    return json.loads(done.stdout)


def rows(sql):
    store = sqlite3.connect(f"file:{STORE}?mode=ro", uri=True, timeout=20)
    try:
        return store.execute(sql).fetchall()
    finally:
        store.close()


def holders(daemon, words):
    """Descriptors of the watch and its workers whose targets contain one of these words."""
    pid, found = daemon.process.pid, []
    for path in glob.glob("/proc/[0-9]*"):
        try:
            status = read(path + "/stat").rsplit(")", 1)[1].split()
            if path != f"/proc/{pid}" and int(status[1]) != pid:
                continue
            for fd in os.listdir(path + "/fd"):
                target = os.readlink(f"{path}/fd/{fd}")
                if any(word in target for word in words):
                    found.append(f"{path[6:]} {read(path + '/comm')}: {target}")
        except (OSError, IndexError):
            continue
    return found


def pages_of(document):
    """Physical pages that findings of a scan are about."""
    pages = set()
    for finding in document["findings"]:
        if finding["physical_address"] is not None:
            first, length = finding["physical_address"], finding["range"]["length"]
            pages.update(range(first // PAGE, (first + length + PAGE - 1) // PAGE))
    return pages


def meaning(finding):
    """What a finding says, without numbers: its verdict, and where its claims end, with their owners."""
    return (finding["id"], finding["verdict"], tuple(sorted(
        (claim["via"][-1]["name"] or claim["via"][-1]["device"], claim["owner"]["kind"], claim["verdict"])
        for claim in finding["claims"])))


def kept():
    """The meanings that the store has."""
    return [meaning(json.loads(row[0])) for row in rows("SELECT finding FROM findings WHERE state = 'present'")]


def journal(kinds=()):
    """The events in the journal, in their order there; without -a a long one would be null."""
    done = run("journalctl", "-q", "-a", "-o", "json", "--output-fields=PMEMCTL_EVENT,PMEMCTL_EVENT_ID",
               *[f"PMEMCTL_TYPE={kind}" for kind in kinds])
    return [json.loads(json.loads(line)["PMEMCTL_EVENT"]) for line in done.stdout.splitlines()]


def told_findings(events):
    """What these events leave of findings, {(identity, id)}; each comes once before it goes."""
    there, faults = set(), []
    for event in events:
        for finding in event["findings"]:
            key = (event["device"]["identity"], finding["id"])
            if event["type"] == "finding-added":
                if key in there:
                    faults.append(f"told twice: {event['text']} (event {event['id']})")
                there.add(key)
            elif event["type"] == "finding-gone":
                if key not in there:
                    faults.append(f"gone, but never told: {event['text']} (event {event['id']})")
                there.discard(key)
    return there, faults
