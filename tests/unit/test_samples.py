"""Samples of stacks: read from py-spy, kept in the trace, held against what the probe recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from gilscope.analysis.sampled_stacks import of_program, sampled_stacks
from gilscope.analysis.states.state import State
from gilscope.export import export_file
from gilscope.target.hangs.sampling import py_spy
from gilscope.target.hangs.sampling.found import Found, of, payload
from gilscope.target.hangs.trace_file import SAMPLES, add_chunk
from gilscope.target.recording.options import RecordingOptions, sample_rate
from gilscope.trace.model import SampledFrame
from gilscope.trace.reading.reader import read
from gilscope.trace.writing.merge import merge
from gilscope.trace.writing.pack import pack
from gilscope.view.data.sampled_tracks import COLORS, sampled_tracks
from gilscope.view.html.legend import legend
from gilscope.view.html.sampled import sampled as flame_graphs
from trace_builder import START_MONOTONIC
from trace_examples import gil_trace
from view_examples import run_of

if TYPE_CHECKING:
    from pathlib import Path

    from gilscope.trace.model import Samples

PID = 4000
WORKER, MAIN = PID + 2, PID


def begin(thread: int, ts: int, name: str, line: int = 1) -> dict[str, Any]:
    """Return a frame's begin as py-spy writes it."""
    args = {"filename": "/a/app.py", "line": line}
    return {"ph": "B", "tid": thread, "ts": ts, "name": name, "args": args}


def end(thread: int, ts: int) -> dict[str, Any]:
    """Return the end of a thread's innermost frame."""
    return {"ph": "E", "tid": thread, "ts": ts, "name": "", "args": {}}


def named(thread: int, ident: int) -> dict[str, Any]:
    """Return the name that newer versions give a thread: it tells its id."""
    args = {"name": f"{ident}: worker: 1"}
    return {"ph": "M", "tid": thread, "ts": 0, "name": "thread_name", "args": args}


def sampled(path: Path, found: Found, *notes: str) -> Path:
    """Write a trace of three threads, with samples."""
    gil_trace().write(path)
    assert add_chunk(str(path), PID, SAMPLES, payload(found, 100, list(notes)))
    return path


def worked() -> Found:
    """Return samples: the worker works all the time, the main thread is in two functions."""
    found = Found("gilscope", "tid")
    work = found.stack((found.place(("/a/app.py", 5, "work")), found.place(("/a/app.py", 9, "go"))))
    main = found.stack((found.place(("/a/app.py", 20, "main")),))
    found.add(WORKER, START_MONOTONIC - 500, START_MONOTONIC + 86_000, work)
    found.add(MAIN, START_MONOTONIC, START_MONOTONIC + 60_000, main)
    return found


def test_frames_of_py_spy_become_stretches_of_stacks() -> None:
    """A stretch ends where a frame comes or goes; threads are called by what their name tells."""
    found = py_spy.read(
        [
            named(0, 77),
            begin(0, 10, "main"),
            begin(0, 10, "work", 5),
            end(0, 30),
            begin(0, 30, "work", 6),
            end(0, 40),
            end(0, 50),
        ],
        1_000,
    )
    stacks = found.data()["stacks"]
    places = found.data()["places"]
    shown = [
        (thread, start, stop, [places[n][1:] for n in stacks[stack]])  # type: ignore[index]
        for thread, start, stop, stack in found.rows
    ]
    assert shown == [
        (77, 11_000, 31_000, [(5, "work"), (1, "main")]),
        (77, 31_000, 41_000, [(6, "work"), (1, "main")]),
        (77, 41_000, 51_000, [(1, "main")]),
    ]


def test_what_is_sampled_passes_between_processes() -> None:
    """As text, and nonsense is refused."""
    found = worked()
    again = of('\n{"a": 1}'.replace('{"a": 1}', _text(found)))
    assert again.data() == found.data()
    with pytest.raises(ValueError, match=r"."):
        of("{}")


def _text(found: Found) -> str:
    import json  # noqa: PLC0415 - only here

    return json.dumps(found.data())


def test_the_trace_has_the_samples(tmp_path: Path) -> None:
    """Of its threads, while they live; packed, too."""
    path = sampled(tmp_path / "t.gilscope", worked(), "a note")
    pack(path, tmp_path / "p.gilscope")
    for one in (path, tmp_path / "p.gilscope"):
        samples = read(one).samples
        assert (samples.rate, samples.by, samples.notes) == (100, "gilscope", ("a note",))
        assert samples.thread.tolist() == [1, 2]
        assert samples.start.tolist() == [0, 1_000]
        assert samples.end.tolist() == [60_000, 86_000]
        assert samples.stacks[samples.stack[1]][0].name == "work"


def rows(samples: Samples) -> list[tuple[int, ...]]:
    """Return thread, start, end and stack of each stretch."""
    columns = (samples.thread, samples.start, samples.end, samples.stack)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_merged_traces_keep_their_samples(tmp_path: Path) -> None:
    """Each thread its own, at its own time, also where two processes' threads have the same ids."""
    first = sampled(tmp_path / "a.gilscope", worked(), "a note")
    second = sampled(tmp_path / "b.gilscope", worked())
    gil_trace().write(tmp_path / "c.gilscope")
    merge([first, second, tmp_path / "c.gilscope"], tmp_path / "m.gilscope")
    trace, alone = read(tmp_path / "m.gilscope"), read(first).samples
    found = [
        (trace.thread_name(thread), start, end, [f.name for f in trace.samples.stacks[stack]])
        for thread, start, end, stack in rows(trace.samples)
    ]
    names = {thread.index: thread.name for thread in read(first).threads}
    expected = [
        (f"{names[thread]} ({PID})", start, end, [f.name for f in alone.stacks[stack]])
        for thread, start, end, stack in rows(alone)
    ]
    assert sorted(found) == sorted(2 * expected)
    assert len(set(trace.samples.thread.tolist())) == 2 * len(set(alone.thread.tolist()))
    assert trace.samples.notes == (f"{PID}: a note", "1 of the 3 processes were not sampled")
    assert (trace.samples.rate, trace.samples.by) == (alone.rate, alone.by)


