"""Deadlocks to come, from traces."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import gilscope
from gilscope.analysis.order.traced import find_in
from gilscope.cli import main
from trace_builder import TraceBuilder

if TYPE_CHECKING:
    from pathlib import Path

    from gilscope.analysis.order.model import Hazard


def hazards(builder: TraceBuilder, path: Path) -> tuple[Hazard, ...]:
    """Return the hazards of a trace."""
    builder.write(path / "run.gilscope")
    return find_in(gilscope.open(path / "run.gilscope")).hazards


def two_halves(*, with_gil: bool = True) -> TraceBuilder:
    """A mutex whose holder waits for the GIL; later, another thread waits for it with the GIL."""
    builder = TraceBuilder()
    main_thread = builder.thread("MainThread", main=True)
    holder, waiter = builder.thread("holder"), builder.thread("waiter")
    mutex = builder.lock("native_mutex", address=0x3000)
    builder.hold(main_thread, 0, 300)
    builder.gil_wait(holder, 100, 300, peer=main_thread)
    builder.hold(holder, 300, 400)
    builder.wait(waiter, mutex, 200, 350, peer=holder, flags=8)
    if with_gil:
        builder.hold(waiter, 500, 900)
    builder.wait(waiter, mutex, 600, 700)
    return builder


def test_halves_that_never_met_are_a_hazard(tmp_path: Path) -> None:
    """Each half of a deadlock seen once is a hazard, suspected: order is not in a trace."""
    (hazard,) = hazards(two_halves(), tmp_path)
    assert (hazard.kind, str(hazard.severity), hazard.suspected) == ("gil-order", "medium", True)
    assert {step.thread for step in hazard.steps} == {"holder", "waiter"}
    assert "does not say" in hazard.reservation


def test_one_half_is_no_hazard(tmp_path: Path) -> None:
    """Without a thread that waits for the mutex with the GIL there is no cycle."""
    assert hazards(two_halves(with_gil=False), tmp_path) == ()


def crossed(*, flags: int = 8) -> TraceBuilder:
    """Two mutexes, each held once by a thread that waits for the other one."""
    builder = TraceBuilder()
    builder.thread("MainThread", main=True)
    one, other, third = (builder.thread(name) for name in ("one", "other", "third"))
    a = builder.lock("native_mutex", address=0x3000)
    b = builder.lock("native_mutex", address=0x4000)
    builder.wait(one, b, 100, 300)
    builder.wait(third, a, 200, 400, peer=one, flags=flags)
    builder.wait(other, a, 500, 700)
    builder.wait(third, b, 600, 800, peer=other, flags=flags)
    return builder


def test_native_locks_in_opposite_order(tmp_path: Path) -> None:
    """Who held one lock while it waited for another one is known by those that waited for it."""
    (hazard,) = hazards(crossed(), tmp_path)
    assert hazard.kind == "lock-order"
    assert {step.thread for step in hazard.steps} == {"one", "other"}


def test_unknown_holders_are_no_edges(tmp_path: Path) -> None:
    """Who ended a wait is not taken for who held the lock when it began."""
    assert hazards(crossed(flags=0), tmp_path) == ()


def test_command_reads_a_trace(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """`gilscope lock-order FILE` reports what the trace shows, and --fail-on decides the status."""
    path = tmp_path / "run.gilscope"
    two_halves().write(path)
    assert main(["lock-order", "--json", "--fail-on", "medium", str(path)]) == 1
    (cycle,) = json.loads(capfd.readouterr().out)["cycles"]
    assert (cycle["kind"], cycle["suspected"]) == ("gil-order", True)


@pytest.mark.parametrize(("words", "said"), [(["--confirm"], "--confirm"), ([], "arguments")])
def test_what_needs_the_program_is_refused(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A trace cannot be run again, nor with arguments."""
    path = tmp_path / "run.gilscope"
    two_halves().write(path)
    more = [] if words else ["argument"]
    assert main(["lock-order", *words, str(path), *more]) == 2
    assert f"a trace takes no {said}" in capsys.readouterr().err
