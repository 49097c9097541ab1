"""Names and numbers that more than one part of gilscope goes by."""

import os
from pathlib import Path

TRACE_SUFFIX = ".gilscope"
TRACE_MAGIC = b"GILSCOPE"

SESSION_IN_HEADER = slice(80, 96)
"""Where the header of a trace names its session, in bytes."""

VARIABLE = "GILSCOPE_PARENT"
"""Environment variable that names the session to which the traces of other programs belong."""

DEFAULT_MAX_BYTES = 1 << 30
"""Size of a trace file, in bytes, at which recording ends."""

MINIMUM_PYTHON = (3, 13)

BUILDS = {"gil": "GIL build", "ft": "free-threaded build"}
"""The builds that code can be compared under, by their short names, in the order of display."""

PYTHON_VARIABLES = {"gil": "GILSCOPE_PYTHON", "ft": "GILSCOPE_FT_PYTHON"}
"""Environment variables that name the interpreter of each build."""

PYTHON_OPTIONS = {"gil": "--python", "ft": "--ft-python"}
"""Options of the commands that name the interpreter of each build."""


def cache_directory() -> Path:
    """Return where gilscope keeps what can be made again; it need not exist."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "gilscope"  # noqa: PTH117
