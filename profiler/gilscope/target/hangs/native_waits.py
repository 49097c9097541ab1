"""What native code waits for, by the names on its stack and by what glibc keeps in its locks.

The table: symbol → kind of wait → who could end it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gilscope.target.hangs.native_stacks import is_c_library
from gilscope.target.hangs.picture import Wait
from gilscope.target.hangs.process import WORD, UnreadableError, field

if TYPE_CHECKING:
    from collections.abc import Callable

    from gilscope.target.hangs.native_stacks import NativeFrame
    from gilscope.target.hangs.picture import Picture, Thread

_DEPTH = 12  # frames that are looked at
_OWNER = 8  # of a pthread mutex: __lock, __count, __owner
_WRITER = 24  # of a pthread rwlock: __cur_writer
_WRITER_FROM = (8, 12)  # __wrphase_futex, __writers_futex
_HOLDER = 8  # of stdio's lock: lock, cnt, owner (a pthread id)


class Kind(NamedTuple):
    """A line of the table.

    Attributes:
        pattern: Of the symbol, or of the module with ``@`` before it.
        kind: As in `Wait`.
        what: For people.
        owner: Finds who has to act.
    """

    pattern: re.Pattern[str]
    kind: str
    what: str
    owner: Callable[[Picture, Thread, int], tuple[tuple[int, ...], str]]


def native_wait(picture: Picture, thread: Thread) -> Wait:
    """Return what a thread waits for that sleeps in a futex of native code."""
    ends = thread.task.wait.timed or _is_shared(picture, thread.task.wait.futex)
    joined = thread.task.wait.joined
    found = _in_table(thread)
    if found is None and joined in picture.threads:
        return Wait("join", picture.name(joined), (joined,), ends=ends)
    if found is None:
        # std::atomic::wait() is compiled into its callers.
        itself = thread.native[:1] and thread.native[0].symbol == "syscall"
        what = "a futex, as std::atomic::wait() does" if itself else "a futex of native code"
        return Wait("futex", what, ends=ends)
    place, kind = found
    if kind.kind == "join" and joined in picture.threads:
        return Wait("join", picture.name(joined), (joined,), ends=ends)
    if kind.kind == "condition" and thread.task.wait.locks:
        kind = kind._replace(kind="mutex", what="the mutex of a native condition", owner=_of_mutex)
    owners, lost = kind.owner(picture, thread, place)
    what = kind.what
    loader = _loaders_function(thread.native, place) if kind.kind == "mutex" else ""
    if loader:
        what = f"the lock of the dynamic loader in {loader}"
    return Wait(kind.kind, what, owners, ends, lost, thread.task.wait.futex)


def _is_shared(picture: Picture, address: int) -> bool:
    """Whether other processes have the memory, too, and may end the wait."""
    mapping = picture.process.mapping(address)
    return mapping is None or mapping.shared


def _in_table(thread: Thread) -> tuple[int, Kind] | None:
    """Return the innermost frame that the table knows, and its line."""
    for place, frame in enumerate(thread.native[:_DEPTH]):
        for kind in _TABLE:
            if kind.pattern.match(frame.symbol or "?") or kind.pattern.match("@" + frame.module):
                return place, kind
    return None


def _loaders_function(stack: list[NativeFrame], place: int) -> str:
    """Return the function of the loader that takes a lock there; "" if it is none of these."""
    names = (frame.symbol for frame in stack[place + 1 : place + 4])
    return next((name for name in names if _LOADER.match(name)), "")


def _nobody(_picture: Picture, _thread: Thread, _place: int) -> tuple[tuple[int, ...], str]:
    return (), ""


def _of_mutex(picture: Picture, thread: Thread, _place: int) -> tuple[tuple[int, ...], str]:
    return _thread_at(picture, thread.task.wait.futex + _OWNER)


def _of_rwlock(picture: Picture, thread: Thread, _place: int) -> tuple[tuple[int, ...], str]:
    futex = thread.task.wait.futex
    for offset in _WRITER_FROM:
        # Which of the two it sleeps in is not known: the writer must be one that lives.
        owners, _ = _thread_at(picture, futex - offset + _WRITER)
        if owners:
            return owners, ""
    return (), ""


def _of_stream(picture: Picture, thread: Thread, _place: int) -> tuple[tuple[int, ...], str]:
    try:
        ident = picture.process.number(thread.task.wait.futex + _HOLDER, WORD)
    except UnreadableError:
        return (), ""
    owner = picture.owner(ident)
    return ((owner,) if owner else ()), ""


def _of_team(picture: Picture, thread: Thread, _place: int) -> tuple[tuple[int, ...], str]:
    """Return the threads of an OpenMP region that have not come to where this one waits for all.

    A region is begun by a thread that OpenMP did not make. While there is only one of these, all
    threads of OpenMP's that run the program's code are in its region, or in one inside it.
    """
    frames = [frame for frame in thread.native if _OPENMP.match("@" + frame.module)]
    if not _FOR_ALL.match(frames[-1].symbol):
        return (), ""
    inside = [t for t in picture.threads.values() if any(map(_is_openmp, t.native))]
    if sum(not _is_made_by_openmp(t.native) for t in inside) != 1:
        return (), ""
    return tuple(t.tid for t in inside if t is not thread and _runs_program(t.native)), ""


def _is_openmp(frame: NativeFrame) -> bool:
    return bool(_OPENMP.match("@" + frame.module))


def _is_made_by_openmp(stack: list[NativeFrame]) -> bool:
    """Whether a thread's outermost code but that of the C library is OpenMP's."""
    outer = next((f for f in reversed(stack) if not is_c_library(f.module)), None)
    return outer is not None and _is_openmp(outer)


def _runs_program(stack: list[NativeFrame]) -> bool:
    inner = next((f for f in stack if not is_c_library(f.module)), None)
    return inner is not None and not _is_openmp(inner)


def _of_function(picture: Picture, thread: Thread, place: int) -> tuple[tuple[int, ...], str]:
    """Return the one other thread that is inside the function that is being executed once.

    For a C++ static that is the function around it, for std::call_once glibc's.
    """
    frame = thread.native[place]
    begin = frame.begin
    if frame.symbol == "__cxa_guard_acquire":
        outer = thread.native[place + 1] if place + 1 < len(thread.native) else None
        begin = outer.begin if outer else 0
    if not begin:
        return (), ""
    inside = [
        other.tid
        for other in picture.threads.values()
        if other is not thread and _runs(other, begin, frame.begin)
    ]
    return (tuple(inside) if len(inside) == 1 else ()), ""


def _runs(thread: Thread, begin: int, waiting: int) -> bool:
    """Whether a thread is inside a function and does not wait there itself."""
    stack = thread.native
    for place, frame in enumerate(stack):
        if frame.begin == begin:
            inner = stack[place - 1] if place else None
            if begin == waiting:  # pthread_once: it waits when nothing of the program is inside it
                return any("libc" not in f.module for f in stack[:place])
            return inner is None or inner.begin != waiting
    return False


def _thread_at(picture: Picture, address: int) -> tuple[tuple[int, ...], str]:
    """Return the thread that a lock says it belongs to, or who that was if it is gone."""
    try:
        tid = picture.process.number(address, 4)
    except UnreadableError:
        return (), ""
    if tid in picture.threads:
        return (tid,), ""
    if not tid or tid >= 1 << 22:
        return (), ""
    return (), _gone(picture, tid)


def _gone(picture: Picture, tid: int) -> str:
    """Say who a thread was that this process does not have: often one of the parent's."""
    status = (picture.process.path / "status").read_text(errors="replace")
    parent = field(status, "PPid")
    comm = Path(f"/proc/{parent}/task/{tid}/comm")
    try:
        name = comm.read_text(errors="replace").strip()
    except OSError:
        return f"thread {tid}, which does not exist in this process"
    return f"thread {tid} ({name}) of the parent {parent}, which does not exist in this process"


