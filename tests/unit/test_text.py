"""Numbers as people read them: in Python and in the page alike."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import playwright
import pytest

import gilscope
from gilscope.text import size_text, time_text

NODE = Path(playwright.__file__).parent / "driver" / "node"
APP = Path(gilscope.__file__).parent / "view" / "app"
PROGRAM = """
const source = require("fs").readFileSync(process.argv[1], "utf8")
const values = JSON.parse(process.argv[2])
const code = `${source}; values.map((value) => [time_text(value), size_text(value)])`
console.log(JSON.stringify(new Function("values", `return eval(arguments[1])`)(values, code)))
"""


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
    done = subprocess.run(
        [NODE, "-e", PROGRAM, APP / "data.js", json.dumps(values)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = [tuple(pair) for pair in json.loads(done.stdout)]
    assert shown == [(time_text(value), size_text(value)) for value in values]
