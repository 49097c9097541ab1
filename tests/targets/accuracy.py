"""Holds of the GIL and waits for it whose lengths the program knows itself."""

from __future__ import annotations

import timed
from scenario import main, scenario

from gilscope.target.recording import session as probe

TURNS = 200
HOLD_NS = 300_000


@scenario
def turns(trace: str) -> dict[str, object]:
    """One native thread holds the GIL for a known time while another one waits for it."""
    probe.start(trace)
    names = ("hold_inner", "hold_outer", "wait_inner", "wait_outer", "holder", "waiter")
    facts = dict(zip(names, timed.turns(TURNS, HOLD_NS), strict=True))
    counts = probe.stop()
    return {**facts, **counts, "turns": TURNS, "hold_ns": HOLD_NS}


if __name__ == "__main__":
    main()
