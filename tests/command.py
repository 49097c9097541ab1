"""Runs the command ``gilscope`` in a process of its own, as people do."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TIMEOUT_S = 120


@dataclass(frozen=True)
class Done:
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str

    @property
    def error_line(self) -> str:
        """The one line of an error of gilscope; fails if there is more, or a traceback."""
        lines = [line for line in self.err.splitlines() if not line.startswith("gilscope: [")]
        assert len(lines) == 1, self.err
        assert lines[0].startswith("gilscope: error: "), self.err
        return lines[0].removeprefix("gilscope: error: ")


def gilscope(
    *words: object, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = TIMEOUT_S
) -> Done:
    """Run ``gilscope words`` in ``cwd`` to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "gilscope", *map(str, words)],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)
