"""Reaches the agent of a process, and brings it into one where Python can do that."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.target.agent.place import AgentError, check, directory, socket_of
from gilscope.target.hangs.interpreter import Interpreter
from gilscope.target.hangs.native_stacks import NativeStacks
from gilscope.target.hangs.process import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

ARRIVES_SECONDS = 10.0
ANSWER_SECONDS = 30.0
REMOTE = (3, 14)
"""The first version with sys.remote_exec()."""

_SCRIPT = """
try:
    from gilscope.target.agent.server import start
    start()
except BaseException as error:
    with open({reply!r}, "w") as file:
        file.write(f"{{type(error).__name__}}: {{error}}")
"""
_REMOTE_EXEC = "import sys; sys.remote_exec(int(sys.argv[1]), sys.argv[2])"


def connect(pid: int) -> socket.socket:
    """Return a connection to the agent of a process.

    Raises:
        AgentError: There is none, and why; what to do about it.
        NoProcessError: The process cannot be looked at.
    """
    user = Path(f"/proc/{pid}").stat().st_uid
    found = _connected(pid, user)
    if found is not None:
        return found
    with Process(pid) as process:
        interpreter = Interpreter(process, NativeStacks(process))
        version = interpreter.offsets.version
    if version < REMOTE:
        raise AgentError(
            f"process {pid} runs Python {interpreter.version}, which cannot load code from "
            "outside: the program must import gilscope.agent when it starts"
        )
    _bring_in(pid)
    found = _connected(pid, user)
    if found is None:
        raise AgentError(f"the agent of process {pid} does not answer")
    return found


def _connected(pid: int, user: int) -> socket.socket | None:
    path = socket_of(pid, user)
    try:
        check(directory(user), user)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(ANSWER_SECONDS)
        connection.connect(str(path))
    except OSError:
        return None
    return connection


def _bring_in(pid: int) -> None:
    """Have a process import the agent, by its own version's sys.remote_exec().

    Raises:
        AgentError: It could not be done.
    """
    path = Path(f"/proc/{pid}")
    user = path.stat().st_uid
    folder = tempfile.mkdtemp(prefix="gilscope-")
    script, reply = Path(folder) / "attach.py", Path(folder) / "reply"
    try:
        script.write_text(_SCRIPT.format(reply=str(reply)))
        if os.geteuid() != user:
            for one in (folder, script):
                os.chown(one, user, -1)
        _ask_for(pid, script)
        arrived = _has_come(pid, user, reply)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if arrived:
        shutil.rmtree(folder, ignore_errors=True)
        return
    # It may be executed yet: that must do nothing, and its absence would be complained about.
    script.write_text("")
    raise AgentError(
        f"the main thread of process {pid} has run no Python code for {ARRIVES_SECONDS:g} s: see "
        f"gilscope dump {pid}; if it waits for long, have the program import gilscope.agent"
    )


def _ask_for(pid: int, script: Path) -> None:
    """Have the main thread of a process execute a script when it can."""
    python = Path(f"/proc/{pid}/exe").readlink()
    done = subprocess.run(
        [python, "-I", "-S", "-c", _REMOTE_EXEC, str(pid), str(script)],
        capture_output=True,
        text=True,
        timeout=ANSWER_SECONDS,
        check=False,
    )
    if done.returncode:
        raise AgentError(f"process {pid} cannot be attached to: {_last_line(done.stderr)}")


def _has_come(pid: int, user: int, reply: Path) -> bool:
    """Wait for the agent; return whether it came."""
    end = time.monotonic() + ARRIVES_SECONDS
    while time.monotonic() < end:
        if reply.exists() and (said := reply.read_text()):
            raise AgentError(f"gilscope cannot be loaded in process {pid}: {said}")
        if socket_of(pid, user).exists():
            return True
        time.sleep(0.05)
    return False


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "unknown reason"


def ask(connection: socket.socket, command: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Send a command; yield the answers as they come.

    Raises:
        AgentError: The agent refuses, or the process has ended.
    """
    connection.sendall(json.dumps(command).encode() + b"\n")
    data = b""
    while True:
        try:
            more = connection.recv(4096)
        except TimeoutError:
            raise AgentError("the agent does not answer") from None
        except OSError:
            more = b""
        if not more:
            raise AgentError("the process has ended")
        data += more
        *lines, data = data.split(b"\n")
        for line in lines:
            answer = json.loads(line)
            if "error" in answer:
                raise AgentError(str(answer["error"]))
            yield answer
