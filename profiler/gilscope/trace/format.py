"""Constants of the trace format, version 1.3, as native_probe/FORMAT.md defines it."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope import config

if TYPE_CHECKING:
    from gilscope.trace.arrays import U8, U64

MAGIC = b"GILSCOPE"
VERSION_MAJOR = 1
VERSION_MINOR = 5

HEADER_SIZE = 128
CHUNK_HEADER_SIZE = 64
EVENT_SIZE = 32
SLOT_SIZE = 128
CHUNK_MAGIC = 0x4B435347  # "GSCK"

HEADER = np.dtype(
    [
        ("magic", "S8"),
        ("version_major", "<u2"),
        ("version_minor", "<u2"),
        ("header_size", "<u4"),
        ("alignment", "<u4"),
        ("event_size", "<u4"),
        ("slot_size", "<u4"),
        ("flags", "<u4"),
        ("clock", "<u4"),
        ("machine", "<u4"),
        ("pid", "<u4"),
        ("python", "<u4"),
        ("start_ticks", "<u8"),
        ("start_monotonic", "<u8"),
        ("start_realtime", "<u8"),
        ("ticks_per_second", "<u8"),
        ("session", "u1", 16),
        ("reserved", "u1", 24),
        ("checksum", "<u8"),
    ]
)
HEADER_CHECKSUMMED = 120  # bytes

CHUNK_HEADER = np.dtype(
    [
        ("magic", "<u4"),
        ("kind", "<u2"),
        ("reserved", "<u2"),
        ("size", "<u4"),
        ("thread", "<u4"),
        ("sequence", "<u8"),
        ("open_ticks", "<u8"),
        ("header_checksum", "<u8"),
        ("state", "<u4"),
        ("used", "<u4"),
        ("checksum", "<u8"),
        ("reserved2", "<u8"),
    ]
)
CHUNK_CHECKSUMMED = 32  # bytes
SEALED = 1

_EVENT_FIELDS = [
    ("kind", "u1"),
    ("flags", "u1"),
    ("aux", "<u2"),
    ("what", "<u4"),
    ("start", "<u8"),
    ("duration", "<u8"),
    ("peer", "<u4"),
    ("stack", "<u4"),
]
_SLOT_FIELDS: list[tuple[str, str]] = [
    ("thread", "<u4"),
    ("tid", "<u4"),
    ("ident", "<u8"),
    ("start_ticks", "<u8"),
    ("end_ticks", "<u8"),
    ("dropped", "<u8"),
    ("flags", "<u4"),
    ("open_gil", "<u4"),
    ("open_hold", "<u8"),
    ("open_wait", "<u8"),
    ("open_wait_kind", "<u4"),
    ("open_wait_what", "<u4"),
    ("open_wait_peer", "<u4"),
    ("open_hold_flags", "<u4"),
    ("os_name", "S16"),
    ("open_callback", "<u8"),
    ("open_callback_what", "<u4"),
    ("open_callback_callable", "<u4"),
    ("open_wait_stack", "<u4"),
    ("open_wait_flags", "<u4"),
    ("reserved", "<u8"),
]
SAMPLE_ROW = np.dtype(
    [("thread", "<u8"), ("begin", "<u8"), ("end", "<u8"), ("stack", "<u4"), ("reserved", "<u4")]
)
CPU_TIME = np.dtype(
    [
        ("thread", "<u4"),
        ("reserved", "<u4"),
        ("ticks", "<u8"),
        ("on_cpu", "<u8"),
        ("runnable", "<u8"),
    ]
)
DEFINITION_HEADER = np.dtype([("tag", "<u2"), ("reserved", "<u2"), ("length", "<u4")])


def _sized(names_and_types: list[tuple[str, str]], size: int) -> np.dtype[Any]:
    packed = np.dtype(names_and_types)
    assert packed.fields is not None  # noqa: S101 - a structured type has fields
    offsets = [packed.fields[name][1] for name, _ in names_and_types]
    names, formats = zip(*names_and_types, strict=True)
    spec = {"names": names, "formats": formats, "offsets": offsets, "itemsize": size}
    return np.dtype(spec)  # type: ignore[call-overload, no-any-return]


def event_dtype(size: int = EVENT_SIZE) -> np.dtype[Any]:
    """Type of an event record; a later minor version may have made it longer."""
    return _sized(_EVENT_FIELDS, size)


def slot_dtype(size: int = SLOT_SIZE) -> np.dtype[Any]:
    """Type of a thread's slot; a later minor version may have made it longer."""
    return _sized(_SLOT_FIELDS, size)


class HeaderFlag(IntFlag):
    """Flags of the header."""

    FREE_THREADED = 1
    GIL_ENABLED = 2
    RING = 4


