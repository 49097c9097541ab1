"""Programs of others that read our exports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FINDER = Path(__file__).parents[1] / "tools" / "npm_release.py"


def npm_release(name: str) -> Path:
    """What tools/npm_release.py calls so; brought by npm once, else the test is skipped by name."""
    command = [sys.executable, str(FINDER), name]
    found = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    if found.returncode:
        pytest.skip(f"needs {name}: {found.stderr.strip()}")
    return Path(found.stdout.strip())
