"""SARIF 2.1.0: findings and races as code-scanning services read them. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.race import TITLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.race import Race

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"high": "error", "medium": "warning", "low": "note"}
GRADES = {"witnessed": "error", "certain": "error", "suspected": "warning"}


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
        rule: Kind of finding, or class of race.
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


def of_race(race: Race, baseline: frozenset[str] = frozenset()) -> Result:
    """Return a race as a result."""
    told = [f"{race.title}: {race.what_happened}", f"Do: {race.advice}"]
    locations = tuple(
        Location(
            one.place.file,
            one.place.line,
            f"{one.thread}: {one.what} in {one.place.function}"
            + (f", with {', '.join(one.locks)} held" if one.locks else ""),
        )
        for one in race.accesses
    )
    return Result(
        race.kind, GRADES[race.grade], "\n".join(told), race.id, locations,
        {"grade": race.grade, "variable": race.variable, "count": race.count}, race.id in baseline,
    )  # fmt: skip


def document(results: Sequence[Result], version: str, here: Path | None = None) -> dict[str, Any]:
    """Return the log of one run of gilscope.

    Args:
        results: In the order in which they are shown.
        version: Of gilscope.
        here: Files below this folder are named relative to it; by default the current one.
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
                "results": [_result(one, rules.index(one.rule), base) for one in results],
            }
        ],
    }


def _rule(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "name": "".join(word.capitalize() for word in name.split("-")),
        "shortDescription": {"text": TITLES.get(name, name.replace("-", " "))},
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
    from urllib.parse import quote  # noqa: PLC0415 - programs under test do without it

    return quote(path.as_posix())
