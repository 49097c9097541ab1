"""Programs under test, recorded by the real probe in both builds of the interpreter."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from gilscope.trace.model import Thread, Trace

TARGETS = Path(__file__).parents[1] / "targets"
TIMEOUT_S = 120
VARIABLES = {"gil": "GILSCOPE_PYTHON", "ft": "GILSCOPE_FT_PYTHON"}
MODULES = {"stage": [], "stage_late": [], "stage_needs_gil": ["-DSTAGE_NEEDS_GIL"]}
LIBRARIES = {"opener": [], "plugin": ["opener"], "entering": []}
FACTS = """
import json, sys, sysconfig
print(json.dumps({
    "version": sys.version_info[:3],
    "include": sysconfig.get_path("include"),
    "suffix": sysconfig.get_config_var("EXT_SUFFIX"),
}))
"""


@dataclass(frozen=True)
class Row:
    """One interval or wake of a trace; times in ns from its start."""

    kind: int
    flags: int
    aux: int
    what: int
    thread: int
    start: int
    end: int
    peer: int
    open: bool


@dataclass(frozen=True)
class Recorded:
    """A program that has ended, and what it left."""

    status: int
    out: str
    err: str
    path: Path

    @property
    def facts(self) -> Any:
        """What the program printed as its last line, JSON."""
        assert self.status == 0, self.err
        return json.loads(self.out.splitlines()[-1])

    @cached_property
    def trace(self) -> Trace:
        """The trace that it wrote."""
        return open_trace(self.path)

    def beside(self, suffix: str) -> Recorded:
        """The same program with another trace that it wrote."""
        return Recorded(self.status, self.out, self.err, Path(f"{self.path}{suffix}"))

    def thread(self, tid: int) -> Thread:
        """The one thread that the kernel knew by this id."""
        (thread,) = [thread for thread in self.trace.threads if thread.tid == tid]
        return thread

    def rows(self, kind: int, tid: int | None = None) -> list[Row]:
        """Intervals (or wakes) of one kind, of all threads or of one, by start."""
        rows = rows_of(self.trace, kind)
        if tid is None:
            return rows
        index = self.thread(tid).index
        return [row for row in rows if row.thread == index]


def open_trace(path: Path) -> Trace:
    """Read a trace with the reader; loaded here, since not every environment has what it needs."""
    import gilscope  # noqa: PLC0415

    return gilscope.open(path)


def rows_of(trace: Trace, kind: int) -> list[Row]:
    """The rows of one kind of event, by start."""
    rows = []
    for columns in (trace.intervals, trace.wakes):
        some = columns.where(kind)
        names = ("kind", "flags", "aux", "what", "thread", "start", "end", "peer", "open")
        values = [getattr(some, name).tolist() for name in names]
        rows += [Row(*row) for row in zip(*values, strict=True)]
    return sorted(rows, key=lambda row: row.start)


@dataclass(frozen=True)
class Interpreter:
    """An interpreter that has gilscope and the examples, and the modules compiled for it."""

    build: str
    python: Path
    version: tuple[int, ...]
    modules: Path
    include: str
    suffix: str

    def compile(self, name: str) -> None:
        """Compile tests/targets/NAME.c as a module for it, unless that is done."""
        target = self.modules / f"{name}{self.suffix}"
        if target.exists():
            return
        command = ["gcc", "-O2", "-shared", "-fPIC", "-pthread", f"-I{self.include}"]
        command += [str(TARGETS / f"{name}.c"), "-o", str(target)]
        subprocess.run(command, timeout=TIMEOUT_S, check=True)

    def start(self, program: str, *args: object, **extra: str) -> subprocess.Popen[str]:
        """Start a program of tests/targets; its output is piped."""
        return self.start_command(TARGETS / program, *args, **extra)

    def start_command(self, *args: object, **extra: str) -> subprocess.Popen[str]:
        """Start the interpreter with these arguments; its output is piped."""
        inherited = {name: os.environ[name] for name in os.environ.keys() - {"PYTHON_GIL"}}
        # After the modules, what the tests themselves import from.
        path = os.pathsep.join(filter(None, [str(self.modules), inherited.get("PYTHONPATH")]))
        return subprocess.Popen(
            [self.python, *map(str, args)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**inherited, "PYTHONPATH": path, **extra},
            start_new_session=True,  # so that its children can be ended with it
        )

    def run(self, program: str, scenario: str, path: Path, **extra: str) -> Recorded:
        """Run one scenario, which writes ``path``; the caller judges how it ended."""
        return finished(self.start(program, scenario, path, **extra), path)


def finished(process: subprocess.Popen[str], path: Path, timeout: float = TIMEOUT_S) -> Recorded:
    """Wait for the program's end, kill it if it hangs, and end the children that it leaves."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        end_all(process)
        out, err = process.communicate()
        pytest.fail(f"{process.args} hangs; so far:\n{out}\n{err}")
    finally:
        end_all(process)
    return Recorded(process.returncode, out, err, path)


