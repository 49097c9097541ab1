"""Runs the same code under several builds, reads the traces, and puts it all side by side.

What the command line, the magic and ``gilscope.compare`` call. The results are data, with
renderers as text and JSON; :mod:`gilscope.presentation` has those that need a view.
"""

from gilscope.comparison.compare import (
    compare_callable,
    compare_code,
    compare_script,
    compare_target,
)
from gilscope.comparison.order import LockOrderResult, watch_order
from gilscope.comparison.races import RacesResult, watch_code
from gilscope.comparison.summary import trace_summary
from gilscope.results.model import Run

__all__ = [
    "LockOrderResult",
    "RacesResult",
    "Run",
    "compare_callable",
    "compare_code",
    "compare_script",
    "compare_target",
    "trace_summary",
    "watch_code",
    "watch_order",
]
