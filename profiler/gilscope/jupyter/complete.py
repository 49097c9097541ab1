"""Completion of the magics' options, in their own lines only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.completer import SimpleCompletion, context_matcher

from gilscope.jupyter.options import (
    NAME,
    ORDER_NAME,
    RACES_NAME,
    make_order_parser,
    make_parser,
    make_races_parser,
)
from gilscope.options import OPTIONS

if TYPE_CHECKING:
    import argparse

IDENTIFIER = f"gilscope.{NAME}"
PARSERS = {NAME: make_parser, RACES_NAME: make_races_parser, ORDER_NAME: make_order_parser}


def register(shell: Any) -> None:
    """Let ``shell`` complete the options."""
    matchers = shell.Completer.custom_matchers
    if not any(getattr(one, "matcher_identifier", "") == IDENTIFIER for one in matchers):
        matchers.append(context_matcher(identifier=IDENTIFIER)(options_matcher))


def options_matcher(context: Any) -> dict[str, Any]:
    """Offer the options, and the builds after ``--builds``."""
    line = context.line_with_cursor[: context.cursor_position]
    words = line.split()
    name = words[0].lstrip("%") if words and words[0].startswith("%") else ""
    if name not in PARSERS:
        return {"completions": []}
    started = "" if line[-1:].isspace() else words[-1]
    before = words[-1] if not started else words[-2] if len(words) > 1 else ""
    found = _values(before) if before.startswith("--") else []
    found = found or list(_actions(name))
    return {
        "completions": [
            SimpleCompletion(_rest(one, started, context.token), type="option")
            for one in found
            if one.startswith(started) and started != words[0]
        ],
        "suppress": started.startswith("-"),
    }


def _actions(name: str) -> dict[str, argparse.Action]:
    actions = PARSERS[name]()._actions  # noqa: SLF001 - there is no public list
    return {flag: action for action in actions for flag in action.option_strings}


def _values(name: str) -> list[str]:
    return [value for option in OPTIONS if name in option.names for value in option.proposals]


def _rest(name: str, started: str, token: str) -> str:
    """Return what takes the place of the token, which may begin within the word."""
    return name[len(started) - len(token) :] if started.endswith(token) else name
