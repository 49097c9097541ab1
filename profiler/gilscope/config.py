"""Names and numbers that several parts of gilscope share."""

import os
from pathlib import Path

TRACE_SUFFIX = ".gilscope"
TRACE_MAGIC = b"GILSCOPE"

SESSION_IN_HEADER = slice(80, 96)
"""Offset of the session in the header of a trace, in bytes."""

LOCK_KINDS: dict[int, str] = {
    0: "unidentified",
    1: "mutex",
    2: "object",
    3: "thread_lock",
    4: "lock",
    5: "rlock",
    6: "simple_queue",
    7: "event",
    8: "stop_the_world",
    9: "stop_the_world_request",
    10: "raw_mutex",
    11: "import_lock",
    12: "rwlock",
    13: "once",
    14: "thread_end",
    **dict.fromkeys(range(32, 48), "native"),
    32: "native_mutex",
    33: "native_rwlock",
    34: "native_condition",
}
"""Kinds of lock by their numbers in a trace."""

VARIABLE = "GILSCOPE_PARENT"
"""Environment variable that names the session to which the traces of other programs belong."""

THREADS_VARIABLE = "GILSCOPE_THREADS"
"""Environment variable that tells a program how many threads it is to use."""

EXECUTOR_VARIABLE = "GILSCOPE_EXECUTOR"
"""Environment variable with the kind of `gilscope.executor`."""

SNAPSHOT_THREAD, AGENT_THREAD = "gilscope-snapshots", "gilscope-agent"
OWN_THREADS = frozenset({SNAPSHOT_THREAD, AGENT_THREAD})
"""Names of the threads that gilscope has in a program: they are left out wherever threads are."""

DEFAULT_MAX_BYTES = 1 << 30
"""Size of a trace file, in bytes, at which recording ends."""

MINIMUM_PYTHON = (3, 13)

BUILDS = {
    "gil": "GIL build",
    "ft-gil": "free-threaded build, GIL on",
    "ft": "free-threaded build",
    "subinterpreters": "subinterpreters",
    "processes": "processes",
}
"""The builds that code can be compared under, by short names, in the order of display."""

EXECUTORS = ("subinterpreters", "processes")
"""Those that are the GIL build with another `gilscope.executor` than threads."""

DEFAULT_BUILDS = ("gil", "ft")
"""The builds of a comparison by default."""

INTERPRETERS = {"gil": "gil", "ft-gil": "ft", "ft": "ft", **dict.fromkeys(EXECUTORS, "gil")}
"""The interpreter that each build takes: a key of the two tables below."""

PYTHON_VARIABLES = {"gil": "GILSCOPE_PYTHON", "ft": "GILSCOPE_FT_PYTHON"}
"""Environment variables that name the interpreters."""

PYTHON_OPTIONS = {"gil": "--python", "ft": "--ft-python"}
"""Options of the commands that name the interpreters."""


def build_of(*, free_threaded: bool, gil_enabled: bool) -> str:
    """Return the short name of the build that a program ran under.

    Args:
        free_threaded: Whether it is a free-threaded build.
        gil_enabled: Whether its GIL was on when the program began.
    """
    if not free_threaded:
        return "gil"
    return "ft-gil" if gil_enabled else "ft"


def cache_directory() -> Path:
    """Return gilscope's cache directory; it need not exist."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "gilscope"  # noqa: PTH117
