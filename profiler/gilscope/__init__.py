"""Thread-safety profiler for Python's native extensions.

The same code under the GIL build and the free-threaded build of CPython, on one time axis.

    with gilscope.profile("x.gilscope"):     # records what happens in this process
        work()

    trace = gilscope.open("x.gilscope")      # reads it
    gilscope.compare("script.py")            # runs a script under both builds

Importing this package costs next to nothing and needs the standard library only, so it can be
imported by any program under test. What reads and draws is loaded when it is first used.

PYTEST_DONT_REWRITE: a program that imports pytest after this package gets no warning of it.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.errors import GilscopeError
from gilscope.target.spans import Span

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor
    from contextlib import AbstractContextManager

    from gilscope import dask as dask
    from gilscope.presentation import Comparison
    from gilscope.race import Races
    from gilscope.trace.model import Trace

__version__ = "0.2.0"
__all__ = [
    "GilscopeError",
    "__version__",
    "compare",
    "executor",
    "family",
    "load_ipython_extension",
    "open",
    "openmetrics",
    "profile",
    "races",
    "snapshot",
    "span",
    "synchronises",
]


def __getattr__(name: str) -> Any:
    """Load what has a package of its own when it is first asked for."""
    if name == "dask":
        from importlib import import_module  # noqa: PLC0415 - where it is asked for

        return import_module("gilscope.dask")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@contextmanager
def reader_side() -> Iterator[None]:
    """Say in one line what is missing when the reader side is imported where it is not installed.

    Raises:
        GilscopeError: An import in the block failed for want of a package.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "gilscope"):
            raise
        raise GilscopeError(
            f"reading traces needs {package}, which is not installed: pip install gilscope "
            "(programs under test do not need it)"
        ) from None


@contextmanager
def profile(path: str | os.PathLike[str], **options: Any) -> Iterator[None]:
    """Record the threads of this process in the trace file ``path`` while the block runs.

    Args:
        path: The trace file; an earlier trace there is replaced.
        **options: ``max_bytes`` (int): maximum size of the file; events that do not fit are
            counted, not kept. ``ring`` (bool): when it is full, keep the latest events and count
            those that they replace. ``follow_children`` (bool): also record the Python processes
            that this one starts, each in a trace of its own, which `family` finds.
            ``native_locks`` (bool): also record waits for locks of native code (pthread, and so
            std::mutex); on by default.

    Raises:
        ProbeError: The probe runs already, or the file cannot be written.
        UsageError: An option is out of range, or the file exists and is not a trace.
    """
    # Only programs that record load these.
    from gilscope.target.recording import session  # noqa: PLC0415
    from gilscope.target.recording.overwrite import check_overwrite  # noqa: PLC0415

    check_overwrite(Path(path))
    session.start(path, **options)
    try:
        yield
    finally:
        if session.running() and (fate := session.FATES[session.stop()["fate"]]):
            warnings.warn(f"{path}: {fate}", RuntimeWarning, stacklevel=3)


def races(
    *,
    watch: Sequence[str] = (),
    suspected: bool = False,
    everything: bool = False,
    max_variables: int = 4_000_000,
) -> AbstractContextManager[Races]:
    """Watch for races between the threads of this process while the block runs.

    ``with gilscope.races() as found: …``; ``found.races`` is filled when the block ends.

    Args:
        watch: Packages whose code is watched besides the program's own.
        suspected: Report also what only chance ordered.
        everything: Report also what is written and read without order and nothing more.
        max_variables: The most variables to remember, 64 bytes each.

    Raises:
        ProbeError: Races cannot be watched for here, and why.
        UsageError: There is no such package.
    """
    from gilscope.target.races.watch import watching  # noqa: PLC0415 - those load it who use it

    return watching(
        packages=watch, suspected=suspected, everything=everything, max_variables=max_variables
    )


def synchronises[T](thing: T) -> T:
    """Say that ``thing`` orders threads in a way that gilscope cannot see; return it.

    Who calls one of its methods is taken to know of everything that those did who called one
    before. For primitives of C extensions, whose locks are hidden.
    """
    from gilscope.target.races import declared  # noqa: PLC0415 - those load it who use it

    return declared.synchronises(thing)


def span(name: str, size: int | None = None) -> Span:
    """Name a stretch of time of this thread: ``with gilscope.span("parse"): …``.

    Every trace that is recorded meanwhile shows it; where none is, it does nothing. Spans nest.

    Args:
        name: What it is called.
        size: How many bytes it is about, if that says something; what the ``with`` statement gives
            takes it as ``.bytes``, too.
    """
    return Span(name, size)


