#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""app-sqlite.py make|run|check DATABASE: a program that uses SQLite all the time.

make: a table of fixed rows; run: adds rows to another table, and when /run/sqlite.ask is there, reads all the fixed ones
and says their digest, or the error, in /run/sqlite.answer; ends when /run/sqlite.stop is there, and prints how many rows
it was told are safe. check: what integrity_check has to say, and how many rows there are, from 1 on without gaps.

The surprise: it keeps next to nothing in memory, or a bad block would not be seen.
"""
import hashlib
import os
import sqlite3
import sys
import time

ASK, ANSWER, STOP = "/run/sqlite.ask", "/run/sqlite.answer", "/run/sqlite.stop"


def connect(name):
    db = sqlite3.connect(name, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA cache_size = 10")
    return db


def make(db):
    db.execute("BEGIN")
    db.execute("CREATE TABLE fixed(id INTEGER PRIMARY KEY, data BLOB)")
    db.execute("CREATE TABLE added(id INTEGER PRIMARY KEY)")
    for i in range(1500):
        db.execute("INSERT INTO fixed VALUES (?, ?)", (i, hashlib.shake_128(b"%d" % i).digest(1000)))
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def answer(db):
    try:
        digest = hashlib.sha256()
        for row in db.execute("SELECT data FROM fixed ORDER BY id"):
            digest.update(row[0])
        text = digest.hexdigest()
    except sqlite3.Error as error:
        text = f"error: {error}"
    with open(ANSWER + ".new", "w") as file:
        print(text, file=file)
    os.rename(ANSWER + ".new", ANSWER)


def run(db):
    number = 0
    while not os.path.exists(STOP):
        db.execute("INSERT INTO added VALUES (?)", (number + 1,))
        number += 1
        if os.path.exists(ASK):
            os.unlink(ASK)
            answer(db)
        time.sleep(0.02)
    print(number)


def check(db):
    print(db.execute("PRAGMA integrity_check").fetchone()[0],
          db.execute("SELECT count(*) FROM added WHERE id <= (SELECT count(*) FROM added)").fetchone()[0])


if __name__ == "__main__":
    {"make": make, "run": run, "check": check}[sys.argv[1]](connect(sys.argv[2]))
