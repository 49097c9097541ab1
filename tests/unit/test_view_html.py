"""Verdict, tables, static picture and report as text: what they say, and that they are safe."""

from __future__ import annotations

import base64
import json
import re
import zlib
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import traitlets

from gilscope.analysis.findings import Finding, Jump
from gilscope.analysis.waits.contention import LockTotals
from gilscope.errors import ExportError, GilscopeError
from gilscope.results.lock_groups import grouped
from gilscope.results.model import ComparisonData, Run
from gilscope.severity import Severity
from gilscope.text import seconds_text, shortened, time_text
from gilscope.trace.model import Lock
from gilscope.trace.reading.reader import read
from gilscope.view.data import palette, processor, viewport
from gilscope.view.data.columns import columns_of
from gilscope.view.data.findings import findings_of
from gilscope.view.data.payload import pack
from gilscope.view.data.processor import strip
from gilscope.view.data.words import nothing, titles
from gilscope.view.html.markup import text
from gilscope.view.html.picture import BAND, LANE, image, svg
from gilscope.view.html.report import write_report
from gilscope.view.html.tables import tables
from gilscope.view.html.verdict import banners, verdict
from gilscope.view.notebook.widget import TimelineWidget, static_html
from trace_builder import TraceBuilder
from trace_examples import ft_trace, gil_trace
from view_examples import comparison, gil_run, pool_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gilscope.trace.model import Trace

EVIL = "</script><script>alert(1)</script>"


def run_of(trace: Trace, **changes: Any) -> Run:
    """Return a run that left ``trace``."""
    gil = not trace.free_threaded
    run = Run(
        build=trace.build,
        python=trace.python,
        executable="/usr/bin/python",
        free_threaded=trace.free_threaded,
        gil_enabled_before=gil,
        gil_enabled_after=gil,
        gil_enabled_by=None,
        wall_s=(0.4, 0.42, 0.41) if gil else (0.2, 0.21, 0.2),
        probed_wall_s=(0.43,),
        trace_path=trace.path,
        trace=trace,
        status=0,
    )
    return replace(run, **changes)


def comparison_of(
    traces: list[Trace], notices: tuple[str, ...] = (), **changes: Any
) -> ComparisonData:
    """Return a comparison whose runs left these traces; ``changes`` go into the last run."""
    runs = [run_of(trace) for trace in traces]
    runs[-1] = replace(runs[-1], **changes)
    return ComparisonData("run.py", ("run.py",), tuple(runs), notices)


@pytest.fixture
def traces(tmp_path: Path) -> list[Trace]:
    """Return a trace of each build."""
    files = {"gil": gil_trace(), "ft": ft_trace()}
    return [read(made.write(tmp_path / f"{name}.gilscope")) for name, made in files.items()]


def unpacked(data: bytes) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """Undo `payload.pack` as the page does."""
    plain = zlib.decompress(data)
    size = int.from_bytes(plain[:4], "little")
    head, at, columns = json.loads(plain[4 : 4 + size]), 4 + size, {}
    for name, (rows, width, steps) in head["columns"].items():
        planes = [plain[at + k * rows : at + (k + 1) * rows] for k in range(width)]
        folded = [int.from_bytes(bytes(digits), "little") for digits in zip(*planes, strict=True)]
        values = [-(one + 1) // 2 if one % 2 else one // 2 for one in folded]
        columns[name] = list(accumulate(values)) if steps else values
        at += rows * width
    return head, columns


def evil_trace(tmp_path: Path) -> Trace:
    """Return a trace in which names try to be markup."""
    builder = TraceBuilder()
    main = builder.thread("MainThread", main=True)
    other = builder.thread(EVIL)
    lock = builder.lock("object", type=EVIL, object=0x1000, address=0x100A)
    builder.wait(main, lock, 100, 900, peer=other)
    return read(builder.write(tmp_path / "evil.gilscope"))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0"),
        (1.236, "1.24 s"),
        (0.412, "412 ms"),
        (0.0999, "99.9 ms"),
        (8.154e-6, "8.15 µs"),
        (633e-9, "633 ns"),
        (123.4, "123 s"),
    ],
)
def test_times_have_three_digits(seconds: float, text: str) -> None:
    """A time is shown with the unit that suits it."""
    assert seconds_text(seconds) == text


