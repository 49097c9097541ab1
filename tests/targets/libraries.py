"""Programs whose libraries replace what is in ``threading``, or look into every thread."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

from scenario import main, scenario, start_all

from gilscope import profile

if TYPE_CHECKING:
    from collections.abc import Callable


def threads(work: Callable[[int], object]) -> list[threading.Thread]:
    """Three threads that do this."""
    return [threading.Thread(target=work, args=(i,), name=f"worker {i}") for i in range(3)]


def appended(out: list[int]) -> Callable[[int], None]:
    """Return work that sleeps and then says that it was done."""

    def work(number: int) -> None:
        time.sleep(0.01)
        out.append(number)

    return work


@scenario
def gevent(trace: str) -> object:
    """Threads are greenlets of the main thread; a pool has real ones."""
    from gevent import monkey, threadpool  # noqa: PLC0415 - not there for each interpreter

    out: list[int] = []
    with profile(trace):
        monkey.patch_all()
        start_all(threads(appended(out)))
        squares = list(threadpool.ThreadPool(2).imap(lambda x: x * x, range(3)))
    return sorted(out), squares


@scenario
def eventlet(trace: str) -> object:
    """Threads are greenlets, and the main thread has lost its native id."""
    import eventlet  # noqa: PLC0415 - not there for each interpreter

    eventlet.monkey_patch()
    out: list[int] = []
    with profile(trace):
        start_all(threads(appended(out)))
        list(eventlet.GreenPool(5).imap(appended(out), range(3)))
    return sorted(out)


@scenario
def greenlet(trace: str) -> object:
    """Stacks are switched in each of several threads."""
    from greenlet import getcurrent, greenlet  # noqa: PLC0415 - see above

    def work(_: int) -> None:
        parent = getcurrent()

        def step(_: object) -> None:
            for _i in range(100):
                time.sleep(0)
                parent.switch()

        some = [greenlet(step) for _ in range(3)]
        for _ in range(101):
            for one in some:
                one.switch(0)
        ended.append(all(one.dead for one in some))

    ended: list[bool] = []
    with profile(trace):
        start_all(threads(work))
    return ended


@scenario
def uvloop(trace: str) -> object:
    """An event loop in C, an executor and a child process."""
    import asyncio  # noqa: PLC0415

    import uvloop  # noqa: PLC0415 - see above

    async def work() -> object:
        loop = asyncio.get_running_loop()
        out: list[int] = []
        await asyncio.gather(*(loop.run_in_executor(None, appended(out), i) for i in range(4)))
        child = await asyncio.create_subprocess_exec("echo", "hi", stdout=-1)
        return sorted(out), (await child.communicate())[0].decode(), child.returncode

    with profile(trace):
        return uvloop.run(work())


@scenario
def trio(trace: str) -> object:
    """An event loop with threads that it keeps, and a child process."""
    import trio  # noqa: PLC0415 - see above

    out: list[int] = []

    async def work() -> str:
        async with trio.open_nursery() as nursery:
            for i in range(3):
                nursery.start_soon(trio.to_thread.run_sync, appended(out), i)
        done = await trio.run_process(["echo", "hi"], capture_stdout=True)
        return done.stdout.decode()

    with profile(trace):
        text = trio.run(work)
    return sorted(out), text


@scenario
def coverage(trace: str) -> object:
    """Every thread is traced by a library."""
    import coverage as library  # noqa: PLC0415 - see above

    out: list[int] = []
    with profile(trace):
        measured = library.Coverage(data_file=None, concurrency=["thread"])
        measured.start()
        start_all(threads(appended(out)))
        measured.stop()
    return sorted(out), len(measured.get_data().measured_files()) > 0


@scenario
def settrace(trace: str) -> object:
    """A debugger gets each line, in each thread."""
    seen: list[str] = []

    def tracer(frame: object, event: str, _: object) -> object:
        if getattr(frame, "f_code").co_name == "work":  # noqa: B009 - frames are not for mypy
            seen.append(event)
        return tracer

    with profile(trace):
        threading.settrace(tracer)  # type: ignore[arg-type]
        sys.settrace(tracer)  # type: ignore[arg-type]
        start_all(threads(appended([])))
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]
    return sorted(seen)


@scenario
def stand_ins(trace: str) -> object:
    """Somebody's own objects stand in for threads and for functions of threading."""

    class Hostile:
        def __getattribute__(self, name: str) -> object:
            raise RuntimeError(name)

    with profile(trace):
        threading._active[1] = Hostile()
        threading._active["x"] = None
        threading.enumerate = threading.current_thread = Hostile
        del threading._DummyThread, threading._MainThread
    return "went on"


if __name__ == "__main__":
    main()
