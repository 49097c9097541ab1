"""The options of ``gilscope run``, ``gilscope compare`` and the magic, each described once.

The parsers are built from this table, so the same option has the same name, meaning, limits and
messages everywhere. Standard library only.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gilscope.config import BUILDS, DEFAULT_BUILDS, PYTHON_OPTIONS
from gilscope.errors import UsageError
from gilscope.target.recording.options import RecordingOptions

if TYPE_CHECKING:
    from collections.abc import Callable

RUN, COMPARE, MAGIC, HERE, WATCH = "run", "compare", "magic", "here", "watch"
"""Where options apply: two commands, the magic, the magic with ``--here``, those that watch."""

REPEAT = 3
"""How often each build is timed and recorded, unless a number is asked for."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option.

    Attributes:
        names: As it is written; a second one that begins with ``--no-`` switches it off.
        dest: Name of the value; a field of `RecordingOptions` or an argument of `compare_target`.
        help: One line for people.
        where: Where it applies.
        default: The value without it.
        parse: Text → value, raising ValueError with a message; None for a switch.
        metavar: What stands for the value in the help.
        proposals: Values that a notebook proposes.
    """

    names: tuple[str, ...]
    dest: str
    help: str
    where: tuple[str, ...]
    default: Any = None
    parse: Callable[[str], Any] | None = None
    metavar: str | None = None
    proposals: tuple[str, ...] = ()

    def add(self, parser: argparse.ArgumentParser) -> None:
        """Add it to a parser."""
        if self.parse is None:
            switch = argparse.BooleanOptionalAction if len(self.names) > 1 else "store_true"
            parser.add_argument(
                self.names[0], dest=self.dest, action=switch, default=self.default, help=self.help
            )
            return
        parser.add_argument(
            self.names[0],
            dest=self.dest,
            type=argument(self.parse),
            default=self.default,
            metavar=self.metavar,
            help=self.help,
        )


def argument[T](parse: Callable[[str], T]) -> Callable[[str], T]:
    """Return ``parse`` as a type for argparse, which then shows the message of its ValueError."""

    def parsed(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parsed


def whole_number(text: str) -> int:
    """Parse a whole number of 1 or more.

    Raises:
        ValueError: It is not such a number.
    """
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def whole_numbers(text: str) -> tuple[int, ...]:
    """Parse a comma-separated list of whole numbers.

    Raises:
        ValueError: It is not such a list.
    """
    words = text.split(",")
    if not all(word.isascii() and word.isdigit() for word in words):
        raise ValueError(f"{text!r} is not a list of whole numbers such as 1,2,4")
    return tuple(map(int, words))


def seconds(text: str) -> float:
    """Parse a time limit.

    Raises:
        ValueError: It is not a finite number of seconds above 0.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError(f"{text!r} is not a number of seconds greater than 0")
    return value


def builds(text: str) -> tuple[str, ...]:
    """Parse a comma-separated list of builds, each named once.

    Raises:
        ValueError: One is unknown, or named twice.
    """
    words = tuple(text.split(","))
    for word in words:
        if word not in BUILDS:
            raise ValueError(f"unknown build {word!r}: choose from {', '.join(BUILDS)}")
    if len(set(words)) != len(words):
        raise ValueError(f"{text!r} names a build twice")
    return words


def _of_recording() -> tuple[Option, ...]:
    """Return the options that the fields of `RecordingOptions` describe."""
    return tuple(
        Option(
            dest=name,
            default=one.default,
            **{**one.metadata, "names": tuple(one.metadata["names"])},
        )
        for name, one in RecordingOptions.fields().items()
    )


OPTIONS = (
    Option(
        names=("--builds",),
        dest="builds",
        parse=builds,
        default=DEFAULT_BUILDS,
        metavar="BUILD,BUILD",
        help=f"builds to run, in the order of display, from {','.join(BUILDS)} (default gil,ft); "
        "ft-gil is the free-threaded build with its GIL on: it shows what that build itself costs",
        where=(COMPARE, MAGIC, WATCH),
        proposals=(",".join(DEFAULT_BUILDS), *BUILDS),
    ),
    Option(
        names=("--repeat",),
        dest="repeat",
        parse=whole_number,
        metavar="N",
        help=f"timed runs and recorded runs of each build (default {REPEAT})",
        where=(COMPARE, MAGIC),
    ),
    Option(
        names=("--threads",),
        dest="threads",
        parse=whole_numbers,
        default=(),
        metavar="N,N",
        help="run with each of these numbers of threads and record the highest one; the program "
        "reads its number from the environment variable GILSCOPE_THREADS",
        where=(COMPARE, MAGIC),
    ),
    Option(
        names=("--affinity",),
        dest="affinity",
        parse=whole_numbers,
        default=(),
        metavar="CPU,CPU",
        help="processors to run on",
        where=(COMPARE, MAGIC),
    ),
    Option(
        names=("--races",),
        dest="races",
        default=False,
        help="run each build once more to look for races, and list which races both builds have "
        "and which only one has; this run takes several times as long and is not timed",
        where=(COMPARE, MAGIC),
    ),
    Option(
        names=("--lock-order",),
        dest="lock_order",
        default=False,
        help="run each build once more to look for deadlocks that can strike; this run is not "
        "timed",
        where=(COMPARE, MAGIC),
    ),
    Option(
        names=("--timeout",),
        dest="timeout",
        parse=seconds,
        metavar="SECONDS",
        help="time limit of each run",
        where=(COMPARE, MAGIC, WATCH),
    ),
    *(
        Option(
            names=(name,),
            dest=f"python_{build}",
            parse=str,
            metavar="PATH",
            help=f"interpreter of the {BUILDS[build]}",
            where=(COMPARE, MAGIC, WATCH),
        )
        for build, name in PYTHON_OPTIONS.items()
    ),
    *_of_recording(),
)


def add_options(parser: argparse.ArgumentParser, where: str) -> None:
    """Add the options that apply at a place to its parser."""
    for option in OPTIONS:
        if where in option.where:
            option.add(parser)


def check_here(values: argparse.Namespace) -> None:
    """Refuse options of the magic that need a process of their own.

    Raises:
        UsageError: One of them was given.
    """
    for option in OPTIONS:
        given = getattr(values, option.dest, option.default) != option.default
        if given and HERE not in option.where:
            raise UsageError(
                f"{option.names[0]} does not go with --here, which runs the code once in this "
                "kernel"
            )


def recording(values: argparse.Namespace) -> RecordingOptions:
    """Return how to record.

    Raises:
        UsageError: A value is out of range.
    """
    known = RecordingOptions.fields()
    return RecordingOptions(**{n: v for n, v in vars(values).items() if n in known})


def comparison(values: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of `compare_target` that the options stand for.

    Raises:
        UsageError: A value is out of range.
    """
    given = vars(values)
    names = ("builds", "threads", "affinity", "timeout", "races", "lock_order")
    return {
        **{name: given[name] for name in names},
        "repeat": given["repeat"] or REPEAT,
        "pythons": pythons(values),
        "recording": recording(values),
    }


def pythons(values: argparse.Namespace) -> dict[str, str]:
    """Return the interpreters that were named, by the keys of ``config.PYTHON_OPTIONS``."""
    found = {build: getattr(values, f"python_{build}") for build in PYTHON_OPTIONS}
    return {build: path for build, path in found.items() if path}
