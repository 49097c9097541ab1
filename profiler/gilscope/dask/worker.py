"""What happens in a Dask worker: it records itself and hands the trace out in pieces.

Loaded by workers, so it needs no more than they have: the standard library and distributed.
Workers that share a process share its recording.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed import WorkerPlugin
from distributed.utils import offload

from gilscope.config import TRACE_SUFFIX
from gilscope.dask import tasks
from gilscope.errors import GilscopeError
from gilscope.target.recording import session
from gilscope.target.recording.options import RecordingOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed import Worker

FOLDER = "gilscope-"
"""What the names of the folders begin with in which workers keep their traces."""

LEVEL = 1
"""Of compression: traces are mostly small numbers, and the worker has other things to do."""


def clock_name() -> str:
    """Return what tells clocks apart: processes with the same one have the same CLOCK_MONOTONIC."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/time').readlink()}"
    except OSError:
        return f"{socket.gethostname()} {os.getpid()}"  # its own, as nothing is known of it


def clock() -> int:
    """Return CLOCK_MONOTONIC of this host, ns."""
    return time.monotonic_ns()


class Recording:
    """The recording of this process.

    Attributes:
        workers: addresses of its workers.
        folder: where its traces are.
        problem: why it does not record, or what is missing; "" if nothing.
        report: what is there when it has ended; None before.
    """

    def __init__(self, place: str, options: dict[str, Any]) -> None:
        """Begin it."""
        self.workers: set[str] = set()
        self.folder: Path | None = None
        self.problem = ""
        self.report: dict[str, Any] | None = None
        self._runs = False
        try:
            self.folder = Path(tempfile.mkdtemp(prefix=FOLDER, dir=place))
            trace = self.folder / f"worker{TRACE_SUFFIX}"
            session.start(trace, RecordingOptions(**options))
        except (GilscopeError, OSError) as error:
            self.problem = str(error)
            return
        self._runs = True
        self.problem = tasks.mark()

    def stop(self) -> dict[str, Any]:
        """End it; return the report."""
        if self.report is not None:
            return self.report
        tasks.unmark()
        fate = ""
        if self._runs and session.running():
            try:
                fate = session.FATES[session.stop()["fate"]]
            except GilscopeError as error:
                fate = str(error)
        self.report = {
            "clock": clock_name(),
            "folder": str(self.folder or ""),
            "files": files_in(self.folder) if self.folder and self._runs else [],
            "problem": fate or self.problem,
        }
        return self.report

    def leave(self) -> None:
        """End it: the process has no worker any more.

        What it has written is removed if the client has ended the recording before. Else the worker
        leaves early: the client is going to look for its trace.
        """
        collected = self.report is not None
        self.stop()
        if self.folder is not None and (collected or not self._runs):
            shutil.rmtree(self.folder, ignore_errors=True)


def files_in(folder: Path) -> list[list[Any]]:
    """Return name and size in bytes of each trace in a folder."""
    found = sorted(folder.glob(f"*{TRACE_SUFFIX}"))
    return [[file.name, file.stat().st_size] for file in found]


class _Recordings:
    """Those of this process, by name: one at a time records."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, Recording] = {}

    def begin(self, name: str, address: str, place: str, options: dict[str, Any]) -> Recording:
        with self._lock:
            if name not in self._found:
                self._found[name] = Recording(place, options)
            self._found[name].workers.add(address)
            return self._found[name]

    def stop(self, name: str) -> dict[str, Any] | None:
        with self._lock:
            found = self._found.get(name)
            return found.stop() if found else None

    def leave(self, name: str, address: str) -> None:
        with self._lock:
            found = self._found.get(name)
            if found is None:
                return
            found.workers.discard(address)
            if not found.workers:
                found.leave()
                del self._found[name]


_recordings = _Recordings()


class Recorder(WorkerPlugin):  # type: ignore[misc]  # its types are not read
    """Records each worker that there is, and each that joins later."""

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        """Remember how.

        Args:
            name: of the recording; also the topic of the events by which workers say that they are
                part of it.
            options: fields of `RecordingOptions`.
        """
        self.name = name
        self._options = options

    async def setup(self, worker: Worker) -> None:
        """Begin."""
        # Not in the worker's own directory: its nanny removes that if the worker is killed.
        place = str(Path(worker.local_directory).parent)
        recording = await offload(
            _recordings.begin, self.name, worker.address, place, self._options
        )
        about = {
            "address": worker.address,
            "name": str(worker.name),
            "problem": recording.problem,
            "folder": str(recording.folder or ""),
            "clock": clock_name(),
            "pid": os.getpid(),
        }
        worker.log_event(self.name, about)

    async def teardown(self, worker: Worker) -> None:
        """End, and remove what was collected."""
        await offload(_recordings.leave, self.name, worker.address)


async def stop(name: str) -> dict[str, Any] | None:
    """End the recording of this process; return what there is of it, or None if it has none."""
    report: dict[str, Any] | None = await offload(_recordings.stop, name)
    return report


async def piece(
    files: dict[str, str], offset: int, size: int, dask_worker: Worker | None = None
) -> bytes:
    """Return a piece of a file on this host, compressed by zlib.

    Args:
        files: path of the file, by the address of the worker that is asked for it.
        offset: where the piece begins, in bytes.
        size: of the piece, in bytes; the last one is shorter.
        dask_worker: the worker that this runs in; distributed gives it.
    """
    if dask_worker is None:
        return zlib.compress(b"")
    data: bytes = await offload(read_piece, files[dask_worker.address], offset, size)
    return data


def read_piece(path: str, offset: int, size: int) -> bytes:
    """Return a piece of a file, compressed by zlib."""
    with Path(path).open("rb") as file:
        file.seek(offset)
        return zlib.compress(file.read(size), LEVEL)


def left_behind(folders: Sequence[str]) -> dict[str, list[list[Any]]]:
    """Return which of the folders are here, and the traces in them: of workers that are gone."""
    return {folder: files_in(Path(folder)) for folder in folders if Path(folder).is_dir()}


def discard(folders: Sequence[str]) -> None:
    """Remove folders of workers that are gone."""
    for folder in map(Path, folders):
        if folder.name.startswith(FOLDER):
            shutil.rmtree(folder, ignore_errors=True)
