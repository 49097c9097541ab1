"""The plug-in for pytest, in runs of pytest on tests of its users, with both builds."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

import gilscope

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Interpreter

TIMEOUT_S = 120

PLAIN = """
def test_passes(): pass
def test_fails(): assert 1 == 2
"""

HANGS = """
import threading, time

first, second = threading.Lock(), threading.Lock()

def takes(one, other):
    with one:
        time.sleep(0.2)
        with other:
            pass

def test_hangs():
    pairs = (first, second), (second, first)
    threads = [threading.Thread(target=takes, args=pair) for pair in pairs]
    for thread in threads: thread.start()
    for thread in threads: thread.join()

def test_after(): pass
"""

CONTENDED = """
import threading, time

def test_contended():
    lock = threading.Lock()
    def work():
        for _ in range(20):
            with lock:
                time.sleep(0.01)
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""

# Ctrl-C, which the first process gets; under pytest-xdist that is the one that runs no tests.
INTERRUPTED = (
    CONTENDED
    + """
import os, signal

def test_interrupts():
    main = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    os.kill(main, signal.SIGINT)
    time.sleep(60)
"""
)

RACY = """
import threading

class Counter:
    n = 0
    def add(self):
        self.n += 1

def test_count():
    counter = Counter()
    def work():
        for _ in range(200):
            counter.add()
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""

THREADED = """
import threading
import pytest

seen = []

def test_many(num_parallel_threads, thread_index, tmp_path):
    seen.append(thread_index)
    assert num_parallel_threads == 3
    assert not list(tmp_path.iterdir())
    (tmp_path / "x").touch()

def test_were_many(): assert sorted(seen) == [0, 1, 2]
test_were_many = pytest.mark.thread_unsafe(test_were_many)

@pytest.mark.thread_unsafe(reason="alone")
def test_alone(num_parallel_threads): assert num_parallel_threads == 1

@pytest.mark.threads(2)
def test_two(num_parallel_threads): assert num_parallel_threads == 2

@pytest.mark.parallel_threads_limit(2)
def test_limit(num_parallel_threads): assert num_parallel_threads == 2

def test_unsafe_fixture(capsys, num_parallel_threads): assert num_parallel_threads == 1

@pytest.mark.iterations(4)
def test_often(iteration_index): often.append(iteration_index)
often = []

@pytest.mark.thread_unsafe
def test_was_often(): assert sorted(often) == sorted([0, 1, 2, 3] * 3)

def test_fails_in_one(thread_index): assert thread_index != 1

def test_skips(): pytest.skip("so")
"""


@dataclass
class Run:
    """What one run of pytest printed."""

    status: int
    out: str
    err: str
    folder: Path

    @property
    def traces(self) -> list[str]:
        """Names of the traces that it kept."""
        return sorted(path.name for path in (self.folder / ".gilscope").glob("*.gilscope"))


def run(interpreter: Interpreter, folder: Path, text: str, *options: str) -> Run:
    """Run pytest on a file of tests in an empty folder."""
    (folder / "test_it.py").write_text(text, encoding="utf-8")
    command = [str(interpreter.python), "-m", "pytest", "-p", "no:cacheprovider", "test_it.py"]
    done = subprocess.run(
        [*command, *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr, folder)


def counts(done: Run) -> str:
    """Return the last line's counts, such as "1 failed, 1 passed"."""
    return re.sub(r"^=* ?| in [\d.]+s.*$", "", done.out.splitlines()[-1])


def test_without_options_nothing_is_loaded(interpreter: Interpreter, tmp_path: Path) -> None:
    """Whoever has gilscope installed and does not ask for it runs as before."""
    text = "import sys\ndef test(): assert not [n for n in sys.modules if 'recording' in n]\n"
    done = run(interpreter, tmp_path, text)
    assert (done.status, counts(done)) == (0, "1 passed")


def test_a_run_is_one_trace(interpreter: Interpreter, tmp_path: Path) -> None:
    """With a span for each test; what passes and fails is as without it."""
    done = run(interpreter, tmp_path, PLAIN, "--gilscope")
    assert (done.status, counts(done)) == (1, "1 failed, 1 passed"), done.out + done.err
    assert done.traces == ["run.gilscope"]
    trace = gilscope.open(tmp_path / ".gilscope" / "run.gilscope")
    names = set(trace.spans.names.values())
    assert {"test_it.py::test_passes", "test_it.py::test_fails"} <= names


