"""Which extension modules belong to a name, and what their distribution depends on."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import re
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIX = ".so"
REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)(.*)$", re.DOTALL)


@contextlib.contextmanager
def opened(name: str) -> Iterator[dict[Path, Path]]:
    """Yield the files of a name's extension modules by what they are called in reports.

    Those of a wheel exist during the block, and are called as if the wheel were a folder.

    Raises:
        UsageError: There is none of this name, or the wheel cannot be read.
    """
    if not (name.endswith(".whl") and Path(name).is_file()):
        yield {path: path for path in files_of(name)}
        return
    with tempfile.TemporaryDirectory(prefix="gilscope-") as folder:
        try:
            with zipfile.ZipFile(name) as wheel:
                members = [one for one in wheel.namelist() if one.endswith(SUFFIX)]
                files = {
                    Path(name, member): Path(wheel.extract(member, folder)) for member in members
                }
        except (zipfile.BadZipFile, OSError, RuntimeError) as error:
            raise UsageError(f"cannot read {name}: {error}") from None
        yield files


def files_of(name: str) -> list[Path]:
    """Return the extension modules of a file, a folder, a module or a package; never imported.

    Raises:
        UsageError: There is none of this name.
    """
    if not name:
        raise UsageError("an empty name names no file, module or package")
    path = Path(name)
    if path.is_file():
        return [path]
    if path.is_dir():
        return sorted(path.rglob("*" + SUFFIX))
    try:
        spec = importlib.util.find_spec(name.partition(".")[0])
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return _of_distribution(name)
    if spec.submodule_search_locations is None:
        origin = spec.origin or ""
        return [Path(origin)] if origin.endswith(SUFFIX) else []
    parts = name.split(".")[1:]
    found: list[Path] = []
    for folder in spec.submodule_search_locations:
        place = Path(folder, *parts)
        found += place.rglob("*" + SUFFIX) if place.is_dir() else []
        found += place.parent.glob(f"{place.name}.*{SUFFIX}") if parts else []
    return sorted(set(found))


def _of_distribution(name: str) -> list[Path]:
    try:
        distribution = importlib.metadata.distribution(name)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        raise UsageError(f"no file, module, package or distribution is named {name}") from None
    return _files(distribution)


def _files(distribution: importlib.metadata.Distribution) -> list[Path]:
    return sorted(
        Path(str(distribution.locate_file(file)))
        for file in distribution.files or ()
        if file.name.endswith(SUFFIX)
    )


def dependencies(name: str) -> dict[str, list[Path]]:
    """Return the extension modules of all that a name's distribution needs, as far as installed."""
    top = name.partition(".")[0]
    owners = importlib.metadata.packages_distributions().get(top, [name])
    work, found, own = list(owners), dict[str, list[Path]](), {_key(one) for one in owners}
    seen = set(own)
    while work:
        try:
            distribution = importlib.metadata.distribution(work.pop())
        except (importlib.metadata.PackageNotFoundError, ValueError):
            continue
        for text in distribution.requires or ():
            match = REQUIREMENT.match(text)
            if match is None or "extra ==" in match[2] or _key(match[1]) in seen:
                continue
            seen.add(_key(match[1]))
            work.append(match[1])
        key = _key(distribution.metadata["Name"])
        if key not in own and (files := _files(distribution)):
            found[key] = files
    return found


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
