"""Spans of a program in its trace, and the processes of a comparison's arm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import gilscope
from conftest import finished
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Interpreter
    from gilscope.comparison import Run

NAMED = """
import sys
import threading
import gilscope

def work():
    with gilscope.span("outer"):
        for size in (0, 1 << 40, 1 << 60, -5, None):
            with gilscope.span("inner") as span:
                span.bytes = size
    with gilscope.span("\\udcff" + 300 * "x"):
        pass

with gilscope.span("before"):
    with gilscope.profile(sys.argv[1]):
        threads = [threading.Thread(target=work, name=name) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        late = gilscope.span("late")
        late.__enter__()
late.__exit__()
with gilscope.span("after"):
    pass
"""

SENT = """
import gilscope

def size(data):
    return len(data)

if __name__ == "__main__":
    with gilscope.executor(2) as pool:
        print(sum(pool.map(size, [bytes(100_000)] * 6)))
"""


def test_spans_are_recorded(interpreter: Interpreter, tmp_path: Path) -> None:
    """Of each thread, nested, with bytes; none that began or ended outside of the recording."""
    program = tmp_path / "program.py"
    program.write_text(NAMED, encoding="utf-8")
    path = tmp_path / "x.gilscope"
    recorded = finished(interpreter.start(str(program), path), path)
    assert recorded.status == 0, recorded.err
    trace = gilscope.open(path)
    assert trace.problems == ()
    for name in "ab":
        (thread,) = [one for one in trace.threads if one.name == name]
        mine = trace.spans.of_thread(thread.index)
        names = [mine.names[number] for number in mine.name.tolist()]
        assert names == ["outer", *["inner"] * 5, "?" + 199 * "x"]
        assert mine.bytes[1:6].tolist() == [0, 1 << 40, (1 << 48) - 1, -1, -1]
        assert (mine.start[1:6] >= mine.start[0]).all()
        assert (mine.end[1:6] <= mine.end[0]).all()
    assert len(trace.spans) == 14


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The arm of a program that sends work to two processes; its directory has no more than it."""
    place = tmp_path_factory.mktemp("arm")
    program = place / "send.py"
    program.write_text(SENT, encoding="utf-8")
    kept = place / "traces"
    compared = gilscope.compare(program, builds=["processes"], repeat=1, out_dir=kept)
    run = compared.run("processes")
    assert (run.error, run.stdout) == (None, "600000\n")
    assert [path.name for path in kept.iterdir()] == ["send-processes.gilscope"]
    return run


def test_an_arm_has_its_processes_in_one_trace(processes: Run) -> None:
    """Each is a lane with a name and a GIL of its own; the program's threads keep their names."""
    trace = processes.trace
    assert trace is not None
    assert trace.problems == ()
    names = [one.name for one in processes.processes]
    assert names == [f"process {number}" for number in range(1, len(names) + 1)]
    assert 1 <= len(names) <= 2  # one may have done all of the work
    threads = {thread.name: thread for thread in trace.threads}
    assert trace.threads[0].name == "MainThread"
    pids = {one.name: one.pid for one in processes.processes}
    assert {name: threads[name].tid for name in names} == pids
    holds = trace.intervals.where(Event.GIL_HOLD)
    gils = {name: set(holds.of_thread(threads[name].index).what.tolist()) for name in names}
    own = set(holds.of_thread(threads["MainThread"].index).what.tolist())
    assert all(len(one) == 1 for one in gils.values())
    assert len(own | set().union(*gils.values())) == 1 + len(names)


def test_pickling_is_on_the_timeline(processes: Run) -> None:
    """With its bytes, in the program and in its processes: as many as the executor counted."""
    trace, sent = processes.trace, processes.executor
    assert trace is not None
    assert sent is not None
    assert sent["tasks"] == 6
    totals: dict[tuple[str, bool], list[int]] = {}
    spans = trace.spans
    for name, thread, size in zip(
        spans.name.tolist(), spans.thread.tolist(), spans.bytes.tolist(), strict=True
    ):
        there = trace.thread_name(thread).startswith("process ")
        totals.setdefault((spans.names[name], there), []).append(size)
    assert {key: len(sizes) for key, sizes in totals.items()} == {
        (name, there): 6 for name in ("pickle", "unpickle") for there in (False, True)
    }
    assert sum(totals["pickle", False]) == sum(totals["unpickle", True]) == sent["sent_bytes"]
    assert sum(totals["pickle", True]) == sum(totals["unpickle", False]) == sent["returned_bytes"]
