"""What is seen first: how long it took, what the GIL cost, and what makes a number doubtful."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from gilscope.config import BUILDS
from gilscope.text import count_text, seconds_text, time_text
from gilscope.view.data.palette import CALLBACK_LOOK, LOOKS, READY_EDGE, READY_LOOK, SPAN_LOOK
from gilscope.view.data.processor import sampled
from gilscope.view.data.words import build_name
from gilscope.view.html.markup import element, join, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilscope.analysis.prediction.predict import Prediction
    from gilscope.results.model import ComparisonData, Run
    from gilscope.results.statistics import Speedup
    from gilscope.trace.model import Trace

ONE_PAIR = "one run of each does not show whether they differ: run more (--repeat)"

READY_HINT = "at the foot of a lane: its share of the time between two samples"


def verdict(comparison: ComparisonData) -> str:
    """Return the strip above the timelines: banners, a card a build, the speed-up, the legend."""
    cards = [_card(run, comparison.speedup_of(run.build)) for run in comparison.runs]
    speedup = speedup_card(comparison.speedup_of("ft"), comparison.prediction)
    return join(
        [
            *(element("p", text(line), f"banner {level}") for level, line in banners(comparison)),
            element("div", join([*cards, speedup]), "cards"),
            legend([trace for _, trace in comparison.traces()]),
        ]
    )


def banners(comparison: ComparisonData) -> Iterator[tuple[str, str]]:
    """Yield level (``alarm``, ``warning``, ``note``) and text of what a reader must know first."""
    notices = list(comparison.notices)
    for run in comparison.runs:
        if run.invalid:
            told = _told(notices, run, run.invalid)
            yield "alarm", told or f"{build_name(run.build)}: {run.invalid}"
        if run.error and not _told(list(notices), run, "the program failed"):
            yield "warning", f"{build_name(run.build)}: the program failed: {run.error}"
    yield from (("warning", notice) for notice in notices)
    for run in comparison.runs:
        if run.trace is None:
            continue
        build = build_name(run.build)
        yield from (("warning", f"{build}: {line}") for line in _doubts(run.trace))
        if run.trace.not_measured:
            gaps = "; ".join(f"{name} ({why})" for name, why in run.trace.not_measured.items())
            yield "note", f"{build}: not measured: {gaps}"


def _told(notices: list[str], run: Run, start: str) -> str | None:
    """Take the notice about ``run`` that begins with ``start`` off the list, if there is one."""
    head = f"{BUILDS.get(run.build, run.build)}: {start}"
    found = next((notice for notice in notices if notice.startswith(head)), None)
    if found:
        notices.remove(found)
    return found


def _doubts(trace: Trace) -> Iterator[str]:
    """Yield what makes the timeline of one run doubtful."""
    if trace.ended_early:
        end = time_text(trace.duration_ns)
        yield f"the trace ended early, after {end}; later events are missing"
    if trace.dropped_events:
        yield f"{count_text(trace.dropped_events, 'event')} did not fit into the trace"
    yield from trace.problems


def _card(run: Run, speedup: Speedup | None) -> str:
    build = f"{text(build_name(run.build))} <small>{text(run.python)}</small>"
    return element(
        "div",
        join(
            [
                element("div", build, "what"),
                "" if run.valid else element("div", "invalid: see above", "detail alarm"),
                element("div", seconds_text(median(run.wall_s)) if run.wall_s else "–", "number"),
                element("div", text(_spread(run.wall_s)), "detail"),
                element("div", text(_against_gil(run.build, speedup)), "detail"),
                element("div", text(_waiting(run)), "detail"),
                element("div", text(_parallelism(run)), "detail"),
                element("div", text(_probed(run)), "detail"),
            ]
        ),
        "card",
    )


def _spread(walls: Sequence[float]) -> str:
    if not walls:
        return "no complete run without the probe"
    if len(walls) == 1:
        return "one run, probe off"
    return (
        f"median of {len(walls)} runs, {seconds_text(min(walls))} to {seconds_text(max(walls))}, "
        "probe off"
    )


def _against_gil(build: str, speedup: Speedup | None) -> str:
    """Say how an alternative compares; the free-threaded build has a card of its own for that."""
    if speedup is None or build == "ft":
        return ""
    factor, interval = speedup.factor, speedup.interval
    if interval is None:
        return ONE_PAIR
    if interval[0] <= 1 <= interval[1]:
        return f"no difference shown to the GIL build: {factor:.2f}×"
    words = f"{factor:.2f}× faster" if factor >= 1 else f"{1 / factor:.2f}× slower"
    return f"{words} than the GIL build"


def _waiting(run: Run) -> str:
    if run.trace is None or run.totals is None:
        return "no trace"
    lives = _lives(run.trace)
    share = run.totals.gil.wait_ns / lives if lives else 0.0
    return f"{share:.0%} of all threads’ time went into waiting for the GIL"


def _parallelism(run: Run) -> str:
    """Say how many threads had a processor, on average."""
    if run.trace is None or not run.trace.duration_ns or not len(run.trace.cpu_times):
        return ""
    return f"parallelism {run.trace.cpu_times.total_on_cpu_ns / run.trace.duration_ns:.1f}"


def _lives(trace: Trace) -> int:
    """Return how long all threads together lived, ns."""
    return sum(thread.end_ns - thread.start_ns for thread in trace.threads)


def _probed(run: Run) -> str:
    """Say what the probe itself cost."""
    if not run.wall_s or not run.probed_wall_s:
        return ""
    return f"{seconds_text(median(run.probed_wall_s))} with the probe on"


def speedup_card(speedup: Speedup | None, prediction: Prediction | None) -> str:
    """Return the card of the speed-up, measured and predicted."""
    interval = speedup.interval if speedup else None
    if speedup is None:
        number, words = "–", "not measured: it takes a complete run under both builds"
    elif interval is None:
        number, words = "–", ONE_PAIR
    elif interval[0] > 1:
        number, words = f"{speedup.factor:.2f}×", "faster without the GIL"
    elif interval[1] < 1:
        number, words = f"{1 / speedup.factor:.2f}×", "slower without the GIL"
    else:
        number, words = f"{speedup.factor:.2f}×", "no difference shown without the GIL"
    if interval:
        words += f"; 95 % interval {interval[0]:.2f}× to {interval[1]:.2f}×"
    parts = [
        element("div", "Speed-up", "what"),
        element("div", number, "number"),
        element("div", words, "detail"),
        element("div", _predicted(prediction), "detail"),
    ]
    return element("div", join(parts), "card speedup")


def _predicted(prediction: Prediction | None) -> str:
    """Say what the trace of the GIL build let one expect."""
    if prediction is None:
        return ""
    low, high = prediction.interval
    return (
        f"predicted from the GIL build’s trace: {prediction.speedup:.2f}× "
        f"({low:.2f}× to {high:.2f}×)"
    )


def legend(traces: Sequence[Trace]) -> str:
    """Return the colours and heights of the states, and of what else is drawn, where it is."""
    callbacks = any(len(trace.callbacks) for trace in traces)
    spans = any(len(trace.spans) for trace in traces)
    looks = [
        *LOOKS.values(),
        *([CALLBACK_LOOK] if callbacks else []),
        *([SPAN_LOOK] if spans else []),
    ]
    ready = sampled(traces)
    items = [
        f'<span class="key"><i style="background:{look.color};height:{16 * look.height:.0f}px"></i>'
        f"{text(look.label)}</span>"
        for look in looks
    ]
    if ready:
        look = f"background:{READY_LOOK.color};outline:1px solid {READY_EDGE};height:4px"
        words = f"{text(READY_LOOK.label)} <small>{READY_HINT}</small>"
        items.append(f'<span class="key wide"><i style="{look}"></i><span>{words}</span></span>')
    return element("div", join(items), "legend")
