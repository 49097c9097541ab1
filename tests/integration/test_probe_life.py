"""Forks, families of processes, rings and snapshots, crowds of threads."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

import gilscope
from conftest import finished, open_trace
from gilscope.trace.format import Event
from gilscope.trace.reading.family import on_one_axis

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Interpreter, Recorded

    type Record = Callable[..., Recorded]

METHODS = ["family_fork", "family_spawn", "family_forkserver"]
READS = """
import ctypes, os, sys, threading
from gilscope.target.recording import session
reads = ctypes.CDLL(None).maps_reads
session.start(sys.argv[1])
at_the_start = reads()
threading.Thread(target=int).start()
child = os.fork()
if not child:
    os._exit(min(reads() - at_the_start, 255))
in_the_child = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
session.stop()
print(at_the_start, in_the_child)
"""


def metadata(path: Path) -> dict[str, Any]:
    """The METADATA of a trace, its first chunk."""
    data = path.read_bytes()
    begin = min(data.find(name) % len(data) for name in (b'{"gilscope', b'{"parent_pid'))
    text = data[begin : begin + 65536].decode(errors="replace")
    facts: dict[str, Any] = json.JSONDecoder().raw_decode(text)[0]
    return facts


def test_program_with_one_thread_forks(interpreter: Interpreter, tmp_path: Path) -> None:
    """The probe has no thread there, so os.fork() warns of none, and nothing is lost."""
    path = tmp_path / "trace.gilscope"
    recorded = finished(interpreter.start("forks.py", path, PYTHONWARNINGS="always"), path)
    assert recorded.err == ""
    assert recorded.facts["threads"] == [1, 1, 1]
    assert recorded.facts["statuses"] == [0, 0, 0]
    assert recorded.facts["dropped"] == 0
    assert (recorded.trace.problems, recorded.trace.end_reason) == ((), "stop")


def test_program_with_one_thread_forks_while_the_probe_looks(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    """The thread that looks at what was loaded is no thread of the program's either."""
    interpreter.compile("slow_look")
    preloaded = str(interpreter.modules / f"slow_look{interpreter.suffix}")
    path = tmp_path / "trace.gilscope"
    process = interpreter.start("forks.py", path, PYTHONWARNINGS="always", LD_PRELOAD=preloaded)
    recorded = finished(process, path)
    assert recorded.err == ""
    assert recorded.facts["threads"] == [1, 1, 1]


