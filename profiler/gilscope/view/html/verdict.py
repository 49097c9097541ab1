"""What is seen first: how long it took, what the GIL cost, and what makes a number doubtful."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from gilscope.analysis.waits.contention import gil_totals
from gilscope.config import BUILDS
from gilscope.view.data.palette import CALLBACK_LOOK, LOOKS, READY_EDGE, READY_LOOK, SPAN_LOOK
from gilscope.view.data.processor import sampled
from gilscope.view.data.words import build_name, time_text
from gilscope.view.html.markup import element, join, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gilscope.trace.model import Trace
    from gilscope.view.data.section import Section

LEVEL = 0.05
"""Share by which two wall times must differ before one is called faster; an interval says more."""

READY_HINT = "at the foot of a lane: its share of the time between two samples"


def verdict(section: Section) -> str:
    """Return the strip above the timelines: banners, a card a build, the speed-up, the legend."""
    runs = section.summary["runs"]
    by_build = dict(section.traces)
    by_path = {str(trace.path): trace for _, trace in section.traces}
    cards = [_card(run, by_path.get(run["trace"], by_build.get(run["build"]))) for run in runs]
    return join(
        [
            *(element("p", text(line), f"banner {level}") for level, line in banners(section)),
            element("div", join([*cards, _speedup(section.summary)]), "cards"),
            legend(section),
        ]
    )


def banners(section: Section) -> Iterator[tuple[str, str]]:
    """Yield level (``alarm``, ``warning``, ``note``) and text of what a reader must know first."""
    notices = list(section.summary.get("notices", ()))
    for run in section.summary["runs"]:
        if not run["valid"]:
            said = _told(notices, run, run["invalid"])
            yield "alarm", said or f"{build_name(run['build'])}: {run['invalid']}"
        if run.get("error") and not _told(list(notices), run, "the program failed"):
            yield "warning", f"{build_name(run['build'])}: the program failed: {run['error']}"
    yield from (("warning", notice) for notice in notices)
    for run in section.summary["runs"]:
        build = build_name(run["build"])
        yield from (("warning", f"{build}: {line}") for line in _doubts(run))
        if run["not_measured"]:
            gaps = "; ".join(map(_gap, run["not_measured"]))
            yield "note", f"{build}: not measured: {gaps}"


def _told(notices: list[str], run: Mapping[str, Any], start: str) -> str | None:
    """Take the notice about ``run`` that begins with ``start`` off the list, if there is one."""
    head = f"{BUILDS.get(run['build'], run['build'])}: {start}"
    found = next((notice for notice in notices if notice.startswith(head)), None)
    if found:
        notices.remove(found)
    return found


def _doubts(run: Mapping[str, Any]) -> Iterator[str]:
    """Yield what makes the timeline of one run doubtful."""
    if run.get("ended_early"):
        yield f"the trace ended early, after {_end(run)}; what came later is not in it"
    if run["dropped_events"]:
        yield f"{run['dropped_events']:,} events found no room and are missing"
    yield from run.get("problems", ())


def _end(run: Mapping[str, Any]) -> str:
    return time_text(run["duration_s"]) if run.get("duration_s") else "that"


def _gap(gap: Mapping[str, str] | str) -> str:
    return gap if isinstance(gap, str) else f"{gap['class']} ({gap['reason']})"


def _card(run: Mapping[str, Any], trace: Trace | None) -> str:
    walls = run["wall_s"]
    build = f"{text(build_name(run['build']))} <small>{text(run['python'])}</small>"
    return element(
        "div",
        join(
            [
                element("div", build, "what"),
                "" if run["valid"] else element("div", "invalid: see above", "detail alarm"),
                element("div", time_text(median(walls)) if walls else "–", "number"),
                element("div", text(_spread(walls)), "detail"),
                element("div", text(_against_gil(run)), "detail"),
                element("div", text(_waiting(trace)), "detail"),
                element("div", text(_parallelism(run, trace)), "detail"),
                element("div", text(_probed(run)), "detail"),
            ]
        ),
        "card",
    )


def _spread(walls: list[float]) -> str:
    if not walls:
        return "no complete run without the probe"
    if len(walls) == 1:
        return "one run, probe off"
    return (
        f"median of {len(walls)} runs, {time_text(min(walls))} to {time_text(max(walls))}, "
        "probe off"
    )


def _against_gil(run: Mapping[str, Any]) -> str:
    """Say how an alternative compares; the free-threaded build has a card of its own for that."""
    factor, interval = run.get("speedup"), run.get("speedup_interval")
    if factor is None or run["build"] == "ft":
        return ""
    if interval and interval[0] <= 1 <= interval[1]:
        return f"no difference shown to the GIL build: {factor:.2f}×"
    words = f"{factor:.2f}× faster" if factor >= 1 else f"{1 / factor:.2f}× slower"
    return f"{words} than the GIL build"


def _waiting(trace: Trace | None) -> str:
    share = waiting_share(trace) if trace is not None else None
    if share is None:
        return "no trace"
    return f"{share:.0%} of all threads’ time went into waiting for the GIL"


def _parallelism(run: Mapping[str, Any], trace: Trace | None) -> str:
    """Say how many threads were not held up, on average."""
    if trace is None or not trace.duration_ns:
        return ""
    stalled = ("gil_wait_s", "lock_wait_s", "blocked_s", "stopped_s")
    waited = sum(thread[name] for thread in run["threads"] for name in stalled)
    lives = sum(thread.end_ns - thread.start_ns for thread in trace.threads) / 1e9
    return f"parallelism {max(0, lives - waited) / (trace.duration_ns / 1e9):.1f}"


def _probed(run: Mapping[str, Any]) -> str:
    """Say what the probe itself cost."""
    if not run["wall_s"] or not run["probed_wall_s"]:
        return ""
    return f"{time_text(median(run['probed_wall_s']))} with the probe on"


def waiting_share(trace: Trace) -> float | None:
    """Return the share of the threads' lives in which they waited for the GIL, or None."""
    lives = sum(thread.end_ns - thread.start_ns for thread in trace.threads)
    return float(gil_totals(trace).wait_ns) / lives if lives else None


