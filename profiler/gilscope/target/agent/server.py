"""The agent in a program: a thread that waits for the commands of its own user.

One command a connection, a line of JSON each way. A recording that was asked for ends when the
connection does, whatever happens to the other side.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import json
import os
import select
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

from gilscope.config import AGENT_THREAD
from gilscope.errors import GilscopeError
from gilscope.target.agent.place import PRIVATE_SOCKET, prepare, socket_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LONGEST = 1 << 16  # bytes of a command
PATIENCE_SECONDS = 5.0  # for a line to come
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid


class _Agent:
    """The one agent of this process."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._path: Path | None = None
        self._of = 0

    def start(self) -> None:
        """Listen, if this process does not do so already.

        Raises:
            AgentError: The directory is not this user's own.
            OSError: The socket cannot be made.
        """
        if self._of == os.getpid():
            return
        user = os.geteuid()
        prepare(user)
        path = socket_of(os.getpid(), user)
        path.unlink(missing_ok=True)  # of a process that had this id before
        with contextlib.ExitStack() as undo:
            listener = undo.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(str(path))
            undo.callback(path.unlink, missing_ok=True)
            # Nobody else can enter the directory meanwhile; the umask is that of all threads.
            path.chmod(PRIVATE_SOCKET)
            listener.listen(4)
            _begin_thread(self._serve, listener)
            undo.pop_all()
        self._socket, self._path, self._of = listener, path, os.getpid()

    def stop(self) -> None:
        """Remove the socket: the program ends."""
        if self._of == os.getpid() and self._path is not None:
            self._path.unlink(missing_ok=True)

    def leave(self) -> None:
        """In a forked child: the socket and its thread are the parent's."""
        if self._socket is not None:
            self._socket.close()
        self._socket = self._path = None
        self._of = 0

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            # Each in a thread of its own: a recording lasts as long as its connection.
            try:
                _begin_thread(_converse, connection)
            except OSError:
                connection.close()


def _begin_thread(target: Callable[[socket.socket], None], one: socket.socket) -> None:
    """Start a thread of the agent.

    Raises:
        OSError: The system gives no thread.
    """
    thread = threading.Thread(target=target, args=(one,), name=AGENT_THREAD, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, str(error)) from None


def _converse(connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError, ValueError, AttributeError):
        if not _is_allowed(connection):
            return
        connection.settimeout(PATIENCE_SECONDS)
        command = json.loads(_line(connection))
        try:
            reply = _obey(command, connection)
        except (GilscopeError, OSError) as error:
            reply = {"error": str(error)}
        connection.sendall(json.dumps(reply).encode() + b"\n")


def _is_allowed(connection: socket.socket) -> bool:
    """Whether the other side is this user, or root; the socket's mode says so, too."""
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return _CREDENTIALS.unpack(data)[1] in (os.geteuid(), 0)


def _line(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n") and len(data) < LONGEST:
        more = connection.recv(4096)
        if not more:
            break
        data += more
    return data


def _obey(command: dict[str, Any], connection: socket.socket) -> dict[str, Any]:
    # Loaded when it is needed: the program may never be attached to.
    from gilscope.target.recording import session  # noqa: PLC0415
    from gilscope.target.recording.overwrite import check_overwrite  # noqa: PLC0415

    path, do = str(command.get("path", "")), command.get("do")
    if do == "snapshot":
        check_overwrite(_file(path))
        session.snapshot(path)
        return {"path": path}
    if do != "record":
        return {"error": f"the agent does not know {do!r}"}
    check_overwrite(_file(path))
    options = command.get("options")
    session.start(path, **(options if isinstance(options, dict) else {}))
    try:
        connection.sendall(b'{"began": true}\n')
        _wait(connection)
    finally:
        counts = session.stop() if session.running() else {}
    return {"path": path, "counts": counts}


def _file(path: str) -> Path:
    from pathlib import Path  # noqa: PLC0415 - see above

    return Path(path)


def _wait(connection: socket.socket) -> None:
    """Wait for anything from the other side, or for its end."""
    select.select([connection], [], [])


_agent = _Agent()


def start() -> None:
    """Start the agent of this process, once."""
    _agent.start()


atexit.register(_agent.stop)
os.register_at_fork(after_in_child=_agent.leave)
