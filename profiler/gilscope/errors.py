"""Everything that gilscope raises on purpose.

Each message is one line that says what is wrong and what to do about it; the command line and the
magic print it as it is.
"""

from typing import Any


class GilscopeError(Exception):
    """Base of all errors of gilscope."""


class ProbeError(GilscopeError):
    """The probe cannot do what was asked: started twice, stopped without a start, no such file."""


class TraceError(GilscopeError):
    """A file is not a trace, or one of a version that this reader does not know."""


class InterpreterError(GilscopeError):
    """No interpreter of the wanted build can be used; says how to get one."""


class TargetError(GilscopeError):
    """The program under test could not be run at all."""


class ExportError(GilscopeError):
    """An export could not be written."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, or the interrupt of a notebook, came while programs ran; these have been ended."""

    def __init__(self, found: Any) -> None:
        """Carry ``found``: the partial result."""
        super().__init__("interrupted")
        self.found = found


class UsageError(GilscopeError):
    """The arguments of a command or a magic are invalid."""
