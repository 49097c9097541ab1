"""Files of one recording: the trace, and snapshots and other copies that were made of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gilscope.errors import TraceError
from gilscope.trace import format as fmt
from gilscope.trace.reading.hangs import read_hangs
from gilscope.trace.reading.reader import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gilscope.trace.model.hangs import Hang

SNAPSHOT = "snapshot"  # why a trace ended


@dataclass(frozen=True, slots=True)
class Copy:
    """A file that has a part of what another one has, or had.

    Attributes:
        path: The file.
        of: The one that goes on longest of those of its recording.
        whole: That one has all events and reports of the file: a ring has overwritten none of them.
    """

    path: Path
    of: Path
    whole: bool


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    until: tuple[bool, int]  # it is no snapshot; its latest time, in ns
    chunks: frozenset[int]  # numbers of its chunks of events
    hangs: tuple[Hang, ...]  # and long waits that it tells of


def header_of(path: Path) -> np.void | None:
    """Return the header of a trace; None if it is none.

    Raises:
        TraceError: The file cannot be read.
    """
    try:
        if not path.is_file():  # opening a pipe would wait for its writer
            return None
        with path.open("rb") as file:
            header = file.read(fmt.HEADER_SIZE)
    except OSError as error:
        raise TraceError(f"cannot read {path}: {error.strerror or error}") from None
    if len(header) < fmt.HEADER_SIZE or not header.startswith(fmt.MAGIC):
        return None
    record: np.void = np.frombuffer(header, fmt.HEADER)[0]
    return record


def copies_among(paths: Iterable[Path]) -> list[Copy]:
    """Return which of the files are copies of another one of them, by the recording they are of.

    A file that is no trace is nobody's copy.

    Raises:
        TraceError: One of several files of a recording cannot be read.
    """
    groups: defaultdict[tuple[bytes, int, int], list[Path]] = defaultdict(list)
    for path in paths:
        header = header_of(path)
        if header is not None and any(session := header["session"].tobytes()):
            groups[session, int(header["pid"]), int(header["start_ticks"])].append(path)
    found: list[Copy] = []
    for group in groups.values():
        if len(group) > 1:
            found += _copies([_file(path) for path in group])
    return found


def _file(path: Path) -> _File:
    parts = parts_of(path)[1]
    snapshot = parts.end is not None and parts.end.get("reason") == SNAPSHOT
    chunks = frozenset(head.sequence for head in parts.events)
    hangs = read_hangs(parts.metadata, 0)
    return _File(path, (not snapshot, parts.latest), chunks, hangs)


def _copies(files: list[_File]) -> list[Copy]:
    # Of two that are the same the one with the shorter name is the original.
    original = max(files, key=lambda one: (one.until, -len(one.path.name)))
    return [
        Copy(one.path, original.path, _has_all(original, one))
        for one in files
        if one is not original
    ]


def _has_all(original: _File, copy: _File) -> bool:
    return copy.chunks <= original.chunks and all(one in original.hangs for one in copy.hangs)
