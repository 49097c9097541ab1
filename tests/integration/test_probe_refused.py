"""Where the system refuses something, there is a good trace or one clear line, and no hang."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from conftest import TARGETS, Recorded, finished

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Interpreter
    from gilscope.trace.model import Trace

    type Record = Callable[..., Recorded]

KEPT, TRUNCATED = 0, 3
MEGABYTES_NEEDED = 128
FEW_FAILURES = 5


def events_in(trace: Trace) -> int:
    """Events of the file, without what was open at its end."""
    return int((~trace.intervals.open).sum()) + len(trace.wakes)


def assert_recorded(recorded: Recorded, name: str, facts: dict[str, object]) -> None:
    """There is a complete trace with all that the probe says of it, or one line why not."""
    assert facts["status"] == 0, (name, facts, recorded.err)
    if "refusal" in facts:
        assert len(str(facts["refusal"]).splitlines()) == 1, name
        return
    report = facts["report"]
    assert isinstance(report, dict)
    assert (report["fate"], report["dropped"]) == (KEPT, 0), (name, report)
    trace = recorded.beside(f".{name}").trace
    assert (trace.end_reason, trace.problems) == ("stop", ()), name
    assert report["events"] == events_in(trace), name


def test_calls_that_are_refused(record: Record) -> None:
    """Each call that the probe makes, refused with each error of a filter."""
    recorded = record("refused.py", "calls")
    for name, facts in recorded.facts.items():
        assert_recorded(recorded, name, facts)


def test_without_membarrier_all_is_recorded(record: Record) -> None:
    """Events, an END and counts that agree, as in containers that refuse the call."""
    recorded = record("refused.py", "calls")
    for error in ("EPERM", "ENOSYS"):
        assert "report" in recorded.facts[f"membarrier.{error}"]
        trace = recorded.beside(f".membarrier.{error}").trace
        assert len(trace.intervals) > 0


def test_address_space_is_enough_or_said_to_be_needed(record: Record) -> None:
    """A program under a limit is recorded, or told how much it takes; it does not hang."""
    recorded = record("refused.py", "address_space")
    for size, facts in recorded.facts.items():
        if "program" in facts:
            assert facts["status"] == 0, (size, facts)
            continue
        assert_recorded(recorded, size, facts)
        if "refusal" in facts:
            assert "address space" in facts["refusal"], (size, facts)
        assert "report" in facts or int(size) < MEGABYTES_NEEDED, (size, facts)


def test_trace_that_is_cut_costs_the_trace_and_not_the_program(record: Record) -> None:
    """The program goes on, the probe says what became of the trace, and the next one is good."""
    recorded = record("refused.py", "cut")
    assert recorded.facts["report"]["fate"] == TRUNCATED
    assert recorded.facts["again"]["fate"] == KEPT
    assert recorded.trace.problems == ()
    assert recorded.facts["again"]["events"] == events_in(recorded.trace)


def test_bus_errors_of_the_program_are_its_own(record: Record) -> None:
    """Its handlers hear of a SIGBUS as without the probe: before, while and after it runs."""
    heard = record("refused.py", "own_handler").facts["heard"]
    assert heard == ["before", "meanwhile", "meanwhile"]


SLEEPER = """
import os, sys
os.{act}
for i in range(1000):
    sum(range(100))
"""


def said_of(interpreter: Interpreter, folder: Path, act: str) -> Recorded:
    """Run a program by the command line that does something to its own trace."""
    (folder / "program.py").write_text(SLEEPER.format(act=act), encoding="utf-8")
    path = folder / "t.gilscope"
    command = ["-m", "gilscope", "run", "-o", path, folder / "program.py"]
    return finished(interpreter.start_command(*command), path)


@pytest.mark.parametrize("interpreter", ["gil"], indirect=True)
@pytest.mark.parametrize(
    ("act", "told"),
    [
        ("getpid()", ""),
        ("unlink('{}')", "the trace was removed while it was written"),
        ("truncate('{}', 0)", "the trace was truncated while it was written"),
        ("replace(__file__, '{}')", "another file took the trace's place"),
    ],
)
def test_last_line_is_true(interpreter: Interpreter, tmp_path: Path, act: str, told: str) -> None:
    """What the command says of the trace is what became of it."""
    recorded = said_of(interpreter, tmp_path, act.format(tmp_path / "t.gilscope"))
    assert recorded.status == 0, recorded.err
    line = recorded.err.splitlines()[-1]
    assert line.startswith(f"gilscope: {recorded.path}: {told}")
    assert " events, " in line


@pytest.mark.parametrize("interpreter", ["gil"], indirect=True)
def test_output_that_is_a_pipe_is_refused_at_once(interpreter: Interpreter, tmp_path: Path) -> None:
    """The probe does not wait for it: it may never get a writer."""
    pipe = tmp_path / "t.gilscope"
    os.mkfifo(pipe)
    (tmp_path / "program.py").write_text("print('ran')", encoding="utf-8")
    command = ["-m", "gilscope", "run", "-o", pipe, tmp_path / "program.py"]
    recorded = finished(interpreter.start_command(*command), pipe)
    assert (recorded.status, recorded.out) == (2, "")
    assert "is not a regular file" in recorded.err


def test_start_that_fails_when_the_probe_runs_already(record: Record) -> None:
    """It ends the recording and puts everything back, and the next one begins."""
    recorded = record("refused.py", "environment")
    facts = recorded.facts
    assert facts["refusal"] == "TypeError"
    assert not facts["running"]
    assert facts["put_back"]
    assert (facts["report"]["fate"], facts["report"]["dropped"]) == (KEPT, 0)


def test_a_program_that_has_no_descriptor_left(record: Record) -> None:
    """What a recording has to do without then, and cannot do, the next one has and does."""
    for facts in record("refused.py", "descriptors").facts["recorded"]:
        assert facts == {"watched": True, "left": 0}


@pytest.fixture
def no_memory(interpreter: Interpreter, tmp_path: Path) -> Callable[[str], Any]:
    """Run a scenario of targets/no_memory.py; what it found."""
    library = tmp_path / "no_memory.so"
    command = ["g++", "-O1", "-shared", "-fPIC", str(TARGETS / "no_memory.cpp"), "-o", str(library)]
    subprocess.run(command, timeout=60, check=True)
    path = tmp_path / "trace.gilscope"
    return lambda scenario: (
        interpreter.run("no_memory.py", scenario, path, LD_PRELOAD=str(library)).facts
    )


@pytest.mark.parametrize("scenario", ["starts", "stops"])
def test_memory_that_is_refused_at_any_moment(
    no_memory: Callable[[str], Any], scenario: str
) -> None:
    """A start or a stop that fails leaves nothing behind: the next recording is as any other."""
    facts = no_memory(scenario)
    assert facts["failed"] > FEW_FAILURES
    assert facts["recorded"] == [True]
    assert facts.get("running", [False]) == [False]


def test_memory_that_is_refused_while_the_program_loads(no_memory: Callable[[str], Any]) -> None:
    """The program loads all that it wants and goes on."""
    facts = no_memory("loads")
    assert facts == {"loaded": 60, "left": 0, "recorded": True}
