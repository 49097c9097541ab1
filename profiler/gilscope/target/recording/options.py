"""How a process is recorded: one set of options for the API, commands, magic, workers and children.

A new option is a field of `RecordingOptions`, and the code that acts on it. What its metadata says
of it makes the option of the commands and of the magic (`gilscope.options`).
"""

from __future__ import annotations

from typing import Any

from gilscope.config import DEFAULT_MAX_BYTES
from gilscope.errors import UsageError
from gilscope.target.frozen import Frozen, field
from gilscope.target.recording.conditions import HANG, condition

MIN_BYTES = 8 << 20
"""The least that a trace may be limited to, in bytes: a few chunks for each of some threads."""

MAX_BYTES = 1 << 44
"""The most that a trace may be limited to, in bytes: what a process can map."""

ANYWHERE = ("run", "compare", "magic", "here")
"""The commands `run` and `compare`, and the magic, which runs code elsewhere or in its kernel."""

HANG_ACTIONS = ("report", "end", "off")
"""What may be done when the program hangs."""

MOST_SAMPLES = 1000
"""The most samples of stacks, a second."""

_FACTORS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def size(text: str) -> int:
    """Parse a number of bytes, with K, M or G behind it for powers of 1024.

    Raises:
        ValueError: It is not such a number.
    """
    factor = _FACTORS.get(text[-1:].upper(), 1)
    digits = text[:-1] if factor > 1 else text
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{text!r} is not a size in bytes, such as 500M")
    return int(digits) * factor


def hang_action(text: str) -> str:
    """Parse what to do when the program hangs.

    Raises:
        ValueError: It is none of `HANG_ACTIONS`.
    """
    if not _is_hang_action(text):
        raise ValueError(f"{text!r} is none of {', '.join(HANG_ACTIONS)}")
    return text


def _is_hang_action(text: str) -> bool:
    """Whether it is one of `HANG_ACTIONS`, or ``signal:N``, which programs give that handle it."""
    kind, _, number = text.partition(":")
    return text in HANG_ACTIONS or (kind == "signal" and number.isdecimal())


def sample_rate(text: str) -> int:
    """Parse how often a second stacks are sampled.

    Raises:
        ValueError: It is not a whole number in the range.
    """
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_SAMPLES):
        raise ValueError(f"{text!r} is not a number of samples a second, 1 to {MOST_SAMPLES}")
    return int(text)


def _option(names: str, text: str, *, default: Any, **more: Any) -> Any:
    """Describe a field by the names of its options, their help, and more of `options.Option`."""
    return field(default=default, metadata={"names": names.split(), "help": text, **more})


class RecordingOptions(Frozen):
    """How a process is recorded.

    Attributes:
        max_bytes: Maximum size of the trace file; events that do not fit are counted, not kept.
        ring: At that size, replace the oldest events with the latest ones, and count those.
        follow_children: Also record the Python processes that this one starts, each in a trace of
            its own beside that of its parent, with the same options.
        native_locks: Also record waits for locks of native code: the mutexes, read-write locks and
            condition variables of extension modules and their libraries.
        on_hang: ``report``: when the program hangs, print on stderr, and write to the trace, which
            thread waits for which; ``end``: then also end it; ``signal:N``: then also send it that
            signal, and end it if it still hangs; ``off``: do not look for hangs.
        when: With ``ring``: a wait that is too long, such as ``gil_wait > 50 ms``, or ``hang``; a
            snapshot is then written beside the trace. Empty: none is.
        sample: How often a second the Python stacks of all threads are sampled from outside, by
            py-spy where it can read the build; 0: not at all.
    """

    max_bytes: int = _option(
        "--max-bytes",
        "maximum size of each trace, e.g. 500M (default 1G)",
        parse=size,
        metavar="SIZE",
        default=DEFAULT_MAX_BYTES,
        where=ANYWHERE,
    )
    ring: bool = _option(
        "--ring",
        "when the trace is full, replace the oldest events with the latest ones",
        default=False,
        where=("run",),
    )
    follow_children: bool = _option(
        "--children",
        "also record the Python processes that the program starts (os.fork, multiprocessing, "
        "concurrent.futures), each in a file with its process id in the name",
        default=False,
        where=("run",),
    )
    native_locks: bool = _option(
        "--native-locks --no-native-locks",
        "record waits for locks of native code such as pthread mutexes and std::mutex "
        "(default: yes)",
        default=True,
        where=ANYWHERE,
    )

    on_hang: str = _option(
        "--on-hang",
        "what to do when the program hangs: report (the default) prints on stderr, and writes to "
        "the trace, which thread waits for which; end also ends the program; off does not look",
        default="report",
        parse=hang_action,
        metavar="ACTION",
        where=("run",),
        proposals=HANG_ACTIONS,
    )

    when: str = _option(
        "--when",
        "with --ring: write a snapshot beside the trace when a wait is longer, such as "
        "'gil_wait > 50 ms', 'lock_wait > 1 s' or 'pause > 20 ms', or on a 'hang'; at most every "
        "10 s",
        default="",
        parse=condition,
        metavar="CONDITION",
        where=("run",),
    )

    sample: int = _option(
        "--sample",
        "also sample the Python stacks of all threads, at this rate a second, by py-spy where it "
        "can read the build: what ran while others waited; e.g. 100",
        default=0,
        parse=sample_rate,
        metavar="RATE",
        where=("run", "compare", "magic", "here"),
        proposals=("100",),
    )

    def _check(self) -> None:
        """Check the values.

        Raises:
            UsageError: One of them is out of range.
        """
        if not _is_hang_action(self.on_hang):
            raise UsageError(f"on_hang is one of {', '.join(HANG_ACTIONS)}, not {self.on_hang!r}")
        if self.when:
            try:
                condition(self.when)
            except ValueError as error:
                raise UsageError(str(error)) from None
            if not self.ring:
                raise UsageError("when writes a ring down: it takes ring=True (--ring)")
            if self.when.strip() == HANG and self.on_hang == "off":
                raise UsageError("when='hang' watches for hangs: it does not go with on_hang='off'")
        for name, value in (("sample", self.sample), ("max_bytes", self.max_bytes)):
            if not isinstance(value, int):
                raise UsageError(f"{name} is a whole number, not {value!r}")
        if not 0 <= self.sample <= MOST_SAMPLES:
            raise UsageError(f"sample is 0 to {MOST_SAMPLES} a second, not {self.sample}")
        if not MIN_BYTES <= self.max_bytes <= MAX_BYTES:
            raise UsageError(
                f"the maximum size of a trace is {MIN_BYTES} to {MAX_BYTES} bytes, "
                f"not {self.max_bytes}"
            )
