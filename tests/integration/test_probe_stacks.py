"""Stacks of waits for locks and of who ended them, and what the program calls the locks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conftest import TARGETS
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Recorded
    from gilscope.trace.model import Frame, Lock

    type Record = Callable[..., Recorded]

FREE_THREADED = pytest.mark.parametrize("interpreter", ["ft"], indirect=True)
SOURCE = TARGETS / "stacks.py"
MOST_FRAMES = 128
RECORDINGS = 8


def line(marker: str) -> int:
    """The line of the target that ends with a comment."""
    (found,) = [
        number
        for number, text in enumerate(SOURCE.read_text().splitlines(), 1)
        if text.endswith(f"# {marker}")
    ]
    return found


def waits(recorded: Recorded, tid: int) -> list[tuple[Lock, tuple[Frame, ...]]]:
    """The locks that a thread has waited for, and where, in order; waits for events left out."""
    trace = recorded.trace
    index = recorded.thread(tid).index
    some = trace.intervals.where(Event.LOCK_WAIT)
    columns = (some.start, some.thread, some.what, some.stack)
    rows = sorted(zip(*(column.tolist() for column in columns), strict=True))
    return [
        (trace.locks[what], trace.stacks[stack])
        for _, thread, what, stack in rows
        if thread == index and trace.locks[what].kind not in {"event", "stop_the_world"}
    ]


def staged_wait(recorded: Recorded, fact: dict[str, Any]) -> tuple[Lock, tuple[Frame, ...]]:
    """What a thread waited for that waited once, but for locks that the interpreter has itself."""
    own = [wait for wait in waits(recorded, fact["waiter"]) if wait[0].source != "interpreter"]
    return own[-1]


def place(recorded: Recorded, name: str) -> list[tuple[str, int]]:
    """(function, line) of the stack in one of the places."""
    (fact,) = [fact for fact in recorded.facts if fact["place"] == name]
    _, stack = staged_wait(recorded, fact)
    assert [frame.name for frame in stack if frame.native] == []
    return [(frame.name, frame.line) for frame in stack]


PLACES = {
    "in_with": [("in_with", "in with")],
    "in_callback": [
        ("in_callback.<locals>.key", "in callback"),
        ("in_callback", "calls back"),
    ],
    "in_generator": [
        ("in_generator.<locals>.generator", "in generator"),
        ("in_generator", "runs the generator"),
    ],
    "in_expression": [
        ("in_expression.<locals>.<genexpr>", "in expression"),
        ("in_expression", "in expression"),
    ],
    "in_comprehension": [("in_comprehension", "in comprehension")],
    "in_coroutine": [
        ("in_coroutine.<locals>.inner", "in coroutine"),
        ("in_coroutine.<locals>.outer", "awaits"),
        ("in_coroutine", "sends"),
    ],
    "in_non_ascii": [("in_non_ascii.<locals>.wärter", "in non-ascii")],
}


@pytest.mark.parametrize("name", PLACES)
def test_stack_of_a_wait(record: Record, name: str) -> None:
    """The stack has the functions that wait, and the line where each of them is."""
    recorded = record("stacks.py", "places")
    expected = [(function, line(marker)) for function, marker in PLACES[name]]
    found = place(recorded, name)
    assert found[: len(expected)] == expected
    assert [function for function, _ in found[-3:]] == [
        "Thread.run",
        "Thread._bootstrap_inner",
        "Thread._bootstrap",
    ]


def test_file_and_module_of_a_frame(record: Record) -> None:
    """A frame says the file of its function, and the module."""
    recorded = record("stacks.py", "places")
    _, stack = staged_wait(recorded, recorded.facts[0])
    assert (stack[0].file, stack[0].module) == (str(SOURCE), "__main__")
    assert stack[-1].file.endswith("threading.py")
    assert stack[-1].module == "threading"


def test_stack_of_code_made_from_text(record: Record) -> None:
    """Code without a file is named as it was compiled."""
    recorded = record("stacks.py", "places")
    assert place(recorded, "in_text")[:2] == [("<module>", 3), ("in_text", line("runs text"))]
    (fact,) = [fact for fact in recorded.facts if fact["place"] == "in_text"]
    assert staged_wait(recorded, fact)[1][0].file == "text of stacks"


def test_deep_stack_is_cut(record: Record) -> None:
    """Of a deep stack the innermost frames are kept."""
    found = place(record("stacks.py", "places"), "in_recursion")
    assert found[0] == ("in_recursion", line("in recursion"))
    assert found[1:] == [("in_recursion", line("recurses"))] * (MOST_FRAMES - 1)


def test_stack_of_who_ended_the_wait(record: Record) -> None:
    """The wake has the stack of the thread that gave the lock up."""
    recorded = record("stacks.py", "places")
    trace = recorded.trace
    for fact in recorded.facts:
        lock, _ = staged_wait(recorded, fact)
        woken = recorded.thread(fact["waiter"]).index
        rows = (trace.wakes.what == lock.id) & (trace.wakes.peer == woken)
        (stack,) = trace.wakes.select(rows).stack.tolist()
        assert [(frame.name, frame.line) for frame in trace.stacks[stack][:1]] == [
            ("gives_up", line("gives up"))
        ]


@pytest.mark.parametrize("name", ["churn", "churn_unwatched"])
def test_code_objects_that_come_and_go(record: Record, name: str) -> None:
    """A function at the address of one that is gone is not taken for that one."""
    recorded = record("stacks.py", name)
    found = [
        (stack[0].name, stack[0].file, stack[0].line)
        for _, stack in waits(recorded, recorded.facts["waiter"])
        if stack[0].name.startswith("made_")
    ]
    expected = [(f"made_{i}", f"text {i}", i + 3) for i in range(recorded.facts["rounds"])]
    assert found == expected


def test_names_of_locks(record: Record) -> None:
    """A lock has the program's name for it, and the source of the name."""
    recorded = record("stacks.py", "names")
    for fact in recorded.facts:
        lock, _ = staged_wait(recorded, fact)
        assert (fact["name"] in lock.name, lock.source) == (True, fact["source"]), lock


