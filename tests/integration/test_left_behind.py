"""Programs under test leave no process behind, however they end."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conftest import finished

if TYPE_CHECKING:
    from conftest import Interpreter

PATIENCE_S = 60
LEAVER = """
import os, time
child = os.fork()
if child:
    print(child, flush=True)
else:
    {child}
    time.sleep(1000)
{parent}
"""


def runs(pid: int) -> bool:
    """Tell whether a process runs; one that nobody has waited for yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def ends(pid: int) -> bool:
    """Wait for the end of a process that was killed."""
    end = time.monotonic() + PATIENCE_S
    while runs(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not runs(pid)


@pytest.mark.parametrize("interpreter", ["gil"], indirect=True)
def test_a_child_that_hangs_with_its_parent_is_ended(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    """It has the pipes open, whose end is waited for after the parent was killed."""
    code = LEAVER.format(child="pass", parent="os.waitpid(child, 0)")
    process = interpreter.start_command("-c", code)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    with pytest.raises(pytest.fail.Exception, match="hangs"):
        finished(process, tmp_path, timeout=0.1)
    assert ends(child)


@pytest.mark.parametrize("interpreter", ["gil"], indirect=True)
def test_a_child_that_outlives_its_parent_is_ended(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    """Also where it has closed the pipes, so that nothing waits for it."""
    code = LEAVER.format(child="os.closerange(0, 3)", parent="")
    recorded = finished(interpreter.start_command("-c", code), tmp_path)
    assert recorded.status == 0, recorded.err
    assert ends(int(recorded.out))
