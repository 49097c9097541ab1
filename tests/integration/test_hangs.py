"""Hangs are explained while a program is recorded, and nothing is said of what only waits."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

import gilscope
from command import gilscope as command
from gilscope.analysis.findings import find
from hang_programs import BUILDS, REPORT_S, TARGETS, hung, reported, running

PATIENT = (
    *("server", "keyboard", "debugger", "native", "asleep"),
    *("sleepers", "drain", "process_lock", "signals", "turns", "collect"),
    *("loop", "child"),
)

pytestmark = pytest.mark.skipif(
    "GILSCOPE_FT_PYTHON" not in os.environ, reason="no interpreters: run `make test`"
)


@pytest.fixture(scope="module")
def spin(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The native loops."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no compiler")
    library = tmp_path_factory.mktemp("spin") / "libspin.so"
    source = TARGETS / "spin.c"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", source, "-o", library], check=True)
    return str(library)


@pytest.mark.parametrize("build", BUILDS)
def test_an_event_whose_setter_waits_for_us(build: str, tmp_path: Path) -> None:
    """Both waits are named, and the lock that is held meanwhile."""
    line = hung(build, tmp_path, "event")
    assert re.match(
        r"gilscope: deadlock: MainThread \(hung\.py:\d+\) holds threading\.Lock `lock` and waits "
        r"for Event `ready`; setter \(hung\.py:\d+\) waits for threading\.Lock `lock`, held by "
        r"MainThread",
        line,
    )


@pytest.mark.parametrize("build", BUILDS)
def test_a_wait_at_a_place_where_it_waited_before(build: str, tmp_path: Path) -> None:
    """The second wait is one of its own, though it looks as the first one did to the kernel."""
    line = hung(build, tmp_path, "joins")
    assert "MainThread (hung.py:" in line
    assert "joins thread asks; asks (hung.py:" in line


@pytest.mark.parametrize("build", BUILDS)
def test_locks_in_opposite_orders(build: str, tmp_path: Path) -> None:
    """The circle is found though another thread goes on, which is not named."""
    line = hung(build, tmp_path, "order")
    assert line.startswith("gilscope: deadlock: ")
    for who, has, wants, owner in (
        ("MainThread", "lock", "other", "second"),
        ("second", "other", "lock", "MainThread"),
    ):
        assert re.search(
            rf"{who} \(hung\.py:\d+\) holds threading\.Lock `{has}` and waits for threading\.Lock "
            rf"`{wants}`, held by {owner}",
            line,
        )
    assert "beat" not in line


def test_a_join_with_the_gil(tmp_path: Path, spin: str) -> None:
    """The joined native thread waits for the GIL of the thread that joins it."""
    line = hung("gil", tmp_path, "join", SPIN=spin)
    assert re.search(r"MainThread .* holds the GIL and joins native thread \d+", line)
    assert re.search(r"native thread \d+ .*waits for the GIL.*, held by MainThread", line)


def test_a_join_while_attached(tmp_path: Path, spin: str) -> None:
    """The first native thread that enters Python stops the world, free-threaded."""
    line = hung("ft", tmp_path, "join", SPIN=spin)
    assert re.search(r"MainThread .* is attached and joins native thread \d+", line)
    assert "it stops the world" in line


def test_a_native_mutex_against_the_gil(tmp_path: Path) -> None:
    """Glibc says who owns the mutex."""
    line = hung("gil", tmp_path, "mutex")
    assert re.search(
        r"MainThread \(hung\.py:\d+\) holds the GIL and waits for a native mutex, held by owner",
        line,
    )
    assert re.search(r"owner \(hung\.py:\d+\) waits for the GIL, held by MainThread", line)


@pytest.mark.parametrize("build", BUILDS)
def test_an_rlock_says_who_has_it(build: str, tmp_path: Path) -> None:
    """Also where it was taken without a with block."""
    line = hung(build, tmp_path, "rlock")
    assert "waits for threading.RLock `recursive`, held by owner" in line


@pytest.mark.parametrize("build", BUILDS)
def test_a_lock_that_is_taken_twice(build: str, tmp_path: Path) -> None:
    """A thread may be the whole circle."""
    line = hung(build, tmp_path, "itself")
    assert "waits for threading.Lock `lock`, which it holds itself" in line


@pytest.mark.parametrize("loop", ["spin_yield", "spin_nap", "spin_after_work"])
@pytest.mark.parametrize("build", BUILDS)
def test_a_loop_that_waits_while_attached(build: str, loop: str, tmp_path: Path, spin: str) -> None:
    """The thread that spins is named, and the one that waits for it."""
    line = hung(build, tmp_path, "spin", loop, SPIN=spin)
    assert line.startswith("gilscope: hang: MainThread (hung.py:")
    assert re.search(r"MainThread .* and spins", line)
    assert re.search(r"late .* waits for ", line)


@pytest.mark.parametrize("build", BUILDS)
def test_a_hang_is_reported_once(build: str, tmp_path: Path, spin: str) -> None:
    """Also where threads wait in slices and are awake between two of them."""
    words = [str(TARGETS / "hung.py"), "join"]
    with running(build, words, tmp_path, SPIN=spin) as (process, errors):
        reported(process, errors)
        time.sleep(3)
        assert errors.read_text().count("gilscope: deadlock: ") == 1


@pytest.mark.parametrize("build", BUILDS)
def test_a_lock_that_was_held_at_a_fork(build: str, tmp_path: Path) -> None:
    """It is said of the child, by the watcher of its parent, and marked as suspected."""
    line = hung(build, tmp_path, "fork")
    assert re.match(r"gilscope: hang: process \d+ \(forked from \d+\): MainThread", line)
    assert "threading.Lock `lock`, which no thread here owns" in line
    assert "(suspected)" in line


@pytest.mark.parametrize("build", BUILDS)
def test_the_trace_has_the_report(build: str, tmp_path: Path) -> None:
    """Findings of a program that was killed say what stderr said."""
    line = hung(build, tmp_path, "event")
    (first, *_) = findings_of(tmp_path / "t.gilscope")
    assert (first.name, first.suspected) == ("deadlock", False)
    assert first.title == line.removeprefix("gilscope: ")


def findings_of(path: Path) -> list[object]:
    """Read the findings when the watcher has added what it knows."""
    end = time.monotonic() + REPORT_S
    while time.monotonic() < end and not gilscope.open(path).hangs:
        time.sleep(0.1)
    return list(find(gilscope.open(path)))


def test_a_program_that_is_to_be_ended_is_ended(tmp_path: Path) -> None:
    """By --on-hang=end, with the report in the trace."""
    program = str(TARGETS / "hung.py")
    with running("gil", ["--on-hang=end", program, "event"], tmp_path) as (process, errors):
        process.wait(REPORT_S)
        assert "deadlock: " in errors.read_text()
    assert findings_of(tmp_path / "t.gilscope")


@pytest.fixture(scope="module", params=BUILDS)
def patient(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, spin: str
) -> dict[str, str]:
    """What is said of programs that wait for long, all at the same time."""
    folders = {name: tmp_path_factory.mktemp(name) for name in PATIENT}
    said, all_of_them = {}, []
    for name, folder in folders.items():
        words = [str(TARGETS / "patient.py"), name]
        all_of_them.append(running(request.param, words, folder, SPIN=spin))
    opened = [one.__enter__() for one in all_of_them]
    time.sleep(6)
    for name, (process, errors), one in zip(PATIENT, opened, all_of_them, strict=True):
        if name in ("keyboard", "debugger"):
            process.stdin.write("c\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
        process.wait(REPORT_S)
        said[name] = errors.read_text()
        one.__exit__(None, None, None)
    return said


@pytest.mark.parametrize("name", PATIENT)
def test_what_only_waits_is_left_alone(name: str, patient: dict[str, str]) -> None:
    """Nothing is said of it but what was recorded."""
    assert re.fullmatch(
        r"(.*: \d+ events, \d+ dropped.*\n)|", patient[name].partition("gilscope: ")[2]
    )


@pytest.mark.parametrize("build", BUILDS)
def test_a_process_without_gilscope_is_dumped(build: str, tmp_path: Path) -> None:
    """Its hang is explained from outside, with exit status 1."""
    words = [str(TARGETS / "hung.py"), "event"]
    with running(build, words, tmp_path, recorded=False) as (process, _):
        time.sleep(1)
        done = command("dump", process.pid, cwd=tmp_path)
    assert done.status == 1, done.err
    assert done.out.startswith("deadlock: MainThread (hung.py:")
    assert 'hung.py", line' in done.out


def test_a_process_that_goes_on_is_dumped(tmp_path: Path) -> None:
    """What its threads do is shown, and nothing is said to hang."""
    words = [str(TARGETS / "patient.py"), "drain"]
    with running("gil", words, tmp_path, recorded=False) as (process, _):
        time.sleep(1)
        done = command("dump", "--no-py-spy", process.pid, cwd=tmp_path)
    assert done.status == 0, done.err
    assert "waits for Queue `work`" in done.out
    assert "The process shows no sign of a hang." in done.out


IDLE = """
import asyncio, sys
async def main():
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    await server.serve_forever()
asyncio.run(main())
"""


@pytest.mark.parametrize("build", BUILDS)
def test_an_idle_server_of_asyncio_does_not_hang(build: str, tmp_path: Path) -> None:
    """Its loop has no timer, but watches a socket."""
    with running(build, ["-c", IDLE], tmp_path, recorded=False) as (process, _):
        end = time.monotonic() + REPORT_S
        out = ""
        while "is in the system call epoll_wait" not in out and time.monotonic() < end:
            done = command("dump", "--no-py-spy", process.pid, cwd=tmp_path)
            out = done.out
    assert done.status == 0, done.err
    assert "is in the system call epoll_wait" in out


def test_what_cannot_be_dumped_is_said_in_one_line(tmp_path: Path) -> None:
    """A process that is no Python, one that has ended, and one that is not there."""
    with subprocess.Popen([shutil.which("sleep") or "sleep", "60"]) as other:
        assert command("dump", other.pid, cwd=tmp_path).error_line == (
            f"process {other.pid} is not Python"
        )
        other.kill()
        time.sleep(0.2)
        said = command("dump", other.pid, cwd=tmp_path).error_line
        assert said.startswith(f"process {other.pid} has ended, and its parent")
    said = command("dump", other.pid, cwd=tmp_path).error_line
    assert said == f"no process has the id {other.pid}"


def watchers(pid: int) -> list[int]:
    """Return the processes that watch a process: they have its channel."""
    found = []
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            if f"gilscope-hangs-{pid} " in maps.read_text() and int(maps.parent.name) != pid:
                found.append(int(maps.parent.name))
        except OSError:
            continue
    return found


def gone(pid: int) -> bool:
    """Wait until nobody watches a process any more."""
    end = time.monotonic() + REPORT_S
    while watchers(pid) and time.monotonic() < end:
        time.sleep(0.1)
    return not watchers(pid)


@pytest.mark.parametrize("build", BUILDS)
def test_the_watcher_is_nobodys_child(build: str, tmp_path: Path) -> None:
    """The program finds no child to wait for, and the watcher ends with it."""
    code = (
        "import os, time\n"
        "time.sleep(0.5)\n"
        "try: os.wait()\n"
        "except ChildProcessError: print('no child', flush=True)\n"
        "input()"
    )
    with running(build, ["-c", code], tmp_path) as (process, _):
        end = time.monotonic() + REPORT_S
        while "no child" not in (tmp_path / "output.txt").read_text():
            assert time.monotonic() < end
            time.sleep(0.1)
        while not watchers(process.pid) and time.monotonic() < end:
            time.sleep(0.1)
        assert len(watchers(process.pid)) == 1
    assert gone(process.pid)


def test_the_watcher_ends_where_another_program_is_executed(tmp_path: Path) -> None:
    """Which has the same process id."""
    code = "import os; os.execv('/bin/sleep', ['sleep', '30'])"
    with running("gil", ["-c", code], tmp_path) as (process, _):
        time.sleep(1)
        assert gone(process.pid)
        assert process.poll() is None


def test_it_may_be_switched_off(tmp_path: Path) -> None:
    """Then there is no watcher."""
    program = str(TARGETS / "hung.py")
    with running("gil", ["--on-hang=off", program, "event"], tmp_path) as (process, errors):
        time.sleep(4)
        assert watchers(process.pid) == []
        assert errors.read_text() == ""
