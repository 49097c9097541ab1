"""A Dask cluster of three hosts: network namespaces, each with a clock of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import gilscope
from gilscope.analysis.findings import find

pytest.importorskip("distributed", reason="distributed is not installed")

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGETS = Path(__file__).parents[1] / "targets" / "dask"
NET = "10.213.77"
PORT = 8786
AHEAD_S = {"host1": 1_000, "host2": 50_000, "host3": 900_000}
"""How far the clock of each host is ahead of the client's."""

TIMEOUT_S = 180


IP, UNSHARE = shutil.which("ip") or "", shutil.which("unshare") or ""


def ip(*words: str) -> None:
    """Run `ip`."""
    subprocess.run([IP, *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def hosts() -> Iterator[dict[str, str]]:
    """Four namespaces with one network: the client's, and three of workers; names by role."""
    if os.geteuid() != 0 or not (IP and UNSHARE):
        pytest.skip("network namespaces take root, ip and unshare")
    names = {role: f"gs{os.getpid()}{role}" for role in ("hub", *AHEAD_S)}
    with ExitStack() as undo:
        try:
            for name in names.values():
                ip("netns", "add", name)
                undo.callback(ip, "netns", "del", name)
                ip("-n", name, "link", "set", "lo", "up")
            hub = names["hub"]
            ip("-n", hub, "link", "add", "bridge", "type", "bridge")
            ip("-n", hub, "addr", "add", f"{NET}.1/24", "dev", "bridge")
            ip("-n", hub, "link", "set", "bridge", "up")
            for number, role in enumerate(AHEAD_S, 2):
                own, port = names[role], f"port{number}"
                ip(
                    "-n",
                    hub,
                    "link",
                    "add",
                    port,
                    "type",
                    "veth",
                    "peer",
                    "name",
                    "eth",
                    "netns",
                    own,
                )
                ip("-n", hub, "link", "set", port, "master", "bridge", "up")
                ip("-n", own, "addr", "add", f"{NET}.{number}/24", "dev", "eth")
                ip("-n", own, "link", "set", "eth", "up")
            subprocess.run([UNSHARE, "--time", "--fork", "true"], check=True, capture_output=True)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no namespaces here: {error.stderr.decode().strip()}")
        yield names


@pytest.fixture(scope="module")
def measured(
    hosts: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Path]:
    """What the client knows, and the trace."""
    folder = tmp_path_factory.mktemp("hosts")
    environment = {**os.environ, "PYTHONPATH": str(TARGETS)}
    inside = [IP, "netns", "exec"]
    python = [sys.executable, "-m", "distributed.cli.dask_worker", f"tcp://{NET}.1:{PORT}"]
    more = ["--no-nanny", "--nthreads", "2", "--no-dashboard", "--death-timeout", "90"]
    trace = folder / "cluster.gilscope"
    with ExitStack() as undo:
        for role, ahead in AHEAD_S.items():
            clock = [UNSHARE, "--time", "--fork", "--kill-child", "--monotonic", str(ahead)]
            place = folder / role
            place.mkdir()
            log = undo.enter_context((place / "log.txt").open("wb"))
            worker = subprocess.Popen(
                [*inside, hosts[role], *clock, *python, *more, "--name", role],
                cwd=place,
                env=environment,
                stdout=log,
                stderr=log,
            )
            undo.callback(worker.wait)
            undo.callback(worker.kill)
        client = [sys.executable, str(TARGETS / "hosts.py"), f"{NET}.1", str(PORT), "3", str(trace)]
        done = subprocess.run(
            [*inside, hosts["hub"], *client],
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    logs = "".join((folder / role / "log.txt").read_text() for role in AHEAD_S)
    assert done.returncode == 0, f"{done.stderr}{logs}"
    return json.loads(done.stdout.splitlines()[-1]), trace


def test_all_hosts_are_on_the_clients_clock(measured: tuple[dict[str, Any], Path]) -> None:
    """To within the error that is said: clocks that are days apart, and known to be."""
    known, path = measured
    trace = gilscope.open(path)
    assert sorted(known["workers"]) == sorted(AHEAD_S)
    spans = {
        trace.spans.names[name]: (start, end)
        for name, start, end in zip(
            trace.spans.name.tolist(),
            trace.spans.start.tolist(),
            trace.spans.end.tolist(),
            strict=True,
        )
    }
    for role, ahead in AHEAD_S.items():
        error = known["error_ns"][f"worker {role}"]
        at = known["stamps"][role] - ahead * 1_000_000_000 - known["start_ns"]
        start, end = spans[f"stamp-{role}"]
        assert start - error <= at <= end + error, role
        assert error < 1_000_000_000, "no error of a second is worth a clock"


def test_the_error_is_said(measured: tuple[dict[str, Any], Path]) -> None:
    """In the trace, host by host."""
    trace = gilscope.open(measured[1])
    for role in AHEAD_S:
        text = f"worker {role}: its clock was compared by round trips, to within"
        assert any(line.startswith(text) for line in trace.problems), trace.problems


def test_findings_name_task_and_host(measured: tuple[dict[str, Any], Path]) -> None:
    """Which task keeps the GIL on which worker."""
    known, path = measured
    hold = next(one for one in find(gilscope.open(path)) if one.name == "gil-held-in-native-code")
    line = next(line for line in hold.evidence if "keep-" in line)
    assert f"worker {known['keeper']}" in line
