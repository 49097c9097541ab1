"""Lets the tasks of a pool go to several threads, as they may, and tells when one did all work.

The first thread of a pool would do many short tasks, in order, before the pool starts the next
one. So each thread rests before it gives the result of each of its first few tasks. Threads that
take their work from a container rest likewise, in the native half.
"""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from dataclasses import dataclass, field

from gilscope.target.one_watch import name_of

REST_S = 0.02
RESTS = 4  # of each thread
MOST_QUEUES = 1000
FEW = 2  # items that one thread may take by itself before that is worth a word


class Spread(threading.local):
    """What one thread has done of a pool's tasks."""

    def __init__(self) -> None:
        """Begin with the thread's first task."""
        self.task: object = None
        self.begun = 0

    def begins(self, future: object) -> None:
        """Know of the task that the thread is about to do, by its future."""
        self.begun += 1
        self.task = future if self.begun <= RESTS else None

    def ends(self, future: object) -> None:
        """Rest, when the thread is about to give the result of one of its first tasks."""
        if self.task is future:
            self.task = None
            time.sleep(REST_S)


class Worker(threading.local):
    """A number that no other thread has, unlike its identifier."""

    numbers = itertools.count()

    def __init__(self) -> None:
        """Number the thread that asks."""
        self.number = next(self.numbers)


@dataclass
class Taken:
    """Who took what from one queue.

    Attributes:
        of: The queue, as long as it lives.
        asked: Numbers of the threads that got something from it, or tried to.
        items: How many each of them got, but for None, by which many a program ends a thread.
        names: Of the threads that got some.
    """

    of: weakref.ref[object]
    asked: set[int] = field(default_factory=set)
    items: dict[int, int] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)


class Shares:
    """How the work that came by each `queue.Queue` was shared."""

    def __init__(self) -> None:
        """Know of no queue yet."""
        self._by_id: dict[int, Taken] = {}
        self._ended: list[Taken] = []
        self._worker = Worker()

    def asked(self, queue: object) -> None:
        """Know that the thread tries to get something."""
        known = self._of(queue)
        if known is not None:
            known.asked.add(self._worker.number)

    def got(self, queue: object, item: object) -> None:
        """Know that the thread got something."""
        known = self._of(queue)
        if known is None or item is None:
            return
        me = self._worker.number
        known.items[me] = known.items.get(me, 0) + 1
        if me not in known.names:
            known.names[me] = name_of(threading.current_thread())

    def _of(self, queue: object) -> Taken | None:
        known = self._by_id.get(id(queue))
        if known is not None and known.of() is queue:
            return known
        if len(self._by_id) + len(self._ended) >= MOST_QUEUES:
            return None
        if known is not None:  # of another one that was there before
            self._ended.append(known)
            self._by_id.pop(id(queue), None)
        return self._by_id.setdefault(id(queue), Taken(weakref.ref(queue)))

    def notes(self) -> list[str]:
        """Return a line for each queue whose work one of several threads did alone."""
        lines = []
        for each in [*self._ended, *self._by_id.values()]:
            (me, count), *others = each.items.items() or [(0, 0)]
            if len(each.asked) > 1 and count >= FEW and not others:
                lines.append(
                    f"one of {len(each.asked)} threads, {each.names[me]}, did all the work that "
                    f"came by a queue ({count} items): this run could not show races of the others"
                )
        return list(dict.fromkeys(lines))
