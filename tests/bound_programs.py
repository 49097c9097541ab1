"""Runs tests/targets/bound.py with a native library that is bound to Python in one of many ways."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Interpreter, Recorded

ROOT = Path(__file__).parents[1]
BUILD_S = 600
BINDINGS = ("pybind11", "nanobind", "boost", "cython", "fastgil", "ctypes", "cffi")
# Boost.Python says nothing about the GIL, so its modules switch it on in a free-threaded build.
NEED_THE_GIL = ("boost", "boost_logging")


@cache
def modules_of(python: Path, binding: str) -> Path:
    """Build the modules of a binding for an interpreter, if that is not done; return where."""
    kept = {name: os.environ[name] for name in os.environ.keys() - {"GILSCOPE_FT_PYTHON"}}
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "bindings.py", binding],
        env={**kept, "GILSCOPE_PYTHON": str(python)},
        capture_output=True,
        text=True,
        timeout=BUILD_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)[str(python)][binding]
    if "missing" in outcome:
        pytest.skip(outcome["missing"])
    return Path(outcome["path"])


def search_path(*places: Path) -> str:
    """Return a PYTHONPATH: these, then what the tests themselves import from."""
    return os.pathsep.join(filter(None, [*map(str, places), os.environ.get("PYTHONPATH")]))


class Bound:
    """A binding and an interpreter."""

    def __init__(
        self, record: Callable[..., Recorded], interpreter: Interpreter, binding: str
    ) -> None:
        self.interpreter = interpreter
        self.binding = binding
        self.has_gil = interpreter.build == "gil" or binding in NEED_THE_GIL
        self._record = record

    def record(self, scenario: str, *, imported: str | None = None, **extra: str) -> Recorded:
        """Run a scenario, once for all tests; ``imported`` replaces the binding."""
        places = [self.interpreter.modules]
        if self.binding != "pyo3":
            places.append(modules_of(self.interpreter.python, self.binding))
        path = search_path(*places)
        binding = imported or self.binding
        return self._record("bound.py", scenario, BINDING=binding, PYTHONPATH=path, **extra)
