"""Runs tests of CPython: ``python cpython_tests.py TRACE ARGUMENTS``; with TRACE "-" unrecorded."""

from __future__ import annotations

import sys

from test.libregrtest.main import main

from gilscope.target.recording import session as probe

MAX_BYTES = 512 << 20
"""What the tests do after that is counted only; the hooks stay where they are."""

# Workers of multiprocessing import this file under another name.
if __name__ == "__main__":
    trace = sys.argv.pop(1)
    if trace != "-":
        probe.start(trace, max_bytes=MAX_BYTES)
    main()
