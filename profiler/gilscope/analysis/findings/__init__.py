"""Problems that an expert would point out in a trace: one rule for each kind.

A rule is a function of `Facts` that yields findings and stays silent on clean code. A new one is
added to `RULES`, with a page in docs/findings/ and tests that it speaks up and stays silent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilscope.analysis.facts import Facts
from gilscope.analysis.findings.callbacks import chatty, serialised
from gilscope.analysis.findings.computing import computing
from gilscope.analysis.findings.forbidden import (
    ending_interpreter,
    not_attached,
    other_interpreter,
)
from gilscope.analysis.findings.gil import gil_enabled, ping_pong, starvation
from gilscope.analysis.findings.hangs import hangs
from gilscope.analysis.findings.hazards import native_mutex
from gilscope.analysis.findings.in_spans import with_spans
from gilscope.analysis.findings.locks import hot_locks, lock_convoy
from gilscope.analysis.findings.model import Finding, Jump
from gilscope.analysis.findings.native_hold import native_hold
from gilscope.analysis.findings.oversubscription import oversubscription
from gilscope.analysis.findings.shared_lines import shared_lines
from gilscope.analysis.findings.sharing import refcounts
from gilscope.analysis.findings.world import stop_the_world, thread_states
from gilscope.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gilscope.trace.model import Trace

type Rule = Callable[[Facts], Iterator[Finding]]

RULES: tuple[tuple[Rule, tuple[str, ...]], ...] = (
    (hangs, ("deadlock", "hang-abandoned-lock", "hang-spinning", "long-wait")),
    (gil_enabled, ("gil-reenabled",)),
    (ending_interpreter, ("native-thread-at-exit",)),
    (not_attached, ("not-attached",)),
    (other_interpreter, ("other-interpreter",)),
    (native_mutex, ("native-mutex-held-while-taking-gil",)),
    (serialised, ("serialised-callbacks",)),
    (chatty, ("chatty-callbacks",)),
    (computing, ("gil-bound-threads",)),
    (native_hold, ("gil-held-in-native-code",)),
    (lock_convoy, ("lock-convoy",)),
    (hot_locks, ("hot-object-lock", "hot-lock")),
    (stop_the_world, ("stop-the-world-storm",)),
    (thread_states, ("thread-state-churn",)),
    (shared_lines, ("refcount-hot-object", "shared-cache-line")),
    (refcounts, ("refcount-hot-object",)),
    (oversubscription, ("processor-oversubscription",)),
    (ping_pong, ("gil-ping-pong",)),
    (starvation, ("switch-interval-starvation",)),
)
"""Each rule with the names of what it may find."""

NAMES = tuple(dict.fromkeys(name for _, names in RULES for name in names))


def _order(one: Finding) -> tuple[int, bool, int, str]:
    return one.severity.rank, not one.hazard, -one.cost_ns, one.title


def find(trace: Trace | Facts) -> list[Finding]:
    """Return the findings: the most severe first, of these hazards, then the most expensive."""
    facts = trace if isinstance(trace, Facts) else Facts(trace)
    found = [with_spans(facts, finding) for rule, _ in RULES for finding in rule(facts)]
    return sorted(found, key=_order)


__all__ = ["NAMES", "RULES", "Facts", "Finding", "Jump", "Severity", "find"]
