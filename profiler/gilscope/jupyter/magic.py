"""``%profile_threads``, ``%races``, ``%lock_order``, of a line or a cell: parse, call, show."""

from __future__ import annotations

import linecache
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import no_var_expand, output_can_be_silenced
from IPython.display import display

from gilscope.errors import GilscopeError, Interrupted
from gilscope.jupyter import complete
from gilscope.jupyter.cell import CellError, CellInterrupted, Source, as_program, read_setup
from gilscope.jupyter.dump import check as check_file
from gilscope.jupyter.dump import dump
from gilscope.jupyter.here import check as check_here
from gilscope.jupyter.here import named, numbered, run_here
from gilscope.jupyter.options import (
    NAME,
    ORDER_NAME,
    RACES_NAME,
    HelpShown,
    make_order_parser,
    make_parser,
    make_races_parser,
    parse,
)
from gilscope.jupyter.printed import Printed
from gilscope.jupyter.shown import Shown
from gilscope.options import comparison as comparison_options
from gilscope.options import pythons
from gilscope.options import recording as recording_options
from gilscope.runner.schedule import LONG_S

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from gilscope.comparison import LockOrderResult, RacesResult, Run
    from gilscope.jupyter.options import MagicParser
    from gilscope.presentation import Comparison
    from gilscope.target.worker.carried import Carried


class ThreadMagics:
    """The magics of one shell."""

    def __init__(self, shell: Any) -> None:
        """Let results be shown as timelines wherever they appear in the notebook of ``shell``."""
        self.shell = shell
        self._shown: tuple[int, int] | None = None
        self._widgets = Shown(shell.events)
        shell.display_formatter.ipython_display_formatter.for_type_by_name(
            "gilscope.presentation", "Comparison", self._display
        )
        shell.display_formatter.formatters["text/html"].for_type_by_name(
            "gilscope.comparison.order", "LockOrderResult", _order_html
        )

    def profile_threads(self, line: str, cell: str | None = None) -> Comparison | None:
        """Run code under both builds and show the result; the line form also returns it."""
        return _worded(NAME, self._profile, line, cell)

    def races(self, line: str, cell: str | None = None) -> RacesResult | None:
        """Run code watched for races and show them; the line form also returns the result."""
        return _worded(RACES_NAME, self._races, line, cell)

    def lock_order(self, line: str, cell: str | None = None) -> LockOrderResult | None:
        """Run code watched for the order of locks; the line form also returns the result."""
        return _worded(ORDER_NAME, self._order, line, cell)

    def _profile(self, line: str, cell: str | None) -> Comparison | None:
        options, source = _source(line, cell, make_parser())
        if options.file:
            check_file(options.file)
        told = ""
        if options.here:
            comparison = self._here(source, 1 if cell is None else 2, options)
        else:
            comparison, told = self._compare(source, 1 if cell is None else 2, options)
        if options.name:
            self.shell.user_ns[options.name] = comparison
        if options.file:
            dump(comparison, options.file)
        _fail(comparison, told)
        return comparison if cell is None else None

    def _races(self, line: str, cell: str | None) -> RacesResult | None:
        from gilscope.comparison import watch_code  # noqa: PLC0415 - slow to load

        return self._watch(RACES_NAME, make_races_parser(), watch_code, line, cell)

    def _order(self, line: str, cell: str | None) -> LockOrderResult | None:
        from gilscope.comparison import watch_order  # noqa: PLC0415 - slow to load

        return self._watch(ORDER_NAME, make_order_parser(), watch_order, line, cell)

    def _watch[Result: (RacesResult, LockOrderResult)](
        self,
        name: str,
        parser: MagicParser,
        watch: Callable[..., Result],
        line: str,
        cell: str | None,
    ) -> Result | None:
        from gilscope.jupyter.show import Progress  # noqa: PLC0415 - slow to load

        options, source = _source(line, cell, parser)
        filename, code, carried = self._program(source, 1 if cell is None else 2, options)
        printed, progress = Printed(), Progress(live=self._live)
        try:
            result = watch(
                code,
                filename=filename,
                carried=carried,
                title=f"Cell {self._cell_number}",
                cwd=Path.cwd(),
                builds=options.builds,
                timeout=options.timeout,
                pythons=pythons(options),
                progress=progress.step,
                output=printed.take,
                display=printed.display,
            )
        finally:
            progress.done()
        sys.stderr.write(result.stderr)
        if options.name:
            self.shell.user_ns[options.name] = result
        failed = [run for run in result.runs if run.error]
        if cell is not None or failed:
            display(result)
        if failed:
            builds = " and ".join(run.build for run in failed)
            raise CellError(
                str(failed[0].error),
                f"{name}: the program failed ({builds}): {failed[0].error}",
            )
        return result if cell is None else None

    def _here(self, text: str, first_line: int, options: argparse.Namespace) -> Comparison:
        """Run ``text``, which starts at a line of the cell, in the kernel and show the result."""
        check_here(options)
        number = self._cell_number
        code = numbered(text, first_line)
        with named(self.shell, f"<cell {number}>"):
            comparison = run_here(self.shell, code, f"Cell {number}", recording_options(options))
        self._show(comparison)
        return comparison

    def _compare(
        self, text: str, first_line: int, options: argparse.Namespace
    ) -> tuple[Comparison, str]:
        """Run ``text``, which starts at a line of the cell, and show the result.

        Returns:
            That, and what was told above it about programs that hung.
        """
        from gilscope.comparison import compare_code  # noqa: PLC0415 - slow to load
        from gilscope.jupyter.show import Progress  # noqa: PLC0415 - slow to load
        from gilscope.presentation import Comparison  # noqa: PLC0415 - slow to load
        from gilscope.results.model import ComparisonData  # noqa: PLC0415 - slow to load

        filename, code, carried = self._program(text, first_line, options)
        printed = Printed()
        progress = Progress(live=self._live)
        try:
            found = compare_code(
                code,
                filename=filename,
                carried=carried,
                title=f"Cell {self._cell_number}",
                cwd=Path.cwd(),
                **comparison_options(options),
                fewer_after=None if options.repeat else LONG_S,
                progress=progress.step,
                output=printed.take,
                display=printed.display,
            )
        except Interrupted as interrupt:
            if isinstance(interrupt.found, ComparisonData):
                self._show(Comparison.of(interrupt.found))
            raise
        finally:
            progress.done()
        comparison = Comparison.of(found)
        printed.finish(comparison)
        self._show(comparison)
        return comparison, progress.told

    def _program(
        self, text: str, first_line: int, options: argparse.Namespace
    ) -> tuple[str, str, Carried]:
        """Return the typed code as a program: its file name, its source, the names it needs."""
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
        return filename, code, carried

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

        show(comparison, self._widgets, live=self._live)
        self._shown = (id(comparison), self._cell_number)

    def _display(self, comparison: Comparison) -> None:
        """Display a result that stands at the end of a cell, but not what was just shown."""
        if self._shown != (id(comparison), self._cell_number):
            self._show(comparison)


