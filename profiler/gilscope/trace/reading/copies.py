"""Files of one recording: the trace, and snapshots and other copies that were made of it."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.errors import TraceError
from gilscope.trace import format as fmt
from gilscope.trace.reading.hangs import read_hangs
from gilscope.trace.reading.reader import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gilscope.trace.model.hangs import Hang

MAX_METADATA = 1 << 24  # bytes
SNAPSHOT = "snapshot"  # why a trace ended


@dataclass(frozen=True, slots=True)
class Copy:
    """A file that has a part of what another one has, or had.

    Attributes:
        path: The file.
        of: The one that goes on longest of those of its recording.
        merged: It was merged from that one and others, which are there, too.
        whole: That one has all events and reports of the file: a ring has overwritten none of them.
    """

    path: Path
    of: Path
    whole: bool
    merged: bool = False


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
    headers = {path: header for path in paths if (header := header_of(path)) is not None}
    for path, header in headers.items():
        if any(session := header["session"].tobytes()):
            groups[session, int(header["pid"]), int(header["start_ticks"])].append(path)
    found: list[Copy] = []
    for group in groups.values():
        if len(group) > 1:
            found += _copies([_file(path) for path in group])
    copies = {copy.path for copy in found}
    return found + [copy for copy in _merged(headers) if copy.path not in copies]


def _merged(headers: Mapping[Path, Any]) -> Iterator[Copy]:
    """Yield the traces that were merged from others of them."""
    pids = {path.resolve(): int(header["pid"]) for path, header in headers.items()}
    for path, header in headers.items() if len(headers) > 1 else ():
        members = _members(path, int(header["header_size"]))
        folder = path.resolve().parent
        if members and all(pids.get(folder / name) == pid for name, pid in members):
            yield Copy(path, path.with_name(members[0][0]), whole=True, merged=True)


def _members(path: Path, begin: int) -> list[tuple[str, int]]:
    """Return name and process id of what a trace was merged from: its first chunk has them."""
    with path.open("rb") as file:
        file.seek(begin)
        head = file.read(fmt.CHUNK_HEADER_SIZE)
        if len(head) < fmt.CHUNK_HEADER_SIZE:
            return []
        chunk: Any = np.frombuffer(head, fmt.CHUNK_HEADER)[0]
        if int(chunk["kind"]) != fmt.Chunk.METADATA or int(chunk["used"]) > MAX_METADATA:
            return []
        try:
            merged = json.loads(file.read(int(chunk["used"]))).get("merged", [])
            return [(Path(str(one["trace"])).name, int(one["pid"])) for one in merged]
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            return []


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
