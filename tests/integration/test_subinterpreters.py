"""Subinterpreters with a GIL of their own in the trace of their process."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from conftest import finished
from gilscope.trace.format import Event
from gilscope.view.data.columns import columns_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Interpreter, Recorded

PROGRAM = """
import sys
import threading
import _interpreters
import gilscope

CODE = f"import sys; sys.path[:] = {sys.path!r}\\n" + sys.argv[2]

def run():
    number = _interpreters.create("isolated")
    failed = _interpreters.exec(number, CODE)
    _interpreters.destroy(number)
    assert not failed, failed.errdisplay

with gilscope.profile(sys.argv[1]):
    threads = [threading.Thread(target=run, name=f"runner-{n}") for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""
"""Runs code in two subinterpreters, each made by a thread of its own."""

SPANS = """
import gilscope
import threading

def inner():
    with gilscope.span("inner"):
        for _ in range(200):
            sum(range(10_000))

with gilscope.span("outer"):
    threads = [threading.Thread(target=inner, name=f"inner-{n}") for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
try:
    gilscope.profile("no.gilscope").__enter__()
except gilscope.GilscopeError as error:
    print(error)
"""

CALLING = """
import per_interpreter

def fired():
    return 2

per_interpreter.fire(fired, 20)
"""


@pytest.fixture(scope="module")
def recorded(
    interpreter_of: Callable[[str], Interpreter], tmp_path_factory: pytest.TempPathFactory
) -> Recorded:
    """A program that ran code in two subinterpreters, two threads in each."""
    folder = tmp_path_factory.mktemp("interpreters")
    program, trace = folder / "program.py", folder / "t.gilscope"
    program.write_text(PROGRAM)
    done = finished(interpreter_of("gil").start_command(program, trace, SPANS), trace)
    assert done.status == 0, done.err
    return done


def test_spans_of_subinterpreters_are_recorded(recorded: Recorded) -> None:
    """On the lanes of the threads that name them."""
    trace = recorded.trace
    spans = [
        (trace.threads_by_index[thread].name, trace.spans.names[name])
        for thread, name in zip(trace.spans.thread.tolist(), trace.spans.name.tolist(), strict=True)
    ]
    inner = [("inner-0", "inner"), ("inner-1", "inner")] * 2
    assert sorted(spans) == sorted([*inner, ("runner-0", "outer"), ("runner-1", "outer")])


def test_threads_know_their_interpreter(recorded: Recorded) -> None:
    """By the GIL that they hold; those of the program are of the main one."""
    trace = recorded.trace
    numbers = {gil.interpreter for gil in trace.gils.values()}
    assert len(numbers) == 3
    of = {thread.interpreter: set[str]() for thread in trace.threads}
    for thread in trace.threads:
        of[thread.interpreter].add(thread.name)
    assert "MainThread" in of[0]
    others = [names for number, names in of.items() if number]
    assert [names & {"inner-0", "inner-1"} for names in others] == [{"inner-0", "inner-1"}] * 2


def test_holds_of_one_gil_do_not_overlap(recorded: Recorded) -> None:
    """Each interpreter's by itself."""
    rows = recorded.trace.intervals
    for gil in recorded.trace.gils:
        held = rows.select((rows.kind == Event.GIL_HOLD) & (rows.what == gil))
        order = np.argsort(held.start, kind="stable")
        assert (held.start[order][1:] >= held.end[order][:-1]).all()


def test_lanes_of_an_interpreter_come_together(recorded: Recorded) -> None:
    """In the view, named after it."""
    (columns,) = columns_of([recorded.trace], 10_000)
    names = [name.partition(":")[0] for name in columns.names if ":" in name]
    assert len(set(names)) == 2
    assert names == sorted(names)


def test_recording_is_begun_in_the_main_interpreter(recorded: Recorded) -> None:
    """Elsewhere that is one clear line."""
    assert (
        recorded.out.splitlines() == ["a recording is begun and ended in the main interpreter"] * 2
    )


def test_callbacks_in_subinterpreters(interpreter: Interpreter, tmp_path: Path) -> None:
    """Each is recorded, by the native function and what it called, in its own thread."""
    interpreter.compile("per_interpreter")
    program, path = tmp_path / "program.py", tmp_path / "t.gilscope"
    program.write_text(PROGRAM)
    done = finished(interpreter.start_command(program, path, CALLING), path)
    assert done.status == 0, done.err
    trace, rows = done.trace, done.trace.callbacks
    columns = zip(rows.entry.tolist(), rows.callable.tolist(), rows.thread.tolist(), strict=True)
    calls = Counter(
        (trace.entries[entry].function, trace.callables[called].label, thread)
        for entry, called, thread in columns
        if called
    )
    assert len(calls) == 2
    for (function, called, thread), count in calls.items():
        assert (function, called, count) == ("own_thread", "__main__.fired", 20)
        assert trace.threads_by_index[thread].native
