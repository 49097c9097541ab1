"""SARIF 2.1.0: findings as code-scanning services read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gilscope.analysis.order.text import hazard_text, step_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gilscope.analysis.findings import Finding
    from gilscope.analysis.order.model import Hazard
    from gilscope.race import Access, Race
    from gilscope.trace.model import Trace

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"high": "error", "medium": "warning", "low": "note"}
GRADE_LEVELS = {"witnessed": "error", "certain": "warning", "suspected": "note"}
_PLACE = re.compile(r"([^\s`'\"(]+\.\w+):(\d+)")


@dataclass(frozen=True)
class Location:
    """A line of source.

    Attributes:
        file: Path.
        line: From 1 on.
        message: What is there; "" for none.
    """

    file: str
    line: int
    message: str = ""


@dataclass(frozen=True)
class Result:
    """One result.

    Attributes:
        rule: Kind of finding.
        level: ``error``, ``warning`` or ``note``.
        message: For people.
        id: The same in each run, see `gilscope.identity`.
        locations: Where; the first one is where it is shown.
        suppressed: It is in the baseline.
        properties: More of it, as JSON.
    """

    rule: str
    level: str
    message: str
    id: str
    locations: tuple[Location, ...]
    properties: dict[str, Any]
    suppressed: bool = False


def of_finding(trace: Trace, finding: Finding, baseline: frozenset[str] = frozenset()) -> Result:
    """Return a finding as a result."""
    message = "\n".join([finding.title, *finding.evidence, f"Do: {finding.advice}"])
    return Result(
        finding.name,
        LEVELS[str(finding.severity)],
        message,
        finding.id,
        tuple(_places(trace, finding)),
        {"trace": str(trace.path), "suspected": finding.suspected, "cost_ns": finding.cost_ns},
        finding.id in baseline,
    )


def of_race(race: Race, baseline: frozenset[str] = frozenset()) -> Result:
    """Return a race as a result: shown at its first access, the others beside it."""
    times = "once" if race.count == 1 else f"{race.count:,} times"
    head = f"{race.title} ({race.grade}, {times})"
    confirmed = [race.confirmation] if race.confirmation else []
    message = "\n".join([head, race.what_happened, *confirmed, f"Do: {race.advice}"])
    return Result(
        race.kind,
        GRADE_LEVELS[race.grade],
        message,
        race.id,
        tuple(_accessed(access) for access in race.accesses),
        {"grade": race.grade, "count": race.count, "variable": race.variable},
        race.id in baseline,
    )


def of_hazard(hazard: Hazard, baseline: frozenset[str] = frozenset()) -> Result:
    """Return a deadlock to come as a result: shown where its first thread asks."""
    steps = [(step.place, step) for step in hazard.steps]
    places = [
        Location(place.file, place.line, step_lines(step)[0].strip())
        for place, step in steps
        if place is not None and place.line
    ]
    return Result(
        hazard.kind,
        LEVELS[str(hazard.severity)],
        hazard_text(hazard),
        hazard.id,
        tuple(places),
        {"severity": str(hazard.severity), "suspected": hazard.suspected},
        hazard.id in baseline,
    )


def _accessed(access: Access) -> Location:
    held = f"holding {', '.join(access.locks)}" if access.locks else "holding no lock"
    words = f"thread {access.thread}, {access.what}, {held}"
    return Location(access.place.file, access.place.line, words)


def document(
    results: Sequence[Result],
    version: str,
    here: Path | None = None,
    problems: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the log of one run of gilscope.

    Args:
        results: In the order in which they are shown.
        version: Of gilscope.
        here: Files below this folder are named relative to it; by default the current one.
        problems: Why there may be more results.
    """
    base = (here or Path.cwd()).resolve()
    rules = sorted({one.rule for one in results})
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "gilscope",
                        "semanticVersion": version,
                        "rules": [_rule(name) for name in rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {"SRCROOT": {"uri": base.as_uri() + "/"}},
                "invocations": [
                    {
                        "executionSuccessful": not problems,
                        "toolExecutionNotifications": [
                            {"level": "error", "message": {"text": text}} for text in problems
                        ],
                    }
                ],
                "results": [_result(one, rules.index(one.rule), base) for one in results],
            }
        ],
    }


