"""The option ``--here``: the code runs in the kernel itself, recorded, and leaves its variables."""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from contextlib import contextmanager
from pathlib import Path
from platform import python_version
from time import perf_counter
from typing import TYPE_CHECKING, Any

import gilscope
from gilscope.config import TRACE_SUFFIX, build_of
from gilscope.errors import UsageError
from gilscope.options import check_here
from gilscope.runner.machine import Watch, usable_cpus

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from gilscope.presentation import Comparison
    from gilscope.target.recording.options import RecordingOptions

NOTICE = "The code ran once, in this kernel, while it was recorded; no other build ran."


def check(options: argparse.Namespace) -> None:
    """Refuse what the kernel cannot do.

    Raises:
        UsageError: An option needs programs of their own.
    """
    check_here(options)
    for name in ("setup", "inputs"):
        if getattr(options, name):
            raise UsageError(f"--{name} does not go with --here, where the code has all variables")


def numbered(code: str, first_line: int) -> str:
    """Return code whose lines have the numbers that they have in the cell.

    The shell drops empty lines at the beginning, but no comments. A magic must stay the first line.
    """
    return code if code.lstrip().startswith("%%") else "#\n" * (first_line - 1) + code


@contextmanager
def named(shell: Any, name: str) -> Iterator[None]:
    """Let the code that the shell runs have this file name, in place of one made of a checksum."""
    compiler = shell.compile
    compiler.get_code_name = lambda *_: name
    try:
        yield
    finally:
        del compiler.get_code_name


def run_here(shell: Any, code: str, title: str, options: RecordingOptions) -> Comparison:
    """Run ``code`` as the shell runs cells, and return what was recorded.

    Returns:
        The comparison, of one run; views of it hide the kernel's own threads at first.

    Raises:
        ProbeError: The probe cannot record in this process.
    """
    from gilscope.comparison.notices import on_the_machine  # noqa: PLC0415 - slow to load
    from gilscope.presentation import Comparison  # noqa: PLC0415

    files = tempfile.TemporaryDirectory(prefix="gilscope-")
    path = Path(files.name) / f"here{TRACE_SUFFIX}"
    before = _threads()
    gil_before = _gil_enabled()
    with gilscope.profile(path, **options.as_dict()):
        watch = Watch(usable_cpus())
        start = perf_counter()
        result = shell.run_cell(code, store_history=False)
        wall = perf_counter() - start
        conditions = watch.finish()
    trace = gilscope.open(path)
    error = result.error_before_exec or result.error_in_exec
    run = _run(path, trace, wall, error, gil_before=gil_before)
    own = {thread.name for thread in trace.threads if thread.tid in before and not thread.main}
    return Comparison(
        title,
        ("cell",),
        (run,),
        (NOTICE, *on_the_machine(conditions)),
        conditions=conditions,
        hidden=frozenset(own),
        _files=files,
    )


def _run(
    path: Path, trace: Any, wall: float, error: BaseException | None, *, gil_before: bool
) -> Any:
    from gilscope.comparison import Run  # noqa: PLC0415 - slow to load

    free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    return Run(
        build=build_of(free_threaded=free_threaded, gil_enabled=gil_before),
        python=python_version(),
        executable=sys.executable,
        free_threaded=free_threaded,
        gil_enabled_before=gil_before,
        gil_enabled_after=_gil_enabled(),
        gil_enabled_by=None,
        wall_s=(),
        probed_wall_s=(wall,),
        trace_path=path,
        trace=trace,
        status=1 if error else 0,
        error=f"{type(error).__name__}: {error}" if error else None,
    )


def _gil_enabled() -> bool:
    return bool(sys._is_gil_enabled())  # noqa: SLF001 - documented under this name


def _threads() -> set[int]:
    """Return the kernel's ids of the existing threads."""
    return {int(name) for name in os.listdir("/proc/self/task")}  # noqa: PTH208 - no paths wanted
