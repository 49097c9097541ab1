"""``gilscope ready``: whether extension modules are ready for an interpreter without the GIL."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gilscope
from gilscope.cli.plain import clean, say
from gilscope.errors import UsageError
from gilscope.severity import Severity

if TYPE_CHECKING:
    import argparse

    from gilscope.analysis.readiness.verdict import Remark, Verdict

FOUND = 1
MOST_STATIC = 8
TITLES = {
    "gil": "the GIL",
    "borrowed": "borrowed references",
    "unsafe-api": "functions that rely on the GIL",
    "libc-state": "functions of the C library that keep state",
    "static": "static data that can be changed",
}


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "ready",
        help="check whether extension modules are ready for a Python without the GIL",
        description="Read the files of extension modules, without loading them: whether each "
        "declares that it can do without the GIL, which interpreters can load it, and what it uses "
        "that is unsafe without the GIL.",
        epilog="Exit status: 0; 1 if an extension, or one that it depends on, turns the GIL on or "
        "is not loaded without it, or there is a remark as severe as --fail-on; 2 if it cannot be "
        "read.",
    )
    parser.add_argument(
        "name",
        metavar="MODULE|PACKAGE|FILE.so",
        help="as it is imported, or a file, a folder or a wheel",
    )
    parser.add_argument(
        "--fail-on",
        choices=tuple(map(str, Severity)),
        default=str(Severity.HIGH),
        help="exit with status 1 if there is a remark of this severity or above (default: high)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON (docs/ready.md)")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Look at the files and report.

    Raises:
        UsageError: There is nothing of that name, or a file cannot be read.
    """
    with gilscope.reader_side():
        from gilscope.analysis.readiness import packages  # noqa: PLC0415 - loaded on demand
        from gilscope.analysis.readiness.extension import read  # noqa: PLC0415
        from gilscope.analysis.readiness.verdict import judge  # noqa: PLC0415
    with packages.opened(options.name) as files:
        own, unread = [], list[str]()
        for shown, path in files.items():
            try:
                own.append(judge(replace(read(path), path=shown)))
            except UsageError as error:
                unread.append(str(error).replace(str(path), str(shown)))
    if unread and not own:
        raise UsageError("; ".join(unread))
    for why in unread:
        say(f"gilscope: not inspected: {why}", sys.stderr)
    needed = {} if Path(options.name).exists() else packages.dependencies(options.name)
    others = {name: _others(name, paths) for name, paths in needed.items()}
    if options.json:
        print(json.dumps(_as_json(options.name, own, others), indent=2))
    else:
        say(_text(options.name, own, others))
    limit = Severity(options.fail_on).rank
    failed = any(remark.severity.rank <= limit for one in own for remark in one.remarks)
    return (
        FOUND if failed or any(one.ready == "no" for all_ in others.values() for one in all_) else 0
    )


def _others(name: str, paths: list[Path]) -> list[Verdict]:
    """Judge the modules of a dependency; report one that cannot be read."""
    from gilscope.analysis.readiness.extension import read  # noqa: PLC0415 - loaded on demand
    from gilscope.analysis.readiness.verdict import judge  # noqa: PLC0415

    found = []
    for path in paths:
        try:
            found.append(judge(read(path)))
        except UsageError as error:
            say(f"{name}: not inspected: {error}")
    return found


def _as_json(name: str, own: list[Verdict], others: dict[str, list[Verdict]]) -> dict[str, Any]:
    return {
        "name": name,
        "ready": _worst(own),
        "extensions": [one.as_json() for one in own],
        "dependencies": [
            {
                "name": key,
                "ready": _worst(all_),
                "not_ready": [str(one.extension.path) for one in all_ if one.ready != "yes"],
            }
            for key, all_ in others.items()
        ],
    }


def _worst(verdicts: list[Verdict]) -> str:
    found = {one.ready for one in verdicts}
    return next((word for word in ("no", "unknown") if word in found), "yes")


def _text(name: str, own: list[Verdict], others: dict[str, list[Verdict]]) -> str:
    parts = [_one(one) for one in own] or [f"{name}: no extension modules"]
    for key, all_ in others.items():
        if (ready := _worst(all_)) != "yes":
            files = ", ".join(one.extension.path.name for one in all_ if one.ready == ready)
            parts.append(f"dependency {key}: ready: {ready}: {files}")
    modules = [one for one in own if one.extension.modules]
    counts = ", ".join(
        f"{word} {count}"
        for word in ("yes", "no", "unknown")
        if (count := sum(one.ready == word for one in modules))
    )
    parts.append(f"{len(modules)} extension modules; ready: {counts or 'none'}")
    return "\n\n".join(parts)


def _one(verdict: Verdict) -> str:
    extension = verdict.extension
    lines = [
        f"{extension.path}",
        f"    loads in: {verdict.loads_in}",
        f"    GIL: {extension.gil}; ready: {verdict.ready}",
    ]
    if extension.variables is None:
        lines.append("    the file has no names of its variables: static data was not looked at")
    for kind, title in TITLES.items():
        lines += _remarks(title, [one for one in verdict.remarks if one.kind == kind])
    return "\n".join(lines)


def _remarks(title: str, remarks: list[Remark]) -> list[str]:
    if not remarks:
        return []
    shown = remarks if remarks[0].kind != "static" else remarks[:MOST_STATIC]
    lines = [f"    {remarks[0].severity}: {title}: {remarks[0].why}"]
    for one in shown:
        advice = one.advice if one.kind not in ("static", "gil") else ""
        lines.append(clean(f"        {one.symbol}{': ' + advice if advice else ''}"))
    if len(remarks) > len(shown):
        lines.append(f"        and {len(remarks) - len(shown)} more (--json has all)")
    if remarks[0].kind in ("static", "gil"):
        lines.append(f"        do: {remarks[0].advice}")
    return lines
