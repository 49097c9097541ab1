"""Where the system gives no thread, what gilscope would do in one is left out; nothing is left."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PYTHONS = [
    pytest.param(os.environ.get("GILSCOPE_PYTHON", sys.executable), id="gil"),
    pytest.param(os.environ.get("GILSCOPE_FT_PYTHON", ""), id="ft"),
]
NONE = "import threading, warnings; threading.stack_size(1 << 46)\n"  # no thread has such a stack
AGENT = """
import os
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    import gilscope.agent
assert "cannot be attached to" in str(said[0].message), said
from gilscope.target.agent import place, server
path = place.socket_of(os.getpid(), os.geteuid())
assert not path.exists()
threading.stack_size(0)
server.start()
assert path.exists()
"""
CONNECTION = """
import os, socket
import gilscope.agent
from gilscope.target.agent import place
path = place.socket_of(os.getpid(), os.geteuid())
def ask():
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        try:
            client.sendall(b'{"do": "nothing"}\\n')
            return client.recv(100)
        except ConnectionError:
            return b""
threading.stack_size(1 << 46)
assert ask() == b""
threading.stack_size(0)
assert b"does not know" in ask()
"""
SNAPSHOTS = """
import os
from pathlib import Path
from gilscope.target.recording.snapshots import Snapshots
before = os.listdir("/proc/self/fd")
try:
    Snapshots(Path("x.gilscope"), {}, print)
except RuntimeError:
    pass
assert os.listdir("/proc/self/fd") == before
"""


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    "source",
    [
        pytest.param(NONE + AGENT, id="agent"),
        pytest.param("import threading\n" + CONNECTION, id="connection"),
        pytest.param(NONE + SNAPSHOTS, id="snapshots"),
    ],
)
def test_no_thread(python: str, source: str) -> None:
    """It is as if it had not been asked for, and can be asked for again."""
    if not python:
        pytest.skip("no interpreter of this build")
    done = subprocess.run(
        [python, "-c", source], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
