"""Throughput over a latency and over requests in flight, and the frontier, by layout."""

from collections.abc import Sequence

from specc.report import format as show
from specc.report.charts.plot import AxisEnds, Line, Mark, plotted
from specc.report.charts.shapes import STYLES, LineChart
from specc.results import BatchCurve, Candidate, FrontierPoint, short_label

_HEADROOM = 1.6  # how far beyond a limit the curves are drawn, relative to it


def latency_charts(
    candidates: Sequence[Candidate], metric: str, title: str, limit: float | None, named: str = ""
) -> list[LineChart]:
    """Draw throughput over a latency metric, a chart for each deployment, on common axes.

    Of each deployment the best candidates are drawn, as many as there are styles.
    """
    drawn = _by_deployment(candidates)
    shown = [candidate for own in drawn.values() for candidate in own]
    right = _right_end(shown, metric, limit) * 1e3
    points = [point for c in shown for point in _curve_points(c, metric)]
    top = max((y for x, y, _ in points if x * 1e3 <= right), default=1.0)
    return [
        plotted(
            (name + named, f"{title} (ms)", "Throughput (tok/s)"),
            [_line(c, metric) for c in own],
            x_limit=_mark(limit),
            x=AxisEnds(end=right),
            y=AxisEnds(end=top),
        )
        for name, own in drawn.items()
    ]


def concurrency_charts(
    candidates: Sequence[Candidate], limits: Sequence[tuple[str, float | None]]
) -> list[LineChart]:
    """Draw throughput and latencies over the requests in flight, with the limits."""
    own = list(candidates)[:STYLES]
    across = "Requests in flight"
    charts = [
        plotted(
            ("Throughput", across, "Throughput (tok/s)"),
            [_over_flight(c, "throughput", 1.0) for c in own],
        )
    ]
    for metric, limit in limits:
        lines = [_over_flight(c, metric, 1e3) for c in own]
        lines = [line for line in lines if line.x]
        if lines:
            top = None if limit is None else limit * 1e3 * _HEADROOM
            name = metric.upper()
            charts.append(
                plotted(
                    (name, across, f"{name} (ms)"), lines, y_limit=_mark(limit), y=AxisEnds(end=top)
                )
            )
    return charts


def frontier_chart(
    points: Sequence[FrontierPoint],
    others: Sequence[Candidate],
    metric: str,
    limit: float | None,
    best: tuple[float, float, str] | None,
) -> LineChart:
    """Draw throughput per device over a latency: what is best, the frontier, what was tried.

    Args:
        points: of the frontier.
        others: candidates whose batch sizes were tried.
        metric: `ttft` or `tpot`.
        limit: on it.
        best: the recommendation: its latency in ms, tok/s of a device, and what it is.
    """
    order = sorted(
        (p for p in points if getattr(p, metric) is not None), key=lambda p: getattr(p, metric)
    )
    edge = [(getattr(p, metric) * 1e3, p.throughput_per_device) for p in order]
    tried = [
        (x * 1e3, y / c.instance.own_devices)
        for c in others
        for x, y, ok in _curve_points(c, metric)
        if ok
    ]
    right = max(x for x, _ in edge) * 1.15
    shown = [(x, y) for x, y in tried if x <= right]
    return plotted(
        ("", f"{metric.upper()} (ms)", "tok/s a device"),
        [
            Line("frontier", [x for x, _ in edge], [y for _, y in edge], best=best),
            Line("other batch sizes", [x for x, _ in shown], [y for _, y in shown], joined=False),
        ],
        x_limit=_mark(limit) if limit is not None and limit * 1e3 <= right else None,
        x=AxisEnds(end=right),
    )


def _edge(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Keep the points that no other beats in both; the frontier counts TTFT and memory too."""
    kept: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda point: (point[0], -point[1])):
        if not kept or y > kept[-1][1]:
            kept.append((x, y))
    return kept


def _by_deployment(candidates: Sequence[Candidate]) -> dict[str, list[Candidate]]:
    drawn: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        drawn.setdefault(candidate.deployment, []).append(candidate)
    return {
        name: sorted(own[:STYLES], key=lambda c: -c.instance.layout.tp)
        for name, own in drawn.items()
    }


def _mark(limit: float | None) -> Mark | None:
    return None if not limit else Mark(limit * 1e3, f"limit {show.duration(limit)}")


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


def _line(candidate: Candidate, metric: str) -> Line:
    points = _curve_points(candidate, metric)
    best = None
    if candidate.feasible:
        x, y = getattr(candidate.point, metric), candidate.point.throughput
        best = (x * 1e3, y, f"{_label(candidate)}: {_point_text(candidate)}")
    return Line(
        _label(candidate),
        [x * 1e3 for x, _, _ in points],
        [y for _, y, _ in points],
        [ok for _, _, ok in points],
        best,
    )


def _over_flight(candidate: Candidate, metric: str, scale: float) -> Line:
    curve = candidate.curve or BatchCurve((), (), (), (), (), ())
    each = candidate.point.concurrency / candidate.point.batch
    rows = zip(curve.batch, getattr(curve, metric), curve.feasible, strict=True)
    known = [(batch * each, y * scale, ok) for batch, y, ok in rows if y is not None]
    return Line(
        _label(candidate),
        [x for x, _, _ in known],
        [y for _, y, _ in known],
        [ok for _, _, ok in known],
    )


def _label(candidate: Candidate) -> str:
    return short_label(candidate.instance.parallel)


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
