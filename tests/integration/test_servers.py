"""Servers that record themselves because an environment variable asks for it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import gilscope
from gilscope.analysis.findings import find

if TYPE_CHECKING:
    from collections.abc import Iterator

APPLICATION = Path(__file__).parents[1] / "targets" / "servers"
BUILDS = {"gil": "GILSCOPE_PYTHON", "ft": "GILSCOPE_FT_PYTHON"}
PATIENCE_S = 60  # far more than it takes: machines are busy
WAIT = "gil_wait>100ms"

pytestmark = pytest.mark.skipif(
    "GILSCOPE_FT_PYTHON" not in os.environ, reason="no interpreters: run `make test`"
)


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(folder: Path, switch: str) -> dict[str, str]:
    """Return an environment in which each Python imports `gilscope.autostart`."""
    site = folder / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text("import gilscope.autostart\n")
    return {**os.environ, "PYTHONPATH": f"{site}:{APPLICATION}", "GILSCOPE": switch}


def get(port: int, path: str) -> bytes:
    """Ask until the server answers."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as reply:
                return bytes(reply.read())
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.1)


@contextmanager
def serving(
    build: str, folder: Path, switch: str, *words: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a server; yield it and its port."""
    port = free_port()
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [os.environ[BUILDS[build]], "-m", *(word.format(port=port) for word in words)],
            cwd=folder,
            env=environment(folder, switch),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process, port
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ended(process: subprocess.Popen[bytes]) -> int:
    """End a server as its supervisor does; return its exit status."""
    process.send_signal(signal.SIGTERM)
    return process.wait(PATIENCE_S)


UVICORN = ("uvicorn", "application:asgi", "--port", "{port}")
GUNICORN = ("gunicorn", "application:wsgi", "-b", "127.0.0.1:{port}", "-w", "2", "--threads", "2")


def test_uvicorn_writes_a_long_wait_down(tmp_path: Path) -> None:
    """By the variable alone: a snapshot beside the trace names what kept the GIL."""
    traces = tmp_path / "traces"
    with serving("gil", tmp_path, f"ring,when={WAIT},dir={traces}", *UVICORN) as (server, port):
        served_by = int(get(port, "/"))
        snapshot = traces / f"uvicorn.{served_by}.1.gilscope"
        end = time.monotonic() + PATIENCE_S
        while not snapshot.exists():
            assert time.monotonic() < end, (tmp_path / "log.txt").read_text()
            get(port, "/hold")
        assert "usleep" in find(gilscope.open(snapshot))[0].title
        status = ended(server)
    with serving("gil", tmp_path, "", *UVICORN) as (server, port):
        get(port, "/")
        assert ended(server) == status
    # uvicorn ends itself by the signal, so the trace lacks its end; what is there can be read.
    assert len(gilscope.open(traces / f"uvicorn.{served_by}.gilscope").threads) > 1
    assert len(list(traces.iterdir())) <= 4, "at most one snapshot every ten seconds"


@pytest.mark.parametrize("build", list(BUILDS))
def test_gunicorn_records_its_workers(tmp_path: Path, build: str) -> None:
    """With ``children`` each worker that serves has a trace of its own, of one family."""
    traces = tmp_path / "traces"
    with serving(build, tmp_path, f"children,max-bytes=64M,dir={traces}", *GUNICORN) as (
        server,
        port,
    ):
        worker = int(get(port, "/"))
        assert worker != server.pid
        status = ended(server)
    assert status == 0, (tmp_path / "log.txt").read_text()
    family = gilscope.family(traces / f"gunicorn.{server.pid}.gilscope")
    assert any(f".{worker}." in member.name for member in family), family


def test_a_killed_worker_leaves_its_trace(tmp_path: Path) -> None:
    """As by a master that waits no longer, or by the kernel: what it had recorded is there."""
    traces = tmp_path / "traces"
    with serving("gil", tmp_path, f"ring,children,max-bytes=64M,dir={traces}", *GUNICORN) as (
        server,
        port,
    ):
        worker = int(get(port, "/"))
        get(port, "/hold")
        os.kill(worker, signal.SIGKILL)
        end = time.monotonic() + PATIENCE_S
        while int(get(port, "/")) == worker:
            assert time.monotonic() < end
        assert ended(server) == 0
    (path,) = traces.glob(f"*.{worker}.gilscope")
    trace = gilscope.open(path)
    assert trace.ended_early
    assert len(trace.intervals)
    assert path in gilscope.family(traces / f"gunicorn.{server.pid}.gilscope")


def test_a_wrong_word_is_one_warning(tmp_path: Path) -> None:
    """And the program runs as without it."""
    done = subprocess.run(
        [os.environ["GILSCOPE_PYTHON"], "-c", "print('runs')"],
        env=environment(tmp_path, "rung"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "runs\n"
    warning = "gilscope does not record: GILSCOPE: unknown word 'rung'"
    assert done.stderr.count("Warning") == 1
    assert warning in done.stderr


def test_commands_of_gilscope_are_not_recorded(tmp_path: Path) -> None:
    """Where the variable is set for everything."""
    subprocess.run(
        [os.environ["GILSCOPE_PYTHON"], "-m", "gilscope", "run", "-o", "t.gilscope", "-c", "1"],
        cwd=tmp_path,
        env=environment(tmp_path, "ring,dir=traces"),
        check=True,
    )
    assert (tmp_path / "t.gilscope").exists()
    assert not (tmp_path / "traces").exists()


PARALLEL = """
import os
import time
import joblib

def work(number):
    end = time.monotonic() + 0.05
    while time.monotonic() < end:
        pass
    return os.getpid()

if __name__ == "__main__":
    jobs = joblib.Parallel(n_jobs=2, backend="loky")(joblib.delayed(work)(n) for n in range(6))
    print(*sorted(set(jobs)))
"""


def test_workers_of_joblib_record_themselves(tmp_path: Path) -> None:
    """They are interpreters of their own: the variable reaches them, and all are one family."""
    program, traces = tmp_path / "program.py", tmp_path / "traces"
    program.write_text(PARALLEL)
    done = subprocess.run(
        [os.environ["GILSCOPE_PYTHON"], str(program)],
        env=environment(tmp_path, f"children,max-bytes=64M,dir={traces}"),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    (own,) = traces.glob("program.*.gilscope")
    family = {member.name for member in gilscope.family(own)}
    for pid in done.stdout.split():
        assert any(name.endswith(f".{pid}.gilscope") for name in family), (pid, family)
