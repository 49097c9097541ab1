"""Races of several builds side by side, as findings, and from one process to another."""

from __future__ import annotations

import json
from dataclasses import replace

from gilscope.comparison.races import RacesResult, races_text
from gilscope.race import Access, Place, Race, Races
from gilscope.results.races import WatchedRun, as_finding, races_summary, shared_races
from gilscope.view.html.races import races as table

READ = Access("a", write=False, what="read", stack=(Place("x.py", 3, "f"),), locks=("lock",))
WRITE = Access("b", write=True, what="write", stack=(Place("x.py", 5, "g"),), locks=())
RACE = Race("lost-update", "certain", "C.n of c", (READ, WRITE, WRITE), 2, "Lost.", "Hold it.")
OTHER = replace(RACE, kind="iteration", variable="d")


def runs(gil: list[Race], ft: list[Race]) -> tuple[WatchedRun, ...]:
    """Return the runs of both builds."""
    return WatchedRun("gil", Races(gil)), WatchedRun("ft", Races(ft))


def test_races_come_whole_from_another_process() -> None:
    """What one process writes is what the other one reads."""
    found = Races([RACE, OTHER], {"threads": 2}, ["a method"])
    assert Races.from_message(json.loads(json.dumps(found.as_message()))) == found


def test_a_race_of_both_builds_is_one() -> None:
    """It has its grade in each; one that a single build found comes after it."""
    shared = shared_races(runs([OTHER, RACE], [replace(RACE, grade="witnessed")]))
    assert [(one.race.kind, one.grades) for one in shared] == [
        ("lost-update", {"gil": "certain", "ft": "witnessed"}),
        ("iteration", {"gil": "certain"}),
    ]


def test_text_says_who_found_what() -> None:
    """Both builds, or only one of them."""
    text = "\n".join(races_text(runs([RACE], [RACE, OTHER])))
    assert "both builds: lost update on C.n of c (certain)" in text
    assert "only free-threaded build: changed during iteration on d" in text


def test_a_failed_run_without_races_is_known() -> None:
    """That nothing was found is not that nothing is known."""
    failed = WatchedRun("gil", Races(), "KeyError: 1")
    assert "0 races" in races_text([failed])[0]
    assert "KeyError: 1" in races_text([failed])[0]
    assert "not known" in races_text([replace(failed, found=None)])[0]


def test_a_race_is_a_finding() -> None:
    """Named after its page, with both accesses, as severe as it is proved."""
    finding = as_finding(RACE)
    assert finding.page == "docs/findings/lost-update.md"
    assert str(finding.severity) == "medium"
    assert "x.py:3 in f" in finding.evidence[1]
    assert "holding lock" in finding.evidence[1]
    assert finding.as_dict(None)["intervals"] == []
    assert as_finding(replace(RACE, grade="suspected")).suspected


def test_summary_has_all_races_and_the_comparison() -> None:
    """What each run found, and then each race once."""
    found = races_summary(runs([RACE], []))
    assert [len(run["races"]) for run in found["runs"]] == [1, 0]
    assert found["compared"] == [
        {"class": "lost-update", "variable": "C.n of c", "grades": {"gil": "certain"}}
    ]


def test_a_result_shows_its_races_in_full() -> None:
    """As text and, escaped, as HTML."""
    result = RacesResult("t", runs([replace(RACE, variable="d[<x>]")], []), ("a note",))
    shown = result._repr_mimebundle_()
    assert "do: Hold it." in shown["text/plain"]
    assert "note: a note" in shown["text/plain"]
    assert "d[&lt;x&gt;]" in shown["text/html"]


def test_table_has_a_row_a_race() -> None:
    """With its grade in each build, both sides and the repair; what a program says is escaped."""
    failed = WatchedRun("ft", None, "killed", "the GIL was turned on")
    shown = table((WatchedRun("gil", Races([replace(RACE, variable="<x>")])), failed))
    assert shown.count("<tr>") == 2
    assert "lost update on &lt;x&gt;" in shown
    assert "<td>certain</td>\n<td>–</td>" in shown.replace("</td><td>", "</td>\n<td>")
    assert "Free-threaded build: races are not known" in shown
    assert "the GIL was turned on" in shown
    assert table(()) == ""
    assert "none was found" in table((WatchedRun("gil", Races()),))
