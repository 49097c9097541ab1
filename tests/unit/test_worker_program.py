"""Programs run as python would run them; each in a process of its own, without the probe."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from gilscope.errors import TargetError
from gilscope.target.worker.program import Target

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S = 60
START = """
import contextlib, sys
from gilscope.target.worker.program import Target, run_as_main
@contextlib.contextmanager
def session():
    yield
    print("session ended", flush=True)
outcome = run_as_main(Target(*{target!r}), session())
print(outcome)
sys.exit(outcome.status)
"""


def run(*target: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a target and print its outcome."""
    return subprocess.run(
        [sys.executable, "-c", START.format(target=target)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def run_cell(text: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the code of a notebook's cell, which needs nothing of the notebook."""
    target = f"Target('code', {text!r}, (), '<cell 1>', Carried())"
    start = START.replace("Target(*{target!r})", target)
    imports = "from gilscope.target.worker.carried import Carried\n"
    return subprocess.run(
        [sys.executable, "-c", imports + start],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def python(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run python."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.mark.parametrize(
    "text",
    [
        "raise ValueError('x')",
        "import sys; sys.exit('bye')",
        "try:\n  1/0\nexcept ZeroDivisionError as e:\n  raise KeyError(1) from e",
        "import nonesuch_module",
        "x = = 1",
        "import sys\nsys.excepthook = lambda *_: print('mine', file=sys.stderr)\n1/0",
        "# coding: latin-1\nprint('\u00e9')\nraise ExceptionGroup('g', [ValueError(1)])",
    ],
)
def test_errors_look_as_they_do_under_python(tmp_path: Path, text: str) -> None:
    """The same words on standard error and the same status, with none of our frames."""
    encoding = "latin-1" if "latin" in text else "utf-8"
    program = tmp_path / "program.py"
    program.write_text(text, encoding=encoding)
    ours, plain = run("script", str(program), cwd=tmp_path), python(str(program), cwd=tmp_path)
    assert (ours.returncode, ours.stderr) == (plain.returncode, plain.stderr)


def test_code_has_its_lines_in_tracebacks(tmp_path: Path) -> None:
    """Text that is in no file is shown under the name that it was given."""
    done = run("code", "x = 1\n\nboom()", (), "<cell 3>", cwd=tmp_path)
    assert 'File "<cell 3>", line 3' in done.stderr
    assert "    boom()" in done.stderr


def test_packages_and_directories(tmp_path: Path) -> None:
    """A package runs by its __main__, a directory too; relative imports work in the package."""
    package = tmp_path / "tool"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text("value = 42")
    (package / "__main__.py").write_text("from .part import value; print(value, __package__)")
    assert run("module", "tool", cwd=tmp_path).stdout.startswith("42 tool\n")
    (package / "__main__.py").write_text("import part; print(part.value, __name__)")
    assert run("script", str(package), cwd=tmp_path).stdout.startswith("42 __main__\n")


def test_a_module_that_does_not_exist(tmp_path: Path) -> None:
    """It fails as an import does."""
    done = run("module", "nonesuch_module", cwd=tmp_path)
    assert done.returncode == 1
    assert "No module named nonesuch_module" in done.stderr


def test_threads_end_before_the_session(tmp_path: Path) -> None:
    """Threads that are no daemons belong to the program; daemons are not waited for."""
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent("""
            import threading, time
            def late(): time.sleep(0.2); print("late", flush=True)
            threading.Thread(target=late).start()
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
            raise ValueError
        """)
    )
    assert run("script", str(program), cwd=tmp_path).stdout.startswith("late\nsession ended\n")


def test_an_interrupt_has_the_status_of_one(tmp_path: Path) -> None:
    """As a shell reports it."""
    assert run("code", "raise KeyboardInterrupt", cwd=tmp_path).returncode == 130


def test_a_script_that_is_not_there() -> None:
    """The error comes before any change; a directory without __main__ is not a program."""
    with pytest.raises(TargetError, match=r"can't open file 'no\.py': No such file"):
        Target("script", "no.py").check()
    with pytest.raises(TargetError, match=r"__main__. module in ./."):
        Target("script", "/").check()


@pytest.mark.parametrize(
    ("target", "stem", "command"),
    [
        (Target("script", "a/b.py", ("x",)), "b", ("a/b.py", "x")),
        (Target("module", "a.b"), "a.b", ("-m", "a.b")),
        (Target("code", "pass"), "code", ("-c", "pass")),
    ],
)
def test_names(target: Target, stem: str, command: tuple[str, ...]) -> None:
    """Short for files, complete for python."""
    assert (target.stem, target.command) == (stem, command)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x = [1]\nx * 2", "[1, 1]"),
        ("'one'\n'two'", "'two'"),
        ("'é';", ""),
        ("print('p')", "p"),
        ("x = 1", ""),
        ("import asyncio\nawait asyncio.sleep(0, 'late')", "'late'"),
        ("import asyncio\ntask = asyncio.ensure_future(asyncio.sleep(0, 5))\n[await task]", "[5]"),
    ],
)
def test_a_cell_shows_its_last_expression(tmp_path: Path, text: str, shown: str) -> None:
    """As a notebook does, unless a semicolon follows; `await` may stand at the top."""
    ran = run_cell(text, tmp_path)
    assert ran.stdout.splitlines()[:-2] == [*filter(None, [shown])]
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("first", ["pass", "import asyncio; await asyncio.sleep(0)"])
def test_an_error_in_a_cell_has_frames_of_the_cell_only(tmp_path: Path, first: str) -> None:
    """Neither ours nor those of the loop that runs what waits."""
    ran = run_cell(f"{first}\n1 / 0", tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[:3] == [
        "Traceback (most recent call last):",
        '  File "<cell 1>", line 2, in <module>',
        "    1 / 0",
    ]
    assert ran.stderr.count("  File ") == 1
