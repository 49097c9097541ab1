"""What the program named, in the report: strips on the lanes, in words below the pointer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gilscope.presentation import Comparison
from gilscope.trace.reading.reader import read
from gilscope.view.html.report import write_report
from trace_examples import span_trace
from view_examples import run_of

if TYPE_CHECKING:
    from pathlib import Path

READY = '() => document.querySelector("#view-1")?.gilscope?.painters[0].spans.data.left.length'

# Left and right in µs, height as a share of the lane; the place of the first one in the window.
STRIPS = """() => {
  const view = document.querySelector("#view-1").gilscope
  const { spans: { data }, figure, timeline } = view.painters[0]
  const { el, frame } = view.host.view_of(figure)
  el.scrollIntoView({ block: "center" })
  const { left, top } = el.getBoundingClientRect()
  const { bbox } = frame
  const range = view.axis.range.end - view.axis.range.start
  const lanes = timeline.shown.length
  return [
    data.left.map((value, row) =>
      [value * 1e3, data.right[row] * 1e3, data.top[row] - data.bottom[row]]),
    [left + bbox.left + bbox.width * (0.0025 - view.axis.range.start) / range,
     top + bbox.top + bbox.height * 0.5 / lanes],
  ]
}"""


def test_spans_are_strips_on_their_lanes(
    page: Any, tmp_path: Path, console_errors: list[str]
) -> None:
    """Exact in time, thinner inside another one; the pointer and the table have name and bytes."""
    trace = read(span_trace().write(tmp_path / "x.gilscope"))
    run = run_of("gil", trace)
    write_report([Comparison("spans", ("x",), (run,))], tmp_path / "r.html", "spans")
    page.goto((tmp_path / "r.html").as_uri())
    page.wait_for_function(READY)
    page.evaluate("() => document.querySelector('#view-1').gilscope.axis.show(0.0005, 0.0100)")
    page.wait_for_function(
        "() => Math.abs(document.querySelector('#view-1').gilscope.painters[0].spans.data.right[1]"
        " - 0.003) < 1e-9"
    )
    strips, (x, y) = page.evaluate(STRIPS)
    times = [(round(left, 3), round(right, 3)) for left, right, _ in strips]
    assert times[:3] == [(1, 4), (2, 3), (2.5, 9)]
    assert times[3][0] == 5 < times[3][1]  # too short to be seen at its length
    assert strips[1][2] < strips[0][2] == strips[2][2]
    page.mouse.move(x, y)
    page.wait_for_function(
        "() => document.querySelector('#view-1 [data-role=tip]').innerText.includes('70 kB')"
    )
    tip = page.locator("#view-1 [data-role=tip]").inner_text()
    # Not as one text: of a tip that has been hidden meanwhile it comes without the line breaks.
    assert tip.index("in send ü: 3 µs") < tip.index("in pickle: 1 µs, 70 kB")
    page.locator("#view-1 [data-tab=spans]").click()
    assert "21.5 GB" in page.locator("#view-1 [role=tabpanel]").inner_text()
    assert "named by the program" in page.locator("#view-1 .legend").inner_text()
    assert console_errors == []
