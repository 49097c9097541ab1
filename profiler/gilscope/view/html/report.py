"""The report: one HTML file that is opened from disk and needs no network and no Python."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

from bokeh.embed import json_item
from bokeh.resources import Resources

from gilscope.trace.writing.output import replace_text
from gilscope.view.data.scene import scene
from gilscope.view.html.markup import HEAD, element, join, style, text
from gilscope.view.html.page import asset, frame, script
from gilscope.view.html.timeline import timelines

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from gilscope.results.model import ComparisonData

PAGE = (
    HEAD
    + """<style>
body {{ margin: 0; background: #eef1f4; color: #1f2933; }}
body[data-theme="dark"] {{ background: #0d1014; color: #e4e7eb; }}
main {{ margin: 0 auto; padding: 20px clamp(20px, 2vw, 60px); }}
h1 {{
  font: 600 22px/1.3 Inter, "Segoe UI", "Helvetica Neue", Arial, sans-serif; margin: 0 0 14px;
}}
.gilscope {{ margin-bottom: 20px; }}
@page {{ margin: 12mm; }}
@media print {{
  body, body[data-theme] {{ background: none; color: #1f2933; }}
  main {{ padding: 0; }}
  .gilscope + .gilscope {{ break-before: page; }}
}}
</style>
{scripts}
</head>
<body>
<main>
<h1>{title}</h1>
{sections}
</main>
<script type="module">
{app}
show_reports({count})
</script>
</body>
</html>
"""
)

SECTION = """<section class="gilscope" id="view-{number}" tabindex="0" role="application"
  aria-label="Timelines of threads; press ? for the keys">
{frame}
<script type="application/json" id="figures-{number}">{figures}</script>
<script type="text/plain" id="data-{number}">{data}</script>
</section>"""


def write_report(
    comparisons: Sequence[ComparisonData],
    path: str | os.PathLike[str],
    title: str = "gilscope report",
    *,
    force: bool = False,
) -> None:
    """Write one file with all of them; an earlier report at ``path`` is replaced at the end.

    Args:
        comparisons: What it shows, a section each.
        path: The file.
        title: Its heading.
        force: Replace also a file that is no report.

    Raises:
        ExportError: The file cannot be written.
    """
    sources = [trace.path for comparison in comparisons for _, trace in comparison.traces()]
    replace_text(Path(path), report_html(comparisons, title), sources, force=force)


def report_html(comparisons: Sequence[ComparisonData], title: str) -> str:
    """Return the report as a page of HTML."""
    drawn = [comparison for comparison in comparisons if comparison.traces()]
    number = {id(comparison): place for place, comparison in enumerate(drawn, 1)}
    parts = [_section(comparison, number.get(id(comparison), 0)) for comparison in comparisons]
    return PAGE.format(
        title=text(title),
        style=style() + element("style", asset("app.css")),
        scripts=Resources(mode="inline", components=["bokeh"]).render_js(),
        sections=join(parts),
        app=script(),
        count=len(drawn),
    )


def _section(comparison: ComparisonData, number: int) -> str:
    if not number:
        return element("section", frame(comparison), "gilscope")
    data, columns = scene(comparison, live=False)
    traces = [trace for _, trace in comparison.traces()]
    return SECTION.format(
        frame=frame(comparison, f"stage-{number}"),
        number=number,
        figures=_as_script(json_item(timelines(traces, columns))),
        data=b64encode(data).decode(),
    )


def _as_script(item: object) -> str:
    """Return ``item`` as JSON that cannot end the script element it stands in."""
    return json.dumps(item, separators=(",", ":")).replace("<", "\\u003c")
