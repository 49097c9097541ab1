"""Starts a program beside this one: no child of it, with an interpreter of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.target.recording.self_test import INHERITED

if TYPE_CHECKING:
    from types import ModuleType

MEMORY = 3
"""The descriptor that it finds what it is given at."""

_FIND = """
import sys
sys.path.insert(0, sys.argv.pop(1))
"""


def start(native: ModuleType, interpreter: str, code: str, descriptor: int) -> int:
    """Run ``code``, which can import ``gilscope``; return its process id, or 0.

    It may read this process's memory. It prints to this process's standard error, if there is one.

    Args:
        native: The probe.
        interpreter: The path of one.
        code: Python.
        descriptor: It has it as `MEMORY`.
    """
    package = str(Path(__file__).parents[3])
    command = [interpreter, "-I", "-S", "-B", "-X", "utf8", "-c", _FIND + code, package]
    environment = [f"{n}={os.environ[n]}" for n in INHERITED if n in os.environ]
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        errors = 2 if _is_open(2) else null
        pid: int = native.start_program(
            [os.fsencode(word) for word in command],
            [os.fsencode(text) for text in environment],
            [null, errors, errors, descriptor],
        )
    finally:
        os.close(null)
    return max(pid, 0)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