def end_all(process: subprocess.Popen[str]) -> None:
    """Kill a program and its children, which may keep its pipes open."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def interpreter_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Interpreter]:
    """Make interpreters ready, each once: by build, "gil" or "ft"."""
    ready: dict[str, Interpreter] = {}

    def get(build: str) -> Interpreter:
        variable = VARIABLES[build]
        if variable not in os.environ:
            pytest.skip(f"{variable} names no interpreter: run `make test`")
        if build not in ready:
            place = tmp_path_factory.mktemp(f"modules-{build}")
            ready[build] = prepared(build, Path(os.environ[variable]), place)
        return ready[build]

    return get


def prepared(build: str, python: Path, place: Path) -> Interpreter:
    """Compile the modules of tests/targets for an interpreter."""
    done = subprocess.run(
        [python, "-c", FACTS], capture_output=True, text=True, timeout=TIMEOUT_S, check=True
    )
    facts = json.loads(done.stdout)
    for name, options in MODULES.items():
        command = ["gcc", "-O2", "-shared", "-fPIC", "-pthread", f"-I{facts['include']}"]
        command += [f"-DSTAGE_NAME={name}", *options, "-o", str(place / (name + facts["suffix"]))]
        command += [str(TARGETS / source) for source in ("stage.c", "slots.c")]
        subprocess.run(command, timeout=TIMEOUT_S, check=True)
    compile_libraries(facts["include"], place)
    version = tuple(facts["version"])
    made = Interpreter(build, python, version, place, facts["include"], facts["suffix"])
    made.compile("timed")
    return made


def compile_libraries(include: str, place: Path) -> None:
    """Compile the libraries that are no extension modules."""
    for name, needs in LIBRARIES.items():
        command = ["gcc", "-O2", "-shared", "-fPIC", f"-I{include}"]
        command += ["-o", str(place / f"lib{name}.so")]
        command += [str(TARGETS / f"{name}.c")]
        # A library with a search path of its own is one whose calls of dlopen() are not hooked.
        if needs:
            command += [f"-L{place}", f"-Wl,-rpath,{place}", *(f"-l{n}" for n in needs)]
        subprocess.run(command, timeout=TIMEOUT_S, check=True)


@pytest.fixture(scope="session", params=["gil", "ft"])
def interpreter(
    request: pytest.FixtureRequest, interpreter_of: Callable[[str], Interpreter]
) -> Interpreter:
    """Each of the builds; ``parametrize("interpreter", ["ft"], indirect=True)`` for one of them."""
    return interpreter_of(request.param)


@pytest.fixture(scope="session")
def recordings() -> dict[tuple[str, ...], Recorded]:
    """What has been recorded so far."""
    return {}


@pytest.fixture
def record(
    interpreter: Interpreter,
    recordings: dict[tuple[str, ...], Recorded],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Recorded]:
    """Run ``record(program, scenario)`` in a directory of its own, once for all tests."""

    def run(program: str, scenario: str, **extra: str) -> Recorded:
        key = (interpreter.build, program, scenario, *(f"{k}={extra[k]}" for k in sorted(extra)))
        if key not in recordings:
            path = tmp_path_factory.mktemp(scenario) / "trace.gilscope"
            recordings[key] = interpreter.run(program, scenario, path, **extra)
        return recordings[key]

    return run
