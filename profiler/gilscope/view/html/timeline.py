"""The frame of a view as Bokeh figures: overview, one timeline a trace, parallelism.

They are empty: the page fills them (app/) from the view's data, in a notebook as in a report that
is opened from disk without Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.core.properties import value
from bokeh.layouts import column, gridplot
from bokeh.models import (
    BasicTickFormatter,
    BoxAnnotation,
    BoxZoomTool,
    ColumnDataSource,
    FixedTicker,
    Label,
    Legend,
    LinearColorMapper,
    PanTool,
    Range1d,
    RangeTool,
    ResetTool,
    WheelZoomTool,
)
from bokeh.plotting import figure

from gilscope.text import shortened, time_text
from gilscope.view.data import palette
from gilscope.view.data.words import build_name, short_name, titles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.trace.model import Trace
    from gilscope.view.data.columns import Columns

NAME_LENGTH = 26
FONT = "Inter, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
LANES = 720  # pixels for all lanes of a timeline, as long as each gets LEAST_LANE
MOST_LANE, LEAST_LANE = 30, 12


def timelines(traces: Sequence[Trace], columns: Sequence[Columns]) -> Any:
    """Return one Bokeh layout with a figure for each trace.

    The figures share the time axis, which is as long as the longest trace, in ms.
    """
    longest = max([c.duration for c in columns] + [1e-3])
    shared = Range1d(0, longest, bounds=(0, longest), min_interval=1e-4, name="time")
    margin = _margin(columns)
    figures = [
        _timeline(number, trace, drawn, shared, margin)
        for number, (trace, drawn) in enumerate(zip(traces, columns, strict=True))
    ]
    figures.append(
        _parallelism([build_name(short_name(trace)) for trace in traces], shared, margin)
    )
    figures[-1].xaxis.axis_label = "time since the start, ms"
    grid = gridplot(
        [[one] for one in figures],
        sizing_mode="stretch_width",
        toolbar_location="above",
        toolbar_options={"logo": None},
    )
    grid.spacing = 6
    grid.toolbar.stylesheets = [
        ".bk-divider { background-color: var(--line) !important; }",
        "@media print { :host { display: none !important; } }",
    ]
    overview = _overview(len(columns), longest, shared, margin)
    return column(overview, grid, sizing_mode="stretch_width", spacing=6)


def _margin(columns: Sequence[Columns]) -> int:
    """Return the room for lane names in pixels: the same in all figures, so that times align."""
    longest = max(
        (len(shortened(head.name, NAME_LENGTH)) for c in columns for head in c.heads), default=0
    )
    return 24 + 7 * longest


def _timeline(number: int, trace: Trace, columns: Columns, shared: Range1d, margin: int) -> Any:
    # The page arranges the lanes: which, how high, and which of them are in view.
    height = max(LEAST_LANE, min(MOST_LANE, LANES // max(1, len(columns.heads))))
    lanes = max(1, min(len(columns.heads), LANES // height))
    plot = _figure(
        margin,
        title=titles(trace, columns.grain_ns)[0],
        name=f"timeline-{number}",
        x_range=shared,
        y_range=Range1d(0, lanes),
        frame_height=lanes * height,
        background_fill_color=palette.BACKGROUND,
    )
    plot.yaxis.ticker = FixedTicker(ticks=[])
    _add_marks(plot, number, trace, columns)
    _add_picture(plot, number)
    _add_boxes(plot, number)
    _add_quads(plot, number, "spans", palette.SPAN_LOOK, palette.INK)
    _add_entries(plot, number)
    if len(trace.samples):
        _add_sampled(plot, number)
    if len(trace.cpu_times):
        _add_quads(plot, number, "ready", palette.READY_LOOK, palette.READY_EDGE)
    _add_words(plot, number)
    _add_arrows(plot, number)
    _add_veil(plot, number)
    _add_choice(plot, number)
    return plot


def _overview(count: int, longest: float, shared: Range1d, margin: int) -> Any:
    """Return the whole run at a glance, with the visible part marked; the mark can be dragged."""
    whole = Range1d(0, longest, name="whole")
    plot = _figure(
        margin,
        title="The whole run",
        name="overview",
        x_range=whole,
        y_range=Range1d(0, 1, name="overview-height"),
        frame_height=44,
        tools=False,
        toolbar_location=None,
        background_fill_color=palette.BACKGROUND,
    )
    plot.title.text_font_size = "12px"
    plot.title.text_font_style = "normal"
    plot.yaxis.visible = False
    plot.xgrid.grid_line_color = None
    _add_curves(plot, [""] * count, "overview")
    mark = RangeTool(x_range=shared)
    mark.overlay.name = "overview-mark"
    mark.overlay.fill_color = palette.INK
    mark.overlay.fill_alpha = 0.12
    mark.overlay.line_color = palette.INK
    mark.overlay.line_alpha = 0.6
    plot.add_tools(mark)
    return plot


def _parallelism(names: Sequence[str], shared: Range1d, margin: int) -> Any:
    """Return how many threads make progress, over the visible time."""
    plot = _figure(
        margin,
        title="Parallelism: threads that have a processor",
        name="parallelism",
        x_range=shared,
        y_range=Range1d(0, 1, name="parallelism-height"),
        frame_height=72,
        background_fill_color=palette.BACKGROUND,
    )
    plot.yaxis.ticker.desired_num_ticks = 3
    plot.yaxis.ticker.num_minor_ticks = 0
    key = Legend(
        items=_add_curves(plot, names, "parallelism"),
        orientation="horizontal",
        location=(0, 0),
        border_line_color=None,
        background_fill_alpha=0,
        label_text_font=FONT,
        label_text_font_size="12px",
        label_text_color=palette.MUTED,
        padding=0,
        margin=2,
        spacing=16,
        name="parallelism-legend",
    )
    plot.add_layout(key, "above")
    return plot


def _figure(margin: int, *, tools: bool = True, **options: Any) -> Any:
    plot = figure(
        min_border_left=margin,
        min_border_right=24,
        sizing_mode="stretch_width",
        tools="",
        outline_line_color=None,
        **options,
    )
    plot.axis.axis_line_color = None
    plot.axis.major_tick_line_color = None
    plot.axis.minor_tick_line_color = None
    plot.axis.major_label_text_color = palette.INK
    plot.axis.major_label_text_font = FONT
    plot.xaxis.major_label_text_font_size = "12px"
    plot.xaxis.axis_label_text_font = FONT
    plot.xaxis.axis_label_text_font_size = "12px"
    plot.xaxis.axis_label_text_font_style = "normal"
    plot.xaxis.axis_label_text_color = palette.MUTED
    plot.xaxis.formatter = BasicTickFormatter(use_scientific=False)
    plot.title.text_font = FONT
    plot.title.text_font_size = "14px"
    plot.title.text_color = palette.INK
    plot.ygrid.grid_line_color = None
    plot.xgrid.grid_line_color = "#DDE2E7"
    if tools:
        wheel, pan = WheelZoomTool(dimensions="width"), PanTool(dimensions="width")
        plot.add_tools(pan, wheel, BoxZoomTool(dimensions="width"), ResetTool())
        plot.toolbar.active_scroll = wheel
        plot.toolbar.active_drag = pan
    return plot


def _add_marks(plot: Any, number: int, trace: Trace, columns: Columns) -> None:
    """Show where the run was over."""
    plot.add_layout(
        BoxAnnotation(
            left=columns.duration,
            fill_color="white",
            fill_alpha=1,
            line_color=None,
            name=f"after-{number}",
        )
    )
    plot.add_layout(
        BoxAnnotation(
            right=0, fill_color="white", fill_alpha=1, line_color=None, name=f"before-{number}"
        )
    )
    word = "ended early" if trace.ended_early else "done"
    text = f"{word} after {time_text(columns.duration * 1e6)}"
    _say(plot, text, f"done-{number}", x=columns.duration, y=len(columns.heads) / 2, x_offset=8)


def _say(plot: Any, text: str, name: str, **place: float) -> None:
    plot.add_layout(
        Label(
            text=text,
            text_color=palette.MUTED,
            text_font=FONT,
            text_font_size="12px",
            text_baseline="middle",
            name=name,
            **place,
        )
    )


def _add_boxes(plot: Any, number: int) -> None:
    """Add the rectangles of segments."""
    edges = ("left", "right", "bottom", "top")
    empty: dict[str, list[object]] = {name: [] for name in (*edges, "color")}
    view = plot.quad(
        **{name: name for name in edges},
        fill_color="color",
        line_color="color",
        line_width=1,
        source=ColumnDataSource(empty, name=f"boxes-{number}"),
    )
    view.name = f"box-view-{number}"


def _add_choice(plot: Any, number: int) -> None:
    """Add the mark of the chosen segment, and the line to its cause, over all else."""
    edges = ("left", "right", "bottom", "top")
    ends: dict[str, list[object]] = {name: [] for name in ("x0", "y0", "x1", "y1")}
    line = ColumnDataSource(ends, name=f"link-{number}")
    link = plot.segment("x0", "y0", "x1", "y1", line_width=2, line_color=palette.INK, source=line)
    link.name = f"link-view-{number}"
    dots = plot.scatter("x1", "y1", size=8, color=palette.INK, source=line)
    dots.name = f"dot-view-{number}"
    chosen = plot.quad(
        **{name: name for name in edges},
        fill_color=None,
        line_color=palette.INK,
        line_width=2,
        source=ColumnDataSource({name: [] for name in edges}, name=f"chosen-{number}"),
    )
    chosen.name = f"chosen-view-{number}"


def _add_quads(plot: Any, number: int, name: str, look: palette.Look, edge: str) -> None:
    """Add rectangles that the page fills in; their source is called ``name``."""
    names = ("left", "right", "bottom", "top")
    plot.quad(
        **{side: side for side in names},
        fill_color=look.color,
        line_color=edge,
        line_width=0.5,
        source=ColumnDataSource({side: [] for side in names}, name=f"{name}-{number}"),
    )


def _add_entries(plot: Any, number: int) -> None:
    """Add the hatched parts of the lanes of callbacks, which the page fills in."""
    names = ("left", "right", "bottom", "top")
    view = plot.quad(
        **{side: side for side in names},
        fill_color="white",
        hatch_pattern="right_diagonal_line",
        hatch_color=palette.ENTERING_LOOK.color,
        hatch_scale=6,
        hatch_weight=2,
        line_color=palette.ENTERING_LOOK.color,
        line_width=1,
        source=ColumnDataSource({side: [] for side in names}, name=f"entries-{number}"),
    )
    view.name = f"entries-view-{number}"


def _add_arrows(plot: Any, number: int) -> None:
    """Add the arrows from the longest waits to the threads that they waited for."""
    ends: dict[str, list[object]] = {name: [] for name in ("x0", "y0", "x1", "y1", "angle")}
    source = ColumnDataSource(ends, name=f"arrows-{number}")
    line = plot.segment(
        "x0",
        "y0",
        "x1",
        "y1",
        line_width=1.5,
        line_alpha=0.7,
        line_color=palette.INK,
        source=source,
    )
    line.name = f"arrow-view-{number}"
    head = plot.scatter(
        "x1", "y1", size=9, marker="triangle", angle="angle", color=palette.INK, source=source
    )
    head.name = f"head-view-{number}"


def _add_words(plot: Any, number: int) -> None:
    """Add the words within boxes, which the page writes where there is room."""
    names = ("x", "y", "text", "color")
    plot.text(
        x="x",
        y="y",
        text="text",
        text_color="color",
        text_font=value("Arial, sans-serif"),
        text_font_size="10px",
        text_align="center",
        text_baseline="middle",
        y_offset=-1,
        source=ColumnDataSource({name: [] for name in names}, name=f"words-{number}"),
    )


def _add_veil(plot: Any, number: int) -> None:
    """Add what dims the lanes that a finding does not speak of."""
    edges = ("left", "right", "bottom", "top")
    veil = plot.quad(
        **{name: name for name in edges},
        fill_color="white",
        fill_alpha=0.65,
        line_color=None,
        source=ColumnDataSource({name: [] for name in edges}, name=f"veil-{number}"),
    )
    veil.name = f"veil-view-{number}"


def _add_sampled(plot: Any, number: int) -> None:
    """Add the tracks of samples, which the page fills in."""
    names = ("left", "right", "bottom", "top")
    empty: dict[str, list[object]] = {name: [] for name in (*names, "color")}
    plot.quad(
        **{side: side for side in names},
        fill_color="color",
        line_color=None,
        source=ColumnDataSource(empty, name=f"sampled-{number}"),
    )


def _add_picture(plot: Any, number: int) -> None:
    blank = np.zeros((1, 1), np.uint8)
    source = ColumnDataSource(
        {"image": [blank], "x": [0.0], "y": [0.0], "dw": [1e-9], "dh": [1e-9]},
        name=f"picture-{number}",
    )
    colors = [*map(str, palette.by_value("color")), palette.CALLBACK_LOOK.color]
    mapper = LinearColorMapper(palette=["#00000000", *colors], low=-0.5, high=len(colors) + 0.5)
    view = plot.image(
        image="image", x="x", y="y", dw="dw", dh="dh", color_mapper=mapper, source=source
    )
    view.name = f"picture-view-{number}"


def _add_curves(plot: Any, names: Sequence[str], name: str) -> list[tuple[str, list[Any]]]:
    """Add a curve a trace, without points yet, and return the entries of a legend."""
    entries = []
    for number, build in enumerate(names):
        curve = plot.step(
            "x",
            "y",
            mode="after",
            line_width=1.5,
            line_color=palette.CURVES[number % len(palette.CURVES)],
            line_dash=[int(part) for part in palette.DASHES[number % len(palette.DASHES)].split()],
            source=ColumnDataSource({"x": [], "y": []}, name=f"{name}-{number}"),
        )
        entries.append((build, [curve]))
    return entries
