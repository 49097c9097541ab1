"""What the Firefox profiler makes of our export: its own code, as its command line has it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import playwright

from consumers import npm_release
from gilscope.export import export_file
from gilscope.export.scene import name_codes, scenes, slice_name
from gilscope.trace.reading.reader import read
from trace_examples import callback_trace, ft_trace, gil_trace, span_trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.trace.model import Trace
    from trace_builder import TraceBuilder

NODE = Path(playwright.__file__).parent / "driver" / "node"  # newer than Debian's
SESSION = "test"
SECONDS = 90


class Profiler:
    """The profiler with a profile loaded, which answers questions."""

    def __init__(self, program: Path, profile: Path, directory: Path) -> None:
        self._command = [str(NODE), str(program)]
        self._environment = {
            **os.environ,
            "PROFILER_CLI_SESSION_DIR": str(directory),
            "PROFILER_CLI_NO_SYMBOLICATE": "1",  # which asks a server
        }
        self.process = subprocess.Popen(
            [*self._command, "--daemon", str(profile), "--session", SESSION],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, *words: str) -> Any:
        """The answer to a question, which may have to wait until the profile is loaded."""
        deadline = time.monotonic() + SECONDS
        while True:
            done = subprocess.run(
                [*self._command, *words, "--session", SESSION, "--json"],
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            if not done.returncode:
                return json.loads(done.stdout)
            assert self.process.poll() is None, done.stderr
            assert time.monotonic() < deadline, done.stderr
            time.sleep(0.2)

    def markers(self, thread: str) -> list[dict[str, Any]]:
        """The markers of a thread, with the names of their types."""
        answer = self.ask("thread", "markers", "--thread", thread, "--list", "--limit", "0")
        found: list[dict[str, Any]] = answer["flatMarkers"]
        return found


@contextmanager
def loaded(traces: list[Trace], directory: Path) -> Iterator[Profiler]:
    """The profiler with these traces."""
    program = npm_release("firefox-profiler")
    path = export_file(traces, "firefox", directory / "profile.json")
    profiler = Profiler(program, path, directory / "session")
    try:
        yield profiler
    finally:
        profiler.process.kill()
        profiler.process.wait(SECONDS)


def made(builder: TraceBuilder, directory: Path) -> Trace:
    """A trace that was built."""
    return read(builder.write(directory / "built.gilscope"))


def marked(profiler: Profiler, number: int) -> list[tuple[str, int, int]]:
    """Label, start and length in ns of all markers of a thread; the profile begins at 0."""
    return sorted(
        (marker["label"], round(marker["start"] * 1e6), round(marker["duration"] * 1e6))
        for marker in profiler.markers(f"t-{number}")
    )


def test_threads_of_both_builds(tmp_path: Path) -> None:
    """Each thread is there with its name and its id, in the process of its build."""
    traces = [made(gil_trace(), tmp_path), made(ft_trace(), tmp_path)]
    with loaded(traces, tmp_path) as profiler:
        found = profiler.ask("thread", "list")["threads"]
    told = [(thread["processName"], thread["name"], thread["tid"]) for thread in found]
    wanted = [
        (scene.name, thread.name, scene.tids[thread.index])
        for scene in scenes(traces)
        for thread in scene.trace.threads
    ]
    assert sorted(told) == sorted(wanted)


def test_intervals_are_markers(tmp_path: Path) -> None:
    """With their names and times, to the nanosecond."""
    trace = made(gil_trace(), tmp_path)
    assert trace.intervals.start.min() == 0
    with loaded([trace], tmp_path) as profiler:
        found = [marked(profiler, number) for number in range(len(trace.threads))]
    rows, names = trace.intervals, name_codes(trace.intervals)
    for thread, markers in zip(trace.threads, found, strict=True):
        chosen = rows.thread == thread.index
        columns = (names[chosen], rows.start[chosen], rows.duration[chosen])
        wanted = zip(*(column.tolist() for column in columns), strict=True)
        assert markers == sorted((slice_name(trace, code), *times) for code, *times in wanted)


def test_spans_are_markers(tmp_path: Path) -> None:
    """What the program named is there under its name."""
    trace = made(span_trace(), tmp_path)
    with loaded([trace], tmp_path) as profiler:
        found = [
            (marker["label"], round(marker["duration"] * 1e6))
            for number in range(len(trace.threads))
            for marker in profiler.markers(f"t-{number}")
            if marker["name"] == "Span"
        ]
    spans = trace.spans
    names = [spans.names[number] for number in spans.name.tolist()]
    assert sorted(found) == sorted(zip(names, (spans.end - spans.start).tolist(), strict=True))


def test_waits_have_their_stacks(tmp_path: Path) -> None:
    """The profiler shows where a wait was, the innermost function first."""
    trace = made(callback_trace(), tmp_path)
    waits = trace.intervals.select(trace.intervals.stack != 0)
    wanted = [[frame.name for frame in trace.stacks[stack]] for stack in waits.stack.tolist()]
    with loaded([trace], tmp_path) as profiler:
        markers = [
            marker
            for number in range(len(trace.threads))
            for marker in profiler.markers(f"t-{number}")
            if marker["hasStack"]
        ]
        answers = [profiler.ask("marker", "stack", marker["handle"]) for marker in markers]
    found = [[frame["name"] for frame in answer["stack"]["frames"]] for answer in answers]
    assert wanted
    assert sorted(found) == sorted(wanted)
