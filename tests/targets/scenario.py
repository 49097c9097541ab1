"""Runs one scenario of a program: ``python PROGRAM SCENARIO TRACE``; prints its facts as JSON."""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

type Scenario = Callable[[str], Any]
"""Takes the path of the trace to write; returns what the test has to know, ready for JSON."""

PATIENCE_S = 50
"""What takes longer than this hangs, and ends with all its stacks shown."""

SCENARIOS: dict[str, Scenario] = {}


def scenario(function: Scenario) -> Scenario:
    """Register a scenario under its function's name."""
    SCENARIOS[function.__name__] = function
    return function


def main() -> None:
    """Run the scenario that the command line names."""
    name, trace = sys.argv[1:3]
    faulthandler.dump_traceback_later(PATIENCE_S, exit=True)
    try:
        facts = SCENARIOS[name](trace)
    except TimeoutError:
        # What was to be staged did not come about; threads that still wait must not keep us.
        traceback.print_exc()
        os._exit(1)
    print(json.dumps(facts), flush=True)


def start_all(threads: list[threading.Thread]) -> None:
    """Start the threads and wait until they end."""
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
