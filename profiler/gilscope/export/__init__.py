"""Exporters: a trace, or several side by side, in the formats of other tools."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from gilscope.errors import ExportError
from gilscope.export.chrome import ChromeExporter
from gilscope.export.perfetto import PerfettoExporter
from gilscope.export.scene import Counts, count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.trace.model import Trace

__all__ = ["FORMATS", "Counts", "Exporter", "count", "export_file"]


class Exporter(Protocol):
    """One format.

    Attributes:
        name: what it is asked for by.
        suffix: usual end of a file's name.
        description: one line: what it is, and for which tools.
    """

    name: str
    suffix: str
    description: str

    def write(self, traces: Sequence[Trace], out: BinaryIO) -> None:
        """Write the traces; all of them begin at the same zero."""


_EXPORTERS: tuple[Exporter, ...] = (PerfettoExporter(), ChromeExporter())
FORMATS: dict[str, Exporter] = {exporter.name: exporter for exporter in _EXPORTERS}


def export_file(
    traces: Sequence[Trace],
    format: str,  # noqa: A002 - the word that the command uses
    path: str | os.PathLike[str],
    *,
    force: bool = False,
) -> Path:
    """Write traces to a file; it is there whole, or not at all.

    Args:
        traces: one, or those of a comparison.
        format: a key of `FORMATS`.
        path: the file.
        force: replace one that exists.

    Returns:
        The path.

    Raises:
        ExportError: unknown format, existing file, full disk and the like.
    """
    exporter = FORMATS.get(format)
    if exporter is None:
        raise ExportError(f"no export format {format!r}: choose one of {', '.join(FORMATS)}")
    path = Path(path)
    _check(path, traces, force=force)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as out:
            exporter.write(traces, out)
        part.replace(path)
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        # Gone already if all went well.
        with suppress(OSError):
            part.unlink()
    return path


def _check(path: Path, traces: Sequence[Trace], *, force: bool) -> None:
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
    if any(_same_file(path, trace.path) for trace in traces):
        raise ExportError(f"{path} is the trace itself: choose another name")


def _same_file(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False
