"""Where threads are that keep the GIL, and that finding out does the program no harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("numpy")

from gilscope.analysis.facts import Facts
from gilscope.trace.format import SampleFlag

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Interpreter, Recorded

    type Keep = Callable[[str], Recorded]

pytestmark = pytest.mark.parametrize("interpreter", ["gil"], indirect=True)
FEW = 3  # looks at a holder that a busy machine leaves of the dozens that there are


@pytest.fixture
def keep(interpreter: Interpreter, record: Callable[..., Recorded]) -> Keep:
    """Record a scenario of targets/keeping.py."""
    interpreter.compile("keeper")
    return lambda scenario: record("keeping.py", scenario)


def seen(recorded: Recorded, flag: int = 0) -> list[list[str]]:
    """Names of the frames of each sample that has a stack and the flag, the innermost first."""
    samples, stacks = recorded.trace.gil_samples, recorded.trace.stacks
    rows = zip(samples.stack.tolist(), samples.flags.tolist(), strict=True)
    return [
        [frame.name for frame in stacks[stack]]
        for stack, flags in rows
        if stack and flags & flag == flag
    ]


def test_native_code_that_computes(keep: Keep) -> None:
    """Its function is seen, with the Python function that called it."""
    stacks = [names for names in seen(keep("computing"), SampleFlag.ASKED) if "compute" in names]
    assert len(stacks) >= FEW
    for names in stacks:
        assert names.index("compute") < len(names) - 1


def test_native_code_that_sleeps(keep: Keep) -> None:
    """Its function and the system's are seen, with the Python code that called it."""
    stacks = [names for names in seen(keep("asleep"), SampleFlag.ASLEEP) if "doze" in names]
    assert len(stacks) >= FEW
    assert all("nanosleep" in names[names.index("doze") - 1] for names in stacks)
    assert all("asleep.<locals>.<lambda>" in names for names in stacks)


def test_the_one_that_kept_it_is_charged(keep: Keep) -> None:
    """Nearly all waiting was for it, whatever was recorded when the hold ended."""
    recorded = keep("computing")
    pieces = Facts(recorded.trace).pieces
    charged = pieces.caused_ns[[pieces.places[p].function == "compute" for p in pieces.place]]
    assert charged.sum() > pieces.caused_ns.sum() / 2


def test_native_code_of_the_interpreter(keep: Keep) -> None:
    """It is seen at work, with the line that called it."""
    stacks = [names for names in seen(keep("sorting")) if "sorting.<locals>.<lambda>" in names]
    assert stacks


def test_no_system_call_is_interrupted(keep: Keep) -> None:
    """A thread that computes and sleeps in turns is seen in both, and never gets EINTR."""
    recorded = keep("in_turns")
    assert recorded.facts == 0
    assert len(seen(recorded, SampleFlag.ASLEEP)) >= FEW
    assert any("turns" in names for names in seen(recorded, SampleFlag.ASKED))


@pytest.mark.parametrize("scenario", ["handled", "handled_later"])
def test_a_handler_of_the_program_gets_no_signal_of_ours(keep: Keep, scenario: str) -> None:
    """And it stays installed; the trace says what is missing if it was there first."""
    recorded = keep(scenario)
    assert recorded.facts == [0, True]
    missing = "native_code_that_keeps_the_gil" in recorded.trace.not_measured
    assert missing == (scenario == "handled")


def test_a_thread_that_blocks_the_signal_finds_none_waiting(keep: Keep) -> None:
    """After the session the process has no handler."""
    assert keep("blocked").facts == [False, False]


def test_children_have_no_handler(keep: Keep) -> None:
    """Neither a forked one nor a program that is started."""
    assert keep("in_a_child").facts == [0, "True", False]
