"""The example extensions, as installed in the interpreter that runs these tests."""

from __future__ import annotations

import faulthandler
import logging
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import native_logging
import parallel_eval
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[2] / "examples"
TIMEOUT_S = 120
THREADS = 4
INPUTS = [2.5 + i / 200 for i in range(300)]


@pytest.fixture(autouse=True)
def _no_hang(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """End the tests with all stacks if native code waits for ever, even with the GIL held."""
    with capfd.disabled():
        stderr = os.dup(2)
    faulthandler.dump_traceback_later(TIMEOUT_S, exit=True, file=stderr)
    yield
    faulthandler.cancel_dump_traceback_later()
    os.close(stderr)


@pytest.fixture
def evaluator() -> parallel_eval.Evaluator:
    """A pool of ``THREADS`` threads."""
    return parallel_eval.Evaluator(THREADS)


class ListLogger(native_logging.Logger):  # type: ignore[misc]
    """Keeps every record."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[tuple[int, str]] = []

    def log(self, level: int, message: str) -> None:
        """Keep one record."""
        self.records.append((level, message))


class FailingLogger(native_logging.Logger):  # type: ignore[misc]
    """Raises on every record, and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def log(self, _level: int, message: str) -> None:
        """Refuse one record."""
        self.calls.append(message)
        raise LookupError("no log today")


def this_thread_name() -> str:
    """The name that the kernel knows the calling thread by."""
    comm = Path(f"/proc/self/task/{threading.get_native_id()}/comm")
    return comm.read_text(encoding="utf-8").strip()


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with a time-out; the caller judges how it ended."""
    return subprocess.run(
        [sys.executable, *command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def run_example(name: str, *options: str, **environment: str) -> str:
    """Run an example's script, which must succeed, and return what it printed."""
    done = run(str(EXAMPLES / name / "run.py"), *options, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("batch", [1, 7, 300, 1000])
def test_callback_gets_every_output_once(evaluator: parallel_eval.Evaluator, batch: int) -> None:
    """Each output reaches the callback exactly once, with the index of its input."""
    seen: list[tuple[int, float]] = []
    outputs = evaluator.lyapunov_map(
        INPUTS, steps=50, callback=lambda i, y: seen.append((i, y)), batch=batch
    )
    assert sorted(seen) == list(enumerate(outputs))


def test_outputs_are_in_the_order_of_the_inputs(evaluator: parallel_eval.Evaluator) -> None:
    """The pool gives what one thread would give, in the same order."""
    expected = [parallel_eval.lyapunov_exponent(r, 50) for r in INPUTS]
    assert evaluator.lyapunov_map(INPUTS, steps=50) == expected


def test_exponent_is_that_of_the_logistic_map() -> None:
    """Full chaos at r = 4 has an exponent of one bit per step; r = 2.8 settles."""
    assert parallel_eval.lyapunov_exponent(4.0, 100_000) == pytest.approx(1.0, abs=0.01)
    assert parallel_eval.lyapunov_exponent(2.8, 100_000) < 0


def test_no_inputs_give_no_outputs(evaluator: parallel_eval.Evaluator) -> None:
    """An empty list of inputs is no error and calls nothing."""
    assert evaluator.lyapunov_map([], callback=pytest.fail) == []


def test_exception_of_a_callback_reaches_the_caller(evaluator: parallel_eval.Evaluator) -> None:
    """The very exception that a callback raised on a native thread is raised by the call."""
    error = KeyError("from a callback")

    def refuse(_index: int, _output: float) -> None:
        raise error

    with pytest.raises(KeyError) as caught:
        evaluator.lyapunov_map(INPUTS, steps=50, callback=refuse)
    assert caught.value is error


def test_exception_of_a_callback_stops_the_threads(evaluator: parallel_eval.Evaluator) -> None:
    """No thread calls a second time after its callback raised."""
    calls: list[int] = []

    def refuse(index: int, _output: float) -> None:
        calls.append(index)
        raise KeyError(index)

    with pytest.raises(KeyError):
        evaluator.lyapunov_map(INPUTS, steps=50, callback=refuse)
    assert 1 <= len(calls) <= THREADS


def test_pool_works_on_after_an_exception(evaluator: parallel_eval.Evaluator) -> None:
    """A failed call leaves the pool as it was."""
    with pytest.raises(ZeroDivisionError):
        evaluator.lyapunov_map(INPUTS, steps=50, callback=lambda *_: 1 // 0)
    assert len(evaluator.lyapunov_map(INPUTS, steps=50)) == len(INPUTS)


def test_pool_used_from_its_own_callback_is_an_error(evaluator: parallel_eval.Evaluator) -> None:
    """A callback that would wait for its own thread gets an exception instead of a deadlock."""
    with pytest.raises(RuntimeError, match="one of its own threads"):
        evaluator.lyapunov_map(INPUTS, callback=lambda *_: evaluator.lyapunov_map(INPUTS))


@pytest.mark.parametrize("arguments", [{"threads": 0}, {"threads": 2, "batch": 0}])
def test_evaluator_refuses_zero(arguments: dict[str, int]) -> None:
    """Zero threads and empty batches are value errors, not hangs."""
    batch = arguments.pop("batch", 1)
    with pytest.raises(ValueError, match="at least one"):
        parallel_eval.Evaluator(**arguments).lyapunov_map(INPUTS, batch=batch)


def test_pool_threads_are_named(evaluator: parallel_eval.Evaluator) -> None:
    """Callbacks run on threads that the kernel knows as eval-0, eval-1, ..."""
    names: set[str] = set()
    evaluator.lyapunov_map(INPUTS, callback=lambda *_: names.add(this_thread_name()))
    assert names <= {f"eval-{i}" for i in range(THREADS)}
    assert names


def test_three_ways_have_one_checksum() -> None:
    """The three ways of the script are named, and compute the same."""
    output = run_example("parallel_eval", "--inputs=200", "--work=50", "--callback-work=5")
    lines = re.findall(r"^(\w+) +checksum ([0-9a-f]{8})  \d+\.\d{3} s$", output, re.MULTILINE)
    assert [name for name, _ in lines] == ["native", "callback", "batch"]
    assert len({checksum for _, checksum in lines}) == 1


def test_ways_can_be_chosen() -> None:
    """--ways selects the ways and their order."""
    output = run_example("parallel_eval", "--ways=batch,native", "--inputs=20", "--work=5")
    assert [line.split()[0] for line in output.splitlines()] == ["batch", "native"]


def test_unknown_way_is_one_clear_line() -> None:
    """A way that does not exist ends the script with the names of those that do."""
    done = run(str(EXAMPLES / "parallel_eval" / "run.py"), "--ways=fast")
    assert done.returncode == 2
    assert "no way 'fast'; there are native, callback, batch" in done.stderr


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_every_record_arrives_once(batch: int) -> None:
    """Each row's record reaches the Python subclass exactly once."""
    logger = ListLogger()
    native_logging.render(logger, rows=200, columns=10, threads=THREADS, batch=batch)
    rows = Counter(message.split(":")[0] for _, message in logger.records)
    assert rows == Counter(f"row {number}" for number in range(200))


def test_checksum_is_the_sum_of_the_records() -> None:
    """The iterations that the records tell add up to those that render returns."""
    logger = ListLogger()
    checksum = native_logging.render(logger, rows=50, columns=20, threads=THREADS)
    told = [re.search(r"(\d+) iterations$", message) for _, message in logger.records]
    assert sum(int(match[1]) for match in told if match) == checksum


def test_checksum_does_not_depend_on_threads_or_batch() -> None:
    """One thread computes what many compute."""
    sums = {
        native_logging.render(ListLogger(), rows=50, columns=20, threads=threads, batch=batch)
        for threads, batch in [(1, 1), (THREADS, 1), (THREADS, 8)]
    }
    assert len(sums) == 1


def test_levels_are_those_of_logging() -> None:
    """Levels compare equal to the numbers of the logging module."""
    levels = [level.value for level in native_logging.Level]
    assert levels == [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR]


@pytest.mark.parametrize("batch", [1, 2])
def test_exception_of_a_logger_reaches_the_caller(batch: int) -> None:
    """What log raises on a native thread is raised by render, and the threads stop."""
    logger = FailingLogger()
    with pytest.raises(LookupError, match="no log today"):
        native_logging.render(logger, rows=200, columns=10, threads=THREADS, batch=batch)
    assert 1 <= len(logger.calls) <= THREADS


def test_logger_without_log_is_an_error() -> None:
    """A subclass that does not override log gets an error that says so."""

    class Silent(native_logging.Logger):  # type: ignore[misc]
        pass

    with pytest.raises(RuntimeError, match=r"pure virtual function .*log"):
        native_logging.render(Silent(), rows=5, columns=5)


@pytest.mark.parametrize("arguments", [{"threads": 0}, {"batch": 0}])
def test_render_refuses_zero(arguments: dict[str, int]) -> None:
    """Zero threads and empty batches are value errors, not hangs."""
    with pytest.raises(ValueError, match="at least one"):
        native_logging.render(ListLogger(), rows=5, columns=5, **arguments)


def test_log_threads_are_named() -> None:
    """Records come from threads that the kernel knows as log-worker-0, ..."""
    names: set[str] = set()

    class Names(native_logging.Logger):  # type: ignore[misc]
        def log(self, *_: object) -> None:
            names.add(this_thread_name())

    native_logging.render(Names(), rows=50, columns=10, threads=THREADS)
    assert names <= {f"log-worker-{i}" for i in range(THREADS)}
    assert names


@pytest.mark.parametrize("batch", ["1", "16"])
def test_logging_script_counts_its_records(batch: str) -> None:
    """The script prints the same checksum and count whatever the number of threads."""
    outputs = {
        run_example("native_logging", "--records=100", "--work=5", f"--batch={batch}", **extra)
        for extra in ({"GILSCOPE_THREADS": "1"}, {"GILSCOPE_THREADS": "3"})
    }
    assert len(outputs) == 1
    assert re.fullmatch(r"checksum [0-9a-f]{16}  records 100\n", outputs.pop())


@pytest.mark.parametrize("name", ["native_logging", "parallel_eval"])
def test_bad_number_of_threads_is_one_clear_line(name: str) -> None:
    """A GILSCOPE_THREADS that is no positive number ends the script with its usage."""
    done = run(str(EXAMPLES / name / "run.py"), GILSCOPE_THREADS="none")
    assert done.returncode == 2
    assert "argument --threads" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["native_logging", "parallel_eval"])
def test_import_leaves_the_gil_as_it_was(name: str) -> None:
    """Importing an example does not turn the GIL of a free-threaded build on."""
    code = f"import sys; a = sys._is_gil_enabled(); import {name}; print(a, sys._is_gil_enabled())"
    done = run("-W", "error", "-c", code)
    before, after = done.stdout.split()
    assert before == after, done.stderr


@pytest.mark.parametrize("name", ["native_logging", "parallel_eval"])
def test_library_part_knows_nothing_of_python(name: str) -> None:
    """Neither headers nor sources of the C++ library mention Python."""
    parts = [*(EXAMPLES / name / "include").rglob("*.hpp"), *(EXAMPLES / name / "src").iterdir()]
    assert parts
    assert not [part for part in parts if "py" in part.read_text(encoding="utf-8").lower()]
