"""``gilscope races``: a program in this interpreter, watched for races. Standard library only."""

from __future__ import annotations

import _thread
import json
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope import __version__
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
from gilscope.options import argument, whole_number
from gilscope.race import DEFAULT_MAX_VARIABLES, GRADES, Races
from gilscope.target.worker.ending import leave
from gilscope.target.worker.program import run_as_main

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from gilscope.target.descriptors import OwnDescriptor
    from gilscope.target.races.watch import Watch


FOUND = 1


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "races",
        program=True,
        help="run a program in this interpreter and report its races",
        description="Run a program as `python PROGRAM` would, in this interpreter, and report what "
        "its threads do to each other's data without order: under the GIL, what breaks without "
        "it. Its own code is watched, not the standard library and not site-packages.",
        epilog="The report goes to standard error. With --json it goes to standard output, and the "
        "program's own output to standard error. Exit status: 1 if there is a race as severe as "
        "--fail-on, else the program's.",
    )
    add_format(parser, "text", "json", "sarif", "markdown")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help=OUTPUT_HELP)
    parser.add_argument(
        "--suspected",
        action="store_true",
        help="also report accesses that only chance ordered in this run: no common "
        "lock, and nothing that must come first",
    )
    parser.add_argument(
        "--all",
        dest="everything",
        action="store_true",
        help="also report writes and reads without order that show no sign of harm",
    )
    parser.add_argument(
        "--watch",
        action="append",
        default=[],
        dest="packages",
        metavar="PACKAGE",
        help="watch this package, too, wherever it is installed; more than one may be named",
    )
    parser.add_argument(
        "--watch-only",
        action="store_true",
        help="watch only what --watch names",
    )
    parser.add_argument(
        "--max-variables",
        type=argument(whole_number),
        default=DEFAULT_MAX_VARIABLES,
        metavar="N",
        help="the most variables to remember (default 4000000, 64 bytes each)",
    )
    parser.add_argument(
        "--confirm",
        action="store_true",
        help="run the program again for each race, hold threads at its accesses so that it "
        "happens, and report the effect",
    )
    parser.add_argument(
        "--native",
        action="store_true",
        help="find races in the native code of extensions instead: runs the program under an "
        "interpreter that is built for ThreadSanitizer, see `gilscope setup`",
    )
    parser.add_argument(
        "--tsan-python",
        metavar="PATH",
        help="that interpreter; by default the environment of `gilscope setup --tsan`",
    )
    parser.add_argument(
        "--fail-on",
        choices=["witnessed", "certain"],
        help="exit with status 1 if there is a race of this grade or a better proved one",
    )
    add_baseline(parser, "races")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Run the program and report its races.

    Raises:
        GilscopeError: There is no such program, or it cannot be watched.
    """
    # Not loaded for other commands: it imports more than they may leave in a program.
    from gilscope.target.races.watch import Watch  # noqa: PLC0415

    program = options.program
    program.check()
    check_format(options)
    known = known_ids(options, "races")
    if options.watch_only and not options.packages:
        raise UsageError("--watch-only watches nothing without --watch PACKAGE")
    if options.native:
        return _native(options, known)
    settings = {
        "packages": [*options.packages, *program.packages],
        "only": options.watch_only,
        "max_variables": options.max_variables,
        "suspected": options.suspected,
        "everything": options.everything,
    }
    before = None
    if options.confirm:
        from gilscope.target.again import Program  # noqa: PLC0415 - on request only

        # It keeps what a further run needs: the first one may change the process.
        before = Program(program.kind, program.value, program.args, program.filename)
    descriptor = own_output(options)
    watched = _Watched(Watch(**settings), lambda found: _tell(found, options, descriptor, known))
    outcome = run_as_main(program, watched.session(), is_of_package=True)
    found = watched.found
    found.ended_by = outcome.error or ""
    if before is not None:
        from gilscope.target.races.confirm import confirm  # noqa: PLC0415 - on request only

        with terminate_as_exit():
            found = confirm(before, settings, found, _say, outcome.error)
    return FOUND if _tell(found, options, descriptor, known) else leave(outcome)


class _Watched:
    """The watch of a program.

    Attributes:
        found: What it found.
    """

    def __init__(self, watch: Watch, tell: Callable[[Races], bool]) -> None:
        """Watch nothing yet.

        Args:
            watch: The watch.
            tell: Writes the report, if the program leaves before it can come back here; whether
                that is a failure.
        """
        self.found = Races()
        self._watch = watch
        self._tell = tell
        self._ends = _thread.allocate_lock()  # one thread ends the watch

    @contextmanager
    def session(self) -> Iterator[None]:
        """Watch while the block runs."""
        from gilscope.target.recording.lookout import hangs_are_said  # noqa: PLC0415 - as above
        from gilscope.target.worker.leaving import at_exit_at_once  # noqa: PLC0415 - as above

        self._watch.begin()
        try:
            with hangs_are_said(), at_exit_at_once(self._leave):
                yield
        finally:
            with self._ends, made_at_end():
                self.found = self._watch.end()

    def _leave(self, status: int) -> int:
        self._ends.acquire()  # for good
        return FOUND if self._tell(self._watch.end()) else status


def _tell(
    found: Races,
    options: argparse.Namespace,
    descriptor: OwnDescriptor | None,
    known: frozenset[str],
) -> bool:
    """Write the report; whether it has a new race as severe as --fail-on."""
    with made_at_end():
        report = _report(found, options, known)
    write(report, options, descriptor)
    return bool(options.fail_on) and _fails(_new(found, known), options.fail_on)


def _new(found: Races, known: frozenset[str]) -> Races:
    return replace(found, races=[race for race in found if race.id not in known])


def _say(line: str) -> None:
    say(f"gilscope: {line}", sys.stderr)


def _native(options: argparse.Namespace, known: frozenset[str]) -> int:
    """Find races in native code.

    Raises:
        GilscopeError: The run could not have found any.
    """
    # Python's own races need none of it.
    from gilscope.runner.tsan_interpreter import find  # noqa: PLC0415
    from gilscope.runner.tsan_run import find_native_races  # noqa: PLC0415

    for name in ("confirm", "suspected", "everything", "packages", "watch_only"):
        if getattr(options, name):
            raise UsageError("--native takes --json, -o, --fail-on and --tsan-python only")
    descriptor = own_output(options)
    found, status = find_native_races(options.program, find(options.tsan_python))
    if _tell(found, options, descriptor, known):
        return FOUND
    return status if status >= 0 else 128 - status


def _report(found: Races, options: argparse.Namespace, known: frozenset[str]) -> str:
    name = options.format
    if name == "text":
        new = _new(found, known)
        return f"{new}{left_out(len(found.races) - len(new.races), 'race', 'races')}"
    if name == "json":
        return json.dumps({"races": marked(found.as_json()["races"], known)})
    if name == "markdown":
        return _markdown(found, options.program.title, known)
    # The program has ended: only now may more be loaded.
    from gilscope.export.sarif import document, of_race  # noqa: PLC0415

    return json.dumps(document([of_race(race, known) for race in found], __version__), indent=2)


def _markdown(found: Races, title: str, known: frozenset[str]) -> str:
    lines = [f"### Races in `{title}`", ""]
    for race in found:
        marks = [race.grade] + ["known"] * (race.id in known)
        places = [
            f"{access.what} by thread {access.thread} at `{access.place.file}:{access.place.line}`"
            for access in race.accesses
        ]
        lines += item(race.title, marks, race.kind, [race.what_happened, *places], race.advice)
    return "\n".join([*lines, "" if found.races else "No races.", escaped(found.summary_line)])


def _fails(found: Races, grade: str) -> bool:
    worst = found.worst()
    return worst is not None and GRADES.index(worst) >= GRADES.index(grade)
