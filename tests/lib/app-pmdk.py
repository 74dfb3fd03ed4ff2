#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""app-pmdk.py POOL: a program that uses libpmemobj (of PMDK) all the time: makes a pool with an array of fixed words,
and counts in transactions.

It says in /run/pmdk.where at which byte of the pool the array begins and how long it is. When /run/pmdk.ask is there, it
reads all of the array, through the mapping that it has had from the beginning, and says the digest in /run/pmdk.answer;
ends when /run/pmdk.stop is there, and prints how far it has counted.

The surprise: there is no way to survive SIGBUS here, so nobody should ask while a word cannot be read.
"""
import ctypes
import hashlib
import os
import sys
import time

ASK, ANSWER, STOP = "/run/pmdk.ask", "/run/pmdk.answer", "/run/pmdk.stop"
POOL, ARRAY, HEAD = 24 << 20, 6 << 20, 4096  # bytes
TX_PARAM_NONE = 0


class Oid(ctypes.Structure):
    _fields_ = [("pool", ctypes.c_uint64), ("offset", ctypes.c_uint64)]


pmem = ctypes.CDLL("libpmemobj.so.1")
pmem.pmemobj_create.restype = ctypes.c_void_p
pmem.pmemobj_create.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint32]
pmem.pmemobj_errormsg.restype = ctypes.c_char_p
pmem.pmemobj_root.restype = Oid
pmem.pmemobj_root.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
pmem.pmemobj_direct.restype = ctypes.c_void_p
pmem.pmemobj_direct.argtypes = [Oid]
pmem.pmemobj_persist.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
pmem.pmemobj_tx_begin.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
pmem.pmemobj_tx_add_range_direct.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
pmem.pmemobj_close.argtypes = [ctypes.c_void_p]


def publish(name, text):
    with open(name + ".new", "w") as file:
        print(text, file=file)
    os.rename(name + ".new", name)


def count(pool, counter):
    if pmem.pmemobj_tx_begin(pool, None, TX_PARAM_NONE) or pmem.pmemobj_tx_add_range_direct(ctypes.addressof(counter), 8):
        sys.exit(f"no transaction: {pmem.pmemobj_errormsg()}")
    counter.value += 1
    pmem.pmemobj_tx_commit()
    pmem.pmemobj_tx_end()


def main():
    pool = pmem.pmemobj_create(sys.argv[1].encode(), b"pmemctl", POOL, 0o600)
    if not pool:
        sys.exit(f"no pool: {pmem.pmemobj_errormsg()}")
    root = pmem.pmemobj_direct(pmem.pmemobj_root(pool, HEAD + ARRAY))
    counter = ctypes.c_uint64.from_address(root)
    ctypes.memmove(root + HEAD, hashlib.shake_128(b"array").digest(ARRAY), ARRAY)
    pmem.pmemobj_persist(pool, root + HEAD, ARRAY)
    publish("/run/pmdk.where", f"{root + HEAD - pool} {ARRAY}")
    while not os.path.exists(STOP):
        count(pool, counter)
        if os.path.exists(ASK):
            os.unlink(ASK)
            publish(ANSWER, hashlib.sha256(ctypes.string_at(root + HEAD, ARRAY)).hexdigest())
        time.sleep(0.02)
    print(counter.value)
    pmem.pmemobj_close(pool)


if __name__ == "__main__":
    main()
