"""Records the Python processes that a recorded one makes: one trace each, all of one session.

On request only (``follow_children``). A child begins its own trace as soon as it can run Python
code, beside its parent's: ``NAME.gilscope`` → ``NAME.PID.gilscope``; `gilscope.family` finds them.

- A child by ``os.fork()``, which is what multiprocessing's ``fork`` does: after the fork, in the
  child.
- multiprocessing's ``spawn`` and ``forkserver``, and so ``ProcessPoolExecutor``: the data by which
  multiprocessing prepares a child carries an entry that begins the recording when it is read.
- Any other program: the environment variable `VARIABLE` names the session. A process that records
  itself (``gilscope run``, ``gilscope.profile``) belongs to it then; one that does not is left
  alone.

A child that cannot be recorded runs without. Standard library only.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.config import SESSION_IN_HEADER, TRACE_SUFFIX, VARIABLE
from gilscope.target.frozen import Frozen
from gilscope.target.patch import Patch, Switch

if TYPE_CHECKING:
    from collections.abc import Callable

    from gilscope.target.recording.options import RecordingOptions

ROOT = str(Path(__file__).parents[3])

# Read by the child before it is told its sys.path; it must not fail there, whatever happens.
_BEGIN = """
import sys
try:
    sys.path.append({root!r})
    try:
        from gilscope.target.recording import session
    finally:
        sys.path.remove({root!r})
    session.begin_spawned_child(*{arguments!r})
except Exception:
    pass
"""


class Recorded(Frozen):
    """A process whose children are to be recorded.

    Attributes:
        path: Its trace.
        session: Of all traces that belong together, 16 bytes.
        pid: Its process id.
        options: How it is recorded, and so each of its children.
    """

    path: str
    session: bytes
    pid: int
    options: RecordingOptions


class _Entry:
    """Pickled in the parent, it is a call of `session.begin_spawned_child` in the child."""

    def __init__(self, parent: Recorded) -> None:
        arguments = (parent.path, parent.session, parent.pid, parent.options.as_dict())
        self.source = _BEGIN.format(root=ROOT, arguments=arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        # By a builtin: if the child does not find gilscope, it must go on without it.
        return exec, (self.source, {})


class _Follower:
    """What is changed in a process while its children are followed."""

    def __init__(self) -> None:
        self.parent: Recorded | None = None
        self._stop: Callable[[], None] | None = None
        self._variable: tuple[str | None, str] | None = None  # before, and ours
        self._patch: Patch | None = None
        self._listens = False

    def install(self, parent: Recorded, stop: Callable[[], None]) -> None:
        """Begin to follow; ``stop`` ends the recording of a process, if there is one."""
        # Loaded on demand: programs whose children are not followed may not use it.
        from multiprocessing import spawn, util  # noqa: PLC0415

        self.remove()
        self.parent, self._stop = parent, stop
        self._variable = os.environ.get(VARIABLE), f"{parent.session.hex()}:{parent.pid}"
        os.environ[VARIABLE] = self._variable[1]
        if self._patch is None:
            self._patch = Patch(spawn, "get_preparation_data", self._adding)
        self._patch.install()
        if not self._listens:
            # Its children end by os._exit(), without the exit handlers of their parent.
            util.register_after_fork(self, _Follower._stop_at_exit)
            self._listens = True

    def remove(self) -> None:
        """Put everything back."""
        self.parent = self._stop = None
        if self._patch is not None:
            self._patch.remove()
        if self._variable is None:
            return
        (before, ours), self._variable = self._variable, None
        if os.environ.get(VARIABLE) != ours:
            return  # the program has set another one
        _restore_variable(before)

    def _adding(self, switch: Switch, original: Callable[..., Any]) -> Callable[..., Any]:
        def get_preparation_data(name: str) -> dict[str, Any]:
            data: dict[str, Any] = original(name)
            parent = self.parent
            return {**data, "gilscope": _Entry(parent)} if switch.on and parent else data

        return get_preparation_data

    def _stop_at_exit(self) -> None:
        """In a child of multiprocessing that is about to do its work: have its trace completed."""
        from multiprocessing import util  # noqa: PLC0415 - it is loaded

        if self._stop is not None:
            last = -1000  # below 0 comes after the program's own, the lowest one last
            util.Finalize(None, self._stop, exitpriority=last)


def _restore_variable(before: str | None) -> None:
    """Give `VARIABLE` its value from before the session; empty where it cannot be removed.

    A variable that is removed moves those behind it. A thread that starts a program meanwhile has
    counted them already, reads past the last one, and fails with EFAULT. To change one is safe.
    """
    if before is None and _is_only_thread():
        del os.environ[VARIABLE]
    else:
        os.environ[VARIABLE] = before or ""


def _is_only_thread() -> bool:
    try:
        return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208 - as little as can be
    except OSError:
        return False


_follower = _Follower()


def prepare() -> None:
    """Load what `follow` needs.

    Raises:
        ImportError: Some of it cannot be loaded.
    """
    # Loaded on demand: programs whose children are not followed may not use it.
    from multiprocessing import spawn, util  # noqa: F401, PLC0415 - loaded is all that they must be


def follow(parent: Recorded, stop: Callable[[], None]) -> None:
    """Record the children that this process makes from now on.

    Args:
        parent: This process.
        stop: Ends the recording of the process that calls it, if there is one.
    """
    _follower.install(parent, stop)


def unfollow() -> None:
    """Record no more children of this process."""
    _follower.remove()


def parent_after_fork() -> Recorded | None:
    """Return the parent of this process, a child by fork; None if it is not to be recorded."""
    parent = _follower.parent
    _follower.remove()
    return None if _is_about_to_exec() else parent


def path_of_child(parent: Recorded, pid: int) -> Path:
    """Return where the trace of the child ``pid`` is to be: where no relative's is."""
    own = Path(parent.path)
    stem, suffix = (own.stem, own.suffix) if own.suffix == TRACE_SUFFIX else (own.name, "")
    path = own.with_name(f"{stem}.{pid}{suffix}")
    number = 1
    while session_of(path) == parent.session:  # an earlier child had the same process id
        number += 1
        path = own.with_name(f"{stem}.{pid}.{number}{suffix}")
    return path


def session_of(path: Path) -> bytes:
    """Return the session that a trace belongs to; nothing if it is no trace."""
    try:
        with path.open("rb") as file:
            header = file.read(SESSION_IN_HEADER.stop)
    except OSError:
        return b""
    return header[SESSION_IN_HEADER]


def _is_about_to_exec() -> bool:
    """Return whether this child was made by subprocess, to become another program."""
    frame = sys._getframe()  # noqa: SLF001 - it has no public name
    while frame and frame.f_globals.get("__package__") == __package__:
        frame = frame.f_back  # type: ignore[assignment]
    return bool(frame) and frame.f_globals.get("__name__") == "subprocess"
