"""Errors are one clear line, or the program's own traceback; no result is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import venv
from typing import TYPE_CHECKING

import pytest

import gilscope as package
from command import TIMEOUT_S, gilscope
from gilscope.errors import TraceError

if TYPE_CHECKING:
    from pathlib import Path

RAISES = "def fail():\n    raise ValueError('boom')\nfail()\n"


def write(place: Path, text: str) -> Path:
    """Write a program."""
    path = place / "program.py"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def python(code: str, place: Path) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.mark.parametrize("command", ["run", "compare"])
def test_a_script_that_does_not_exist(tmp_path: Path, command: str) -> None:
    """One line names it, before anything is run or written."""
    done = gilscope(command, "nowhere.py", cwd=tmp_path)
    assert done.status == 2
    assert "nowhere.py': No such file or directory" in done.error_line
    assert list(tmp_path.iterdir()) == []


def test_run_of_a_script_that_raises(tmp_path: Path) -> None:
    """Its own traceback as python prints it, its own status, and the trace."""
    program = write(tmp_path, RAISES)
    plain = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    done = gilscope("run", program, cwd=tmp_path)
    assert done.status == plain.returncode == 1
    traceback, _, last = done.err.rstrip().rpartition("\n")
    assert traceback + "\n" == plain.stderr
    assert last.endswith("events, 0 dropped")
    assert not package.open(tmp_path / "program.gilscope").ended_early


def test_run_of_a_script_that_is_no_python(tmp_path: Path) -> None:
    """A syntax error looks as it does under python."""
    program = write(tmp_path, "x = = 1\n")
    plain = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    done = gilscope("run", program, cwd=tmp_path)
    assert (done.status, done.err) == (plain.returncode, plain.stderr)


@pytest.mark.parametrize(
    ("argument", "status", "message"),
    [("", 0, ""), ("7", 7, ""), ("-1", 255, ""), ("'bye'", 1, "bye\n"), ("None", 0, "")],
)
def test_run_of_a_script_that_exits(
    tmp_path: Path, argument: str, status: int, message: str
) -> None:
    """sys.exit gives its status and its message, and the trace is kept."""
    program = write(tmp_path, f"import sys; sys.exit({argument})")
    done = gilscope("run", program, cwd=tmp_path)
    assert done.status == status
    assert done.err.startswith(message + "gilscope: ")
    assert not package.open(tmp_path / "program.gilscope").ended_early


def test_compare_of_a_script_that_raises(tmp_path: Path) -> None:
    """The traceback is shown, the traces are kept, nothing is run twice, status 1."""
    write(tmp_path, RAISES)
    done = gilscope("compare", "--json", "s.json", "-o", "t", "program.py", cwd=tmp_path)
    assert done.status == 1
    assert done.err.count("ValueError: boom") == 1
    assert "gilscope/" not in done.err.replace("/.cache/gilscope/", "")
    summary = json.loads((tmp_path / "s.json").read_text())
    assert summary["speedup"] is None
    for run in summary["runs"]:
        assert (run["error"], run["status"], run["wall_s"]) == ("ValueError: boom", 1, [])
        assert not package.open(tmp_path / run["trace"]).ended_early


def test_compare_goes_on_when_one_build_fails(tmp_path: Path) -> None:
    """The other build's times are there."""
    write(tmp_path, "import sys; assert not sys.abiflags")
    files = ["--json", "s.json", "--html", "r.html"]
    done = gilscope("compare", "--repeat", 1, *files, "program.py", cwd=tmp_path)
    assert done.status == 1
    gil, ft = json.loads((tmp_path / "s.json").read_text())["runs"]
    assert (gil["error"], ft["error"]) == (None, "AssertionError")
    assert len(gil["wall_s"]) == 1
    assert (tmp_path / "r.html").is_file()


