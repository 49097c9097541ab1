"""Provides gilscope for an interpreter that lacks it: in a cache of ours, never in its environment.

pip builds or downloads a wheel for that very interpreter and unpacks it into a directory of the
cache, which the workers then look into last. Nothing else is installed: the target side needs
gilscope alone.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import gilscope
from gilscope.config import cache_directory
from gilscope.errors import InterpreterError
from gilscope.runner.interpreters import CHECK_SECONDS, environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import Distribution

BUILD_SECONDS = 1800
PACKAGE = Path(gilscope.__file__).parent
SOURCES = ("CMakeLists.txt", "native_probe", "profiler")
TAG = 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))'


def provide(python: Path, say: Callable[[str], None] | None = None) -> Path:
    """Return a directory with a gilscope for ``python``, made if it is not in the cache.

    Args:
        python: The interpreter.
        say: Takes a line before something that takes minutes.

    Raises:
        InterpreterError: It cannot be made, with pip's reason.
    """
    source = own_source()
    place = _place(python, source)
    if (place / "gilscope").is_dir():
        return place
    if say:
        say(f"building gilscope for {python}; this happens once and takes some minutes")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=place.parent))
    except OSError as error:
        raise InterpreterError(f"{error.filename} cannot be written: {error.strerror}") from None
    try:
        _install(python, source, draft)
        if not place.exists():  # another process may have been faster
            draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return place


def provided(python: Path) -> Path | None:
    """Return the directory with a gilscope for ``python``; None if it would have to be made.

    Raises:
        InterpreterError: The interpreter does not work.
    """
    place = _place(python, own_source())
    return place if (place / "gilscope").is_dir() else None


def _place(python: Path, source: str) -> Path:
    return cache_directory() / "targets" / f"{_digest(source)}{_tag(python)}"


def own_source() -> str:
    """Return what pip is to install: the clone that this gilscope is from, else the release."""
    clone = PACKAGE.parent.parent
    if PACKAGE.parent.name == "profiler" and (clone / "pyproject.toml").is_file():
        return str(clone)
    try:
        path = local_source(distribution("gilscope"))
    except PackageNotFoundError:
        path = None
    if path is not None and path.exists():
        return str(path)
    return f"gilscope=={gilscope.__version__}"


def local_source(package: Distribution) -> Path | None:
    """Return the file or directory that a package was installed from; None if it was none."""
    try:
        facts = json.loads(package.read_text("direct_url.json") or "{}")
    except ValueError:
        return None
    url = urlsplit(str(facts.get("url", "")))
    return Path(unquote(url.path)) if url.scheme == "file" else None


def _digest(source: str) -> str:
    """Return a key for this version; a clone changes without a new version number."""
    total = hashlib.sha256(gilscope.__version__.encode())
    root = Path(source)
    for name in SOURCES if root.is_dir() else ():
        for file in sorted(root.joinpath(name).rglob("*") or [root / name]):
            if file.suffix in (".py", ".c", ".h", ".cpp", ".hpp", ".txt") and file.is_file():
                total.update(file.read_bytes())
    return f"{gilscope.__version__}-{total.hexdigest()[:12]}"


def _tag(python: Path) -> str:
    """Return ``.cpython-313t-x86_64-linux-gnu``: what native modules of ``python`` are named."""
    try:
        done = subprocess.run(
            [python, "-c", TAG],
            capture_output=True,
            text=True,
            env=environment(),
            timeout=CHECK_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise InterpreterError(f"{python} does not work as a Python interpreter: {error}") from None
    return done.stdout.strip().removesuffix(".so")


def _install(python: Path, source: str, directory: Path) -> None:
    """Unpack the wheel for ``python`` into a directory."""
    options = ["--no-deps", "--quiet", "--disable-pip-version-check", "--no-input"]
    reason = "pip is not installed"
    # The interpreter's own pip, or ours where it has none.
    for pip in ([str(python), "-m", "pip"], [sys.executable, "-m", "pip", "--python", str(python)]):
        try:
            known = subprocess.run(
                [*pip, "--version"], capture_output=True, timeout=CHECK_SECONDS, check=False
            )
            if known.returncode:
                continue
            subprocess.run(
                [*pip, "install", *options, "--target", directory, source],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                env=environment(),
                timeout=BUILD_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", None) or str(error)
            reason = said.strip().splitlines()[-1] if said.strip() else str(error)
        else:
            return
    raise InterpreterError(
        f"gilscope is not installed for {python} and could not be built for it ({reason}): run "
        f"`{python} -m pip install --no-deps {source}`"
    )
