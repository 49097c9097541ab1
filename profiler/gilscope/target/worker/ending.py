"""How a program ended, and what Python prints of that. Standard library only."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from types import TracebackType

OWN_DIRECTORY = str(Path(__file__).parents[2]) + os.sep
INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended
LAST = ("last_exc", "last_type", "last_value", "last_traceback")
_show = sys.__excepthook__


@dataclass(frozen=True)
class Outcome:
    """How a program ended.

    Attributes:
        status: Its exit status, 0 to 255.
        error: One line if it failed.
        traceback: Its own traceback if it raised.
        interrupted: Whether Ctrl-C ended it, so that Python would end by that signal.
    """

    status: int
    error: str | None = None
    traceback: str | None = None
    interrupted: bool = False


class ProgramInterrupted(BaseException):
    """Ctrl-C has ended the program, and all is said: the process ends as Python ends it."""

    def end(self) -> NoReturn:
        """End the process, when all that raise this have been left.

        Python ends by the signal if KeyboardInterrupt leaves the main module; shells stop their
        loops for that, and not for a status. What the program finds in `sys` stays.
        """
        hook = getattr(sys, "excepthook", None)
        last = {name: getattr(sys, name) for name in LAST if hasattr(sys, name)}

        def say_nothing(*_: object) -> None:
            vars(sys).update(last)
            sys.excepthook = hook or _show

        sys.excepthook = say_nothing
        raise KeyboardInterrupt from None


def leave(outcome: Outcome) -> int:
    """Return the status for the process to exit with.

    Raises:
        ProgramInterrupted: It is to end by a signal.
    """
    if outcome.interrupted:
        raise ProgramInterrupted
    return outcome.status


def failure(error: BaseException) -> Outcome:
    """Print what ended the program as Python prints it, and say how the program ended."""
    if isinstance(error, SystemExit):
        return _exit(error)
    error.__traceback__ = _without_our_frames(error.__traceback__)
    text = "".join(traceback.format_exception(error))
    exits = _print(error)
    if exits is not None:
        return _exit(exits)
    line = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    # Not a class of the program's: Python looks for this one only.
    interrupted = type(error) is KeyboardInterrupt
    return Outcome(INTERRUPTED if interrupted else 1, line, text, interrupted)


def _print(error: BaseException) -> SystemExit | None:
    """Print an exception as Python does at the end; return what exits in the program's hook."""
    facts = type(error), error, error.__traceback__
    vars(sys).update(zip(LAST, (error, *facts), strict=True))
    missing = object()
    hook: Any = getattr(sys, "excepthook", missing)
    try:
        sys.audit("sys.excepthook", None if hook is missing else hook, *facts)
    except RuntimeError:
        return None  # so a hook says that nothing is to be printed
    except BaseException:  # noqa: BLE001, S110 - the hook is the program's
        pass
    if hook is missing:
        _say("sys.excepthook is missing\n")
        _show(*facts)
        return None
    try:
        hook(*facts)
    except SystemExit as exits:
        return exits
    except BaseException as other:  # noqa: BLE001 - the hook is the program's
        other.__traceback__ = _without_our_frames(other.__traceback__)
        failed = other
    else:
        return None
    _say("Error in sys.excepthook:\n")
    _show(type(failed), failed, failed.__traceback__)
    _say("\nOriginal exception was:\n")
    _show(*facts)
    return None


def _exit(error: SystemExit) -> Outcome:
    """Turn what `sys.exit` raised into an exit status, and print its message."""
    code: object = error
    with contextlib.suppress(BaseException):  # a class of the program's
        code = error.code
    if code is None:
        return Outcome(0)
    if isinstance(code, int):
        number = int.__index__(code)
        # As the interpreter does: what does not fit into a C long is -1 there.
        status = (number if -(1 << 63) <= number < 1 << 63 else -1) & 0xFF
        return Outcome(status, f"exit status {status}" if status else None)
    text = ""
    with contextlib.suppress(BaseException):
        text = str(code)
    if getattr(sys, "stderr", None) is None:
        _say(text)
    else:
        with contextlib.suppress(BaseException):  # the stream is the program's
            sys.stderr.write(text)
    _say("\n")
    return Outcome(1, text.strip() or "exit status 1")


def _say(text: str) -> None:
    """Print an error as Python does: on the descriptor, where it cannot on the stream."""
    try:
        sys.stderr.write(text)
    except BaseException:  # noqa: BLE001 - the stream is the program's
        with contextlib.suppress(OSError):
            os.write(2, text.encode("utf-8", "backslashreplace"))


def _without_our_frames(frames: TracebackType | None) -> TracebackType | None:
    """Take our frames out of a traceback: those that led into the program, and stand-ins in it."""
    first = _next_of_program(frames)
    frames = first
    while frames:
        following = _next_of_program(frames.tb_next)
        if following is not frames.tb_next:
            frames.tb_next = following
        frames = following
    return first


def _next_of_program(frames: TracebackType | None) -> TracebackType | None:
    while frames and frames.tb_frame.f_code.co_filename.startswith(OWN_DIRECTORY):
        frames = frames.tb_next
    return frames


def wait_for_threads() -> None:
    """Wait for the threads that the interpreter would wait for before it ends.

    ``threading._shutdown`` is what the interpreter itself calls by this name; it also tells thread
    pools that were never shut down to end, which joining threads would wait for in vain.
    """
    # What goes wrong is printed by the interpreter, which calls it once more.
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
