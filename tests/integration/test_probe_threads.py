"""Threads as the probe records them: all of them, with their names and natures."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Recorded

    type Record = Callable[..., Recorded]


@pytest.fixture
def natures(record: Record) -> Recorded:
    """Threads of all natures."""
    return record("threads.py", "natures")


@pytest.mark.parametrize("scenario", ["at_once", "one_after_another"])
def test_no_thread_is_missing(record: Record, scenario: str) -> None:
    """300 threads at once, and 2,000 one after another, are all there, each by its name."""
    recorded = record("threads.py", scenario)
    names = Counter(thread.name for thread in recorded.trace.threads if not thread.main)
    assert names == Counter(recorded.facts["names"])
    assert (recorded.facts["dropped"], recorded.trace.problems) == (0, ())


def test_short_threads_have_ended(record: Record) -> None:
    """Each of 2,000 threads ends before the next one begins."""
    recorded = record("threads.py", "one_after_another")
    main, *others = recorded.trace.threads
    assert main.main
    late = [b.name for a, b in pairwise(others) if a.start_ns > b.start_ns]
    assert late == []
    assert all(thread.end_ns <= main.end_ns for thread in others)


def test_native_threads_that_never_enter_python_are_there(record: Record) -> None:
    """2,000 threads that do nothing have a lane each."""
    recorded = record("threads.py", "idle_native")
    native = [thread for thread in recorded.trace.threads if thread.native]
    assert len(native) == recorded.facts["made"] == 2000


@pytest.mark.parametrize(
    ("who", "name"),
    [
        ("main", "MainThread"),
        ("before", "before"),
        ("python", "python"),
        ("renamed", "second name"),
        ("unnoticed", "unnoticed"),
        ("noticed", "noticed"),
    ],
)
def test_thread_has_the_name_that_it_gave_itself(natures: Recorded, who: str, name: str) -> None:
    """Names are those that Python, or native code for its own threads, gave."""
    threading_name = natures.thread(natures.facts[who]).name
    assert threading_name == name


@pytest.mark.parametrize("who", ["unnoticed", "noticed", "nameless"])
def test_thread_of_native_code_is_native(natures: Recorded, who: str) -> None:
    """A thread that native code started is native, whether Python notices it or not."""
    assert natures.thread(natures.facts[who]).native


@pytest.mark.parametrize("who", ["main", "before", "python", "renamed"])
def test_thread_of_python_is_not_native(natures: Recorded, who: str) -> None:
    """The main thread and those of threading are not native."""
    assert not natures.thread(natures.facts[who]).native


def test_thread_without_a_name_of_its_own(natures: Recorded) -> None:
    """A native thread that inherited its name from its creator is named by its number."""
    tid = natures.facts["nameless"]
    assert str(tid) in natures.thread(tid).name


def test_native_threads_of_a_module_that_is_imported_late(record: Record) -> None:
    """A module that is imported while the probe runs has native threads like any other."""
    recorded = record("threads.py", "native_of_a_late_module")
    thread = recorded.thread(recorded.facts["native"])
    assert (thread.native, thread.name) == (True, "late")


def test_threads_may_outlive_the_session(record: Record) -> None:
    """Threads end after the stop as if the probe had never been there; they lasted to the end."""
    recorded = record("threads.py", "end_after_the_stop")
    trace = recorded.trace
    names = {thread.name for thread in trace.threads}
    assert set(recorded.facts["names"]) <= names
    ends = {recorded.thread(tid).end_ns for tid in recorded.facts["natives"][20:]}
    assert ends == {trace.duration_ns}


def test_start_and_stop_in_a_storm_of_threads(record: Record) -> None:
    """60 sessions while threads come and go: no harm, and the last trace is whole."""
    recorded = record("threads.py", "storm")
    assert recorded.facts["dropped"] == recorded.facts["slots_left"] == 0
    assert recorded.trace.end_reason == "stop"
    assert recorded.trace.problems == ()


def test_names_may_be_odd(record: Record) -> None:
    """A name is kept whatever is in it, but for what cannot be shown and what is too long to be."""
    recorded = record("threads.py", "names_that_are_odd")
    long, *names = [recorded.thread(tid).name for tid in recorded.facts["tids"]]
    assert long.startswith("x" * 500)
    shown = [re.sub(r"[\0-\x1f]", "\ufffd", name) for name in recorded.facts["names"]]
    assert names == shown[1:]


@pytest.mark.parametrize(
    "scenario",
    ["names_that_are_no_text", "names_that_come_late", "names_that_were_there_before"],
)
def test_names_that_cannot_be_recorded_do_no_harm(record: Record, scenario: str) -> None:
    """Whatever a thread is called, it runs, and is in the trace."""
    recorded = record("threads.py", scenario)
    tids = recorded.facts["tids"]
    assert [recorded.thread(tid).tid for tid in tids] == tids


@pytest.mark.parametrize("name", ["runs", "sleeps"])
def test_time_on_a_processor_is_what_the_thread_says(record: Record, name: str) -> None:
    """What the kernel counted up to the thread's end is no less than what it read before that."""
    recorded = record("threads.py", "runs_and_sleeps")
    (thread,) = [thread for thread in recorded.trace.threads if thread.name == name]
    share = recorded.trace.cpu_times.share(thread.index, thread.start_ns, thread.end_ns)
    assert share is not None
    own = recorded.facts["seconds"][name] * 1e9
    assert own - 1e6 <= share.on_cpu_ns <= share.measured_ns
    assert share.on_cpu_ns + share.runnable_ns + share.asleep_ns == share.measured_ns
    if name == "sleeps":
        assert share.asleep_ns > 0


def test_threads_of_pools_are_known_however_short_the_run(record: Record) -> None:
    """Those that a pool started, and those that it did so for: by how they were started."""
    recorded = record("threads.py", "short_pools")
    pools, threads = recorded.trace.pools, {one.tid: one for one in recorded.trace.threads}
    assert {one.library for one in pools.threads} == {"libgomp.so.1"}
    natures = Counter(threads[one.tid].native for one in pools.threads)
    assert natures == {True: 4, False: 2}
    assert recorded.trace.processors > 0
