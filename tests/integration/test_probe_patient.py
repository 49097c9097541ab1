"""What starting the probe changes in a program's process: what is named here, and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from conftest import TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Interpreter, Recorded

    type Record = Callable[..., Recorded]
    type Facts = dict[str, Any]

TIMEOUT_S = 60

ACCEPTED = {
    "during": {
        "process.descriptors": "the trace file is open",
        "process.signals": "SIGBUS, for a trace that somebody truncates; SIGURG, see decision 0015",
        "interpreter.set_native_id": "how the threads' names are learnt",
        "interpreter.atexit": "a program that exits has its trace completed",
        "watchers": "one for code objects, whose addresses are used again",
        "modules": "see MODULES",
    },
    "after": {
        "interpreter.atexit": "it stays, and does nothing",
        "watchers": "free-threaded: taking one away is not safe while other threads run",
        "modules": "see MODULES",
    },
}
ACCEPTED["run"] = {
    **ACCEPTED["during"],
    "interpreter.depth": "the frames of the command, below those of the main module",
}

MODULES = {
    "during": """
        __future__ _collections _functools _json _operator _sre _struct _typing _weakrefset
        atexit collections collections.abc contextlib copyreg enum fnmatch functools glob
        grp itertools json json.decoder json.encoder json.scanner keyword ntpath operator
        pathlib pathlib._abc pathlib._local pwd re re._casefix re._compiler re._constants
        re._parser reprlib struct threading types typing warnings
    """,
    "run": """
        _ast _bz2 _colorize _compression _datetime _locale _lzma _opcode _opcode_metadata
        _posixsubprocess _tokenize argparse ast bz2 copy dataclasses datetime dis fcntl
        gettext importlib importlib._abc importlib._bootstrap importlib._bootstrap_external
        importlib.machinery importlib.util inspect linecache locale lzma math opcode runpy
        select selectors shlex shutil signal subprocess sysconfig textwrap token tokenize
        traceback unicodedata weakref zlib
    """,
}
"""Modules of the standard library that are loaded before the program would load them."""


def look(interpreter: Interpreter, *command: object) -> Facts:
    """What a program sees that is run by this command."""
    inherited = {name: os.environ[name] for name in os.environ.keys() - {"PYTEST_CURRENT_TEST"}}
    done = subprocess.run(
        [interpreter.python, *map(str, command)],
        env={**inherited, "PYTHONHASHSEED": "7"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen: Facts = json.loads(done.stdout.splitlines()[-1])
    # Pipes have numbers.
    files = [x for x in seen["process.descriptors"] if not x.startswith("pipe:")]
    return {**seen, "process.descriptors": files}


@pytest.fixture(scope="module")
def plain(interpreter: Interpreter) -> Facts:
    """What it sees without a probe."""
    return look(interpreter, TARGETS / "patient.py", "plain")


@pytest.fixture(scope="module", params=["during", "after", "run"])
def recorded(
    interpreter: Interpreter,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, Facts]:
    """How it is recorded, and what it sees then."""
    way: str = request.param
    trace = tmp_path_factory.mktemp("patient") / "trace.gilscope"
    program = TARGETS / "patient.py"
    if way == "run":
        command = ["-m", "gilscope", "run", "-o", trace, program, "plain"]
        return way, look(interpreter, *command)
    return way, look(interpreter, program, f"{way}:{trace}")


def test_nothing_else_is_changed(plain: Facts, recorded: tuple[str, Facts]) -> None:
    """Signals, streams, hooks, limits, arguments, paths, ``__main__``: all that is not accepted."""
    way, seen = recorded
    changed = {name: (plain[name], seen[name]) for name in plain if plain[name] != seen[name]}
    assert changed.keys() <= ACCEPTED[way].keys(), changed


def test_accepted_changes_are_no_larger_than_said(
    interpreter: Interpreter, plain: Facts, recorded: tuple[str, Facts]
) -> None:
    """One descriptor, one exit handler, one watcher of code objects of the eight."""
    way, seen = recorded
    now = int(way != "after")
    more = set(seen["process.descriptors"]) - set(plain["process.descriptors"])
    assert [x.rpartition(".")[2] for x in more] == ["gilscope"] * now
    caught, before = (int(x["process.signals"]["SigCgt"], 16) for x in (seen, plain))
    ours = sum(1 << (number - 1) for number in (signal.SIGBUS, *[signal.SIGURG] * now))
    assert (caught ^ before) & ~ours == 0
    assert seen["interpreter.atexit"] == plain["interpreter.atexit"] + 1
    taken = {name: plain["watchers"][name] - left for name, left in seen["watchers"].items()}
    stays = interpreter.build == "ft"
    assert taken == {"PyDict": 0, "PyType": 0, "PyCode": int(now or stays), "PyFunction": 0}


def test_modules_that_are_loaded_are_known(plain: Facts, recorded: tuple[str, Facts]) -> None:
    """No module is missing that the program would have, and few others are there."""
    way, seen = recorded
    assert set(plain["modules"]) <= set(seen["modules"])
    allowed = set(MODULES["during"].split())
    if way == "run":
        allowed |= set(MODULES["run"].split())
    more = {x for x in seen["modules"] if x.partition(".")[0] != "gilscope"}
    assert more - set(plain["modules"]) <= allowed
