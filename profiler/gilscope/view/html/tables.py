"""The numbers below the timelines, as HTML tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilscope.analysis.states.state import State
from gilscope.results.lock_groups import grouped
from gilscope.results.matching import PAIR
from gilscope.text import time_text
from gilscope.view.data.lane_order import aligned
from gilscope.view.data.palette import LOOKS
from gilscope.view.data.words import build_name
from gilscope.view.html.differences import differences
from gilscope.view.html.markup import element, join, text
from gilscope.view.html.order import orders
from gilscope.view.html.races import races
from gilscope.view.html.sampled import sampled
from gilscope.view.html.scaling import scaling

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from gilscope.analysis.waits.contention import GilTotals, LockTotals, ThreadTotals
    from gilscope.results.lock_groups import LockGroup
    from gilscope.results.model import ComparisonData, Run
    from gilscope.trace.model import Thread, Trace

    type Column[Row] = tuple[str, Callable[[Row], str]]

LOCKS_SHOWN = 10
THREADS_SHOWN = 40


def tables(comparison: ComparisonData) -> str:
    """Return the tables of all runs: one column of them a build."""
    runs = [(run, _shown(run, comparison.hidden)) for run in comparison.runs]
    orders = aligned([[totals.thread for totals in threads] for _, threads in runs])
    columns = [
        element("div", _run(run, [threads[position] for position in order]), "column")
        for (run, threads), order in zip(runs, orders, strict=True)
    ]
    return join([element("div", join(columns), "columns"), below(comparison)])


def _shown(run: Run, hidden: Collection[str]) -> list[ThreadTotals]:
    threads = run.totals.threads if run.totals else ()
    return [totals for totals in threads if totals.thread.name not in hidden]


def below(comparison: ComparisonData) -> str:
    """Return what stands below the tables of the runs: it is about all of them."""
    parts = [sampled(comparison.runs), races(comparison.watched), orders(comparison.ordered)]
    if {run.build for run in comparison.runs} >= set(PAIR):  # else there are none, found at length
        parts.append(differences(comparison.differences))
    return join([*parts, scaling(comparison.scaling)])


def _run(run: Run, threads: Sequence[ThreadTotals]) -> str:
    title = element("h3", text(build_name(run.build) + ("" if run.valid else " (invalid)")))
    if run.trace is None or run.totals is None:
        return title + element("p", "There is no trace of this run.", "quiet")
    return join(
        [
            title,
            _gil(run.totals.gil) if run.trace.gil_enabled_start or run.totals.gil.acquires else "",
            _threads(run.trace, threads),
            _locks("Contended locks", run.totals.locks, "no thread waited for a lock"),
            _locks("Waits for events and queues", run.totals.blocked, ""),
        ]
    )


def _gil(gil: GilTotals) -> str:
    words = f"The GIL was taken {gil.acquires:,} times and held for {time_text(gil.hold_ns)}. "
    if gil.wait_ns:
        words += f"All threads together waited for it for {time_text(gil.wait_ns)}. "
    else:
        words += "No thread waited for it. "
    if gil.forced_releases:
        words += f"{gil.forced_releases:,} releases were forced by another thread’s request."
    return element("p", words, "quiet")


def _threads(trace: Trace, threads: Sequence[ThreadTotals]) -> str:
    if not threads:
        return ""
    top = max(max(row.gil_wait_ns, row.gil_hold_ns) for row in threads)
    ready = {row.thread.index: _runnable(trace, row.thread) for row in threads}
    columns: list[Column[ThreadTotals]] = [
        ("Thread", lambda row: _name(row.thread.label, "native" if row.thread.native else "")),
        ("Holds the GIL", lambda row: _bar(row.gil_hold_ns, top, State.HOLDING_GIL)),
        ("Waits for it", lambda row: _bar(row.gil_wait_ns, top, State.WAITING_GIL)),
        ("Waits for locks", lambda row: time_text(row.lock_wait_ns)),
        ("Blocked", lambda row: time_text(row.blocked_ns)),
    ]
    if any(ready.values()):
        columns.append(("Waits for a processor", lambda row: ready[row.thread.index] or "–"))
    return _table("Threads", columns, threads, THREADS_SHOWN)


def _runnable(trace: Trace, thread: Thread) -> str:
    """Return how long a thread was ready to run and did not; "" if that was not sampled."""
    share = trace.cpu_times.share(thread.index, thread.start_ns, thread.end_ns)
    return time_text(share.runnable_ns) if share else ""


def _locks(caption: str, totals: Sequence[LockTotals], nothing: str) -> str:
    if not totals:
        return element("p", f"{caption}: {nothing}.", "quiet") if nothing else ""
    locks = grouped(totals)
    columns: list[Column[LockGroup]] = [
        ("Lock", _lock_name),
        ("Waits", lambda row: f"{row.waits:,}"),
        ("Waited", lambda row: time_text(row.wait_ns)),
        ("Longest", lambda row: time_text(row.max_ns)),
    ]
    if any(row.spins for row in locks):
        columns.append(("Spinning", lambda row: time_text(row.spin_ns)))
    return _table(caption, columns, locks, LOCKS_SHOWN)


def _lock_name(row: LockGroup) -> str:
    many = f" <small>{row.locks:,} of that name</small>" if row.locks > 1 else ""
    return _name(row.name, row.kind.replace("_", " ")) + many


def _name(name: str, note: str) -> str:
    return text(name) + (f" <small>{text(note)}</small>" if note and note not in name else "")


def _bar(value: float, top: float, state: State) -> str:
    """Return a time with a bar below it, as long as its share of ``top``."""
    share = 100 * value / top if top else 0
    bar = f'<i class="bar" style="width:{share:.1f}%;background:{LOOKS[state].color}"></i>'
    return time_text(value) + (bar if value else "")


def _table[Row](
    caption: str,
    columns: Sequence[Column[Row]],
    rows: Sequence[Row],
    limit: int,
) -> str:
    head = "".join(f'<th scope="col">{text(title)}</th>' for title, _ in columns)
    body = [
        element("tr", "".join(element("td", show(row)) for _, show in columns))
        for row in rows[:limit]
    ]
    more = len(rows) - limit
    if more > 0:
        body.append(f'<tr><td colspan="{len(columns)}" class="quiet">and {more:,} more</td></tr>')
    inner = (
        f"<caption>{text(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{join(body)}</tbody>"
    )
    return element("div", element("table", inner), "scroll")
