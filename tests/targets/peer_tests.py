"""Runs another project's tests: ``python peer_tests.py TRACE ARGUMENTS``; TRACE "-": unrecorded."""

from __future__ import annotations

import sys

import pytest

MAX_BYTES = 512 << 20
"""What the tests do after that is counted only; the hooks stay where they are."""

# Workers of multiprocessing import this file under another name.
if __name__ == "__main__":
    trace = sys.argv.pop(1)
    if trace != "-":
        from gilscope.target.recording import session as probe

        probe.start(trace, max_bytes=MAX_BYTES)
    sys.exit(pytest.main(sys.argv[1:]))
