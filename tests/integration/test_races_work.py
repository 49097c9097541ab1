"""What threads hold, how often they race, and how work is shared among them while it is watched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 120
INTERPRETERS = [
    pytest.param(os.environ.get("GILSCOPE_PYTHON", sys.executable), id="gil"),
    pytest.param(os.environ.get("GILSCOPE_FT_PYTHON", ""), id="ft"),
]

SIGNALS = {
    "condition": ("made = threading.Condition(); items = []",
        "with made:\n        while not items: made.wait()\n        items.pop()",
        "with made:\n    items += [1, 2]\n    made.notify_all()"),
    "queue": ("made = queue.Queue()", "made.get()", "made.put(1); made.put(2)"),
    "simple queue": ("made = queue.SimpleQueue()", "made.get()", "made.put(1); made.put(2)"),
    "semaphore": ("made = threading.Semaphore(0)", "made.acquire()", "made.release(2)"),
    "event": ("made = threading.Event()", "made.wait()", "made.set()"),
    "barrier": ("made = threading.Barrier(3)", "made.wait()", "made.wait()"),
    "process lock": ("made = multiprocessing.get_context('spawn').Semaphore(0)", "made.acquire()",
        "made.release(); made.release()"),
}  # fmt: skip
SIGNALLED = """
import multiprocessing, queue, threading, time
class State: n = 0
state = State()
{made}
def work():
    {wait}
    for _ in range(200): state.n += 1
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
time.sleep(0.2)
{wake}
for thread in threads: thread.join()
"""
HANDED = """
import threading
class State: n = 0
state = State()
ping, gone = threading.Lock(), threading.Event()
def first():
    ping.acquire()
    gone.set()
    ping.acquire()
    for _ in range(200): state.n += 1
def second():
    gone.wait()
    for _ in range(200): state.n += 1
    ping.release()
    for _ in range(200): state.n += 1
