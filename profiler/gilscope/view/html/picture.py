"""The timelines as one static SVG, for places where nothing runs: saved notebooks, print, mail.

The lanes of a trace are embedded as one small PNG image, so that its size hardly depends on what
happened.
"""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from gilscope.text import shortened
from gilscope.view.data import palette
from gilscope.view.data.columns import Columns, columns_of
from gilscope.view.data.processor import strip
from gilscope.view.data.rows import Row, band, rows_of
from gilscope.view.data.strips import touched
from gilscope.view.data.words import build_title
from gilscope.view.html.markup import join, text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from gilscope.trace.arrays import U8
    from gilscope.trace.model import Trace

WIDTH = 960
COLUMNS = (720, 480, 240, 120, 60)
BUDGET = 10_000  # characters of a picture
QUOTES = str.maketrans("\"'", "'\"")
IN_URL = " !$'()*,/:;=?@<>[]{}|^~+"  # what can stay as it is in a URL that is an attribute
STRIP = 5  # pixels of BAND for what the program named
LANE = 22
BAND = 17
FOOT_ROWS = 4  # below the band
ABOVE_NEXT = 2  # pixels of a lane below its band
BELOW = FOOT_ROWS - ABOVE_NEXT  # what the last lane needs besides
BARE = palette.SPAN + 1  # a thread's lane where nothing is drawn
HEAD = 30
FOOT = 24
RIGHT = 14
EDGE = 30  # room for half of a time below the axis
MAX_LANES = 40
NAME_LENGTH = 22
FONT = "Inter, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"


def svg(
    traces: Sequence[tuple[str, Trace]],
    columns: Sequence[Columns] | None = None,
    hidden: Collection[str] = (),
    *,
    over: str = "",
    note: str = "",
    span: tuple[float, float] | None = None,
    budget: int = BUDGET,
) -> str:
    """Return an SVG document with the timelines of all (build, trace), one above the other.

    Args:
        traces: What is drawn.
        columns: Of the traces, where they are there already.
        hidden: Names of threads that are left out.
        over: Elements of SVG that are drawn last.
        note: What stands after each title.
        span: The part of the time that is drawn, (start, end) in ms; None for all of it.
        budget: characters of it, as far as fewer columns of pixels can keep it there.
    """
    shown = [trace for _, trace in traces]
    found = columns or columns_of(shown)
    # What is drawn over them has a place by thread.
    rows = rows_of(shown, found, hidden, shared=not over)
    drawn = [*zip(shown, found, rows, strict=True)]
    span = span or (0.0, _longest(drawn))
    pictures = (_svg(drawn, width, over, note, span) for width in COLUMNS)
    return next((picture for picture in pictures if len(picture) <= budget), None) or _svg(
        drawn, COLUMNS[-1], over, note, span
    )


def _longest(drawn: Sequence[tuple[Trace, Columns, Sequence[Row]]]) -> float:
    return max([one.duration for _, one, _ in drawn] + [1e-3])


def area(
    drawn: Sequence[tuple[Trace, Columns, Sequence[Row]]], duration: float = 0.0
) -> tuple[int, float]:
    """Return where times begin, in pixels from the left, and how many pixels a ms has.

    Args:
        drawn: Traces, their columns and the lanes that are drawn.
        duration: How many ms are drawn; 0 for the longest trace.
    """
    names = (row.name for _, _, rows in drawn for row in rows)
    left = 16 + 7 * max((len(shortened(name, NAME_LENGTH)) for name in names), default=0)
    return left, (WIDTH - left - RIGHT) / (duration or _longest(drawn))


def _svg(
    drawn: Sequence[tuple[Trace, Columns, Sequence[Row]]],
    width: int,
    over: str,
    note: str,
    span: tuple[float, float],
) -> str:
    """Draw lanes of traces, those of each as an image of at most ``width`` pixels."""
    left, scale = area(drawn, span[1] - span[0])
    parts: list[str] = []
    top = 0
    for trace, one, lanes in drawn:
        parts.append(_title(trace, left, top, note))
        # What all lanes have is said once: with many of them it took more room than their pixels.
        parts.append('<g image-rendering="pixelated" text-anchor="end">')
        seen = (span[0], max(span[0] + 1e-6, min(span[1], one.duration)))
        parts += _lanes(trace, one, lanes, (width, scale, seen), (left, top + HEAD))
        parts.append("</g>")
        top += HEAD + LANE * max(1, min(MAX_LANES, len(lanes)))
        parts += _axis(span, left, top)
        top += FOOT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" '
        f'height="{top}" font-family="{FONT}" font-size="12" fill="{palette.INK}">'
        f'<rect width="{WIDTH}" height="{top}" fill="white"/>{join(parts)}{over}</svg>'
    )


def image(
    traces: Sequence[tuple[str, Trace]],
    columns: Sequence[Columns] | None = None,
    hidden: Collection[str] = (),
    span: tuple[float, float] | None = None,
    budget: int = BUDGET,
) -> str:
    """Return the picture as an HTML image that carries its data, see :func:`svg`."""
    names = " and ".join(build_title(trace) for _, trace in traces)
    document = svg(traces, columns, hidden, span=span, budget=budget)
    return carried(document, f"Timelines of the threads: {names}")