def _rule(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "name": "".join(word.capitalize() for word in name.split("-")),
        "shortDescription": {"text": name.replace("-", " ")},
        "help": {"text": f"`gilscope explain {name}` shows an example and its repair."},
    }


def _result(one: Result, index: int, base: Path) -> dict[str, Any]:
    places = [_location(place, base) for place in one.locations]
    return {
        "ruleId": one.rule,
        "ruleIndex": index,
        "level": one.level,
        "message": {"text": one.message},
        "partialFingerprints": {"gilscope/v1": one.id},
        **({"locations": places[:1]} if places else {}),
        **({"relatedLocations": places[1:]} if places[1:] else {}),
        **({"baselineState": "unchanged"} if one.suppressed else {}),
        "properties": one.properties,
    }


def _location(place: Location, base: Path) -> dict[str, Any]:
    path = Path(place.file)
    if path.is_absolute() and path.is_relative_to(base):
        artifact = {"uri": _quoted(path.relative_to(base)), "uriBaseId": "SRCROOT"}
    elif path.is_absolute():
        artifact = {"uri": path.as_uri()}
    else:
        artifact = {"uri": _quoted(path)}
    physical: dict[str, Any] = {"artifactLocation": artifact}
    if place.line > 0:
        physical["region"] = {"startLine": place.line}
    message = {"message": {"text": place.message}} if place.message else {}
    return {"physicalLocation": physical, **message}


def _quoted(path: Path) -> str:
    return quote(path.as_posix())


def _places(trace: Trace, finding: Finding) -> Iterable[Location]:
    """Return the lines that a finding names, else where its worst interval was."""
    known = _files(trace)
    seen = set()
    for text in (finding.title, *finding.evidence):
        for name, line in _PLACE.findall(text):
            file = known.get(name.rpartition("/")[2])
            if file and (file, line) not in seen:
                seen.add((file, line))
                yield Location(file, int(line), text)
    if not seen:
        yield from _elsewhere(trace, finding)


def _elsewhere(trace: Trace, finding: Finding) -> Iterable[Location]:
    """Return a function that a finding names, else where its worst interval was, or the program.

    Services refuse results without a place.
    """
    for called in trace.callables.values():
        if called.file and called.line and called.label and called.label in finding.title:
            yield Location(called.file, called.line, called.label)
            return
    for jump in finding.intervals:
        frame = _python_frame(trace, jump.thread, jump.start_ns)
        if frame is not None:
            yield Location(*frame, jump.note)
            return
    if trace.argv and trace.argv[0].endswith(".py"):
        yield Location(trace.argv[0], 1, "the program")


def _files(trace: Trace) -> dict[str, str]:
    """Return the source files of a trace by their names without folders."""
    found: dict[str, str] = {}
    for code in trace.codes.values():
        if code.file and not code.file.startswith("<"):
            found.setdefault(code.file.rpartition("/")[2], code.file)
    for site in trace.sites.values():
        if site.file:
            found.setdefault(site.file.rpartition("/")[2], site.file)
    return found


def _python_frame(trace: Trace, thread: int, start_ns: int) -> tuple[str, int] | None:
    """Return file and line of the innermost Python frame of an interval with a stack."""
    intervals = trace.intervals
    rows = (intervals.thread == thread) & (intervals.start == start_ns) & (intervals.stack != 0)
    for stack in intervals.stack[rows].tolist():
        for frame in trace.stacks[stack]:
            if not frame.native and frame.file and not frame.file.startswith("<"):
                return frame.file, frame.line
    return None
