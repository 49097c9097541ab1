"""Holds `gilscope races` against programs whose races are known: precision and recall.

    .venv/bin/python tools/races.py [--build gil|ft] [part of a program's name ...]

The programs are tests/cases/races/*.py. The first line of each says what is to be found: `# expect:
CLASS VARIABLE`, or `# expect: nothing`. Takes the interpreters that GILSCOPE_PYTHON and
GILSCOPE_FT_PYTHON name. Writes out/races.json, a list of rows with `program`, `build`, `racy`,
`found`, `class`, `grade`, `others` and `failure`; prints precision and recall of each build. Exit
status: 0, 1 if a race was missed or a clean program accused, 2 if nothing could be run.
"""

from __future__ import annotations

import sys

from known_programs import ROOT, Program, Row, Trial


def judge(program: Program, _build: str, races: list[Row]) -> Row:
    """Compare the races of one program with its first line."""
    kind, *words = program.expected or ("",)
    variable = " ".join(words)
    hits = [race for race in races if race["class"] == kind and variable in race["variable"]]
    shown = hits[0] if hits else races[0] if races else {}
    others = {f"{race['class']} {race['variable']}" for race in races if race not in hits}
    return {
        "found": bool(hits) if program.expected else bool(races),
        "class": shown.get("class", ""),
        "grade": shown.get("grade", ""),
        "others": sorted(others),
    }


TRIAL = Trial(
    command="races",
    reports="races",
    programs=ROOT / "tests" / "cases" / "races",
    extension="native/racepool.c",
    fault="racy",
    faulty="racy",
    judge=judge,
    accusation=lambda row: "; ".join(row["others"]),
    ends_well=False,  # some races end their program
)

if __name__ == "__main__":
    sys.exit(TRIAL.main(__doc__))