@pytest.mark.parametrize("cut", [0, 4, 8, 40, 200])
def test_damaged_samples_are_left_out(tmp_path: Path, cut: int) -> None:
    """Whatever is cut off."""
    path = tmp_path / "t.gilscope"
    gil_trace().write(path)
    assert add_chunk(str(path), PID, SAMPLES, payload(worked(), 100, [])[:cut])
    assert len(read(path).samples) == 0


def test_stacks_by_state(tmp_path: Path) -> None:
    """Work with the GIL while others waited is separate from the rest."""
    stacks = sampled_stacks(read(sampled(tmp_path / "t.gilscope", worked())))
    of_worker = {
        (one.state, one.others_wait): one.total_ns for one in stacks if one.frames[0].name == "work"
    }
    # It had the GIL from 10.5 to 30 µs, while the main thread waited for it.
    assert of_worker[State.HOLDING_GIL, True] == 19_500
    assert (State.HOLDING_GIL, False) not in of_worker
    assert of_worker[State.WAITING_GIL, False] == 6_500
    assert sum(of_worker.values()) == 85_000


def test_a_flame_graph_by_state(tmp_path: Path) -> None:
    """The states stand above the stacks; a line names what is missing."""
    trace = read(sampled(tmp_path / "t.gilscope", worked(), "py-spy is not installed"))
    export_file([trace], "sampled", tmp_path / "f.svg")
    text = "".join(ET.parse(tmp_path / "f.svg").getroot().itertext())  # noqa: S314 - ours
    assert "holds the GIL while others wait" in text
    assert "work (app.py:5)" in text
    assert "py-spy is not installed" in text


def test_tracks_of_the_view(tmp_path: Path) -> None:
    """A column a stretch, on the lane of its thread; the stacks in words, coloured by function."""
    trace = read(sampled(tmp_path / "t.gilscope", worked()))
    columns, stacks = sampled_tracks(trace, {1: 0, 2: 1, 3: 2})
    assert columns["sm_lane"].tolist() == [0, 1]
    assert columns["sm_start"].tolist() == [0, 1_000]
    (words, color), (other, _) = (stacks[number] for number in (columns["sm_label"][1], 1))
    assert words == ["work (app.py:5)", "go (app.py:9)"]
    assert color in COLORS
    assert other == ["main (app.py:20)"]


def test_the_report_has_the_tracks_and_what_is_missing(tmp_path: Path) -> None:
    """Its legend says who took the samples."""
    trace = read(sampled(tmp_path / "t.gilscope", worked(), "py-spy is <missing>"))
    html = legend([trace])
    assert "sampled 100 times a second by gilscope; py-spy is &lt;missing&gt;" in html
    assert "sampled" not in legend([read(gil_trace().write(tmp_path / "n.gilscope"))])


def test_the_view_has_the_flame_graph(tmp_path: Path) -> None:
    """One a build that was sampled, as markup that styles nothing else; none without samples."""
    trace = read(sampled(tmp_path / "t.gilscope", worked(), "py-spy is <missing>"))
    bare = read(gil_trace().write(tmp_path / "n.gilscope"))
    html = flame_graphs([run_of("gil", trace), run_of("ft", bare)])
    assert html.count("<svg ") == html.count("What threads did, by state: ") == 1
    assert "py-spy is &lt;missing&gt;" in html
    assert "work (app.py:5)" in html
    style = html[html.index("<style>") + 7 : html.index("</style>")]
    assert all(rule.startswith(".flame ") for rule in style.split("}") if rule)
    assert not flame_graphs([run_of("gil", bare)])


def test_a_flame_graph_of_no_samples_says_so(tmp_path: Path) -> None:
    """And what to do."""
    trace = read(gil_trace().write(tmp_path / "t.gilscope"))
    export_file([trace], "sampled", tmp_path / "f.svg")
    assert "record with --sample RATE" in (tmp_path / "f.svg").read_text()


def test_frames_that_run_the_program_are_left_out() -> None:
    """Also those of a job, which begins as `python -c`; a program that is one keeps its own."""
    command = SampledFrame("<string>", 1, "<module>")
    runner = SampledFrame("/x/site-packages/gilscope/target/worker/job.py", 9, "main")
    module = SampledFrame("<frozen runpy>", 9, "_run_module_as_main")
    own = SampledFrame("/a/app.py", 5, "work")
    assert of_program((own, runner, command)) == (own,)
    assert of_program((own, command, runner, module)) == (own, command)
    assert of_program((own, command)) == (own, command)


@pytest.mark.parametrize("text", ["0", "-1", "1001", "ten", "1.5", ""])
def test_a_rate_out_of_range_is_refused(text: str) -> None:
    """In one line."""
    with pytest.raises(ValueError, match="is not a number of samples a second, 1 to 1000"):
        sample_rate(text)


def test_samples_are_an_option_of_the_recording() -> None:
    """Off unless asked for."""
    assert RecordingOptions().sample == 0
    assert sample_rate("100") == 100
