"""Programs that end in unusual ways: what they print and their status are as without gilscope."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

TIMEOUT_S = 60
OUR_LINE = re.compile(r"gilscope: .*\n|no second thread .*\n|no locks? .*\n")

INTERRUPTED = {
    "signal": "import signal\nsignal.raise_signal(signal.SIGINT)\n",
    "raised": "raise KeyboardInterrupt\n",
    "of_a_class": "class K(KeyboardInterrupt): pass\nraise K\n",
    "in_a_child": (
        "import os\npid = os.fork()\nif not pid: raise KeyboardInterrupt\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    ),
    "while_it_waits_for_threads": (
        "import os, signal, threading, time\n"
        "def end():\n"
        "    time.sleep(0.5)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(0.5)\n"
        "threading.Thread(target=end).start()\n"
    ),
}
HOOK = "import sys\ndef hook(*_):\n    {}\nsys.excepthook = hook\n1/0\n"
HOOKS = {
    "raises": HOOK.format("raise ValueError('in the hook')"),
    "exits": HOOK.format("sys.exit(12)"),
    "is_interrupted": HOOK.format("raise KeyboardInterrupt"),
    "asks_what_is_handled": HOOK.format("print(sys.exc_info())"),
    "is_none": "import sys\nsys.excepthook = None\n1/0\n",
    "is_missing": "import sys\ndel sys.excepthook\n1/0\n",
    "audits": (
        "import sys\n"
        "sys.addaudithook(lambda name, facts: name == 'sys.excepthook' and print(facts[1:3]))\n"
        "1/0\n"
    ),
    "audits_and_refuses": (
        "import sys\n"
        "def refuse(name, facts):\n"
        "    if name == 'sys.excepthook': raise RuntimeError\n"
        "sys.addaudithook(refuse)\n"
        "1/0\n"
    ),
    "runs_at_exit": (
        "import atexit, sys\n"
        "names = ('last_exc', 'last_type', 'last_value')\n"
        "atexit.register(lambda: print([getattr(sys, name, None) for name in names]))\n"
        "1/0\n"
    ),
    "at_exit_after_an_interrupt": (
        "import atexit, sys\n"
        "atexit.register(lambda: print(repr(sys.last_exc), sys.excepthook is sys.__excepthook__))\n"
        "raise KeyboardInterrupt('the program\\'s')\n"
    ),
    "threads_end": (
        "import threading\n"
        "def refuse(): raise ValueError('at the end of threads')\n"
        "threading._register_atexit(refuse)\n"
    ),
}
EXITS = {
    "no_code": (
        "class S(SystemExit):\n    @property\n    def code(self): raise ValueError\nraise S(4)\n"
    ),
    "no_text": "class T:\n    def __str__(self): raise ValueError\nraise SystemExit(T())\n",
    "odd_number": (
        "class N(int):\n"
        "    def __le__(self, other): raise ValueError\n"
        "    __lt__ = __ge__ = __and__ = __le__\n"
        "raise SystemExit(N(6))\n"
    ),
    "no_stream": "import sys\nsys.stderr = None\nsys.exit('said')\n",
    "closed_stream": "import sys\nsys.stderr.close()\nsys.exit('said')\n",
    "flush_fails": (
        "import sys\n"
        "class Stream:\n"
        "    def write(self, text): return len(text)\n"
        "    def flush(self): raise RuntimeError('no flush')\n"
        "sys.stdout = Stream()\n"
    ),
    "leaves_at_exit": "import atexit, os\natexit.register(os._exit, 9)\n",
}
AFTER = {
    "it_traced": """
import atexit, os, sys
seen = set()
def trace(frame, event, argument):
    name = frame.f_code.co_filename
    seen.add(name)
sys.settrace(trace)
def at_exit():
    sys.settrace(None)
    print([name for name in seen if "gilscope" in name], trace.__code__.co_filename in seen)
atexit.register(at_exit)
""",
    "names_of_its_module": """
