"""Starts and stops the native probe in this process.

The only module that imports the native extension. It needs the standard library and nothing else.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.config import EXECUTOR_VARIABLE, VARIABLE
from gilscope.errors import GilscopeError, ProbeError
from gilscope.target import spans
from gilscope.target.hangs.trace_file import add_metadata
from gilscope.target.recording import children as child_processes
from gilscope.target.recording import self_test as test_in_child
from gilscope.target.recording.hang_watch import HangWatch
from gilscope.target.recording.options import RecordingOptions
from gilscope.target.thread_names import ThreadNames

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from gilscope.target.recording.children import Recorded

SESSION_SIZE = 16

NEEDS = "the probe needs 128 MB of address space to start, see ulimit -v"

FATES = (
    "",
    "the trace was removed while it was written",
    "another file took the trace's place while it was written: what is there is not of this run",
    "the trace was truncated while it was written",
)
"""What became of a trace by the end of its recording, by the ``fate`` that `stop` returns."""


def start(
    path: str | os.PathLike[str],
    options: RecordingOptions | None = None,
    *,
    belongs_to: tuple[bytes, int] | None = None,
    **changes: Any,
) -> None:
    """Record this process into the trace file ``path`` until `stop`.

    Every thread is recorded, those that exist already and those that native code starts, too. The
    first start of a process tests that the probe can be believed in this interpreter; classes of
    event that fail are left out and named in the trace.

    Args:
        path: The trace file; an existing one is replaced.
        options: How; by default as `RecordingOptions` has it.
        belongs_to: Session of the process that made this one, and its process id.
        **changes: Fields of `RecordingOptions` that differ from ``options``.

    Raises:
        UsageError: A value is out of range.
        ProbeError: It runs already, the file cannot be written, or this interpreter is one that the
            probe does not know. The program goes on as before.
    """
    options = (options or RecordingOptions()).replaced(**changes)
    native = _native()
    if not native.in_main_interpreter():
        raise ProbeError("a recording is begun and ended in the main interpreter")
    session, parent_pid = belongs_to or _session_of_environment()
    metadata = _metadata(parent_pid)
    file = Path(path).absolute()
    with _turn.lock:
        if options.follow_children:
            _prepare_to_follow()
        _call(test_in_child.provide, native)
        with contextlib.ExitStack() as undo:
            # One that is refused because another recording runs must not touch the other one's.
            if not native.running():
                undo.callback(_hangs.cancel)
                _hangs.prepare(native, file, metadata, options, snapshot)
            _start_native(native, file, options, metadata, session)
            undo.callback(_call, native.stop, {}, "stop")
            _listen(str(file), session, options)
            undo.pop_all()


def _listen(path: str, session: bytes, options: RecordingOptions) -> None:
    """Begin what this half does for a recording; if a part fails, nothing of it is left."""
    with contextlib.ExitStack() as undo:
        undo.callback(_names.remove)
        _names.install()
        _loaded.stop_at_exit()
        _hangs.begin()
        if options.follow_children:
            undo.callback(_children().unfollow)
            parent = _children().Recorded(
                path=path, session=session, pid=os.getpid(), options=options
            )
            _children().follow(parent, stop_at_exit)
        undo.pop_all()


def _start_native(
    native: ModuleType,
    file: Path,
    options: RecordingOptions,
    metadata: dict[str, object],
    session: bytes,
) -> None:
    try:
        _call(
            native.start,
            os.fsencode(file),
            options.max_bytes,
            json.dumps(metadata),
            _known_threads(),
            ring=options.ring,
            session=session,
            native_locks=options.native_locks,
        )
    except OSError as error:
        needs = f" ({NEEDS})" if error.errno == errno.ENOMEM else ""
        raise ProbeError(f"cannot record to {file}: {error.strerror}{needs}") from None
    except MemoryError:
        raise ProbeError(f"cannot record to {file}: no memory ({NEEDS})") from None


def stop() -> dict[str, int]:
    """End the recording and put everything back as it was before `start`.

    Returns:
        Counts: ``events`` in the file, ``dropped`` for want of room, ``overwritten`` by later ones
        in a ring, ``bytes`` of the file; ``fate``: what became of the file, see `FATES`;
        ``error``: errno of why it could not grow any more, else 0; ``abandoned``: 1 if there was a
        thread that could not be waited for and may still write to it.

    Raises:
        ProbeError: It does not run.
    """
    return _stop("stop")


def watch_ending(path: str | os.PathLike[str]) -> None:
    """Add to the trace ``path`` what native threads do while the interpreter ends.

    After the last `stop` of a program that is over. Where no other thread lives there is nothing
    to watch, and the process is left as it is. So it is where that cannot be found out.
    """
    with contextlib.suppress(OSError):  # there is no /proc in a jail
        if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 - the names are not needed
            _call(_native().watch_ending, os.fsencode(Path(path).absolute()))


def hang_report() -> str:
    """Return what the watcher of this process found, as JSON; "" if it found no hang."""
    return _hangs.report()


def running() -> bool:
    """Return whether the probe records this process."""
    return bool(_native().running())


def snapshot(path: str | os.PathLike[str], metadata: str = "") -> None:
    """Write what is recorded so far to the trace file ``path``, and go on recording.

    Any thread may call this. An existing file is replaced when the new one is complete. Its
    metadata are those of the trace, unless others are given.

    Raises:
        ProbeError: The probe does not run, or the file cannot be written.
    """
    file = Path(path).absolute()
    # Of its own: several threads may write one at the same time.
    draft = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_native_id()}.part")
    try:
        _call(_native().snapshot, os.fsencode(draft))
        if metadata:
            add_metadata(str(draft), os.getpid(), metadata)
        draft.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise ProbeError(f"cannot write {file}: {error.strerror}") from None


def counted() -> tuple[Any, ...] | None:
    """Return what the recording that runs has counted; None without one. Any thread may ask.

    The fields are those of `openmetrics.Counted`.

    Raises:
        ProbeError: The native probe cannot be loaded.
    """
    numbers: tuple[Any, ...] | None = _call(_native().counted)
    return numbers


def self_test() -> dict[str, str]:
    """Prove anew that what the probe decodes is what happened.

    Returns:
        For each class of event ``ok``, ``not applicable: reason`` or ``not measured: reason``.

    Raises:
        ProbeError: The probe runs, or cannot run in this interpreter.
    """
    return _call(test_in_child.run, _native())


def hooks() -> list[tuple[str, str, int]]:
    """Return (function, file, slots) for every hook that can be installed now.

    A function of the interpreter with 0 slots cannot be hooked.

    Raises:
        ProbeError: The probe cannot run in this interpreter.
    """
    return _call(_native().hooks)


def _native() -> ModuleType:
    # Nothing can be imported any more when the interpreter ends; and in a forked child, another
    # thread may have been importing at the fork.
    if _loaded.native is not None:
        return _loaded.native
    try:
        from gilscope import _probe  # noqa: PLC0415 - missing on systems without a probe
    except ImportError as error:
        if sys.platform != "linux":
            raise ProbeError(f"the probe runs on Linux only, not on {sys.platform}") from None
        if "failed to map" in str(error):
            raise ProbeError(f"{NEEDS} ({error})") from None
        raise ProbeError(
            f"cannot load the native probe in {sys.executable} ({error}): "
            "install gilscope there with pip"
        ) from None
    _loaded.native = spans.loaded.native = _probe
    return _probe


def _call[**P, R](function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    try:
        return function(*args, **kwargs)
    except RuntimeError as error:
        raise ProbeError(str(error)) from None


def _prepare_to_follow() -> None:
    """Load what following children takes, before there is a session that could be left behind.

    Raises:
        ProbeError: Some of it cannot be loaded any more, as after a change of the user.
    """
    try:
        _children().prepare()
    except ImportError as error:
        raise ProbeError(f"cannot record the child processes: {error}") from None


def _children() -> ModuleType:
    _loaded.children = child_processes
    return child_processes


def _session_of_environment() -> tuple[bytes, int | None]:
    """Return the session that this process belongs to, and the process that made it, if any."""
    session, _, pid = os.environ.get(VARIABLE, "").partition(":")
    try:
        if int(pid) != os.getpid() and len(inherited := bytes.fromhex(session)) == SESSION_SIZE:
            return inherited, int(pid)
    except ValueError:
        pass
    return os.urandom(SESSION_SIZE), None


def _processors() -> int:
    """Return how many processors the process may use; 0 if it may not know."""
    try:
        return len(os.sched_getaffinity(0))
    except OSError:
        return 0


def _metadata(parent_pid: int | None) -> dict[str, object]:
    from gilscope import __version__  # noqa: PLC0415 - defined after this module may be imported

    parent = {} if parent_pid is None else {"parent_pid": parent_pid}
    kind = os.environ.get(EXECUTOR_VARIABLE)
    return {
        **parent,
        **({"executor": kind} if kind else {}),
        "gilscope": __version__,
        "python": sys.version,
        "executable": sys.executable,
        "argv": list(sys.argv),
        "processors": _processors(),
        "free_threaded": bool(getattr(sys, "abiflags", "").startswith("t")),
        "gil_enabled": sys._is_gil_enabled(),  # noqa: SLF001 - no public name in 3.13
    }


def _known_threads() -> list[tuple[int, int, bool, str]]:
    """Return (tid, ident, started by Python, name) of the threads that threading knows.

    Threads that native code started have the name that it gave them, not threading's "Dummy-1".
    Libraries replace what is in threading, and threads of theirs may share one of the system's, or
    lack what threads have: so only facts are read, and no code of theirs is run.
    """
    main = getattr(threading, "_main_thread", None)
    active = getattr(threading, "_active", None)
    # Not active.copy(): in free-threaded 3.13 that takes the dict's lock twice, which is a wait.
    others = list(dict(active).values()) if type(active) is dict else []
    found: dict[int, tuple[int, int, bool, str]] = {}
    for thread in (main, *others):  # the main thread first: others may claim to be it
        tid, ident = _field(thread, "_native_id"), _field(thread, "_ident")
        if type(tid) is int and tid not in found:
            dummy = issubclass(type(thread), _DUMMY)
            known = ident if type(ident) is int else 0
            found[tid] = tid, known, not dummy, "" if dummy else _name_of(thread)
    return list(found.values())


# The original, before other code can replace it.
_DUMMY: Any = getattr(threading, "_DummyThread", ())


def _field(thread: object, name: str) -> object:
    """Return what an object has under a name, without running the program's code."""
    try:
        # Not vars(): in free-threaded builds that makes a dict, under locks that then show up.
        return object.__getattribute__(thread, name)
    except AttributeError:
        return None


