"""Violations of Python's rules by native code, most of which go unnoticed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gilscope.trace.model.places import Frame


@dataclass(frozen=True, slots=True)
class Hazard:
    """Something forbidden that one call in native code did.

    Attributes:
        kind: one of `format.HAZARD_KINDS`: "ending interpreter", a thread asked for the GIL of an
            interpreter that was ending; "not attached", objects were used, or their reference
            counts changed, in a thread without a thread state; "other interpreter", a Python
            function was called in another interpreter than the one that made it.
        tid: the kernel's number of the first thread that did it.
        stack: of that thread, the innermost frame first.
        function: of the C API.
        count: how often it was seen; at least that often if the trace ended early.
    """

    kind: str
    tid: int
    stack: tuple[Frame, ...]
    function: str
    count: int
