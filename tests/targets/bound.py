"""A native library, bound to Python in the way that the variable BINDING names, calls back."""

from __future__ import annotations

import _ctypes
import contextlib
import ctypes
import importlib
import logging
import os
import sys
import threading
import time
from pathlib import Path

import stage
from scenario import main, scenario

from gilscope.target.recording import session as probe

BINDING = os.environ["BINDING"]
CALLS = 200
THREADS = 3
ROUNDS = 5

relay = None if BINDING in ("pyo3", "none") else importlib.import_module(f"relay_{BINDING}")
native = sys.modules.get("_relay_cffi", relay)


def called(_number: int) -> None:
    """Take one call from native code."""


class ForwardingLogger(getattr(relay, "Logger", object)):  # type: ignore[misc] # known at run time
    """Forwards what native code logs to logging."""

    def log(self, level: int, text: str) -> None:
        """Take one record."""
        logging.getLogger("relay").log(level, text)


class Counter(logging.Handler):
    """Counts the records that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.records = 0

    def emit(self, _record: logging.LogRecord) -> None:
        """Count one record."""
        self.records += 1


@scenario
def from_this_thread(trace: str) -> dict[str, object]:
    """Native code that has released the GIL calls back from the thread that it was called from.

    First no time, to know what else there is.
    """
    seen: list[int] = []

    def called_here(number: int) -> None:
        seen.append(number)

    for path, calls in ((f"{trace}.none", 0), (trace, CALLS)):
        probe.start(path)
        relay.forward(called_here, calls)
        probe.stop()
    return {"calls": CALLS, "seen": seen == list(range(CALLS))}


@scenario
def from_native_threads(trace: str) -> dict[str, object]:
    """Threads of native code call back."""
    probe.start(trace)
    relay.forward_from_threads(called, THREADS, CALLS)
    report = probe.stop()
    return {**report, "threads": THREADS, "calls": CALLS}


@scenario
def without_the_gil(trace: str) -> dict[str, object]:
    """A native function that releases the GIL is called; first no time."""
    values = set()
    for path, calls in ((f"{trace}.none", 0), (trace, CALLS)):
        probe.start(path)
        for _ in range(calls):
            values.add(relay.compute(1000))
        probe.stop()
    return {"calls": CALLS, "values": len(values)}


@scenario
def logged(trace: str) -> dict[str, object]:
    """Threads of native code log through a Python class, which forwards to logging."""
    counter = Counter()
    logger = logging.getLogger("relay")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(counter)
    probe.start(trace)
    relay.log_from_threads(ForwardingLogger(), THREADS, CALLS)
    report = probe.stop()
    return {**report, "threads": THREADS, "calls": CALLS, "records": counter.records}


@scenario
def contended(trace: str) -> dict[str, object]:
    """A native thread has to wait for a std::mutex a known number of times."""
    probe.start(trace)
    slept = relay.contend(ROUNDS)
    report = probe.stop()
    return {**report, "rounds": ROUNDS, "slept": slept, "holder": threading.get_native_id()}


def slots_of(name: str) -> dict[int, int]:
    """Return address and word of the relocation slots of objects whose file has this name."""
    return {
        address: word
        for file, _, address, word in stage.slots()
        if Path(file).name.startswith(name)
    }


@scenario
def restored(trace: str) -> dict[str, object]:
    """What the probe changes in the module, and what is left of that."""
    name = Path(relay.library._name if BINDING == "ctypes" else native.__file__).name
    relay.forward(called, 1)  # binds what is bound at the first call
    relay.forward_from_threads(called, 1, 1)
    before = slots_of(name)
    for path in (f"{trace}.first", trace):
        probe.start(path)
        during = slots_of(name)
        relay.forward_from_threads(called, 1, CALLS)
        probe.stop()
    after = slots_of(name)
    relay.forward_from_threads(called, 1, CALLS)
    hooked = {symbol: slots for symbol, file, slots in probe.hooks() if Path(file).name == name}
    return {
        "changed": sum(before[address] != during[address] for address in before),
        "left": sum(before[address] != after[address] for address in before),
        "hooked": hooked,
    }


@scenario
def pointers(trace: str) -> dict[str, object]:
    """A module is loaded that has addresses of the interpreter's functions in variables.

    It is not imported: the module's own beginning may set the variables to something else.
    """
    file = os.environ["LIBRARY"]
    library = ctypes.CDLL(file)
    words = [library_variables(file)]
    for path in (f"{trace}.first", trace):
        probe.start(path)
        words.append(library_variables(file))
        probe.stop()
        words.append(library_variables(file))
    _ctypes.dlclose(library._handle)
    return {"words": [[word for _, word in some] for some in words]}


def library_variables(file: str) -> list[tuple[int, int]]:
    """Return address and word of what an object has twice: a slot for calls, and a variable."""
    names = ("PyGILState_Ensure", "PyGILState_Release")
    slots = [(symbol, address, word) for f, symbol, address, word in stage.slots() if f == file]
    found = []
    for name in names:
        own = sorted((address, word) for symbol, address, word in slots if symbol == name)
        found += own[1:]  # variables lie behind the table of slots for calls
    return found


@scenario
def imported_late(trace: str) -> dict[str, object]:
    """The module is imported while the probe runs."""
    name = os.environ["LATE"]
    probe.start(trace)
    before = sys._is_gil_enabled()
    late = importlib.import_module(f"relay_{name}")
    late.forward_from_threads(called, THREADS, CALLS)
    gil = sys._is_gil_enabled()
    report = probe.stop()
    late.forward_from_threads(called, THREADS, CALLS)
    return {**report, "threads": THREADS, "calls": CALLS, "before": before, "gil": gil}


@scenario
def loaded_again(trace: str) -> dict[str, object]:
    """A library is loaded, used and closed twice while the probe runs."""
    file = os.environ["LIBRARY"]
    callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int)
    seen: list[int] = []

    @callback
    def called_by_library(_context: int, number: int) -> None:
        seen.append(number)

    probe.start(trace)
    for _ in range(2):
        library = ctypes.CDLL(file)
        library.relay_forward_from_threads(called_by_library, None, THREADS, CALLS)
        _ctypes.dlclose(library._handle)
    report = probe.stop()
    maps = Path("/proc/self/maps").read_text(encoding="utf-8")
    facts = {"threads": 2 * THREADS, "calls": CALLS, "seen": len(seen)}
    return {**facts, "left": report["slots_left"], "mapped": file in maps}


def named(name: str) -> bool:
    """Return whether the kernel has a thread of this process whose name begins so."""
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if (task / "comm").read_text(encoding="utf-8").startswith(name):
                return True
    return False


@scenario
def pyo3_steps(trace: str) -> dict[str, object]:
    """A module of PyO3 releases the GIL in each of its steps, and asks Python after each."""
    from watchfiles._rust_notify import RustNotify  # noqa: PLC0415 - not for the other bindings

    class Stop:
        """Tells the steps when it is enough."""

        def __init__(self, steps: int) -> None:
            self.steps = steps
            self.asked = 0

        def is_set(self) -> bool:
            """Return whether that many steps were made."""
            self.asked += 1
            return self.asked > self.steps

    asked = []
    place = Path(trace).parent / "watched"
    place.mkdir()
    # The first call does what is done once a process.
    for path, steps in ((f"{trace}.first", 0), (f"{trace}.none", 0), (trace, CALLS)):
        notify = RustNotify([str(place)], False, False, 50, True, False)  # noqa: FBT003 - its API
        stop = Stop(steps)
        probe.start(path)
        ended = notify.watch(1, 1, 0, stop)
        probe.stop()
        asked.append(stop.asked)
        notify.close()
    return {"calls": CALLS, "asked": asked, "ended": ended}


@scenario
def pyo3_hooks(trace: str) -> dict[str, object]:
    """The slots of a module of PyO3 before, during and after a session; it is used in all three."""
    from watchfiles._rust_notify import RustNotify  # noqa: PLC0415 - not for the other bindings

    place = Path(trace).parent / "watched"
    place.mkdir()

    def use() -> None:
        with RustNotify([str(place)], False, False, 50, True, False) as notify:  # noqa: FBT003
            while not named("notify-rs"):
                notify.watch(1, 1, 1, None)
        while named("notify-rs"):
            time.sleep(0.001)

    use()
    before = slots_of("_rust_notify")
    probe.start(trace)
    during = slots_of("_rust_notify")
    use()
    probe.stop()
    after = slots_of("_rust_notify")
    use()
    rows = [row for row in probe.hooks() if Path(row[1]).name.startswith("_rust_notify")]
    return {
        "changed": sum(before[address] != during[address] for address in before),
        "left": sum(before[address] != after[address] for address in before),
        "hooked": {symbol: slots for symbol, _, slots in rows},
        "file": rows[0][1] if rows else "",
        "gil": sys._is_gil_enabled(),
    }


if __name__ == "__main__":
    main()