def test_the_verdict_says_how_much_faster_it_is(traces: list[Trace]) -> None:
    """The outcome in words is on top; median wall times and their spread follow."""
    html = verdict(comparison_of(traces))
    assert "410 ms" in html
    assert "median of 3 runs, 400 ms to 420 ms, timed without recording" in html
    assert html.startswith('<div class="outcome good">')
    assert "Faster without the GIL: " in html
    assert html.index("2.1 × faster") < html.index("median of 3 runs")


def test_only_a_difference_that_is_shown_has_large_numbers(traces: list[Trace]) -> None:
    """One run of each build shows none: the numbers of the cards do not claim one."""
    assert 'class="cards good"' in verdict(comparison_of(traces))
    assert 'class="cards open"' in verdict(comparison_of(traces, wall_s=(1.0,)))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"wall_s": ()}, "Not compared: no complete run under both builds"),
        ({"wall_s": (), "error": "it failed"}, "the program failed under the free-threaded build"),
        ({"gil_enabled_after": True}, "the GIL was turned on"),
    ],
)
def test_a_card_is_never_empty(traces: list[Trace], facts: dict[str, Any], words: str) -> None:
    """It has what there is; the headline says what there is not, and names no speed-up."""
    html = verdict(comparison_of(traces, **facts))
    assert html.startswith('<div class="outcome open">')
    assert words in html
    assert not re.search(r'class="number">(–|)</div>', html)
    assert "Speed-up" not in html


def test_the_card_of_a_failed_run_has_no_time_in_large(traces: list[Trace]) -> None:
    """It says that the run failed, and after how long: the same time as the line on top."""
    html = verdict(comparison_of(traces, wall_s=(), error="it failed"))
    after = time_text(traces[-1].duration_ns)
    assert '<div class="number">failed</div>' in html
    assert f"after {after}, recorded" in html
    assert f"free-threaded build: failed after {after}" in html


def test_a_card_has_no_number_of_what_a_build_has_not(traces: list[Trace]) -> None:
    """Without a GIL no thread waits for it: no share of it is told."""
    gil, ft = verdict(comparison_of(traces)).split('class="card"')[1:]
    assert "of all threads’ time went into waiting for the GIL" in gil
    assert "waiting for the GIL" not in ft.split('class="legend"')[0]


def test_no_parallelism_is_told_of_a_run_too_short_for_two_samples(tmp_path: Path) -> None:
    """One sample of a thread says nothing of what it did."""
    builder = gil_trace()
    builder.cpu_times((1, 0, 70_000, 0))
    trace = read(builder.write(tmp_path / "t.gilscope"))
    assert len(trace.cpu_times)
    assert "parallelism" not in verdict(comparison_of([trace]))


def test_parallelism_is_told_of_how_many_processors(tmp_path: Path) -> None:
    """1.5 is much of two and little of eight."""
    builder = gil_trace()
    builder.cpu_times((1, 0, 0, 0), (1, 90_000, 90_000, 0))
    trace = replace(read(builder.write(tmp_path / "t.gilscope")), processors=2)
    assert re.search(r"parallelism [\d.]+ of 2 processors<", verdict(comparison_of([trace])))


def test_an_invalid_run_is_marked_wherever_it_is_shown(tmp_path: Path) -> None:
    """On its card, at its tables and above its timeline."""
    builder = TraceBuilder(free_threaded=True, gil_enabled=False)
    builder.thread("MainThread", main=True)
    trace = read(builder.write(tmp_path / "ft.gilscope", duration=1000))
    object.__setattr__(trace, "gil_enabled_end", True)
    section = comparison_of([trace], gil_enabled_after=True)
    assert "invalid: see above" in verdict(section)
    assert "Free-threaded build (invalid)" in tables(section)
    assert "invalid: the GIL was turned on" in svg(section.traces())


