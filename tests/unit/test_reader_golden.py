"""Golden traces: the reader, the plain second reader and the committed expectation agree."""

from __future__ import annotations

import json
from itertools import batched
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import plain_reader
from gilscope.trace import format as fmt
from gilscope.trace.model import COLUMN_TYPES, Intervals, Trace
from gilscope.trace.reading.reader import python_version, read
from trace_examples import GOLDEN, golden_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.trace.model import Frame

NAMES = sorted(path.stem for path in GOLDEN.glob("*.gilscope"))


def rows(intervals: Intervals) -> list[list[int]]:
    """Intervals as the expectation has them."""
    columns = [getattr(intervals, name) for name in COLUMN_TYPES]
    return np.column_stack([column.astype(np.int64) for column in columns]).tolist()


def callback_rows(trace: Trace) -> list[list[int]]:
    """Callbacks as the expectation has them."""
    c = trace.callbacks
    kind = np.full(len(c), fmt.Event.CALLBACK)
    columns = [kind, c.flags, c.enter_ns, c.entry, c.thread, c.start, c.duration, c.callable]
    columns += [c.open, c.stack]
    return np.column_stack([column.astype(np.int64) for column in columns]).tolist()


def switches(trace: Trace) -> Iterator[tuple[int | str, ...]]:
    """Switches of the GIL row by row."""
    s = trace.gil_switches
    columns = s.flags, s.gil, s.thread, s.start
    return zip(*(c.tolist() for c in columns), s.module, s.stack.tolist(), strict=True)


def span_rows(trace: Trace) -> list[list[int | str]]:
    """Spans as the expectation has them."""
    s = trace.spans
    columns = s.name, s.thread, s.start, s.duration, s.bytes
    return [
        [
            *(fmt.Event.SPAN, int(size >= 0), max(size, 0) >> 32, s.names[name]),
            *(thread, start, duration, max(size, 0) % 2**32, 0, 0),
        ]
        for name, thread, start, duration, size in zip(*(c.tolist() for c in columns), strict=True)
    ]


def cpu_rows(trace: Trace) -> dict[str, list[list[int]]]:
    """Samples of processor time by thread, without the zero at a thread's start.

    And without the one at the end of a thread that has not run since its last one: both are known,
    and not in the file.
    """
    found: dict[str, list[list[int]]] = {}
    t = trace.cpu_times
    final = int(t.time.max(initial=0))
    for thread, *times in np.column_stack((t.thread, t.time, t.on_cpu, t.runnable)).tolist():
        if times != [trace.threads_by_index[thread].start_ns, 0, 0]:
            found.setdefault(str(thread), []).append(times)
    for mine in found.values():
        if len(mine) > 1 and mine[-1] == [final, *mine[-2][1:]]:
            mine.pop()
    return found


def frame(value: Frame) -> tuple[str, str, int, bool, str]:
    """A frame of a stack in plain types."""
    return value.name, value.file, value.line, value.native, value.module


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
        "callbacks": callback_rows(trace),
        "thread_states": rows(trace.thread_states),
        "gil_switches": [
            [fmt.Event.GIL_SWITCH, flags, 0, gil, thread, start, 0, module, 0, stack]
            for flags, gil, thread, start, module, stack in switches(trace)
        ],
        "spans": span_rows(trace),
        "gil_samples": rows(trace.gil_samples),
        "codes": {str(k): [c.first_line, c.file, c.name, c.module] for k, c in trace.codes.items()},
        "modules": {str(k): [m.path, m.base, m.build_id] for k, m in trace.modules.items()},
        "sites": {
            str(k): [s.module, s.offset, s.function, s.file, s.line] for k, s in trace.sites.items()
        },
        "cpu": cpu_rows(trace),
        "stacks": {str(k): [list(frame(f)) for f in s] for k, s in trace.stacks.items()},
        "entries": {
            str(k): [e.site.id, e.binding, [list(frame(f)) for f in e.stack]]
            for k, e in trace.entries.items()
        },
        "callables": {
            str(k): [c.name, c.module, c.file, c.line] for k, c in trace.callables.items()
        },
    }


def expectation(name: str) -> dict[str, Any]:
    """The committed expectation, with names for numbers where the model has names."""
    expected: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text())
    expected["python"] = python_version(expected["python"])
    for lock in expected["locks"].values():
        lock[0] = fmt.LOCK_KINDS.get(lock[0], "unidentified")
    strings = {int(key): value for key, value in expected.pop("strings").items()}
    put_texts(expected, strings)
    for table in ("lock_created", "lock_waited"):
        for stack in expected.pop(table).values():
            assert str(stack[0]) in expected["stacks"]
    for _, stack, text, _ in expected.pop("hazards").values():
        assert str(stack) in expected["stacks"]
        assert text in strings
    for text, how in expected.pop("lock_names").values():
        assert text in strings
        assert how in fmt.NAME_SOURCES
    return expected


def put_texts(expected: dict[str, Any], strings: dict[int, str]) -> None:
    """Put the texts of strings, and what refers to what, into an expectation."""
    for code in expected["codes"].values():
        code[1:] = [strings.get(number, "") for number in code[1:4]]
    for module in expected["modules"].values():
        module[:] = strings[module[0]], module[1], module[3]
    for site in expected["sites"].values():
        module, offset, function, file, line, _ = site
        path = expected["modules"][str(module)][0]
        site[:] = path, offset, strings.get(function, ""), strings.get(file, ""), line
    for stack in expected["stacks"].values():
        stack[:] = [frame_of(expected, *pair) for pair in batched(stack, 2, strict=True)]
    for entry in expected["entries"].values():
        entry[:] = entry[0], fmt.BINDINGS[entry[1]], expected["stacks"][str(entry[3])]
    for called in expected["callables"].values():
        code, name, module = called
        line, file, *own = expected["codes"].get(str(code), (0, "", "", ""))
        called[:] = strings.get(name, own[0]), strings.get(module, own[1]), file, line
    for row in expected["spans"]:
        row[3] = strings[row[3]]
    for row in expected["gil_switches"]:
        row[7] = expected["modules"].get(str(row[7]), [""])[0]


def frame_of(expected: dict[str, Any], what: int, line: int) -> list[Any]:
    """What a frame of a stack refers to."""
    if what & fmt.SITE_FRAME:
        module, offset, name, file, own = expected["sites"][str(what & ~fmt.SITE_FRAME)]
        name = name or f"{module.rpartition('/')[2]}+{offset:#x}"
        return [name, file, line or own, True, module]
    _, file, name, module = expected["codes"][str(what)]
    return [name, file, line, False, module]


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
