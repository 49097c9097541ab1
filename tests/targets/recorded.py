"""Runs a script under the probe: ``python recorded.py TRACE SCRIPT ARGUMENTS``."""

from __future__ import annotations

import runpy
import sys

from gilscope.target.recording import session as probe


def main() -> None:
    """Run the script as the main module, from its first line to its last."""
    trace, script, *arguments = sys.argv[1:]
    sys.argv = [script, *arguments]
    probe.start(trace)
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        probe.stop()


if __name__ == "__main__":
    main()
