"""``%profile_threads`` and ``%%profile_threads``: parse, call, show."""

from __future__ import annotations

import linecache
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import no_var_expand, output_can_be_silenced

from gilscope.errors import GilscopeError, Interrupted
from gilscope.jupyter import complete
from gilscope.jupyter.cell import CellError, Source, as_program, read_setup
from gilscope.jupyter.dump import check as check_file
from gilscope.jupyter.dump import dump
from gilscope.jupyter.here import check as check_here
from gilscope.jupyter.here import run_here
from gilscope.jupyter.options import NAME, HelpShown, make_parser, parse
from gilscope.options import comparison as comparison_options
from gilscope.options import recording as recording_options

if TYPE_CHECKING:
    import argparse

    from gilscope.comparison import Comparison, Run


class ThreadMagics:
    """The magics of one shell."""

    def __init__(self, shell: Any) -> None:
        """Let results be shown as timelines wherever they appear in the notebook of ``shell``."""
        self.shell = shell
        self._shown: tuple[int, int] | None = None
        shell.display_formatter.ipython_display_formatter.for_type_by_name(
            "gilscope.comparison.result", "Comparison", self._display
        )

    def profile_threads(self, line: str, cell: str | None = None) -> Comparison | None:
        """Run code under both builds and show what came out; a line returns it as well."""
        try:
            return self._profile(line, cell)
        except HelpShown:
            return None
        except CellError:
            raise
        except GilscopeError as error:
            raise CellError(str(error), f"{NAME}: {error}") from None

    def _profile(self, line: str, cell: str | None) -> Comparison | None:
        parser = make_parser()
        options, statement = parse(line, parser)
        if cell is not None and statement:
            parser.error(f"the first line of a cell takes options only, not {statement!r}")
        source = statement if cell is None else cell
        if not source.strip():
            parser.error("there is no code to run")
        if options.file:
            check_file(options.file)
        told = ""
        if options.here:
            comparison = self._here(source, options)
        else:
            comparison, told = self._compare(source, 1 if cell is None else 2, options)
        if options.name:
            self.shell.user_ns[options.name] = comparison
        if options.file:
            dump(comparison, options.file)
        _fail(comparison, told)
        return comparison if cell is None else None

    def _here(self, text: str, options: argparse.Namespace) -> Comparison:
        """Run ``text`` in the kernel and show what came out."""
        check_here(options)
        comparison = run_here(
            self.shell, text, f"Cell {self._cell_number}", recording_options(options)
        )
        self._show(comparison)
        return comparison

    def _compare(
        self, text: str, first_line: int, options: argparse.Namespace
    ) -> tuple[Comparison, str]:
        """Run ``text``, which starts at a line of the cell, and show what came out.

        Returns:
            That, and what was told above it about programs that hung.
        """
        from gilscope.comparison import Comparison, compare_code  # noqa: PLC0415 - slow to load
        from gilscope.jupyter.show import Progress  # noqa: PLC0415 - slow to load

        filename = f"<cell {self._cell_number}>"
        source = Source(text, filename, first_line)
        code, carried = as_program(
            source,
            self.shell.transform_cell,
            self.shell.user_ns,
            setup=read_setup(options.setup) if options.setup else None,
            inputs=options.inputs,
        )
        # Stacks show lines of the cell, which is no file.
        linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
        printed = _Printed()
        progress = Progress(live=self._live)
        try:
            comparison = compare_code(
                code,
                filename=filename,
                carried=carried,
                title=f"Cell {self._cell_number}",
                cwd=Path.cwd(),
                **comparison_options(options),
                progress=progress.step,
                output=printed.take,
            )
        except Interrupted as interrupt:
            if isinstance(interrupt.found, Comparison):
                self._show(interrupt.found)
            raise
        finally:
            progress.done()
        printed.finish(comparison)
        self._show(comparison)
        return comparison, progress.told

    @property
    def _cell_number(self) -> int:
        """Number of the cell that runs: the shell counts up before or after, as its version is."""
        return len(self.shell.history_manager.input_hist_parsed) - 1

    @property
    def _live(self) -> bool:
        """Whether a page shows the output, not a terminal."""
        return getattr(self.shell, "kernel", None) is not None

    def _show(self, comparison: Comparison) -> None:
        from gilscope.jupyter.show import show  # noqa: PLC0415 - slow to load

        show(comparison, live=self._live)
        self._shown = (id(comparison), self._cell_number)

    def _display(self, comparison: Comparison) -> None:
        """Display a result that stands at the end of a cell, but not what was just shown."""
        if self._shown != (id(comparison), self._cell_number):
            self._show(comparison)


class _Printed:
    """Shows what the program prints: of its first run under the first build, each line once."""

    def __init__(self) -> None:
        self._build: str | None = None

    def take(self, build: str, stream: str, text: str) -> None:
        """Take what the program prints; standard error is shown at the end, see ``finish``."""
        self._build = self._build or build
        if build == self._build and stream == "stdout":
            sys.stdout.write(text)
            sys.stdout.flush()

    def finish(self, comparison: Comparison) -> None:
        """Show standard error, without the traceback with which the cell is going to fail."""
        for run in comparison.runs[:1]:
            text = run.stderr.replace(run.traceback, "", 1) if run.traceback else run.stderr
            sys.stderr.write(text)


def _fail(comparison: Comparison, told: str) -> None:
    """Fail as the program failed, with its traceback unless it was ``told`` already.

    Raises:
        CellError: It failed under at least one build.
    """
    if not comparison.failed:
        return
    run: Run = comparison.failed[0]
    message = str(run.error)
    builds = " and ".join(failed.build for failed in comparison.failed)
    if run.traceback and run.traceback not in told:
        raise CellError(message, run.traceback) from None
    raise CellError(message, f"{NAME}: the program failed ({builds}): {message}") from None


def load_ipython_extension(shell: Any) -> None:
    """Register the magics with ``shell``."""
    magics = ThreadMagics(shell)

    def profile_threads(line: str, cell: str | None = None) -> Comparison | None:
        return magics.profile_threads(line, cell)

    profile_threads.__doc__ = make_parser().format_help()
    no_var_expand(profile_threads)
    output_can_be_silenced(profile_threads)
    complete.register(shell)
    shell.register_magic_function(profile_threads, "line_cell", NAME)
