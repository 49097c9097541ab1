"""What is seen first: how long it took, what the GIL cost, and what makes a number doubtful."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from gilscope.config import BUILDS
from gilscope.results.outcome import outcome
from gilscope.results.ratios import range_text, ratio_text
from gilscope.text import count_text, seconds_text, time_text
from gilscope.view.data.words import build_name
from gilscope.view.html.legend import legend
from gilscope.view.html.markup import element, join, prose, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.analysis.prediction.predict import Prediction
    from gilscope.results.model import ComparisonData, Run
    from gilscope.results.outcome import Cause
    from gilscope.results.statistics import Speedup
    from gilscope.trace.model import Trace

LEAST_SHARE = 0.01
LEAST_PARALLELISM = 0.1
ONE_PAIR = "one run of each does not show whether they differ: run more (--repeat)"


def verdict(comparison: ComparisonData, *, live: bool = False) -> str:
    """Return the strip above the timelines: the outcome, banners, a card a build, the legend.

    Args:
        comparison: What is shown.
        live: Whether the timelines are the live ones, not the static picture.
    """
    cards = [_card(run, comparison.speedup_of(run.build)) for run in comparison.runs]
    css, _ = SIGNS[outcome(comparison).kind]
    return join(
        [
            outcome_html(comparison),
            *(element("p", prose(line), f"banner {level}") for level, line in banners(comparison)),
            element("div", join(cards), f"cards {css}"),
            legend([trace for _, trace in comparison.traces()], live=live),
        ]
    )


SIGNS = {
    "faster": ("good", "▲"),
    "slower": ("bad", "▼"),
    "no difference shown": ("open", "="),
    "not compared": ("open", "–"),
}
"""Class and sign of each outcome: the sign says it without the colour."""


def outcome_html(comparison: ComparisonData) -> str:
    """Return what the comparison comes to, before any number of one build."""
    found = outcome(comparison)
    css, sign = SIGNS[found.kind]
    mark = f'<span class="sign" aria-hidden="true">{sign}</span>'
    details = filter(None, (found.times, _predicted(comparison.prediction)))
    lines = [
        element("p", mark + text(found.headline), "headline"),
        *(element("p", _cause(cause), "cause") for cause in found.causes),
        *(element("p", text(line), "detail") for line in details),
    ]
    return element("div", join(lines), f"outcome {css}")


def _cause(cause: Cause) -> str:
    """Return a finding with what to do about it."""
    return f"{prose(cause.text)} <small>{prose(cause.finding.advice)}</small>"


def _predicted(prediction: Prediction | None) -> str:
    """Say what the trace of the GIL build let one expect."""
    if prediction is None:
        return ""
    words = range_text(prediction.speedup, *prediction.interval)
    return f"Predicted from the GIL build’s trace: {words} without the GIL"


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
                element("div", _number(run), "number"),
                element("div", text(_spread(run)), "detail"),
                element("div", text(_against_gil(run.build, speedup)), "detail"),
                element("div", text(_waiting(run)), "detail"),
                element("div", text(_parallelism(run)), "detail"),
                element("div", text(_probed(run)), "detail"),
            ]
        ),
        "card",
    )


def _number(run: Run) -> str:
    """Return the time of a run: not recorded, else recorded, else the length of what there is.

    One that failed has none.
    """
    if run.error:
        return "failed"
    if walls := run.wall_s or run.probed_wall_s:
        return seconds_text(median(walls))
    return time_text(run.trace.duration_ns) if run.trace else "failed"


def _spread(run: Run) -> str:
    walls = run.wall_s
    if run.error:
        return f"after {time_text(run.trace.duration_ns)}, recorded" if run.trace else ""
    if not walls:
        return "recorded; no complete run without recording"
    if len(walls) == 1:
        return "one run, timed without recording"
    return (
        f"median of {len(walls)} runs, {seconds_text(min(walls))} to {seconds_text(max(walls))}, "
        "timed without recording"
    )


def _against_gil(build: str, speedup: Speedup | None) -> str:
    """Say how an alternative compares; what the free-threaded build does stands on top."""
    if speedup is None or build == "ft":
        return ""
    if speedup.interval is None:
        return ONE_PAIR
    return f"{ratio_text(speedup)}, against the GIL build"


def _waiting(run: Run) -> str:
    if run.trace is None or run.totals is None:
        return "no trace"
    if not run.trace.gil_enabled_start and not run.totals.gil.wait_ns:
        return ""  # there was no GIL to wait for
    lives = _lives(run.trace)
    share = run.totals.gil.wait_ns / lives if lives else 0.0
    if not share:
        return "no thread waited for the GIL"
    part = f"{share:.0%}" if share >= LEAST_SHARE else f"less than {LEAST_SHARE:.0%}"
    return f"{part} of all threads’ time went into waiting for the GIL"


def _parallelism(run: Run) -> str:
    """Say how many threads had a processor, on average."""
    ran = run.trace.cpu_times.total_on_cpu_ns if run.trace else 0
    if run.trace is None or not run.trace.duration_ns or not ran:
        return ""  # one sample, or none, tells nothing
    found = ran / run.trace.duration_ns
    words = f"{found:.1f}" if found >= LEAST_PARALLELISM else f"below {LEAST_PARALLELISM}"
    processors = run.trace.processors
    most = f" of {count_text(processors, 'processor')}" if processors else ""
    return f"parallelism {words}{most}"


def _lives(trace: Trace) -> int:
    """Return how long all threads together lived, ns."""
    return sum(thread.end_ns - thread.start_ns for thread in trace.threads)


def _probed(run: Run) -> str:
    """Say how long it took while it was recorded: what the probe itself cost."""
    if not run.wall_s or not run.probed_wall_s:
        return ""
    return f"{seconds_text(median(run.probed_wall_s))} while recorded"
