"""The report: one HTML file that is opened from disk and needs no network and no Python."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bokeh.embed import json_item
from bokeh.resources import Resources

from gilscope.errors import ExportError
from gilscope.view.markup import element, join, style, text
from gilscope.view.tables import tables
from gilscope.view.timeline import HINT, timelines
from gilscope.view.verdict import verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.view.section import Section

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{title}</title>
{style}
<style>
body {{ margin: 0; background: #eef1f4; color: #1f2933; }}
main {{ max-width: 1400px; margin: 0 auto; padding: 20px; }}
h1 {{
  font: 600 22px/1.3 Inter, "Segoe UI", "Helvetica Neue", Arial, sans-serif; margin: 0 0 14px;
}}
.gilscope {{ margin-bottom: 20px; }}
</style>
{scripts}
</head>
<body>
<main>
<h1>{title}</h1>
{sections}
</main>
</body>
</html>
"""

SECTION = """<section class="gilscope">
<h2>{title}</h2>
{verdict}
<p class="hint">{hint}</p>
<div id="timelines-{number}"></div>
<script type="application/json" id="data-{number}">{data}</script>
<script>
Bokeh.embed.embed_item(
  JSON.parse(document.getElementById("data-{number}").textContent), "timelines-{number}")
</script>
{tables}
</section>"""


def write_report(
    sections: Sequence[Section], path: str | os.PathLike[str], title: str = "gilscope report"
) -> None:
    """Write one file with all ``sections``; an earlier file at ``path`` is replaced at the end.

    Raises:
        ExportError: The file cannot be written.
    """
    page = report_html(sections, title)
    target = Path(path)
    try:
        _replace(target, page)
    except OSError as error:
        raise ExportError(f"cannot write {target}: {error.strerror or error}") from None


def report_html(sections: Sequence[Section], title: str) -> str:
    """Return the report as a page of HTML."""
    parts = [_section(section, number) for number, section in enumerate(sections, 1)]
    return PAGE.format(
        title=text(title),
        style=style(),
        scripts=Resources(mode="inline", components=["bokeh"]).render_js(),
        sections=join(parts),
    )


def _section(section: Section, number: int) -> str:
    item = json_item(timelines(section.traces)) if section.traces else None
    if item is None:
        return element(
            "section",
            join(
                [
                    element("h2", text(section.title)),
                    verdict(section),
                    element("p", "No run of this comparison left a trace.", "quiet"),
                ]
            ),
            "gilscope",
        )
    return SECTION.format(
        title=text(section.title),
        verdict=verdict(section),
        hint=HINT,
        number=number,
        data=_as_script(item),
        tables=tables(section.summary),
    )


def _as_script(item: object) -> str:
    """Return ``item`` as JSON that cannot end the script element it stands in."""
    return json.dumps(item, separators=(",", ":")).replace("<", "\\u003c")


def _replace(target: Path, page: str) -> None:
    """Write beside ``target`` and rename, so that nobody ever sees half a file."""
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(page)
            umask = os.umask(0)
            os.umask(umask)
            os.fchmod(file.fileno(), 0o666 & ~umask)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
