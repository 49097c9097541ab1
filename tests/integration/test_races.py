"""`gilscope races` and `gilscope.races()`, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SECONDS = 120
PROGRAMS = Path(__file__).parents[1] / "cases" / "races"
INTERPRETERS = [
    pytest.param(os.environ.get("GILSCOPE_PYTHON", sys.executable), id="gil"),
    pytest.param(os.environ.get("GILSCOPE_FT_PYTHON", ""), id="ft"),
]


def run(python: str, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run one interpreter with a time limit."""
    if not python:
        pytest.skip("no interpreter of this build")
    return subprocess.run(
        [python, *words],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        cwd=cwd,
    )


def races(python: str, *words: str) -> list[dict[str, Any]]:
    """Return the races of a program."""
    done = run(python, "-m", "gilscope", "races", "--json", *words)
    found: list[dict[str, Any]] = json.loads(done.stdout)["races"]
    return found


@pytest.mark.parametrize("python", INTERPRETERS)
def test_lost_update_is_found(python: str) -> None:
    """A counter that two threads add to is a lost update, named as the program names it."""
    found = races(python, str(PROGRAMS / "lost_counter_attribute.py"))
    assert [race["class"] for race in found] == ["lost-update"]
    assert set(found[0]) == {
        "class", "id", "grade", "variable", "accesses", "count", "what_happened", "advice",
    }  # fmt: skip
    assert set(found[0]["accesses"][0]) == {"thread", "file", "line", "write", "locks", "stack"}
    assert [access["write"] for access in found[0]["accesses"]] == [False, True, True]


@pytest.mark.parametrize("python", INTERPRETERS)
def test_counter_under_a_lock_is_clean(python: str) -> None:
    """A counter under a lock gives no report."""
    assert races(python, str(PROGRAMS / "clean_counter_lock.py")) == []


@pytest.mark.parametrize("python", INTERPRETERS)
def test_fail_on_decides_the_status(python: str) -> None:
    """With --fail-on the status says whether there is such a race; without, it is the program's."""
    racy = str(PROGRAMS / "lost_counter_attribute.py")
    clean = str(PROGRAMS / "clean_counter_lock.py")
    command = ("-m", "gilscope", "races")
    assert run(python, *command, "--fail-on", "certain", racy).returncode == 1
    assert run(python, *command, "--fail-on", "certain", clean).returncode == 0
    assert run(python, *command, racy).returncode == 0
    assert run(python, *command, "-c", "raise SystemExit(7)").returncode == 7


@pytest.mark.parametrize("python", INTERPRETERS)
def test_output_of_the_program_is_not_in_the_json(python: str) -> None:
    """With --json standard output is the JSON alone; with -o it is the program's."""
    done = run(python, "-m", "gilscope", "races", "--json", "-c", "print('said')")
    assert json.loads(done.stdout) == {"races": []}
    assert "said" in done.stderr


RESTORED = """
import _thread, collections, sys, threading, _queue
import gilscope

def state():
    from concurrent.futures import Future
    classes = (threading.Thread, threading.Event, threading.Semaphore, threading.Barrier, Future)
    methods = {(c, n): v for c in classes for n, v in vars(c).items()}
    tools = [sys.monitoring.get_tool(i) for i in range(6)]
    return methods, tools

def work():
    for _ in range(10):
        lock.acquire(); lock.release()
        box.append(1); box.popleft()

lock, box = threading.Lock(), collections.deque()
before = state()
for _ in range(3):
    with gilscope.races() as found:
        threads = [threading.Thread(target=work) for _ in range(2)]
        for t in threads: t.start()
        for t in threads: t.join()
    assert len(found) == 0, found.races
assert state() == before
work()
print("restored")
"""


@pytest.mark.parametrize("python", INTERPRETERS)
def test_interpreter_is_as_before(python: str) -> None:
    """After a watch, and a second one, classes and tools are as they were."""
    done = run(python, "-c", RESTORED)
    assert done.stdout == "restored\n", done.stderr


@pytest.mark.parametrize("python", INTERPRETERS)
def test_tools_that_are_taken_are_named(python: str) -> None:
    """Where no tool number is free, the message says which tools have them."""
    code = (
        "import sys\nfor i in range(6): sys.monitoring.use_tool_id(i, f'tool {i}')\n"
        "import gilscope\nwith gilscope.races(): pass"
    )
    done = run(python, "-c", code)
    assert "tool 3" in done.stderr
    assert "ProbeError" in done.stderr


