"""Charts as numbers: scales, ticks and points in pixels. Templates draw them as SVG."""

import math
from collections.abc import Sequence

from attrs import frozen

from specc.plan import Candidate
from specc.report import format as show

WIDTH, HEIGHT = 620, 330
LEFT, RIGHT, TOP, BOTTOM = 66, 16, 16, 48
COLORS = 8  # colours of the palette in the templates
_HEADROOM = 1.6  # how far beyond a limit the curves are drawn, relative to it


@frozen
class Tick:
    """A mark on an axis: its place in pixels and its text."""

    place: float
    text: str


@frozen
class Series:
    """A curve: SVG points of all rows, of the feasible ones, and the best of them."""

    label: str
    color: int
    points: str
    feasible_points: str
    best: tuple[float, float] | None
    best_text: str


@frozen
class LineChart:
    """Throughput over a latency, one curve a layout."""

    title: str
    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    limit: Tick | None
    series: tuple[Series, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


@frozen
class Segment:
    """A part of a bar, in percent of its length."""

    name: str
    kind: str
    start: float
    width: float
    text: str


@frozen
class Bar:
    """A stacked bar."""

    label: str
    segments: tuple[Segment, ...]


def latency_charts(
    candidates: Sequence[Candidate], metric: str, title: str, limit: float | None
) -> list[LineChart]:
    """Draw throughput over a latency metric, a chart for each deployment, on common axes."""
    curves = [(c, getattr(c.curve, metric), c.curve.throughput) for c in candidates]
    right = _right_end(candidates, metric, limit)
    top = max(
        (y for _, xs, ys in curves for x, y in zip(xs, ys, strict=True) if x <= right), default=1.0
    )
    x_ticks, x_scale = _axis(right * 1e3, LEFT, WIDTH - RIGHT)
    y_ticks, y_scale = _axis(top * 1.06, HEIGHT - BOTTOM, TOP)
    charts = []
    for name in dict.fromkeys(c.deployment for c in candidates):
        own = sorted((c for c in candidates if c.deployment == name), key=lambda c: -c.tp)
        series = tuple(
            _series(candidate, index % COLORS, metric, right, x_scale, y_scale)
            for index, candidate in enumerate(own)
        )
        mark = None
        if limit:
            mark = Tick(_place(limit * 1e3, x_scale), f"limit {show.duration(limit)}")
        charts.append(
            LineChart(name, f"{title} (ms)", "Throughput (tok/s)", x_ticks, y_ticks, mark, series)
        )
    return charts


_Scale = tuple[float, float]  # pixel = a + b · value


def _axis(end: float, first: float, last: float) -> tuple[tuple[Tick, ...], _Scale]:
    """Return round ticks from 0 to `end` and the scale that maps it onto the pixels."""
    step = _round_step(end / 6)
    scale = (first, (last - first) / end)
    ticks = tuple(
        Tick(_place(i * step, scale), f"{i * step:,.10g}")
        for i in range(math.floor(end / step) + 1)
    )
    return ticks, scale


def _round_step(step: float) -> float:
    """Return the smallest of 1, 2, 2.5, 5 · 10^k that is at least `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= step * 0.999)


def _place(value: float, scale: _Scale) -> float:
    return round(scale[0] + scale[1] * value, 1)


def _right_end(candidates: Sequence[Candidate], metric: str, limit: float | None) -> float:
    """Show curves beyond the limit; where there is none, or all miss it, beyond the points."""
    shown = [float(getattr(c.point, metric)) for c in candidates]
    if limit is None or min(shown) > limit:
        return 1.15 * max(shown)
    return limit * _HEADROOM


def _series(
    candidate: Candidate, color: int, metric: str, right: float, x_scale: _Scale, y_scale: _Scale
) -> Series:
    curve = candidate.curve
    rows = list(zip(getattr(curve, metric), curve.throughput, curve.feasible, strict=True))
    pixels = [(_place(x * 1e3, x_scale), _place(y, y_scale), ok) for x, y, ok in rows if x <= right]
    best = None
    if candidate.feasible:
        x, y = getattr(candidate.point, metric), candidate.point.throughput
        best = (_place(x * 1e3, x_scale), _place(y, y_scale))
    label = show.short_layout(candidate.parallel)
    return Series(
        label=label,
        color=color,
        points=" ".join(f"{x:g},{y:g}" for x, y, _ in pixels),
        feasible_points=" ".join(f"{x:g},{y:g}" for x, y, ok in pixels if ok),
        best=best,
        best_text=f"{label}: batch {candidate.point.batch}, "
        f"{show.rate(candidate.point.throughput)} tok/s, "
        f"TTFT {show.duration(candidate.point.ttft)}, TPOT {show.duration(candidate.point.tpot)}",
    )


def memory_bar(candidate: Candidate, memory: int, label: str) -> Bar:
    """Split the memory of a device into its parts."""
    use = candidate.point.memory
    parts = [
        ("weights", use.weights),
        ("KV cache", use.kv_cache),
        ("activations", use.activations),
        ("reserved", use.reserved),
        ("free", max(0, use.available)),
    ]
    total = max(memory, sum(size for _, size in parts))
    return _stacked(label, [(name, size / total, show.size(size)) for name, size in parts])


def share_bar(candidate: Candidate, phase: str, label: str) -> Bar:
    """Split the time of a step by what bounds its operators."""
    shares = getattr(candidate.point, phase)
    names = ("compute", "memory", "communication", "launch")
    parts = [(name, getattr(shares, name)) for name in names]
    return _stacked(label, [(name, share, show.percent(share)) for name, share in parts])


def _stacked(label: str, parts: list[tuple[str, float, str]]) -> Bar:
    segments = []
    start = 0.0
    for name, share, text in parts:
        width = round(100 * share, 2)
        segments.append(Segment(name, name.split()[0].lower(), round(start, 2), width, text))
        start += width
    return Bar(label, tuple(segments))
