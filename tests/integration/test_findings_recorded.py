"""Findings on real programs under the real probe: each speaks up, and only where it should."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("numpy")


from gilscope.analysis.findings import Severity, find

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Interpreter, Recorded
    from gilscope.analysis.findings import Finding

    type Find = Callable[..., dict[str, Finding]]
    type Stage = Callable[..., Recorded]

GIL_ONLY = pytest.mark.parametrize("interpreter", ["gil"], indirect=True)
HONEST = 4  # times what the repair gained, which a busy machine disturbs
FT_ONLY = pytest.mark.parametrize("interpreter", ["ft"], indirect=True)


@pytest.fixture
def staged(interpreter: Interpreter, record: Callable[..., Recorded]) -> Stage:
    """Record a scenario with the stage at hand."""
    interpreter.compile("findings_stage")

    def run(scenario: str, program: str, **extra: str) -> Recorded:
        recorded = record(program, scenario, **extra)
        assert recorded.status == 0, recorded.err
        return recorded

    return run


@pytest.fixture
def found(staged: Stage) -> Find:
    """Record a scenario of targets/findings.py, and find; the worst finding of each name."""

    def run(scenario: str, program: str = "findings.py", **extra: str) -> dict[str, Finding]:
        return by_name(staged(scenario, program, **extra))

    return run


def by_name(recorded: Recorded) -> dict[str, Finding]:
    """The worst finding of each name."""
    return {one.name: one for one in reversed(find(recorded.trace))}


def test_a_clean_program_has_no_findings(found: Find) -> None:
    """Callbacks in turn, a queue and an event give no finding in either build."""
    assert found("clean") == {}


@GIL_ONLY
def test_serialised_callbacks(found: Find) -> None:
    """Threads that call back at the same time queue for the GIL."""
    finding = found("callbacks")["serialised-callbacks"]
    assert finding.title == "4 threads queue for the GIL to call __main__.compute"
    assert finding.intervals[0].end_ns > finding.intervals[0].start_ns


@FT_ONLY
def test_callbacks_without_the_gil_are_not_serialised(found: Find) -> None:
    """Without the GIL the same program has no such finding."""
    assert not {"serialised-callbacks", "chatty-callbacks"} & found("callbacks").keys()


def test_thread_state_churn(found: Find, interpreter: Interpreter) -> None:
    """A thread state for each callback gives a finding; one for all of them does not."""
    finding = found("thread_states")["thread-state-churn"]
    made = "100,000" if interpreter.build == "gil" else "5,000"
    assert f"{made} created and {made} destroyed" in finding.evidence[0]
    assert "thread-state-churn" not in found("callbacks")


@GIL_ONLY
def test_gil_held_in_native_code(found: Find) -> None:
    """Native code that keeps the GIL is found by its function and by the line that called it."""
    finding = found("kept")["gil-held-in-native-code"]
    assert finding.title.startswith("keep (findings_stage), called at findings.py:")
    assert not finding.suspected


@FT_ONLY
def test_hot_object_lock(found: Find) -> None:
    """An object whose lock is kept is found; without the GIL that is all that is wrong."""
    findings = found("kept")
    assert findings.keys() == {"hot-object-lock"}
    assert "contend for dict" in findings["hot-object-lock"].title


@GIL_ONLY
@pytest.mark.parametrize("hold_ms", ["1", "100", "300", "1500"])
def test_native_mutex_held_while_taking_the_gil(found: Find, hold_ms: str) -> None:
    """The holder of a mutex waits for the GIL while another thread waits for the mutex."""
    finding = found("mutex", HOLD_MS=hold_ms)["native-mutex-held-while-taking-gil"]
    assert (finding.severity, len(finding.intervals)) == (Severity.MEDIUM, 2)


@GIL_ONLY
@pytest.mark.parametrize("hold_ms", ["1", "100", "300", "1500"])
def test_native_mutex_wanted_before_its_holder_takes_the_gil(found: Find, hold_ms: str) -> None:
    """The same where the waiter came first: the holder says that it still has the mutex."""
    findings = found("mutex", HOLD_MS=hold_ms, WAITER_FIRST="1")
    finding = findings["native-mutex-held-while-taking-gil"]
    assert (finding.severity, len(finding.intervals)) == (Severity.MEDIUM, 2)


@GIL_ONLY
def test_native_mutex_given_back_before_taking_the_gil(found: Find) -> None:
    """A mutex and the GIL, both contended, that no thread ever has together are no hazard."""
    assert "native-mutex-held-while-taking-gil" not in found("mutex_and_gil")


@FT_ONLY
def test_native_mutex_without_the_gil(found: Find) -> None:
    """Without the GIL nothing is wrong with that."""
    assert "native-mutex-held-while-taking-gil" not in found("mutex")


@GIL_ONLY
def test_switch_interval_starvation(found: Find) -> None:
    """A thread that needs the GIL for moments waits for one that computes."""
    finding = found("starved")["switch-interval-starvation"]
    assert finding.title.startswith("thread MainThread computes in Python (findings.py:")
    assert "thread heart waits " in finding.title


def test_threads_that_compute_in_python(found: Find, interpreter: Interpreter) -> None:
    """They take turns under the GIL, and only there."""
    findings = found("computing")
    if interpreter.build == "ft":
        assert findings == {}
        return
    assert findings.keys() == {"gil-bound-threads"}
    finding = findings["gil-bound-threads"]
    assert finding.title == "2 threads compute in Python, one at a time"
    assert finding.evidence[-1].endswith("computing.<locals>.work (findings.py)")
    assert "gil-bound-threads" not in found("starved")


@FT_ONLY
def test_stop_the_world_storm(found: Find) -> None:
    """Garbage collected all the time stops all threads."""
    finding = found("collected")["stop-the-world-storm"]
    assert "requested by MainThread" in finding.evidence[2]


@FT_ONLY
def test_gil_reenabled(found: Find) -> None:
    """The module that turned the GIL on is named."""
    finding = found("import_of_a_module_that_needs_the_gil", "gil.py")["gil-reenabled"]
    assert finding.severity == Severity.HIGH
    assert finding.title == "the GIL was switched on by the import of stage_needs_gil"


@pytest.mark.parametrize(
    ("scenario", "name", "threads"),
    [
        ("thread_states", "thread-state-churn", 1),
        ("chatty", "chatty-callbacks", 2),
        ("kept", "gil-held-in-native-code", 3),
        ("kept", "hot-object-lock", 3),
    ],
)
def test_what_a_finding_costs_is_what_its_repair_gains(
    staged: Stage, scenario: str, name: str, threads: int
) -> None:
    """The thread time that it claims is there once the program is repaired, without the probe."""
    recorded = staged(scenario, "repairs.py")
    finding = by_name(recorded).get(name)
    bad, good = (recorded.facts[way] for way in ("bad", "good"))
    # The fastest of each is what others' work on the machine disturbs least; the median is what
    # it usually is where threads get into each other's way only now and then.
    usual = statistics.median(b - g for b, g in zip(bad, good, strict=True))
    gain_ns = threads * max(usual, min(bad) - min(good))
    assert finding is None or finding.cost_ns <= HONEST * gain_ns
