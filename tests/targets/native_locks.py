"""Locks of native code: the scenes of native_stage.cpp, as a library that ctypes loads.

``LIBRARY`` names it. With ``LATE`` it is loaded after the probe has been started, with ``OFF`` the
probe is to leave the locks of native code alone.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading

import stage
from scenario import SCENARIOS, main, scenario

from gilscope import profile
from gilscope.target.recording import session as probe

SCENES = (
    "mutex shared_reader shared_writer timed_mutex timed_out condition_variable condition_timed "
    "condition_any cancelled uncontended"
)


def load() -> ctypes.CDLL:
    """Load the library."""
    library = ctypes.CDLL(os.environ["LIBRARY"])
    library.pair_ns.restype = ctypes.c_double
    return library


def play(library: ctypes.CDLL, scene: str) -> str:
    """Play a scene, return its facts."""
    text = ctypes.create_string_buffer(20000)
    if library.play(scene.encode(), text, len(text)) < 0:
        raise ValueError(scene)
    return text.value.decode()


def facts_of(text: str) -> dict[str, int]:
    """Return the facts of a scene by name."""
    pairs = [fact.split("=") for fact in text.split()]
    return {name: int(value) for name, value in pairs}


def recorded(scene: str, trace: str) -> dict[str, object]:
    """Record a scene."""
    library = None if "LATE" in os.environ else load()
    with profile(trace, native_locks="OFF" not in os.environ):
        facts = facts_of(play(library or load(), scene))
    return {**facts, "main": threading.get_native_id()}


for name in SCENES.split():
    SCENARIOS[name] = lambda trace, name=name: recorded(name, trace)


@scenario
def answers(trace: str) -> dict[str, object]:
    """What the functions answer, without the probe and with it."""
    library = load()
    play(library, "answers")  # glibc itself answers otherwise the first time (priority ceiling)
    without = play(library, "answers")
    with profile(trace):
        recorded = play(library, "answers")
    return {"without": without, "recorded": recorded}


@scenario
def deadlock(trace: str) -> None:
    """Two threads that will never go on; waits to be killed."""
    library = load()
    probe.start(trace)
    print(play(library, "deadlock"), flush=True)
    while True:
        stage.pairs(1)


@scenario
def patched(trace: str) -> dict[str, object]:
    """The slots that name a lock function, before, with the option off, and with it on."""
    load()
    probe.self_test()  # which patches, once, and puts back

    def words() -> list[int]:
        return [word for _, symbol, _, word in stage.slots() if is_lock(symbol)]

    before = words()
    with profile(trace, native_locks=False):
        off = words()
    with profile(trace):
        on = words()
    differ = [sum(a != b for a, b in zip(before, other, strict=True)) for other in (off, on)]
    return {"slots": len(before), "off": differ[0], "on": differ[1], "after": before == words()}


def is_lock(symbol: str) -> bool:
    """Return whether a function waits for a lock of native code."""
    return symbol.startswith(("pthread_rwlock_", "pthread_cond_clockwait", "_ZNSt18condition_"))


@scenario
def cost(trace: str) -> dict[str, object]:
    """What an uncontended pair costs without the probe and with it, ns; pairs of measurements."""
    library = load()
    without, recorded = [], []
    for _ in range(15):
        without.append(library.pair_ns(1_000_000))
        with profile(trace):
            recorded.append(library.pair_ns(1_000_000))
    return {"without": without, "recorded": recorded}


if __name__ == "__main__":
    sys.exit(main())
