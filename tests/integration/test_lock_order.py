"""`gilscope lock-order`, in processes of its own."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

SECONDS = 120
PROGRAMS = Path(__file__).parents[1] / "cases" / "lock_order"
INTERPRETERS = [
    pytest.param(os.environ.get("GILSCOPE_PYTHON", sys.executable), id="gil"),
    pytest.param(os.environ.get("GILSCOPE_FT_PYTHON", ""), id="ft"),
]


def run(python: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in one interpreter with a time limit."""
    if not python:
        pytest.skip("no interpreter of this build")
    return subprocess.run(
        [python, "-m", "gilscope", "lock-order", *words],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def cycles(python: str, *words: str) -> list[dict[str, Any]]:
    """Return the cycles of a program."""
    done = run(python, "--json", *words)
    found: list[dict[str, Any]] = json.loads(done.stdout)["cycles"]
    return found


def program(name: str) -> str:
    """Return the path of a program whose hazards are known."""
    return str(PROGRAMS / f"{name}.py")


@pytest.mark.parametrize("python", INTERPRETERS)
def test_opposite_order_is_found(python: str) -> None:
    """Two locks in opposite order are one cycle, with both places and both threads."""
    (cycle,) = cycles(python, program("two_locks"))
    assert cycle["class"] == "lock-order"
    assert sorted(cycle["locks"]) == ["a", "b"]
    edges = {(one["held"], one["asked"], one["thread"], one["line"]) for one in cycle["edges"]}
    source = Path(program("two_locks")).read_text(encoding="utf-8").splitlines()
    asked = [number for number, line in enumerate(source, 1) if line.startswith(" " * 8 + "with")]
    assert edges == {("a", "b", "forth", asked[0]), ("b", "a", "back", asked[1])}
    for edge in cycle["edges"]:
        assert edge["file"].endswith("two_locks.py")
        assert edge["stack"][0].endswith(f":{edge['line']} in {edge['thread']}")


@pytest.mark.parametrize("python", INTERPRETERS)
@pytest.mark.parametrize(
    "name",
    [
        "two_locks_one_order", "gate_lock", "transfer_by_id", "try_with_back_off", "reentrant",
        "one_after_the_other", "one_thread",
    ],
)  # fmt: skip
def test_clean_programs_are_not_accused(python: str, name: str) -> None:
    """Programs that cannot deadlock give no report."""
    assert cycles(python, program(name)) == []


@pytest.mark.parametrize("python", INTERPRETERS)
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("join_with_lock", "join-with-lock"),
        ("event_with_lock", "wait-with-lock"),
        ("bounded_queue", "queue-with-lock"),
        ("import_lock", "lock-order"),
    ],
)
def test_what_is_no_lock_is_in_the_graph(python: str, name: str, kind: str) -> None:
    """Waiting for a thread, an event or a queue with a lock held is a hazard if others need it."""
    (cycle,) = cycles(python, program(name))
    assert cycle["kind"] == kind
    assert any(step["held"] == "state" for step in cycle["edges"])


@pytest.mark.parametrize("python", INTERPRETERS)
def test_severity_decides_the_status(python: str) -> None:
    """With --fail-on the status says whether there is a hazard; without, it is the program's."""
    assert run(python, "--fail-on", "high", program("two_locks")).returncode == 1
    assert run(python, "--fail-on", "high", program("gate_lock")).returncode == 0
    assert run(python, program("two_locks")).returncode == 0
    assert run(python, "-c", "raise SystemExit(7)").returncode == 7


@pytest.mark.parametrize("python", INTERPRETERS)
def test_everything_is_put_back(python: str, tmp_path: Path) -> None:
    """After the watch, locks, threads and imports are the interpreter's own again."""
    script = tmp_path / "put_back.py"
    script.write_text(
        "import builtins, queue, threading\n"
        "from gilscope.target.order.watch import watching\n"
        "def state():\n"
        "    return [builtins.__import__, queue.Queue.put, threading.Thread.join,\n"
        "            threading.Condition.wait, threading.Event.set, threading.Semaphore.acquire]\n"
        "before = state()\n"
        "with watching() as recorded:\n"
        "    assert state() != before\n"
        "    lock = threading.Lock()\n"
        "    with lock:\n"
        "        pass\n"
        "assert state() == before\n"
        "with lock, threading.RLock():\n"
        "    pass\n"
        "with watching() as again:\n"
        "    pass\n"
        "assert recorded['threads'] and again['threads'] and not recorded['missing']\n",
        encoding="utf-8",
    )
    if not python:
        pytest.skip("no interpreter of this build")
    subprocess.run([python, script], check=True, timeout=SECONDS)