_OPENMP = re.compile(r"@lib(gomp|omp|iomp5)[.-]")
_FOR_ALL = re.compile(r"GOMP_(parallel|barrier|loop_end$|sections_end$)|__kmpc_(fork_call|barrier)")
_LOADER = re.compile(r"dl_iterate_phdr|_*dl(open|close|sym|addr|vsym|info)|_dl_|__tls_get_addr")
_STDIO = (
    r"_*flockfile|f?puts$|_IO_(f?puts|fwrite|fflush|fread|getline|fclose|getc|putc)|fwrite|fread"
    r"|v?f?printf$|f?getc$|f?putc$|putchar|fflush|fclose|fgets"
)
_TABLE = [
    Kind(re.compile(pattern), kind, what, owner)
    for pattern, kind, what, owner in (
        (r"__cxa_guard_acquire$", "guard", "the initialisation of a C++ static", _of_function),
        (r"_*pthread_once", "once", "a function that runs once to end", _of_function),
        (
            r"_*pthread_mutex_(timed|clock)?lock|__pthread_mutex_cond_lock",
            "mutex",
            "a native mutex",
            _of_mutex,
        ),
        (r"_*pthread_rwlock_", "rwlock", "a native read-write lock", _of_rwlock),
        (r"_*pthread_(timed|clock)?join|_ZNSt6thread4joinEv", "join", "a native thread", _nobody),
        (r"_*pthread_barrier_wait", "barrier", "other threads at a native barrier", _nobody),
        (
            r"_*pthread_cond_|_ZNSt18condition_variable4wait",
            "condition",
            "a native condition",
            _nobody,
        ),
        (r"_*(new_)?sem_(timed|clock)?wait", "semaphore", "a native semaphore", _nobody),
        (_STDIO, "stdio", "the lock of a stdio stream", _of_stream),
        (
            r"_ZNSt28__atomic_futex_unsigned_base|_ZNSt13__future_base",
            "future",
            "a std::future",
            _nobody,
        ),
        (
            r"_ZNSt8__detail.*(wait|futex)|_ZNSt6__atomic|_ZNSt15__atomic",
            "atomic",
            "a std::atomic to change",
            _nobody,
        ),
        (_OPENMP.pattern, "barrier", "other threads of an OpenMP region", _of_team),
        (r"@libtbb", "tbb", "work of oneTBB", _nobody),
    )
]
