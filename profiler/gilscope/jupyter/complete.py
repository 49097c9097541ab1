"""Completion of the magic's options, in its own line only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.completer import SimpleCompletion, context_matcher

from gilscope.jupyter.options import NAME, make_parser
from gilscope.options import OPTIONS

if TYPE_CHECKING:
    import argparse

IDENTIFIER = f"gilscope.{NAME}"


def register(shell: Any) -> None:
    """Let ``shell`` complete the options."""
    matchers = shell.Completer.custom_matchers
    if not any(getattr(one, "matcher_identifier", "") == IDENTIFIER for one in matchers):
        matchers.append(context_matcher(identifier=IDENTIFIER)(options_matcher))


def options_matcher(context: Any) -> dict[str, Any]:
    """Offer the options, and the builds after ``--builds``."""
    line = context.line_with_cursor[: context.cursor_position]
    words = line.split()
    if not words or words[0].lstrip("%") != NAME or not words[0].startswith("%"):
        return {"completions": []}
    started = "" if line[-1:].isspace() else words[-1]
    before = words[-1] if not started else words[-2] if len(words) > 1 else ""
    found = _values(before) if before.startswith("--") else []
    found = found or list(_actions())
    return {
        "completions": [
            SimpleCompletion(_rest(name, started, context.token), type="option")
            for name in found
            if name.startswith(started) and started != words[0]
        ],
        "suppress": started.startswith("-"),
    }


def _actions() -> dict[str, argparse.Action]:
    actions = make_parser()._actions  # noqa: SLF001 - there is no public list
    return {flag: action for action in actions for flag in action.option_strings}


def _values(name: str) -> list[str]:
    return [value for option in OPTIONS if name in option.names for value in option.proposals]


def _rest(name: str, started: str, token: str) -> str:
    """Return what takes the place of the token, which may begin within the word."""
    return name[len(started) - len(token) :] if started.endswith(token) else name
