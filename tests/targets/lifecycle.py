"""The probe is started and stopped, in order and out of order."""

from __future__ import annotations

import _ctypes
import contextlib
import ctypes
import importlib.util
import os
import threading
import time
from pathlib import Path

import stage
from scenario import PATIENCE_S, main, scenario, start_all

from gilscope.errors import GilscopeError
from gilscope.target.recording import session as probe

CYCLES = 2000
WARM = 200
SESSIONS = 20


def refusal(function: object, *args: object) -> str:
    """Return what the call is refused with."""
    try:
        function(*args)  # type: ignore[operator]
    except GilscopeError as error:
        return str(error)
    return ""


@scenario
def start_twice(trace: str) -> dict[str, object]:
    """The second start comes while the first session runs."""
    probe.start(trace)
    stage.pairs(100)
    second = refusal(probe.start, trace + ".second")
    same = refusal(probe.start, trace)
    stage.pairs(100)
    probe.stop()
    third = refusal(probe.stop)
    return {"refusals": [second, same, third], "running": probe.running()}


@scenario
def stop_without_start(trace: str) -> dict[str, object]:
    """A stop comes first."""
    refused = refusal(probe.stop)
    probe.start(trace)
    stage.pairs(100)
    return {"refusals": [refused], **probe.stop()}


