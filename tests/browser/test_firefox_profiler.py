"""What the Firefox profiler makes of our export: its own code, as its command line has it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import playwright

from consumers import npm_release
from gilscope.export import export_file
from gilscope.export.scene import name_codes, scenes, slice_name
from gilscope.trace.reading.reader import read
from trace_examples import callback_trace, ft_trace, gil_trace, span_trace

if TYPE_CHECKING:
    from gilscope.trace.model import Trace
    from trace_builder import TraceBuilder

NODE = Path(playwright.__file__).parent / "driver" / "node"  # newer than Debian's
PROGRAM = Path(__file__).parent / "firefox_profiler.cjs"
SECONDS = 240


class Loaded(NamedTuple):
    """What the profiler knows of a profile.

    Attributes:
        threads: its threads.
        markers: those of each thread, in the order of the threads.
        stacks: the frames of a marker that has a stack, by its handle.
    """

    threads: list[dict[str, Any]]
    markers: list[list[dict[str, Any]]]
    stacks: dict[str, list[dict[str, Any]]]


def loaded(traces: list[Trace], directory: Path) -> Loaded:
    """What the profiler makes of these traces."""
    release = npm_release("firefox-profiler")
    profile = export_file(traces, "firefox", directory / "profile.json")
    done = subprocess.run(
        [NODE, PROGRAM, release, profile],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    names = [f"t-{number}" for number in range(len(found["threads"]))]
    return Loaded(found["threads"], [found["markers"][name] for name in names], found["stacks"])


def made(builder: TraceBuilder, directory: Path) -> Trace:
    """A trace that was built."""
    return read(builder.write(directory / "built.gilscope"))


def marked(markers: list[dict[str, Any]]) -> list[tuple[str, int, int]]:
    """Label, start and length in ns of markers; the profile begins at 0."""
    return sorted(
        (marker["label"], round(marker["start"] * 1e6), round(marker["duration"] * 1e6))
        for marker in markers
    )


def test_threads_of_both_builds(tmp_path: Path) -> None:
    """Each thread is there with its name and its id, in the process of its build."""
    traces = [made(gil_trace(), tmp_path), made(ft_trace(), tmp_path)]
    found = loaded(traces, tmp_path).threads
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
    found = [marked(markers) for markers in loaded([trace], tmp_path).markers]
    rows, names = trace.intervals, name_codes(trace.intervals)
    for thread, markers in zip(trace.threads, found, strict=True):
        chosen = rows.thread == thread.index
        columns = (names[chosen], rows.start[chosen], rows.duration[chosen])
        wanted = zip(*(column.tolist() for column in columns), strict=True)
        assert markers == sorted((slice_name(trace, code), *times) for code, *times in wanted)


def test_spans_are_markers(tmp_path: Path) -> None:
    """What the program named is there under its name."""
    trace = made(span_trace(), tmp_path)
    found = [
        (marker["label"], round(marker["duration"] * 1e6))
        for markers in loaded([trace], tmp_path).markers
        for marker in markers
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
    stacks = loaded([trace], tmp_path).stacks.values()
    assert wanted
    assert sorted([frame["name"] for frame in stack] for stack in stacks) == sorted(wanted)
