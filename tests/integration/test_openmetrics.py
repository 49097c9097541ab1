"""Counters of a recording that runs, as Prometheus reads them."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

import gilscope
from conftest import finished
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Interpreter

COUNTED = """
import json
import os
import sys
import threading
import gilscope

def work(n):
    for number in range(n):
        with lock:
            with gilscope.span("one"):
                sum(range(200))

def run(n):
    threads = [threading.Thread(target=work, args=(n,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

lock = threading.Lock()
texts = [gilscope.openmetrics()]
with gilscope.profile(sys.argv[1], **json.loads(sys.argv[2])):
    texts.append(gilscope.openmetrics())
    for _ in range(3):
        run(int(sys.argv[3]))
        texts.append(gilscope.openmetrics())
    if child := os.fork():
        os.waitpid(child, 0)
    else:
        with open(sys.argv[1] + ".child", "w") as file:
            file.write(gilscope.openmetrics())
        os._exit(0)
    texts.append(gilscope.openmetrics())
texts.append(gilscope.openmetrics())
print(json.dumps(texts))
"""

ASKED = """
import json
import sys
import threading
import gilscope

def work():
    while not done.is_set():
        with gilscope.span("one"):
            pass

done = threading.Event()
seen = []
with gilscope.profile(sys.argv[1], ring=True, max_bytes=16 << 20):
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(300):
        seen.append(gilscope.openmetrics())
    done.set()
    for thread in threads:
        thread.join()
print(json.dumps(seen))
"""


def samples(text: str) -> dict[str, float]:
    """Return the value of each sample by name and kind; the parser refuses other formats."""
    return {
        f"{one.name}{one.labels.get('kind', '')}": one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def counted(
    interpreter: Interpreter, folder: Path, times: int, **options: object
) -> list[dict[str, float]]:
    """Run a program that asks for its counters now and then; return them."""
    program = folder / "program.py"
    program.write_text(COUNTED)
    trace = folder / "t.gilscope"
    process = interpreter.start_command(program, trace, json.dumps(options), times)
    done = finished(process, trace)
    assert done.status == 0, done.err
    return [samples(text) for text in json.loads(done.out.splitlines()[-1])]


def test_the_numbers_are_those_of_the_trace(interpreter: Interpreter, tmp_path: Path) -> None:
    """Of all threads, also of those that have ended; none is lost where a chunk ends."""
    seen = counted(interpreter, tmp_path, 3_000)
    trace = gilscope.open(tmp_path / "t.gilscope")
    last = seen[-2]
    assert last["gilscope_spans_total"] == len(trace.spans) == 4 * 3 * 3_000
    total = trace.spans.duration.sum() / 1e9
    assert last["gilscope_span_seconds_total"] == pytest.approx(total, rel=0.01)
    rows = trace.intervals
    waits = rows.select(rows.kind == Event.LOCK_WAIT)
    kinds = [trace.locks[what].kind for what in waits.what.tolist()]
    found = {
        name.removeprefix("gilscope_lock_waits_total"): value
        for name, value in last.items()
        if name.startswith("gilscope_lock_waits_total")
    }
    # The end of the recording may wait for a lock itself.
    for kind, value in found.items():
        assert value <= kinds.count(kind) <= value + 2, kind
    if interpreter.build == "gil":
        holds = rows.select(rows.kind == Event.GIL_HOLD)
        assert 0 <= len(holds) - last["gilscope_gil_holds_total"] < 20
        waited = rows.duration[rows.kind == Event.GIL_WAIT].sum() / 1e9
        assert last["gilscope_gil_wait_seconds_total"] == pytest.approx(waited, rel=0.05, abs=0.001)


def test_counters_only_grow(interpreter: Interpreter, tmp_path: Path) -> None:
    """Also in a ring that has forgotten most of the events."""
    seen = counted(interpreter, tmp_path, 8_000, ring=True, max_bytes=8 << 20)
    for before, after in pairwise(seen[1:-1]):
        assert before.keys() <= after.keys()
        assert all(after[name] >= value for name, value in before.items() if "_total" in name)
    assert seen[-2]["gilscope_spans_total"] == 4 * 3 * 8_000


def test_without_a_recording_it_says_so(interpreter: Interpreter, tmp_path: Path) -> None:
    """Before, after, and in a forked child, which is not recorded."""
    seen = counted(interpreter, tmp_path, 10)
    assert seen[0] == seen[-1] == {"gilscope_recording": 0}
    assert all(one["gilscope_recording"] == 1 for one in seen[1:-1])
    assert samples((tmp_path / "t.gilscope.child").read_text()) == {"gilscope_recording": 0}


def test_threads_go_on_while_it_counts(interpreter: Interpreter, tmp_path: Path) -> None:
    """Each answer is between what was there before and after the question."""
    program = tmp_path / "program.py"
    program.write_text(ASKED)
    trace = tmp_path / "t.gilscope"
    done = finished(interpreter.start_command(program, trace), trace)
    assert done.status == 0, done.err
    seen = [samples(text)["gilscope_spans_total"] for text in json.loads(done.out.splitlines()[-1])]
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]


def test_asking_needs_no_more_than_the_probe() -> None:
    """The reader's packages are not loaded into the program."""
    code = (
        "import sys, gilscope\ngilscope.openmetrics()\n"
        "print([name for name in ('numpy', 'gilscope.trace') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