HARD = """
import asyncio, threading
class Odd:
    def __init__(self): self.n = 0
    def __getattr__(self, name): return len(name)
    def __setattr__(self, name, value): object.__setattr__(self, name, value)
class Meta(type):
    @property
    def m(cls): return 1
class With(metaclass=Meta):
    __slots__ = ("a",)
class Key:
    def __hash__(self): return 1
    def __eq__(self, other): raise RuntimeError("compared")
class Items(dict):
    def __getitem__(self, key): return key
    def __setitem__(self, key, value): super().__setitem__(key, value)
def numbers():
    yield from range(5)
async def later():
    async with asyncio.Lock():
        return [x async for x in agen()]
async def agen():
    for i in range(3):
        yield i
        await asyncio.sleep(0)
def work():
    o, w, k, d, items = Odd(), With(), Key(), {}, Items()
    o.n += o.missing
    w.a = With.m
    d[k] = 1
    d[k] += 1
    items["x"] = items["y"]
    exec("z = [i for i in (lambda: (1, 2))()]", {})
    match {"a": [1, *range(3)]}:
        case {"a": [first, *rest]}: d["m"] = first
    try:
        del d["none"]
    except KeyError as error:
        d["e"] = str(error)
    list(numbers()); asyncio.run(later())
threads = [threading.Thread(target=work) for _ in range(200)]
for t in threads: t.start()
for t in threads: t.join()
print("done")
"""


@pytest.mark.parametrize("python", INTERPRETERS)
def test_hard_code_runs_as_ever(python: str, tmp_path: Path) -> None:
    """200 threads of code of every kind end as without a watch, and none is accused."""
    script = tmp_path / "hard.py"
    script.write_text(HARD, encoding="utf-8")
    out = tmp_path / "races.json"
    done = run(python, "-m", "gilscope", "races", "--json", "-o", str(out), str(script))
    assert done.stdout == "done\n", done.stderr
    assert json.loads(out.read_text(encoding="utf-8")) == {"races": []}


def test_compare_says_what_both_builds_found(tmp_path: Path) -> None:
    """One more run each build is watched; the races are findings of both, and one in the text."""
    out = tmp_path / "summary.json"
    page = tmp_path / "report.html"
    words = ("-m", "gilscope", "compare", "--races", "--repeat", "1", "--json", str(out))
    words += ("--html", str(page))
    gil, ft = (os.environ.get(name, "") for name in ("GILSCOPE_PYTHON", "GILSCOPE_FT_PYTHON"))
    if not (gil and ft):
        pytest.skip("both interpreters are needed")
    done = run(gil, *words, str(PROGRAMS / "lost_counter_attribute.py"))
    assert "both builds: lost update on Counter.total of counter" in done.stdout, done.stderr
    summary = json.loads(out.read_text(encoding="utf-8"))
    assert [run["build"] for run in summary["races"]["runs"]] == ["gil", "ft"]
    assert {(one["build"], one["name"]) for one in summary["findings"]} >= {
        ("gil", "lost-update"),
        ("ft", "lost-update"),
    }
    assert all(len(run["wall_s"]) == 1 for run in summary["runs"])
    assert page.read_text(encoding="utf-8").count('alt="Timelines with the races: ') == 2


CELL = """
from IPython.testing.globalipapp import start_ipython
shell = start_ipython()
shell.run_line_magic("load_ext", "gilscope")
shell.run_cell('''%%races -o found
import threading
class Counter:
    n = 0
    def add(self):
        for _ in range(100): self.n += 1
counter = Counter()
threads = [threading.Thread(target=counter.add) for _ in range(2)]
for t in threads: t.start()
for t in threads: t.join()
''')
print([one["class"] for one in shell.user_ns["found"].summary()["compared"]])
shell.run_cell("%%races --builds gil\\nraise KeyError('x')")
"""


def test_magic_shows_the_races_of_a_cell() -> None:
    """The cell runs watched; a cell that fails says so and fails."""
    done = run(os.environ.get("GILSCOPE_PYTHON", ""), "-c", CELL)
    assert "lost update on Counter.n of counter" in done.stdout, done.stderr
    assert "<cell" in done.stdout
    assert "['lost-update']" in done.stdout
    assert "the program failed (gil): KeyError: 'x'" in done.stdout + done.stderr


CONFIRMED = """
import os, threading
os.environ["CHANGED"] = "1"
os.chdir("/")
class Counter:
    total, other = 0, 0
    def add(self):
        for _ in range(3): self.total += 1
    def both(self):
        for _ in range(3): self.total += 1
counter, names = Counter(), {}
def walk():
    counter.add()
    names[threading.current_thread().name] = 1
    for name in names: pass
threads = [threading.Thread(target=walk) for _ in range(2)]
for t in threads: t.start()
for t in threads: t.join()
print("CHANGED" in os.environ)
"""


