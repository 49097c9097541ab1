"""Explains which thread waits for which, whether that can end, and what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from gilscope.config import OWN_THREADS
from gilscope.target.hangs import waits
from gilscope.target.hangs.forks import fork_of, taker_in_parent
from gilscope.target.hangs.names import is_own
from gilscope.target.hangs.sentences import MOST_TOLD, sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gilscope.target.hangs.picture import Picture, Thread, Wait

_NATIVE_LOCKS = ("mutex", "rwlock", "guard", "once", "stdio")


@dataclass(frozen=True)
class ThreadReport:
    """The report on one thread.

    Attributes:
        tid: The kernel's id.
        name: For people.
        doing: One sentence: what it waits for and who has that, or that it runs.
        holds: What it is known to own.
        python: Its Python stack, innermost first: ``(file, line, function)``.
        native: Its native stack, innermost first: ``(path, offset, function)``.
        stuck: Whether it is one of those that cannot go on.
        mixed: Both stacks in one, innermost first: ``(file, line, function)``, where py-spy reads
            them.
    """

    tid: int
    name: str
    doing: str
    holds: list[str]
    python: list[tuple[str, int, str]]
    native: list[tuple[str, int, str]]
    stuck: bool
    mixed: list[tuple[str, int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """The report on a process.

    Attributes:
        pid: The process.
        version: Of its Python.
        kind: ``deadlock``, ``hang-abandoned-lock``, ``hang-spinning``, or "" if nothing shows that
            it cannot go on.
        headline: One line; "" if there is nothing to say.
        advice: What to do; "" if that is not known.
        threads: All of them, those that cannot go on first.
        suspected: Whether the memory does not prove all that the headline says.
    """

    pid: int
    version: str
    kind: str
    headline: str
    advice: str
    threads: list[ThreadReport]
    suspected: bool = False

    def data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def cycle(picture: Picture) -> list[Thread]:
    """Return threads that wait for one another in a circle, so that none of them can go on.

    Each needs the next one; one that any of several could let go on needs all of those.
    """
    waits = {
        tid: thread.wait
        for tid, thread in picture.threads.items()
        if thread.wait and thread.wait.owners and not thread.wait.ends
    }
    stuck = _stuck(waits)
    for first in stuck:
        path: list[int] = []
        tid = first
        while tid not in path:
            path.append(tid)
            tid = next(owner for owner in stuck[tid].owners if owner in stuck)
        circle = path[path.index(tid) :]
        # The thread that keeps the GIL, or is attached, comes first.
        keeps = (i for i, one in enumerate(circle) if picture.threads[one].attached)
        begin = next(keeps, 0)
        circle = _with_all(stuck, circle[begin:] + circle[:begin])
        return [picture.threads[one] for one in circle]
    return []


def _stuck(waits: Mapping[int, Wait]) -> dict[int, Wait]:
    """Return the threads of which each waits for one of them, or for nobody but them.

    All are taken to be stuck, until one is seen to wait for a thread that is not.
    """
    stuck = dict(waits)
    while True:
        free = [
            tid
            for tid, wait in stuck.items()
            if not (all if wait.any_of else any)(owner in stuck for owner in wait.owners)
        ]
        if not free:
            return stuck
        for tid in free:
            del stuck[tid]


def _with_all(stuck: Mapping[int, Wait], circle: list[int]) -> list[int]:
    """Add to a circle all that one of its threads stuck for any of, and who those need."""
    found = list(circle)
    for tid in found:
        wait = stuck[tid]
        if wait.any_of:
            found += [owner for owner in wait.owners if owner not in found]
        elif not set(wait.owners) & set(found):
            found.append(next(owner for owner in wait.owners if owner in stuck))
    return found


def chain(picture: Picture, first: list[Thread]) -> list[Thread]:
    """Return the threads of a circle, then those that wait for them, at last all others."""
    stuck = {thread.tid for thread in first}
    told = list(first)
    grew = True
    while grew:
        grew = False
        for thread in picture.threads.values():
            owners = thread.wait.owners if thread.wait and not thread.wait.ends else ()
            if thread.tid not in stuck and stuck & set(owners):
                stuck.add(thread.tid)
                told.append(thread)
                grew = True
    return told


def explain(
    picture: Picture,
    *,
    stuck: bool = False,
    spinning: int = 0,
    ending: int = 0,
    blame: bool = True,
) -> Report:
    """Return the report.

    Args:
        picture: With what its threads wait for.
        stuck: Whether the process was seen to stand still: all threads asleep in the same waits.
        spinning: A thread that was seen to spin while others wait for it; 0 if none.
        ending: The thread that ends the interpreter and waits for another one; 0 if none.
        blame: Whether anything is said to hang: not for a look at a process that goes on.
    """
    picture.spinning = spinning
    picture.ending = ending
    circle = [picture.threads[ending]] if ending else cycle(picture) if blame else []
    everyone = picture.threads.values() if blame else ()
    abandoned = [t for t in everyone if t.wait and _abandoned(picture, t, stuck)]
    if circle:
        told, kind = chain(picture, circle), "deadlock"
    elif abandoned:
        told, kind = chain(picture, abandoned), "hang-abandoned-lock"
    elif spinning in picture.threads:
        told, kind = chain(picture, [picture.threads[spinning]]), "hang-spinning"
    else:
        told, kind = (list(picture.threads.values()) if stuck else []), "deadlock" if stuck else ""
    suspected = kind == "hang-abandoned-lock" and not abandoned[0].wait.lost  # type: ignore[union-attr]
    headline = _headline(picture, kind, told, suspected=suspected)
    return Report(
        picture.process.pid,
        picture.interpreter.version,
        kind,
        headline,
        _advice(picture, kind, told) if kind else "",
        _reports(picture, told),
        suspected,
    )


def _abandoned(picture: Picture, thread: Thread, stuck: bool) -> bool:  # noqa: FBT001
    """Whether a thread waits for a lock of which nobody here is the owner, for good."""
    wait = thread.wait
    if wait is None or wait.ends:
        return False
    return bool(wait.lost) or (
        stuck and wait.kind == "lock" and not wait.owners and fork_of(picture) is not None
    )


def _headline(picture: Picture, kind: str, told: list[Thread], *, suspected: bool) -> str:
    if not kind:
        return ""
    shown = [t for t in told if t.wait and not t.wait.ends] or told
    if kind == "hang-spinning":
        shown = told
    text = "; ".join(sentence(picture, thread) for thread in shown[:MOST_TOLD])
    if len(shown) > MOST_TOLD:
        text += f"; and {len(shown) - MOST_TOLD} more"
    if kind == "hang-abandoned-lock":
        forked = fork_of(picture)
        where = f" at {forked[1]}" if forked and forked[1] else ""
        origin = f" (forked from {forked[0]}{where})" if forked else ""
        text = f"process {picture.process.pid}{origin}: {text}"
        if suspected:
            who = taker_in_parent(forked[0], told[0].wait.lock) if forked and told[0].wait else ""
            text += (
                ", which no thread here owns: it was locked at the fork (suspected) by a thread "
                f"that does not exist here{who}, so nobody will release it"
            )
        return f"hang: {text}"
    if kind == "deadlock" and picture.ending:
        text += "; the interpreter ends, and no other thread runs Python any more"
    elif kind == "deadlock" and not any(t.wait and t.wait.owners for t in shown):
        text += "; no thread that could end this is able to run"
    elif kind == "deadlock" and any(t.wait and t.wait.kind == "event" for t in shown):
        text += "; nobody is left who could end the wait"
    return f"{kind.partition('-')[0]}: {text}"


def _advice(picture: Picture, kind: str, told: list[Thread]) -> str:
    forked = fork_of(picture) is not None
    if picture.ending:
        return "Join threads before the program ends; take no locks in __del__ and at exit."
    if kind == "hang-abandoned-lock" and forked:
        return "Start children with spawn or forkserver, or fork before other threads take locks."
    if kind == "hang-abandoned-lock":
        return "Release a lock in the thread that took it before that thread ends: use with blocks."
    if kind == "hang-spinning":
        return "Release the GIL (Py_BEGIN_ALLOW_THREADS) around the loop that waits."
    return advice_on_waits(told)


def advice_on_waits(told: list[Thread]) -> str:
    """Return what to do about threads that wait for each other."""
    kinds = {thread.wait.kind for thread in told if thread.wait}
    # Who waits with the GIL is at fault; who only joins one of these is not.
    keeping = {t.wait.kind for t in told if t.wait and (t.holds_gil or t.attached)}
    for found, text in _ADVICE:
        if found in keeping or (found in kinds and found in _OF_ANYBODY):
            return text
    return (
        "Take the locks in the same order everywhere, or do not wait with a lock that others need."
    )


_OF_ANYBODY = ("import", "event", "future", "pause")
"""Waits that matter whether or not the thread keeps others from running."""

_ADVICE = (
    ("join", "Release the GIL around the join (py::gil_scoped_release, Py_BEGIN_ALLOW_THREADS)."),
    (
        "guard",
        "Initialise with py::gil_safe_call_once_and_store, or release the GIL around it.",
    ),
    ("once", "Release the GIL before std::call_once, or run no Python code inside it."),
    ("import", "Do not wait in a module's code for a thread that imports: start threads after it."),
    (
        "mutex",
        "Release the GIL before native code takes the lock, or unlock before entering Python.",
    ),
    ("rwlock", "Release the GIL before native code takes the lock."),
    ("pause", "Detach (Py_BEGIN_ALLOW_THREADS) around native code that waits."),
    (
        "future",
        "Do not wait in a worker, or in the thread of an event loop, for what only it can do.",
    ),
    ("event", "Do not wait for another thread with a lock that it needs."),
)


def _reports(picture: Picture, told: list[Thread]) -> list[ThreadReport]:
    rest = [t for t in picture.threads.values() if t not in told and t.name not in OWN_THREADS]
    stuck = {thread.tid for thread in told}
    return [report_on(picture, t, stuck=t.tid in stuck) for t in [*told, *rest]]


def report_on(picture: Picture, thread: Thread, *, stuck: bool) -> ThreadReport:
    """Return the report on a thread."""
    return ThreadReport(
        thread.tid,
        thread.name,
        sentence(picture, thread),
        waits.held(picture, thread),
        [(f.file, f.line, f.name) for f in thread.python if not is_own(f.file)],
        [(f.path, f.offset, f.function) for f in thread.native if not is_own(f.path)],
        stuck,
    )
