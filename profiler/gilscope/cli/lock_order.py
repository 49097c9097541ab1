"""``gilscope lock-order``: a program in this interpreter, watched for deadlocks to come."""

from __future__ import annotations

import _thread
import json
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gilscope
from gilscope.cli.markdown import escaped, item
from gilscope.cli.plain import say
from gilscope.cli.program_report import (
    OUTPUT_HELP,
    add_baseline,
    add_format,
    check_format,
    known_ids,
    left_out,
    made_at_end,
    marked,
    own_output,
    write,
)
from gilscope.cli.termination import terminate_as_exit
from gilscope.errors import UsageError
from gilscope.severity import Severity
from gilscope.target.worker.ending import leave
from gilscope.target.worker.program import run_as_main

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from gilscope.analysis.order.model import Found, Hazard
    from gilscope.target.again import Program
    from gilscope.target.descriptors import OwnDescriptor
    from gilscope.target.order.watch import Watch


FOUND = 1
MOST_HAZARDS = 20
TRACE_SUFFIX = ".gilscope"


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "lock-order",
        program=True,
        help="run a program in this interpreter and report deadlocks that can strike",
        description="Run a program as `python PROGRAM` would, in this interpreter, and report "
        "where its threads take locks in an order that can make them wait for each other for "
        "ever, although they did not in this run. Of a trace (FILE.gilscope), report what its "
        "contended locks show of that.",
        epilog="The report goes to standard error. With --json it goes to standard output, and the "
        "program's own output to standard error. Exit status: 1 if there is a hazard as severe as "
        "--fail-on, else the program's.",
    )
    add_format(parser, "text", "json", "html", "sarif", "markdown")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help=OUTPUT_HELP)
    parser.add_argument(
        "--confirm",
        action="store_true",
        help="run the program again for each hazard, hold threads where they ask so that the "
        "deadlock strikes, explain it, and end it",
    )
    parser.add_argument(
        "--fail-on",
        choices=tuple(map(str, Severity)),
        help="exit with status 1 if there is a hazard of this severity or above",
    )
    add_baseline(parser, "hazards")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Run the program and report its hazards.

    Raises:
        GilscopeError: There is no such program, or it cannot be watched.
    """
    # Not loaded for other commands: it imports more than they may leave in a program.
    from gilscope.target.order.watch import Watch  # noqa: PLC0415

    program = options.program
    program.check()
    check_format(options)
    known = known_ids(options, "lock-order")
    if program.kind == "script" and program.value.endswith(TRACE_SUFFIX):
        return _of_trace(options, known)
    before = None
    if options.confirm:
        from gilscope.target.again import Program  # noqa: PLC0415 - on request only

        # It keeps what a further run needs: the first one may change the process.
        before = Program(program.kind, program.value, program.args, program.filename)
    descriptor, title = own_output(options), program.title
    watched = _Watched(Watch(), lambda found: _tell(found, options, descriptor, title, known))
    outcome = run_as_main(
        program, watched.session(), is_of_package=True, at_end=watched.watch.see_exit
    )
    found = watched.found()
    if before is not None:
        with terminate_as_exit():
            found = _confirmed(before, found)
    return FOUND if _tell(found, options, descriptor, title, known) else leave(outcome)


class _Watched:
    """The watch of a program."""

    def __init__(self, watch: Watch, tell: Callable[[Found], bool]) -> None:
        """Watch nothing yet.

        Args:
            watch: The watch.
            tell: Writes the report, if the program leaves before it can come back here; whether
                that is a failure.
        """
        self.watch = watch
        self._recorded: dict[str, Any] = {}
        self._tell = tell
        self._ends = _thread.allocate_lock()  # one thread ends the watch

    @contextmanager
    def session(self) -> Iterator[None]:
        """Watch while the block runs."""
        from gilscope.target.recording.lookout import hangs_are_said  # noqa: PLC0415 - as above
        from gilscope.target.worker.leaving import at_exit_at_once  # noqa: PLC0415 - as above

        self.watch.begin()
        try:
            with hangs_are_said(), at_exit_at_once(self._leave):
                yield
        finally:
            with self._ends, made_at_end():
                self._recorded = self.watch.end()

    def _leave(self, status: int) -> int:
        self._ends.acquire()  # for good
        self._recorded = self.watch.end()
        return FOUND if self._tell(self.found()) else status

    def found(self) -> Found:
        """Return what the watch found."""
        with made_at_end():
            # The program has ended: only now may more be loaded.
            from gilscope.analysis.order.hazards import find  # noqa: PLC0415
            from gilscope.analysis.order.model import Found  # noqa: PLC0415
            from gilscope.analysis.order.recorded import Recorded  # noqa: PLC0415

            return find(Recorded(self._recorded)) if self._recorded else Found((), 0, 0, 0, ())


def _of_trace(options: argparse.Namespace, known: frozenset[str]) -> int:
    """Report what a trace shows.

    Raises:
        TraceError: It cannot be read.
        UsageError: An option needs the program itself.
    """
    if options.confirm or options.program.args:
        what = "--confirm" if options.confirm else "arguments"
        raise UsageError(f"a trace takes no {what}: run the program itself")
    with gilscope.reader_side():
        from gilscope.analysis.order.traced import find_in  # noqa: PLC0415 - loaded on demand
    descriptor = own_output(options)
    found = find_in(gilscope.open(options.program.value))
    return FOUND if _tell(found, options, descriptor, options.program.title, known) else 0


def _tell(
    found: Found,
    options: argparse.Namespace,
    descriptor: OwnDescriptor | None,
    title: str,
    known: frozenset[str],
) -> bool:
    """Write the report; whether it has a new hazard as severe as --fail-on."""
    with made_at_end():
        report = _report(found, options.format, title, known)
    write(report, options, descriptor)
    worst = _new(found, known).worst() if options.fail_on else None
    return worst is not None and worst.rank <= Severity(options.fail_on).rank


def _new(found: Found, known: frozenset[str]) -> Found:
    return replace(found, hazards=tuple(one for one in found.hazards if one.id not in known))


def _report(found: Found, form: str, title: str, known: frozenset[str]) -> str:
    """Return the report in one of the formats."""
    if form == "json":
        return json.dumps({"cycles": marked(found.as_json()["cycles"], known)})
    if form == "sarif":
        from gilscope.export.sarif import document, of_hazard  # noqa: PLC0415 - on request only

        results = [of_hazard(one, known) for one in found.hazards]
        return json.dumps(document(results, gilscope.__version__), indent=2)
    if form == "markdown":
        return _markdown(found, title, known)
    new = _new(found, known)
    if form == "html":
        from gilscope.view.html.order import page  # noqa: PLC0415 - on request only

        return page(new, title)
    from gilscope.analysis.order.text import text  # noqa: PLC0415 - when the program has ended

    return text(new) + left_out(len(found.hazards) - len(new.hazards), "hazard", "hazards")


def _markdown(found: Found, title: str, known: frozenset[str]) -> str:
    from gilscope.analysis.order.text import step_lines, summary  # noqa: PLC0415 - as above

    lines = [f"### Deadlocks to come in `{title}`", ""]
    for one in found.hazards:
        marks = [str(one.severity)] + ["suspected"] * one.suspected + ["known"] * (one.id in known)
        steps = [
            f"{step_lines(step)[0].strip().rstrip(':')}" + (f" at `{at}`" if at else "")
            for step in one.steps
            for at in [step.place]
        ]
        lines += item(one.title, marks, one.kind, steps, one.advice)
    said = [escaped(line) for line in summary(found).splitlines()]
    return "\n".join([*lines, "" if found.hazards else "No hazards.", *said])


def _confirmed(program: Program, found: Found) -> Found:
    """Return the hazards as they are after a further run for each of the first `MOST_HAZARDS`."""
    limit = program.limit()
    hazards = []
    for number, hazard in enumerate(found.hazards, 1):
        said = f"not tried: the limit is {MOST_HAZARDS} hazards"
        if number <= MOST_HAZARDS:
            which = f"hazard {number} of {len(found.hazards)}"
            said = _confirmation(program, hazard, which, limit)
        suspected = hazard.suspected and not said.startswith("confirmed")
        hazards.append(replace(hazard, confirmation=said, suspected=suspected))
    return replace(found, hazards=tuple(hazards))


def _confirmation(program: Program, hazard: Hazard, which: str, limit: float) -> str:
    """Run the program again for one hazard; return what it did."""
    from gilscope.target.order.confirm import confirm  # noqa: PLC0415 - on request only
    from gilscope.target.order.holds import Place  # noqa: PLC0415

    if hazard.kind == "fork-with-lock":
        return "not tried: threads are held where they ask, not where they fork"
    if hazard.kind == "native-thread-at-exit":
        return "not tried: it was seen to call Python in time, and what follows is up to Python"
    places, owing = [], []
    for step in hazard.steps:
        at = step.program_place
        if at is None:
            return (
                "not tried: a thread asks in native code that no Python code of the program calls"
            )
        place = Place(at.file, at.function, at.first_line, at.instruction)
        places.append(place)
        if step.owed:
            owing.append(place)
    say(f"gilscope: confirming {which}: {hazard.title}", sys.stderr)
    return confirm(program, places, owing, limit)