@scenario
def own_work(trace: str) -> dict[str, object]:
    """Sessions that record nothing, in a process with some extension modules."""
    for name in ("_decimal", "_hashlib", "_sqlite3", "_ssl", "pyexpat", "_asyncio", "_elementtree"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    times = []
    for number in range(SESSIONS):
        before = time.monotonic_ns()
        probe.start(f"{trace}.{number}" if number else trace)
        started = time.monotonic_ns()
        stopping = time.monotonic_ns()
        probe.stop()
        times.append([before, started, stopping, time.monotonic_ns()])
    return {"times": times}


@scenario
def copies_at_once(trace: str) -> dict[str, object]:
    """Several threads write snapshots to the same file."""
    refusals: list[str] = []

    def copy() -> None:
        refusals.extend(refusal(probe.snapshot, f"{trace}.copy") for _ in range(30))

    probe.start(trace)
    start_all([threading.Thread(target=copy) for _ in range(3)])
    probe.stop()
    return {"refusals": sorted(set(refusals))}


@scenario
def bad_paths(trace: str) -> dict[str, object]:
    """Traces cannot be written there; then one can be."""
    place = Path(trace).parent
    (place / "file").write_text("not a directory", encoding="utf-8")
    (place / "directory").mkdir()
    paths = [
        "/proc/trace",
        place / "missing" / "trace",
        place / "file" / "trace",
        place / "directory",
    ]
    refusals = [refusal(probe.start, str(path)) for path in paths]
    states = [probe.running()]
    probe.start(trace)
    probe.stop()
    return {"refusals": refusals, "running": states, "file": (place / "file").read_text()}


@scenario
def odd_paths(trace: str) -> dict[str, object]:
    """File names that are no text, or odd text."""
    place = Path(trace).parent
    names = [b"latin-\xe9", "snake-\N{SNAKE}".encode(), b"new\nline", b" "]
    paths = [os.fsdecode(os.fsencode(place) + b"/" + name) for name in names]
    for path in paths:
        probe.start(path)
        probe.stop()
    return {"missing": [os.fsencode(path).hex() for path in paths if not Path(path).exists()]}


@scenario
def odd_limits(trace: str) -> dict[str, object]:
    """Sizes that cannot be."""
    limits = [0, -1, 1 << 20, 1 << 62, 1 << 64, 1 << 80]
    refusals = [refusal(lambda n=n: probe.start(trace, max_bytes=n)) for n in limits]
    return {"refusals": refusals, "running": probe.running()}


def hooked_words() -> dict[int, int]:
    """Return address and word of every relocation slot that the probe has a hook for."""
    hooks = {function for function, _, _ in probe.hooks()}
    return {address: word for _, symbol, address, word in stage.slots() if symbol in hooks}


def protections(addresses: dict[int, int]) -> dict[int, str]:
    """Return the protection of the memory at each of the addresses."""
    spans = []
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        begin, end = (int(part, 16) for part in line.split()[0].split("-"))
        spans.append((begin, end, line.split()[1]))
    return {
        address: protection
        for address in addresses
        for begin, end, protection in spans
        if begin <= address < end
    }


def writable_and_executable() -> list[str]:
    """Return the mappings that are both."""
    maps = Path("/proc/self/maps").read_text(encoding="utf-8")
    return [line for line in maps.splitlines() if "wx" in line.split()[1]]


@scenario
def restored(trace: str) -> dict[str, object]:
    """Compares the slots and their pages before the first start, during two sessions, and after."""
    executable = writable_and_executable()
    # The loader fills a slot in at its first use: this one's is that of the thread that watches us,
    # which may be late.
    lock = threading.Lock()
    lock.acquire()
    lock.acquire(timeout=0.001)
    before = hooked_words()
    pages = protections(before)
    changed, left, reprotected = [], [], []
    for _ in range(2):
        probe.start(trace)
        during = hooked_words()
        thread = threading.Thread(target=stage.pairs, args=(10,))
        thread.start()
        thread.join()
        new_executable = [line for line in writable_and_executable() if line not in executable]
        reprotected.append(protections(before) != pages)
        probe.stop()
        after = hooked_words()
        changed.append(sum(during[address] != word for address, word in before.items()))
        left.append([hex(address) for address, word in before.items() if after[address] != word])
        reprotected.append(protections(before) != pages)
    return {
        "slots": len(before),
        "unknown": len(before) - len(pages),
        "changed": changed,
        "left": left,
        "reprotected": reprotected,
        "executable": new_executable,
        "hooks": sum(slots for _, _, slots in probe.hooks()),
    }


def footprint() -> dict[str, int]:
    """Return what a process can leak."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    rss = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return {
        "fds": len(list(Path("/proc/self/fd").iterdir())),
        "threads": len(list(Path("/proc/self/task").iterdir())),
        "maps": Path("/proc/self/maps").read_text(encoding="utf-8").count("\n"),
        "rss_kb": int(rss.split()[1]),
    }


@scenario
def cycles(trace: str) -> dict[str, object]:
    """2,000 sessions, one after another, in memory where there is a place for that."""
    memory = Path("/dev/shm")  # noqa: S108 - as fast as it gets, and removed right after
    path = memory / f"gilscope-{os.getpid()}" if memory.is_dir() else Path(trace)
    deadline = time.monotonic() + PATIENCE_S / 2
    for cycle in range(CYCLES):
        if cycle == WARM:
            before = footprint()
        if cycle > 2 * WARM and time.monotonic() > deadline:
            break  # a slow machine
        probe.start(path, max_bytes=8 << 20)
        probe.stop()
    path.unlink()
    return {"before": before, "after": footprint()}


@scenario
def abandoned(trace: str) -> dict[str, object]:
    """The program ends with the session running."""
    probe.start(trace)
    stage.pairs(100)
    return {"running": probe.running()}


@scenario
def self_test(trace: str) -> dict[str, object]:
    """The probe's own test and the list of its hooks; then again, then it still records."""
    first = probe.self_test()
    probe.start(trace)
    refused = refusal(probe.self_test)
    probe.stop()
    return {"first": first, "again": probe.self_test(), "hooks": probe.hooks(), "refused": refused}


@scenario
def stopped_by_another_thread(trace: str) -> dict[str, object]:
    """One thread starts the probe, another one stops it."""
    starter = threading.Thread(target=probe.start, args=(trace,))
    starter.start()
    starter.join()
    stage.pairs(100)
    stopper = threading.Thread(target=probe.stop)
    stopper.start()
    stopper.join()
    return {"running": probe.running()}


@scenario
def library_that_is_closed(trace: str) -> dict[str, object]:
    """A library whose slots are hooked is closed by the program before the probe is stopped."""
    file = importlib.util.find_spec("stage_late").origin
    library = ctypes.CDLL(file)
    probe.start(trace)
    stage.idle_threads(3)
    _ctypes.dlclose(library._handle)
    report = probe.stop()
    maps = Path("/proc/self/maps").read_text(encoding="utf-8")
    return {"left": report["slots_left"], "mapped": file in maps}


@scenario
def two_at_once(trace: str) -> dict[str, object]:
    """Many threads start and stop at the same time."""
    refusals: list[str] = []

    def fight(number: int) -> None:
        for _ in range(20):
            refusals.append(refusal(lambda: probe.start(f"{trace}.{number}", max_bytes=8 << 20)))
            stage.pairs(2)
            refusals.append(refusal(probe.stop))

    threads = [threading.Thread(target=fight, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refusal(probe.stop)
    return {"refusals": sorted(set(refusals)), "running": probe.running()}


if __name__ == "__main__":
    main()
