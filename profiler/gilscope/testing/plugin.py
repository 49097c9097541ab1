"""What pytest loads: the options. All the rest is loaded when one of them is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gilscope.severity import Severity

MODES = ("run", "test")
MARKERS = (
    "thread_unsafe(reason=None): run the test once, in one thread",
    "threads(n): run the test in n threads at once",
    "parallel_threads(n): the same as threads(n)",
    "parallel_threads_limit(n): run the test in at most n threads",
    "iterations(n): run the test n times in each thread",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("gilscope", "threads: waiting, hangs and races (gilscope)")
    group.addoption(
        "--gilscope",
        nargs="?",
        const="run",
        metavar="MODE",
        help="record the threads of the whole run (run, the default) or of each test (test), "
        "report findings in the summary, explain hangs and end them",
    )
    group.addoption(
        "--gilscope-races",
        action="store_true",
        help="watch each test for races; takes several times as long",
    )
    group.addoption(
        "--gilscope-threads",
        metavar="N",
        help="run each test in N threads at once (auto: one a processor); markers: threads(n), "
        "thread_unsafe, and those of pytest-run-parallel",
    )
    group.addoption(
        "--gilscope-fail-on",
        choices=tuple(map(str, Severity)),
        help="fail a test, or the run, with a finding of this severity or above; a witnessed race "
        "is high, a certain one medium, a suspected one low",
    )
    group.addoption(
        "--gilscope-on-hang",
        choices=("fail", "report", "off"),
        default="fail",
        help="fail (the default): report which thread waits for which, fail the test and go on; "
        "report: report only; off: do not watch for hangs",
    )
    group.addoption(
        "--gilscope-dir",
        metavar="DIR",
        default=".gilscope",
        help="where traces are kept (default .gilscope): of the run, or of tests that failed or "
        "have findings",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Load what the options ask for.

    Raises:
        UsageError: The value of an option is none.
    """
    mode = _mode(config)
    threads = _threads(config.getoption("--gilscope-threads"))
    measured = mode or config.getoption("--gilscope-races")
    if config.getoption("--gilscope-fail-on") and not measured:
        raise pytest.UsageError(
            "--gilscope-fail-on: nothing is recorded; add --gilscope, --gilscope=test or "
            "--gilscope-races"
        )
    if threads or measured:
        for marker in MARKERS:
            config.addinivalue_line("markers", marker)
    if threads:
        from gilscope.testing.threads import Threads  # noqa: PLC0415 - on request only

        config.pluginmanager.register(Threads(threads), "gilscope-threads")
    if measured:
        from gilscope.testing.recorder import Recorder  # noqa: PLC0415 - on request only

        config.pluginmanager.register(Recorder(config, mode), "gilscope-recorder")


def _mode(config: pytest.Config) -> str:
    """Return the mode; what stands behind ``--gilscope`` and is a path is one of the arguments.

    Raises:
        UsageError: It is neither.
    """
    mode: str = config.getoption("--gilscope") or ""
    if not mode or mode in MODES:
        return mode
    if not Path(mode.partition("::")[0]).exists():
        raise pytest.UsageError(
            f"--gilscope={mode}: choose from {', '.join(MODES)}; there is no such file either"
        )
    config.option.gilscope = "run"
    given = config.args_source is pytest.Config.ArgsSource.ARGS
    config.args = [mode, *(config.args if given else [])]
    config.args_source = pytest.Config.ArgsSource.ARGS
    return "run"


def _threads(text: Any) -> int:
    """Return a number of threads; 0 for none given.

    Raises:
        UsageError: It is no number of 1 or more.
    """
    if text is None:
        return 0
    if text == "auto":
        import os  # noqa: PLC0415 - on request only

        return max(2, os.process_cpu_count() or 2)
    if not (str(text).isdecimal() and int(text) > 0):
        raise pytest.UsageError(
            f"--gilscope-threads {text}: it takes a whole number of 1 or more, or auto"
        )
    return int(text)
