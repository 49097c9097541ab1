"""Files that are there whole, or not at all."""

from __future__ import annotations

import os
import re
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from gilscope.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


OURS = re.compile(
    rb'<!DOCTYPE html>\s<html lang="en">\s<head>\s<meta name="generator" content="gilscope">'
    rb'|\{\s*"schema": \d+,\s*"gilscope": "'
    rb'|\{"displayTimeUnit":"ns","traceEvents":\['
    rb"|\n[\x00-\x7f]\xe2\x03|\n[\x80-\xff][\x00-\x7f]\xe2\x03"
)
"""How reports, summaries and exports for Chrome and Perfetto begin, which make themselves anew."""

BEGINNING = 256  # bytes of a file in which it can be recognised


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


def check_replaceable(path: Path) -> None:
    """See that nothing is lost if a file is written: it is new, empty, or one that we wrote.

    Raises:
        ExportError: It is somebody else's.
    """
    try:
        if not path.is_file():
            return
        with path.open("rb") as file:
            beginning = file.read(BEGINNING)
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror or error}") from None
    if beginning and not OURS.match(beginning):
        raise ExportError(f"{path} was not written by gilscope: choose another name or remove it")


def replace_text(
    path: Path, text: str, sources: Iterable[Path] = (), *, force: bool = False
) -> None:
    """Write text, instead of what an earlier file of ours held; a pipe or terminal just gets it.

    Args:
        path: the file.
        text: what it is to hold.
        sources: files that it is made from, which it must not replace.
        force: replace also a file that is not ours.

    Raises:
        ExportError: somebody else's file, full disk, no such directory and the like.
    """
    if not force:
        check_replaceable(path)
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
        raise ExportError(f"cannot write {path}: not a regular file")
    if not force:
        raise ExportError(f"{path} exists: choose another name, or --force to overwrite it")
    if any(_same_file(path, source) for source in sources):
        raise ExportError(f"{path} is the trace itself: choose another name")


def _same_file(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False