def _name_of(thread: object) -> str:
    """Return a thread's name as text that can be written."""
    name = _field(thread, "_name")
    return name.encode("utf-8", "replace").decode() if type(name) is str else ""


def _stop(reason: str) -> dict[str, int]:
    native = _native()
    # Threads may have been renamed while they ran.
    names = {tid: name for tid, _, _, name in _known_threads() if name}
    with _turn.lock:
        report: dict[str, int] = _call(native.stop, names, reason)
        # Only now: a stop that was refused has changed nothing, and can be tried again. All of
        # these, also if one of them fails.
        with contextlib.ExitStack() as rest:
            if _loaded.children is not None:
                rest.callback(_loaded.children.unfollow)
            rest.callback(_hangs.end, native)
            rest.callback(_names.remove)
    return report


def begin_spawned_child(path: str, session: bytes, pid: int, options: dict[str, Any]) -> None:
    """Begin the recording of this process, a child of the one that the arguments describe."""
    recorded = RecordingOptions(**options)
    begin_child(_children().Recorded(path=path, session=session, pid=pid, options=recorded))


def begin_child(parent: Recorded) -> None:
    """Begin the recording of this process, a child of ``parent``, as that one is recorded."""
    with contextlib.suppress(GilscopeError, OSError):
        path = _children().path_of_child(parent, os.getpid())
        start(path, parent.options, belongs_to=(parent.session, parent.pid))


