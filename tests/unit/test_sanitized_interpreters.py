"""tools/sanitized_interpreters.py: a cached build is taken if it is as it would be built now."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Import the script, whose cache is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.syspath_prepend(str(TOOLS))
    yield importlib.import_module("sanitized_interpreters")
    for name in ("sanitized_interpreters", "interpreters"):
        sys.modules.pop(name, None)


def lay_out(tool, name: str, flags: str) -> str:  # type: ignore[no-untyped-def] # noqa: ANN001
    """Lay a finished build into the cache; its executable."""
    prefix = tool.interpreters.cache_root() / "3.13.5" / name
    executable = prefix / "bin" / "python3.13"
    executable.parent.mkdir(parents=True)
    executable.touch()
    marker = {"version": "3.13.5", "package": "p=1", "flags": flags, "executable": str(executable)}
    (prefix / tool.interpreters.MARKER).write_text(json.dumps(marker), encoding="utf-8")
    return str(executable)


def test_a_whole_build_is_taken(tool) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    """Its flags are those that it would be built with."""
    name = "gil-asan"
    executable = lay_out(tool, name, tool.interpreters.build_flags(tool.extra_flags(name)))
    assert tool.cached([name]) == {name: executable}


def test_a_build_with_other_flags_is_not_taken(tool) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    """A usual build has no sanitizer."""
    lay_out(tool, "gil-asan", tool.interpreters.build_flags())
    assert tool.cached(["gil-asan"]) is None


def test_one_of_two_is_not_all(tool) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    """Both are asked for and one is there."""
    lay_out(tool, "gil-asan", tool.interpreters.build_flags(tool.extra_flags("gil-asan")))
    assert tool.cached(["gil-asan", "ft-tsan"]) is None
