"""What the waits for the GIL turned into, as an HTML table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilscope.results.difference_rows import CAPTION, difference_rows
from gilscope.view.html.markup import element, join, text

if TYPE_CHECKING:
    from gilscope.results.matching import Differences


def differences(found: Differences) -> str:
    """Return the table; nothing if no thread waited for the GIL."""
    rows = difference_rows(found)
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{text(title)}</th>' for title in rows[0])
    body = [element("tr", "".join(element("td", text(cell)) for cell in row)) for row in rows[1:]]
    inner = (
        f"<caption>{text(CAPTION)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{join(body)}</tbody>"
    )
    return element("div", element("table", inner), "scroll")