def snapshot(path: str | os.PathLike[str]) -> None:
    """Write what is recorded so far to the trace file ``path``, and go on recording.

    With ``ring=True`` that is a flight recorder: what happened last, whenever the program asks.

    Raises:
        ProbeError: The probe does not run, or the file cannot be written.
        UsageError: The file is there and is no trace.
    """
    from gilscope.target.recording import session  # noqa: PLC0415 - only programs that record load these
    from gilscope.target.recording.overwrite import check_overwrite  # noqa: PLC0415

    check_overwrite(Path(path))
    session.snapshot(path)


def openmetrics() -> str:
    """Return what the recording of this process has counted so far, as OpenMetrics text.

    For a program that serves its own metrics: gilscope does not listen. The recording goes on; any
    thread may ask. Events count when they are over. Without a recording, as in a forked child that
    is not recorded, the text says so.

    Raises:
        ProbeError: The native probe cannot be loaded.
    """
    from gilscope.target.recording import openmetrics as metrics  # noqa: PLC0415 - only where it is asked for
    from gilscope.target.recording import session  # noqa: PLC0415 - see above

    counted = session.counted()
    return metrics.text(None if counted is None else metrics.Counted(*counted))


def open(path: str | os.PathLike[str]) -> Trace:  # noqa: A001 - gilscope.open reads well
    """Read the trace file ``path``.

    A file that was cut short gives a partial trace that says so in its ``problems``.

    Raises:
        TraceError: The file cannot be read, or is no trace.
        GilscopeError: A package that reading needs is not installed.
    """
    with reader_side():
        from gilscope.trace.reading.reader import read  # noqa: PLC0415 - numpy is loaded on demand
    return read(path)


def family(path: str | os.PathLike[str]) -> list[Path]:
    """Return the traces of all processes that were recorded together with that of ``path``.

    They are looked for in its directory, and come in the order in which they began; snapshots and
    other copies of a trace are left out.

    Raises:
        TraceError: The file cannot be read, or is no trace.
        GilscopeError: A package that reading needs is not installed.
    """
    with reader_side():
        from gilscope.trace.reading.family import find  # noqa: PLC0415 - numpy is loaded on demand
    return find(path)


def compare(
    script: str | os.PathLike[str] | Callable[[], object],
    args: Sequence[str] = (),
    *,
    builds: Sequence[str] = ("gil", "ft"),
    repeat: int = 3,
    out_dir: str | Path | None = None,
    **options: Any,
) -> Comparison:
    """Run ``script`` under each of the builds and compare.

    Args:
        script: The script, run as ``python script args`` would; or a function without arguments
            that can be imported by its name, which is then called.
        args: Arguments of the script.
        builds: ``gil`` and ``ft``; ``ft-gil``: the free-threaded build with its GIL on;
            ``subinterpreters`` and ``processes``: the GIL build with these as `executor`.
        repeat: How often each build is timed with the probe off and recorded with it on.
        out_dir: Where the traces are kept; by default they go with the returned object.
        **options: More of :func:`gilscope.comparison.compare_script`.

    Raises:
        InterpreterError: No interpreter can be used.
        TargetError: There is no such script.
        GilscopeError: A package that reading needs is not installed.
    """
    with reader_side():
        from gilscope.comparison import compare_callable, compare_script  # noqa: PLC0415 - see above
        from gilscope.presentation import Comparison  # noqa: PLC0415 - see above
    options = {"builds": builds, "repeat": repeat, "out_dir": out_dir, **options}
    if callable(script):
        return Comparison.of(compare_callable(script, **options))
    return Comparison.of(compare_script(script, args, **options))


def executor(workers: int | None = None) -> Executor:
    """Return a ``concurrent.futures`` executor: threads, or what a comparison wants instead.

    Args:
        workers: How many; by default one a processor. ``--threads`` overrides it.
    """
    from gilscope.target.executors.executor import executor as make  # noqa: PLC0415 - those load it who use it

    return make(workers)


def load_ipython_extension(shell: Any) -> None:
    """Register the magics: ``%load_ext gilscope`` calls this."""
    with reader_side():
        from gilscope.jupyter.magic import load_ipython_extension as load  # noqa: PLC0415
    load(shell)
