"""A recording of a cluster, as its client sees it: begins it, ends it, makes one trace of all."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import uuid
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed import Client

import gilscope
from gilscope.dask import worker as on_worker
from gilscope.dask.clocks import HostClock, Reading, read_clock
from gilscope.dask.collecting import Collected, Member, collect
from gilscope.dask.departed import Departed, Seen, seen_by
from gilscope.dask.departed import find as departed_workers
from gilscope.errors import GilscopeError, UsageError
from gilscope.target.recording.options import RecordingOptions
from gilscope.target.recording.overwrite import check_overwrite

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(slots=True)
class Recorded:
    """What has become of a recording; filled when the block ends.

    Attributes:
        path: the trace.
        workers: names of the workers that are in it.
        problems: what is missing, in lines; the trace has them, too.
        clock_error_ns: how far the times of workers on other hosts may be off, ns; of those on this
            one nothing is.
    """

    path: Path
    workers: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    clock_error_ns: dict[str, int] = field(default_factory=dict)


@contextmanager
def recording(client: Client, path: str | os.PathLike[str], **options: Any) -> Iterator[Recorded]:
    """See `gilscope.dask.profile`."""
    if not isinstance(client, Client) or client.asynchronous:
        raise UsageError("gilscope.dask.profile needs a distributed.Client, no asynchronous one")
    how = RecordingOptions().replaced(**options)
    if how.when:
        raise UsageError(
            "gilscope.dask.profile does not take when, which writes snapshots on the workers: "
            "leave it out; with ring=True the trace has the latest events of each worker"
        )
    target = Path(path).absolute()
    check_overwrite(target)
    if not os.access(target.parent, os.W_OK):
        why = "may not be written to" if target.parent.is_dir() else "does not exist"
        raise UsageError(f"cannot write {target}: the folder {target.parent} {why}")
    cluster = _Cluster(client, how, Recorded(target))
    cluster.begin()
    try:
        yield cluster.found
    finally:
        failed = sys.exc_info()[1] is not None
        try:
            cluster.end()
        except GilscopeError as error:
            if not failed:
                raise
            # What the program raised is what matters.
            warnings.warn(f"{target}: {error}", RuntimeWarning, stacklevel=3)


class _Cluster:
    """The cluster of a client while it is recorded.

    Attributes:
        found: what has become of it.
    """

    def __init__(self, client: Client, options: RecordingOptions, found: Recorded) -> None:
        self._client = client
        self._options = options
        self._name = f"gilscope-{uuid.uuid4().hex}"
        self._readings: dict[str, list[Reading]] = {}
        self._registered = False
        self._departed: list[Departed] = []
        self.found = found

    def begin(self) -> None:
        """Let every worker record itself.

        Raises:
            GilscopeError: None of them can.
        """
        plugin = on_worker.Recorder(self._name, self._options.as_dict())
        self._registered = True
        try:
            self._client.register_plugin(plugin)
        except ModuleNotFoundError as error:
            self._remove()
            raise GilscopeError(
                f"cannot record the workers ({error}): install gilscope where they run"
            ) from None
        seen = seen_by(self._client, self._name)
        refused = [f"worker {one.name}: {one.problem}" for one in seen if one.problem]
        if seen and len(refused) == len(seen):
            self._remove()
            raise GilscopeError(f"cannot record the workers: {refused[0]}")
        self._read_clocks(self._run(on_worker.clock_name))

    def end(self) -> None:
        """Collect the traces and merge them.

        Raises:
            GilscopeError: There is none, or the trace cannot be written.
        """
        reports = self._run(on_worker.stop, self._name)
        seen = seen_by(self._client, self._name)
        self._read_clocks({address: report["clock"] for address, report in reports.items()})
        path = self.found.path
        try:
            # Beside the trace: there is room for it there.
            place = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        except OSError as error:
            self._remove()
            raise UsageError(f"cannot write {path}: {error.strerror}") from None
        try:
            members = self._members(seen, reports)
            found = collect(self._run, members, place)
            for number, one in enumerate(self._departed):
                found += one.collect(self._run, place / str(number))
                members.append(one.member)
            self._remove()
            self._merge(found, members)
        finally:
            self._remove()
            shutil.rmtree(place, ignore_errors=True)

    def _members(self, seen: Sequence[Seen], reports: Mapping[str, dict[str, Any]]) -> list[Member]:
        """Return the processes that can be collected; what is missing is noted."""
        # A worker may have taken the address of one that is gone.
        there = {one for one in seen if reports.get(one.address, {}).get("folder") == one.folder}
        by_folder: dict[str, Member] = {}
        for one in seen:
            report = reports.get(one.address)
            if one not in there or report is None:
                continue
            if not report["files"]:
                why = report["problem"] or one.problem
                self.found.problems.append(f"worker {one.name} was not recorded: {why}")
            elif one.folder in by_folder:
                by_folder[one.folder].names.append(one.name)
            else:
                files = [(file, size) for file, size in report["files"]]
                member = Member(one.address, report["clock"], [one.name], one.folder, files)
                member.problems += [report["problem"]] * bool(report["problem"])
                by_folder[one.folder] = member
        gone = [one for one in seen if one not in there and one.folder not in by_folder]
        departed = departed_workers(gone, self._run)
        self._departed = list(departed.values())
        for one in seen:
            if one not in there:
                kept = one.folder in departed or one.folder in by_folder
                what = "its trace ends there" if kept else "it is not in the trace"
                self.found.problems.append(
                    f"worker {one.name} ({one.address}) was gone before the recording ended: {what}"
                )
        return list(by_folder.values())

    def _merge(self, found: Sequence[Collected], members: Sequence[Member]) -> None:
        with gilscope.reader_side():
            from gilscope.dask.joining import on_this_clock, sent_functions  # noqa: PLC0415 - numpy is loaded on demand
            from gilscope.trace.writing.merge import merge  # noqa: PLC0415 - see above
        clocks = {name: HostClock(readings) for name, readings in self._readings.items()}
        own, problems = on_worker.clock_name(), self.found.problems
        for member in members:
            clock = clocks.get(member.clock)
            if clock is not None:
                self.found.clock_error_ns[member.who] = clock.error_ns
                member.problems.append(clock.remark())
            elif member.clock != own:
                member.problems.append("its clock could not be compared: its times are its own")
            problems += [f"{member.who}: {problem}" for problem in member.problems]
        if not found:
            raise GilscopeError("; ".join(["no worker was recorded", *problems]))
        for one in found:
            if one.member.clock in clocks:
                on_this_clock(one.path, clocks[one.member.clock])
        names = [one.process for one in found]
        paths = [one.path for one in found]
        merge(
            paths,
            self.found.path,
            names=names,
            force=True,
            remarks=problems,
            functions=sent_functions(),
        )
        self.found.workers += [name for member in members for name in member.names]

    def _read_clocks(self, clocks: Mapping[str, str]) -> None:
        """Compare the clocks of hosts other than this one: one worker of each is asked.

        Args:
            clocks: address → name of its clock.
        """
        own = on_worker.clock_name()
        for name, address in {clock: address for address, clock in clocks.items()}.items():
            if name == own:
                continue
            reading = read_clock(partial(self._ask, address))
            if reading is not None:
                self._readings.setdefault(name, []).append(reading)

    def _ask(self, address: str) -> int | None:
        """Return CLOCK_MONOTONIC of a worker's host, ns."""
        answer: int | None = self._run(on_worker.clock, workers=[address]).get(address)
        return answer

    def _run(self, function: Any, *args: Any, workers: list[str] | None = None) -> dict[str, Any]:
        """Run a function on workers; return the results, by address, of those that gave one."""
        answers = self._client.run(function, *args, workers=workers, on_error="return")
        return {
            address: one
            for address, one in answers.items()
            if one is not None and not isinstance(one, BaseException)
        }

    def _remove(self) -> None:
        """End what workers still do, and what they keep."""
        if self._registered:
            self._registered = False
            self._client.unregister_worker_plugin(self._name)
        for one in self._departed:
            one.discard(self._run)
        self._departed = []
