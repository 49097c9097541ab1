"""Programs from public bug reports: what native code must not do, and locks by name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gilscope.target.sharing.processor_samples import ProcessorSamples

pytest.importorskip("numpy")

if TYPE_CHECKING:
    from conftest import Interpreter

CASES = Path(__file__).parents[2] / "tools" / "cases.py"
TIMEOUT_S = 240


def can_sample() -> bool:
    """Whether the kernel samples processes here."""
    try:
        ProcessorSamples(os.getpid()).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    "name",
    [
        "06_io_convoy",
        "09_shared_lock_object",
        "21_native_thread_at_exit",
        "33_callback_destroyed_unattached",
        "34_handler_replaced_unattached",
        "35_ticker_outlives_python",
        "37_callback_in_main_interpreter",
        "38_callback_without_gil",
        "43_sleeps_with_mutex",
    ],
)
def test_first_line(interpreter: Interpreter, name: str) -> None:
    """The first line names the fault; the repaired program gives no report."""
    if name == "09_shared_lock_object" and not can_sample():
        pytest.skip("the kernel does not sample here")
    done = subprocess.run(
        [sys.executable, CASES, "--build", interpreter.build, name],
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 runs: 2 right" in done.stdout
