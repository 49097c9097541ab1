"""Ids of findings and races: the same from run to run."""

from __future__ import annotations

import pytest

from gilscope import identity


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "4 threads queue for the GIL to call app.log",
            "1 thread queue for the GIL to call app.log",
        ),
        (
            "`sum (minex)`, called at tiles.py:24 in f, keeps the GIL for 52.9 ms at a time: 94%",
            "`sum (minex)`, called at tiles.py:31 in f, keeps the GIL for 1.2 s at a time: 100%",
        ),
        ("app.log is called 26,337 times a second", "app.log is called 900 times a second"),
        (
            "2 threads contend for Pool::m_ (pool.cpp:10)",
            "3 threads contend for Pool::m_ (pool.cpp:9)",
        ),
    ],
)
def test_numbers_and_lines_do_not_count(one: str, other: str) -> None:
    """What differs between two runs of one program."""
    assert identity.of_finding("x", one) == identity.of_finding("x", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2 threads contend for a_lock", "2 threads contend for b_lock"),
        ("f in a.py:10 keeps the GIL", "f in b.py:10 keeps the GIL"),
        ("crc32 keeps the GIL", "crc64 keeps the GIL"),
    ],
)
def test_names_count(one: str, other: str) -> None:
    """Another function, file or lock is another problem."""
    assert identity.of_finding("x", one) != identity.of_finding("x", other)


def test_a_race_is_known_by_its_functions() -> None:
    """In any order, wherever the files are kept."""
    here = identity.of_race("lost-update", "A.n", [("/a/x.py", "f"), ("/a/x.py", "g")])
    there = identity.of_race("lost-update", "A.n", [("/b/x.py", "g"), ("/b/x.py", "f")])
    assert here == there
    assert here != identity.of_race("lost-update", "A.m", [("/a/x.py", "f"), ("/a/x.py", "g")])
