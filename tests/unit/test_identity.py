"""Ids of findings and races: the same from run to run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gilscope import identity
from gilscope.errors import UsageError
from trace_examples import gil_trace

if TYPE_CHECKING:
    from pathlib import Path


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


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({"trace": "a.gilscope", "duration_s": 1.0, "lock": []}, "the JSON of `gilscope top`"),
        ({"trace": "a.gilscope", "end_reason": "stop"}, "the JSON of `gilscope info`"),
        ({"races": []}, "the JSON of `gilscope races`"),
        ({"cycles": []}, "the JSON of `gilscope lock-order`"),
        ([{"name": "json", "ready": "yes", "extensions": []}], "the JSON of `gilscope ready`"),
        (
            {"schema": 2, "outcome": {}, "findings": [], "races": None, "runs": []},
            "the JSON of `gilscope compare`",
        ),
        ({"$schema": "", "version": "2.1.0", "runs": []}, "SARIF"),
        ({"a": 1}, "other JSON"),
        (12, "other JSON"),
    ],
    ids=str,
)
def test_a_baseline_of_another_command_is_named(content: object, what: str, tmp_path: Path) -> None:
    """Otherwise it would be a baseline of nothing, and all findings would be new."""
    path = tmp_path / "b.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        identity.read_baseline(path, "findings")
    assert str(caught.value) == (
        f"{path} is no baseline: it is {what}, but what `gilscope findings --json` wrote is needed"
    )


def test_a_trace_is_no_baseline(tmp_path: Path) -> None:
    """The file that is at hand."""
    path = gil_trace().write(tmp_path / "a.gilscope")
    with pytest.raises(UsageError, match="it is a trace, but what `gilscope races --json` wrote"):
        identity.read_baseline(path, "races")


@pytest.mark.parametrize("times", [1, 2])
def test_a_baseline_may_be_of_several_outputs(times: int, tmp_path: Path) -> None:
    """Such as ``jq -s`` makes of several files."""
    own = [{"trace": "a.gilscope", "incomplete": [], "findings": [{"id": "ab"}]}]
    path = tmp_path / "b.json"
    path.write_text(json.dumps(own if times == 1 else [own, own]), encoding="utf-8")
    assert identity.read_baseline(path, "findings") == {"ab"}
