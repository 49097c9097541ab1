"""``gilscope.span``: the program names a stretch of time of its own, which a trace then shows.

Standard library only, and next to free where nothing is recorded: programs keep it in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import ModuleType

NAME_LENGTH = 200
"""Characters of a name that are recorded."""

MOST_BYTES = (1 << 48) - 1
"""The largest number of bytes that is recorded."""


class _Loaded:
    """The native probe, once `gilscope.target.recording.session` has loaded it.

    Attributes:
        native: the probe; None in the main interpreter of a process that has not recorded.
        sought: a subinterpreter has looked for it, or this is none.
    """

    native: ModuleType | None = None
    sought = False

    def seek(self) -> ModuleType | None:
        """Load it where this is a subinterpreter: the recording may run already."""
        from gilscope.target.subinterpreter import join  # noqa: PLC0415 - once, if at all

        self.sought = True
        self.native = join()
        return self.native


loaded = _Loaded()


class Span:
    """A context manager around what is to be seen under a name.

    Spans nest. One that is still open when the recording ends is not in the trace.

    Attributes:
        bytes: How many bytes it is about, for whoever reads the trace; may be set inside.
    """

    __slots__ = ("_name", "_start", "bytes")

    def __init__(self, name: str, size: int | None = None) -> None:
        """Name it.

        Raises:
            TypeError: The name is no text.
        """
        if not isinstance(name, str):
            raise TypeError(f"the name of a span must be a str, not {type(name).__name__}")
        self._name = name
        self._start = 0
        self.bytes = size

    def __enter__(self) -> Self:
        """Begin."""
        native = loaded.native
        if native is None and not loaded.sought:
            native = loaded.seek()
        if native is not None:
            self._start = native.begin_span()
        return self

    def __exit__(self, *_: object) -> None:
        """End, whether something was raised or not."""
        native, start = loaded.native, self._start
        if start == 0 or native is None:
            return
        self._start = 0
        name = self._name[:NAME_LENGTH].encode("utf-8", "replace").decode()
        size = self.bytes if isinstance(self.bytes, int) else -1
        native.end_span(name, start, min(max(size, -1), MOST_BYTES))
