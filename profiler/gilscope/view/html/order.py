"""Deadlocks to come, in HTML: each with its cycle as a picture. Standard library only."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from gilscope.analysis.order.text import hazard_text, summary
from gilscope.view.data.words import build_name
from gilscope.view.html.markup import HEAD, element, join, style, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.analysis.order.model import Found, Hazard, Step
    from gilscope.results.orders import OrderRun

WIDTH, BOX, GAP = 760, 30, 62  # of the picture, a lock's box, and from one box to the next
LEFT, TOP = 46, 8
MOST_LETTERS = 88
INK, MUTED, ALARM, PAPER, WASH = "#1f2933", "#66717d", "#b42318", "#ffffff", "#f6f8fa"

PAGE = (
    HEAD
    + """<style>
body {{ margin: 0; background: #eef1f4; }}
main {{ max-width: 900px; margin: 0 auto; padding: 20px; }}
</style>
</head>
<body>
<main class="gilscope">
{body}
</main>
</body>
</html>"""
)


def page(found: Found, title: str) -> str:
    """Return the hazards of a run as a page of its own; ``title`` is the program."""
    return PAGE.format(
        title=text(f"Deadlocks to come: {title}"),
        style=style(),
        body=join([element("h2", text(f"Deadlocks to come: {title}")), hazards(found)]),
    )


def runs(title: str, found: Sequence[tuple[str, Found | None, str | None]]) -> str:
    """Return what watched runs found, as the output of a cell.

    Args:
        title: Of what was run.
        found: For each run the name of its build, its hazards, and what it failed of; None: they
            are not known, and it did not fail.
    """
    parts = [element("h2", text(f"Deadlocks to come: {title}"))]
    for build, one, error in found:
        parts.append(element("h3", text(build)))
        if error:
            parts.append(element("p", text(f"the program failed: {error}"), "banner alarm"))
        parts.append(element("p", "not known", "quiet") if one is None else hazards(one))
    return join([style(), element("div", join(parts), "gilscope")])


def orders(runs: Sequence[OrderRun]) -> str:
    """Return a comparison's hazards, those of each build; nothing if none was watched for them."""
    if not runs:
        return ""
    parts = [element("h3", "Deadlocks to come")]
    for run in runs:
        name = build_name(run.build)
        if run.found is None:
            said = f"{name}: not known{f': {run.error}' if run.error else ''}"
            parts.append(element("p", text(said), "quiet"))
        else:
            parts += [element("h4", text(name)), hazards(run.found)]
    return join(parts)


def hazards(found: Found) -> str:
    """Return the hazards of a run as markup, with a line at the end that sums them up."""
    summed = "<br>".join(map(text, summary(found).splitlines()))
    return join([*map(_hazard, found.hazards), element("p", summed, "quiet")])


def _hazard(hazard: Hazard) -> str:
    suspected = ", suspected" if hazard.suspected else ""
    said = [hazard.confirmation, hazard.advice]
    return join(
        [
            element("h3", text(f"{hazard.severity}{suspected}: {hazard.title}")),
            element("div", picture(hazard), "scroll"),
            *(element("p", text(line)) for line in said if line),
            f"<details><summary>Stacks</summary><pre>{text(hazard_text(hazard))}</pre></details>",
        ]
    )


def picture(hazard: Hazard) -> str:
    """Return the cycle as SVG: from top to bottom as it closes, each lock with who holds it."""
    steps = hazard.steps
    last = TOP + len(steps) * (BOX + GAP)
    parts = [_box(place, step.held) for place, step in enumerate(steps)]
    parts += [part for place, step in enumerate(steps) for part in _arrow(place, step)]
    parts.append(_box(len(steps), steps[0].held, again=True))
    # The way back: what is asked for last is what is held at the top.
    middle = BOX / 2
    parts.append(
        f'<path d="M{LEFT} {last + middle} H16 V{TOP + middle} H{LEFT - 6}" fill="none" '
        f'stroke="{ALARM}" stroke-dasharray="4 3"/>' + _head(LEFT, TOP + middle, ALARM, right=True)
    )
    height = last + BOX + TOP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">'
        f"<title>{text(hazard.title)}</title>"
        f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>{"".join(parts)}</svg>'
    )


def _box(place: int, name: str, *, again: bool = False) -> str:
    top = TOP + place * (BOX + GAP)
    dashed, colour = (' stroke-dasharray="4 3"', ALARM) if again else ("", INK)
    return (
        f'<rect x="{LEFT}" y="{top}" width="{WIDTH - LEFT - 8}" height="{BOX}" rx="5" '
        f'fill="{WASH}" stroke="{colour}"{dashed}/>'
        f'<text x="{LEFT + 12}" y="{top + 20}" font-weight="600" fill="{INK}">'
        f"{_cut(name)}</text>"
    )


def _arrow(place: int, step: Step) -> list[str]:
    """Return the arrow from what a thread holds to what it asks for, with its words."""
    top = TOP + place * (BOX + GAP) + BOX
    x, end = LEFT + 22, top + GAP
    first, second = _words(step)
    thread = f'<tspan font-weight="600">{_cut(step.thread)}</tspan>'
    return [
        f'<path d="M{x} {top} V{end - 6}" stroke="{INK}"/>',
        _head(x, end, INK),
        f'<text x="{x + 16}" y="{top + 26}" fill="{INK}">{thread} {_cut(first)}</text>',
        f'<text x="{x + 16}" y="{top + 44}" fill="{MUTED}">{_cut(second)}</text>',
    ]


def _words(step: Step) -> tuple[str, str]:
    asked = step.place
    at = f" at {_place(asked.file, asked.line)}" if asked is not None else ""
    within = f", in {asked.function}" if asked is not None and asked.function else ""
    if step.part:
        return step.part, f"{at}{within}".strip(" ,")
    if step.owed:
        return "has yet to bring this about", f"and has to pass the next one{at}{within}"
    taken = step.held_at
    where = f", taken at {_place(taken.file, taken.line)}" if taken is not None else ""
    verb = "waits for" if step.awaited != step.asked else "asks for"
    return f"holds this{where}", f"and {verb} the next one{at}{within}"


def _place(file: str, line: int) -> str:
    """Return a place without its folder, which the stacks have."""
    name = PurePath(file).name
    return f"{name}:{line}" if line else name


def _cut(words: str) -> str:
    return text(words if len(words) <= MOST_LETTERS else words[: MOST_LETTERS - 1] + "…")


def _head(x: float, y: float, colour: str, *, right: bool = False) -> str:
    points = f"{x - 7},{y - 4} {x - 7},{y + 4}" if right else f"{x - 4},{y - 7} {x + 4},{y - 7}"
    return f'<polygon points="{x},{y} {points}" fill="{colour}"/>'
