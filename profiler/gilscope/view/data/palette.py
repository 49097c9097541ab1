"""What each state is called, and how it looks: colours by Okabe and Ito, height as second sign.

A state in which a thread makes no progress is drawn lower than one in which it runs, so that the
picture can be read without telling the colours apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from gilscope.analysis.states.state import State


@dataclass(frozen=True)
class Look:
    """How a state is shown.

    Attributes:
        label: Name for people.
        color: ``#rrggbb``.
        height: Height in a lane; 1 is the whole of it.
        stalled: The thread makes no progress: never drawn so small that it cannot be seen.
    """

    label: str
    color: str
    height: float
    stalled: bool


LOOKS: dict[State, Look] = {
    State.HOLDING_GIL: Look("holding the GIL", "#0072B2", 1.0, stalled=False),
    State.RUNNING: Look("running without the GIL", "#56B4E9", 1.0, stalled=False),
    State.WAITING_GIL: Look("waiting for the GIL", "#D55E00", 0.5, stalled=True),
    State.WAITING_LOCK: Look("waiting for a lock", "#E69F00", 0.5, stalled=True),
    State.STOPPED_WORLD: Look("stop-the-world", "#CC79A7", 0.5, stalled=True),
    State.BLOCKED: Look("blocked or asleep", "#999999", 0.25, stalled=True),
}
"""The states in the order of the legend."""

STACK: tuple[State, ...] = (
    State.WAITING_GIL,
    State.WAITING_LOCK,
    State.STOPPED_WORLD,
    State.BLOCKED,
    State.HOLDING_GIL,
    State.RUNNING,
)
"""From the bottom of a lane upwards, where several states share a column of pixels."""

LEAST = 6
"""A stalled state gets at least the LEASTth part of a lane's height, however short it was."""

STATES = len(State)
"""Number of states; their values are 0 to STATES - 1."""

CALLBACK = STATES
"""What a lane of callbacks shows where there is one; drawn like a state."""

ENTERING = STATES + 1
"""What a lane of callbacks shows where all of them wait to get in; hatched, see entering.py."""

NOTHING = STATES + 2
"""What the lanes of locks and callbacks show elsewhere; not drawn."""

KINDS = STATES + 3
"""Number of values that a segment's state may have."""

CALLBACK_LOOK = Look("callback into Python", "#009E73", 1.0, stalled=False)

ENTERING_LOOK = Look("callback waits to get into Python", "#009E73", 0.5, stalled=True)
"""Hatched, and over the rest of its lane: others of them may be in Python at that moment."""

READY_LOOK = Look("ready, waiting for a processor", "#F0E442", 0.25, stalled=False)
"""No state: it is known as a share of the time between two samples, see processor.py."""

READY_EDGE = "#8A7F00"
"""Around it: yellow alone is not seen on white."""

SPAN_LOOK = Look("named by the program", "#882255", 0.3, stalled=False)
"""Spans: a strip at the top of their thread's lane, each in the middle of the one around it."""

CURVES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Of the threads that have a processor, a curve a trace."""

DASHES = ("", "6", "2 4", "2 4 6 4", "6 4 2 4", "")
"""The same curves, for who does not tell the colours apart: pixels drawn and left out by turns."""

READY, SPAN = STATES + 1, STATES + 2
"""Values of their pixels in the static picture."""

MANY = 1_000_000
"""Intervals of a trace from which on a view is made from its index, not from each of them."""

BACKGROUND = "#F1F3F5"
"""Where a thread does not live."""

INK = "#1F2933"
MUTED = "#66717D"
ALARM = "#B42318"


def by_value(attribute: str) -> list[object]:
    """Return one attribute of all looks, in the order of the states' values."""
    return [getattr(LOOKS[state], attribute) for state in sorted(State)]
