"""``%%profile_threads --here`` in a real shell: the code runs in it, and keeps names and lines."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CELLS = r'''
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "gilscope")
shell.run_cell("first = 1", store_history=True)
code = """%%profile_threads --here -o found

import threading
def work():
    with lock:
        return 6 * 7
lock = threading.Lock()
thread = threading.Thread(target=work)
with lock:
    thread.start()
    threading.Event().wait(0.05)
thread.join()
"""
shell.run_cell(code, store_history=True)
[(_, trace)] = shell.user_ns["found"].traces()
places = {(one.file, one.name, one.line) for stack in trace.stacks.values() for one in stack}
print("PLACES", sorted(place for place in places if place[0].startswith("<cell")))
conditions = shell.user_ns["found"].conditions
print("CPUS", len(conditions.cpus), conditions.others is not None)
shell.run_cell("def later():\n    pass", store_history=True)
print("NAMED", shell.user_ns["later"].__code__.co_filename.startswith("<cell"))
'''


def test_code_in_the_kernel_has_the_lines_of_its_cell(tmp_path: Path) -> None:
    """And the name of the cell, as code that runs elsewhere; code of other cells is left alone."""
    done = subprocess.run(
        [sys.executable, "-c", CELLS],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = dict(
        line.split(" ", 1) for line in done.stdout.splitlines() if line.isascii() and " " in line
    )
    assert "('<cell 2>', 'work', 5)" in said["PLACES"]
    assert said["NAMED"] == "False"
    cpus, known = said["CPUS"].split()
    assert int(cpus) > 0
    assert known == "True"