def test_the_legend_names_each_state_once(traces: list[Trace]) -> None:
    """One legend serves both timelines."""
    assert verdict(comparison_of(traces)).count("waiting for the GIL</span>") == 1


def test_a_gil_that_was_turned_on_raises_the_alarm(traces: list[Trace]) -> None:
    """A free-threaded run with the GIL on is called invalid, with the module's name."""
    section = comparison_of(traces, gil_enabled_after=True, gil_enabled_by="old_ext")
    level, text = next(banners(section))
    assert level == "alarm"
    assert "old_ext" in text


def test_the_alarm_is_raised_once(traces: list[Trace]) -> None:
    """What the comparison has noticed already is not said a second time."""
    facts = {"gil_enabled_after": True, "gil_enabled_by": "old_ext"}
    notice = f"free-threaded build: {comparison_of(traces, **facts).runs[-1].invalid}"
    section = comparison_of(traces, (notice,), **facts)
    assert [text for _, text in banners(section) if "turned on" in text] == [notice]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dropped_events": 1234}, "1,234 events did not fit"),
        ({"ended_early": True}, "ended early"),
        ({"problems": ("two chunks are damaged",)}, "two chunks are damaged"),
        ({"not_measured": {"spin": "too short"}}, "spin (too short)"),
    ],
)
def test_a_banner_says_what_is_doubtful(
    traces: list[Trace], change: dict[str, Any], words: str
) -> None:
    """Reasons to doubt the numbers stand above them."""
    trace = traces[1]
    if "problems" in change:
        trace = trace.with_events(replace(trace.events, **change))
    else:
        trace = replace(trace, **change)
    texts = [text for _, text in banners(comparison_of([traces[0], trace]))]
    assert any(words in text for text in texts)


def test_a_banner_says_that_a_program_failed(traces: list[Trace]) -> None:
    """With its error."""
    texts = [text for _, text in banners(comparison_of(traces, error="ended by SIGSEGV"))]
    assert "Free-threaded build: the program failed: ended by SIGSEGV" in texts


def test_tables_show_threads_and_contended_locks(traces: list[Trace]) -> None:
    """Threads of both builds and the lock that threads contended for are in the tables."""
    html = tables(comparison_of(traces))
    for name in ("MainThread", "pool", "Arbeiter ü", "dict at 0x7f0000002000"):
        assert name in html


def lock_totals_of(name: str, kind: str, wait_ns: int, max_ns: int) -> LockTotals:
    """Return the totals of a lock: two waits and a spin of 1 ms."""
    return LockTotals(Lock(1, kind, "", name, 0, 0), 2, wait_ns, max_ns, 1, 1_000_000)


def test_locks_of_one_name_are_one_row() -> None:
    """Their numbers are added up; of events the address tells nothing."""
    pool = [lock_totals_of("lock `pool`", "lock", 2_000_000, n * 1_000_000) for n in range(3)]
    other = lock_totals_of("dict at 0x7f00", "object", 500_000_000, 400_000_000)
    events = [lock_totals_of(f"event at {place:#x}", "event", 1_000, 1_000) for place in (1, 2)]
    rows = grouped([*pool, other, *events])
    assert [(row.name, row.locks) for row in rows] == [
        ("dict at 0x7f00", 1), ("lock `pool`", 3), ("event", 2)
    ]  # fmt: skip
    assert (rows[1].waits, rows[1].spins) == (6, 3)
    assert (rows[1].wait_ns, rows[1].max_ns) == (6_000_000, 2_000_000)


def test_the_row_of_a_group_says_how_many_there_are(tmp_path: Path) -> None:
    """Three locks of a pool."""
    trace = read(pool_run().write(tmp_path / "pool.gilscope"))
    assert "3 of that name" in tables(comparison_of([trace]))


def test_a_run_without_a_trace_is_shown_as_such(traces: list[Trace]) -> None:
    """A missing trace leaves a sentence, not a hole."""
    comparison = comparison_of(traces, trace=None, trace_path=None, wall_s=())
    assert "There is no trace of this run." in static_html(comparison)