def test_lock_at_the_address_of_another_one(record: Record) -> None:
    """A lock is not called by the name of one that is gone."""
    recorded = record("stacks.py", "reused")
    for fact in recorded.facts:
        lock, _ = staged_wait(recorded, fact)
        assert f"`{fact['name']}`" in lock.name
    assert len({staged_wait(recorded, fact)[0].address for fact in recorded.facts}) < len(
        recorded.facts
    )


def test_lock_with_two_names(record: Record) -> None:
    """A lock that is known by two names stays one lock, and has both."""
    recorded = record("stacks.py", "alias")
    locks = {staged_wait(recorded, fact)[0].id for fact in recorded.facts}
    assert len(locks) == 1
    lock = recorded.trace.locks[locks.pop()]
    assert "`wait_odd.<locals>.odd / wait_even.<locals>.even`" in lock.name


def test_lock_that_tracemalloc_knows(record: Record) -> None:
    """A living lock without a name is called by the line that made it, if that is known."""
    recorded = record("stacks.py", "allocated")
    unknown, known, gone, _ = recorded.facts
    lock, _ = staged_wait(recorded, known)
    assert f"{SOURCE}:{line('allocates')}" in lock.name
    assert lock.source == "allocation"
    assert staged_wait(recorded, unknown)[0].source == "first wait"
    assert staged_wait(recorded, gone)[0].source == "creation"


def test_lines_that_created_locks(record: Record) -> None:
    """A lock that was made while the probe ran is known by the line, an older one is not."""
    recorded = record("stacks.py", "created")
    early, *late = recorded.facts
    before, _ = staged_wait(recorded, early)
    assert (before.source, before.created) == ("first wait", "")
    for fact, place in zip(late, ("makes a lock", "makes another", "makes a queue"), strict=True):
        lock, _ = staged_wait(recorded, fact)
        assert lock.created == f"{SOURCE}:{line(place)}"
        assert lock.source == "attribute" or lock.name.endswith(
            f" created at stacks.py:{line(place)}"
        )
    assert len({staged_wait(recorded, fact)[0].id for fact in recorded.facts}) == 4


def test_the_line_that_created_a_named_lock(record: Record) -> None:
    """A lock that has a name keeps it, and the line is known all the same."""
    recorded = record("stacks.py", "created_and_named")
    lock, _ = staged_wait(recorded, recorded.facts[0])
    assert lock.source == "local variable"
    assert lock.created == f"{SOURCE}:{line('makes a named lock')}"


def test_types_are_as_before_after_a_stop(record: Record) -> None:
    """While it records, the probe hears of locks that end; after a stop nothing of it is left."""
    before, during, after, again, end = record("stacks.py", "put_back").facts
    assert before == after == end
    assert during == again
    assert all(ours != theirs for ours, theirs in zip(before, during, strict=True))


@FREE_THREADED
@pytest.mark.parametrize("name", ["object_global", "object_local"])
def test_names_of_objects(record: Record, name: str) -> None:
    """An object whose own lock is waited for is called what the program calls it."""
    recorded = record("stacks.py", name)
    found = [lock for lock, _ in waits(recorded, recorded.facts["waiter"])]
    names = [lock.name for lock in found if lock.object_address == recorded.facts["object"]]
    assert names
    assert all(f"`{recorded.facts['name']}`" in name for name in names)


def test_stacks_under_stress(record: Record) -> None:
    """Whatever the threads are in the middle of, the program goes on, and stacks are whole."""
    recorded = record("stacks.py", "stress")
    assert recorded.facts == {"recordings": RECORDINGS}
    functions = set()
    for i in range(RECORDINGS):
        trace = recorded.beside(f".{i}").trace
        rows = trace.intervals.where(Event.LOCK_WAIT)
        stacks = [trace.stacks[stack] for stack in set(rows.stack.tolist()) if stack]
        assert {stack[-1].name for stack in stacks} <= {"Thread._bootstrap", "<module>"}
        assert all(frame.line for stack in stacks for frame in stack)
        functions |= {frame.name for stack in stacks for frame in stack}
    assert {"storm", "generates", "raises", "awaited"} <= functions


def test_self_test_measures_a_stack(record: Record) -> None:
    """A trace says what a captured stack costs."""
    cost = record("stacks.py", "places").trace.stack_cost_ns
    assert cost is not None
    assert cost > 0
