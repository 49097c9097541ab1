"""Numbers as people read them: in Python and in the page alike."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import playwright
import pytest

from gilscope.analysis.states.state import State
from gilscope.text import size_text, time_text
from gilscope.view.data.palette import CALLBACK, ENTERING, NOTHING

NODE = Path(playwright.__file__).parent / "driver" / "node"
APP = Path(__file__).parents[2] / "profiler" / "gilscope" / "view" / "app"
TEXTS = """
const [module, values] = process.argv.slice(1)
import(module).then(({ time_text, size_text }) => {
  const texts = JSON.parse(values).map((value) => [time_text(value), size_text(value)])
  console.log(JSON.stringify(texts))
})
"""
STATES = """
import(process.argv[1]).then((states) => console.log(JSON.stringify(states)))
"""
NO_STATES = {"CALLBACK", "ENTERING", "NOTHING", "STATES"}


def node(program: str, *arguments: str | Path) -> Any:
    """Run a program of JavaScript and return what it prints as JSON."""
    done = subprocess.run(
        [NODE, "-e", program, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0"),
        (1, "1 ns"),
        (6.8, "6.8 ns"),
        (999, "999 ns"),
        (999.6, "1 µs"),
        (1_000, "1 µs"),
        (12_250, "12.3 µs"),
        (1_236_000_000, "1.24 s"),
        (999_600_000, "1 s"),
        (31_000_000, "31 ms"),
        (1_234_500_000_000, "1,235 s"),
    ],
)
def test_times_have_three_digits(ns: float, text: str) -> None:
    """A half is rounded up, and what rounds up to the next unit has that unit."""
    assert time_text(ns) == text


def test_the_page_formats_as_python_does() -> None:
    """Times and sizes of all orders, at and beside each border."""
    chance = random.Random(1)  # noqa: S311 - no secret
    borders = [10**power * lead / 1000 for power in range(15) for lead in (999.5, 1000, 5005, 9995)]
    values = sorted({0, *range(1, 3000), *(int(b + d) for b in borders for d in (-1, 0, 1))})
    values += [int(10 ** chance.uniform(0, 14)) for _ in range(5000)]
    values = [value for value in values if value >= 0]
    shown = [tuple(pair) for pair in node(TEXTS, APP / "text.js", json.dumps(values))]
    assert shown == [(time_text(value), size_text(value)) for value in values]


def test_the_page_knows_the_values_of_the_states() -> None:
    """What stands in states.js is what the columns of a view have."""
    states = node(STATES, APP / "states.js")
    names = {"HOLDING": State.HOLDING_GIL, "STOPPED": State.STOPPED_WORLD}
    for name in states.keys() - NO_STATES:
        assert states[name] == (names[name] if name in names else State[name]), name
    assert states["STATES"] == sorted(State)
    others = [states[name] for name in ("CALLBACK", "ENTERING", "NOTHING")]
    assert others == [CALLBACK, ENTERING, NOTHING]
