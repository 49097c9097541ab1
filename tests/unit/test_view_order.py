"""The order of lanes in timelines that stand one above the other."""

from __future__ import annotations

from gilscope.trace.model import Thread
from gilscope.view.data.lane_order import aligned


def shown(*timelines: list[str]) -> list[list[str]]:
    """Return the names of each timeline as they are shown."""
    orders = aligned([[Thread(number, name) for number, name in enumerate(t)] for t in timelines])
    return [[names[i] for i in order] for names, order in zip(timelines, orders, strict=True)]


def test_members_of_a_pool_are_ordered_by_number() -> None:
    """Chance decides which thread of a pool starts first, not how they are shown."""
    names = ["MainThread", "eval-10", "eval-2", "eval-1"]
    assert shown(names) == [["MainThread", "eval-1", "eval-2", "eval-10"]]


def test_groups_stand_where_their_first_member_started() -> None:
    """A thread that started before a pool is shown before it."""
    names = ["MainThread", "reader", "pool 2", "alarm", "pool 1"]
    assert shown(names) == [["MainThread", "reader", "pool 1", "pool 2", "alarm"]]


def test_all_timelines_have_the_order_of_the_first() -> None:
    """The same thread has the same place whichever started first in a run."""
    first, second = ["MainThread", "a", "b"], ["MainThread", "b", "a"]
    assert shown(first, second) == [first, first]


def test_the_main_thread_is_first_whatever_its_name() -> None:
    """The main thread keeps its place even if another one shares its name."""
    names = ["python 9", "worker", "python 1"]
    assert shown(names)[0][0] == "python 9"


def test_no_threads_have_no_order() -> None:
    """A timeline without threads is no error."""
    assert shown([], ["MainThread"]) == [[], ["MainThread"]]


def test_threads_of_an_interpreter_come_together() -> None:
    """Behind those of the main interpreter, by the interpreter's number."""
    threads = [
        Thread(1, "MainThread", main=True),
        Thread(2, "run-1", interpreter=1),
        Thread(3, "run-2", interpreter=2),
        Thread(4, "reader"),
        Thread(5, "helper", interpreter=1),
    ]
    (order,) = aligned([threads])
    assert [threads[place].label for place in order] == [
        "MainThread",
        "reader",
        "interpreter 1: run-1",
        "interpreter 1: helper",
        "interpreter 2: run-2",
    ]
