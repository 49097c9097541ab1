"""What ``gilscope info`` prints: the facts of docs/summary.md as text."""

from __future__ import annotations

from typing import Any

from gilscope.comparison.table import grid
from gilscope.config import BUILDS
from gilscope.text import seconds_text, shortened, size_text
from gilscope.trace.model.interpreter_locks import interpreter_lock

ROWS_SHOWN = 10
NAME_WIDTH = 60  # characters of a native function's name, which may take several lines

type Facts = dict[str, Any]


def text(facts: Facts) -> str:
    """Return the facts as text."""
    lines = [f"{name:<12} {value}" for name, value in _heads(facts)]
    for table in (_threads, _locks, _callbacks, _spans, _convoys, _pauses, _gil_switches):
        rows = table(facts)
        if rows:
            lines += ["", *grid(rows)]
        if table is _locks:
            lines += _about_locks(facts)
    lines += _notes(facts)
    return "\n".join(line.rstrip() for line in lines)


def _heads(facts: Facts) -> list[tuple[str, str]]:
    ended = "ended early" if facts["ended_early"] else f"complete ({facts['end_reason']})"
    gil = facts["gil"]
    lost = f"{facts['dropped_events']:,} events"
    if facts["overwritten_events"]:
        lost += f", and {facts['overwritten_events']:,} older ones overwritten"
    heads = [
        ("program", " ".join(facts["argv"])),
        ("interpreter", f"{BUILDS[facts['build']]}, {facts['python']}, {facts['executable']}"),
        ("started", f"{facts['started']}, process {facts['pid']}"),
        ("recorded", f"{seconds_text(facts['duration_s'])}, {facts['events']:,} events, {ended}"),
        ("dropped", lost),
        (
            "GIL",
            (
                f"{gil['acquires']:,} acquires, {gil['forced_releases']:,} forced releases, "
                f"held {seconds_text(gil['hold_s'])}, waited for {seconds_text(gil['wait_s'])}"
            ),
        ),
    ]
    cost, stack = facts["probe_cost_s"], facts["stack_cost_s"]
    if cost is not None:
        more = "" if stack is None else f", {stack * 1e9:.0f} ns a stack"
        heads.append(("probe", f"{cost * 1e9:.1f} ns an acquire and release of the GIL{more}"))
    return heads


def _threads(facts: Facts) -> list[list[str]]:
    threads = facts["threads"]
    columns = ("gil_hold_s", "gil_wait_s", "lock_wait_s", "blocked_s")
    rows = [["thread", "tid", "GIL held", "GIL wait", "lock wait", "blocked"]] + [
        [thread["name"], str(thread["tid"]), *(seconds_text(thread[name]) for name in columns)]
        for thread in threads
    ]
    if any(thread["cpu"] for thread in threads):
        rows[0] += ["on CPU", "wants CPU"]
        for row, thread in zip(rows[1:], threads, strict=True):
            cpu = thread["cpu"]
            names = ("on_cpu_s", "runnable_s")
            row += [seconds_text(cpu[name]) if cpu else "not known" for name in names]
    if any(thread["dropped_events"] for thread in threads):
        rows[0].append("dropped")
        for row, thread in zip(rows[1:], threads, strict=True):
            row.append(f"{thread['dropped_events']:,}")
    return rows


def _locks(facts: Facts) -> list[list[str]]:
    locks = facts["locks"][:ROWS_SHOWN]
    if not locks:
        return []
    rows = [["contended lock", "kind", "waits", "time"]] + [
        [lock["name"], lock["kind"], f"{lock['waits']:,}", seconds_text(lock["wait_s"])]
        for lock in locks
    ]
    if any(lock["spins"] for lock in locks):
        rows[0] += ["spins", "spinning"]
        for row, lock in zip(rows[1:], locks, strict=True):
            row += [f"{lock['spins']:,}", seconds_text(lock["spin_s"])]
    return rows


def _about_locks(facts: Facts) -> list[str]:
    """Return which operations take the interpreter's locks that are shown, and remedies."""
    members = [lock["member"] for lock in facts["locks"][:ROWS_SHOWN] if lock["member"]]
    lines = []
    for member in dict.fromkeys(members):
        known = interpreter_lock(member)
        if known:
            lines += [
                f"{known.title} ({member}): taken by {known.taken_by}",
                f"    remedy: {known.advice}",
            ]
    return lines


def _callbacks(facts: Facts) -> list[list[str]]:
    found = facts["callbacks"][:ROWS_SHOWN]
    if not found:
        return []
    head = ["callback from", "binding", "to", "count", "total", "p50", "max", "entering (p50)"]
    columns = ("total_s", "median_s", "max_s", "enter_median_s")
    return [head] + [
        [
            shortened(callback["entry"], NAME_WIDTH),
            callback["binding"],
            callback["callable"] or "-",
            f"{callback['count']:,}",
            *(seconds_text(callback[name]) for name in columns),
        ]
        for callback in found
    ]


def _spans(facts: Facts) -> list[list[str]]:
    found = facts["spans"][:ROWS_SHOWN]
    if not found:
        return []
    head = ["span", "count", "total", "p50", "max", "bytes"]
    return [head] + [
        [
            span["name"],
            f"{span['count']:,}",
            *(seconds_text(span[name]) for name in ("total_s", "median_s", "max_s")),
            "-" if span["bytes"] is None else size_text(span["bytes"]),
        ]
        for span in found
    ]


def _convoys(facts: Facts) -> list[list[str]]:
    convoys = facts["convoys"][:ROWS_SHOWN]
    if not convoys:
        return []
    return [["lock passed to a thread that then waited for the GIL", "count", "time"]] + [
        [convoy["lock"], f"{convoy['count']:,}", seconds_text(convoy["gil_wait_s"])]
        for convoy in convoys
    ]


def _pauses(facts: Facts) -> list[list[str]]:
    pauses = facts["pauses"]
    if not pauses["count"]:
        return []
    return [["stop-the-world pauses requested by", "count", "time"]] + [
        [
            asker["thread"] or "an unknown thread",
            f"{asker['count']:,}",
            seconds_text(asker["total_s"]),
        ]
        for asker in pauses["requesters"]
    ]


def _gil_switches(facts: Facts) -> list[list[str]]:
    # Python turns the GIL on for a moment while it imports any extension module.
    lasting = [switch for switch in facts["gil_switches"] if switch["permanent"]]
    if not lasting:
        return []
    return [["the GIL was switched", "by the import of", "at"]] + [
        ["on" if switch["on"] else "off", switch["module"] or "?", seconds_text(switch["at_s"])]
        for switch in lasting[:ROWS_SHOWN]
    ]


def _notes(facts: Facts) -> list[str]:
    states = facts["thread_states"]
    lines = []
    if states["created"] or states["deleted"]:
        made = f"{states['created']:,} thread states ({seconds_text(states['created_s'])})"
        gone = f"{states['deleted']:,} ({seconds_text(states['deleted_s'])})"
        lines += ["", f"native code created {made} and destroyed {gone}"]
    lines += [f"not measured: {lost['class']}: {lost['reason']}" for lost in facts["not_measured"]]
    lines += [f"problem: {problem}" for problem in facts["problems"]]
    return lines
