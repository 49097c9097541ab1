"""One comparison, as the views take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gilscope.trace.model import Trace


@dataclass(frozen=True)
class Section:
    """What a report, a widget or a picture shows of one comparison.

    Attributes:
        title: Heading.
        traces: Build (a key of ``config.BUILDS``) and trace of each run that has a trace, in the
            order of display.
        summary: The comparison's summary, as docs/summary.md describes it.
        hidden: Names of threads that are not shown at first, such as those of a kernel.
    """

    title: str
    traces: Sequence[tuple[str, Trace]]
    summary: Mapping[str, Any]
    hidden: frozenset[str] = frozenset()
