"""The most memory that this process has had.

`ru_maxrss` is no measure of it: a process that another one starts has that one's peak in it, from
the time between fork and exec (`exec_mmap` in Linux's fs/exec.c). What `/proc` says is its own.
"""

from __future__ import annotations

import re
from pathlib import Path


def peak_memory() -> int:
    """Return the most that was resident since the program began, mapped files too; bytes."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise OSError("/proc/self/status has no VmHWM")
    return int(found[1]) << 10
