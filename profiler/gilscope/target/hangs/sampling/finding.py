"""Where py-spy is. Loaded into the program itself, so it loads little."""

from __future__ import annotations

import os
from pathlib import Path


def find(executable: str, path: str) -> str:
    """Return the py-spy of an interpreter's environment, else one on a PATH; "" if none."""
    folders = [str(Path(executable).parent), *path.split(os.pathsep)]
    for folder in folders:
        program = Path(folder) / "py-spy"
        if folder and os.access(program, os.X_OK) and program.is_file():
            return str(program)
    return ""
