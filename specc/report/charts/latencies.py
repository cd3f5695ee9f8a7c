"""Throughput over a latency, a curve for each layout."""

from collections.abc import Sequence

from specc.report import format as show
from specc.report.charts.scales import Scale, axis, place
from specc.report.charts.shapes import (
    BOTTOM,
    COLORS,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    LineChart,
    PlottedSeries,
    Tick,
)
from specc.results import Candidate, short_label

_HEADROOM = 1.6  # how far beyond a limit the curves are drawn, relative to it


def latency_charts(
    candidates: Sequence[Candidate], metric: str, title: str, limit: float | None, named: str = ""
) -> list[LineChart]:
    """Draw throughput over a latency metric, a chart for each deployment, on common axes.

    Of each deployment the best candidates are drawn, as many as there are colours.
    """
    drawn: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        drawn.setdefault(candidate.deployment, []).append(candidate)
    drawn = {name: own[:COLORS] for name, own in drawn.items()}
    shown = [candidate for own in drawn.values() for candidate in own]
    right = _right_end(shown, metric, limit)
    points = [point for c in shown for point in _curve_points(c, metric)]
    top = max((y for x, y, _ in points if x <= right), default=1.0)
    x_ticks, x_scale = axis(right * 1e3, LEFT, WIDTH - RIGHT)
    y_ticks, y_scale = axis(top * 1.06, HEIGHT - BOTTOM, TOP)
    mark = None
    if limit:
        mark = Tick(place(limit * 1e3, x_scale), f"limit {show.duration(limit)}")
    charts = []
    for name, own in drawn.items():
        own.sort(key=lambda c: -c.instance.layout.tp)
        series = tuple(
            _series(candidate, index % COLORS, metric, right, x_scale, y_scale)
            for index, candidate in enumerate(own)
        )
        charts.append(
            LineChart(
                name + named, f"{title} (ms)", "Throughput (tok/s)", x_ticks, y_ticks, mark, series
            )
        )
    return charts


def _curve_points(candidate: Candidate, metric: str) -> list[tuple[float, float, bool]]:
    curve = candidate.curve
    if curve is None:
        return []
    rows = zip(getattr(curve, metric), curve.throughput, curve.feasible, strict=True)
    return [(x, y, ok) for x, y, ok in rows if x is not None]


def _right_end(candidates: Sequence[Candidate], metric: str, limit: float | None) -> float:
    """Show curves beyond the limit; where there is none, or all miss it, beyond the points."""
    shown = [x for c in candidates if (x := getattr(c.point, metric)) is not None]
    if limit is None or min(shown, default=0.0) > limit:
        return 1.15 * max(shown, default=1.0)
    return limit * _HEADROOM


def _series(
    candidate: Candidate, color: int, metric: str, right: float, x_scale: Scale, y_scale: Scale
) -> PlottedSeries:
    pixels = [
        (place(x * 1e3, x_scale), place(y, y_scale), ok)
        for x, y, ok in _curve_points(candidate, metric)
        if x <= right
    ]
    best = None
    if candidate.feasible:
        x, y = getattr(candidate.point, metric), candidate.point.throughput
        best = (place(x * 1e3, x_scale), place(y, y_scale))
    label = short_label(candidate.instance.parallel)
    return PlottedSeries(
        label=label,
        color=color,
        points=" ".join(f"{x:g},{y:g}" for x, y, _ in pixels),
        feasible_points=" ".join(f"{x:g},{y:g}" for x, y, ok in pixels if ok),
        best=best,
        best_text=f"{label}: {_point_text(candidate)}",
    )


def _point_text(candidate: Candidate) -> str:
    point = candidate.point
    latencies = {"TTFT": point.ttft, "TPOT": point.tpot}
    return ", ".join(
        [
            f"batch {point.batch}",
            f"{show.rate(point.throughput)} tok/s",
            *(f"{name} {show.duration(x)}" for name, x in latencies.items() if x is not None),
        ]
    )
