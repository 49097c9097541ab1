"""What ThreadSanitizer says, as races; how projects are built for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gilscope.errors import ProbeError, UsageError
from gilscope.runner import tsan_run, tsan_setup
from gilscope.runner.tsan_interpreter import Sanitized
from gilscope.runner.tsan_reports import race_of, reports

TEXT = """==================
WARNING: ThreadSanitizer: data race (pid=3344)
  Write of size 8 at 0x7f796c08c188 by thread T4 (mutexes: write M0):
    #0 memcpy ../libsanitizer/sanitizer_common_interceptors.inc:827 (libtsan.so.2+0x5e686)
    #1 Pool::add(int) /src/pool.cpp:6:3 (pool.cpython-313t-x86_64-linux-gnu.so+0x11bf)

  Previous read of size 8 at 0x7f796c08c188 by main thread:
    #0 total /src/pool.cpp:9 (pool.cpython-313t-x86_64-linux-gnu.so+0x11e9)
    #1 <null> <null> (python3.13t+0x1a3a47)

  Location is heap block of size 16 at 0x7f796c08c180 allocated by main thread:
    #0 malloc ../libsanitizer/tsan_interceptors_posix.cpp:665 (libtsan.so.2+0x5b6e2)
    #1 make /src/pool.cpp:3 (pool.cpython-313t-x86_64-linux-gnu.so+0x1011)

  Thread T4 'worker' (tid=3825, running) created by main thread at:
    #0 pthread_create ../libsanitizer/tsan_interceptors_posix.cpp:1001 (libtsan.so.2+0x5e686)
    #1 start /src/pool.cpp:10 (pool.cpython-313t-x86_64-linux-gnu.so+0x1251)

SUMMARY: ThreadSanitizer: data race /src/pool.cpp:6 in Pool::add(int)
==================
==================
WARNING: ThreadSanitizer: thread leak (pid=3344)
  Thread T5 (tid=3826, finished) created by main thread at:
    #0 pthread_create x.cpp:1 (libtsan.so.2+0x5e686)
==================
"""
PYTHON = Sanitized(Path("/tsan/python"), "3.13.5", None, ("setarch", "-R"))


def test_a_report_is_a_race() -> None:
    """Both accesses in order, with threads, locks and the program's own frames."""
    report = next(reports(TEXT))
    race = race_of(report)
    assert race is not None
    assert race.variable == "a block of 16 bytes allocated at /src/pool.cpp:3 in make"
    read, write = race.accesses
    assert (read.thread, read.what, read.locks) == ("main thread", "read", ())
    assert (write.thread, write.write, write.locks) == ("worker", True, ("mutex M0",))
    assert str(write.place) == "/src/pool.cpp:6 in Pool::add(int)"
    assert str(read.stack[1]) == "python3.13t:0 in native code"
    assert "main thread holds nothing at /src/pool.cpp:9" in race.advice


def test_only_the_programs_own_code_is_accused() -> None:
    """A report whose accesses lie in the interpreter is left out; so is one without accesses."""
    race, leak = reports(TEXT)
    assert race.is_about(lambda name: name.startswith("pool."))
    assert not race.is_about(lambda name: name.startswith("other."))
    assert race_of(leak) is None


def test_an_object_is_instrumented_if_it_calls_the_runtime(tmp_path: Path) -> None:
    """By the names in the file."""
    file = tmp_path / "x.so"
    file.write_bytes(b"\x7fELF...__tsan_read8...")
    assert tsan_run.is_instrumented(file)
    file.write_bytes(b"\x7fELF...")
    assert not tsan_run.is_instrumented(file)
    assert not tsan_run.is_instrumented(tmp_path / "none.so")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ("{}x", "proves nothing"),
        ('{"gil": false, "standard": "/std", "extensions": []}', "no extension module"),
        (
            '{"gil": false, "standard": "/std", "extensions": [["m", "/std/lib-dynload/m.so"]]}',
            "no extension module",
        ),
        (
            '{"gil": false, "standard": "/std", "extensions": [["own", "/own.so"]]}',
            "not built for ThreadSanitizer: own",
        ),
    ],
)
def test_a_run_that_can_find_nothing_is_refused(tmp_path: Path, facts: str, words: str) -> None:
    """With the reason."""
    file = tmp_path / "facts.json"
    file.write_text(facts, encoding="utf-8")
    with pytest.raises(ProbeError, match=words):
        tsan_run._extensions(file)


@pytest.mark.parametrize(
    ("backend", "variable"),
    [
        ("scikit_build_core.build", "SKBUILD_INSTALL_STRIP"),
        ("mesonpy", "CXXFLAGS"),
        ("setuptools.build_meta", "CFLAGS"),
        ("maturin", "RUSTFLAGS"),
    ],
)
def test_a_project_is_built_as_its_backend_wants(
    tmp_path: Path, backend: str, variable: str
) -> None:
    """By environment variables; the command can be read and repeated."""
    text = f'[build-system]\nrequires = []\nbuild-backend = "{backend}"\n'
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    plan = tsan_setup.plan(tmp_path, PYTHON)
    assert variable in plan.variables
    assert "-fsanitize=thread" in str(plan)
    assert plan.command[:2] == ["setarch", "-R"]
    assert plan.command[-1] == str(tmp_path)


def test_an_unknown_backend_is_told_what_to_do(tmp_path: Path) -> None:
    """One that is no project, too."""
    with pytest.raises(UsageError, match=r"neither pyproject.toml nor setup.py"):
        tsan_setup.plan(tmp_path, PYTHON)
    (tmp_path / "pyproject.toml").write_text('[build-system]\nbuild-backend = "bazel.build"\n')
    with pytest.raises(UsageError, match=r"built by bazel.build.*CFLAGS=-fsanitize=thread"):
        tsan_setup.plan(tmp_path, PYTHON)
