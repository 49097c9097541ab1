"""What was sampled, and the payload of the SAMPLES chunk (FORMAT.md) that it becomes."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field

MOST_ROWS = 1 << 20
MOST_STACKS = 1 << 16
_ROW = struct.Struct("<QQQII")
_ALIGNMENT = 8

type Place = tuple[str, int, str]
"""File, line and function of a frame."""


@dataclass
class Found:
    """Stretches of time in which samples of a thread showed the same stack.

    Attributes:
        by: What took the samples.
        ids: What threads are called by: ``tid`` (the kernel's) or ``ident`` (pthreads').
        error_ns: How far times may be off.
        samples: How often it was looked.
        failed: How often a stack could not be read.
        rows: Thread, begin and end (CLOCK_MONOTONIC, ns), and stack.
        full: Whether there was no room for more rows or stacks.
    """

    by: str
    ids: str
    error_ns: int = 0
    samples: int = 0
    failed: int = 0
    rows: list[tuple[int, int, int, int]] = field(default_factory=list)
    full: bool = False
    _places: dict[Place, int] = field(default_factory=dict)
    _stacks: dict[tuple[int, ...], int] = field(default_factory=dict)

    def place(self, place: Place) -> int:
        """Return the number of a place."""
        return self._places.setdefault(place, len(self._places))

    def stack(self, places: tuple[int, ...]) -> int:
        """Return the number of a stack of places, innermost first; -1 if there is no room."""
        if places not in self._stacks and len(self._stacks) >= MOST_STACKS:
            self.full = True
            return -1
        return self._stacks.setdefault(places, len(self._stacks))

    def add(self, thread: int, begin: int, end: int, stack: int) -> None:
        """Add a stretch."""
        if len(self.rows) >= MOST_ROWS:
            self.full = True
        elif begin < end and stack >= 0:
            self.rows.append((thread, begin, end, stack))

    def data(self) -> dict[str, object]:
        """Return what `of` reads, for another process."""
        return {
            "by": self.by,
            "ids": self.ids,
            "error_ns": self.error_ns,
            "samples": self.samples,
            "failed": self.failed,
            "full": self.full,
            "places": list(self._places),
            "stacks": list(self._stacks),
            "rows": self.rows,
        }


def of(text: str) -> Found:
    """Read what another process sampled.

    Raises:
        ValueError: It is nothing of that kind.
    """
    try:
        data = json.loads(text)
        found = Found(data["by"], data["ids"], data["error_ns"], data["samples"], data["failed"])
        found.full = data["full"]
        for file, line, name in data["places"]:
            found.place((file, line, name))
        for stack in data["stacks"]:
            found.stack(tuple(stack))
        found.rows = [(thread, begin, end, stack) for thread, begin, end, stack in data["rows"]]
    except (LookupError, TypeError) as error:
        raise ValueError(str(error)) from None
    return found


def payload(found: Found, rate: int, notes: list[str]) -> bytes:
    """Return the chunk's payload.

    Args:
        found: What was sampled.
        rate: Samples a second that were asked for.
        notes: What is missing, and what to do about it, in lines.
    """
    data = found.data()
    data.pop("rows")
    head = json.dumps({**data, "rate": rate, "notes": notes}).encode()
    head += b" " * (-len(head) % _ALIGNMENT)
    parts = [struct.pack("<II", len(head), len(found.rows)), head]
    parts += [_ROW.pack(*row, 0) for row in found.rows]
    return b"".join(parts)
