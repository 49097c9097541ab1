"""Dask clusters, recorded as one trace by the cluster's own connections."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import gilscope
from gilscope.analysis.findings import find
from gilscope.errors import GilscopeError, UsageError

distributed = pytest.importorskip("distributed", reason="distributed is not installed")
dask = pytest.importorskip("dask", reason="dask is not installed")

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Client

    from gilscope.trace.model import Trace

TARGETS = Path(__file__).parents[1] / "targets" / "dask"
PATIENCE_S = 60
sys.path.insert(0, str(TARGETS))

import work  # noqa: E402 - found by the line above


@pytest.fixture(autouse=True)
def _workers_find_the_tasks(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    monkeypatch.setenv("PYTHONPATH", str(TARGETS))
    # What is left there by others is not counted.
    with dask.config.set({"temporary-directory": str(tmp_path_factory.mktemp("scratch"))}):
        yield


@contextmanager
def cluster(workers: int = 2, *, processes: bool = True) -> Iterator[Client]:
    """Run a cluster of this machine."""
    with (
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=2, processes=processes, dashboard_address=None
        ) as local,
        distributed.Client(local) as client,
    ):
        yield client


def tasks_of(trace: Trace) -> set[tuple[str, str]]:
    """Return (worker, task) of all spans."""
    return {
        (trace.thread_name(thread).partition(":")[0], trace.spans.names[name])
        for thread, name in zip(trace.spans.thread.tolist(), trace.spans.name.tolist(), strict=True)
    }


def test_processes_become_one_trace(tmp_path: Path) -> None:
    """Each task is a span on the lane of its worker, and a finding says which one keeps the GIL."""
    path = tmp_path / "cluster.gilscope"
    with cluster() as client:
        about = client.scheduler_info()["workers"]
        places = list(about)
        with gilscope.dask.profile(client, path) as recorded:
            kept = [
                client.submit(work.keep_gil, number, key=f"keep-{number}", workers=[places[0]])
                for number in range(4)
            ]
            counted = client.map(work.count, range(4), workers=[places[1]])
            client.gather(kept + counted)
            key = counted[0].key
    trace = gilscope.open(path)
    assert (list(trace.problems), recorded.problems) == ([], [])
    assert sorted(recorded.workers) == ["0", "1"]
    assert not trace.ended_early
    worker, other = (f"worker {about[place]['name']}" for place in places)
    assert {(worker, f"keep-{number}") for number in range(4)} <= tasks_of(trace)
    assert (other, key) in tasks_of(trace)
    hold = next(one for one in find(trace) if one.name == "gil-held-in-native-code")
    assert "usleep" in hold.title
    assert any("keep-" in line and f"of thread {worker}:" in line for line in hold.evidence)
    assert any("in span keep-" in jump.note for jump in hold.intervals)


def test_workers_in_threads_share_a_recording(tmp_path: Path) -> None:
    """Where workers are in the client's process, it is in the trace once."""
    path = tmp_path / "cluster.gilscope"
    with cluster(processes=False) as client:
        with gilscope.dask.profile(client, path) as recorded:
            client.gather(client.map(work.count, range(8)))
        again = tmp_path / "again.gilscope"
        with gilscope.dask.profile(client, again):
            client.submit(work.count, 100).result()
    trace = gilscope.open(path)
    assert len(trace.spans) == 8
    assert sorted(recorded.workers) == ["0", "1"]
    assert len({thread.tid for thread in trace.threads}) == len(trace.threads)
    assert len(gilscope.open(again).spans) == 1


def test_a_late_worker_is_recorded(tmp_path: Path) -> None:
    """From when it joins."""
    path = tmp_path / "cluster.gilscope"
    with cluster(1) as client, gilscope.dask.profile(client, path) as recorded:
        client.cluster.scale(2)
        client.wait_for_workers(2, timeout=PATIENCE_S)
        late = max(client.scheduler_info()["workers"].items(), key=lambda one: one[1]["name"])
        client.submit(work.count, 1, key="late-task", workers=[late[0]]).result()
    assert sorted(recorded.workers) == ["0", "1"]
    assert ("worker 1", "late-task") in tasks_of(gilscope.open(path))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_killed_worker_has_recorded_is_there(workers: int, tmp_path: Path) -> None:
    """It is named, its trace ends early, and nothing of it is left where it was."""
    path = tmp_path / "cluster.gilscope"
    with cluster(workers) as client, gilscope.dask.profile(client, path) as recorded:
        (dead, about), *_ = client.scheduler_info()["workers"].items()
        client.submit(work.count, 1, key="before", workers=[dead]).result()
        (pid,) = client.run(os.getpid, workers=[dead]).values()
        (place,) = client.run(work.scratch, workers=[dead]).values()
        last = client.submit(work.die, workers=[dead], retries=0)
        end = time.monotonic() + PATIENCE_S
        while dead in client.scheduler_info()["workers"]:
            assert time.monotonic() < end
            time.sleep(0.1)
        last.cancel()
    name = f"{about['name']} (gone, process {pid})"
    gone = f"worker {about['name']} ({dead}) was gone before the recording ended"
    ends = f"{gone}: its trace ends there"
    trace = gilscope.open(path)
    assert ends in recorded.problems
    assert {ends, f"worker {name}: ended early"} <= set(trace.problems)
    assert name in recorded.workers
    assert (f"worker {name}", "before") in tasks_of(trace)
    assert not list(Path(place).glob("gilscope-*"))


