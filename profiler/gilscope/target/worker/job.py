"""Runs one program once, timed with the probe on or off, or watched for races.

The runner starts this in the interpreter of the build that is to be measured. It needs the standard
library and the probe, nothing else, so that nothing but the program can turn the GIL on.

The job and its result are JSON files in a private directory of the runner:

    job      kind, value, args, filename: the target · trace: path or null (probe off)
             recording: fields of RecordingOptions
             races: how it is watched for races, as `watching` takes it; null if it is not
             order: whether it is watched for the order of its locks; optional
             holds: where threads are held until all are there, as `holding` takes it; optional
             carried: names of a notebook, see gilscope.target.worker.carried; or null
             display: where displays of a cell go, as gilscope.target.worker.display takes it
             live: whether output should appear as it is printed
             cpus: numbers of the processors to run on, none for all
             stacks: file for the Python stacks of all threads, written at stack_signal; or null
    result   wall_ns, gil_before, gil_after, gil_by, error, traceback, probe_error
             executor: what went to workers of gilscope.executor that are no threads, or null
             races: what `gilscope.race.Races.as_message` gives, if it was watched for them
             order: what `gilscope.target.order.watch` gives, if it was watched for that
             holds: what `holding` gives, if threads were held
             path, extensions: sys.path and the extension modules, if something turned the GIL on
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import re
import sys
import time
import warnings
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.errors import GilscopeError, ProbeError
from gilscope.target.recording import session
from gilscope.target.recording.options import RecordingOptions
from gilscope.target.worker.carried import receive
from gilscope.target.worker.ending import Outcome, ProgramInterrupted
from gilscope.target.worker.program import Target, run_as_main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GIL_WARNING = re.compile(
    r"The global interpreter lock \(GIL\) has been enabled to load module '(.+?)'"
)


def _recording(fields: dict[str, Any]) -> RecordingOptions:
    """Return how to record; the runner watches for hangs itself."""
    return RecordingOptions(**{**fields, "on_hang": "off"})


class Measurement:
    """Clock, probe and GIL state around the program."""

    def __init__(self, trace: str | None, options: RecordingOptions) -> None:
        """Record into ``trace``, or leave the probe off if it is None."""
        self.trace = trace
        self.options = options
        self.must_record = True
        # Before the program is prepared: what it takes over from a notebook may turn the GIL on.
        self.result: dict[str, Any] = {"gil_by": None, "probe_error": None}
        self.result["gil_before"] = gil_enabled()
        if not self.result["gil_before"]:
            self._watch_for_the_gil()  # by a change of the program's warnings

    @contextlib.contextmanager
    def session(self) -> Iterator[None]:
        """Measure the block; starting and stopping the probe is not part of the time.

        Raises:
            ProbeError: The probe cannot start. That it cannot stop is a result.
        """
        self._start()
        begin = time.perf_counter_ns()
        try:
            yield
        finally:
            self.result["wall_ns"] = time.perf_counter_ns() - begin
            self._stop()
            self.result["gil_after"] = gil_enabled()
            self._list_extensions()
            self.result["executor"] = executor_facts()

    def _start(self) -> None:
        """Start the probe.

        Raises:
            ProbeError: It cannot start, and the run is of no use without it.
        """
        if self.trace is None:
            return
        try:
            session.start(self.trace, self.options)
        except ProbeError:
            if self.must_record:
                raise
            self.trace = None

    def _stop(self) -> None:
        try:
            if self.trace is not None and session.running():
                session.stop()
        except GilscopeError as error:
            self.result["probe_error"] = str(error)

    def _list_extensions(self) -> None:
        """Name the modules that may have turned the GIL on, if something did and is not known."""
        result = self.result
        if result["gil_before"] or not result["gil_after"] or result["gil_by"]:
            return
        result["path"] = [entry for entry in sys.path if isinstance(entry, str)]
        result["extensions"] = list(filter(None, map(extension, list(sys.modules.values()))))

    def _watch_for_the_gil(self) -> None:
        """Take the name of the module that turns the GIL on from the interpreter's own warning."""
        show = warnings.showwarning

        def watch(message: Warning | str, *rest: Any, **more: Any) -> None:
            if found := GIL_WARNING.match(str(message)):
                self.result["gil_by"] = self.result["gil_by"] or found[1]
            show(message, *rest, **more)

        warnings.showwarning = watch
        warnings.filterwarnings("always", "The global interpreter lock", RuntimeWarning)


def extension(module: object) -> tuple[str, str] | None:
    """Return name and file of a module that was loaded from a shared library."""
    try:
        spec = vars(module)["__spec__"]
        if isinstance(spec.loader, ExtensionFileLoader):
            return str(spec.name), str(spec.origin)
    except (TypeError, KeyError, AttributeError):  # programs put anything into sys.modules
        pass
    return None


