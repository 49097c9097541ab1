"""Where the sockets of agents are: a directory that belongs to the user and to nobody else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from gilscope.errors import GilscopeError

PRIVATE_DIRECTORY, PRIVATE_SOCKET = 0o700, 0o600


class AgentError(GilscopeError):
    """An agent cannot be reached, or cannot do what it was asked for."""


def directory(user: int) -> Path:
    """Return the directory of a user's sockets.

    Not below $XDG_RUNTIME_DIR: root and other sessions of the user would look elsewhere.
    """
    return Path("/tmp") / f"gilscope-{user}"  # noqa: S108 - checked to be the user's own


def socket_of(pid: int, user: int) -> Path:
    """Return the socket of a process's agent."""
    return directory(user) / f"{pid}.sock"


def check(path: Path, user: int) -> None:
    """Make sure that a directory is the user's own and that nobody else may enter it.

    Raises:
        AgentError: It is somebody else's, a link, or open to others.
    """
    status = os.lstat(path)
    own = stat.S_ISDIR(status.st_mode) and status.st_uid == user
    if not own or stat.S_IMODE(status.st_mode) & 0o077:
        raise AgentError(f"{path} is not a private directory of user {user}: remove it")


def prepare(user: int) -> Path:
    """Return the directory, made if it is not there.

    Raises:
        AgentError: It is not the user's own.
        OSError: It cannot be made.
    """
    path = directory(user)
    path.mkdir(PRIVATE_DIRECTORY, exist_ok=True)
    check(path, user)
    for one in path.glob("*.sock"):
        # Of a process that was killed.
        if not Path(f"/proc/{one.stem}").exists():
            one.unlink(missing_ok=True)
    return path