def test_a_worker_reads_what_another_one_on_its_host_has_left(tmp_path: Path) -> None:
    """Where the client does not see the file."""
    from gilscope.dask import departed  # noqa: PLC0415 - needs distributed

    left = tmp_path / "gilscope-left"
    left.mkdir()
    data = os.urandom((4 << 20) + 100)  # two pieces
    (left / "worker.gilscope").write_bytes(data)
    gone = departed.Seen("tcp://10.0.0.1:1", "a", "", str(left), "another host", 7)
    with cluster(1) as client:

        def run(function: Any, *args: Any, workers: list[str] | None = None) -> dict[str, Any]:
            return dict(client.run(function, *args, workers=workers))

        (found,) = departed.find([gone], run).values()
        (collected,) = found.collect(run, tmp_path / "here")
        assert collected.path.read_bytes() == data
        assert collected.process == "worker a (gone, process 7)"
        found.discard(run)
    assert not found.here
    assert not left.exists()


def test_what_a_closed_worker_has_recorded_is_there(tmp_path: Path) -> None:
    """Also where a cluster becomes smaller meanwhile."""
    path = tmp_path / "cluster.gilscope"
    with cluster() as client, gilscope.dask.profile(client, path) as recorded:
        (closed, _), *_ = client.scheduler_info()["workers"].items()
        client.submit(work.count, 1, key="before", workers=[closed]).result()
        (pid,) = client.run(os.getpid, workers=[closed]).values()
        client.retire_workers([closed])
        end = time.monotonic() + PATIENCE_S
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < end
            time.sleep(0.1)
    trace = gilscope.open(path)
    assert len(recorded.workers) == 2
    assert "before" in {task for worker, task in tasks_of(trace) if f"process {pid}" in worker}
    assert not any("ended early" in line for line in trace.problems)


def test_options_reach_the_workers(tmp_path: Path) -> None:
    """Each worker records itself as the client was told."""
    with (
        cluster(1) as client,
        gilscope.dask.profile(client, tmp_path / "a.gilscope", ring=True, max_bytes=16 << 20),
    ):
        assert all(one["ring"] for one in client.run(work.probe_options).values())


def test_an_exception_in_the_block_goes_on(tmp_path: Path) -> None:
    """And the trace is there; nothing is left on the workers."""
    path = tmp_path / "cluster.gilscope"
    with cluster(1) as client:
        with pytest.raises(ZeroDivisionError), gilscope.dask.profile(client, path):
            client.submit(work.fails, key="fails").result()
        left = client.run(work.left)
    assert "fails" in {task for _, task in tasks_of(gilscope.open(path))}
    assert list(left.values()) == [([], False)]
    assert [one.name for one in tmp_path.iterdir()] == ["cluster.gilscope"]


def test_workers_that_cannot_be_recorded_are_one_error(tmp_path: Path) -> None:
    """With the reason: here, the process of the workers records already."""
    with (
        cluster(processes=False) as client,
        gilscope.profile(tmp_path / "own.gilscope"),
        pytest.raises(GilscopeError, match="worker 0: the probe is running already"),
        gilscope.dask.profile(client, tmp_path / "cluster.gilscope"),
    ):
        pass
    assert len(gilscope.open(tmp_path / "own.gilscope").threads) > 1


def test_snapshots_are_refused(tmp_path: Path) -> None:
    """They would stay on the workers."""
    with (
        cluster(processes=False) as client,
        pytest.raises(UsageError, match="leave it out; with ring=True"),
        gilscope.dask.profile(client, tmp_path / "a.gilscope", ring=True, when="hang"),
    ):
        pass


def test_what_is_no_client_is_refused(tmp_path: Path) -> None:
    """In one clear line."""
    with (
        pytest.raises(UsageError, match=r"needs a distributed\.Client"),
        gilscope.dask.profile(None, tmp_path / "a.gilscope"),
    ):
        pass


def test_a_file_of_the_user_is_left_alone(tmp_path: Path) -> None:
    """Before anything is recorded."""
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with (
        cluster(processes=False) as client,
        pytest.raises(UsageError, match="is not a trace"),
        gilscope.dask.profile(client, path),
    ):
        pass
    assert path.read_text() == "mine"


def test_a_folder_that_is_missing_is_said_before_anything_runs(tmp_path: Path) -> None:
    """Not at the end, when nobody can record it again."""
    with (
        cluster(processes=False) as client,
        pytest.raises(UsageError, match=r"the folder .*/missing does not exist"),
        gilscope.dask.profile(client, tmp_path / "missing" / "a.gilscope"),
    ):
        pytest.fail("the block runs")


def test_distributed_is_asked_for_in_one_line(tmp_path: Path) -> None:
    """Where it is not installed; importing gilscope does not load it."""
    (tmp_path / "distributed.py").write_text(
        "raise ModuleNotFoundError('no', name='distributed')\n"
    )
    code = (
        "import sys, gilscope\nassert 'distributed' not in sys.modules\n"
        "try:\n    gilscope.dask.profile(None, 'x.gilscope')\n"
        "except gilscope.GilscopeError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().endswith("is not installed: pip install distributed")


SCRIPT = """
import ctypes
import gilscope
from distributed import Client, LocalCluster

def keep_gil(number):
    ctypes.PyDLL(None).usleep(60_000)

if __name__ == "__main__":
    with LocalCluster(
        n_workers=1, threads_per_worker=2, dashboard_address=None
    ) as cluster, Client(cluster) as client:
        with gilscope.dask.profile(client, "cluster.gilscope"):
            client.gather(client.map(keep_gil, range(10)))
"""


def test_functions_of_the_script_are_of_its_file(tmp_path: Path) -> None:
    """They come to the workers without it: a finding names file and line all the same."""
    (tmp_path / "script.py").write_text(SCRIPT)
    subprocess.run([sys.executable, "script.py"], cwd=tmp_path, timeout=PATIENCE_S, check=True)
    titles = [one.title for one in find(gilscope.open(tmp_path / "cluster.gilscope"))]
    assert any("script.py:7 in keep_gil" in title for title in titles), titles
