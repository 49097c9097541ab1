"""The timelines of a comparison as Bokeh figures, one a build, one above the other.

All data travels with the figures and all drawing is done by the browser (timeline_draw.js), so
zoom works the same in a notebook and in a report that is opened from disk without Python.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.layouts import gridplot
from bokeh.models import (
    BasicTickFormatter,
    BoxAnnotation,
    BoxZoomTool,
    ColumnDataSource,
    CustomJS,
    CustomJSHover,
    FixedTicker,
    HoverTool,
    Label,
    LinearColorMapper,
    PanTool,
    Range1d,
    ResetTool,
    WheelZoomTool,
)
from bokeh.plotting import figure

from gilscope.view import palette
from gilscope.view.columns import Columns, columns_of
from gilscope.view.words import build_title, short_name, time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilscope.trace.model import Trace

HINT = "Wheel: zoom · drag: pan · pointer on a lane: what, how long, for whom"

BAND = 0.78
"""Share of a lane that is drawn on; the rest keeps lanes apart."""

ROWS = 24
"""Pixels of a lane's height in the raster."""

MAX_SEGMENTS_AS_BOXES = 3000
"""In view in all figures together; more are drawn as a raster."""

NAME_LENGTH = 26
FONT = "Inter, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
STAY = "label.x = Math.max(end, range.start)"  # in sight, wherever a reader has zoomed to


