"""The numbers below the timelines, as HTML tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gilscope.analysis.states.state import State
from gilscope.view.data.lane_order import aligned
from gilscope.view.data.lock_groups import grouped
from gilscope.view.data.palette import LOOKS
from gilscope.view.data.words import build_name, time_text
from gilscope.view.html.differences import differences
from gilscope.view.html.markup import element, join, text
from gilscope.view.html.scaling import scaling

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

LOCKS_SHOWN = 10
THREADS_SHOWN = 40

type Row = Mapping[str, Any]


def tables(summary: Mapping[str, Any], hidden: Collection[str] = ()) -> str:
    """Return the tables of all runs: one column of them a build.

    Args:
        summary: Of the comparison.
        hidden: Names of threads that are left out.
    """
    runs = [
        {**run, "threads": [thread for thread in run["threads"] if thread["name"] not in hidden]}
        for run in summary["runs"]
    ]
    orders = aligned([[thread["name"] for thread in run["threads"]] for run in runs])
    columns = [
        element("div", _run(run, [run["threads"][position] for position in order]), "column")
        for run, order in zip(runs, orders, strict=True)
    ]
    return join([element("div", join(columns), "columns"), below(summary)])


def below(summary: Mapping[str, Any]) -> str:
    """Return what stands below the tables of the runs: it is about all of them."""
    return join([differences(summary), scaling(summary.get("scaling", ()))])


def _run(run: Row, threads: Sequence[Row]) -> str:
    return join(
        [
            element("h3", text(build_name(run["build"]) + ("" if run["valid"] else " (invalid)"))),
            _gil(run.get("gil")),
            _threads(threads),
            _locks("Contended locks", run["locks"], "no thread waited for a lock"),
            _locks("Waits for events and queues", run.get("blocked", ()), ""),
        ]
    )


def _gil(gil: Row | None) -> str:
    if gil is None:
        return element("p", "There is no trace of this run.", "quiet")
    words = f"The GIL was taken {gil['acquires']:,} times and held for {time_text(gil['hold_s'])}. "
    if gil["wait_s"]:
        words += f"All threads together waited for it for {time_text(gil['wait_s'])}. "
    else:
        words += "No thread waited for it. "
    if gil["forced_releases"]:
        words += f"{gil['forced_releases']:,} releases were forced by another thread’s request."
    return element("p", words, "quiet")


def _threads(threads: Sequence[Row]) -> str:
    if not threads:
        return ""
    top = max((max(row["gil_wait_s"], row["gil_hold_s"]) for row in threads), default=0)
    columns: list[tuple[str, Callable[[Row], str]]] = [
        ("Thread", lambda row: _name(row["name"], "native" if row["native"] else "")),
        ("Holds the GIL", lambda row: _bar(row["gil_hold_s"], top, State.HOLDING_GIL)),
        ("Waits for it", lambda row: _bar(row["gil_wait_s"], top, State.WAITING_GIL)),
        ("Waits for locks", lambda row: time_text(row["lock_wait_s"])),
        ("Blocked", lambda row: time_text(row.get("blocked_s", 0))),
    ]
    if any(row.get("cpu") for row in threads):
        columns.append(("Off CPU", _off_cpu))
    return _table("Threads", columns, threads, THREADS_SHOWN)


def _off_cpu(row: Row) -> str:
    """Say how long a thread was ready to run and did not."""
    return time_text(row["cpu"]["runnable_s"]) if row.get("cpu") else "–"


def _locks(caption: str, all_locks: Sequence[Row], nothing: str) -> str:
    if not all_locks:
        return element("p", f"{caption}: {nothing}.", "quiet") if nothing else ""
    locks = grouped(all_locks)
    columns: list[tuple[str, Callable[[Row], str]]] = [
        ("Lock", _lock_name),
        ("Waits", lambda row: f"{row['waits']:,}"),
        ("Waited", lambda row: time_text(row["wait_s"])),
        ("Longest", lambda row: time_text(row.get("max_wait_s", 0))),
    ]
    if any(row.get("spins") for row in locks):
        columns.append(("Spinning", lambda row: time_text(row.get("spin_s", 0))))
    return _table(caption, columns, locks, LOCKS_SHOWN)


def _lock_name(row: Row) -> str:
    many = f"{row['locks']:,} of that name" if row["locks"] > 1 else ""
    return _name(row["name"], row["kind"].replace("_", " ")) + (
        f" <small>{many}</small>" if many else ""
    )


def _name(name: str, note: str) -> str:
    return text(name) + (f" <small>{text(note)}</small>" if note and note not in name else "")


def _bar(value: float, top: float, state: State) -> str:
    """Return a time with a bar below it, as long as its share of ``top``."""
    share = 100 * value / top if top else 0
    bar = f'<i class="bar" style="width:{share:.1f}%;background:{LOOKS[state].color}"></i>'
    return time_text(value) + (bar if value else "")


def _table(
    caption: str,
    columns: Sequence[tuple[str, Callable[[Row], str]]],
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
