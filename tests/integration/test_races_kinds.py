"""Kinds of variables and of code in which `gilscope races` finds races, by a program each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 120
PROGRAMS = Path(__file__).parents[1] / "cases" / "races"
INTERPRETERS = [
    pytest.param(os.environ.get("GILSCOPE_PYTHON", sys.executable), id="gil"),
    pytest.param(os.environ.get("GILSCOPE_FT_PYTHON", ""), id="ft"),
]
RACY = [
    "check_balance",  # a check beside an update of the same attribute
    "check_defaultdict_missing",
    "check_missing_method",  # what stores was called by what found nothing
    "check_walrus",
    "iterate_defaultdict",  # reading adds a key
    "iterate_weak_references",  # members that no __eq__ may be asked of
    "lost_async_method",
    "lost_bytearray",
    "lost_bound_setitem",
    "lost_class_attribute",  # by __init__, which the interpreter calls from a frame of its own
    "lost_chainmap",  # named by the line that called the library
    "lost_counter_class",
    "lost_deque_index",
    "lost_generator_body",
    "lost_matrix_row",  # an item of an item has a name
    "lost_memoryview",
    "lost_object_setattr",
    "lost_operator_functions",
    "lost_slice_store",
    "lost_sum_of_all",
    "lost_super_setitem",
    "lost_unpacked",
    "lost_update_by_keyword",
]


def races(python: str, program: Path) -> list[tuple[str, str]]:
    """Return class and variable of each race of a program."""
    if not python:
        pytest.skip("no interpreter of this build")
    done = subprocess.run(
        [python, "-m", "gilscope", "races", "--json", str(program)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return [(race["class"], race["variable"]) for race in json.loads(done.stdout)["races"]]


@pytest.mark.parametrize("python", INTERPRETERS)
@pytest.mark.parametrize("name", RACY)
def test_race_is_found_and_named(python: str, name: str) -> None:
    """The race that the first line of the program announces is found."""
    program = PROGRAMS / f"{name}.py"
    first = program.read_text(encoding="utf-8").partition("\n")[0]
    kind, _, variable = first.removeprefix("# expect: ").partition(" ")
    assert any(kind == one and variable in of for one, of in races(python, program))


CLEAN = [
    "clean_count",
    "clean_finalize",  # the library's own state
    "clean_published_by_flag",
    "clean_published_globals",
]


@pytest.mark.parametrize("python", INTERPRETERS)
@pytest.mark.parametrize("name", CLEAN)
def test_what_is_no_race_is_not_reported(python: str, name: str) -> None:
    """A program that is right is not accused."""
    assert races(python, PROGRAMS / f"{name}.py") == []


@pytest.mark.parametrize("python", INTERPRETERS)
def test_end_of_a_weakly_referenced_object_is_no_access(python: str) -> None:
    """What a weak container does when an object ends is not held against the program."""
    assert races(python, PROGRAMS / "clean_weak_registry.py") == []
