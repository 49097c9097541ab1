"""Tables of a trace in files: CSV, and with pyarrow Parquet and Arrow."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import numpy as np

from gilscope.analysis.states.state import State
from gilscope.analysis.states.thread_states import interval_states
from gilscope.errors import ExportError
from gilscope.export.progress import Progress, silent
from gilscope.export.scene import process_name
from gilscope.trace.model import TABLES
from gilscope.trace.model.tables import of_intervals
from gilscope.trace.tables import Category, Column, DataTable, arrow_library, category

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilscope.trace.model import Trace

BLOCK = 1 << 18  # rows that are in memory at a time
_ALL = tuple(TABLES)


@dataclass(frozen=True, slots=True)
class TableExporter:
    """Writes one table of all traces.

    Attributes:
        table: its name, one of `TABLES`.
    """

    table: str = _ALL[0]

    def of(self, table: str) -> Self:
        """The same for another table.

        Raises:
            ExportError: there is none of this name.
        """
        if table not in TABLES:
            raise ExportError(f"unknown table {table!r}: choose from {', '.join(TABLES)}")
        return replace(self, table=table)

    def _blocks(self, traces: Sequence[Trace], progress: Progress) -> Iterator[DataTable]:
        """The rows, some at a time; at least one block, so that there are columns."""
        for number, trace in enumerate(traces):
            for table in _of(trace, self.table):
                about: dict[str, Column] = {"process": np.full(len(table), number, np.int32)}
                about["pid"] = np.full(len(table), trace.pid, np.int64)
                about["trace"] = Category(np.zeros(len(table), np.int32), (trace.path.name,))
                yield DataTable({**about, **table.columns} if len(traces) > 1 else table.columns)
                progress(len(table) if self.table == "intervals" else 0)


def _of(trace: Trace, name: str) -> Iterator[DataTable]:
    if name != "intervals":
        yield TABLES[name](trace)
        return
    states = interval_states(trace)
    for at in range(0, max(len(states), 1), BLOCK):
        part = slice(at, at + BLOCK)
        table = of_intervals(trace.intervals.select(part), trace)
        # Of a wait for a lock, the kind of record alone does not say whether it was contention.
        state = category(states[part], lambda code: State(code).name)
        yield DataTable({**table.columns, "state": state})


class CsvExporter(TableExporter):
    """Writes comma-separated values with a head line."""

    name = "csv"
    suffix = ".csv"
    description = "a table as CSV"

    def write(self, traces: Sequence[Trace], out: BinaryIO, progress: Progress = silent) -> None:
        """Write the table of all traces."""
        for number, table in enumerate(self._blocks(traces, progress)):
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            if number == 0:
                writer.writerow(table.columns)
            columns = [
                (column.values() if isinstance(column, Category) else column).tolist()
                for column in table.columns.values()
            ]
            writer.writerows(zip(*columns, strict=True))
            out.write(text.getvalue().encode())


class ParquetExporter(TableExporter):
    """Writes Parquet, a row group a block."""

    name = "parquet"
    suffix = ".parquet"
    description = "a table as Parquet (needs pyarrow)"

    def write(self, traces: Sequence[Trace], out: BinaryIO, progress: Progress = silent) -> None:
        """Write the table of all traces."""
        arrow_library()
        # Not loaded by other formats: an interpreter that ends refuses it.
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

        import pyarrow.parquet as parquet  # noqa: PLC0415, PLR0402 - only where it is wanted

        writer = written = None
        # A block is compressed while the next one is made.
        with ThreadPoolExecutor(1) as beside:
            for table in self._blocks(traces, progress):
                block = table.to_arrow()
                if writer is None:
                    schema = block.schema.with_metadata(_about(traces))
                    writer = parquet.ParquetWriter(out, schema, compression="zstd")
                if written is not None:
                    written.result()
                written = beside.submit(writer.write_table, block)
            if written is not None:
                written.result()
        if writer is not None:
            writer.close()


class ArrowExporter(TableExporter):
    """Writes Arrow's file format, which is read by mapping it."""

    name = "arrow"
    suffix = ".arrow"
    description = "a table as an Arrow IPC file (needs pyarrow)"

    def write(self, traces: Sequence[Trace], out: BinaryIO, progress: Progress = silent) -> None:
        """Write the table of all traces."""
        arrow = arrow_library()
        table = arrow.concat_tables(
            [block.to_arrow() for block in self._blocks(traces, progress)]
        ).replace_schema_metadata(_about(traces))
        # The format has one dictionary a column.
        options = arrow.ipc.IpcWriteOptions(unify_dictionaries=True)
        with arrow.ipc.new_file(out, table.schema, options=options) as writer:
            writer.write_table(table)


def _about(traces: Sequence[Trace]) -> dict[bytes, bytes]:
    """What the table is of, for its metadata."""
    about: list[dict[str, Any]] = [
        {
            "trace": trace.path.name,
            "process": number,
            "name": process_name(trace),
            "pid": trace.pid,
            "build": trace.build,
            "python": trace.python,
            "argv": trace.argv,
            "start_realtime_ns": trace.start_realtime_ns,
            "duration_ns": trace.duration_ns,
            "dropped_events": trace.dropped_events,
            "problems": trace.problems,
        }
        for number, trace in enumerate(traces)
    ]
    return {b"gilscope": json.dumps(about).encode()}
