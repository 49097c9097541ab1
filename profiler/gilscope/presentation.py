"""A comparison as its user has it: the data, and methods that show, write and convert it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

from gilscope.comparison.summary import comparison_summary
from gilscope.comparison.table import summary_text
from gilscope.errors import ExportError, GilscopeError
from gilscope.results.model import ComparisonData

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from gilscope.export.marks import Mark
    from gilscope.view.notebook.widget import TimelineWidget


@dataclass(frozen=True)
class Comparison(ComparisonData):
    """The same code under several builds; `ComparisonData` has its attributes."""

    @classmethod
    def of(cls, data: ComparisonData) -> Self:
        """Return ``data`` with these methods."""
        return cls(**{field.name: getattr(data, field.name) for field in fields(ComparisonData)})

    def summary(self) -> dict[str, Any]:
        """Return the comparison as the JSON object that docs/summary.md describes."""
        return comparison_summary(self)

    def summary_text(self) -> str:
        """Return the comparison as a table of plain text."""
        return summary_text(self)

    def report(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write one HTML file with the timelines and tables that can be read offline.

        Args:
            path: The file; an earlier report is replaced.
            force: Replace also a file that is no report.

        Raises:
            ExportError: The file cannot be written.
        """
        from gilscope.view.html.report import write_report  # noqa: PLC0415 - bokeh is slow to load

        write_report([self], path, title=f"gilscope: {self.title}", force=force)

    def export(
        self,
        path: str | os.PathLike[str],
        format: str | None = None,  # noqa: A002 - as export_file has it
        *,
        force: bool = False,
    ) -> Path:
        """Write the traces in a format that other tools read.

        With ``perfetto`` the runs that were watched for races are there, too, with their races.

        Args:
            path: The file.
            format: A key of ``gilscope.export.FORMATS``; by default as the name's end says.
            force: Replace a file that is there.

        Raises:
            ExportError: There is no such format, or the file cannot be written.
        """
        from gilscope.export import FORMATS, export_file  # noqa: PLC0415 - see report
        from gilscope.export.marks import race_marks  # noqa: PLC0415 - see report
        from gilscope.trace.reading.family import on_one_axis  # noqa: PLC0415 - see report

        ends = {exporter.suffix: name for name, exporter in FORMATS.items()}
        found = format or next((name for end, name in ends.items() if str(path).endswith(end)), "")
        if not found:
            raise ExportError(
                f"{path}: the name must end in {', '.join(ends)}, unless you give a format"
            )
        traces = on_one_axis([trace for _, trace in self.traces()])
        marks: list[list[Mark]] = []
        if found == "perfetto":
            marks = [[] for _ in traces]
            for run in self.watched:
                if run.trace is not None and (known := race_marks(run)):
                    traces.append(run.trace)
                    marks.append(known)
        return export_file(traces, found, path, force=force, marks=marks)

    @property
    def widget(self) -> TimelineWidget:
        """The live view that a notebook shows of the comparison: cells can read and drive it.

        It is closed when the last cell that showed it runs again; then this is a new one.

        Raises:
            GilscopeError: No run left a trace.
        """
        from gilscope.view.notebook.widget import TimelineWidget  # noqa: PLC0415 - see report

        shown: TimelineWidget | None = self.__dict__.get("_widget")
        if shown is None or shown.comm is None:
            shown = self.__dict__["_widget"] = TimelineWidget(self)
        return shown

    def to_pandas(self) -> Any:
        """Return :meth:`times` as a ``pandas.DataFrame``.

        Raises:
            GilscopeError: pandas is not installed; gilscope itself does not need it.
        """
        try:
            pandas = import_module("pandas")
        except ModuleNotFoundError:
            raise GilscopeError(
                "to_pandas() needs pandas: pip install pandas (summary() and times() do not)"
            ) from None
        return pandas.DataFrame(self.times())

    def _repr_html_(self) -> str:
        """Show the table in a notebook."""
        from html import escape  # noqa: PLC0415 - notebooks only

        return f"<pre>{escape(self.summary_text())}</pre>"
