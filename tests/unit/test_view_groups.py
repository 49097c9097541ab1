"""Which threads share one lane."""

from __future__ import annotations

from gilscope.trace.model import Thread
from gilscope.view.data.groups import FROM, ROOM, groups_of

MAIN = Thread(1, "MainThread", main=True, end_ns=100)


def threads(*names: str, life: int = 10) -> list[Thread]:
    """Return the main thread and threads that live one after the other."""
    return [MAIN] + [
        Thread(number, name, start_ns=life * number, end_ns=life * (number + 1))
        for number, name in enumerate(names, 2)
    ]


def numbered(pattern: str, count: int) -> list[str]:
    """Return names that differ in their number."""
    return [pattern.format(number) for number in range(1, count + 1)]


def names_of(*timelines: list[Thread]) -> list[str]:
    """Return the names of the groups."""
    return [group.name for group in groups_of(timelines)[0]]


def test_a_picture_of_few_threads_has_a_lane_for_each() -> None:
    """As many as have room are not grouped, whatever they are called."""
    assert names_of(threads(*numbered("eval-{}", ROOM - 1))) == []


def test_threads_of_one_function_are_a_group_named_after_it() -> None:
    """As Python names them; the number within a function's name is no number of a thread."""
    found, [members] = groups_of([threads(*numbered("Thread-{} (load2)", 30))])
    assert [group.name for group in found] == ["load2"]
    assert members.tolist() == [-1] + [0] * 30


def test_each_pool_is_a_group() -> None:
    """The number of a pool is kept, the number of a worker is not."""
    names = numbered("ThreadPoolExecutor-0_{}", 20) + numbered("ThreadPoolExecutor-1_{}", 10)
    assert names_of(threads(*names)) == ["ThreadPoolExecutor-0", "ThreadPoolExecutor-1"]


def test_many_small_pools_are_one_group() -> None:
    """Of pools of four threads each, none is a group of its own."""
    names = [f"pool-{pool} worker-{n}" for pool in range(10) for n in range(4)]
    assert names_of(threads(*names)) == ["pool-… worker"]


def test_threads_of_one_name_are_a_group() -> None:
    """Native threads are called as their process is, all of them."""
    assert names_of(threads(*["python3"] * 40)) == ["python3"]


def test_few_threads_of_a_name_are_none() -> None:
    """They stand for themselves among others that are many."""
    names = numbered("many-{}", 40) + numbered("few-{}", FROM - 1)
    assert names_of(threads(*names)) == ["many"]


def test_the_main_thread_has_a_lane_of_its_own() -> None:
    """Even where other threads are called like it."""
    _, [members] = groups_of([threads(*["MainThread"] * 40)])
    assert members.tolist() == [-1] + [0] * 40


def test_groups_are_the_same_in_all_timelines() -> None:
    """One build may have started fewer threads of a kind: they are the same group."""
    found, members = groups_of([threads(*numbered("f-{}", 40)), threads(*numbered("f-{}", 3))])
    assert [group.name for group in found] == ["f"]
    assert members[1].tolist() == [-1, 0, 0, 0]


def test_the_peak_counts_threads_that_live_at_one_time() -> None:
    """Threads that follow each other are one at a time; the largest of all timelines counts."""
    chain = threads(*numbered("f-{}", 40))
    crowd = [MAIN, *(Thread(n, f"f-{n}", start_ns=n, end_ns=1000) for n in range(2, 32))]
    assert groups_of([chain])[0][0].peak == 1
    assert groups_of([chain, crowd])[0][0].peak == 30


def test_kinds_of_one_short_name_keep_their_patterns() -> None:
    """A function and a pool may be called the same."""
    names = numbered("Thread-{} (eval)", 20) + numbered("eval-{}", 20)
    assert names_of(threads(*names)) == ["Thread-… (eval)", "eval-…"]
