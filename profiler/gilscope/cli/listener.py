"""The output on a terminal while a comparison runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

from rich.console import Console

from gilscope.cli.plain import say
from gilscope.config import BUILDS

if TYPE_CHECKING:
    from gilscope.results.model import ComparisonData

type Printed = dict[str, str]
"""Text by stream: ``stdout`` and ``stderr``."""


class Listener:
    """Passes the program's output on, and says on standard error what runs next.

    The first build's output appears as it comes; that of the others appears only if it differs,
    when the run is over.
    """

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._status = self._console.status("")
        self._printed: dict[str, Printed] = {}
        self._told = ""  # what is not for a moment only
        self._late: str | None = None  # the build whose output waits until its run is over

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()
        self._show_late()

    def progress(self, line: str) -> None:
        """Show the next step; other lines stay on the terminal."""
        self._show_late()
        if not line.startswith("["):
            self._told += line
        elif self._console.is_terminal:
            self._status.update(line)
            self._status.start()
            return
        self._say(line.rstrip())

    def output(self, build: str, stream: str, text: str) -> None:
        """Take what the program printed."""
        printed = self._printed.setdefault(build, {"stdout": "", "stderr": ""})
        printed[stream] += text
        if build == next(iter(self._printed)):
            self._show(stream, text)
        else:
            self._late = build

    def show_unseen(self, comparison: ComparisonData) -> None:
        """Show the output of a program that failed in a later run."""
        shown = [printed["stderr"] for printed in self._printed.values()]
        for run in comparison.failed:
            if run.stderr not in shown and run.stderr:
                shown.append(run.stderr)
                self._say(f"{BUILDS[run.build]}, the run that failed:")
                self._show("stderr", run.stderr)
            # For a program that reached its time limit; a deadlock was shown at once.
            if run.traceback and run.traceback not in run.stderr + self._told:
                self._say(f"{BUILDS[run.build]}: {run.error}")
                self._show("stderr", run.traceback)

    def _show_late(self) -> None:
        build, self._late = self._late, None
        if build is None:
            return
        shown = next(iter(self._printed.values()))
        for stream, text in self._printed[build].items():
            if text != shown[stream]:
                self._say(f"{BUILDS[build]}, what the program printed:")
                self._show(stream, text)

    def _show(self, stream: str, text: str) -> None:
        self._status.stop()  # its line would mix with the program's
        target = sys.stderr if stream == "stderr" else sys.stdout
        target.write(text)
        target.flush()

    def _say(self, line: str) -> None:
        self._status.stop()
        say(f"gilscope: {line}", sys.stderr)
