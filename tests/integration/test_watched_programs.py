"""What `gilscope races` and `gilscope lock-order` must leave as it is, whatever a program does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 120
PYTHONS = [
    pytest.param(os.environ.get("GILSCOPE_PYTHON", sys.executable), id="gil"),
    pytest.param(os.environ.get("GILSCOPE_FT_PYTHON", ""), id="ft"),
]
COMMANDS = ["races", "lock-order"]

TWO_WATCHES = """
import threading
import gilscope
from gilscope.errors import ProbeError

said = []

def watch():
    try:
        with gilscope.races():
            pass
    except ProbeError as error:
        said.append(str(error))

for _ in range(5):
    threads = [threading.Thread(target=watch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
assert set(said) <= {"races are being watched for already"}, said
with gilscope.races():
    pass
"""
NAME = "import threading\nt = threading.Thread(target=print, args=('said',), name='n\\ud800')\n"
STARTED = NAME + "t.start()\nt.join()\n"
FORK = "import os, sys\npid = os.fork()\nif not pid:\n    sys.exit(5)\n"
FORKED = FORK + "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
IN_BLOCK = """
import os, sys
import gilscope
with gilscope.races():
    pid = os.fork()
    if not pid:
        sys.exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 4
"""

BEGINS_AGAIN = """
import sys, threading
from gilscope.target.{kind}.watch import watching

def methods():
    classes = (threading.Thread, threading.Event, threading.Condition, threading.Barrier)
    return [dict(vars(cls)) for cls in classes]

before = methods()
wait = threading.Barrier.wait
del threading.Barrier.wait
for _ in range(2):
    try:
        with watching():
            pass
    except KeyError as error:
        assert error.args == ("wait",), error
    else:
        raise AssertionError("it began without a method that it replaces")
threading.Barrier.wait = wait
assert methods() == before
with watching():
    pass
assert methods() == before
"""
PATCHES_TOO = """
import threading
from gilscope.target.{kind}.watch import watching
with watching():
    ours = threading.Event.set
    theirs = threading.Event.set = lambda event: ours(event)
assert threading.Event.set is theirs
event = threading.Event()
event.set()
assert event.is_set()
"""


COUNTER = """
import threading
class C:
    n = 0
c = C()
def add():
    for _ in range(300): c.n += 1
def count():
    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""
PRINTED = """
import gilscope
with gilscope.races() as found:
    count()
print(found.races[0])
print("=====")
print(found)
"""


def run(python: str, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python with a time limit."""
    if not python:
        pytest.skip("no interpreter of this build")
    return subprocess.run(
        [python, *words], capture_output=True, text=True, timeout=SECONDS, check=False, cwd=cwd
    )


def watched(python: str, command: str, source: str) -> subprocess.CompletedProcess[str]:
    """Run a program under a command; there is no traceback."""
    done = run(python, "-m", "gilscope", command, "-c", source)
    assert "Traceback" not in done.stderr, done.stderr
    assert "ignored" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("python", PYTHONS)
def test_threads_that_begin_a_watch_at_once(python: str) -> None:
    """One has it, the others are refused, and the next one has it again."""
    done = run(python, "-c", TWO_WATCHES)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("python", PYTHONS)
def test_a_thread_whose_name_cannot_be_encoded(python: str, command: str) -> None:
    """It runs."""
    done = watched(python, command, STARTED)
    assert (done.returncode, done.stdout) == (0, "said\n")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("python", PYTHONS)
def test_a_forked_child_that_ends_as_programs_do(python: str, command: str) -> None:
    """It says nothing, and the parent is watched on."""
    done = watched(python, command, FORKED)
    assert (done.returncode, done.stdout) == (0, "5\n")
    assert done.stderr.count("locks" if command == "lock-order" else "could race") == 1


@pytest.mark.parametrize("python", PYTHONS)
def test_a_forked_child_that_leaves_the_block(python: str) -> None:
    """It ends as it would without the watch."""
    done = run(python, "-c", IN_BLOCK)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("kind", ["races", "order"])
@pytest.mark.parametrize("python", PYTHONS)
def test_a_watch_that_cannot_begin(python: str, kind: str) -> None:
    """It leaves nothing behind, and the next one begins."""
    done = run(python, "-c", BEGINS_AGAIN.format(kind=kind))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("kind", ["races", "order"])
@pytest.mark.parametrize("python", PYTHONS)
def test_a_method_that_the_program_replaces_meanwhile(python: str, kind: str) -> None:
    """It stays the program's when the watch ends."""
    done = run(python, "-c", PATCHES_TOO.format(kind=kind))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("python", PYTHONS)
def test_a_report_that_cannot_be_written(python: str, command: str, tmp_path: Path) -> None:
    """It is said in one line before the program runs."""
    for path, why in (
        (tmp_path, "Is a directory"),
        (tmp_path / "no" / "x", "No such file or directory"),
        (Path("/proc/x"), "No such file or directory"),
    ):
        done = run(python, "-m", "gilscope", command, "-o", str(path), "-c", "print('runs')")
        assert done.stdout == ""
        assert done.stderr == f"gilscope: error: cannot write {path}: {why}\n"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("python", PYTHONS)
def test_a_report_to_standard_output(python: str, command: str, tmp_path: Path) -> None:
    """-o - writes it there, alone, in each format; no file has that name."""
    words = ("-m", "gilscope", command, "-o", "-")
    done = run(python, *words, "--json", "-c", "print('said')", cwd=tmp_path)
    assert list(json.loads(done.stdout).values()) == [[]]
    assert done.stderr == "said\n"
    done = run(python, *words, "-c", "print('said')", cwd=tmp_path)
    assert done.stderr == "said\n"
    assert done.stdout.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("python", PYTHONS)
def test_what_a_package_does_at_import_is_watched(python: str, tmp_path: Path) -> None:
    """With -m, threads that its __init__ starts are those of the program."""
    package = tmp_path / "early"
    package.mkdir()
    (package / "__init__.py").write_text(COUNTER + "count()\n")
    (package / "__main__.py").write_text("print('main')\n")
    done = run(python, "-m", "gilscope", "races", "--json", "-m", "early", cwd=tmp_path)
    assert [race["class"] for race in json.loads(done.stdout)["races"]] == ["lost-update"]
    assert done.stderr == "main\n"


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    ("code", "when"),
    [("print('said')", ""), ("1/0", " before it ended by ZeroDivisionError: division by zero")],
)
def test_a_program_without_a_second_thread(python: str, code: str, when: str) -> None:
    """That there were no races would say too much."""
    done = run(python, "-m", "gilscope", "races", "-c", code)
    said = f"no second thread ran in this program{when}: there is nothing that could race"
    assert done.stderr.splitlines()[-1] == said


@pytest.mark.parametrize("python", PYTHONS)
def test_what_a_block_found_prints_as_the_report(python: str) -> None:
    """All of it, and each race alone."""
    done = run(python, "-c", COUNTER + PRINTED)
    one, every = done.stdout.split("=====\n")
    assert one.startswith("race: lost update on C.n of c (")
    assert one.splitlines()[-1] == "    see: gilscope explain lost-update"
    assert every.startswith(one)
    assert every.splitlines()[-1].startswith("1 race; 3 threads, ")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("python", PYTHONS)
def test_a_program_that_closes_its_streams(python: str, command: str, tmp_path: Path) -> None:
    """It ends with its own status, and a report in a file is there."""
    source = "import sys\nsys.stdout.close()\nsys.stderr.close()\n"
    out = tmp_path / "report.json"
    words = ("-m", "gilscope", command, "--json", "-o", str(out), "-c", source)
    assert run(python, *words).returncode == 0
    assert out.read_text(encoding="utf-8").startswith("{")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "code", ["300", "-1", "2**70", "-(2**70)", "True", "None", "'text'", "1.5"]
)
def test_exit_status_is_that_of_the_program(command: str, code: str) -> None:
    """Whatever it is given to exit with."""
    source = f"import sys; sys.exit({code})"
    bare = run(sys.executable, "-c", source)
    assert watched(sys.executable, command, source).returncode == bare.returncode


RAISES = {
    "join": "import threading\nthreading.current_thread().join()\n",
    "get": "import queue\nqueue.Queue(1).get(timeout=0)\n",
    "result": "from concurrent.futures import Future\nFuture().result(0)\n",
}


@pytest.mark.parametrize("name", RAISES)
@pytest.mark.parametrize("command", COMMANDS)
def test_traceback_is_that_of_the_program(command: str, name: str, tmp_path: Path) -> None:
    """What stands in for a method is not in the traceback of a program that fails in it."""
    script = tmp_path / "program.py"
    script.write_text(RAISES[name], encoding="utf-8")
    bare = run(sys.executable, str(script))
    out = str(tmp_path / "found.json")
    seen = run(sys.executable, "-m", "gilscope", command, "--json", "-o", out, str(script))
    assert "Traceback" in bare.stderr
    assert seen.stderr == bare.stderr


def test_nothing_to_watch() -> None:
    """Nothing but the packages, and no packages, is an error."""
    done = run(sys.executable, "-m", "gilscope", "races", "--watch-only", "-c", "pass")
    said = "gilscope: error: --watch-only watches nothing without --watch PACKAGE\n"
    assert (done.returncode, done.stderr) == (2, said)
