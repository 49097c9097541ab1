"""`gilscope attach` records a running program by its process id, for its own user only."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import gilscope
from command import gilscope as command
from gilscope.target.agent import place

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(__file__).parents[1] / "targets" / "hangs" / "served.py"
BUILDS = {"gil": "GILSCOPE_PYTHON", "ft": "GILSCOPE_FT_PYTHON"}
NOBODY = 65534

pytestmark = pytest.mark.skipif(
    "GILSCOPE_FT_PYTHON" not in os.environ, reason="no interpreters: run `make test`"
)


@contextmanager
def running(build: str, *words: str) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Run the program; yield it and its process ids."""
    with subprocess.Popen(
        [os.environ[BUILDS[build]], PROGRAM, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process, [int(word) for word in process.stdout.readline().split()]
            process.stdin.close()
            assert process.wait(60) in (0, -signal.SIGKILL)
        finally:
            process.kill()


@contextmanager
def served(build: str, *words: str) -> Iterator[list[int]]:
    """Run the program; yield its process ids."""
    with running(build, *words) as (_, pids):
        yield pids


@contextmanager
def attached(pid: int, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Record the process until the block ends, by a command of its own."""
    words = [sys.executable, "-m", "gilscope", "attach", str(pid), "-o", folder / "a.gilscope"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "recording process" in process.stderr.readline()
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("build", BUILDS)
def test_a_process_is_recorded_for_some_seconds(build: str, tmp_path: Path) -> None:
    """The trace is complete, and the program goes on."""
    with served(build) as (pid,):
        done = command("attach", pid, "--seconds", "0.5", "-o", "t.gilscope", cwd=tmp_path)
        assert done.status == 0, done.err
    trace = gilscope.open(tmp_path / "t.gilscope")
    assert (trace.pid, trace.ended_early) == (pid, False)


def test_a_long_wait_while_attached_writes_the_ring_down(tmp_path: Path) -> None:
    """By the condition of the command; without a ring it is refused."""
    with served("gil", "keeps") as (pid,):
        words = ["--when", "gil_wait > 50 ms", "--seconds", "3", "-o", "t.gilscope"]
        said = command("attach", pid, *words, cwd=tmp_path).error_line
        assert said == "when writes a ring down: it takes ring=True (--ring)"
        done = command("attach", pid, "--ring", *words, cwd=tmp_path)
        assert done.status == 0, done.err
    assert gilscope.open(tmp_path / "t.1.gilscope").end_reason == "snapshot"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_recording_ends_with_its_command(number: signal.Signals, tmp_path: Path) -> None:
    """However that ends; the next one can record then."""
    with served("gil") as (pid,):
        with attached(pid, tmp_path) as process:
            process.send_signal(number)
            process.wait(60)
        end = time.monotonic() + 60
        while gilscope.open(tmp_path / "a.gilscope").ended_early and time.monotonic() < end:
            time.sleep(0.1)
        done = command("attach", pid, "--seconds", "0.1", "-o", "b.gilscope", cwd=tmp_path)
        assert done.status == 0, done.err


def test_a_signal_just_before_the_command_waits(tmp_path: Path) -> None:
    """Python handles it after the system call: it ends the recording all the same."""
    library = tmp_path / "late_signal.so"
    source = Path(__file__).parents[1] / "targets" / "late_signal.c"
    compiler = [*shlex.split(os.environ.get("CC", "gcc")), "-shared", "-fPIC", source]
    subprocess.run([*compiler, "-o", library], timeout=60, check=True)
    with served("gil") as (pid,):
        done = command(
            "attach",
            pid,
            "-o",
            "a.gilscope",
            cwd=tmp_path,
            env={**os.environ, "LD_PRELOAD": str(library)},
            timeout=60,
        )
        assert done.status == 0, done.err
    assert " events, 0 dropped" in done.err


def test_two_commands_at_once(tmp_path: Path) -> None:
    """The second one is refused in one line, and the first one goes on."""
    with served("gil") as (pid,), attached(pid, tmp_path) as process:
        said = command("attach", pid, "--seconds", "0.1", cwd=tmp_path).error_line
        assert said == "the probe is running already: stop it first"
        assert process.poll() is None


def test_a_snapshot_of_what_is_recorded(tmp_path: Path) -> None:
    """While it goes on; one of nothing is refused."""
    with served("gil") as (pid,):
        said = command("snapshot", pid, "-o", "s.gilscope", cwd=tmp_path).error_line
        assert said == "the probe is not running: start it first"
        with attached(pid, tmp_path):
            done = command("snapshot", pid, "-o", "s.gilscope", cwd=tmp_path)
            assert done.status == 0, done.err
    assert gilscope.open(tmp_path / "s.gilscope").end_reason == "snapshot"


def test_a_process_that_ends_meanwhile(tmp_path: Path) -> None:
    """The command says so, and its trace is there."""
    with served("gil") as (pid,), attached(pid, tmp_path) as process:
        os.kill(pid, signal.SIGKILL)
        assert process.stderr is not None
        assert process.stderr.read() == "gilscope: error: the process has ended\n"
    assert gilscope.open(tmp_path / "a.gilscope").ended_early


@pytest.mark.parametrize("build", BUILDS)
def test_an_attached_process_that_forks_is_recorded_on(build: str, tmp_path: Path) -> None:
    """The child is not recorded, and the parent's trace is complete."""
    with running(build) as (process, (pid,)):
        assert process.stdin is not None
        assert process.stdout is not None
        with attached(pid, tmp_path) as command_:
            for _ in range(3):
                process.stdin.write("fork\n")
                process.stdin.flush()
                assert process.stdout.readline() == "forked\n"
            command_.send_signal(signal.SIGINT)
            assert command_.wait(60) == 0
    trace = gilscope.open(tmp_path / "a.gilscope")
    assert (trace.pid, trace.ended_early, trace.problems) == (pid, False, ())


@pytest.mark.parametrize("build", BUILDS)
def test_an_attached_process_that_executes_another_program(build: str, tmp_path: Path) -> None:
    """That ends the recording, in one line; the trace can be read."""
    with running(build) as (process, (pid,)), attached(pid, tmp_path) as command_:
        assert process.stdin is not None
        process.stdin.write("exec\n")
        process.stdin.flush()
        assert command_.wait(60) == 2
        assert command_.stderr is not None
        assert command_.stderr.read() == "gilscope: error: the process has ended\n"
        process.stdin.write("\n")
        process.stdin.flush()
    assert gilscope.open(tmp_path / "a.gilscope").pid == pid


@pytest.mark.parametrize("build", BUILDS)
def test_an_attached_process_that_exits(build: str, tmp_path: Path) -> None:
    """Its trace is completed at the exit; the command says so in one line."""
    with running(build) as (process, (pid,)), attached(pid, tmp_path) as command_:
        assert process.stdin is not None
        process.stdin.close()
        assert command_.wait(60) == 2
        assert command_.stderr is not None
        assert command_.stderr.read() == "gilscope: error: the process has ended\n"
    trace = gilscope.open(tmp_path / "a.gilscope")
    assert (trace.ended_early, trace.end_reason) == (False, "exit")


def test_a_process_without_the_agent_is_told_what_it_takes(tmp_path: Path) -> None:
    """In Python 3.13, into which nothing can be brought."""
    python = os.environ["GILSCOPE_PYTHON"]
    with subprocess.Popen([python, "-c", "import time; time.sleep(60)"]) as process:
        time.sleep(0.5)
        said = command("attach", process.pid, cwd=tmp_path).error_line
        process.kill()
    assert said.endswith("the program must import gilscope.agent when it starts")


def test_a_forked_child_is_not_its_parents_agent(tmp_path: Path) -> None:
    """The child is refused; the parent can still be recorded."""
    with served("gil", "child") as (pid, child):
        assert "import gilscope.agent" in command("attach", child, cwd=tmp_path).error_line
        done = command("attach", pid, "--seconds", "0.1", "-o", "p.gilscope", cwd=tmp_path)
        assert done.status == 0, done.err


def test_only_its_own_user_can_open_the_socket() -> None:
    """The directory and the socket are private."""
    with served("gil") as (pid,):
        path = place.socket_of(pid, os.geteuid())
        assert stat.S_IMODE(path.stat().st_mode) == place.PRIVATE_SOCKET
        assert stat.S_IMODE(path.parent.stat().st_mode) == place.PRIVATE_DIRECTORY
        assert path.stat().st_uid == os.geteuid()
    assert not path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to be another user")
def test_another_user_is_refused() -> None:
    """By the directory, whatever the socket's mode is."""
    connect = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    with served("gil") as (pid,):
        path = place.socket_of(pid, os.geteuid())
        done = subprocess.run(
            ["/usr/bin/python3", "-c", connect, path], user=NOBODY, capture_output=True, check=False
        )
        assert b"PermissionError" in done.stderr


def test_a_directory_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    """One that others may enter, and a link, are refused."""
    shared = tmp_path / "shared"
    shared.mkdir(0o755)
    shared.chmod(0o755)
    with pytest.raises(place.AgentError, match="is not a private directory"):
        place.check(shared, os.geteuid())
    shared.chmod(0o700)
    place.check(shared, os.geteuid())
    (tmp_path / "link").symlink_to(shared)
    with pytest.raises(place.AgentError, match="is not a private directory"):
        place.check(tmp_path / "link", os.geteuid())


def test_nonsense_is_no_harm(tmp_path: Path) -> None:
    """Whatever is sent, the program goes on and can be recorded."""
    with served("gil") as (pid,):
        path = place.socket_of(pid, os.geteuid())
        for nonsense in (b"", b"\n", b"{}\n", b"[1]\n", b'{"do": 3}\n', b"\xff" * 70_000):
            with socket.socket(socket.AF_UNIX) as one:
                one.connect(str(path))
                try:
                    one.sendall(nonsense)
                except OSError:
                    continue
        done = command("attach", pid, "--seconds", "0.1", "-o", "p.gilscope", cwd=tmp_path)
        assert done.status == 0, done.err


def test_a_program_goes_on_where_it_cannot_be_attached_to(tmp_path: Path) -> None:
    """A socket that cannot be made is a warning."""
    code = (
        "import gilscope.target.agent.place as place, pathlib, sys\n"
        "place.directory = lambda user: pathlib.Path(sys.argv[1])\n"
        "import gilscope.agent\n"
        "print('goes on')"
    )
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    done = subprocess.run(
        [os.environ["GILSCOPE_PYTHON"], "-c", code, shared],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "goes on\n"
    assert "RuntimeWarning: gilscope cannot be attached to: " in done.stderr
