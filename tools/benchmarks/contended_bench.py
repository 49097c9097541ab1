"""Times a wait for the GIL, a wait for a lock and a callback, bare and under the probe, in turns.

    python contended_bench.py KIND --rounds N --seconds S --out DIRECTORY

Prints one JSON object: {"bare": [ns an operation, a round], "gilscope": […], "stacks": share of the
waits whose stack is in the last trace}. A round takes S seconds of each variant, in short pieces
that alternate: what else the machine does then meets both alike.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import contended

import gilscope
from gilscope.target.recording import session as probe
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    type Turns = Callable[[int, int], None]

PIECE_S = 0.05
MOST = 100_000  # operations of a piece: each leaves up to 64 bytes on the disk
FRAMES = 8  # of Python on the stack of each wait
FIRST = 500  # operations, to see how long one takes


def nested(frames: int, function: Turns, me: int, count: int) -> None:
    """Call a function with some frames of Python below it."""
    if frames:
        nested(frames - 1, function, me, count)
    else:
        function(me, count)


def in_two_threads(function: Turns) -> Callable[[int], float]:
    """Make a series of waits, ``count`` by each of two threads: ns a wait."""

    def run(count: int) -> float:
        threads = [
            threading.Thread(target=nested, args=(FRAMES, function, me, count)) for me in range(2)
        ]
        begin = time.perf_counter_ns()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return (time.perf_counter_ns() - begin) / (2 * count)

    return run


def callback(count: int) -> float:
    """Make a series of callbacks that do nothing: ns a callback."""
    return contended.callbacks(int, count) / count


KINDS: dict[str, tuple[Callable[[int], float], Event | None]] = {
    "gil_wait": (in_two_threads(contended.gil_turns), Event.GIL_WAIT),
    "lock_wait": (in_two_threads(contended.lock_turns), Event.LOCK_WAIT),
    "callback": (callback, None),
}


def recorded(series: Callable[[int], float], count: int, trace: Path) -> float:
    """Run a series under the probe."""
    probe.start(trace)
    try:
        return series(count)
    finally:
        probe.stop()


def stacks(path: Path, kind: Event | None) -> float | None:
    """Return the share of the waits that have a stack; None if it is not about waits."""
    if kind is None:
        return None
    waits = gilscope.open(path).intervals.where(kind)
    return float((waits.stack != 0).mean())


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each variant in a round")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    series, kind = KINDS[options.kind]
    series(FIRST)
    count = int(PIECE_S * 1e9 / series(FIRST) / (1 if kind is None else 2))
    count = min(max(1, count), MOST)
    trace = options.out / f"{options.kind}.gilscope"
    pieces = max(1, round(options.seconds / PIECE_S))
    found: dict[str, list[float]] = {"bare": [], "gilscope": []}
    for _ in range(options.rounds):
        bare = probed = 0.0
        for piece in range(pieces):
            if piece % 2:
                bare += series(count)
            probed += recorded(series, count, trace)
            if not piece % 2:
                bare += series(count)
        found["bare"].append(bare / pieces)
        found["gilscope"].append(probed / pieces)
    print(json.dumps({**found, "stacks": stacks(trace, kind)}))


if __name__ == "__main__":
    main()