import atexit
before = set(globals())
atexit.register(lambda: print(sorted(before - set(globals()))))
""",
}
PROGRAMS = {
    f"{kind}-{name}": source
    for kind, programs in (
        ("interrupted", INTERRUPTED),
        ("hook", HOOKS),
        ("exit", EXITS),
        ("after", AFTER),
    )
    for name, source in programs.items()
}


def ends(place: Path, *words: str, before: str = "", more: str = "") -> tuple[int, str, str]:
    """Run Python: exit status, output, errors without our lines and without addresses.

    Args:
        place: The directory.
        words: Its arguments.
        before: What the shell does first.
        more: Redirections.
    """
    command = f'{before} exec "$@" {more}'
    done = subprocess.run(
        ["/bin/sh", "-c", command, "sh", sys.executable, *words],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    said = OUR_LINE.sub("", done.stderr)
    return done.returncode, done.stdout, re.sub("0x[0-9a-f]+", "0x", said)


def script(place: Path, source: str) -> str:
    """Write the program."""
    (place / "program.py").write_text(source, encoding="utf-8")
    return "program.py"


@pytest.mark.parametrize("command", ["run", "races", "lock-order"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_an_end(tmp_path: Path, name: str, command: str) -> None:
    """Status, signal, output and errors are those of the program."""
    program = script(tmp_path, PROGRAMS[name])
    plain = ends(tmp_path, program)
    assert ends(tmp_path, "-m", "gilscope", command, "-o", "out.gilscope", program) == plain


@pytest.mark.parametrize("more", ["2>&-", "2>/dev/full", ">&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("end", ["sys.exit('said')", "1/0", "pass"])
def test_an_end_without_streams(tmp_path: Path, more: str, end: str) -> None:
    """A message goes where it goes without gilscope, and never to the program's output."""
    program = script(tmp_path, f"import sys\nprint('hello')\n{end}\n")
    plain = ends(tmp_path, program, more=more)
    words = ("-m", "gilscope", "run", "-o", "out.gilscope", program)
    assert ends(tmp_path, *words, more=more) == plain


def test_a_program_in_a_jail(tmp_path: Path) -> None:
    """There is no /proc, and nothing can be loaded any more."""
    source = (
        "import os\nos.mkdir('jail')\nos.chroot('jail')\nos.chdir('/')\nprint(os.listdir('/'))\n"
    )
    program = script(tmp_path, source)
    plain = ends(tmp_path, program)
    if "PermissionError" in plain[2]:
        pytest.skip("this user may not change the root")
    (tmp_path / "jail").rmdir()
    assert ends(tmp_path, "-m", "gilscope", "run", "-o", "out.gilscope", program) == plain


def test_compiled_code(tmp_path: Path) -> None:
    """A .pyc file is run, whatever its name."""
    script(tmp_path, "import sys\nprint(__name__, __file__, sys.argv, sys.path[0])\n")
    make = "import py_compile; print(py_compile.compile('program.py', {!r}))"
    for name in ("code.pyc", "code"):
        ends(tmp_path, "-c", make.format(name))
        plain = ends(tmp_path, name, "word")
        assert plain[0] == 0
        assert ends(tmp_path, "-m", "gilscope", "run", "-o", "out.gilscope", name, "word") == plain


def test_a_program_that_comes_through_a_named_pipe(tmp_path: Path) -> None:
    """It is opened once: what is in it could not be read again."""
    source = "print(__file__)"
    for words in ([], ["-m", "gilscope", "run", "-o", "out.gilscope"]):
        make = f"rm -f pipe; mkfifo pipe; echo '{source}' > pipe &"
        status, out, err = ends(tmp_path, *words, "pipe", before=make)
        assert (status, out) == (0, f"{tmp_path}/pipe\n"), err


@pytest.mark.parametrize("kind", ["script", "code", "module"])
@pytest.mark.parametrize("command", ["run", "races", "lock-order"])
def test_modules_with_names_of_the_standard_library(
    tmp_path: Path, command: str, kind: str
) -> None:
    """The program finds its own, where Python does, and the others as ever."""
    names = ["argparse", "dataclasses", "json", "os", "queue", "shlex", "string", "textwrap"]
    for name in names:
        (tmp_path / f"{name}.py").write_text("local = True\n", encoding="utf-8")
    (tmp_path / "shutil").mkdir()  # no module: there is no code in it
    source = f"for name in {[*names, 'shutil']}: print(name, hasattr(__import__(name), 'local'))\n"
    program = {
        "script": [script(tmp_path, source)],
        "code": ["-c", source],
        "module": ["-m", "program"],
    }[kind]
    plain = ends(tmp_path, *program)
    assert "json True\nos False\n" in plain[1]
    # `python -m gilscope` would find them itself.
    gilscope = str(Path(sys.executable).with_name("gilscope"))
    assert ends(tmp_path, gilscope, command, "-o", "out.gilscope", *program) == plain


def test_a_zip_file(tmp_path: Path) -> None:
    """Its path is absolute where Python's is."""
    source = "import sys; print(__file__, sys.argv, sys.path[0])"
    make = f"import zipfile; zipfile.ZipFile('z.zip', 'w').writestr('__main__.py', {source!r})"
    ends(tmp_path, "-c", make)
    plain = ends(tmp_path, "z.zip", "word")
    assert plain[0] == 0
    assert ends(tmp_path, "-m", "gilscope", "run", "-o", "out.gilscope", "z.zip", "word") == plain