@pytest.mark.parametrize(
    ("words", "trace"),
    [
        (["--gilscope"], "/run.gilscope"),
        (["--gilscope=test"], "/test_it.py-test_interrupts.gilscope"),
        (["--gilscope", "-n", "1"], ""),
    ],
    ids=["run", "test", "xdist"],
)
def test_an_interrupted_run_ends_without_findings(
    interpreter: Interpreter, tmp_path: Path, words: list[str], trace: str
) -> None:
    """Someone waits for its end: the traces are kept, and how to get the findings is said."""
    if "-n" in words and interpreter.build == "ft":
        pytest.skip("pytest-xdist is installed beside the stock build only")
    done = run(interpreter, tmp_path, INTERRUPTED, *words, "--gilscope-fail-on", "low")
    assert done.status == pytest.ExitCode.INTERRUPTED, done.out + done.err
    kept = f"{tmp_path}/.gilscope{trace}"
    assert f"interrupted, findings are not told: gilscope findings {kept}\n" in done.out
    assert "the whole run: " not in done.out
    for name in done.traces:
        assert not gilscope.open(tmp_path / ".gilscope" / name).ended_early
    assert not trace or trace[1:] in done.traces


def test_paths_may_follow_the_option(interpreter: Interpreter, tmp_path: Path) -> None:
    """--gilscope takes a mode behind = only."""
    (tmp_path / "test_it.py").write_text(PLAIN, encoding="utf-8")
    command = [str(interpreter.python), "-m", "pytest", "--gilscope", "test_it.py::test_passes"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


@pytest.mark.parametrize(
    "option",
    [
        "--gilscope=tset",
        "--gilscope-threads=many",
        "--gilscope-fail-on=much",
        "--gilscope-fail-on=low",  # of nothing
    ],
)
def test_bad_options_are_one_clear_line(
    interpreter: Interpreter, tmp_path: Path, option: str
) -> None:
    """Before any test runs."""
    done = run(interpreter, tmp_path, PLAIN, option)
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert "Traceback" not in done.err
    assert option.partition("=")[0] in done.err


def test_traces_of_failed_tests_are_kept(interpreter: Interpreter, tmp_path: Path) -> None:
    """One trace a test; those of tests that passed and have no findings are removed."""
    done = run(interpreter, tmp_path, PLAIN, "--gilscope=test")
    assert counts(done) == "1 failed, 1 passed"
    assert done.traces == ["test_it.py-test_fails.gilscope"]


def test_a_hang_fails_its_test_and_the_session_goes_on(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    """It is explained by who waits for whom; threads that hang do not keep pytest from ending."""
    done = run(interpreter, tmp_path, HANGS, "--gilscope")
    assert (done.status, counts(done)) == (1, "1 failed, 1 passed"), done.out + done.err
    assert re.search(r"deadlock: .*takes.* holds threading.Lock .* and waits for th", done.out)
    assert "in takes" in done.out


LEFT_BEHIND = """
import threading, time
A, B = threading.Lock(), threading.Lock()

def takes(first, second):
    with first:
        time.sleep(0.2)
        with second:
            pass

def test_deadlock():
    pairs = [(A, B), (B, A)]
    threads = [threading.Thread(target=takes, args=pair, daemon=True) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

def test_slow():
    time.sleep(6)
"""


def test_a_hang_fails_no_later_test(stock: Interpreter, tmp_path: Path) -> None:
    """Threads that an earlier test left in a deadlock are not the fault of one that sleeps."""
    done = run(stock, tmp_path, LEFT_BEHIND, "--gilscope", "-p", "no:timeout")
    assert (done.status, counts(done)) == (1, "1 failed, 1 passed"), done.out + done.err
    assert "FAILED test_it.py::test_deadlock" in done.out


@pytest.mark.parametrize("mode", ["--gilscope", "--gilscope=test"])
def test_what_was_not_recorded_fails_the_run(
    interpreter: Interpreter, tmp_path: Path, mode: str
) -> None:
    """Nobody can say that it has no findings."""
    options = (mode, "--gilscope-fail-on=high", "--gilscope-dir=/proc/none")
    done = run(interpreter, tmp_path, "def test(): pass", *options)
    assert (done.status, counts(done)) == (1, "1 passed"), done.out + done.err
    assert "not recorded: " in done.out
    assert "failed: --gilscope-fail-on high could not be checked" in done.out


def test_a_run_that_cannot_be_read_here_fails(
    interpreter_of: Callable[[str], Interpreter], tmp_path: Path
) -> None:
    """Where numpy is missing findings are not told, and their limit is not met."""
    bare = interpreter_of("ft")
    done = run(bare, tmp_path, "def test(): pass", "--gilscope", "--gilscope-fail-on=high")
    assert (done.status, counts(done)) == (1, "1 passed"), done.out + done.err
    assert "findings are not told: reading traces needs numpy" in done.out
    assert "no findings" not in done.out
    assert "trace: " in done.out


def test_findings_are_said_by_test(tmp_path: Path, stock: Interpreter) -> None:
    """In the summary, and as properties for JUnit; --gilscope-fail-on makes the test fail."""
    options = ("--gilscope=test", "--junitxml=junit.xml")
    done = run(stock, tmp_path, CONTENDED, *options)
    assert done.status == 0, done.out + done.err
    assert "test_it.py::test_contended: 1 finding" in done.out
    assert re.search(r"medium: 3 threads contend for .*`.*lock`", done.out)
    properties = ET.parse(tmp_path / "junit.xml").iter("property")  # noqa: S314 - it is our own
    assert "gilscope.hot-lock" in {one.get("name") for one in properties}
    failed = run(stock, tmp_path, CONTENDED, *options, "--gilscope-fail-on=medium")
    assert (failed.status, counts(failed)) == (1, "1 failed")


def test_findings_of_a_run_decide_over_its_status(tmp_path: Path, stock: Interpreter) -> None:
    """Where all tests passed."""
    done = run(stock, tmp_path, CONTENDED, "--gilscope", "--gilscope-fail-on=medium")
    assert (done.status, counts(done)) == (1, "1 passed")
    assert "failed: the run has findings of --gilscope-fail-on medium or above" in done.out


@pytest.mark.parametrize("mode", [(), ("--gilscope=test",)])
def test_races_are_said_by_test(
    interpreter: Interpreter, tmp_path: Path, mode: tuple[str, ...]
) -> None:
    """With the trace or without it; a certain race fails with --gilscope-fail-on=medium."""
    done = run(interpreter, tmp_path, RACY, "--gilscope-races", "--gilscope-fail-on=medium", *mode)
    assert (done.status, counts(done)) == (1, "1 failed"), done.out + done.err
    assert re.search(r"(medium: certain|high: witnessed) race: lost update on Counter\.n", done.out)


def test_tests_run_in_threads(interpreter: Interpreter, tmp_path: Path) -> None:
    """Behind a barrier; markers and fixtures that are unsafe as pytest-run-parallel treats them."""
    done = run(interpreter, tmp_path, THREADED, "--gilscope-threads=3", "--strict-markers")
    assert counts(done) == "1 failed, 8 passed, 1 skipped", done.out + done.err
    assert "in thread 1 of 3 that ran the test" in done.out


def test_each_worker_of_xdist_has_its_trace(tmp_path: Path, stock: Interpreter) -> None:
    """The reporting process prints the workers' findings once; hangs end there, too."""
    pytest.importorskip("xdist")
    done = run(stock, tmp_path, HANGS + CONTENDED, "--gilscope", "-n2")
    assert (done.status, counts(done)) == (1, "1 failed, 2 passed"), done.out + done.err
    assert done.traces == ["run-gw0.gilscope", "run-gw1.gilscope"]
    assert done.out.count("3 threads contend for") == 1
    assert "deadlock: " in done.out


@pytest.fixture
def stock(interpreter_of: object) -> Interpreter:
    """The interpreter that has what reads traces."""
    get: Interpreter = interpreter_of("gil")  # type: ignore[operator]
    return get


def test_import_before_pytest_is_no_warning(tmp_path: Path) -> None:
    """A recorded program that runs pytest with warnings as errors ends as without gilscope."""
    (tmp_path / "test_it.py").write_text("def test_passes(): pass\n", encoding="utf-8")
    program = "import sys, gilscope, pytest; sys.exit(pytest.main(sys.argv[1:]))"
    rewritten = ["-W", "error::pytest.PytestAssertRewriteWarning"]
    command = [sys.executable, "-c", program, "-q", "-p", "no:cacheprovider", *rewritten, "."]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
