"""Which code is the program's own."""

from __future__ import annotations

import importlib.util
import os
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.errors import UsageError

if TYPE_CHECKING:
    from types import CodeType

OWN = str(Path(__file__).parents[2]) + os.sep  # as it stands in code objects
# The parts of the standard library that work through the program's own objects.
WORKS_ON_OTHERS = (
    "copy.py", "weakref.py", "_weakrefset.py", "_collections_abc.py", "collections/__init__.py",
)  # fmt: skip
# Functions that do so, in files that do more.
FUNCTIONS = (("functools.py", "cached_property.__get__"),)


def outside() -> list[str]:
    """Return beginnings of the file names of code that is not the program's."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = {sysconfig.get_path(name) for name in names}
    found = [folder.rstrip(os.sep) + os.sep for folder in folders if folder]
    found += [str(Path(folder).resolve()) + os.sep for folder in found]
    import_folder = str(Path(os.__file__).parent) + os.sep
    return sorted({*found, import_folder, OWN, "<frozen "})


def helpers() -> list[str]:
    """Return the files of the standard library that are watched with the program."""
    folder = Path(os.__file__).parent
    return [str(folder / name) for name in WORKS_ON_OTHERS]


def helper_functions() -> list[str]:
    """Return the functions of other files that are watched, each as `FILE:QUALIFIED NAME`."""
    folder = Path(os.__file__).parent
    return [f"{folder / name}:{function}" for name, function in FUNCTIONS]


def is_of_weak_reference(code: CodeType) -> bool:
    """Return whether the code runs when an object of a weak container ends, in any thread.

    The container puts that off while it is iterated over; no thread of the program did it.
    """
    is_callback = code.co_qualname.endswith((".__init__.<locals>.remove", "._remove"))
    return is_callback and code.co_filename.endswith(("weakref.py", "_weakrefset.py"))


def package(name: str) -> list[str]:
    """Return beginnings of the file names of a package or a module.

    Raises:
        UsageError: There is none of this name.
    """
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        raise UsageError(f"no package is named {name}")
    if spec.submodule_search_locations is not None:
        return [folder.rstrip(os.sep) + os.sep for folder in spec.submodule_search_locations]
    return [spec.origin or name]
