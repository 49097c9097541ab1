"""Provide the source of Boost.Python and the headers that it needs, from Debian's source package.

Boost.Python has to be built against the very interpreter that loads it, so no distribution's binary
will do. The archive is large and little of it is needed: that is kept in the cache
(~/.cache/gilscope, or below XDG_CACHE_HOME), the archive is not. Standard library of any Python
>= 3.9; apt checks the archive against Debian's signed index.

    python3 tools/boost.py     prints the directory, with include/ and src/ in it
"""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
import tarfile
from typing import TYPE_CHECKING

import interpreters
from interpreters import InterpreterError, Progress, Runner

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

SERIES = ("1.88",)
"""Versions that are known to work here, in order of preference."""

NEEDED = (
    "align",
    "assert",
    "bind",
    "concept_check",
    "config",
    "container",
    "container_hash",
    "conversion",
    "core",
    "describe",
    "detail",
    "function",
    "graph",
    "integer",
    "iterator",
    "lexical_cast",
    "move",
    "mp11",
    "mpl",
    "multi_index",
    "numeric/conversion",
    "optional",
    "parameter",
    "preprocessor",
    "property_map",
    "python",
    "range",
    "smart_ptr",
    "static_assert",
    "throw_exception",
    "tuple",
    "type_traits",
    "typeof",
    "unordered",
    "utility",
)
"""Libraries of Boost from which Boost.Python and its users include something, directly or not."""

MARKER = "libraries.txt"
MEMBER = re.compile(
    r"[^/]+/libs/(?:"
    rf"(?:{'|'.join(NEEDED)})/include/(?P<header>boost/.*)"
    r"|python/(?P<source>src/.*\.cpp))"
)


def place_of(name: str) -> str | None:
    """Return where a member of Boost's archive belongs, or None if it is not needed."""
    match = MEMBER.fullmatch(name)
    if match is None or ".." in name.split("/"):
        return None
    return f"include/{match['header']}" if match["header"] else match["source"]


def unpack(archive: Path, directory: Path) -> None:
    """Take out of Boost's archive what Boost.Python needs.

    Raises:
        InterpreterError: The archive cannot be read, or has not what it should have.
    """
    try:
        # As a stream: to look into the compressed archive twice would take twice as long.
        with tarfile.open(archive, "r|*") as members:
            for member in members:
                place = place_of(member.name) if member.isfile() else None
                content = members.extractfile(member) if place else None
                if place and content:
                    write(directory / place, content)
    except (OSError, tarfile.TarError) as error:
        raise InterpreterError(f"cannot unpack {archive.name}: {error}") from error
    if not (directory / "include/boost/python.hpp").is_file():
        raise InterpreterError(f"{archive.name} holds no Boost.Python")


def write(path: Path, content: IO[bytes]) -> None:
    """Write one file, and the directories that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        shutil.copyfileobj(content, file)


def cached() -> Path | None:
    """Return what is in the cache, if it is all that is needed."""
    for series in SERIES:
        for path in (interpreters.cache_root() / "boost").glob(f"{series}.*"):
            with contextlib.suppress(OSError):
                if (path / MARKER).read_text(encoding="utf-8") == " ".join(NEEDED):
                    return path
    return None


def fetch(runner: Runner, work: Path) -> Path:
    """Download the newest version that Debian offers, and put it into the cache."""
    package, env = interpreters.choose_package(runner, work, SERIES, "boost")
    download = work / "download"
    download.mkdir()
    # "tar" leaves out Debian's patches: none of them is for Boost.Python.
    command = ["apt-get", "source", "--download-only", "--only-source", "--tar-only", package.label]
    runner.run(f"fetch {package.label} from Debian {package.suite}", command, download, env, 900)
    archives = list(download.glob("*.orig.tar.*[!c]"))
    if len(archives) != 1:
        raise InterpreterError(f"{package.label} has {len(archives)} archives of its source")
    runner.progress.say("take Boost.Python out of it")
    unpack(archives[0], work / "unpacked")
    (work / "unpacked" / MARKER).write_text(" ".join(NEEDED), encoding="utf-8")
    path = interpreters.cache_root() / "boost" / package.upstream
    path.parent.mkdir(exist_ok=True)
    shutil.rmtree(path, ignore_errors=True)
    # Only what is whole ever has the final name.
    (work / "unpacked").rename(path)
    return path


def provide(progress: Progress | None = None) -> Path:
    """Return a directory with include/ and src/, downloading it if it is not in the cache.

    Raises:
        InterpreterError: Debian's source package cannot be had; says why.
    """
    path = cached()
    if path is not None:
        return path
    progress = progress or Progress()
    root = interpreters.cache_root()
    with interpreters.locked(root, progress) as lock, interpreters.reported():
        path = cached()  # another run may have fetched what this one has waited for
        if path is None:
            with interpreters.work_directory(root / "work-boost") as work:
                path = fetch(Runner(progress, root / "fetch-boost.log", lock), work)
    return path


def main() -> int:
    """Run the command."""
    try:
        print(provide())
    except InterpreterError as error:
        print(f"boost.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
