"""`gilscope ready`, on extension modules that are compiled here."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import sysconfig
import zipfile
from os import environ
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 120
SOURCE = """
#include <Python.h>
#include <string.h>
#include <time.h>

static PyObject *cache;
static int counter;
static const int constant = 7;
static char separators[] = " ,";

static PyObject *first(PyObject *module, PyObject *list) {
  char text[] = "a b";
  ++counter;
  cache = PyList_GetItem(list, 0);
  return Py_BuildValue("Osii", cache, strtok(text, separators), constant, counter);
}

static PyMethodDef methods[] = {{"first", first, METH_O, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {
  {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
  GIL
  {0, NULL},
};
static struct PyModuleDef def = {
  PyModuleDef_HEAD_INIT, "staged", NULL, 0, methods, slots, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_staged(void) { return PyModuleDef_Init(&def); }
"""
NOT_USED = "{Py_mod_gil, Py_MOD_GIL_NOT_USED},"
USED = "{Py_mod_gil, Py_MOD_GIL_USED},"


def compile_module(folder: Path, name: str, gil: str) -> Path:
    """Compile the module with what it says of the GIL, into a file of this name."""
    source = folder / "staged.c"
    source.write_text(SOURCE.replace("GIL\n", gil + "\n"), encoding="utf-8")
    path = folder / name
    compiler = shlex.split(environ.get("CC", "gcc"))
    flags = ("-shared", "-fPIC", "-O1", f"-I{sysconfig.get_path('include')}")
    subprocess.run([*compiler, *flags, str(source), "-o", str(path)], check=True, timeout=SECONDS)
    return path


def ready(*words: str) -> tuple[int, dict[str, Any]]:
    """Return the exit status and the document."""
    done = subprocess.run(
        [sys.executable, "-m", "gilscope", "ready", "--json", *words],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else {"error": done.stderr}


@pytest.mark.parametrize(
    ("name", "gil", "expected"),
    [
        ("staged.cpython-313t-x86_64-linux-gnu.so", NOT_USED, ("not used", "yes", 0)),
        ("staged.cpython-313t-x86_64-linux-gnu.so", "", ("not declared", "no", 1)),
        ("staged.cpython-313t-x86_64-linux-gnu.so", USED, ("used", "no", 1)),
        ("staged.cpython-313-x86_64-linux-gnu.so", NOT_USED, ("not used", "yes", 0)),
        ("staged.cpython-313-x86_64-linux-gnu.so", "", ("not declared", "unknown", 0)),
        ("staged.abi3.so", "", ("not declared", "no", 1)),
    ],
)
def test_the_slot_decides(
    tmp_path: Path, name: str, gil: str, expected: tuple[str, str, int]
) -> None:
    """The module's slots and the file's name say whether a free-threaded interpreter takes it."""
    status, document = ready(str(compile_module(tmp_path, name, gil)))
    (extension,) = document["extensions"]
    assert extension["modules"] == ["staged"]
    assert (extension["gil"], document["ready"], status) == expected


def test_what_is_unsafe_is_named(tmp_path: Path) -> None:
    """Borrowed references, static data and functions that keep state are named with what to do."""
    path = compile_module(tmp_path, "staged.cpython-313t-x86_64-linux-gnu.so", NOT_USED)
    _, document = ready(str(path))
    remarks = {one["symbol"]: one for one in document["extensions"][0]["remarks"]}
    assert remarks["PyList_GetItem"]["kind"] == "borrowed"
    assert "PyList_GetItemRef" in remarks["PyList_GetItem"]["advice"]
    assert remarks["strtok"]["kind"] == "libc-state"
    assert "strtok_r" in remarks["strtok"]["advice"]
    static = {name.split()[0] for name, one in remarks.items() if one["kind"] == "static"}
    assert static == {"cache", "counter", "separators"}
    assert all(one["why"] and one["advice"] for one in remarks.values())


def test_severity_decides_the_status(tmp_path: Path) -> None:
    """With --fail-on medium a borrowed reference is enough."""
    path = compile_module(tmp_path, "staged.cpython-313t-x86_64-linux-gnu.so", NOT_USED)
    assert ready("--fail-on", "medium", str(path))[0] == 1


def test_a_wheel_is_looked_into(tmp_path: Path) -> None:
    """The files of a wheel are looked at where they are."""
    path = compile_module(tmp_path, "staged.cpython-313t-x86_64-linux-gnu.so", NOT_USED)
    wheel = tmp_path / "staged-1.0-cp313-cp313t-linux_x86_64.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(path, f"staged/{path.name}")
    status, document = ready(str(wheel))
    assert (status, document["ready"], len(document["extensions"])) == (0, "yes", 1)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """A name that is nothing, and a file that is no extension module, are errors in one line."""
    damaged = tmp_path / "damaged.cpython-313t-x86_64-linux-gnu.so"
    damaged.write_bytes(b"\x7fELF and nothing more")
    for name in ("no_such_module_anywhere", str(damaged)):
        status, document = ready(name)
        assert status == 2
        assert len(document["error"].splitlines()) == 1


def test_a_package_is_found_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package has the extension modules below it; those that it depends on are judged, too."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for name, needs in (("staged_package", "staged_dependency"), ("staged_dependency", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit(9)\n", encoding="utf-8")
        compile_module(tmp_path / name, "staged.cpython-313t-x86_64-linux-gnu.so", "")
        described = tmp_path / f"{name}-1.0.dist-info"
        described.mkdir()
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        text += f"Requires-Dist: {needs}>=1\n" if needs else ""
        (described / "METADATA").write_text(text, encoding="utf-8")
        files = (f"{name}/__init__.py", f"{name}/staged.cpython-313t-x86_64-linux-gnu.so")
        (described / "RECORD").write_text("".join(f"{f},,\n" for f in files), encoding="utf-8")
    status, document = ready("staged_package")
    assert (status, len(document["extensions"])) == (1, 1)
    assert [(one["name"], one["ready"]) for one in document["dependencies"]] == [
        ("staged-dependency", "no")
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"text\n", "it is no ELF file"),
        (b"", "it is empty"),
        (b"!<arch>\n", "it is a static library"),
        (b"PK\x03\x04", "it is a zip archive"),
    ],
)
def test_what_is_no_extension_module_is_said_in_a_line(
    tmp_path: Path, content: bytes, said: str
) -> None:
    """With what it is."""
    (tmp_path / "thing.so").write_bytes(content)
    status, document = ready(str(tmp_path / "thing.so"))
    assert status == 2
    (line,) = document["error"].splitlines()
    assert said in line


def test_one_file_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    """It is named, and the rest of the folder is reported."""
    compile_module(tmp_path, "staged.cpython-313t-x86_64-linux-gnu.so", NOT_USED)
    (tmp_path / "broken.so").write_bytes(b"text\n")
    done = subprocess.run(
        [sys.executable, "-m", "gilscope", "ready", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert "not inspected: " in done.stderr
    assert "broken.so" in done.stderr
    assert "1 extension modules; ready: yes 1" in done.stdout


def test_files_of_a_wheel_are_named_by_the_wheel(tmp_path: Path) -> None:
    """Not by a folder that is gone."""
    path = compile_module(tmp_path, "staged.cpython-313t-x86_64-linux-gnu.so", NOT_USED)
    wheel = tmp_path / "staged-1.0-cp313-cp313t-linux_x86_64.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(path, path.name)
    _, document = ready(str(wheel))
    assert [one["file"] for one in document["extensions"]] == [str(wheel / path.name)]
