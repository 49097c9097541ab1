"""Programs that do their worst to threads end with the probe as they end without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "hostile.py"


@pytest.mark.parametrize("build", ["gil", "ft"])
def test_nothing_differs(build: str) -> None:
    """One round of the hostile cases: status, output, and whether it ends at all."""
    command = [sys.executable, str(TOOL), "--build", build, "--seconds", "0.4"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as tool:
        try:
            said, _ = tool.communicate(timeout=280)
        finally:
            tool.terminate()  # which ends the case that runs, if any
    assert tool.returncode == 0, said