def executor_facts() -> dict[str, Any] | None:
    """Return what the program sent to workers of `gilscope.executor`; None if to none."""
    executors = sys.modules.get("gilscope.target.executors.executor")
    return None if executors is None else executors.facts()


def gil_enabled() -> bool:
    """Return whether the GIL is on at this moment."""
    return sys._is_gil_enabled()  # noqa: SLF001 - there is no public name for it


@contextlib.contextmanager
def watched(measurement: Measurement, target: Target, options: dict[str, Any]) -> Iterator[None]:
    """Watch the block for races, within its measurement; they are part of the result.

    Raises:
        GilscopeError: They cannot be watched for.
    """
    # Not with the runs that are timed: it loads more than they leave in a program.
    from gilscope.target.races.watch import watching  # noqa: PLC0415

    measurement.must_record = False  # the races are known without it
    packages = [*options.get("packages", ()), *target.packages]
    watch = watching(**{**options, "packages": packages, "is_of_program": True})
    with watch as found, measurement.session():
        yield
    measurement.result["races"] = found.as_message()


@contextlib.contextmanager
def ordered(measurement: Measurement) -> Iterator[None]:
    """Watch the block for the order of locks, which is part of the result."""
    from gilscope.target.order.watch import watching  # noqa: PLC0415 - as for `watched`

    with watching() as recorded, measurement.session():
        yield
    measurement.result["order"] = recorded


@contextlib.contextmanager
def held(measurement: Measurement, places: list[Any]) -> Iterator[None]:
    """Hold threads at places while the block runs; how often is part of the result."""
    from gilscope.target.order.holds import holding  # noqa: PLC0415 - as for `watched`

    with holding(places) as holds:
        measurement.result["holds"] = holds
        yield


def work(job: dict[str, Any], result: Path) -> int:
    """Do the job, write the result, return the program's exit status."""
    carried = receive(job["carried"])
    target = Target(job["kind"], job["value"], tuple(job["args"]), job["filename"], carried)
    if job["live"]:
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    if job["cpus"]:
        os.sched_setaffinity(0, job["cpus"])
    if job["stacks"]:
        _listen_for_requests(job["stacks"], job["stack_signal"])
    finish = _displays(job.get("display")) if carried is not None else None
    measurement = Measurement(job["trace"], _recording(job["recording"]))
    measured = _measured(measurement, target, job)
    try:
        outcome = run_as_main(target, measured)
    except GilscopeError as error:
        measurement.result["probe_error"] = str(error)
        outcome = Outcome(2)
    if finish is not None:
        finish()
    write_result(result, measurement.result, outcome)
    if measurement.trace is not None and not measurement.result["probe_error"]:
        session.watch_ending(measurement.trace)
    return outcome.status


def _displays(place: dict[str, str] | None) -> Callable[[], None]:
    """Let displays of a cell be seen; returns what displays what it leaves."""
    from gilscope.target.worker import display  # noqa: PLC0415 - programs that are no cells: none

    display.install(place)
    return display.finish


def _measured(
    measurement: Measurement, target: Target, job: dict[str, Any]
) -> contextlib.AbstractContextManager[None]:
    """Return what is done around the program."""
    if job["races"] is not None:
        return watched(measurement, target, job["races"])
    if job.get("order"):
        return ordered(measurement)
    if job.get("holds"):
        return held(measurement, job["holds"])
    return measurement.session()


def _listen_for_requests(path: str, number: int) -> None:
    """Let a signal write the stacks of all threads down, whatever they are doing."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    faulthandler.register(number, file=descriptor, all_threads=True)


def write_result(path: Path, numbers: dict[str, Any], outcome: Outcome) -> None:
    """Write the result so that it is there as a whole or not at all."""
    text = json.dumps({**numbers, "error": outcome.error, "traceback": outcome.traceback})
    draft = path.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8", errors="backslashreplace")
    draft.replace(path)


def main() -> None:
    """Take the names of the job file and of the result file from the command line."""
    job, result = map(Path, sys.argv[1:3])
    if not sys.flags.safe_path:
        sys.path.insert(0, "")  # the place of the program's own entry
    try:
        status = work(json.loads(job.read_text(encoding="utf-8")), result.absolute())
    except OSError as error:
        sys.exit(f"gilscope: the result of the run cannot be written: {error}")
    except ProgramInterrupted as interrupted:
        ended = interrupted  # a forked child of the program
    else:
        sys.exit(status)
    ended.end()


if __name__ == "__main__":
    main()
