"""Files that are there whole, or not at all."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from gilscope.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@contextmanager
def whole_file(path: Path, sources: Iterable[Path], *, force: bool = False) -> Iterator[BinaryIO]:
    """Write a file beside its place, and put it there when the block ends without an error.

    Args:
        path: the file; what a symbolic link leads to is written, and the link stays.
        sources: files that it is made from, which it must not replace.
        force: replace a file that exists.

    Raises:
        ExportError: existing file, full disk and the like.
    """
    _check(path, sources, force=force)
    place = Path(os.path.realpath(path))
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as out:
            yield out
        part.replace(place)
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        # Gone already if all went well.
        with suppress(OSError):
            part.unlink()


def replace_text(path: Path, text: str, sources: Iterable[Path] = ()) -> None:
    """Write text, instead of what an earlier file held; a pipe or terminal just gets it.

    Raises:
        ExportError: full disk, no such directory and the like.
    """
    try:
        streamed = path.is_fifo() or path.is_char_device()
        if streamed:
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror or error}") from None
    if not streamed:
        with whole_file(path, sources, force=True) as out:
            out.write(text.encode())


def _check(path: Path, sources: Iterable[Path], *, force: bool) -> None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror or error}") from None
    if not stat.S_ISREG(status.st_mode):
        raise ExportError(f"cannot write {path}: it exists and is no regular file")
    if not force:
        raise ExportError(f"{path} exists: choose another name or overwrite it with force")
    if any(_same_file(path, source) for source in sources):
        raise ExportError(f"{path} is the trace itself: choose another name")


def _same_file(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False