def carried(document: str, says: str) -> str:
    """Return an SVG document as an HTML image that carries it; ``says`` is for who cannot see it.

    Its text stays as it is, as base64 would make it a third longer. Double quotes, which a URL in
    an attribute cannot have, change places with single ones, which :func:`text` leaves nowhere.
    """
    document = document.translate(QUOTES)
    return (
        f'<img class="picture" alt="{text(says)}" '
        f'src="data:image/svg+xml,{quote(document, safe=IN_URL)}">'
    )


def _title(trace: Trace, left: int, top: int, more: str) -> str:
    note = more + (" (ended early)" if trace.ended_early else "")
    return (
        f'<text x="{left}" y="{top + 20}" font-size="13" font-weight="600">'
        f"{text(build_title(trace) + note)}</text>"
    )


def _lanes(
    trace: Trace,
    columns: Columns,
    lanes: Sequence[Row],
    grid: tuple[int, float, tuple[float, float]],
    place: tuple[int, int],
) -> Iterator[str]:
    """Yield the name of each lane and the image of all, as far as there is room for them."""
    (pixels, scale, (begin, end)), (left, top) = grid, place
    if not lanes:
        words = "no events in this trace"
        yield (
            f'<text x="{left}" y="{top + 15}" text-anchor="start" fill="{palette.MUTED}">'
            f"{words}</text>"
        )
        return
    edges = np.linspace(begin, end, pixels + 1)
    threads = [trace.threads[head.position].index for head in columns.heads if head.position >= 0]
    shown = lanes[:MAX_LANES]
    drawn = np.zeros((len(shown) * LANE + BELOW, pixels), np.uint8)
    for row, one in enumerate(shown):
        name = text(shortened(one.name, NAME_LENGTH))
        yield f'<text x="{left - 8}" y="{top + row * LANE + 15}">{name}</text>'
        foot_at = (row + 1) * LANE - ABOVE_NEXT
        found = band(columns, one, edges, BAND)
        if one.lane is not None:
            thread = threads[one.lane]
            named = trace.spans.of_thread(thread)
            if len(named):
                found[BAND - 1 - STRIP : BAND - 1, touched(named, edges * 1e6)] = palette.SPAN
            foot = strip(trace, thread, edges, FOOT_ROWS, palette.READY)
            if foot is not None:
                drawn[foot_at : foot_at + FOOT_ROWS] = foot[::-1]
        found[found == 0] = BARE
        drawn[foot_at - BAND : foot_at] = found[::-1]
    yield (
        f'<image x="{left}" y="{top}" width="{(end - begin) * scale:.1f}" '
        f'height="{len(drawn)}" preserveAspectRatio="none" '
        f'href="data:image/png;base64,{_png(drawn[::-1])}"/>'
    )
    more = len(lanes) - MAX_LANES
    if more > 0:
        yield (
            f'<text x="{left}" y="{top - 2}" text-anchor="start" fill="{palette.MUTED}" '
            f'font-size="11">{more} more threads are not shown</text>'
        )


def _axis(span: tuple[float, float], left: int, top: int) -> Iterator[str]:
    """Yield ticks and their times, ms."""
    begin, end = span
    step = _step(end - begin)
    scale = (WIDTH - left - RIGHT) / (end - begin)
    first, last = int(np.ceil(begin / step - 1e-9)), int(end / step + 1e-9)
    marks, times = [], []
    for index in range(first, last + 1):
        x = left + (index * step - begin) * scale
        unit = " ms" if index == last else ""
        # The last one has the unit, too, and may stand at the edge.
        place = f'x="{WIDTH - 2}" text-anchor="end"' if x > WIDTH - EDGE else f'x="{x:.1f}"'
        marks.append(f"M{x:.1f} {top}v4")
        times.append(f'<text {place} y="{top + 16}">{index * step:g}{unit}</text>')
    yield f'<path d="{"".join(marks)}" stroke="{palette.MUTED}"/>'
    yield f'<g text-anchor="middle" font-size="11" fill="{palette.MUTED}">{"".join(times)}</g>'


def _step(longest: float) -> float:
    """Return a round distance of ticks that gives five to ten of them."""
    scale = 10.0 ** np.floor(np.log10(longest / 5))
    return float(max(s * scale for s in (1, 2, 5) if s * scale <= longest / 5 * (1 + 1e-9)))


def _png(picture: U8) -> str:
    """Encode ``picture`` (u8[rows, w], bottom row first, values of the raster) as base64."""
    rows, width = picture.shape
    colors = "".join(str(color)[1:] for color in palette.by_value("color"))
    colors += palette.READY_LOOK.color[1:] + palette.SPAN_LOOK.color[1:]
    colors += palette.BACKGROUND[1:]
    lines = np.zeros((rows, width + 1), np.uint8)
    lines[:, 1:] = picture[::-1]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        [
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, rows, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", bytes.fromhex("FFFFFF" + colors)),
            _chunk(b"tRNS", b"\x00"),
            _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)),
            _chunk(b"IEND", b""),
        ]
    )
    return base64.b64encode(data).decode()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