@pytest.mark.parametrize("python", INTERPRETERS)
def test_a_forked_child_is_left_alone(python: str) -> None:
    """A child that the program forks runs on without us."""
    code = (
        "import os, threading\n"
        "lock = threading.Lock()\n"
        "threading.Thread(target=lambda: None).start()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    with lock:\n"
        "        thread = threading.Thread(target=print, args=('child',))\n"
        "        thread.start()\n"
        "        thread.join()\n"
        "    os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
    )
    done = run(python, "-c", code)
    assert (done.returncode, "0 hazards" in done.stderr) == (0, True), done.stderr


@pytest.mark.parametrize("name", ["two_locks", "transfer", "join_with_lock", "bounded_queue"])
@pytest.mark.parametrize("python", INTERPRETERS)
def test_confirmed_deadlock_strikes(python: str, name: str) -> None:
    """A further run brings the deadlock about, explains it, and is ended."""
    (cycle,) = cycles(python, "--confirm", program(name))
    assert cycle["confirmation"].startswith("confirmed: deadlock: ")
    assert f"({name}.py:" in cycle["confirmation"]


@pytest.mark.parametrize("python", INTERPRETERS)
def test_deadlock_that_does_not_strike_again_is_not_confirmed(python: str, tmp_path: Path) -> None:
    """A program that does something else in its second run confirms nothing, and it is said why."""
    if not python:
        pytest.skip("no interpreter of this build")
    script = tmp_path / "once.py"
    once = "import os, sys\nif os.path.exists('done'):\n    sys.exit()\nopen('done', 'w').close()\n"
    script.write_text(once + Path(program("two_locks")).read_text(encoding="utf-8"))
    done = subprocess.run(
        [python, "-m", "gilscope", "lock-order", "--confirm", "--json", script.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    (cycle,) = json.loads(done.stdout)["cycles"]
    assert cycle["confirmation"].startswith("not confirmed: no thread came to ")


@pytest.mark.parametrize(
    ("name", "kind", "names"),
    [
        ("fork_with_lock", "fork-with-lock", ["lock"]),
        ("semaphores_as_locks", "lock-order", ["first", "second"]),
        ("process_lock", "lock-order", ["first", "second"]),
        ("lock_as_signal", "lock-order", ["state", "turn"]),
    ],
)
@pytest.mark.parametrize("python", INTERPRETERS)
def test_what_acts_as_a_lock_is_one(python: str, name: str, kind: str, names: list[str]) -> None:
    """Locks that a child inherits, semaphores, locks of processes, and locks that are signals."""
    (cycle,) = cycles(python, program(name))
    assert (cycle["kind"], cycle["severity"]) == (kind, "high")
    assert set(names) <= set(cycle["locks"])


def build_pool(python: str, folder: Path) -> None:
    """Compile the extension of the programs for one interpreter into a folder."""
    if not python:
        pytest.skip("no interpreter of this build")
    question = "import sysconfig; print(sysconfig.get_path('include'))"
    include = subprocess.run([python, "-c", question], capture_output=True, text=True, check=True)
    source = PROGRAMS / "native" / "orderpool.cpp"
    compiler = shlex.split(os.environ.get("CXX", "g++"))
    flags = ["-std=c++17", "-shared", "-fPIC", "-pthread", f"-I{include.stdout.strip()}"]
    target = folder / "orderpool.so"
    subprocess.run([*compiler, *flags, source, "-o", target], check=True, timeout=SECONDS)


EXIT = """
import atexit, sys
import orderpool

atexit.register(print, "first registered")
{line}
atexit.register(print, "last registered")
orderpool.await_pump()
sys.exit(3)
"""
PUMP = "orderpool.start_pump(1_000_000)"


@pytest.mark.parametrize(
    ("line", "titles"),
    [
        (PUMP, ["native-thread-at-exit"]),
        (f"{PUMP}; atexit.register(orderpool.stop_pump)", []),
        ("orderpool.start_pump(1)", []),
    ],
    ids=["left", "stopped", "idle"],
)
@pytest.mark.parametrize("python", INTERPRETERS)
def test_native_threads_that_outlive_the_exit_handlers(
    python: str, line: str, titles: list[str], tmp_path: Path
) -> None:
    """One that still calls Python then is a hazard; handlers run once, in their order."""
    build_pool(python, tmp_path)
    (tmp_path / "program.py").write_text(EXIT.format(line=line), encoding="utf-8")
    out = tmp_path / "found.json"
    done = run(python, "--json", "-o", str(out), str(tmp_path / "program.py"))
    found = json.loads(out.read_text(encoding="utf-8"))["cycles"]
    assert [(one["kind"], one["severity"]) for one in found] == [(one, "high") for one in titles]
    assert done.stdout.split("\n") == ["last registered", "first registered", ""]
    assert done.returncode == 3


FORKS = """
import atexit, os
import orderpool

def fork():
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)

atexit.register(fork)
orderpool.start_pump(1_000_000)
orderpool.await_pump()
"""


@pytest.mark.parametrize("python", INTERPRETERS)
def test_a_child_forked_by_an_exit_handler(python: str, tmp_path: Path) -> None:
    """It ends as ever, and reports nothing."""
    build_pool(python, tmp_path)
    (tmp_path / "program.py").write_text(FORKS, encoding="utf-8")
    done = run(python, str(tmp_path / "program.py"))
    assert [line for line in done.stderr.splitlines() if "hazard" in line] == [
        "1 hazard; 2 threads, 0 locks that are in some order"
    ]


def test_a_report_at_an_immediate_exit(tmp_path: Path) -> None:
    """A program that ends by os._exit has its report, and its exit status."""
    script = tmp_path / "program.py"
    source = Path(program("two_locks")).read_text(encoding="utf-8")
    script.write_text(f"{source}\nimport os\nos._exit(4)\n", encoding="utf-8")
    done = run(sys.executable, str(script))
    assert "locks in opposite order: a, b" in done.stderr
    assert done.returncode == 4


SECTION = """
import threading
import orderpool

shared = []
threads = [
    threading.Thread(target=target, args=(shared,))
    for target in (orderpool.mutex_in_section, orderpool.section_in_mutex)
]
for thread in threads:
    thread.start()
    thread.join(0.05)
"""


def test_critical_sections_are_in_the_graph(tmp_path: Path) -> None:
    """A mutex that is asked for within one, and the section with the mutex held."""
    python = os.environ.get("GILSCOPE_FT_PYTHON", "")
    build_pool(python, tmp_path)
    script = tmp_path / "section.py"
    script.write_text(SECTION, encoding="utf-8")
    found = [
        cycle
        for cycle in cycles(python, str(script))
        if any("critical section of a list" in lock for lock in cycle["locks"])
    ]
    assert [(cycle["severity"], cycle["suspected"]) for cycle in found] == [("medium", True)]
    assert any("second" in lock for lock in found[0]["locks"])


COMPARED = """
import json, sys
import gilscope

found = gilscope.compare(sys.argv[1], repeat=1, lock_order=True)
print(found.summary_text())
print(json.dumps([found.summary()["lock_order"], found.summary()["findings"]]))
"""


def test_comparison_lists_deadlocks_to_come() -> None:
    """On request, with the builds that showed them: in its table, its JSON and its findings."""
    if not os.environ.get("GILSCOPE_FT_PYTHON"):
        pytest.skip("no interpreters: run `make test`")
    done = subprocess.run(
        [sys.executable, "-c", COMPARED, program("two_locks")],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert "high: locks in opposite order: a, b (gil and ft)" in done.stdout
    by_build, findings = json.loads(done.stdout.splitlines()[-1])
    assert [[cycle["locks"] for cycle in by_build[build]] for build in ("gil", "ft")] == [
        [["a", "b"]]
    ] * 2
    assert [one["build"] for one in findings if one["name"] == "lock-order"] == ["gil", "ft"]


OTHER_INTERPRETER = '''
import _interpreters

code = """
import threading
a, b = threading.Lock(), threading.Lock()
def both():
    with a:
        with b:
            pass
threads = [threading.Thread(target=both) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
for _ in range(20):
    other = _interpreters.create()
    assert _interpreters.run_string(other, code) is None
    _interpreters.destroy(other)
'''


@pytest.mark.parametrize("python", INTERPRETERS)
def test_interpreters_that_end_are_left_alone(python: str, tmp_path: Path) -> None:
    """Nothing is kept of an interpreter that ends before the watch does."""
    script = tmp_path / "other.py"
    script.write_text(OTHER_INTERPRETER)
    done = run(python, "--json", str(script))
    assert (done.returncode, json.loads(done.stdout)) == (0, {"cycles": []}), done.stderr


HANG = """
meeting = threading.Barrier(2)


def one():
    with a:
        meeting.wait()
        with b:
            pass


def other():
    with b:
        meeting.wait()
        with a:
            pass


run(one, other)
"""


@pytest.mark.parametrize("command", ["lock-order", "races"])
@pytest.mark.parametrize("python", INTERPRETERS)
def test_a_program_that_hangs_is_said_to(python: str, command: str, tmp_path: Path) -> None:
    """While it hangs, with who waits for whom; its report follows once it has been interrupted."""
    if not python:
        pytest.skip("no interpreter of this build")
    script = tmp_path / "hangs.py"
    script.write_text(Path(program("two_locks")).read_text(encoding="utf-8") + HANG)
    with subprocess.Popen(
        [python, "-m", "gilscope", command, script], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            headline = next(line for line in process.stderr if line.startswith("gilscope: "))
            for _ in range(2):  # in join(), and when the interpreter waits for threads to end
                next(line for line in process.stderr if "the report of this run follows" in line)
                process.send_signal(signal.SIGINT)
            report = process.stderr.read()
        finally:
            process.kill()
    assert headline.startswith("gilscope: deadlock: ")
    assert process.returncode == -signal.SIGINT
    assert ("locks in opposite order: a, b" in report) == (command == "lock-order")


def test_page_has_the_cycle_as_a_picture(tmp_path: Path) -> None:
    """From top to bottom as it closes; names of the program are text there, not markup."""
    script = tmp_path / "named.py"
    source = Path(program("two_locks")).read_text(encoding="utf-8")
    script.write_text(source.replace("name=target.__name__", "name=f'<b>{target.__name__}'"))
    out = tmp_path / "page.html"
    done = run(sys.executable, "--format", "html", "-o", str(out), str(script))
    assert done.returncode == 0, done.stderr
    page = out.read_text(encoding="utf-8")
    picture = page[page.index("<svg") : page.index("</svg>") + len("</svg>")]
    space = "{http://www.w3.org/2000/svg}"
    rows = ["".join(one.itertext()) for one in ET.fromstring(picture).iter(f"{space}text")]  # noqa: S314 - our own
    boxes = [row for row in rows if row in ("a", "b")]
    assert len(boxes) == len("aba")
    assert boxes[0] == boxes[-1]
    holders = [row for row in rows if " holds this, taken at named.py:" in row]
    assert sorted(row.split()[0] for row in holders) == ["<b>back", "<b>forth"]
    assert "<b>" not in page


CELL = """
import sys
from IPython.testing.globalipapp import start_ipython

shell = start_ipython()
shell.display_formatter.active_types = ["text/plain", "text/html"]
shell.run_line_magic("load_ext", "gilscope")
shell.run_cell("%%lock_order -o found\\n" + open(sys.argv[1]).read())
found = shell.user_ns["found"]
assert list(found.summary()) == ["gil", "ft"], found.summary()
for (cycle,) in found.summary().values():
    assert sorted(cycle["locks"]) == ["a", "b"], cycle
shown, _ = shell.display_formatter.format(found)
assert shown["text/html"].count("<svg") == 2
assert "locks in opposite order: " in shown["text/plain"]
shell.run_cell("%%lock_order --builds gil\\nraise KeyError('x')")
"""


def test_magic_shows_the_hazards_of_a_cell() -> None:
    """Those of both builds; a cell that fails has its error."""
    if not os.environ.get("GILSCOPE_FT_PYTHON"):
        pytest.skip("no interpreters: run `make test`")
    done = subprocess.run(
        [sys.executable, "-c", CELL, program("two_locks")],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "lock_order: the program failed (gil): KeyError: 'x'" in done.stdout + done.stderr
