"""Exporters: a trace, or several side by side, in the formats of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from gilscope.errors import ExportError
from gilscope.export.chrome import ChromeExporter
from gilscope.export.collapsed import CollapsedExporter
from gilscope.export.firefox import FirefoxExporter
from gilscope.export.flamegraph import FlamegraphExporter
from gilscope.export.perfetto.exporter import PerfettoExporter
from gilscope.export.progress import Progress, silent
from gilscope.export.sampled_flamegraph import SampledFlamegraphExporter
from gilscope.export.scene import Counts, count
from gilscope.export.speedscope import SpeedscopeExporter
from gilscope.export.tables import ArrowExporter, CsvExporter, ParquetExporter, TableExporter
from gilscope.trace.writing.output import whole_file

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from gilscope.export.marks import Mark
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

    def write(self, traces: Sequence[Trace], out: BinaryIO, progress: Progress = silent) -> None:
        """Write the traces; all of them begin at the same zero."""


_EXPORTERS: tuple[Exporter, ...] = (
    PerfettoExporter(),
    ChromeExporter(),
    SpeedscopeExporter(),
    FirefoxExporter(),
    CollapsedExporter(),
    FlamegraphExporter(),
    SampledFlamegraphExporter(),
    CsvExporter(),
    ParquetExporter(),
    ArrowExporter(),
)
FORMATS: dict[str, Exporter] = {exporter.name: exporter for exporter in _EXPORTERS}


def export_file(
    traces: Sequence[Trace],
    format: str,  # noqa: A002 - the word that the command uses
    path: str | os.PathLike[str],
    *,
    force: bool = False,
    table: str | None = None,
    marks: Sequence[Sequence[Mark]] = (),
    progress: Progress = silent,
) -> Path:
    """Write traces to a file; it is there whole, or not at all.

    Args:
        traces: one, or those of a comparison.
        format: a key of `FORMATS`.
        path: the file.
        force: replace one that exists.
        table: of formats that hold one table, which; a key of `trace.tables.TABLES`.
        marks: accesses of races, of each trace its own; formats that cannot show them leave them
            out.
        progress: told of each so many intervals that are written.

    Returns:
        The path.

    Raises:
        ExportError: unknown format, existing file, full disk and the like.
    """
    exporter = FORMATS.get(format)
    if exporter is None:
        raise ExportError(f"unknown export format {format!r}: choose from {', '.join(FORMATS)}")
    if table is not None:
        if not isinstance(exporter, TableExporter):
            raise ExportError(f"{format} has no tables: those are for csv, parquet and arrow")
        exporter = exporter.of(table)
    if marks and isinstance(exporter, PerfettoExporter):
        exporter = exporter.marked(marks)
    path = Path(path)
    with whole_file(path, [trace.path for trace in traces], force=force) as out:
        exporter.write(traces, out, progress)
    return path
