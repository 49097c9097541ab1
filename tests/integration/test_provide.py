"""An interpreter without gilscope gets one in our cache; nothing of its own is changed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import gilscope
from gilscope.errors import InterpreterError
from gilscope.runner import provisioning as module
from gilscope.runner.interpreters import Refusal, examine, own_build
from gilscope.runner.provisioning import own_source, provide

PACKAGE = Path(gilscope.__file__).parent
TIMEOUT_S = 120
FACTS = {
    "METADATA": f"Metadata-Version: 2.1\nName: gilscope\nVersion: {gilscope.__version__}\n",
    "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "RECORD": "",
}

pytestmark = pytest.mark.skipif(
    subprocess.run(
        [sys.executable, "-m", "pip", "--version"], capture_output=True, check=False
    ).returncode
    != 0,
    reason="no pip here",
)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of this interpreter with nothing in it, not even pip."""
    place = tmp_path_factory.mktemp("bare")
    base = Path(sys.base_prefix) / "bin" / Path(sys.executable).resolve().name
    subprocess.run(
        [base if base.exists() else sys.executable, "-m", "venv", "--without-pip", place],
        check=True,
        timeout=TIMEOUT_S,
    )
    return place / "bin" / "python"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This very gilscope as a wheel."""
    stem = f"gilscope-{gilscope.__version__}"
    path = tmp_path_factory.mktemp("wheel") / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for part in sorted(PACKAGE.rglob("*")):
            if part.is_file() and "__pycache__" not in part.parts:
                file.write(part, Path("gilscope") / part.relative_to(PACKAGE))
        for name, text in FACTS.items():
            file.writestr(f"{stem}.dist-info/{name}", text)
    return path


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache; and nothing that leads the bare interpreter to gilscope."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return tmp_path / "cache" / "gilscope"


def test_a_bare_interpreter_runs_an_arm(
    bare: Path, wheel: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Recorded and timed, with a gilscope of which its environment knows nothing."""
    monkeypatch.setattr(module, "own_source", lambda: str(wheel))
    said: list[str] = []
    script = tmp_path / "program.py"
    script.write_text("import gilscope, sys\nprint(gilscope.__file__, len(sys.argv))\n")
    build = own_build()
    comparison = gilscope.compare(
        script, builds=[build], repeat=1, pythons={build: bare}, progress=said.append
    )
    run = comparison.run(build)
    assert run.error is None
    assert run.stdout.startswith(str(cache))
    assert run.stdout.endswith(" 1\n")
    assert run.trace is not None
    assert [line for line in said if line.startswith("building gilscope for ")] == said[:1]
    refusal = examine(bare, build, "here")
    assert isinstance(refusal, Refusal)
    assert refusal.lacks_gilscope


def test_what_is_in_the_cache_is_not_made_again(
    bare: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is used without a message."""
    monkeypatch.setattr(module, "own_source", lambda: str(wheel))
    said: list[str] = []
    first = provide(bare, said.append)
    assert provide(bare, said.append) == first
    assert len(said) == 1
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_a_wheel_that_cannot_be_had_is_one_line(
    bare: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With pip's reason and what to do; no half-made directory stays."""
    monkeypatch.setattr(module, "own_source", lambda: str(tmp_path / "absent.whl"))
    with pytest.raises(
        InterpreterError, match=r"could not be built for it .* -m pip install"
    ) as caught:
        provide(bare)
    assert "\n" not in str(caught.value)
    assert list((cache / "targets").iterdir()) == []


def test_the_source_is_where_this_gilscope_is_from() -> None:
    """A directory that pip can build, or the release of this version."""
    source = own_source()
    assert source == f"gilscope=={gilscope.__version__}" or Path(source).exists()
