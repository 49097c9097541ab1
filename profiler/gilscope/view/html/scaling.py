"""The scaling curves of a comparison: a small picture and a table."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from gilscope.text import seconds_text
from gilscope.view.data.palette import INK, MUTED
from gilscope.view.data.words import build_name
from gilscope.view.html.markup import element, join, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.results.scaling import Law, Scaling

COLORS = {"gil": "#D55E00", "ft-gil": "#CC79A7", "ft": "#0072B2"}
DASHES = {"gil": "", "ft-gil": "2 3", "ft": "7 3"}  # a second sign beside the colour
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 460, 260, 44, 12, 12, 40


def scaling(curves: Sequence[Scaling]) -> str:
    """Return picture and table of the curves; nothing if there are none."""
    curves = [curve for curve in curves if curve.points]
    if not curves:
        return ""
    title = element("h3", "Scaling with the number of threads")
    return join([title, element("div", join([picture(curves), _table(curves)]), "columns")])


def picture(curves: Sequence[Scaling]) -> str:
    """Return an SVG with the speed-up against one thread, a line a build."""
    series = {curve.build: _speedups(curve) for curve in curves}
    points = [point for line in series.values() for point in line]
    if not points:
        return ""
    right = max(threads for threads, _ in points)
    top = max(1.0, *(factor for _, factor in points))

    def place(threads: float, factor: float) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - RIGHT) * (threads - 1) / max(right - 1, 1)
        return x, TOP + (HEIGHT - TOP - BOTTOM) * (1 - factor / (top * 1.08))

    parts = [*_axes(points, top, place)]
    for build, line in series.items():
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in line))
        look = f'stroke="{COLORS.get(build, INK)}" stroke-dasharray="{DASHES.get(build, "")}"'
        parts.append(f'<polyline points="{path}" fill="none" stroke-width="2" {look}/>')
        parts += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{COLORS.get(build, INK)}"/>'
            for x, y in (place(*point) for point in line)
        ]
    names = "; ".join(build_name(build) for build in series)
    return (
        f'<svg class="column" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-size="11" '
        f'style="max-width:{WIDTH}px" '
        f'aria-label="Speed-up by number of threads: {text(names)}">{join(parts)}</svg>'
    )


def _speedups(curve: Scaling) -> list[tuple[int, float]]:
    return [(point.threads, point.speedup.factor) for point in curve.points if point.speedup]


def _axes(points: Sequence[tuple[int, float]], top: float, place: Any) -> list[str]:
    """Return frame and labels: the numbers of threads, the speed-ups 0, 1 and the highest."""
    bottom, end = HEIGHT - BOTTOM, WIDTH - RIGHT
    lines = []
    for factor in sorted({0.0, 1.0, round(top, 2)}):
        _, y = place(1, factor)
        lines.append(f'<line x1="{LEFT}" x2="{end}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dde2e7"/>')
        lines.append(
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="{MUTED}">'
            f"{factor:.3g}×</text>"
        )
    for threads in sorted({threads for threads, _ in points}):
        x, _ = place(threads, 0)
        lines.append(
            f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle" fill="{MUTED}">'
            f"{threads}</text>"
        )
    middle = (LEFT + end) / 2
    caption = "threads; speed-up against one thread of the same build"
    lines.append(
        f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle" fill="{MUTED}">{caption}</text>'
    )
    return lines


def _table(curves: Sequence[Scaling]) -> str:
    head = ["Threads", *(build_name(curve.build) for curve in curves)]
    numbers = sorted({point.threads for curve in curves for point in curve.points})
    rows = [[str(number), *(_cell(curve, number) for curve in curves)] for number in numbers]
    rows.append(["Serial fraction (Amdahl)", *(_serial(curve.amdahl) for curve in curves)])
    rows.append(["Contention, coherence (USL)", *(_shares(curve.usl) for curve in curves)])
    titles = join(
        f'<th scope="col"><svg width="22" height="8"><line x1="0" x2="22" y1="4" y2="4" '
        f'stroke-width="2" stroke="{COLORS[name]}" stroke-dasharray="{DASHES[name]}"/></svg> '
        f"{text(title)}</th>"
        if name in COLORS
        else f'<th scope="col">{text(title)}</th>'
        for name, title in zip(("", *(curve.build for curve in curves)), head, strict=True)
    )
    body = join(element("tr", join(element("td", text(cell)) for cell in row)) for row in rows)
    inner = f"<thead><tr>{titles}</tr></thead><tbody>{body}</tbody>"
    return element("div", element("table", inner), "column")


def _cell(curve: Scaling, threads: int) -> str:
    for point in curve.points:
        if point.threads == threads:
            factor = f" ({point.speedup.factor:.2f}×)" if point.speedup else ""
            return seconds_text(median(point.wall_s)) + factor
    return "–"


def _serial(law: Law | None) -> str:
    return f"{law.contention:.0%}" if law else "–"


def _shares(law: Law | None) -> str:
    return f"{law.contention:.1%}, {law.coherence:.2%}" if law else "–"
