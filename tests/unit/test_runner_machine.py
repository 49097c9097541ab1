"""What the machine did while the arms ran."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gilscope.comparison.notices import noticed
from gilscope.errors import UsageError
from gilscope.results.conditions import Conditions
from gilscope.runner import machine
from gilscope.runner.machine import Watch, usable_cpus

if TYPE_CHECKING:
    from pathlib import Path

LINE = "cpu{} {} 0 {} 1000 50 0 7 3 0 0\n"  # user, nice, system, idle, iowait, irq, softirq, steal


def test_the_processors_of_this_process_are_used() -> None:
    """All, or those that were asked for."""
    own = sorted(os.sched_getaffinity(0))
    assert list(usable_cpus()) == own
    assert usable_cpus(own[:1]) == (own[0],)
    with pytest.raises(UsageError, match="processor 12345 is not available"):
        usable_cpus([12345])


def test_what_other_processes_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Busy time of the processors in question, without one's own."""
    stat = tmp_path / "stat"
    stat.write_text("cpu 0\n" + LINE.format(0, 100, 0) + LINE.format(1, 100, 0))
    clock, own = iter([10.0, 20.0]), iter([3.0, 8.0])
    monkeypatch.setattr(machine, "STAT", stat)
    monkeypatch.setattr(machine.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(machine, "_own_seconds", lambda: next(own))
    monkeypatch.setattr(machine.os, "sysconf", lambda _: 100)
    watch = Watch((1,))
    stat.write_text("cpu 0\n" + LINE.format(0, 900, 0) + LINE.format(1, 500, 300))
    conditions = watch.finish()
    assert conditions.others == pytest.approx((7 - 5) / 10)
    assert conditions.cpus == (1,)


def test_a_system_that_does_not_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is made up."""
    monkeypatch.setattr(machine, "STAT", tmp_path / "missing")
    assert Watch((0,)).finish().others is None


@pytest.mark.parametrize(
    ("load", "others", "said"),
    [
        (9.0, 0.1, None),  # the program's own threads, or what has ended by now
        (0.5, 0.9, "other processes used 0.9 of 2 CPUs"),
        (3.5, None, "the load was 3.5 on 2 CPUs"),
        (1.5, None, None),
    ],
)
def test_a_busy_machine_is_told(load: float, others: float | None, said: str | None) -> None:
    """The load alone counts where nothing better is known."""
    loads = (load, load, load)
    notices = noticed([], [], Conditions((0, 1), loads, loads, others))
    assert bool(notices) == bool(said)
    assert all(str(said) in notice for notice in notices)
