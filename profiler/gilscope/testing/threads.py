"""Runs each test in several threads at once, which begin together."""

from __future__ import annotations

import inspect
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

UNSAFE_FIXTURES = {
    "benchmark", "caplog", "capfd", "capfdbinary", "capsys", "capsysbinary", "capteesys",
    "monkeypatch", "pytester", "recwarn", "testdir",
}  # fmt: skip
"""They change what all threads share."""

FOLDERS = ("tmp_path", "tmpdir")


class Threads:
    """The plug-in that does it."""

    def __init__(self, number: int) -> None:
        """Run tests in ``number`` threads, unless they say otherwise."""
        self.number = number

    @pytest.fixture
    def num_parallel_threads(self, request: pytest.FixtureRequest) -> int:
        """In how many threads the test runs."""
        return self.threads_of(request.node)

    @pytest.fixture
    def num_iterations(self, request: pytest.FixtureRequest) -> int:
        """How often each thread runs the test."""
        return _number(request.node, "iterations") or 1

    @pytest.fixture
    def thread_index(self) -> int:
        """Which thread this is, from 0 on."""
        return 0

    @pytest.fixture
    def iteration_index(self) -> int:
        """Which time it is in this thread, from 0 on."""
        return 0

    def threads_of(self, item: pytest.Item) -> int:
        """Return in how many threads a test runs.

        Raises:
            UsageError: A marker has no number.
        """
        if item.get_closest_marker("thread_unsafe") is not None:
            return 1
        if UNSAFE_FIXTURES & set(getattr(item, "fixturenames", ())):
            return 1
        own = _number(item, "threads") or _number(item, "parallel_threads")
        limit = _number(item, "parallel_threads_limit")
        number = own or self.number
        return min(number, limit) if limit else number

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Run a test function; None where pytest shall."""
        threads = self.threads_of(pyfuncitem)
        times = _number(pyfuncitem, "iterations") or 1
        function = pyfuncitem.obj
        if (threads == 1 and times == 1) or inspect.iscoroutinefunction(function):
            return None
        names = pyfuncitem._fixtureinfo.argnames  # noqa: SLF001 - as pytest's own does
        arguments = {name: pyfuncitem.funcargs[name] for name in names}
        _run(function, arguments, threads, times)
        return True

    def pytest_report_header(self) -> str:
        """Say it."""
        return f"gilscope: each test runs in {self.number} threads at once"


def _run(function: Callable[..., Any], arguments: dict[str, Any], threads: int, times: int) -> None:
    """Run a function in threads that begin together; raise what the first one of them raised."""
    barrier = threading.Barrier(threads)
    raised: list[BaseException | None] = [None] * threads
    order: list[int] = []

    def body(index: int) -> None:
        own = _own(arguments, index, threads)
        try:
            barrier.wait()
            for turn in range(times):
                if "iteration_index" in own:
                    own["iteration_index"] = turn
                function(**own)
        except BaseException as error:  # noqa: BLE001 - it is raised where pytest sees it
            raised[index] = error
            order.append(index)

    # Daemons: those of a test that hangs must not keep the session from ending.
    workers = [
        threading.Thread(target=body, args=(index,), name=f"test-{index}", daemon=True)
        for index in range(threads)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if order:
        error = raised[order[0]]
        assert error is not None  # noqa: S101 - it was put there
        if not isinstance(error, pytest.skip.Exception):
            others = f", and {len(order) - 1} others failed" if len(order) > 1 else ""
            error.add_note(f"in thread {order[0]} of {threads} that ran the test{others}")
        raise error


def _own(arguments: dict[str, Any], index: int, threads: int) -> dict[str, Any]:
    """Return the arguments of one thread: a folder of its own, its number, the others shared."""
    own = dict(arguments)
    if "thread_index" in own:
        own["thread_index"] = index
    for name in FOLDERS:
        if name in own and threads > 1:
            folder = Path(own[name]) / f"thread_{index}"
            folder.mkdir(exist_ok=True)
            own[name] = type(own[name])(folder)
    return own


def _number(item: pytest.Item, name: str) -> int:
    """Return the number of a marker; 0 without one.

    Raises:
        UsageError: The marker has no number.
    """
    marker = item.get_closest_marker(name)
    if marker is None:
        return 0
    given = marker.args[0] if marker.args else marker.kwargs.get("n", 0)
    if given == "auto":
        return 0
    if type(given) is not int or given < 1:
        raise pytest.UsageError(f"{item.nodeid}: {name}(n) takes a whole number of 1 or more")
    return given
