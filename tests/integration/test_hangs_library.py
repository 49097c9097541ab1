"""Hangs in primitives of the standard library are explained, with what each thread waits for."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

import pytest

import gilscope
from gilscope.analysis.findings import find
from hang_programs import BUILDS, REPORT_S, TARGETS, all_hung, reported, running

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = {
    "condition": r"consumer \(stuck\.py:\d+\) waits for Condition `changed`; nobody is left",
    "semaphore": r"first .* waits for Semaphore `permits`; second .* waits for Semaphore",
    "ended": r"waits for threading\.RLock `recursive`, which belongs to a thread that has ended$",
    "full": r"MainThread .* waits for Queue `work`; no thread that could end this is able to run",
    "undone": r"MainThread .* waits for Queue `work`; worker .* waits for Queue `work`",
    "pool": r"hang: process \d+ \(forked from \d+ at stuck\.py:\d+\): .* waits for threading\.Lock "
    r"`lock`, which no thread here owns",
    "joins": r"left .* joins thread right; right .* joins thread left",
    "imports": r"MainThread .* holds threading\.Lock `lock` and waits for the import of "
    r"`slow_module` to end, which is imported by importer",
    "executor": r"only_0 .* waits for a Future, which only only_0 could run; MainThread .* waits "
    r"for a Future, which is run by only_0",
    "executor_beat": r"pair_0 .* waits for a Future, which only pair_\d or pair_\d could run; pair",
    "loop": r"MainThread .* waits for a Future.*, which only MainThread could run",
    "loop_beat": r"deadlock: loop .* waits for a Future.*, which only loop could run",
    "parties": r"MainThread .* waits for Barrier `barrier`; second waits for a Barrier",
    "shutdown": r"MainThread waits for all threads to end; forgotten waits for an Event",
    "handler": r"waits for threading\.Lock `lock`, which it holds itself",
    "empty": r"MainThread .* joins thread worker \d; worker \d .* waits for Queue `work`",
}
"""What the first line says, by function of stuck.py."""
TANGLED = {
    "nested": r"MainThread .* holds threading\.RLock `guard` and waits for Condition `changed`; "
    r"notifier .* waits for threading\.RLock `guard`, held by MainThread",
    "mapped": r"only_0 .* waits for a Future, which only only_0 could run; MainThread .* waits "
    r"for a Future, which is run by only_0",
    "forgotten": r"MainThread .* waits for Queue `work`; worker 0 .* waits for Queue `work`; w",
    "absent": r"MainThread .* joins thread party 0; party 0 .* waits for Barrier `barrier`",
    "logged": r"hang: process \d+ \(forked from \d+ at tangled\.py:\d+\): MainThread .* waits for "
    r"a threading\.Lock, which no thread here owns",
    "loops": r"MainThread .* waits for a Future; other loop waits in its event loop, which has no "
    r"timer and watches no file",
    "as_completed": r"pair_\d .* waits for Futures, which only pair_\d or pair_\d could run; pair",
    "tasks": r"MainThread \(tangled\.py:\d+\) waits in its event loop, which has no timer and "
    r"watches no file; no thread that could end this is able to run",
    "finalized": r"MainThread .* waits for threading\.Lock `Closed\.lock`; the interpreter ends, "
    r"and no other thread runs Python any more",
}
"""The same of tangled.py."""

pytestmark = pytest.mark.skipif(
    "GILSCOPE_FT_PYTHON" not in os.environ, reason="no interpreters: run `make test`"
)


@pytest.fixture(scope="module", params=BUILDS)
def said(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The report on each program; all run at the same time."""
    found = {}
    for program, names in (("stuck.py", PROGRAMS), ("tangled.py", TANGLED)):
        folder = tmp_path_factory.mktemp(f"{program[:-3]}-{request.param}")
        found |= all_hung(request.param, folder, program, tuple(names), {})
    return found


@pytest.mark.parametrize("name", [*PROGRAMS, *TANGLED])
def test_a_program_that_hangs(name: str, said: dict[str, str]) -> None:
    """The report names each wait, and the thread that could end it."""
    assert re.search((PROGRAMS | TANGLED)[name], said[name]), said[name]


@pytest.mark.parametrize("build", BUILDS)
def test_a_hang_at_the_end_of_the_interpreter_is_in_the_trace(build: str, tmp_path: Path) -> None:
    """Which was complete by then."""
    words = [str(TARGETS / "tangled.py"), "finalized"]
    with running(build, words, tmp_path) as (process, errors):
        reported(process, errors)
        trace = tmp_path / "t.gilscope"
        end = time.monotonic() + REPORT_S
        while not gilscope.open(trace).hangs and time.monotonic() < end:
            time.sleep(0.1)
    first = next(iter(find(gilscope.open(trace))))
    assert (first.name, first.suspected) == ("deadlock", False)
    assert "the interpreter ends" in first.title
