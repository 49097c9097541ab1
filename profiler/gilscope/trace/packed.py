"""PACKED_EVENTS chunks: event records column by column, delta-coded and compressed.

FORMAT.md, "Packed events", has the layout. Times follow each other closely and ids repeat, so their
differences, byte plane by byte plane, take a tenth of the records or less.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.errors import GilscopeError
from gilscope.trace import format as fmt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    import numpy.typing as npt

    from gilscope.trace.arrays import I64, U8, U64

    type Records = npt.NDArray[Any]

MAX_RECORDS = 1 << 16
"""In a chunk: what packs and what reads need a few times 32 bytes for each at a time."""
MAX_RATIO = 1024
"""Largest growth of a chunk when it is unpacked; MIN_LIMIT bytes are always allowed."""
MIN_LIMIT = 1 << 16
LEVEL = 9  # of zstd: beyond it, byte planes of events hardly get any smaller

_HEAD = struct.Struct("<II")
_RUN = np.dtype([("thread", "<u4"), ("count", "<u4")])
# The columns in their order; those of 32 bytes that a later version adds come behind them.
_BEFORE = ("kind", "flags", "aux", "what")
_AFTER = ("duration", "peer", "stack")


class PackedError(ValueError):
    """A chunk that is not what the format says."""


def encode(runs: Sequence[tuple[int, Records]], open_ticks: int) -> bytes | None:
    """Pack records.

    Args:
        runs: threads and records of theirs, all of one type, not more than `MAX_RECORDS` in all.
        open_ticks: of the chunk that they go into.

    Returns:
        Its payload; None if it would unpack to more than a reader accepts.
    """
    records = joined([part for _, part in runs])
    counts = np.array([len(part) for _, part in runs], np.int64)
    table = np.zeros(len(runs), _RUN)
    table["thread"] = [thread for thread, _ in runs]
    table["count"] = counts
    ends = records["start"] + records["duration"]
    before = np.empty_like(ends)
    before[1:] = ends[:-1]
    before[_firsts(counts)] = open_ticks
    columns = [_planes(records[name]) for name in _BEFORE]
    columns.append(_planes(_zigzag(records["start"] - before)))
    columns += [_planes(records[name]) for name in _AFTER]
    rest = records.view(np.uint8).reshape(len(records), -1)[:, fmt.EVENT_SIZE :]
    content = b"".join([table.tobytes(), *columns, rest.T.tobytes()])
    frame: bytes = _zstandard().ZstdCompressor(level=LEVEL).compress(content)
    if len(content) > _limit(len(frame)):
        return None
    return _HEAD.pack(len(records), len(runs)) + frame


def joined(parts: Sequence[Records]) -> Records:
    """Records one behind the other; numpy's own way would drop what it has no field for."""
    return np.concatenate([part.view(np.uint8) for part in parts]).view(parts[0].dtype)


def count(payload: U8, event_size: int) -> int:
    """How many records a payload says that it holds.

    Raises:
        PackedError: it cannot hold them.
    """
    zstd = _zstandard()
    records, runs = _head(payload)
    frame = payload[_HEAD.size :].tobytes()
    size = runs * _RUN.itemsize + records * event_size
    try:
        stated = zstd.frame_content_size(frame)
    except zstd.ZstdError as error:
        raise PackedError(str(error)) from None
    if stated != size or size > _limit(len(frame)) or max(records, runs) > MAX_RECORDS:
        raise PackedError("a packed chunk states impossible sizes")
    return records


def decode(payload: U8, dtype: np.dtype[Any], open_ticks: int) -> list[tuple[int, Records]]:
    """Unpack records.

    Args:
        payload: as `encode` made it; `count` has been asked before.
        dtype: of a record.
        open_ticks: of the chunk.

    Returns:
        Threads and records of theirs.

    Raises:
        PackedError: it is damaged.
    """
    zstd = _zstandard()
    n, run_count = _head(payload)
    size = run_count * _RUN.itemsize + n * dtype.itemsize
    try:
        frame = payload[_HEAD.size :].tobytes()
        content = zstd.ZstdDecompressor().decompress(frame, max_output_size=size)
    except zstd.ZstdError as error:
        raise PackedError(str(error)) from None
    table = np.frombuffer(content[: run_count * _RUN.itemsize], _RUN)
    counts = table["count"].astype(np.int64)
    if len(content) != size or int(counts.sum()) != n:
        raise PackedError("a packed chunk does not hold what it states")
    records = _records(content[table.nbytes :], n, dtype, counts, open_ticks)
    bounds = np.cumsum(counts)[:-1]
    return list(zip(table["thread"].tolist(), np.split(records, bounds), strict=True))


def _zstandard() -> ModuleType:
    """The library, which only packed traces need."""
    try:
        import zstandard  # noqa: PLC0415 - see above
    except ModuleNotFoundError:
        raise GilscopeError(
            "packed traces need zstandard, which is not installed: pip install zstandard"
        ) from None
    return zstandard


def _records(content: bytes, n: int, dtype: np.dtype[Any], counts: I64, open_ticks: int) -> Records:
    records = np.zeros(n, dtype)
    at = 0
    gaps = np.zeros(n, np.uint64)
    for name in (*_BEFORE, "start", *_AFTER):
        kind = np.dtype(np.uint64) if name == "start" else records.dtype[name]
        column = _whole(content[at : at + n * kind.itemsize], n, kind)
        at += n * kind.itemsize
        if name == "start":
            gaps = _unzigzag(column)
        else:
            records[name] = column
    rest = np.frombuffer(content[at:], np.uint8).reshape(dtype.itemsize - fmt.EVENT_SIZE, n)
    records.view(np.uint8).reshape(n, dtype.itemsize)[:, fmt.EVENT_SIZE :] = rest.T
    # An end is the sum of all gaps and durations of its run; all of it modulo 2⁶⁴.
    ends = np.cumsum(gaps + records["duration"])
    firsts = _firsts(counts)
    sums = np.concatenate([np.zeros(1, np.uint64), ends])[firsts] - np.uint64(open_ticks)
    ends -= np.repeat(sums, counts[counts > 0])
    records["start"] = ends - records["duration"]
    return records


def _firsts(counts: I64) -> I64:
    """Position of the first record of each run that has any."""
    begins = np.cumsum(counts) - counts
    firsts: I64 = begins[counts > 0]
    return firsts


def _head(payload: U8) -> tuple[int, int]:
    if len(payload) < _HEAD.size:
        raise PackedError("a packed chunk has no head")
    records, runs = _HEAD.unpack(payload[: _HEAD.size].tobytes())
    return records, runs


def _limit(size: int) -> int:
    return max(MIN_LIMIT, MAX_RATIO * size)


def _planes(column: npt.NDArray[Any]) -> bytes:
    """Bytes of a column: the lowest one of each value, then the next one of each."""
    return np.ascontiguousarray(column).view(np.uint8).reshape(len(column), -1).T.tobytes()


def _whole(planes: bytes, n: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    parts = np.frombuffer(planes, np.uint8).reshape(dtype.itemsize, n)
    return np.ascontiguousarray(parts.T).view(dtype).reshape(n)


def _zigzag(values: U64) -> U64:
    """Differences modulo 2⁶⁴ so that small ones to either side are small numbers."""
    signed = values.view(np.int64)
    return ((signed << 1) ^ (signed >> 63)).view(np.uint64)


def _unzigzag(values: U64) -> U64:
    one = np.uint64(1)
    return (values >> one) ^ (~(values & one) + one)
