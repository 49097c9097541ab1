"""Holds `gilscope lock-order` against programs whose hazards are known: precision and recall.

    .venv/bin/python tools/lock_order.py [--build gil|ft] [part of a program's name ...]

The programs are tests/cases/lock_order/*.py; in none of them does a deadlock strike. The first line
of each says what is to be found: `# expect: PART OF A LOCK'S NAME ...`, all of them in one cycle,
or `# expect: nothing`. Takes the interpreters that GILSCOPE_PYTHON and GILSCOPE_FT_PYTHON name.
Writes out/lock-order.json, a list of rows with `program`, `build`, `hazard`, `found`, `locks`,
`others` and `failure`; prints precision and recall of each build. Exit status: 0, 1 if a hazard was
missed or a clean program accused, 2 if nothing could be run.
"""

from __future__ import annotations

import sys

from known_programs import ROOT, Program, Row, Trial


def judge(program: Program, build: str, cycles: list[Row]) -> Row:
    """Compare the cycles of one program with its first line."""
    # Where there is no GIL, a pause of all threads takes its place.
    words = {"GIL": "pause"} if build == "ft" else {}
    parts = [words.get(part, part) for part in program.expected if part != "the"]
    hits = [
        cycle
        for cycle in cycles
        if all(any(part in lock for lock in cycle["locks"]) for part in parts)
    ]
    shown = hits[0] if hits else cycles[0] if cycles else {}
    return {
        "found": bool(hits) if program.expected else bool(cycles),
        "locks": shown.get("locks", []),
        "others": [cycle["locks"] for cycle in cycles if cycle is not shown],
    }


TRIAL = Trial(
    command="lock-order",
    reports="cycles",
    programs=ROOT / "tests" / "cases" / "lock_order",
    extension="native/orderpool.cpp",
    fault="hazard",
    faulty="with a hazard",
    judge=judge,
    accusation=lambda row: str(row["locks"]),
    ends_well=True,
)

if __name__ == "__main__":
    sys.exit(TRIAL.main(__doc__))
