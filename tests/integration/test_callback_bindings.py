"""Callbacks from one native library, bound to Python in all the ways that are in use."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bound_programs import BINDINGS, Bound, modules_of, search_path
from conftest import finished
from gilscope.analysis.waits.contention import check_invariants
from gilscope.trace.format import CallbackFlag, Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Interpreter, Recorded
    from gilscope.trace.model import Callbacks, Thread

    type Record = Callable[..., Recorded]

# What `make test` has not built before is built here.
pytestmark = pytest.mark.timeout(700)

EXAMPLE = Path(__file__).parents[2] / "examples" / "native_logging" / "run.py"
RECORDS = 150
NAMES = {
    "pybind11": "pybind11",
    "nanobind": "nanobind",
    "boost": "Boost.Python",
    "cython": "Cython",
    "fastgil": "Cython",
    "ctypes": "ctypes",
    "cffi": "cffi",
}
# Where native code calls something of the binding's own that is written in Python, which is not
# what the program gave to it. Cython calls a function by the pointer in it: there is nothing to
# see, and nothing is guessed.
CALLED = {"ctypes": "bound.<locals>.<lambda>", "cffi": "call", "cython": "", "fastgil": ""}
LOGGED = {"ctypes": "log_from_threads.<locals>.log", "cffi": "log_to"}


@pytest.fixture(params=BINDINGS)
def bound(request: pytest.FixtureRequest, interpreter: Interpreter, record: Record) -> Bound:
    """Each of the bindings in each of the builds."""
    return Bound(record, interpreter, request.param)


def callbacks_of(recorded: Recorded, thread: Thread) -> Callbacks:
    """The callbacks of one thread."""
    callbacks = recorded.trace.callbacks
    return callbacks.select(callbacks.thread == thread.index)


def native_threads(recorded: Recorded) -> list[Thread]:
    """The threads that the library has started."""
    return [thread for thread in recorded.trace.threads if thread.native]


def callables(recorded: Recorded, callbacks: Callbacks) -> Counter[str]:
    """How often callbacks called what, by qualified name."""
    table = recorded.trace.callables
    return Counter(table[number].name for number in callbacks.callable.tolist())


def bindings(recorded: Recorded, callbacks: Callbacks) -> set[str]:
    """The bindings by which callbacks entered Python."""
    return {recorded.trace.entries[number].binding for number in callbacks.entry.tolist()}


def test_each_call_from_a_native_thread_is_a_callback(bound: Bound) -> None:
    """As many spans on each thread as the library has made calls, each with what it called."""
    recorded = bound.record("from_native_threads")
    facts = recorded.facts
    found = [callables(recorded, callbacks_of(recorded, t)) for t in native_threads(recorded)]
    expected = Counter({CALLED.get(bound.binding, "called"): facts["calls"]})
    assert found == [expected] * facts["threads"]


def test_each_call_from_the_calling_thread_is_a_callback(bound: Bound) -> None:
    """Native code that has released the GIL enters Python anew for each call."""
    if bound.binding == "fastgil":
        pytest.skip(
            "FastGIL gets in by RestoreThread, which looks like the end of a released section"
        )
    recorded = bound.record("from_this_thread")
    main = recorded.trace.threads[0]
    expected = CALLED.get(bound.binding, "from_this_thread.<locals>.called_here")
    found = callables(recorded, callbacks_of(recorded, main))
    assert found[expected] == recorded.facts["calls"]


def test_callbacks_have_the_name_of_their_binding(bound: Bound) -> None:
    """Whatever the native function is called, the binding is known."""
    for scenario in ("from_native_threads", "logged"):
        recorded = bound.record(scenario)
        for thread in native_threads(recorded):
            callbacks = callbacks_of(recorded, thread)
            assert bindings(recorded, callbacks) == {NAMES[bound.binding]}


def test_callbacks_have_a_native_function(bound: Bound) -> None:
    """The function that entered Python is named, and lies in a loaded object."""
    recorded = bound.record("from_native_threads")
    numbers = {int(number) for number in recorded.trace.callbacks.entry}
    entries = [recorded.trace.entries[number] for number in numbers]
    assert entries
    assert all(entry.site.function and Path(entry.module).exists() for entry in entries)


def test_records_that_native_threads_log_are_callbacks(bound: Bound) -> None:
    """Each is a span with the method of the Python class, whatever logging does inside."""
    recorded = bound.record("logged")
    facts = recorded.facts
    name = LOGGED.get(bound.binding, "ForwardingLogger.log")
    found = [callables(recorded, callbacks_of(recorded, t)) for t in native_threads(recorded)]
    assert [some[name] for some in found] == [facts["calls"]] * facts["threads"]


def test_function_that_only_releases_the_gil_is_no_callback(bound: Bound) -> None:
    """Its return into Python is not an entry."""
    recorded = bound.record("without_the_gil")
    assert len(recorded.trace.callbacks) == 0


def test_holds_of_native_threads_lie_in_callbacks(bound: Bound) -> None:
    """A native thread holds the GIL while it is in a callback, and at no other time."""
    recorded = bound.record("from_native_threads")
    assert check_invariants(recorded.trace) == []
    for thread in native_threads(recorded):
        callbacks = callbacks_of(recorded, thread)
        holds = recorded.rows(Event.GIL_HOLD, thread.tid)
        assert len(holds) >= len(callbacks) * bound.has_gil
        around = np.searchsorted(callbacks.start, [hold.start for hold in holds], "right") - 1
        ends = callbacks.end[around].tolist()
        # Time stamps are converted to nanoseconds one by one.
        assert all(hold.end <= end + 1 for hold, end in zip(holds, ends, strict=True))


def test_thread_states_are_counted(bound: Bound) -> None:
    """Bindings make a thread state for each call from a native thread; cffi makes one a thread."""
    recorded = bound.record("from_native_threads")
    flags = recorded.trace.callbacks.flags
    created = int(np.count_nonzero(flags & np.uint8(CallbackFlag.STATE_CREATED)))
    calls = 1 if bound.binding == "cffi" else recorded.facts["calls"]
    assert created == calls * recorded.facts["threads"]


def test_module_that_is_imported_late_has_callbacks(bound: Bound) -> None:
    """Spans are the same when the module comes while the probe runs."""
    recorded = bound.record("imported_late", imported="none", LATE=bound.binding)
    for thread in native_threads(recorded):
        callbacks = callbacks_of(recorded, thread)
        assert len(callbacks) == recorded.facts["calls"]
        assert bindings(recorded, callbacks) == {NAMES[bound.binding]}


def test_pyo3_that_only_releases_the_gil_has_no_callbacks(
    interpreter: Interpreter, record: Record
) -> None:
    """Hooks land in it, and what it does is no entry into Python."""
    pyo3 = Bound(record, interpreter, "pyo3")
    hooked = pyo3.record("pyo3_hooks").facts["hooked"]
    assert {"PyEval_SaveThread", "PyEval_RestoreThread", "PyGILState_Ensure"} <= hooked.keys()
    assert len(pyo3.record("pyo3_steps").trace.callbacks) == 0


@pytest.mark.parametrize("interpreter", ["gil"], indirect=True)
def test_pointers_in_data_are_patched_and_restored(
    interpreter: Interpreter, record: Record
) -> None:
    """Variables that hold functions of the GIL are slots as well: Cython's FastGIL."""
    place = modules_of(interpreter.python, "fastgil")
    (library,) = place.glob("relay_fastgil*.so")
    bound = Bound(record, interpreter, "fastgil")
    words = bound.record("pointers", imported="none", LIBRARY=str(library)).facts["words"]
    before, first, between, second, after = words
    assert len(before) == 2
    assert before == between == after
    assert first == second
    assert not set(first) & set(before)


