"""Locks that threads contend for, and convoys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gilscope.analysis.findings.hazards import holders_without_gil
from gilscope.analysis.findings.model import (
    Finding,
    had_back,
    jumps,
    limit,
    matters,
    of_run,
    share,
)
from gilscope.analysis.stacks import called_from
from gilscope.analysis.waits.convoys import convoys
from gilscope.analysis.waits.lock_holders import held_during, hold_times
from gilscope.analysis.waits.pauses import is_turn
from gilscope.analysis.waits.processors import ran_part
from gilscope.severity import Severity
from gilscope.text import count_text, time_text
from gilscope.trace.format import Event, LockWaitFlag
from gilscope.trace.model.interpreter_locks import interpreter_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.analysis.facts import Facts
    from gilscope.trace.arrays import I64, U32
    from gilscope.trace.model import Lock, Trace

YIELD_NS = 2_000
"""That one yield of the processor counts for at most. It returns within a microsecond, or else the
processor was given to another thread, which is no fault of the lock."""

SIGNALS = ("lock", "thread_lock")
"""Locks that programs use as signals as well: a thread waits until another one releases it."""

LEAST_WAITS = 10
"""For one of these: fewer are no pattern. Of other locks one long wait costs as much as many."""

MOST_HOLDERS = 3
LEAST_PART = 0.1
"""Share of the waiting for a lock from which on the thread that held it is named."""

LEAST_HOLDS = 10
"""Of a lock that are known, for the middle one to be typical."""

MOMENT_NS = 100_000
"""Others wait for a lock that is held for longer; a shorter hold is over before a waiter wakes."""

LEAST_RAN = 0.1
"""Of the waiting for a lock that is held for moments: where the machine is so busy that more than
nine tenths are due to that, the run does not tell how much the lock takes."""

LEAST_CONVOYS = 10
"""Hand-overs of one lock to a thread without the GIL: a few of them happen to any lock."""

OBJECT = (
    "Free-threaded Python locks the object for each such operation. Give each thread an object of "
    "its own and merge them at the end, or look the value up once, outside the loop."
)
OTHER = (
    "Do less while holding it, or split it: shard the data that it protects, or collect results "
    "per thread and merge them."
)


def hot_locks(facts: Facts) -> Iterator[Finding]:
    """Find locks that much was waited for."""
    trace, intervals = facts.trace, facts.trace.intervals
    rows = facts.lock_waits
    locks, places = _by_name(trace, intervals.what[rows])
    cost = np.bincount(places, _contention(facts, rows), len(locks)).astype(np.int64)
    cost = np.array(
        [_of_lock(facts, lock, rows[places == n], int(cost[n])) for n, lock in enumerate(locks)],
        np.int64,
    )
    counts = np.bincount(places, minlength=len(locks))
    worth = np.array([matters(trace, ns) for ns in cost.tolist()], bool)
    blamed = holders_without_gil(trace)[0] if worth.any() else rows[:0]
    for number in np.flatnonzero(worth)[np.argsort(-cost[worth], kind="stable")].tolist():
        mine = rows[places == number]
        lock = locks[number]
        if is_turn(lock) or _is_for_the_gil(facts, mine, blamed):
            continue  # stop-the-world-storm and native-mutex-held-while-taking-gil say why
        if lock.kind in SIGNALS and counts[number] < LEAST_WAITS:
            continue
        if len(np.unique(intervals.thread[mine])) > 1 or _is_held(facts, mine):
            yield _hot(facts, lock, mine, int(cost[number]))


def _is_for_the_gil(facts: Facts, rows: I64, blamed: I64) -> bool:
    """Return whether most of this waiting is ``blamed`` on a holder that waits for the GIL."""
    duration = facts.trace.intervals.duration
    mine = rows[np.isin(rows, blamed)]
    return int(duration[mine].sum()) * 2 > int(duration[rows].sum())


def _by_name(trace: Trace, what: U32) -> tuple[list[Lock], I64]:
    """Return one lock of each name and kind, and which of them each wait is for.

    A reader cannot tell locks of one name apart: those of a pool, those that a condition makes for
    each wait.
    """
    ids, places = np.unique(what, return_inverse=True)
    first: dict[tuple[str, str], int] = {}
    found: list[Lock] = []
    groups = np.zeros(len(ids), np.int64)
    for row, number in enumerate(ids.tolist()):
        lock = trace.locks[number]
        if (lock.name, lock.kind) not in first:
            first[lock.name, lock.kind] = len(found)
            found.append(lock)
        groups[row] = first[lock.name, lock.kind]
    return found, groups[places]


def _is_held(facts: Facts, rows: I64) -> bool:
    """Return whether the holder of the lock is known for most of this waiting."""
    intervals = facts.trace.intervals
    held = (intervals.flags[rows] & np.uint8(LockWaitFlag.HOLDER)) != 0
    held &= (intervals.kind[rows] == Event.LOCK_WAIT) & (intervals.peer[rows] > 0)
    duration = intervals.duration[rows]
    return bool(2 * duration[held].sum() > duration.sum())


def _hot(facts: Facts, lock: Lock, rows: I64, cost: int) -> Finding:
    trace, intervals = facts.trace, facts.trace.intervals
    gained = had_back(trace, rows, cost)
    spins = int(np.count_nonzero(intervals.kind[rows] == Event.SPIN))
    threads = len(np.unique(intervals.thread[rows]))
    words = f"{count_text(len(rows) - spins, 'time')} asleep"
    if spins:
        words += f", {count_text(spins, 'time')} yielding the processor"
    locks = len(np.unique(intervals.what[rows]))
    many = f", {locks} locks of that name" if locks > 1 else ""
    is_object = lock.kind == "object"
    own = interpreter_lock(lock.member)
    return Finding(
        name="hot-object-lock" if is_object else "hot-lock",
        title=f"{threads} threads contend for {lock.name}"
        if threads > 1
        else f"thread {trace.thread_name(int(intervals.thread[rows[0]]))} waits for {lock.name}, "
        "which others hold",
        severity=Severity.MEDIUM,
        evidence=(
            (
                f"{count_text(threads, 'thread')} waited for it, {words} "
                f"({lock.kind.replace('_', ' ')}{many})"
            ),
            *([f"{lock.member}, taken by: {own.taken_by}"] if own else ()),
            (
                f"that took {of_run(trace, cost)}; the longest wait took "
                f"{time_text(int(intervals.duration[rows].max()))}"
            ),
            *limit(trace, cost, gained),
            *_where(facts, rows),
            *_held(facts, rows),
        ),
        advice=own.advice if own else OBJECT if is_object else OTHER,
        intervals=jumps(intervals, rows, f"waits for {lock.name}"),
        cost_ns=gained,
    )


def _where(facts: Facts, rows: I64) -> list[str]:
    """Return the line that says where most of these waits were, if that is known."""
    intervals = facts.trace.intervals
    used, places = np.unique(intervals.stack[rows], return_inverse=True)
    cost = np.bincount(places, intervals.duration[rows])
    frames = facts.trace.stacks[int(used[int(cost.argmax())])]
    if not frames:
        return []
    return [f"{share(cost.max(), cost.sum())} of it at {called_from(frames)}"]


def _held(facts: Facts, rows: I64) -> Iterator[str]:
    """Yield a line for each thread that had the lock for much of this waiting, and where."""
    trace, held = facts.trace, held_during(facts.trace, rows)
    total = float(trace.intervals.duration[rows].sum())
    threads, places = np.unique(held.holder, return_inverse=True)
    cost = np.bincount(places, held.ns, len(threads))
    order = np.argsort(-cost, kind="stable")[:MOST_HOLDERS]
    for number in order[cost[order] >= LEAST_PART * total].tolist():
        mine = places == number
        stacks, at = np.unique(held.stack[mine], return_inverse=True)
        most = int(np.bincount(at, held.ns[mine], len(stacks)).argmax())
        frames = trace.stacks[int(stacks[most])]
        until = f", until {called_from(frames)}" if frames else ""
        name = trace.thread_name(int(threads[number]))
        yield f"{share(cost[number], total)} of it while thread {name} had the lock{until}"


def _of_lock(facts: Facts, lock: Lock, rows: I64, waited: int) -> int:
    """Return how much of the waiting for a lock is the lock's doing, ns.

    Where threads that had waited for the lock of an object, or one of the interpreter's, then had
    it for microseconds only, long waits are due to threads that lost their processor. How much that
    was is known in sums only; where it is nearly all, the rest is within their error.
    """
    momentary = lock.kind == "object" or interpreter_lock(lock.member) is not None
    took = facts.trace.intervals.duration[rows]
    if not momentary or is_turn(lock) or not matters(facts.trace, int(took.sum())):
        return waited
    held = hold_times(facts.trace, rows)
    typical = int(np.median(held)) if len(held) else 0
    if typical > MOMENT_NS:
        others = len(np.unique(facts.trace.intervals.thread[rows])) - 1
        return max(waited, int(np.minimum(took, others * typical).sum()))
    if len(held) < LEAST_HOLDS:
        return waited
    part = ran_part(facts.trace, rows)
    return int(waited * part) if part >= LEAST_RAN else 0


def _contention(facts: Facts, rows: I64) -> I64:
    """Return what each wait counts for, ns: all of a sleep, of a spin what it may have taken."""
    intervals = facts.trace.intervals
    limit = intervals.aux[rows].astype(np.int64) * YIELD_NS
    duration = intervals.duration[rows]
    spin = intervals.kind[rows] == Event.SPIN
    counted: I64 = np.where(spin, np.minimum(duration, limit), duration)
    return counted


def lock_convoy(facts: Facts) -> Iterator[Finding]:
    """Find locks whose new owner first had to wait for the GIL."""
    trace, intervals = facts.trace, facts.trace.intervals
    found = convoys(trace, facts.states)
    waits = found.gil_waits
    ids, places = np.unique(intervals.what[found.lock_waits], return_inverse=True)
    cost = np.bincount(places, intervals.duration[waits], len(ids)).astype(np.int64)
    counts = np.bincount(places, minlength=len(ids))
    worth = (counts >= LEAST_CONVOYS) & np.array([matters(trace, ns) for ns in cost.tolist()], bool)
    for number in np.flatnonzero(worth).tolist():
        lock = trace.locks[int(ids[number])]
        rows = waits[places == number]
        yield Finding(
            name="lock-convoy",
            title=f"threads hold {lock.name} while they wait for the GIL",
            severity=Severity.MEDIUM,
            evidence=(
                (
                    f"{len(rows):,} times a thread was given the lock and then had to wait for the "
                    f"GIL: {of_run(trace, int(cost[number]))}"
                ),
                (
                    f"the longest such wait took {time_text(int(intervals.duration[rows].max()))}; "
                    "other threads that want the lock wait as long"
                ),
            ),
            advice="Keep code that needs the GIL out of the locked section, take the lock less "
            "often, or give each thread a lock of its own.",
            intervals=jumps(intervals, rows, f"holds {lock.name} and waits for the GIL"),
            cost_ns=had_back(trace, rows, int(cost[number])),
        )