def test_the_picture_is_well_formed_and_names_all_threads(traces: list[Trace]) -> None:
    """The static picture is valid XML with a label a lane and a title a build."""
    root = ET.fromstring(svg([(trace.build, trace) for trace in traces]))  # noqa: S314
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for name in ("MainThread", "worker", "pool", 'worker "1"', "Arbeiter ü"):
        assert name in texts
    assert any("Free-threaded build" in (text or "") for text in texts)


def pixels_of(picture: str) -> np.ndarray:
    """Return the pixels of a picture's one image, u8[h, w], and see that they are all there."""
    [found] = re.findall(r"data:image/png;base64,([^\"]+)", picture)
    data = base64.b64decode(found)
    width, height = (int.from_bytes(data[at : at + 4]) for at in (16, 20))
    start = data.index(b"IDAT")
    length = int.from_bytes(data[start - 4 : start])
    pixels = np.frombuffer(zlib.decompress(data[start + 4 : start + 4 + length]), np.uint8)
    return pixels.reshape(height, width + 1)[:, 1:]


def test_the_picture_holds_a_valid_image(traces: list[Trace]) -> None:
    """The lanes of a trace are one PNG, each with a band of its own, and nothing in between."""
    pixels = pixels_of(svg([("gil", traces[0])]))
    lanes = len(traces[0].threads)
    bands = [pixels[row * LANE + 3 : row * LANE + 3 + BAND] for row in range(lanes)]
    assert all(band.all() for band in bands)
    assert not any(pixels[row * LANE : row * LANE + 1].any() for row in range(lanes))


def test_names_cannot_become_markup(tmp_path: Path) -> None:
    """Names of threads and types from a program are text wherever they appear."""
    trace = evil_trace(tmp_path)
    section = comparison_of([trace])
    assert "<script>alert" not in static_html(section)
    ET.fromstring(svg([("gil", trace)]))  # noqa: S314 - it is our own
    write_report([section], tmp_path / "r.html", EVIL)
    assert "<script>alert" not in (tmp_path / "r.html").read_text()


def test_a_report_holds_all_sections_in_one_offline_file(
    tmp_path: Path, traces: list[Trace]
) -> None:
    """No script, style or picture of the report comes from elsewhere; no other file is left."""
    path = tmp_path / "out" / "report.html"
    path.parent.mkdir()
    write_report([comparison_of(traces), comparison_of(traces)], path)
    html = path.read_text()
    assert html.count('<section class="gilscope"') == 2
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=\"(?!data:)", html)
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_a_report_of_a_comparison_without_traces_says_so(tmp_path: Path) -> None:
    """Nothing to draw is a sentence in the report."""
    write_report([ComparisonData("x", (), (), ("no trace",))], tmp_path / "r.html")
    assert "left a trace" in (tmp_path / "r.html").read_text()


def test_a_report_that_cannot_be_written_is_one_line(tmp_path: Path, traces: list[Trace]) -> None:
    """A directory that is not there is an error of ours that names the path."""
    with pytest.raises(ExportError, match=r"cannot write .*missing"):
        write_report([comparison_of(traces)], tmp_path / "missing" / "r.html")


def test_the_image_has_words_for_who_cannot_see_it(traces: list[Trace]) -> None:
    """The alternative text names builds and durations."""
    html = image([(trace.build, trace) for trace in traces])
    assert 'alt="Timelines of the threads: GIL build – CPython 3.13.5' in html