@pytest.fixture(params=["pybind11", "boost"])
def example(
    request: pytest.FixtureRequest, interpreter: Interpreter, tmp_path: Path
) -> tuple[str, Recorded]:
    """The logging example by its binding, recorded from its first line to its last."""
    places = [interpreter.modules]
    if request.param == "boost":
        places.append(modules_of(interpreter.python, "boost_logging"))
    trace = tmp_path / "trace.gilscope"
    options = ("--threads=3", f"--records={RECORDS}", "--work=20", f"--binding={request.param}")
    extra = {"PYTHONPATH": search_path(*places)}
    process = interpreter.start("recorded.py", trace, EXAMPLE, *options, **extra)
    return request.param, finished(process, trace)


def test_example_shows_the_same_spans_with_both_bindings(example: tuple[str, Recorded]) -> None:
    """A span a record, each with the method that took it and with the name of the binding."""
    binding, recorded = example
    assert recorded.status == 0, recorded.err
    threads = native_threads(recorded)
    assert sorted(thread.name for thread in threads) == [f"log-worker-{i}" for i in range(3)]
    total: Counter[str] = Counter()
    for thread in threads:
        callbacks = callbacks_of(recorded, thread)
        total += callables(recorded, callbacks)
        assert bindings(recorded, callbacks) == {NAMES[binding]}
    assert total["LoggingLogger.log"] == RECORDS