def environment_without_free_threading(place: Path) -> tuple[Path, dict[str, str]]:
    """An environment that has gilscope, and nowhere a free-threaded interpreter."""
    venv.create(place / "env", with_pip=False, symlinks=True)
    keep = {"HOME": str(place), "PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(place / "cache")}
    keep["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    return place / "env" / "bin" / "python", keep


def test_no_free_threaded_interpreter(tmp_path: Path) -> None:
    """The GIL run and its report are there, and a line that says how to get the other."""
    interpreter, env = environment_without_free_threading(tmp_path)
    command = ["compare", "--repeat", "1", "--json", "s.json", "--html", "r.html", "-c", "pass"]
    done = subprocess.run(
        [interpreter, "-m", "gilscope", *command],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "s.json").read_text())
    assert [run["build"] for run in summary["runs"]] == ["gil"]
    notice = summary["notices"][0]  # there is another one if the machine is busy
    assert "free-threaded build" in notice
    assert "uv python install" in notice
    assert "GILSCOPE_FT_PYTHON" in notice
    assert notice in done.stdout
    assert (tmp_path / "r.html").is_file()


def test_no_free_threaded_interpreter_though_it_was_asked_for(tmp_path: Path) -> None:
    """With no other build to run it is an error."""
    interpreter, env = environment_without_free_threading(tmp_path)
    done = subprocess.run(
        [interpreter, "-m", "gilscope", "compare", "--builds", "ft", "-c", "pass"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("gilscope: error: no interpreter for the free-threaded build")


def test_an_interpreter_without_gilscope(tmp_path: Path) -> None:
    """It would be provided; where that fails, one line says why and how to install it there."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    interpreter = tmp_path / "python"  # without what PYTHONPATH may add
    interpreter.write_text(f'#!/bin/sh\nunset PYTHONPATH\nexec {tmp_path}/env/bin/python "$@"\n')
    interpreter.chmod(0o755)
    # What a build needs cannot be had.
    env = {**os.environ, "PIP_NO_INDEX": "1", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = gilscope("compare", "--python", interpreter, "-c", "pass", cwd=tmp_path, env=env)
    assert done.status == 2
    first, error = done.err.splitlines()
    assert first.startswith(f"gilscope: building gilscope for {interpreter}")
    assert error.startswith(
        f"gilscope: error: gilscope is not installed for {interpreter} and could not be"
    )
    assert f"{interpreter} -m pip install --no-deps " in error


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("GILSCOPE_PYTHON", "/no/python", "cannot find the program"),
        ("GILSCOPE_FT_PYTHON", "/bin/true", "does not work as a Python interpreter"),
        ("GILSCOPE_FT_PYTHON", sys.executable, "is not a free-threaded build"),
    ],
)
def test_a_variable_that_names_no_such_interpreter(
    tmp_path: Path, variable: str, value: str, reason: str
) -> None:
    """One line names the variable; no other interpreter is taken instead."""
    env = {**os.environ, variable: value}
    done = gilscope("compare", "-c", "pass", cwd=tmp_path, env=env)
    assert done.status == 2
    assert variable in done.error_line
    assert reason in done.error_line


@pytest.mark.parametrize(
    ("name", "ending"),
    [("SIGKILL", "os.kill(os.getpid(), 9)"), ("SIGSEGV", "os.kill(os.getpid(), 11)")],
)
def test_a_target_that_is_killed(tmp_path: Path, name: str, ending: str) -> None:
    """Its trace up to then opens and is marked as ended early, by run and by compare."""
    write(tmp_path, f"import os, time\nfor _ in range(50): time.sleep(0.001)\n{ending}\n")
    done = gilscope("run", "program.py", cwd=tmp_path)
    assert done.status == -{"SIGKILL": 9, "SIGSEGV": 11}[name]
    info = gilscope("info", "program.gilscope", cwd=tmp_path)
    assert (info.status, info.err) == (0, "")
    assert "ended early" in info.out
    facts = json.loads(gilscope("info", "--json", "program.gilscope", cwd=tmp_path).out)
    assert facts["ended_early"]
    assert facts["gil"]["acquires"] >= 50

    done = gilscope("compare", "--builds", "gil", "-o", "t", "program.py", cwd=tmp_path)
    assert done.status == 1
    assert f"ended by {name}" in done.out
    assert package.open(tmp_path / "t" / "program-gil.gilscope").ended_early


def test_a_target_that_never_ends(tmp_path: Path) -> None:
    """The time limit ends it, says so, and keeps the trace."""
    write(tmp_path, "import time; time.sleep(1000)")
    words = ["--timeout", 5, "--builds", "gil", "-o", "t", "program.py"]
    done = gilscope("compare", *words, cwd=tmp_path)
    assert done.status == 1
    assert "stopped at the time limit of 5 s" in done.out
    assert package.open(tmp_path / "t" / "program-gil.gilscope").duration_ns > 0


@pytest.mark.parametrize("content", [b"", b"text\n" * 100, bytes(5000), b"GILSCOPE", b"GILS"])
@pytest.mark.parametrize("command", ["info", "export"])
def test_a_file_that_is_no_trace(tmp_path: Path, command: str, content: bytes) -> None:
    """One line says so."""
    (tmp_path / "x.gilscope").write_bytes(content)
    done = gilscope(command, "x.gilscope", cwd=tmp_path)
    assert done.status == 2
    assert "x.gilscope" in done.error_line
    with pytest.raises(TraceError, match=r"x\.gilscope"):
        package.open(tmp_path / "x.gilscope")


@pytest.mark.parametrize("command", ["info", "export"])
def test_a_trace_that_does_not_exist(tmp_path: Path, command: str) -> None:
    """One line says so; a directory is none either."""
    done = gilscope(command, "x.gilscope", cwd=tmp_path)
    assert (done.status, "x.gilscope" in done.error_line) == (2, True)
    assert gilscope(command, tmp_path, cwd=tmp_path).status == 2


def test_a_torn_trace(tmp_path: Path) -> None:
    """The rest of it is shown, and a line names the missing part."""
    write(tmp_path, "import time\nfor _ in range(2000): time.sleep(0)\n")
    assert gilscope("run", "program.py", cwd=tmp_path).status == 0
    path = tmp_path / "program.gilscope"
    whole = path.read_bytes()
    for share in (0.3, 0.6, 0.95):
        path.write_bytes(whole[: int(len(whole) * share)])
        info = gilscope("info", path, cwd=tmp_path)
        assert (info.status, info.err) == (0, ""), info.err
        assert "ended early" in info.out
        export = gilscope("export", path, "--force", cwd=tmp_path)
        assert export.status == 0
        assert all(line.startswith("problem: ") for line in export.err.splitlines()), export.err


def test_a_second_start(tmp_path: Path) -> None:
    """It is an error, and the recording that runs goes on unharmed."""
    done = python(
        """
        import time, gilscope
        with gilscope.profile("one.gilscope"):
            try:
                with gilscope.profile("two.gilscope"):
                    raise SystemExit("started twice")
            except gilscope.GilscopeError as error:
                print(error)
            for _ in range(100):
                time.sleep(0)
        with gilscope.profile("three.gilscope"):
            time.sleep(0)
        """,
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
    assert not (tmp_path / "two.gilscope").exists()
    for name in ("one", "three"):
        assert not package.open(tmp_path / f"{name}.gilscope").ended_early


def test_a_stop_without_a_start(tmp_path: Path) -> None:
    """It is an error, and a start works afterwards."""
    done = python(
        """
        import gilscope
        from gilscope.target.recording import session as probe
        try:
            probe.stop()
        except gilscope.GilscopeError as error:
            print(error)
        with gilscope.profile("x.gilscope"):
            pass
        """,
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
    assert not package.open(tmp_path / "x.gilscope").ended_early


@pytest.mark.parametrize("words", [["run", "-o"], ["compare", "-o", "t", "--json"]])
def test_files_that_cannot_be_written(tmp_path: Path, words: list[str]) -> None:
    """One line says so before the program runs."""
    write(tmp_path, "print('ran')")
    done = gilscope(*words, "no/such/place.x", "program.py", cwd=tmp_path)
    assert (done.status, done.out) == (2, "")
    assert "no/such/place.x" in done.error_line


def test_a_file_that_is_no_trace_is_not_replaced(tmp_path: Path) -> None:
    """A typing error must not cost anyone a file; an earlier trace is replaced."""
    program = write(tmp_path, "pass")
    done = gilscope("run", "-o", program, program, cwd=tmp_path)
    assert (done.status, program.read_text()) == (2, "pass")
    assert "is not a trace" in done.error_line
    (tmp_path / "program-gil.gilscope").write_text("mine")
    done = gilscope("compare", "-o", ".", program, cwd=tmp_path)
    assert (done.status, "program-gil.gilscope" in done.error_line) == (2, True)
    for _ in range(2):
        assert gilscope("run", program, cwd=tmp_path).status == 0


@pytest.mark.parametrize(
    "words",
    [
        ["run"],
        ["run", "--max-bytes", "lots", "x.py"],
        ["compare", "--repeat", "0", "x.py"],
        ["compare", "--builds", "gil,nogil", "x.py"],
        ["compare", "--threads", "1,two", "x.py"],
        ["compare", "--affinity", "-1", "x.py"],
        ["export", "x", "--format", "pdf"],
        ["nonsense"],
        [],
    ],
)
def test_words_that_make_no_sense(tmp_path: Path, words: list[str]) -> None:
    """Usage and one line, status 2."""
    done = gilscope(*words, cwd=tmp_path)
    assert done.status == 2
    assert done.err.startswith("usage: gilscope")
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--max-bytes", "1M"], "a trace is 8388608 to 17592186044416 bytes, not 1048576"),
        (["--affinity", "9999"], "processor 9999 is not available"),
        (["--threads", "0,1"], "threads must be different numbers of 1 or more"),
    ],
)
def test_compare_refuses_before_anything_runs(
    tmp_path: Path, words: list[str], message: str
) -> None:
    """One line, and the program was not started."""
    done = gilscope("compare", *words, "-c", "open('ran', 'w')", cwd=tmp_path)
    assert done.status == 2
    assert message in done.error_line
    assert not (tmp_path / "ran").exists()


def test_a_missing_package_of_the_reader_side(tmp_path: Path) -> None:
    """An interpreter with the probe only says what to install."""
    done = python(
        """
        import sys
        sys.modules["numpy"] = None
        from gilscope.cli import main
        raise SystemExit(main(["info", "x.gilscope"]))
        """,
        tmp_path,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("gilscope: error: reading traces needs numpy")
    assert "pip install gilscope" in done.stderr