def stop_at_exit() -> None:
    """End the recording if there is one: the program ends."""
    if running():
        _stop("exit")


class _Loaded:
    """The modules that are loaded when they are needed.

    In a forked child of a free-threaded build, whoever looks into a dict that another thread was
    changing at the fork waits for ever: so not in sys.modules.
    """

    native: ModuleType | None = None
    children: ModuleType | None = None
    listens = False

    def stop_at_exit(self) -> None:
        """Complete the last trace when the program exits.

        Said once: the interpreter keeps a place for each handler, also for those that are taken
        back, and looks through all of them.
        """
        if not self.listens:
            atexit.register(stop_at_exit)
            self.listens = True


class _Turn:
    """Lets one thread at a time start or stop: both halves of it, the native one and this one.

    Attributes:
        lock: Held by whoever does. By a signal's handler once more, if one comes in between; the
            native half then refuses.
    """

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """In a forked child, where whoever holds the lock does not exist."""
        self.lock = threading.RLock()


_loaded = _Loaded()
_names = ThreadNames(_native, _DUMMY)
_hangs = HangWatch()
_turn = _Turn()


def _before_fork() -> None:
    if _loaded.native is not None:
        _loaded.native.before_fork()


def _after_fork_in_parent() -> None:
    if _loaded.native is not None:
        _loaded.native.after_fork_in_parent()


def _after_fork_in_child() -> None:
    # The names of threads are left as they are: they tell nobody anything now, and to put them back
    # takes a lock of the types, which another thread may have held at the fork.
    _turn.renew()
    if _loaded.children is None:
        return
    parent = _loaded.children.parent_after_fork()
    if parent is not None:
        begin_child(parent)


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