def test_a_forked_child_reads_the_list_of_mappings_once_at_most(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    """It puts hundreds of slots back; to read the list for each of them takes long."""
    interpreter.compile("maps_reads")
    preloaded = str(interpreter.modules / f"maps_reads{interpreter.suffix}")
    path = tmp_path / "trace.gilscope"
    process = interpreter.start_command("-c", READS, path, LD_PRELOAD=preloaded)
    recorded = finished(process, path)
    assert recorded.status == 0, recorded.err
    at_the_start, in_the_child = map(int, recorded.out.split())
    assert at_the_start > 0  # they are counted at all
    assert in_the_child <= 1


def test_child_without_handlers(record: Record) -> None:
    """A child that the probe could not be told of neither crashes nor writes to the trace."""
    recorded = record("life.py", "fork_without_handlers")
    assert recorded.facts["status"] == 0
    assert (recorded.trace.problems, recorded.trace.end_reason) == ((), "stop")


@pytest.mark.parametrize("interpreter", ["gil"], indirect=True)
def test_forks_among_busy_threads_drop_nothing(record: Record) -> None:
    """Threads that record much always find room, however busy the processors are."""
    facts = record("life.py", "many_drops").facts
    assert facts["statuses"] == [0]
    assert facts["dropped"] == 0


@pytest.fixture(params=METHODS)
def related(request: pytest.FixtureRequest, record: Record) -> Recorded:
    """A program whose worker processes are followed."""
    return record("life.py", request.param)


def test_followed_processes_work(related: Recorded) -> None:
    """They compute what they should, and say nothing."""
    assert related.facts["results"] == [0, 1, 4, 0, 1, 4]
    assert related.err == ""


def test_following_leaves_nothing_behind(related: Recorded) -> None:
    """What is changed to follow children is as before when the session is over."""
    assert related.facts["changed"]
    assert related.facts["restored"]


def test_each_process_has_a_whole_trace(related: Recorded) -> None:
    """The program and the two workers are one family; all of them were stopped in order."""
    paths = gilscope.family(related.path)
    traces = [open_trace(path) for path in paths]
    assert paths[0] == related.path
    assert len({trace.pid for trace in traces}) == len(traces) == 3
    assert [trace.problems for trace in traces] == [()] * 3
    assert [trace.end_reason for trace in traces] == ["stop", "exit", "exit"]


def test_children_name_their_parent(related: Recorded) -> None:
    """Files are named after the parent's and the process; METADATA has the parent's id."""
    first, *children = gilscope.family(related.path)
    parent = open_trace(first).pid
    for path in children:
        assert path.name == f"trace.{open_trace(path).pid}.gilscope"
        assert metadata(path)["parent_pid"] == parent
    assert "parent_pid" not in metadata(first)


def test_family_is_found_from_a_child(related: Recorded) -> None:
    """Whichever of the traces is asked for."""
    paths = gilscope.family(related.path)
    assert [gilscope.family(path) for path in paths] == [paths] * 3


def test_family_has_one_axis(related: Recorded) -> None:
    """Each process begins when it began, and all at one zero."""
    traces = [open_trace(path) for path in gilscope.family(related.path)]
    starts = [trace.start_monotonic_ns for trace in traces]
    merged = on_one_axis(traces)
    assert {trace.start_monotonic_ns for trace in merged} == {starts[0]}
    for before, after, start in zip(traces, merged, starts, strict=True):
        shift = start - starts[0]
        assert (after.intervals.start - before.intervals.start == shift).all()
        assert after.duration_ns == before.duration_ns + shift
        assert after.threads[0].start_ns == before.threads[0].start_ns + shift


@pytest.mark.parametrize("interpreter", ["gil"], indirect=True)
def test_what_children_do_is_recorded(interpreter: Interpreter, related: Recorded) -> None:
    """Every hold of the work that they were given is in their traces."""
    assert interpreter.build == "gil"
    _, *children = [open_trace(path) for path in gilscope.family(related.path)]
    for child in children:
        assert (child.intervals.kind == Event.GIL_HOLD).sum() >= 3 * 300


def test_children_of_children(record: Record) -> None:
    """They are followed, too; a file is named after the parent's."""
    recorded = record("life.py", "grandchildren")
    assert recorded.facts["status"] == 0
    paths = gilscope.family(recorded.path)
    assert len(paths) == 3
    child = recorded.facts["child"]
    names = [path.name for path in paths]
    assert names[1] == f"trace.{child}.gilscope"
    assert names[2].startswith(f"trace.{child}.")
    assert [open_trace(path).end_reason for path in paths] == ["stop"] * 3


def test_children_are_recorded_as_their_parent_is(record: Record) -> None:
    """With its options: what it does not record, they do not."""
    recorded = record("life.py", "family_without_native_locks")
    traces = [open_trace(path) for path in gilscope.family(recorded.path)]
    assert len(traces) == 3
    assert all("native_lock" in trace.not_measured for trace in traces)


def test_other_programs_are_left_alone(record: Record) -> None:
    """They run as ever; one that records itself belongs to the session."""
    recorded = record("life.py", "other_programs")
    assert recorded.facts["outputs"] == ["1\n", "42\n"]
    own = recorded.path.with_name("own.gilscope")
    assert gilscope.family(recorded.path) == [recorded.path, own]
    assert metadata(own)["parent_pid"] == recorded.facts["pid"]


@pytest.mark.parametrize("interpreter", ["gil"], indirect=True)
def test_ring_goes_round(record: Record) -> None:
    """It stays within its size, loses old events only, and counts them."""
    recorded = record("life.py", "ring")
    assert recorded.facts["overwritten"] > 0
    assert recorded.facts["dropped"] == 0
    assert recorded.path.stat().st_size <= 8 << 20
    trace = recorded.trace
    assert (trace.end_reason, trace.problems, trace.dropped_events) == ("stop", (), 0)
    assert "goes round" in {thread.name for thread in trace.threads}


@pytest.mark.parametrize("interpreter", ["gil"], indirect=True)
def test_ring_has_what_came_last(record: Record) -> None:
    """Of a thread that records much, the end is in the file and the beginning is not."""
    recorded = record("life.py", "ring")
    (busy,) = [thread for thread in recorded.trace.threads if thread.name == "goes round"]
    holds = [row for row in recorded.rows(Event.GIL_HOLD) if row.thread == busy.index]
    early = open_trace(recorded.path.with_name("early.gilscope"))
    assert holds[0].start > early.duration_ns
    assert holds[-1].end > recorded.trace.duration_ns // 2


@pytest.mark.parametrize("interpreter", ["gil"], indirect=True)
def test_snapshots_are_whole_traces(record: Record) -> None:
    """They are read without a problem, say what they are, and have threads and events."""
    recorded = record("life.py", "ring")
    for name in ("early", "late"):
        trace = open_trace(recorded.path.with_name(f"{name}.gilscope"))
        assert (trace.end_reason, trace.ended_early, trace.problems) == ("snapshot", False, ())
        assert len(trace.threads) >= 2
        assert len(trace.intervals) > 0
        assert trace.duration_ns < recorded.trace.duration_ns


def test_snapshot_that_cannot_be_made(record: Record) -> None:
    """It is an error of one line and leaves no file."""
    facts = record("life.py", "snapshot_refused").facts
    first, second = facts["refusals"]
    assert first == "the probe is not running: start it first"
    assert second.startswith("cannot write /")
    assert facts["files"] == ["trace.gilscope"]


def test_ten_thousand_threads(record: Record) -> None:
    """Each has a slot of its own, its end, and drops nothing."""
    recorded = record("life.py", "many_threads")
    assert recorded.facts["dropped"] == 0
    trace = recorded.trace
    assert [thread for thread in trace.threads if thread.native] == []
    names = Counter(thread.name for thread in trace.threads)
    assert [name for name, times in names.items() if times > 1] == []
    assert len(trace.threads) == 10_501
    assert trace.problems == ()


def test_threads_wait_when_the_probe_is_stopped(record: Record) -> None:
    """They wait to the end of the trace, and get on in the program."""
    recorded = record("life.py", "stop_while_threads_wait")
    for tid in recorded.facts["tids"]:
        assert recorded.rows(Event.LOCK_WAIT, tid)[-1].open


def test_limit_for_files(record: Record) -> None:
    """A small one costs events but neither the program nor the self-test."""
    recorded = record("life.py", "small_file_limit")
    assert recorded.facts["same"]
    assert recorded.path.stat().st_size <= 2 << 20
    assert recorded.trace.problems == ()
    if recorded.facts["report"]["dropped"]:
        assert recorded.trace.end_reason == "disk_full"


def test_the_environment_does_not_shrink_beside_other_threads(record: Record) -> None:
    """A program that another thread starts meanwhile has counted the variables already."""
    facts = record("life.py", "variable_of_children").facts
    assert facts == {"during": True, "beside": ""}


def test_the_environment_of_a_single_thread_is_restored(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    """The variable that names the session is gone after it."""
    code = (
        "import os, sys, gilscope\n"
        "with gilscope.profile(sys.argv[1], follow_children=True):\n    pass\n"
        "print('GILSCOPE_PARENT' in os.environ)"
    )
    path = tmp_path / "x.gilscope"
    assert finished(interpreter.start_command("-c", code, path), path).out == "False\n"


@pytest.mark.parametrize("module", ["_probe", "_races", "_order"])
def test_no_forked_child_waits_for_what_another_thread_was_making(
    interpreter: Interpreter, module: str
) -> None:
    """No function has a variable of its own that is made when it is first called.

    The thread that makes it is not there in a child that is forked at that moment.
    """
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("nm, of binutils, is not there")
    script = f"from gilscope import {module}; print({module}.__file__)"
    command = [str(interpreter.python), "-c", script]
    path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    symbols = subprocess.run([nm, "-C", path], capture_output=True, text=True, check=True).stdout
    made = [line for line in symbols.splitlines() if "guard variable for gilscope" in line]
    assert made == []
