"""Small programs of different kinds, by which tools/predict.py judges predictions.

    python programs.py KIND

Each does the same work in every build, in as many threads.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import sys
import tempfile
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    type Work = Callable[[int], object]


def in_threads(work: Work, threads: int = 2) -> None:
    """Call ``work(number)`` in each of some threads."""
    started = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


def squares(count: int) -> int:
    """Compute in Python, with objects of the thread's own."""
    total = 0
    for i in range(count):
        total += i * i % 7
    return total


def python_2() -> None:
    """Two threads compute in Python."""
    in_threads(lambda _: squares(3_000_000))


def python_8() -> None:
    """Eight threads do."""
    in_threads(lambda _: squares(800_000), 8)


def python_uneven() -> None:
    """One of two threads has three times as much to do."""
    in_threads(lambda number: squares(1_200_000 if number else 3_600_000))


def python_then_parallel() -> None:
    """Half of the work is done by one thread alone."""
    squares(2_500_000)
    in_threads(lambda _: squares(1_250_000))


def one_thread() -> None:
    """Nothing runs in parallel."""
    squares(5_000_000)


def pool_of_tasks() -> None:
    """An executor's threads take many small tasks."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(squares, [6000] * 600))


def words() -> None:
    """Two threads make dicts and strings."""

    def work(number: int) -> None:
        for _ in range(12):
            counts: dict[str, int] = {}
            for i in range(25_000):
                word = f"w{i % 977}-{number}"
                counts[word] = counts.get(word, 0) + 1

    in_threads(work)


def native_hash() -> None:
    """Native code that releases the GIL, without callbacks."""
    data = bytes(4 << 20)
    in_threads(lambda _: [hashlib.sha256(data).digest() for _ in range(40)])


def native_and_python() -> None:
    """Compression without the GIL and Python in turns."""
    data = os.urandom(200_000)

    def work(_: int) -> None:
        for _ in range(30):
            zlib.compress(data, 6)
            squares(30_000)

    in_threads(work)


def native_with_the_gil() -> None:
    """Native code that keeps the GIL."""
    text = json.dumps([{"key": i, "values": [i] * 8} for i in range(3000)])
    in_threads(lambda _: [json.loads(text) for _ in range(25)])


def sleeps() -> None:
    """Threads that wait for something outside, and compute a little."""

    def work(_: int) -> None:
        for _ in range(40):
            time.sleep(0.01)
            squares(2000)

    in_threads(work, 4)


def reads() -> None:
    """A thread reads from a file beside one that computes."""
    with tempfile.TemporaryFile() as file:
        file.write(bytes(4 << 20))
        file.flush()

        def work(number: int) -> None:
            if number:
                squares(3_000_000)
            for _ in range(0 if number else 60):
                os.pread(file.fileno(), 4 << 20, 0)

        in_threads(work)


def one_lock() -> None:
    """All work is done with one lock."""
    lock = threading.Lock()

    def work(_: int) -> None:
        for _ in range(600):
            with lock:
                squares(4000)

    in_threads(work)


def short_lock() -> None:
    """A tenth of the work is done with one lock."""
    lock = threading.Lock()

    def work(_: int) -> None:
        for _ in range(600):
            squares(4000)
            with lock:
                squares(400)

    in_threads(work)


def pipeline() -> None:
    """One thread hands work to another one by a queue."""
    channel: queue.Queue[int | None] = queue.Queue(100)

    def work(number: int) -> None:
        if number:
            while (size := channel.get()) is not None:
                squares(size)
            return
        for _ in range(1000):
            squares(2500)
            channel.put(2500)
        channel.put(None)

    in_threads(work)


def shared_object() -> None:
    """Two threads count references to one object all the time."""
    shared = threading.Lock()

    def work(_: int) -> None:
        locked = shared
        for _ in range(3_000_000):
            locked.locked()

    in_threads(work)


def shared_dict() -> None:
    """Four threads write to one dict."""
    table: dict[int, int] = {}

    def work(number: int) -> None:
        for i in range(500_000):
            table[i % 1000] = number

    in_threads(work, 4)


KINDS = (
    (python_2, python_8, python_uneven, python_then_parallel, one_thread, pool_of_tasks, words)
    + (native_hash, native_and_python, native_with_the_gil, sleeps, reads, one_lock, short_lock)
    + (pipeline, shared_object, shared_dict)
)

if __name__ == "__main__":
    {kind.__name__: kind for kind in KINDS}[sys.argv[1]]()
