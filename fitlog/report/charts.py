"""The page's charts as bokeh has them: one JSON item for each, and the library's own script.

bokeh draws on a canvas, so colours that follow the page's theme, the keyboard and the legend are
`page.js`'s. Names from logs are kept out of titles and axes, where bokeh would take `$$` for
mathematics and ask a server for the script that draws it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from fitlog.errors import OutputError
from fitlog.extras import install
from fitlog.report.series import Chart, Line
from fitlog.report.stacks import Stack

if TYPE_CHECKING:
    import numpy as np

# Enough for every pixel of a wide screen to have its lowest and highest value.
_POINTS_PER_LINE: Final = 2_000
# Lines that lie over each other need fewer: a page with fifty runs opens as fast.
_POINTS_PER_CHART: Final = 40_000
_LEAST_POINTS: Final = 200
_POINTS_PER_COLUMN: Final = 4
_HEIGHT: Final = 300
_WIDTHS: Final = {"faint": 1.0, "bold": 2.0}
_ALPHAS: Final = {"faint": 0.3, "bold": 1.0}
_MOST_DOTS: Final = 60


def library_script() -> str:
    """The JavaScript of bokeh, out of the installed package; it ends in no `</script>`.

    Raises:
        OutputError: bokeh is not installed.
    """
    try:
        from bokeh.resources import Resources
    except ImportError:
        raise OutputError(f"a report needs packages more: {install('report')}") from None
    resources = Resources(mode="inline", components=["bokeh"])
    return "\n".join(resources.js_raw).replace("</script", r"<\/script")


def chart_item(chart: Chart, names: Sequence[str]) -> dict[str, Any]:
    """What `Bokeh.embed.embed_item` draws; `names` are the runs'."""
    from bokeh.models import ColumnDataSource, HoverTool, NumeralTickFormatter

    figure = _figure(chart.x_label, chart.y_label, is_log=chart.is_log)
    if chart.key == "speed":
        figure.yaxis.formatter = NumeralTickFormatter(format="0,0.[00]")
        figure.xaxis.formatter = NumeralTickFormatter(format="0,0")
    most = points_per_line(len(chart.lines))
    hovered = []
    for line in chart.lines:
        x, y = thinned(line, most)
        source = ColumnDataSource({"x": x, "y": y}, name=source_name(chart, line))
        look: dict[str, Any] = {
            "color": line.color,
            "alpha": _ALPHAS[line.weight],
            "name": f"{names[line.run]} ({line.part})",
        }
        drawn = figure.line(
            "x", "y", source=source, line_width=_WIDTHS[line.weight], line_dash=line.style, **look
        )
        drawn.tags = [line.run, line.weight]
        if line.dots and len(x) <= _MOST_DOTS:
            figure.scatter("x", "y", source=source, size=6, **look).tags = [line.run]
        if line.weight == "bold" or chart.key != "speed":
            hovered.append(drawn)
    figure.add_tools(
        HoverTool(
            renderers=hovered,
            mode="mouse",
            line_policy="nearest",
            tooltips=[
                ("", "$name"),
                (chart.x_label, "@x{0,0.[00]}"),
                (chart.y_label, "@y{0,0.[0000]}"),
            ],
        )
    )
    return _item(figure)


def stack_item(stack: Stack) -> dict[str, Any]:
    """The seconds of each epoch, one bar on the other."""
    from bokeh.models import ColumnDataSource, HoverTool

    figure = _figure(stack.x_label, stack.y_label, is_log=False)
    source = ColumnDataSource({"x": stack.x, **stack.layers}, name=stack.key)
    bars = figure.vbar_stack(
        list(stack.layers),
        x="x",
        width=0.8,
        source=source,
        color=list(stack.colors),
        line_width=0,
        name=list(stack.layers),
    )
    for number, bar in enumerate(bars):
        bar.tags = [number]
    figure.y_range.start = 0
    figure.add_tools(
        HoverTool(renderers=bars, tooltips=[(stack.x_label, "@x"), ("$name", "@$name{0.000} s")])
    )
    return _item(figure)


def source_name(chart: Chart, line: Line) -> str:
    """What a line's points are found by in the page."""
    return f"{chart.key}/{line.run}/{line.part}"


def points_per_line(lines: int) -> int:
    """How many points of a line are drawn where there are so many lines, or a few more."""
    return max(_LEAST_POINTS, min(_POINTS_PER_LINE, _POINTS_PER_CHART // max(lines, 1)))


def thinned(line: Line, most: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The line's points, as few as are wanted, with its peaks; as small as they can be written."""
    import numpy as np

    from fitlog.plots.sampling import keep_peaks

    kept = keep_peaks(line.x, line.y, most // _POINTS_PER_COLUMN)
    x, y = line.x[kept], line.y[kept]
    is_whole = bool(len(x)) and np.isfinite(x).all() and (x == np.round(x)).all()
    if is_whole and np.abs(x).max() < 2**31:
        x = x.astype("int32")
    largest = np.finfo("float32").max
    fits = bool((np.abs(y[np.isfinite(y)]) < largest).all())
    return x, y.astype("float32") if fits else y


def _figure(x_label: str, y_label: str, *, is_log: bool) -> Any:
    from bokeh.models import BasicTickFormatter, BoxZoomTool, DataRange1d, PanTool, ResetTool
    from bokeh.plotting import figure as new_figure

    figure = new_figure(
        height=_HEIGHT,
        sizing_mode="stretch_width",
        x_axis_label=x_label,
        y_axis_label=y_label,
        y_axis_type="log" if is_log else "linear",
        x_range=DataRange1d(only_visible=True, range_padding=0.02),
        y_range=DataRange1d(only_visible=True, range_padding=0.08),
        tools=[BoxZoomTool(dimensions="width"), PanTool(dimensions="width"), ResetTool()],
        toolbar_location=None,
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        min_border_left=0,
        min_border_right=8,
    )
    figure.toolbar.logo = None
    if not is_log:
        figure.yaxis.formatter = BasicTickFormatter(use_scientific=False)
    figure.xaxis.formatter = BasicTickFormatter(use_scientific=False)
    for axis in figure.axis:
        axis.axis_label_text_font_style = "normal"
        axis.axis_line_color = axis.minor_tick_line_color = axis.major_tick_line_color = None
        for attribute in ("axis_label_text_font", "major_label_text_font"):
            setattr(axis, attribute, "system-ui, sans-serif")
        axis.major_label_text_font_size = axis.axis_label_text_font_size = "12px"
    figure.xgrid.grid_line_color = None
    return figure


def _item(figure: Any) -> dict[str, Any]:
    from bokeh.embed import json_item

    return dict(json_item(figure))
