"""One native library, bound to Python in all the ways that are in use, under the probe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bound_programs import BINDINGS, Bound, modules_of, search_path
from conftest import finished
from gilscope.analysis.waits.contention import check_invariants, gil_totals
from gilscope.trace.format import Event, HoldFlag

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Interpreter, Recorded

    type Record = Callable[..., Recorded]

# What `make test` has not built before is built here.
pytestmark = pytest.mark.timeout(700)

EXAMPLE = Path(__file__).parents[2] / "examples" / "native_logging" / "run.py"
RECORDS = 150
CHECKSUM = "0000000000027248"
SCENARIOS = ("from_this_thread", "from_native_threads", "without_the_gil", "logged", "contended")


@pytest.fixture(params=BINDINGS)
def bound(request: pytest.FixtureRequest, interpreter: Interpreter, record: Record) -> Bound:
    """Each of the bindings in each of the builds."""
    return Bound(record, interpreter, request.param)


@pytest.fixture
def pyo3(interpreter: Interpreter, record: Record) -> Bound:
    """A module of PyO3 as it comes from the package index."""
    return Bound(record, interpreter, "pyo3")


def acquisitions(recorded: Recorded, tid: int) -> int:
    """Acquisitions of the GIL by one thread that it asked for, not those after a forced release."""
    holds = recorded.rows(Event.GIL_HOLD, tid)
    return sum(not hold.flags & HoldFlag.FORCED for hold in holds)


def more_acquisitions(recorded: Recorded) -> int:
    """Acquisitions of the GIL in a session, but for those that there are in an empty one."""
    with_calls, without = (gil_totals(r.trace) for r in (recorded, recorded.beside(".none")))
    return with_calls.acquires - without.acquires


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_trace_is_sound(bound: Bound, scenario: str) -> None:
    """Nothing is lost, and nothing contradicts anything else, whatever native code does."""
    recorded = bound.record(scenario)
    assert recorded.status == 0, recorded.err
    trace = recorded.trace
    assert (trace.problems, trace.dropped_events, check_invariants(trace)) == ((), 0, [])
    totals = gil_totals(trace)
    held = int(bound.has_gil)
    assert (totals.held_at_start, totals.held_at_end) == (held, held)
    assert totals.acquires == totals.releases
    assert (trace.gil_enabled_start, trace.gil_enabled_end) == (bound.has_gil, bound.has_gil)


@pytest.mark.parametrize("scenario", ["from_native_threads", "logged"])
def test_native_threads_have_lanes(bound: Bound, scenario: str) -> None:
    """Each thread of the library is there, by the name that the library gave it."""
    recorded = bound.record(scenario)
    native = [thread.name for thread in recorded.trace.threads if thread.native]
    assert sorted(native) == [f"relay-{i}" for i in range(recorded.facts["threads"])]


def test_callback_from_a_native_thread_is_an_acquisition(bound: Bound) -> None:
    """Each thread takes the GIL once a call, where there is one."""
    recorded = bound.record("from_native_threads")
    threads = [thread for thread in recorded.trace.threads if thread.native]
    counts = [acquisitions(recorded, thread.tid) for thread in threads]
    assert counts == [recorded.facts["calls"] * bound.has_gil] * recorded.facts["threads"]


def test_callback_from_the_calling_thread_is_an_acquisition(bound: Bound) -> None:
    """N calls from native code that has released the GIL are N acquisitions more."""
    recorded = bound.record("from_this_thread")
    assert recorded.facts["seen"]
    assert more_acquisitions(recorded) == recorded.facts["calls"] * bound.has_gil


def test_function_that_releases_the_gil_is_an_acquisition(bound: Bound) -> None:
    """A native function that lets the GIL go takes it again when it returns."""
    recorded = bound.record("without_the_gil")
    assert recorded.facts["values"] == 1
    assert more_acquisitions(recorded) == recorded.facts["calls"] * bound.has_gil


def test_records_that_native_threads_log_arrive(bound: Bound) -> None:
    """The probe takes none away from a library that logs; each is an acquisition, or more."""
    recorded = bound.record("logged")
    facts = recorded.facts
    assert facts["records"] == facts["threads"] * facts["calls"]
    threads = [thread for thread in recorded.trace.threads if thread.native]
    counts = [acquisitions(recorded, thread.tid) for thread in threads]
    assert all(count >= facts["calls"] * bound.has_gil for count in counts)


def test_library_may_wait_for_its_own_mutex(bound: Bound) -> None:
    """A contended std::mutex of the library behaves under the probe as it does without."""
    facts = bound.record("contended").facts
    assert facts["slept"] == facts["rounds"]


def test_stop_restores_every_slot_of_the_module(bound: Bound) -> None:
    """What was changed in the module has its word again, and what hooks() tells was changed."""
    facts = bound.record("restored").facts
    assert facts["left"] == 0
    assert facts["changed"] == sum(facts["hooked"].values())


def test_module_that_is_imported_late(interpreter: Interpreter, record: Record) -> None:
    """Native threads of a module that is imported while the probe runs have lanes and holds."""
    for binding in BINDINGS:
        if (interpreter.build, binding) in {("ft", "cffi"), ("ft", "fastgil")}:
            continue
        bound = Bound(record, interpreter, binding)
        recorded = bound.record("imported_late", imported="none", LATE=binding)
        facts = recorded.facts
        assert (facts["before"], facts["gil"]) == (interpreter.build == "gil", bound.has_gil)
        assert recorded.trace.gil_enabled_end == bound.has_gil
        threads = [thread for thread in recorded.trace.threads if thread.native]
        assert sorted(thread.name for thread in threads) == ["relay-0", "relay-1", "relay-2"]
        counts = [acquisitions(recorded, thread.tid) for thread in threads]
        assert counts == [facts["calls"] * bound.has_gil] * facts["threads"]
        assert check_invariants(recorded.trace) == []


def test_library_that_is_closed_and_loaded_again(interpreter: Interpreter, record: Record) -> None:
    """A library may go and come back while the probe runs: its threads are there, both times."""
    library = modules_of(interpreter.python, "ctypes") / "librelay.so"
    recorded = Bound(record, interpreter, "ctypes").record(
        "loaded_again", imported="none", LIBRARY=str(library)
    )
    facts = recorded.facts
    assert facts["seen"] == facts["threads"] * facts["calls"]
    assert (facts["left"], facts["mapped"]) == (0, False)
    names = sorted(thread.name for thread in recorded.trace.threads if thread.native)
    assert names == ["relay-0", "relay-0", "relay-1", "relay-1", "relay-2", "relay-2"]


def test_slots_of_pyo3_are_hooked_and_restored(pyo3: Bound) -> None:
    """They are GLOB_DAT, bound when the module is loaded, in pages that are read-only since."""
    facts = pyo3.record("pyo3_hooks").facts
    assert facts["changed"] == sum(facts["hooked"].values()) >= 1
    assert facts["left"] == 0


def test_threads_of_pyo3_have_lanes(pyo3: Bound) -> None:
    """A thread that Rust starts is a native thread."""
    recorded = pyo3.record("pyo3_hooks")
    (name,) = [thread.name for thread in recorded.trace.threads if thread.native]
    assert name.startswith("notify-rs")


def test_pyo3_releases_the_gil_in_each_step(pyo3: Bound) -> None:
    """Each step of the module, in which it sleeps, is a release and an acquisition."""
    recorded = pyo3.record("pyo3_steps")
    facts = recorded.facts
    assert (facts["asked"], facts["ended"]) == ([1, 1, facts["calls"] + 1], "stop")
    assert (recorded.trace.problems, check_invariants(recorded.trace)) == ((), [])
    has_gil = bool(recorded.trace.gil_enabled_end)
    assert more_acquisitions(recorded) == facts["calls"] * has_gil


@pytest.mark.parametrize("binding", ["pybind11", "boost"])
def test_example_of_logging_with_both_bindings(
    interpreter: Interpreter, tmp_path: Path, binding: str
) -> None:
    """The example computes the same, logs as much and gives a sound trace with either binding."""
    places = [interpreter.modules]
    if binding == "boost":
        places.append(modules_of(interpreter.python, "boost_logging"))
    trace = tmp_path / "trace.gilscope"
    options = ("--threads=3", f"--records={RECORDS}", "--work=20", f"--binding={binding}")
    extra = {"PYTHONPATH": search_path(*places)}
    recorded = finished(interpreter.start("recorded.py", trace, EXAMPLE, *options, **extra), trace)
    assert recorded.status == 0, recorded.err
    assert recorded.out == f"checksum {CHECKSUM}  records {RECORDS}\n"
    native = [thread for thread in recorded.trace.threads if thread.native]
    assert sorted(thread.name for thread in native) == [f"log-worker-{i}" for i in range(3)]
    assert (recorded.trace.problems, check_invariants(recorded.trace)) == ((), [])
    has_gil = interpreter.build == "gil" or binding == "boost"
    assert recorded.trace.gil_enabled_end == has_gil
    acquired = sum(acquisitions(recorded, thread.tid) for thread in native)
    assert acquired >= RECORDS * has_gil