def test_the_widget_sends_bokeh_and_the_view_when_asked(
    traces: list[Trace], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing heavy is in the widget's state; it answers the page's three questions."""
    sent: list[tuple[dict[str, Any], list[bytes]]] = []
    widget = TimelineWidget(comparison_of(traces))
    monkeypatch.setattr(widget, "send", lambda message, buffers: sent.append((message, buffers)))
    widget._answer(None, {"kind": "bokeh", "number": 1}, [])
    widget._answer(None, {"kind": "view", "number": 2}, [])
    widget._answer(None, {"kind": "scripts", "number": 3}, [])
    (bokeh, [script]), (view, [figures, data]), (_, [module]) = sent
    assert (bokeh["kind"], bokeh["number"]) == ("bokeh", 1)
    assert len(script) > 100_000
    assert view["replaces"] == widget.static_class
    assert b"timeline-1" in figures
    assert b"show_reports" in module
    assert unpacked(data)[0]["timelines"][1]["build"] == "Free-threaded build"
    assert len(str(widget.get_state())) < 20_000


@pytest.fixture
def answers(traces: list[Trace], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that asks a widget and returns message and buffers of its answer."""
    widget = TimelineWidget(comparison_of(traces))
    sent: list[tuple[dict[str, Any], list[bytes]]] = []
    monkeypatch.setattr(widget, "send", lambda message, buffers: sent.append((message, buffers)))

    def ask(kind: str, **message: Any) -> tuple[dict[str, Any], list[bytes]]:
        widget._answer(None, {"kind": kind, "number": 7, **message}, [])
        return sent.pop()

    return ask


def test_the_widget_answers_with_exact_segments(answers: Callable[..., Any]) -> None:
    """A stretch with few intervals comes as segments that name their rows of the trace."""
    _, [data] = answers("range", ranges=[[0, 10_000, 70_000]], width=800)
    head, columns = unpacked(data)
    [part] = head["parts"]
    assert part["offsets"][0] == 0
    assert len(columns["0.start"]) == part["offsets"][-1]
    assert max(columns["0.ref"]) >= 0


def test_the_widget_answers_with_a_raster_where_there_is_much(
    answers: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stretch with many intervals comes as one image a lane."""
    monkeypatch.setattr(viewport, "MAX_BOXES", 1)
    _, [data] = answers("range", ranges=[[0, 10_000, 70_000]], width=80)
    head, columns = unpacked(data)
    [part] = head["parts"]
    assert len(columns["0.pixels"]) == len(part["lanes"]) * part["rows"] * 80
    assert set(columns["0.pixels"]) > {0}


def test_an_exception_in_the_widget_is_told_the_page(answers: Callable[..., Any]) -> None:
    """What goes wrong in the kernel is an answer, too, with the number of the question."""
    answer, buffers = answers("detail", timeline=99, row=0)
    assert (answer["kind"], answer["number"], buffers) == ("error", 7, [])
    assert "IndexError" in answer["text"]


def test_findings_reach_the_page(traces: list[Trace]) -> None:
    """They come with what to look at to the nanosecond, the gravest first."""
    made = [
        Finding(
            name=f"{severity}-one",
            title="Callbacks are serialised",
            severity=severity,
            evidence=("3 of 4 threads wait",),
            advice="batch them",
            intervals=(Jump(2, 10_001, 20_000, "a wait"),),
            suspected=severity is Severity.LOW,
        )
        for severity in (Severity.LOW, Severity.HIGH)
    ]
    comparison = comparison_of(traces)
    comparison.__dict__["findings"] = tuple(("gil", one) for one in made)
    first, second = findings_of(comparison, {"gil": {2: 1}})
    assert (first["name"], second["label"]) == ("high-one", "low, suspected")
    assert first["places"] == [[10_001, 20_000, "a wait", 1]]


def test_an_empty_trace_says_why(tmp_path: Path) -> None:
    """A trace without events gives an empty timeline with the reason."""
    trace = read(TraceBuilder().write(tmp_path / "t.gilscope"))
    assert "no thread took the GIL" in nothing(trace)
    write_report([comparison_of([trace])], tmp_path / "r.html")
    assert "no thread took the GIL" in (tmp_path / "r.html").read_text()


def test_columns_survive_packing() -> None:
    """Times, small codes, negative numbers and large steps come back as they were."""
    columns = {
        "times": np.array([0, 5, 2**52, 17, 3], np.int64),
        "codes": np.array([-1, 300, 0], np.int32),
        "none": np.zeros(0, np.int64),
        "state": np.array([0, 255, 3], np.uint8),
    }
    head, back = unpacked(pack({"title": "ü"}, columns))
    assert head["title"] == "ü"
    assert back == {name: column.tolist() for name, column in columns.items()}


def test_a_static_view_stays_small_whatever_happened(tmp_path: Path) -> None:
    """Forty busy lanes cost less than a saved notebook may take."""
    builder = TraceBuilder()
    chance = np.random.default_rng(5)
    threads = [builder.thread(f"worker {n}", main=n == 0) for n in range(60)]
    for thread in threads:
        for start in range(0, 100_000, 1_000):
            builder.hold(thread, start, start + int(chance.integers(1, 900)))
    trace = read(builder.write(tmp_path / "t.gilscope"))
    assert len(static_html(comparison_of([trace]))) < 100_000


def pictures(html: str) -> list[str]:
    """Return the SVG documents that HTML carries."""
    return [unquote(one) for one in re.findall(r'"data:image/svg\+xml,([^"]+)"', html)]


def times_of(picture: str) -> list[float]:
    """Return what its axes say, ms."""
    return [float(time) for time in re.findall(r">([\d.]+)(?: ms)?</text>", picture)]


def test_a_static_view_zooms_at_what_is_worst(tmp_path: Path) -> None:
    """Two pictures around what the first finding points to, a tenth and a hundredth of the run."""
    made = comparison(tmp_path, "long", 20_000, 20)
    longest = max(trace.duration_ns for _, trace in made.traces()) / 1e6
    worst = Jump(1, int(longest * 3e5), int(longest * 3e5) + 1_000)
    one = Finding("hot-lock", "slow", Severity.HIGH, ("waited",), "Split it.", (worst,))
    made.__dict__["findings"] = (("gil", one),)
    html = static_html(made)
    folded = html[html.index('<details class="zoom">') : html.index("</details>")]
    found = [times_of(one) for one in pictures(folded)]
    assert len(found) == 2
    for times, part in zip(found, (10, 100), strict=True):
        assert longest / part / 2 < max(times) - min(times) <= longest / part
        assert min(times) <= worst.start_ns / 1e6 <= max(times)


def test_a_zoom_without_a_finding_is_at_the_longest_wait(tmp_path: Path) -> None:
    """It says so."""
    made = comparison(tmp_path, "long", 20_000, 20)
    made.__dict__["findings"] = ()
    assert "around the longest wait</summary>" in static_html(made)


def test_pictures_in_a_page_keep_what_names_have(tmp_path: Path) -> None:
    """Signs that mean something in URLs, HTML and SVG, and letters of other languages."""
    name = "50%23 <&> \"ü' #+"
    builder = TraceBuilder()
    builder.hold(builder.thread(name, main=True), 0, 1_000)
    trace = read(builder.write(tmp_path / "t.gilscope"))
    (one,) = pictures(image([(trace.build, trace)]))
    texts = [part.text for part in ET.fromstring(one).iter() if part.text]  # noqa: S314
    assert name in texts


def test_a_short_run_has_no_zoom(traces: list[Trace]) -> None:
    """What one picture shows needs no parts."""
    assert 'class="zoom"' not in static_html(comparison_of(traces))


def test_a_static_view_has_the_findings_with_their_evidence(traces: list[Trace]) -> None:
    """As a saved notebook and a converted one show them; what programs are called is no markup."""
    one = Finding("hot-lock", f"slow {EVIL}", Severity.HIGH, ("waited 5 ms",), "Split it.")
    made = comparison_of(traces)
    made.__dict__["findings"] = (("gil", one),)
    html = static_html(made)
    assert text(one.title) in html
    assert EVIL not in html
    assert "<li>waited 5 ms</li>" in html
    assert "<p>Split it.</p>" in html


def test_hidden_threads_are_in_neither_picture_nor_table(traces: list[Trace]) -> None:
    """What a kernel does for itself is not what a reader looks for."""
    section = replace(comparison_of(traces), hidden=frozenset({"pool"}))
    assert "pool" not in svg(section.traces(), hidden=section.hidden)
    assert ">pool" not in static_html(section)


def test_settings_are_attributes_that_refuse_what_they_cannot_be(traces: list[Trace]) -> None:
    """A time, a range and a choice are checked where they are set, in words."""
    widget = TimelineWidget(comparison_of(traces))
    widget.least, widget.range, widget.align = "1.5 ms", (0, 10), "end"
    for name, value, words in (
        ("least", "soon", "a time such as '20 us'"),
        ("range", (3, 1), "start < end"),
        ("range", (float("nan"), 1), "start < end"),
        ("order", "size", "creation"),
    ):
        with pytest.raises(traitlets.TraitError, match=words):
            setattr(widget, name, value)
    assert (widget.least, widget.range, widget.align) == ("1.5 ms", (0, 10), "end")


def test_every_setting_has_a_control_with_a_label(traces: list[Trace]) -> None:
    """The ipywidgets of a notebook and the HTML of a report are made from one description."""
    widget = TimelineWidget(comparison_of(traces))
    head, _ = unpacked(widget._scene[0])
    described = {setting["name"]: setting for setting in head["settings"]}
    assert set(described) == set(widget.controls)
    assert {"align", "order", "thread", "lock", "least", "search"} <= set(described)
    for name, control in widget.controls.items():
        assert control.description == described[name]["label"]
        assert widget.has_trait(name)
    assert "MainThread" in widget.controls["thread"].options


def test_a_comparison_without_a_trace_has_no_widget(traces: list[Trace]) -> None:
    """An empty view gives the reason."""
    section = comparison_of([traces[0]], trace=None, trace_path=None)
    with pytest.raises(GilscopeError, match="no run of this comparison left a trace"):
        TimelineWidget(section)


def test_a_share_off_the_processor_is_drawn_where_there_are_samples(tmp_path: Path) -> None:
    """The strip hangs down as far as the share between two samples, and empty outside of them."""
    trace = read(gil_run(20, 10_000).write(tmp_path / "t.gilscope"))
    end = trace.cpu_times.time.max() / 1e6
    edges = np.array([0, 0.4, 0.8, 1.4, 1.8]) * end
    picture = strip(trace, 2, edges, 4, 7)
    assert picture is not None
    assert picture.tolist() == [[0] * 4, [0] * 4, [7, 7, 0, 0], [7, 7, 0, 0]]
    assert strip(trace, 1, edges, 4, 7) is None
    assert "ready, waiting for a processor" in verdict(comparison_of([trace]))
    drawn = pixels_of(svg([(trace.build, trace)])) == palette.READY
    assert np.flatnonzero(drawn.any(axis=1)).tolist()[0] == 2 * LANE - 2


def test_a_page_gets_no_more_samples_than_it_can_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many samples some are left out; first and last stay, so sums do."""
    monkeypatch.setattr(processor, "MOST_SAMPLES", 3)
    trace = read(gil_run(20, 10_000).write(tmp_path / "t.gilscope"))
    found = processor.samples(trace, columns_of([trace])[0])
    assert found is not None
    arrays, offsets = found
    mine = trace.cpu_times.time[trace.cpu_times.thread == 2].tolist()
    assert offsets == [0, 1, 4, 5, 6, 7]  # the kernel counts from zero when a thread starts
    assert arrays["cpu.time"][1:4].tolist() == [mine[0], mine[3], mine[4]]


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("worker 1", "worker 1"),
        ("(anonymous namespace)::log", "log"),
        ("_thread.lock `Condition.waiter` (local)", "Condition.waiter"),
        ("table<int> at 0x7f0c5a3b2e40", "table<int>…a3b2e40"),
        ("_thread.lock created at a.py:7", "created at a.py:7"),
    ],
)
def test_a_long_name_keeps_its_ends(name: str, short: str) -> None:
    """What is left out is in the middle: names often differ at their ends."""
    assert shortened(name, 18) == short


def test_titles_get_shorter_and_stay_true(traces: list[Trace]) -> None:
    """The shortest has build and duration."""
    full, brief = titles(traces[1], 0)
    assert full.startswith("Free-threaded build – CPython 3.13.5 – ")
    assert brief.startswith("FT build – ")
    assert brief.split(" – ")[-1] == full.split(" – ")[-1]
    assert "details down to 2 µs" in titles(traces[1], 2000)[0]