def _source(line: str, cell: str | None, parser: MagicParser) -> tuple[argparse.Namespace, str]:
    """Return the options and the code of a magic.

    Raises:
        UsageError: There is no code, or an option is off.
        HelpShown: The line asked for help.
    """
    options, statement = parse(line, parser)
    if cell is not None and statement:
        parser.error(f"the first line of a cell takes options only, not {statement!r}")
    source = statement if cell is None else cell
    if not source.strip():
        parser.error("no code to run")
    return options, source


def _worded[T](
    name: str, work: Callable[[str, str | None], T | None], line: str, cell: str | None
) -> T | None:
    """Do the work of a magic; errors name the magic.

    Raises:
        CellError: Something went wrong.
        CellInterrupted: The notebook's interrupt came.
    """
    try:
        return work(line, cell)
    except HelpShown:
        return None
    except CellError:
        raise
    except GilscopeError as error:
        raise CellError(str(error), f"{name}: {error}") from None
    except KeyboardInterrupt:
        raise CellInterrupted(f"{name}: interrupted") from None


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


def _order_html(result: LockOrderResult) -> str:
    from gilscope.config import BUILDS  # noqa: PLC0415 - when it is shown
    from gilscope.view.html.order import runs  # noqa: PLC0415 - when it is shown

    return runs(result.title, [(BUILDS[run.build], run.found, run.error) for run in result.runs])


def load_ipython_extension(shell: Any) -> None:
    """Register the magics with ``shell``."""
    magics = ThreadMagics(shell)

    def profile_threads(line: str, cell: str | None = None) -> Comparison | None:
        return magics.profile_threads(line, cell)

    def races(line: str, cell: str | None = None) -> RacesResult | None:
        return magics.races(line, cell)

    def lock_order(line: str, cell: str | None = None) -> LockOrderResult | None:
        return magics.lock_order(line, cell)

    profile_threads.__doc__ = make_parser().format_help()
    races.__doc__ = make_races_parser().format_help()
    lock_order.__doc__ = make_order_parser().format_help()
    complete.register(shell)
    named = ((profile_threads, NAME), (races, RACES_NAME), (lock_order, ORDER_NAME))
    for function, name in named:
        no_var_expand(function)
        output_can_be_silenced(function)
        shell.register_magic_function(function, "line_cell", name)
