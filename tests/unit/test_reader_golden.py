"""Golden traces: the reader, the plain second reader and the committed expectation agree."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import plain_reader
from gilscope.trace import format as fmt
from gilscope.trace.model import COLUMN_TYPES, Intervals, Trace
from gilscope.trace.reader import python_version, read
from trace_examples import GOLDEN, golden_files

NAMES = sorted(path.stem for path in GOLDEN.glob("*.gilscope"))


def rows(intervals: Intervals) -> list[list[int]]:
    """Intervals as the expectation has them."""
    columns = [getattr(intervals, name) for name in COLUMN_TYPES]
    return np.column_stack([column.astype(np.int64) for column in columns]).tolist()


def in_plain_terms(trace: Trace, expected: dict[str, Any]) -> dict[str, Any]:
    """The trace in the terms of the plain reader, which does not interpret what it reads."""
    flags = {
        fmt.ThreadFlag.MAIN: lambda thread: thread.main,
        fmt.ThreadFlag.NATIVE: lambda thread: thread.native,
        fmt.ThreadFlag.PYTHON: lambda thread: not thread.native,
    }
    threads = {
        str(t.index): [t.tid, t.ident, t.dropped, sum(f for f, has in flags.items() if has(t))]
        for t in trace.threads
    }
    locks = trace.locks.values()
    return {
        "names": {key: trace.thread_name(int(key)) for key in expected["names"]},
        "locks": {str(k.id): [k.kind, k.type, k.address, k.object_address] for k in locks},
        "not_measured": dict(trace.not_measured),
        "argv": list(trace.argv),
        "pid": trace.pid,
        "python": trace.python,
        "flags": trace.free_threaded | trace.gil_enabled_start << 1,
        "duration_ns": trace.duration_ns,
        "end": [trace.end_reason, trace.gil_enabled_end],
        "threads": threads,
        "intervals": rows(trace.intervals),
        "wakes": rows(trace.wakes),
    }


def expectation(name: str) -> dict[str, Any]:
    """The committed expectation, with names for numbers where the model has names."""
    expected: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text())
    expected["python"] = python_version(expected["python"])
    for lock in expected["locks"].values():
        lock[0] = fmt.LOCK_KINDS.get(lock[0], "unidentified")
    return expected


@pytest.mark.parametrize("name", NAMES)
def test_reader_reads_what_is_expected(name: str) -> None:
    """The reader finds in a golden trace what stands beside it."""
    expected = expectation(name)
    assert in_plain_terms(read(GOLDEN / f"{name}.gilscope"), expected) == expected


@pytest.mark.parametrize("name", NAMES)
def test_plain_reader_agrees(name: str) -> None:
    """A reader made from FORMAT.md alone finds the same."""
    expected = json.loads((GOLDEN / f"{name}.json").read_text())
    assert plain_reader.read(GOLDEN / f"{name}.gilscope") == expected


def test_golden_files_are_those_of_the_builder() -> None:
    """The builder still writes the committed bytes: the format has not changed unnoticed."""
    written = golden_files()
    assert sorted(written) == NAMES
    for name, data in written.items():
        assert (GOLDEN / f"{name}.gilscope").read_bytes() == data
