"""The report of a command that runs a program: where it goes beside the program's own output."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from gilscope.cli.plain import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def own_output(options: argparse.Namespace) -> int | None:
    """Keep standard output for a report in JSON, and give the program standard error instead.

    Returns:
        The descriptor that the report goes to; None if it goes to a file or to standard error.
    """
    if not options.json or options.output is not None:
        return None
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    return kept


def write[Found](
    found: Found,
    as_json: Callable[[Found], Any],
    as_text: Callable[[Found], str],
    options: argparse.Namespace,
    descriptor: int | None,
) -> None:
    """Write what was found as the options say, when the program has ended.

    Args:
        found: What was found.
        as_json: Gives it as plain data.
        as_text: Gives it as text for people.
        options: ``json`` and ``output``, a path or None.
        descriptor: What `own_output` returned.
    """
    report = json.dumps(as_json(found)) if options.json else as_text(found)
    if options.output is not None:
        options.output.write_text(report + "\n", encoding="utf-8")
    elif descriptor is None:
        sys.stdout.flush()
        say(report, sys.stderr)
    else:
        sys.stdout.flush()
        with open(descriptor, "w", encoding="utf-8") as output:  # noqa: PTH123 - it is no path
            output.write(report + "\n")