class Clock(IntEnum):
    """What ticks are."""

    TSC = 1
    CNTVCT = 2
    MONOTONIC = 3


class Chunk(IntEnum):
    """Kinds of chunk."""

    METADATA = 1
    DEFINITIONS = 2
    EVENTS = 3
    THREADS = 4
    END = 5
    PACKED_EVENTS = 6
    SAMPLES = 7


class Event(IntEnum):
    """Kinds of event."""

    GIL_HOLD = 1
    GIL_WAIT = 2
    GIL_SWITCH_WAIT = 3
    LOCK_WAIT = 4
    LOCK_WAKE = 5
    CALLBACK = 6
    THREAD_STATE = 7
    SPIN = 8
    GIL_SWITCH = 9
    SPAN = 10
    GIL_SAMPLE = 11


class HoldFlag(IntFlag):
    """Flags of GIL_HOLD."""

    FORCED = 1
    STARTED_BEFORE = 2
    WANTED = 4
    KEPT = 8


class GilWaitFlag(IntFlag):
    """Flags of GIL_WAIT."""

    AFTER_FORCED = 1
    NOT_ACQUIRED = 4
    HOLDS_WANTED_LOCK = 8


class LockWaitFlag(IntFlag):
    """Flags of LOCK_WAIT."""

    TIMED_OUT = 1
    INTERRUPTED = 2
    HANDED_OFF = 4
    HOLDER = 8
    SHARED = 16


class CallbackFlag(IntFlag):
    """Flags of CALLBACK."""

    STATE_CREATED = 1
    STATE_DELETED = 2


class ThreadStateFlag(IntFlag):
    """Flags of THREAD_STATE."""

    CREATED = 1
    DELETED = 2


class GilSwitchFlag(IntFlag):
    """Flags of GIL_SWITCH."""

    ON = 1
    OFF = 2
    PERMANENT = 4


class SpanFlag(IntFlag):
    """Flags of SPAN."""

    BYTES = 1


class SampleFlag(IntFlag):
    """Flags of GIL_SAMPLE."""

    ASLEEP = 1
    LOOP = 2
    ASKED = 4


class ThreadFlag(IntFlag):
    """Flags of a thread's slot."""

    MAIN = 1
    PYTHON = 2
    NATIVE = 4
    STARTED_BEFORE = 8


class Tag(IntEnum):
    """Tags of definitions."""

    CLOCK = 1
    THREAD_NAME = 2
    GIL = 3
    LOCK = 4
    NOT_MEASURED = 5
    PROBE_COST = 6
    STRING = 7
    CODE = 8
    STACK = 9
    MODULE = 10
    SITE = 11
    LOCK_NAME = 12
    ENTRY = 13
    CALLABLE = 14
    CPU_TIME = 15
    LOCK_CREATED = 16
    LOCK_WAITED = 20
    HAZARD = 21


PROBLEMS_BEFORE_PACKING = "problems_before_packing"
"""Key of METADATA: what was damaged before packing, and so is not there any more."""

SITE_FRAME = 0x80000000
"""In a frame of a STACK: a SITE, not a CODE."""

BINDINGS: dict[int, str] = {
    0: "unknown",
    1: "C API",
    2: "pybind11",
    3: "nanobind",
    4: "Boost.Python",
    5: "Cython",
    6: "PyO3",
    7: "ctypes",
    8: "cffi",
}

NAME_SOURCES: dict[int, str] = {
    1: "module global",
    2: "local variable",
    3: "attribute",
    4: "allocation",
    6: "symbol",
    7: "interpreter",
}

HAZARD_KINDS: dict[int, str] = {
    1: "ending interpreter",
    2: "not attached",
    3: "other interpreter",
}


LOCK_KINDS = config.LOCK_KINDS
"""Kinds of lock by their numbers."""

_BLOCK = 1 << 15  # words that are multiplied at a time: the weights stay in the cache
_WEIGHTS: U64 = np.arange(1, _BLOCK + 1, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_MASK = (1 << 64) - 1


def checksum(data: U8) -> int:
    """Checksum of a run of bytes as FORMAT.md defines it."""
    whole = len(data) // 8 * 8
    words = data[:whole].view("<u8")
    total = 0
    for at in range(0, len(words), _BLOCK):
        block = words[at : at + _BLOCK]
        total += int(np.dot(block, _WEIGHTS[: len(block)]))
        total += 2 * at * int(block.sum(dtype=np.uint64))
    rest = int.from_bytes(data[whole:].tobytes(), "little")
    return (total + rest * (2 * len(words) + 3)) & _MASK
