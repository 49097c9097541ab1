"""Child processes, other programs, and what the machine does not give."""

from __future__ import annotations

import contextlib
import importlib
import os
import resource
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from case import SKIPPED, Stage, case, company, main

import hostile

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20
NOBODY = 65534


def ends_well(child: Callable[[], object]) -> int:
    """Fork a child that does something and ends; its status, 0 if all went well."""
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            child()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@case
def forks(stage: Stage) -> dict[str, Any]:
    """Children are forked while threads contend and others start, copy and stop sessions."""
    statuses = set()

    def child() -> None:
        with company([lambda: sum(range(1000))] * 2):
            pass
        if stage.random.random() < 0.5:
            stage.cycle()

    def fork() -> None:
        while stage.go_on():
            statuses.add(ends_well(child))
            stage.pause()

    with stage.sessions(2), stage.contention(1), company([fork]):
        pass
    return {"statuses": sorted(statuses)}


@case
def children(stage: Stage) -> dict[str, Any]:
    """Children by vfork, posix_spawn, clone and a fork that the interpreter does not know of."""
    wrong = set()
    with stage.sessions(), stage.contention(1):
        while stage.go_on():
            way = stage.random.randrange(5)
            wrong.add(hostile.child(way) if way < 4 else hostile.fork_natively())
    return {"wrong": sorted(wrong)}


@case
def programs(stage: Stage) -> dict[str, Any]:
    """A recorded program of several threads becomes another program."""

    def spin() -> None:
        while True:
            sum(range(100))

    stage.start()
    for _ in range(2):
        threading.Thread(target=spin, daemon=True).start()
    stage.pause(20000)
    print("becoming another", flush=True)
    os.execv(sys.executable, [sys.executable, "-c", "print('another')"])  # noqa: S606


def some_threads(n: int = 6) -> int:
    """Start threads that compute; how many could be started."""
    started = []
    for _ in range(n):
        thread = threading.Thread(target=lambda: sum(range(20000)))
        with contextlib.suppress(RuntimeError):
            thread.start()
            started.append(thread)
    for thread in started:
        thread.join()
    return len(started)


def limited(stage: Stage, limit: int, value: int) -> None:
    """Set a limit, and start a session before or after that."""
    stage.tolerant = True
    early = stage.random.random() < 0.5
    if early:
        stage.start()
    resource.setrlimit(limit, (value, value))
    if not early:
        stage.start()


def mapped_bytes() -> int:
    """How much address space this process has."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


@case
def little_address_space(stage: Stage) -> dict[str, Any]:
    """Threads start under an address space that is enough for them."""
    limited(stage, resource.RLIMIT_AS, mapped_bytes() + 400 * MIB)
    while stage.go_on():
        some_threads()
        stage.pause()
    stage.stop()
    return {"started": some_threads()}


@case
def few_threads(stage: Stage) -> dict[str, Any]:
    """A user who may have no more threads than there are."""
    if os.geteuid() == 0:
        # Root may have more than its limit; and what is root's may not be imported afterwards.
        importlib.import_module("multiprocessing.spawn")
        stage.cycle()
        os.setuid(NOBODY)
    limited(stage, resource.RLIMIT_NPROC, stage.random.choice([1, 2, 4]))
    while stage.go_on():
        some_threads()
        stage.cycle()
    stage.stop()
    return {}


@case
def small_files(stage: Stage) -> dict[str, Any]:
    """No file may be larger than so and so much."""
    limit = stage.random.choice([64 << 10, MIB, 16 * MIB])
    limited(stage, resource.RLIMIT_FSIZE, limit)
    path = Path(f"{stage.trace if stage.recorded else os.environ['HOSTILE_PLACE'] + '/plain'}.own")
    refused = False
    with stage.contention():
        try:
            path.write_bytes(bytes(limit + 1))
        except OSError:
            refused = True
    stage.stop()
    return {"refused_to_program": refused}


@case
def full_disk(stage: Stage) -> dict[str, Any]:
    """The program fills the disk that the trace is on, and empties it again."""
    disk = os.environ.get("HOSTILE_DISK")
    if not disk:
        return {"verdict": SKIPPED}
    if stage.recorded:
        stage.trace = f"{disk}/trace"
    stage.tolerant = True
    filler = Path(disk, "filler")
    full = False
    stage.start()
    with stage.contention():
        while stage.go_on():
            try:
                with filler.open("wb", buffering=0) as file:
                    while file.write(bytes(64 << 10)):
                        pass
            except OSError:
                full = True
            time.sleep(0.02)
            filler.unlink()
            if stage.random.random() < 0.5:
                stage.stop()
                stage.start()
    stage.stop()
    for path in Path(disk).iterdir():
        path.unlink()
    return {"full": full}


@case
def meddled_trace(stage: Stage) -> dict[str, Any]:
    """Somebody truncates, removes and overwrites the trace while it is written."""
    stage.tolerant = True
    with stage.sessions(), stage.contention():
        while stage.go_on():
            for path in Path(stage.trace).parent.glob("*.gilscope.*") if stage.recorded else ():
                with contextlib.suppress(OSError):
                    stage.random.choice(
                        [
                            lambda p: os.truncate(p, 0),
                            lambda p: p.unlink(),
                            lambda p: p.write_bytes(b"\xff" * 100),
                        ]
                    )(path)
            stage.pause()
    return {}


if __name__ == "__main__":
    main()