def timelines(traces: Sequence[tuple[str, Trace]]) -> Any:
    """Return one Bokeh layout with a figure for each (build, trace).

    The figures share the time axis, which is as long as the longest trace.
    """
    columns = columns_of([trace for _, trace in traces])
    longest = max([c.duration for c in columns] + [1e-3])
    shared = Range1d(0, longest, bounds=(0, longest), min_interval=1e-4, name="time")
    margin = _margin(columns)
    figures = [
        _figure(trace, drawn, shared, margin, MAX_SEGMENTS_AS_BOXES // len(columns))
        for (_, trace), drawn in zip(traces, columns, strict=True)
    ]
    if figures:
        figures[-1].xaxis.axis_label = "time since the start, ms"
    grid = gridplot(
        [[one] for one in figures],
        sizing_mode="stretch_width",
        toolbar_location="above",
        toolbar_options={"logo": None},
    )
    grid.spacing = 6
    return grid


def _margin(columns: Sequence[Columns]) -> int:
    """Return the room for lane names in pixels: the same in all figures, so that times align."""
    longest = max((len(_short(name)) for c in columns for name in c.names), default=0)
    return 24 + 7 * longest


def _short(name: str) -> str:
    return name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…"


def _figure(trace: Trace, columns: Columns, shared: Range1d, margin: int, max_boxes: int) -> Any:
    lanes = max(1, len(columns.names))
    lane_height = max(12, min(30, 720 // lanes))
    plot = figure(
        title=build_title(trace),
        name=f"timeline-{short_name(trace)}",
        x_range=shared,
        y_range=Range1d(0, lanes),
        frame_height=lanes * lane_height,
        min_border_left=margin,
        min_border_right=24,
        sizing_mode="stretch_width",
        tools="",
        background_fill_color=palette.BACKGROUND,
        outline_line_color=None,
    )
    _style(plot, columns, lane_height)
    wheel = WheelZoomTool(dimensions="width")
    pan = PanTool(dimensions="width")
    plot.add_tools(pan, wheel, BoxZoomTool(dimensions="width"), ResetTool())
    plot.toolbar.active_scroll = wheel
    plot.toolbar.active_drag = pan
    _add_marks(plot, trace, columns, shared)
    _add_drawing(plot, short_name(trace), columns, shared, max_boxes)
    return plot


def _style(plot: Any, columns: Columns, lane_height: int) -> None:
    """Name the lanes and take away what is only ink."""
    lanes = len(columns.names)
    places = [lanes - 1 - index + 0.5 for index in range(lanes)]
    plot.yaxis.ticker = FixedTicker(ticks=places)
    names = map(_short, columns.names)
    plot.yaxis.major_label_overrides = dict(zip(places, names, strict=True))
    plot.yaxis.major_label_text_font_size = f"{min(12, lane_height - 2)}px"
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


def _add_marks(plot: Any, trace: Trace, columns: Columns, shared: Range1d) -> None:
    """Show where the run was over, and what the picture cannot show."""
    if columns.duration < 0.995 * shared.end:
        plot.add_layout(
            BoxAnnotation(left=columns.duration, fill_color="white", fill_alpha=1, line_color=None)
        )
        word = "ended early" if trace.ended_early else "done"
        text = f"{word} after {time_text(columns.duration / 1e3)}"
        label = _say(plot, text, x=columns.duration, y=len(columns.names) / 2, x_offset=8)
        follow = CustomJS(
            args={"label": label, "end": columns.duration, "range": shared}, code=STAY
        )
        shared.js_on_change("start", follow)
    if not len(columns.start):
        _say(plot, "no events in this trace", x=0, y=0.5, x_offset=12)
    if columns.grain:
        grain = time_text(columns.grain / 1e3)
        plot.title.text += f" · short intervals are merged: details down to {grain}"


def _say(plot: Any, text: str, **place: float) -> Label:
    label = Label(
        text=text,
        text_color=palette.MUTED,
        text_font=FONT,
        text_font_size="12px",
        text_baseline="middle",
        **place,
    )
    plot.add_layout(label)
    return label


def _add_drawing(plot: Any, build: str, columns: Columns, shared: Range1d, max_boxes: int) -> None:
    """Add the data, the glyphs that the browser fills, and the hover."""
    segments = ColumnDataSource(
        {
            "start": columns.start,
            "state": columns.state,
            "lock": columns.lock,
            "peer": columns.peer,
            "count": columns.count,
        },
        name=f"segments-{build}",
    )
    boxes, box_view = _boxes(plot, build)
    picture, picture_view = _picture(plot, build)
    offsets = columns.offsets.tolist()
    draw = CustomJS(
        args={
            "segments": segments,
            "offsets": offsets,
            "looks": _looks(),
            "rows": ROWS,
            "band": BAND,
            "max_boxes": max_boxes,
            "range": shared,
            "figure": plot,
            "picture": picture,
            "picture_view": picture_view,
            "boxes": boxes,
            "box_view": box_view,
        },
        code=_script("timeline_draw.js"),
    )
    shared.js_on_change("start", draw)
    shared.js_on_change("end", draw)
    plot.js_on_change("inner_width", draw)
    _add_hover(plot, columns, segments)


def _boxes(plot: Any, build: str) -> tuple[Any, Any]:
    source = ColumnDataSource(
        {"left": [], "right": [], "bottom": [], "top": [], "color": []}, name=f"boxes-{build}"
    )
    view = plot.quad(
        left="left",
        right="right",
        bottom="bottom",
        top="top",
        fill_color="color",
        line_color="color",
        line_width=1,
        source=source,
    )
    return source, view


def _picture(plot: Any, build: str) -> tuple[Any, Any]:
    blank = np.zeros((1, 1), np.uint8)
    source = ColumnDataSource(
        {"image": [blank], "x": [0.0], "y": [0.0], "dw": [1e-9], "dh": [1e-9]},
        name=f"picture-{build}",
    )
    colors = [str(color) for color in palette.by_value("color")]
    mapper = LinearColorMapper(palette=["#00000000", *colors], low=-0.5, high=len(colors) + 0.5)
    view = plot.image(
        image="image", x="x", y="y", dw="dw", dh="dh", color_mapper=mapper, source=source
    )
    return source, view


def _add_hover(plot: Any, columns: Columns, segments: ColumnDataSource) -> None:
    """Let each lane answer for the segment under the pointer, however it is drawn."""
    lanes = len(columns.names)
    alive = plot.quad(
        left=[columns.start[columns.offsets[lane]] for lane in range(lanes)],
        right=[columns.start[columns.offsets[lane + 1] - 1] for lane in range(lanes)],
        bottom=[lanes - 1 - lane for lane in range(lanes)],
        top=[lanes - lane for lane in range(lanes)],
        fill_alpha=0,
        line_alpha=0,
        name="lanes",
    )
    alive.data_source.add(list(range(lanes)), "lane")
    about = CustomJSHover(
        args={
            "segments": segments,
            "offsets": columns.offsets.tolist(),
            "names": list(columns.names),
            "locks": list(columns.locks),
            "threads": list(columns.threads),
            "looks": _looks(),
            "grain": columns.grain,
        },
        code=_script("timeline_hover.js"),
    )
    plot.add_tools(
        HoverTool(
            renderers=[alive],
            tooltips=(
                f'<div style="font: 12px {FONT}; white-space: pre-line">'
                "<b>@lane{head}</b>\n@lane{body}</div>"
            ),
            formatters={"@lane": about},
            point_policy="follow_mouse",
            attachment="vertical",
        )
    )


def _looks() -> dict[str, object]:
    """Return the palette as the scripts take it: by the states' values."""
    return {
        "label": palette.by_value("label"),
        "color": palette.by_value("color"),
        "height": palette.by_value("height"),
        "stalled": palette.by_value("stalled"),
        "least": palette.LEAST,
        "stack": [int(state) for state in palette.STACK],
    }


def _script(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
