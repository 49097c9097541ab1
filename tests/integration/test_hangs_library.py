"""Hangs in primitives of the standard library are explained, with what each thread waits for."""

from __future__ import annotations

import os
import re

import pytest

from hang_programs import BUILDS, all_hung

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

pytestmark = pytest.mark.skipif(
    "GILSCOPE_FT_PYTHON" not in os.environ, reason="no interpreters: run `make test`"
)


@pytest.fixture(scope="module", params=BUILDS)
def said(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The report on each program; all run at the same time."""
    folder = tmp_path_factory.mktemp(f"stuck-{request.param}")
    return all_hung(request.param, folder, "stuck.py", tuple(PROGRAMS), {})


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_hangs(name: str, said: dict[str, str]) -> None:
    """The report names each wait, and the thread that could end it."""
    assert re.search(PROGRAMS[name], said[name]), said[name]
