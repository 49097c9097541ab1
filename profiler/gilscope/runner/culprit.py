"""Finds the extension module that turned the GIL on where Python's own warning did not name it.

The warning is often filtered out, by packages that silence all warnings, for example. Then each
extension module that the program had loaded is loaded again, alone, in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from gilscope.runner.interpreters import environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gilscope.runner.interpreters import Interpreter

CHECK_SECONDS = 60

# Creating a module is what turns the GIL on; its code need not run.
CHECK = """
import importlib.machinery, importlib.util, json, sys, warnings
warnings.simplefilter("ignore")
path, modules = json.loads(sys.stdin.read())
sys.path[:] = path
for name, file in modules:
    loader = importlib.machinery.ExtensionFileLoader(name, file)
    try:
        importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    except Exception:
        continue
    if sys._is_gil_enabled():
        print("\\n" + json.dumps(name))
        break
"""


def find_culprit(
    interpreter: Interpreter,
    path: Sequence[str],
    modules: Sequence[Sequence[str]],
    cwd: Path | None,
) -> str | None:
    """Return the first module whose loading turns the GIL on; None if none does.

    Args:
        interpreter: A free-threaded one.
        path: ``sys.path`` of the program.
        modules: Name and file of each extension module, in the order in which they were loaded.
        cwd: The program's working directory.
    """
    if not modules:
        return None
    try:
        done = subprocess.run(
            [interpreter.path, "-c", CHECK],
            input=json.dumps([list(path), [list(module) for module in modules]]),
            capture_output=True,
            text=True,
            cwd=cwd,
            env=environment(),
            timeout=CHECK_SECONDS,
            check=False,
        )
        found = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, LookupError):
        return None
    return found if isinstance(found, str) else None