threads = [threading.Thread(target=work) for work in (first, second)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
JOINED = """
import threading
class State: n = 0
state = State()
lock = threading.Lock()
before = threading.Thread(target=int)
before.start()
with lock:
    before.join()
def work():
    for _ in range(200):
        with lock: state.n += 1
thread = threading.Thread(target=work)
thread.start()
for _ in range(200): state.n += 1
thread.join()
"""
COUNTED = """
import threading
class State: n = 0
state = State()
def work():
    for _ in range(500): state.n += 1
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
WORK = {
    "queue": ("queue.Queue()", "made.get()", "made.put"),
    "last in, first out": ("queue.LifoQueue()", "made.get()", "made.put"),
    "priority": ("queue.PriorityQueue()", "made.get()", "made.put"),
    "simple queue": ("queue.SimpleQueue()", "made.get()", "made.put"),
    "deque": ("collections.deque()", "made.popleft() if made else -1", "made.append"),
}
WORKED = """
import collections, queue, threading
total = 0
made = {made}
def work():
    global total
    while True:
        n = {take}
        if n < 0: return
        total += n
for n in range(1, 101): {give}(n)
if not isinstance(made, (collections.deque, queue.LifoQueue, queue.PriorityQueue)):
    for n in range(3): {give}(-1)
if isinstance(made, (queue.LifoQueue, queue.PriorityQueue)):
    def work():
        global total
        for _ in range(30): total += made.get()
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
ALONE = """
import queue, threading
jobs = queue.Queue()
def try_it():
    try: jobs.get_nowait()
    except queue.Empty: pass
def work():
    while jobs.get() is not None: pass
first = threading.Thread(target=try_it)
first.start(); first.join()
for n in range(5): jobs.put(n)
jobs.put(None)
second = threading.Thread(target=work, name="worker")
second.start(); second.join()
"""
CHANGED = """
import threading
table = {n: n for n in range(50)}
go = threading.Barrier(2)
def look():
    try: [n for n in table]
    except RuntimeError: pass
def over():
    look()
    go.wait()
    for _ in range(20): look()
def change():
    look()
    go.wait()
    for n in range(100, 140):
        table[n] = n
        del table[n]
threads = [threading.Thread(target=work) for work in (over, change)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
PAIR = """
import threading
class Box:
    def __init__(self): self.low = self.high = 0
box = Box()
def put():
    for n in range(300):
        box.low = n
        box.high = n + 1
def get():
    for _ in range(300):
        box.low < box.high
threads = [threading.Thread(target=work) for work in (put, get)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def watched(
    python: str, code: str, tmp_path: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    """Run a program in an interpreter, watched for races."""
    if not python:
        pytest.skip("no interpreter of this build")
    program = tmp_path / "program.py"
    program.write_text(code)
    return subprocess.run(
        [python, "-m", "gilscope", "races", *words, str(program)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def races(python: str, code: str, tmp_path: Path) -> list[dict[str, Any]]:
    """Return its races."""
    found: list[dict[str, Any]] = json.loads(watched(python, code, tmp_path, "--json").stdout)[
        "races"
    ]
    return found


@pytest.mark.parametrize("python", INTERPRETERS)
@pytest.mark.parametrize("name", SIGNALS)
def test_who_was_woken_holds_no_lock(python: str, name: str, tmp_path: Path) -> None:
    """The lock that a thread waits by is the one that wakes it: nothing is protected by it."""
    made, wait, wake = SIGNALS[name]
    found = races(python, SIGNALLED.format(made=made, wait=wait, wake=wake), tmp_path)
    assert [race["class"] for race in found] == ["lost-update"]
    assert [access["locks"] for access in found[0]["accesses"]] == [[], [], []]
    assert found[0]["advice"] == "Hold one lock from the read to the write, in both threads."


@pytest.mark.parametrize("python", INTERPRETERS)
def test_a_lock_as_a_signal_is_not_held(python: str, tmp_path: Path) -> None:
    """One thread acquires it twice, another one releases it in between."""
    found = races(python, HANDED, tmp_path)
    assert found
    assert {
        name for race in found for access in race["accesses"] for name in access["locks"]
    } == set()


@pytest.mark.parametrize("python", INTERPRETERS)
def test_a_lock_held_over_the_last_join_is_released(python: str, tmp_path: Path) -> None:
    """The thread is alone then, until it starts another one."""
    [race] = races(python, JOINED, tmp_path)
    assert sorted({tuple(access["locks"]) for access in race["accesses"]}) == [(), ("lock",)]


@pytest.mark.parametrize("python", INTERPRETERS)
def test_an_increment_counts_once(python: str, tmp_path: Path) -> None:
    """However many threads it is not ordered with."""
    [race] = races(python, COUNTED, tmp_path)
    assert 0 < race["count"] <= 2000


@pytest.mark.parametrize("python", INTERPRETERS)
@pytest.mark.parametrize("name", WORK)
def test_work_goes_to_several_threads(python: str, name: str, tmp_path: Path) -> None:
    """Short jobs that come by a container are not all done by the first thread."""
    made, take, give = WORK[name]
    found = races(python, WORKED.format(made=made, take=take, give=give), tmp_path)
    assert "total" in [race["variable"] for race in found]


@pytest.mark.parametrize("python", INTERPRETERS)
def test_work_that_one_thread_did_alone_is_said(python: str, tmp_path: Path) -> None:
    """No race then means little."""
    said = watched(python, ALONE, tmp_path).stderr.splitlines()[-1]
    assert said == (
        "one of 2 threads, worker, did all the work that came by a queue (5 items): this run could "
        "not show races of the others"
    )


@pytest.mark.parametrize("python", INTERPRETERS)
def test_what_changes_during_an_iteration_is_one_race(python: str, tmp_path: Path) -> None:
    """With the addition and the removal in it."""
    found = [race for race in races(python, CHANGED, tmp_path) if race["class"] == "iteration"]
    [line] = {race["accesses"][0]["line"] for race in found}
    [race] = found
    assert {access["line"] for access in race["accesses"]} == {line, 16, 17}


@pytest.mark.parametrize("python", INTERPRETERS)
def test_each_access_of_a_pair_names_its_variable(python: str, tmp_path: Path) -> None:
    """Two of them are on one line."""
    [race] = races(python, PAIR, tmp_path)
    assert race["class"] == "torn-pair"
    assert [access["variable"] for access in race["accesses"]] == ["Box.low", "Box.high"] * 2
    assert "of Box.high, holding no lock" in watched(python, PAIR, tmp_path).stderr
