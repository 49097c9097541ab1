"""tools/boost.py: what is taken out of Boost's archive, and what is kept; no network."""

from __future__ import annotations

import importlib.util
import io
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

TOOLS = Path(__file__).resolve().parents[2] / "tools"


def load_tool(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import a script by its path, with the scripts beside it in reach: tools/ is no package."""
    monkeypatch.syspath_prepend(str(TOOLS))
    spec = importlib.util.spec_from_file_location(f"gilscope_tools_{name}", TOOLS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script, with a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return load_tool("boost", monkeypatch)


def archive(path: Path, *names: str) -> Path:
    """Write an archive of files that hold their own names."""
    with tarfile.open(path, "w:gz") as file:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(name)
            file.addfile(member, io.BytesIO(name.encode()))
    return path


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("boost/libs/python/src/object/class.cpp", "src/object/class.cpp"),
        ("boost/libs/python/include/boost/python.hpp", "include/boost/python.hpp"),
        ("boost/libs/numeric/conversion/include/boost/a.hpp", "include/boost/a.hpp"),
        ("boost/libs/python/test/a.cpp", None),
        ("boost/libs/geometry/include/boost/geometry.hpp", None),
        ("boost/libs/python/include/boost/../../../../escape.hpp", None),
        ("/boost/libs/python/src/a.cpp", None),
    ],
)
def test_only_what_is_needed_is_taken(tool: ModuleType, name: str, place: str | None) -> None:
    """Headers of the libraries that are needed, and Boost.Python's sources; nothing outside."""
    assert tool.place_of(name) == place


def test_archive_is_unpacked(tool: ModuleType, tmp_path: Path) -> None:
    """Each file gets to its place with what is in it."""
    header, source = "b/libs/python/include/boost/python.hpp", "b/libs/python/src/a.cpp"
    tool.unpack(archive(tmp_path / "a.tar.gz", header, source, "b/README"), tmp_path / "out")
    files = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*pp")}
    assert files == {"include/boost/python.hpp", "src/a.cpp"}
    assert (tmp_path / "out/src/a.cpp").read_text() == source


def test_archive_without_boost_python_is_refused(tool: ModuleType, tmp_path: Path) -> None:
    """Only a file with the expected digest gets into the cache."""
    path = archive(tmp_path / "a.tar.gz", "b/README")
    with pytest.raises(tool.InterpreterError, match="holds no Boost"):
        tool.unpack(path, tmp_path / "out")


def test_archive_that_is_damaged_is_refused(tool: ModuleType, tmp_path: Path) -> None:
    """A damaged archive is an error of one line."""
    path = tmp_path / "a.tar.gz"
    path.write_bytes(b"no archive")
    with pytest.raises(tool.InterpreterError, match="cannot unpack"):
        tool.unpack(path, tmp_path / "out")


def test_cache_is_used_if_it_is_whole(tool: ModuleType, tmp_path: Path) -> None:
    """What was put there by another list of libraries is not enough."""
    place = tmp_path / "cache/gilscope/boost" / f"{tool.SERIES[0]}.0"
    place.mkdir(parents=True)
    assert tool.cached() is None
    (place / tool.MARKER).write_text("align")
    assert tool.cached() is None
    (place / tool.MARKER).write_text(" ".join(tool.NEEDED))
    assert tool.provide() == place
