"""Marks of races on the timeline of the run that was watched."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest

from gilscope.race import Access, Place, Race, Races
from gilscope.results.races import WatchedRun, shared_races
from gilscope.trace.reading.reader import read
from gilscope.view.html.race_marks import Mark, marks_of, race_marks
from trace_examples import GOLDEN

if TYPE_CHECKING:
    from gilscope.trace.model import Trace

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def trace() -> Trace:
    """A run with several threads."""
    return read(GOLDEN / "gil.gilscope")


def access(trace: Trace, position: int, after_ns: int) -> Access:
    """An access by a thread of the trace, so long after its start."""
    thread = trace.threads[position]
    when = trace.start_monotonic_ns + thread.start_ns + after_ns
    place = Place("x.py", 3, "f")
    return Access(
        thread.name, write=False, what="read", stack=(place,), locks=(), time_ns=when,
        tid=thread.tid,
    )  # fmt: skip


def race(*accesses: Access) -> Race:
    """A race of these accesses."""
    return Race("lost-update", "certain", "C.n", accesses, 2, "Lost.", "Hold it.")


def picture(html: str) -> ET.Element:
    """Return the first picture."""
    found = re.search(r'src="data:image/svg\+xml,([^"]*)"', html)
    assert found is not None
    return ET.fromstring(unquote(found[1]))  # noqa: S314 - made by us


def test_each_access_has_a_mark_on_the_lane_of_its_thread(trace: Trace) -> None:
    """At its time from the trace's start."""
    one, two = access(trace, 0, 10), access(trace, 1, 20)
    run = WatchedRun("gil", Races([race(one, two)]), trace=trace)
    starts = [thread.start_ns for thread in trace.threads]
    assert marks_of(run, shared_races([run])) == [
        Mark(1, starts[0] + 10, 0),
        Mark(1, starts[1] + 20, 1),
    ]


def test_a_line_leads_from_one_access_to_the_other(trace: Trace) -> None:
    """Dots on two lanes, one line between them, and the number of the race in the table."""
    run = WatchedRun("gil", Races([race(access(trace, 0, 10), access(trace, 1, 20))]), trace=trace)
    root = picture(race_marks([run], shared_races([run])))
    dots = root.findall(f"{SVG}circle")
    assert len({dot.attrib["cy"] for dot in dots}) == 2
    [line] = root.findall(f"{SVG}polyline")
    assert line.attrib["points"].split() == [f"{d.attrib['cx']},{d.attrib['cy']}" for d in dots]
    assert [each.text for each in root.findall(f"{SVG}text")][-1] == "1"


def test_what_is_not_known_is_not_marked(trace: Trace) -> None:
    """No time, a time outside of the trace, or a thread that is not in it."""
    known = access(trace, 0, 10)
    unknown = (
        replace(known, time_ns=None),
        replace(known, time_ns=trace.start_monotonic_ns - 1),
        replace(known, tid=1),
    )
    run = WatchedRun("gil", Races([race(known, one) for one in unknown]), trace=trace)
    assert len(marks_of(run, shared_races([run]))) == 3  # the known ones
    html = race_marks([run], shared_races([run]))
    assert "known only from the second time" in html


def test_a_run_without_trace_or_times_has_no_picture(trace: Trace) -> None:
    """Nothing is drawn, and nothing is said of it."""
    timed = race(access(trace, 0, 10), access(trace, 1, 20))
    untimed = race(replace(access(trace, 0, 10), time_ns=None))
    for run in (
        WatchedRun("gil", Races([timed])),
        WatchedRun("gil", Races([untimed]), trace=trace),
    ):
        assert race_marks([run], shared_races([run])) == ""