@pytest.mark.parametrize("python", INTERPRETERS)
def test_confirmed_race_happens(python: str, tmp_path: Path) -> None:
    """Threads are held so that the update is lost and the iteration fails; what they did is said.

    The further runs begin as the first one began; the program's output is that of the first one.
    """
    script = tmp_path / "script.py"
    script.write_text(CONFIRMED, encoding="utf-8")
    out = tmp_path / "races.json"
    command = ("-m", "gilscope", "races", "--confirm", "--json", "-o", str(out), script.name)
    done = run(python, *command, cwd=tmp_path)
    assert done.stdout == "True\n", done.stderr
    found = {race["class"]: race for race in json.loads(out.read_text(encoding="utf-8"))["races"]}
    assert set(found) == {"lost-update", "iteration"}
    assert {race["grade"] for race in found.values()} == {"witnessed"}
    assert "that write was lost" in found["lost-update"]["what_happened"]
    assert found["iteration"]["confirmation"].startswith("confirmed: a thread was held at ")
    assert "dictionary changed size during iteration" in found["iteration"]["confirmation"]


UNCONFIRMED = """
import sys, threading
class Counter:
    total = 0
counter = Counter()
def add():
    for _ in range(3): counter.total += 1
threads = [threading.Thread(target=add) for _ in range(2)]
for t in threads:
    t.start()
    if {mode!r} == "ordered" and {second}: t.join()
for t in threads: t.join()
shared = iter(range(9))
threads = [threading.Thread(target=lambda: [next(shared) for _ in range(2)]) for _ in range(2)]
for t in threads: t.start()
for t in threads: t.join()
"""


@pytest.mark.parametrize("python", INTERPRETERS)
def test_race_that_does_not_happen_keeps_its_grade(python: str, tmp_path: Path) -> None:
    """In a further run that orders the threads no other one comes by: certain, and why."""
    script, again = tmp_path / "script.py", tmp_path / "again"
    second = f"__import__('os').path.exists({str(again)!r})"
    text = UNCONFIRMED.replace("{mode!r}", "'ordered'").replace("{second}", second)
    script.write_text(text + f"open({str(again)!r}, 'w').close()\n", encoding="utf-8")
    races_ = races(python, "--confirm", str(script))
    found = {race["class"]: race for race in races_}
    assert found["lost-update"]["grade"] == "certain"
    assert "not confirmed: " in found["lost-update"]["confirmation"]
    assert found["iteration"]["grade"] == "certain"
    assert found["iteration"]["confirmation"].startswith("not tried: ")


TWO_BLOCKS = """
import threading
class Account:
    def __init__(self): self.lock = threading.Lock(); self.balance = 0
    def pay(self):
        with self.lock: before = self.balance
        with self.lock: self.balance = before + 1
account = Account()
threads = [threading.Thread(target=account.pay) for _ in range(2)]
for t in threads: t.start()
for t in threads: t.join()
"""


@pytest.mark.parametrize("python", INTERPRETERS)
def test_update_in_two_blocks_of_one_lock_is_confirmed(python: str, tmp_path: Path) -> None:
    """The thread is held before the second block, as its lock is what the other one needs."""
    script = tmp_path / "script.py"
    script.write_text(TWO_BLOCKS, encoding="utf-8")
    (found,) = races(python, "--confirm", str(script))
    assert found["grade"] == "witnessed"
    assert found["confirmation"].startswith("confirmed: a thread was held at "), found


RECORDED = """
import threading
import gilscope
from gilscope.errors import ProbeError
class Counter: n = 0
counter = Counter()
def add():
    for _ in range(100): counter.n += 1
def work():
    threads = [threading.Thread(target=add) for _ in range(2)]
    for t in threads: t.start()
    for t in threads: t.join()
with gilscope.profile("a.gilscope"):
    try:
        with gilscope.races(): work()
    except ProbeError as error:
        print(error)
with gilscope.races() as found, gilscope.profile("b.gilscope"):
    work()
print([race.kind for race in found])
work()
"""


@pytest.mark.parametrize("python", INTERPRETERS)
def test_recording_and_watching_in_one_process(python: str, tmp_path: Path) -> None:
    """A watch within a recording is refused in one line; a recording within a watch works."""
    done = run(python, "-c", RECORDED, cwd=tmp_path)
    first, second = done.stdout.splitlines()
    assert first.startswith("this process is being recorded"), done.stderr
    assert second == "['lost-update']"
    for name in ("a.gilscope", "b.gilscope"):
        shown = run(sys.executable, "-m", "gilscope", "info", name, cwd=tmp_path)
        assert "complete (stop)" in shown.stdout, shown.stderr


TRACED = """
import ctypes
import gilscope
from gilscope.errors import ProbeError
set_tracer = ctypes.pythonapi.PyRefTracer_SetTracer
set_tracer.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
# Any function that ignores its arguments will do.
other_tool = ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p)
set_tracer(other_tool, None)
try:
    with gilscope.races(): pass
except ProbeError as error:
    message = str(error)
set_tracer(None, None)
with gilscope.races(): pass
print(message)
"""


@pytest.mark.parametrize("python", INTERPRETERS)
def test_tracer_that_is_taken_is_said(python: str) -> None:
    """Where another tool traces references, one line says so, and nothing stays taken."""
    done = run(python, "-c", TRACED)
    assert done.stdout.startswith("another tool traces references"), done.stderr
