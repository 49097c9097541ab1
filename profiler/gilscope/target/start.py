"""How the worker is started in an interpreter of its own."""

from __future__ import annotations

# The working directory must not come before the standard library while the worker is loaded.
START = """
import sys
if not sys.flags.safe_path:
    del sys.path[0]
sys.path += sys.argv[3:]
del sys.argv[3:]
from gilscope.target.worker.job import main
main()
"""
"""Code for ``python -c``, with the job's file, the result's file and folders to import from."""
