"""The legend: what colours, heights, hatching, curves and arrows stand for, one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilscope.analysis.sampled_stacks import notes_of
from gilscope.view.data.palette import (
    CALLBACK_LOOK,
    CURVES,
    DASHES,
    ENTERING_LOOK,
    LOOKS,
    READY_EDGE,
    READY_LOOK,
    SPAN_LOOK,
)
from gilscope.view.data.processor import sampled
from gilscope.view.data.sampled_tracks import COLORS as SAMPLED_COLORS
from gilscope.view.data.words import build_name, short_name
from gilscope.view.html.markup import element, join, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilscope.trace.model import Trace

SIZE = 16  # pixels, of a sign
CURVE_WIDTH = 24

READY_HINT = "at the foot of a lane: its share of the time between two samples"
ARROW_HINT = "from a long wait to the thread that was waited for"
CURVE_HINT = "threads on a processor"

HATCH = (
    f'<svg y="{SIZE // 2}" width="{SIZE}" height="{SIZE // 2}">'
    f'<path d="M-2 8l8-8M4 8l8-8M10 8l8-8" stroke="{ENTERING_LOOK.color}" stroke-width="2"/></svg>'
    f'<rect x=".5" y="{SIZE // 2}.5" width="15" height="7" fill="none" '
    f'stroke="{ENTERING_LOOK.color}"/>'
)
ARROW = (
    '<path d="M8 16V5" stroke="currentColor" stroke-width="1.5"/>'
    '<path d="M4 7l4-6 4 6z" fill="currentColor"/>'
)


def legend(traces: Sequence[Trace], *, live: bool = False) -> str:
    """Return the signs of the states and of what else is drawn, each with its words.

    Args:
        traces: What is drawn.
        live: Whether arrows and curves are drawn, too; the static picture has none.
    """
    if not traces:
        return ""
    signs = [*_states(traces), *_details(traces), *(_live(traces) if live else ())]
    return element("div", join(signs), "legend")


def _states(traces: Sequence[Trace]) -> Iterator[str]:
    looks = [*LOOKS.values()]
    looks += [CALLBACK_LOOK] if any(len(trace.callbacks) for trace in traces) else []
    looks += [SPAN_LOOK] if any(len(trace.spans) for trace in traces) else []
    for look in looks:
        height = round(SIZE * look.height)
        yield _key(_block(SIZE - height, height, look.color), text(look.label))


def _details(traces: Sequence[Trace]) -> Iterator[str]:
    if any(trace.callbacks.enter_ns.any() for trace in traces):
        yield _key(HATCH, f"hatched: {text(ENTERING_LOOK.label)}")
    if sampled(traces):
        edge = f' stroke="{READY_EDGE}"'
        words = f"{text(READY_LOOK.label)} <small>{READY_HINT}</small>"
        yield _key(_block(11, 4, READY_LOOK.color, edge), words)
    if rated := [trace for trace in traces if trace.samples.rate]:
        notes = text("; ".join(dict.fromkeys(notes_of(rated))))
        parts = (
            f'<rect x="{4 * n}" y="11" width="4" height="5" fill="{color}"/>'
            for n, color in enumerate(SAMPLED_COLORS[:4])
        )
        yield _key("".join(parts), f"below a lane: the function that ran, <small>{notes}</small>")


def _live(traces: Sequence[Trace]) -> Iterator[str]:
    yield _key(ARROW, ARROW_HINT)
    for number, trace in enumerate(traces):
        place = number % len(CURVES)
        dash = f' stroke-dasharray="{DASHES[place]}"' if DASHES[place] else ""
        line = (
            f'<path class="curve-{place}" d="M0 8H{CURVE_WIDTH}" stroke="{CURVES[place]}"{dash}/>'
        )
        words = f"{CURVE_HINT}, {text(build_name(short_name(trace)))}"
        yield _key(line, words, CURVE_WIDTH)


def _block(top: int, height: int, color: str, more: str = "") -> str:
    return f'<rect y="{top}" width="{SIZE}" height="{height}" fill="{color}"{more}/>'


def _key(sign: str, words: str, width: int = SIZE) -> str:
    image = (
        f'<svg width="{width}" height="{SIZE}" viewBox="0 0 {width} {SIZE}" '
        f'stroke-width="2" aria-hidden="true">{sign}</svg>'
    )
    return f'<span class="key">{image}<span>{words}</span></span>'
