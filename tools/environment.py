"""Makes .venv and .venv-ft: gilscope and its examples, installed for both builds of CPython.

    python3 tools/environment.py [demo|test|lint ...]

Does only what has changed since the last time. Standard library only, any Python from 3.9 on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import interpreters

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ("native_logging", "parallel_eval", "deadlock")
STAMP = "gilscope-environment.json"
WORTH_A_LINE = 5  # seconds
SOURCES = (
    "CMakeLists.txt", "pyproject.toml", "README.md", "LICENSE", "native_probe", "profiler",
    "docs/findings",
)  # fmt: skip
PURPOSES = ("demo", "test", "lint", "bench", "docs", "wheels")
# What runs the tests of the target side; the rest of the tools lives in .venv only.
TARGET_GROUPS = {"test": ("target-test",)}


BUNDLED_PIP = """
import ensurepip._bundled, glob, os
assert glob.glob(os.path.join(ensurepip._bundled.__path__[0], "pip-*.whl"))
"""
DEPENDENCIES = """
import json, tomllib
with open("pyproject.toml", "rb") as file:
    print(json.dumps(tomllib.load(file)["project"]["dependencies"]))
"""


class SetupError(Exception):
    """One line that says what is wrong and what to do."""


def say(text: str) -> None:
    """Show progress."""
    print(f"environment: {text}", file=sys.stderr, flush=True)


def run(step: str, *command: str | Path) -> None:
    """Run a command quietly; when it fails, show what it printed."""
    begin = time.monotonic()
    say(step)
    done = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        print(done.stdout[-6000:], file=sys.stderr)
        raise SetupError(f"{step}: failed (the output above says why)")
    seconds = time.monotonic() - begin
    if seconds > WORTH_A_LINE:
        say(f"{step}: done in {seconds:.0f} s")


def digest(*names: str | Path) -> str:
    """Hash the files, and the files in the folders, of these names."""
    total = hashlib.sha256()
    for name in names:
        path = ROOT / name
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                total.update(str(file.relative_to(ROOT)).encode())
                total.update(file.read_bytes())
    return total.hexdigest()


class Environment:
    """One virtual environment and the record of what was done to it."""

    def __init__(self, directory: Path, base: str) -> None:
        """Use the interpreter ``base``; nothing happens before `create`."""
        self.directory = directory
        self.base = base
        self.python = directory / "bin" / "python"
        self.stamp = directory / STAMP
        self.done: dict[str, str] = {}

    def create(self) -> None:
        """Make the environment anew unless it is whole and of the same interpreter."""
        try:
            self.done = json.loads(self.stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self.done = {}
        if self.done.get("base") == self.base and self.python.exists():
            return
        self.done = {}
        name = self.directory.name
        run(f"making {name}", self.base, "-m", "venv", "--clear", "--without-pip", self.directory)
        bootstrap_pip(self.python)
        # A pip that takes the right wheels for free-threaded interpreters, and dependency groups.
        self.pip(f"{name}: pip", "install", "--upgrade", "pip>=25.1")
        self.record("base", self.base)

    def pip(self, step: str, *arguments: str | Path) -> None:
        """Run this environment's pip."""
        run(step, self.python, "-m", "pip", "--disable-pip-version-check", "-q", *arguments)

    def once(self, key: str, state: str, step: str, *arguments: str | Path) -> None:
        """Run pip unless it ran for this state already."""
        if self.done.get(key) != state:
            self.pip(f"{self.directory.name}: {step}", *arguments)
            self.record(key, state)

    def record(self, key: str, state: str) -> None:
        """Write down that a step is done."""
        self.done[key] = state
        draft = self.stamp.with_suffix(".draft")
        draft.write_text(json.dumps(self.done, indent=1), encoding="utf-8")
        draft.replace(self.stamp)

    def install_groups(self, groups: tuple[str, ...]) -> None:
        """Install the dependency groups of pyproject.toml."""
        for group in groups:
            state = digest("pyproject.toml")
            self.once(f"group {group}", state, f"tools to {group}", "install", "--group", group)

    def install_projects(self) -> None:
        """Build and install gilscope and the examples."""
        build = ("install", "--no-deps", "--no-build-isolation", "--force-reinstall")
        # Kept between builds, which is quick; no default, as two builds at once collide in it.
        place = "--config-settings=build-dir=build/{wheel_tag}"
        self.once("gilscope", digest(*SOURCES), "building gilscope", *build, place, ".")
        for name in EXAMPLES:
            path = f"examples/{name}"
            self.once(f"example {name}", digest(path), f"building {path}", *build, f"./{path}")


def bootstrap_pip(python: Path) -> None:
    """Bring pip into an environment that has none."""
    if succeeds(python, "-c", BUNDLED_PIP):
        run("installing pip", python, "-m", "ensurepip")
        return
    # Some distributions take the bundled wheel out of their source; the machine's own pip, or one
    # that the machine's Python brings along, installs it then.
    for helper in (Path(sys.executable), own_helper()):
        if helper and succeeds(helper, "-m", "pip", "--version"):
            pip = (helper, "-m", "pip", "--disable-pip-version-check", "--python", python)
            run("installing pip", *pip, "install", "-q", "pip>=25.1")
            return
    raise SetupError(
        f"no pip to begin with: install pip for {sys.executable} (Debian: python3-pip)"
    )


def succeeds(*command: str | Path) -> bool:
    """Run a command quietly and return whether it ended well."""
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def own_helper() -> Path | None:
    """Make an environment of the machine's Python that has a pip, in the cache."""
    directory = interpreters.cache_root() / "pip"
    made = succeeds(sys.executable, "-m", "venv", "--clear", directory)
    return directory / "bin" / "python" if made else None


def prepare(purposes: list[str]) -> None:
    """Bring both environments up to date."""
    pair = interpreters.provide()
    stock = Environment(ROOT / ".venv", pair.stock)
    stock.create()
    stock.install_groups(("build", *(p for p in purposes if p != "demo")))
    needed = json.loads(dependencies(stock.python))
    state = digest("pyproject.toml")
    stock.once("dependencies", state, "what gilscope needs", "install", *needed)
    stock.install_projects()
    free_threaded = Environment(ROOT / ".venv-ft", pair.free_threaded)
    free_threaded.create()
    groups = [group for p in purposes for group in TARGET_GROUPS.get(p, ())]
    free_threaded.install_groups(("build", *groups))
    free_threaded.install_projects()


def dependencies(python: Path) -> str:
    """Read gilscope's dependencies, as JSON, with an interpreter that can read TOML."""
    return subprocess.run(
        [str(python), "-c", DEPENDENCIES], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("purpose", nargs="*", default=["demo"], help=", ".join(PURPOSES))
    purposes = parser.parse_args().purpose
    unknown = [p for p in purposes if p not in PURPOSES]
    if unknown:
        parser.error(f"no purpose {unknown[0]!r}: there are {', '.join(PURPOSES)}")
    os.environ.pop("PYTHONPATH", None)
    try:
        prepare(purposes)
    except (SetupError, interpreters.InterpreterError) as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
