"""Greenlets that switch stacks inside callbacks of native code."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading

from greenlet import getcurrent, greenlet
from scenario import main, scenario

from gilscope import profile

GREENLETS = 3
TURNS = 20


def query(turns: int) -> int:
    """Let SQLite call back so often; each call switches to the next greenlet."""
    connection = sqlite3.connect(":memory:")
    connection.create_function("turn", 1, turn)
    connection.execute("create table numbers (n)")
    connection.executemany("insert into numbers values (?)", [(n,) for n in range(turns)])
    return sum(row[0] for row in connection.execute("select turn(n) from numbers"))


def turn(number: int) -> int:
    """Be called back; wait for a lock that another thread gives back, and switch."""
    lock = threading.Lock()
    lock.acquire()
    threading.Timer(0.0005, lock.release).start()
    getcurrent().parent.switch(number)
    lock.acquire()
    return number


@scenario
def callbacks(trace: str) -> list[int]:
    """Several greenlets are in the middle of a callback at the same time."""
    recorded = contextlib.nullcontext() if "BARE" in os.environ else profile(trace)
    sums = []
    with recorded:
        greenlets = [greenlet(query) for _ in range(GREENLETS)]
        results = [one.switch(TURNS) for one in greenlets]
        while greenlets:
            results = [one.switch() for one in greenlets]
            sums += [result for one, result in zip(greenlets, results, strict=True) if one.dead]
            greenlets = [one for one in greenlets if not one.dead]
        query_alone()
    return sums


def query_alone() -> None:
    """Let SQLite call back without a switch."""
    connection = sqlite3.connect(":memory:")
    connection.create_function("same", 1, int)
    connection.execute("select same(1)").fetchall()


if __name__ == "__main__":
    main()
