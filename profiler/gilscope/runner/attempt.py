"""The result of one run of a program: its process, its worker's report, its trace."""

from __future__ import annotations

import contextlib
import json
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gilscope.errors import TraceError
from gilscope.race import Races
from gilscope.runner.deadlock import describe, who_waits
from gilscope.trace.reading.reader import read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gilscope.runner.process import Ended


@dataclass(frozen=True)
class Attempt:
    """One run of the program.

    Attributes:
        probed: Whether the probe was on.
        wall_ns: How long the code took; None if it did not come to its end.
        status: Exit status, negative for the number of a signal.
        stdout: What the program printed.
        stderr: The same for its standard error.
        trace: The trace, if one was written.
        error: One line if the program failed.
        traceback: The program's own traceback if it raised; the stacks of its threads if it hung.
        gil_before: Whether the GIL was on when the code began; None if that is not known.
        gil_after: The same when it had ended.
        gil_by: The module that turned the GIL on, where Python named it.
        extensions: ``sys.path`` and the extension modules (name, file) of a program of which
            something turned the GIL on that Python did not name.
        executor: What the program sent to workers of `gilscope.executor` that are no threads: kind,
            workers, tasks, sent_bytes, returned_bytes, shared_bytes, pickle_ns, unpickle_ns; empty
            if there were none, None if that is not known.
        interrupted: Whether it was ended because nobody wanted to wait for it.
        untimed: Why there is no time although the program did not fail; None if there is one.
        races: What it was watched for, if it was and came to its end.
        order: The order of its locks as `gilscope.target.order.watch` gives it, likewise.
    """

    probed: bool
    wall_ns: int | None
    status: int
    stdout: str
    stderr: str
    trace: Path | None
    error: str | None
    traceback: str | None
    gil_before: bool | None
    gil_after: bool | None
    gil_by: str | None
    extensions: tuple[list[str], list[list[str]]] | None = None
    untimed: str | None = None
    executor: dict[str, Any] | None = None
    interrupted: bool = False
    races: Races | None = None
    order: dict[str, Any] | None = None


def judge(
    ended: Ended,
    place: Path,
    timeout: float | None,
    *,
    probed: bool,
    say: Callable[[str], None] = lambda _: None,
) -> Attempt:
    """Combine the worker's report with how its process ended.

    Args:
        ended: How it ended.
        place: Where it wrote to.
        timeout: Seconds that it was given.
        probed: Whether the probe was on.
        say: Takes a line about a deadlock, as soon as that can be told, and then the stacks:
            looking up the lines of native code takes seconds.
    """
    result = _read_result(place / "result.json")
    trace = place / "trace.gilscope"
    error, stacks = _error(ended, result, timeout), ended.stacks
    if ended.interrupted:
        error = "interrupted"
    if ended.stuck:
        error, stacks = _deadlock(trace, ended.stacks, say)
    return Attempt(
        probed=probed,
        wall_ns=result.get("wall_ns"),
        status=ended.status,
        stdout=ended.stdout,
        stderr=ended.stderr,
        trace=trace if trace.exists() else None,
        error=error,
        traceback=result.get("traceback") or stacks or None,
        gil_before=result.get("gil_before"),
        gil_after=result.get("gil_after"),
        gil_by=result.get("gil_by"),
        extensions=(result["path"], result["extensions"]) if "extensions" in result else None,
        executor=(result.get("executor") or {}) if result else None,
        interrupted=ended.interrupted,
        races=Races.from_message(result["races"]) if "races" in result else None,
        order=result.get("order"),
        untimed=None
        if result or ended.status
        else "the program ended by os._exit, so it was not timed",
    )


def _deadlock(path: Path, stacks: str, say: Callable[[str], None]) -> tuple[str, str]:
    """Return in one line that the program was stuck, and where its threads stood."""
    if stacks.startswith(("deadlock: ", "hang: ")):  # told from the process's memory
        error = f"stopped because of a {stacks.partition('\n')[0]}"
        say(error)
        say(stacks)
        return error, stacks
    error, trace = "stopped because of a deadlock", None
    with contextlib.suppress(TraceError):
        trace = read(path) if path.exists() else None
    if trace and (chain := who_waits(trace)):
        error = f"{error}: {chain}"
    say(error)
    if trace:
        _, stacks = describe(trace, stacks)
    if stacks:
        say(stacks)
    return error, stacks


def _read_result(path: Path) -> dict[str, Any]:
    """Return the worker's report; empty if it wrote none."""
    try:
        result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return result


def _error(ended: Ended, result: dict[str, Any], timeout: float | None) -> str | None:
    """Return one line that says how the program failed, or None if it did not."""
    if ended.timed_out:
        return f"stopped at the time limit of {timeout:g} s"
    if ended.status < 0:
        when = " after its end, while the interpreter shut down" if result else ""
        return f"ended by {signal_name(-ended.status)}{when}"
    if result.get("probe_error"):
        return f"the probe failed: {result['probe_error']}"
    if result.get("error"):
        return str(result["error"])
    if not result and ended.status:
        return f"ended by os._exit with status {ended.status}, so it was not timed"
    return f"exit status {ended.status}" if ended.status else None


def signal_name(number: int) -> str:
    """Return ``SIGSEGV`` for 11, and ``signal 77`` where there is no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
