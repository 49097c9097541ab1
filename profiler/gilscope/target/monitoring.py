"""A place among the tools of `sys.monitoring`."""

from __future__ import annotations

import contextlib
import sys

from gilscope.errors import ProbeError

TOOLS = (4, 3, 5, 2, 1, 0)  # the last ones have a meaning by convention


def take_tool(name: str) -> int:
    """Take a tool's number that nobody has, under a name; return it.

    Raises:
        ProbeError: All are taken; by which tools.
    """
    for number in TOOLS:
        with contextlib.suppress(ValueError):
            sys.monitoring.use_tool_id(number, name)
            return number
    names = ", ".join(f"{number}: {sys.monitoring.get_tool(number)}" for number in sorted(TOOLS))
    raise ProbeError(f"all places for tools of sys.monitoring are taken ({names}): end one of them")