def _speedup(summary: Mapping[str, Any]) -> str:
    factor, interval = summary.get("speedup"), summary.get("speedup_interval")
    low, high = interval or (1 - LEVEL, 1 + LEVEL)
    if factor is None:
        number, words = "–", "speed-up: it takes a complete run under both builds"
    elif (low if interval else factor / high) > 1:
        number, words = f"{factor:.2f}×", "faster without the GIL"
    elif (high if interval else factor / low) < 1:
        number, words = f"{1 / factor:.2f}×", "slower without the GIL"
    else:
        number, words = f"{factor:.2f}×", "no difference shown without the GIL"
    if interval:
        words += f"; 95 % interval {low:.2f}× to {high:.2f}×"
    parts = [
        element("div", "Speed-up", "what"),
        element("div", number, "number"),
        element("div", words, "detail"),
        element("div", _predicted(summary.get("prediction")), "detail"),
    ]
    return element("div", join(parts), "card speedup")


def _predicted(prediction: Mapping[str, Any] | None) -> str:
    """Say what the trace of the GIL build let one expect."""
    if prediction is None:
        return ""
    low, high = prediction["speedup_range"]
    return (
        f"predicted from the GIL build’s trace: {prediction['speedup']:.2f}× "
        f"({low:.2f}× to {high:.2f}×)"
    )


def legend(section: Section) -> str:
    """Return the colours and heights of the states, and of what else is drawn, where it is."""
    callbacks = any(len(trace.callbacks) for _, trace in section.traces)
    spans = any(len(trace.spans) for _, trace in section.traces)
    looks = [
        *LOOKS.values(),
        *([CALLBACK_LOOK] if callbacks else []),
        *([SPAN_LOOK] if spans else []),
    ]
    ready = sampled(trace for _, trace in section.traces)
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
