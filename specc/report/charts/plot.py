"""Curves on common axes: what all line charts are made by."""

from collections.abc import Sequence

from attrs import evolve, frozen

from specc.records import Record
from specc.report.charts.scales import axis, beginning, place
from specc.report.charts.shapes import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    STYLES,
    TOP,
    WIDTH,
    Axis,
    LineChart,
    PlottedSeries,
    Tick,
)

_HEADROOM = 1.06
_MARKERS = 7  # on a curve, about
_LONGEST_KEY = 4  # letters that stand at the end of a curve
_APART = 13.0  # pixels between the keys of two curves


@frozen(eq=False, repr=False)
class Line(Record):
    """A named curve.

    Attributes:
        kept: which of its points keep the limits; None if all do.
        best: the point that is recommended, with what it is.
        joined: whether a line joins the points.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    kept: Sequence[bool] | None = None
    best: tuple[float, float, str] | None = None
    joined: bool = True


@frozen(eq=False, repr=False)
class Mark(Record):
    """A line across a chart, with its text."""

    value: float
    text: str


@frozen(eq=False, repr=False)
class AxisEnds(Record):
    """What an axis shows: None is as far as the curves go."""

    begin: float | None = 0.0
    end: float | None = None


def plotted(
    titles: tuple[str, str, str],
    curves: Sequence[Line],
    *,
    x_limit: Mark | None = None,
    y_limit: Mark | None = None,
    x: AxisEnds | None = None,
    y: AxisEnds | None = None,
) -> LineChart:
    """Draw curves; `titles` are those of the chart, of the x axis and of the y axis."""
    across = _axis(titles[1], [v for c in curves for v in c.x], x_limit, x or AxisEnds(), False)
    up = _axis(titles[2], [v for c in curves for v in c.y], y_limit, y or AxisEnds(), True)
    several = len(curves) > 1
    series = [_series(curve, n, across, up, several) for n, curve in enumerate(curves)]
    return LineChart(
        titles[0],
        across,
        up,
        tuple(_spread(series)),
        _tick(x_limit, across),
        _tick(y_limit, up),
    )


def _axis(
    title: str, values: Sequence[float], limit: Mark | None, extent: AxisEnds, upwards: bool
) -> Axis:
    known = [*values, *([limit.value] if limit is not None else [])]
    high = max(known, default=1.0) or 1.0
    if extent.end is not None:
        high = min(high, extent.end)
    low = beginning(min(known, default=0.0), high) if extent.begin is None else extent.begin
    if high <= low:
        high = low + 1.0
    if upwards:
        end = low + (high - low) * _HEADROOM
        return axis(title, low, end, HEIGHT - BOTTOM, TOP)
    return axis(title, low, high, LEFT, WIDTH - RIGHT)


def _tick(mark: Mark | None, on: Axis) -> Tick | None:
    return None if mark is None else Tick(place(mark.value, on), mark.text)


def _series(curve: Line, number: int, x: Axis, y: Axis, several: bool) -> PlottedSeries:
    kept = curve.kept if curve.kept is not None else [True] * len(curve.x)
    pixels = [
        (place(a, x), place(b, y), ok) for a, b, ok in zip(curve.x, curve.y, kept, strict=True)
    ]
    pixels = [(a, b, ok) for a, b, ok in pixels if _is_within(a, b)]
    points = list(dict.fromkeys((a, b) for a, b, _ in pixels))
    best = None if curve.best is None else (place(curve.best[0], x), place(curve.best[1], y))
    return PlottedSeries(
        label=curve.label,
        style=number % STYLES,
        key=_key(curve.label, number),
        points=_text(points),
        kept_points=_text(list(dict.fromkeys((a, b) for a, b, ok in pixels if ok))),
        markers=_markers(points, curve, several),
        end=points[-1] if points and several and curve.joined else None,
        best=best,
        best_text="" if curve.best is None else curve.best[2],
        joined=curve.joined,
    )


def _markers(
    points: Sequence[tuple[float, float]], curve: Line, several: bool
) -> tuple[tuple[float, float], ...]:
    if not curve.joined:
        return tuple(points)
    return tuple(_some(points)) if several else ()


def _key(label: str, number: int) -> str:
    return label if len(label) <= _LONGEST_KEY else chr(ord("A") + number % 26)


def _is_within(x: float, y: float) -> bool:
    """Say whether a point is on the chart: what lies beyond is left out, not moved to its edge."""
    return x <= WIDTH - RIGHT + 0.5 and y >= TOP - 0.5


def _text(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)


def _some(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """Return some of many points, the last one among them."""
    step = max(1, -(-len(points) // _MARKERS))
    return points[::-1][::step][::-1]


def _spread(series: Sequence[PlottedSeries]) -> list[PlottedSeries]:
    """Move the keys at the ends of curves apart, so that none covers another one."""
    ends = {n: one.end for n, one in enumerate(series) if one.end is not None}
    order = sorted(ends, key=lambda n: ends[n][1])
    placed: dict[int, float] = {}
    last = -_APART
    for n in order:  # down, each below the one before
        last = placed[n] = max(ends[n][1], last + _APART)
    first = HEIGHT - BOTTOM + _APART
    for n in reversed(order):  # and up again, as far as they hang over
        first = placed[n] = min(placed[n], first - _APART)
    found = []
    for n, one in enumerate(series):
        end = one.end
        found.append(one if end is None else evolve(one, end=(end[0], round(placed[n], 1))))
    return found
