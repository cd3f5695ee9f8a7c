"""Charts as numbers: scales, ticks and points in pixels. Templates draw them as SVG."""

import math
from collections.abc import Sequence

from attrs import frozen

from specc.report import format as show
from specc.results import BinRow, Candidate, StudyResult, Timeline, short_label
from specc.units import UNITS, NumberError, Quantity, UnknownUnitError, parse_quantity

WIDTH, HEIGHT = 620, 330
LEFT, RIGHT, TOP, BOTTOM = 66, 16, 16, 48
MOST_RUNS = 300  # runs of steps in a timeline
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
    y_limit: Tick | None = None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM

    @property
    def legend_step(self) -> int:
        """Pixels from one entry of the legend to the next."""
        longest = max((len(series.label) for series in self.series), default=0)
        return max(108, 40 + 7 * longest)

    @property
    def legend_columns(self) -> int:
        """Entries of the legend in a row."""
        return max(1, (self.width - self.left) // self.legend_step)

    @property
    def legend_rows(self) -> int:
        """Rows of the legend."""
        named = sum(bool(series.label) for series in self.series)
        return -(-named // self.legend_columns)


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
    rows = zip(getattr(curve, metric), curve.throughput, curve.feasible, strict=True)
    return [(x, y, ok) for x, y, ok in rows if x is not None]


Scale = tuple[float, float]  # pixel = a + b · value


def axis(end: float, first: float, last: float) -> tuple[tuple[Tick, ...], Scale]:
    """Return round ticks from 0 to `end` and the scale that maps it onto the pixels."""
    step = _round_step(end / 6)
    scale = (first, (last - first) / end)
    ticks = tuple(
        Tick(place(i * step, scale), f"{i * step:,.10g}") for i in range(math.floor(end / step) + 1)
    )
    return ticks, scale


def _round_step(step: float) -> float:
    """Return the smallest of 1, 2, 2.5, 5 · 10^k that is at least `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= step * 0.999)


def place(value: float, scale: Scale) -> float:
    """Return the pixel of a value."""
    return round(scale[0] + scale[1] * value, 1)


def _right_end(candidates: Sequence[Candidate], metric: str, limit: float | None) -> float:
    """Show curves beyond the limit; where there is none, or all miss it, beyond the points."""
    shown = [x for c in candidates if (x := getattr(c.point, metric)) is not None]
    if limit is None or min(shown, default=0.0) > limit:
        return 1.15 * max(shown, default=1.0)
    return limit * _HEADROOM


def _series(
    candidate: Candidate, color: int, metric: str, right: float, x_scale: Scale, y_scale: Scale
) -> Series:
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
    return Series(
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


def timeline_charts(timeline: Timeline) -> list[LineChart]:
    """Draw what ran in each step: prompt tokens, sequences that decode, tokens in the cache."""
    drawn = (
        ("Prompt tokens in a step", "Tokens", timeline.prefilled),
        ("Sequences that decode", "Sequences", timeline.decoding),
        ("Tokens in the KV cache", "Tokens", timeline.cached),
    )
    x_ticks, x_scale = axis(timeline.end[-1], LEFT, WIDTH - RIGHT)
    charts = []
    for title, unit, values in drawn:
        y_ticks, y_scale = axis(max(1, *values) * 1.06, HEIGHT - BOTTOM, TOP)
        pixels = []
        for start, end, value in _thinned(timeline, values):
            y = place(value, y_scale)
            pixels += [(place(start, x_scale), y), (place(end, x_scale), y)]
        points = " ".join(f"{x:g},{y:g}" for x, y in dict.fromkeys(pixels))
        series = (Series("", 0, "", points, None, ""),)
        charts.append(
            LineChart(title, "Time since arrival (s)", unit, x_ticks, y_ticks, None, series)
        )
    return charts


def _thinned(timeline: Timeline, values: Sequence[int]) -> list[tuple[float, float, float]]:
    """Return runs of steps as (start, end, mean value), not more than a picture shows."""
    runs: list[tuple[float, float, float]] = list(
        zip(timeline.start, timeline.end, values, strict=True)
    )
    if len(runs) <= MOST_RUNS:
        return runs
    width = timeline.end[-1] / MOST_RUNS
    slots: dict[int, list[tuple[float, float, float]]] = {}
    for run in runs:
        slots.setdefault(int(run[0] / width), []).append(run)
    return [
        (
            own[0][0],
            own[-1][1],
            math.fsum((end - start) * value for start, end, value in own)
            / math.fsum(end - start for start, end, _ in own),
        )
        for own in slots.values()
    ]


def request_bars(bins: Sequence[BinRow]) -> tuple[Bar, ...]:
    """Draw how long a request of each length takes: until its first token, and after it."""
    parts = []
    for row in bins:
        decode = (row.tpot or 0.0) * max(row.output - 1, 1)
        name = f"{show.integer(row.input)} in, {show.integer(row.output)} out"
        parts.append((name, row.ttft or 0.0, decode))
    longest = max(first + decode for _, first, decode in parts)
    return tuple(
        _stacked(
            name,
            [
                ("until the first token", first / longest, show.duration(first)),
                ("decode", decode / longest, show.duration(decode)),
            ],
            kinds=("compute", "memory"),
        )
        for name, first, decode in parts
    )


@frozen
class HeatCell:
    """A cell of a heat map: its text, what a pointer shows, and its shade from 0 to 1."""

    text: str
    title: str
    shade: float


@frozen
class HeatMap:
    """The throughput of the best configurations over two swept fields."""

    title: str
    x_title: str
    y_title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[HeatCell, ...]], ...]


def sweep_chart(results: Sequence[StudyResult]) -> LineChart | None:
    """Draw the best throughput of each deployment over the one field that a study sweeps."""
    path = results[0].study.settings[0][0]
    numbers = [_number_of(result.study.settings[0][1]) for result in results]
    if any(number is None for number in numbers) or len(set(numbers)) < 2:
        return None
    known = [number for number in numbers if number is not None]
    points: dict[str, list[tuple[float, float]]] = {}
    for number, result in zip(known, results, strict=True):
        for deployment in result.study.deployments:
            best = result.best_of(deployment.name)
            if best is not None:
                points.setdefault(deployment.name, []).append((number, best.throughput))
    if not points:
        return None
    unit = _unit_of(results[0].study.settings[0][1])
    high = max(known)
    top = max(y for own in points.values() for _, y in own)
    x_ticks, x_scale = axis(high, LEFT, WIDTH - RIGHT)
    y_ticks, y_scale = axis(top * 1.06, HEIGHT - BOTTOM, TOP)
    series = []
    for index, (name, own) in enumerate(points.items()):
        pixels = [(place(x, x_scale), place(y, y_scale)) for x, y in sorted(own)]
        text = " ".join(f"{x:g},{y:g}" for x, y in pixels)
        best_text = f"{name}: {show.rate(own[-1][1])} tok/s"
        series.append(Series(name, index % COLORS, "", text, pixels[-1], best_text))
    title = f"{path} ({unit})" if unit else path
    return LineChart(
        "Throughput of the best answer", title, "Throughput (tok/s)", x_ticks, y_ticks, None,
        tuple(series),
    )  # fmt: skip


def heat_map(results: Sequence[StudyResult]) -> HeatMap:
    """Draw the best throughput over the two fields that a study sweeps."""
    (y_path, _), (x_path, _) = results[0].study.settings
    columns = list(dict.fromkeys(r.study.settings[1][1] for r in results))
    rows = list(dict.fromkeys(r.study.settings[0][1] for r in results))
    best = {(r.study.settings[0][1], r.study.settings[1][1]): r.best for r in results}
    most = max((a.throughput for a in best.values() if a is not None), default=1.0)

    def cell(row: str, column: str) -> HeatCell:
        answer = best.get((row, column))
        if answer is None:
            return HeatCell("–", "no layout keeps to the limits", 0.0)
        return HeatCell(
            show.rate(answer.throughput),
            f"{answer.deployment}, {answer.layout}",
            round(answer.throughput / most, 3),
        )

    return HeatMap(
        "Throughput of the best answer (tok/s)",
        x_path,
        y_path,
        tuple(columns),
        tuple((row, tuple(cell(row, column) for column in columns)) for row in rows),
    )


def _number_of(text: str) -> float | None:
    try:
        quantity = parse_quantity(text)
    except (UnknownUnitError, NumberError):
        return None
    return float(quantity.value) / _scale_of(quantity)


def _scale_of(quantity: Quantity) -> float:
    return float(UNITS[quantity.unit].scale) if quantity.unit in UNITS else 1.0


def _unit_of(text: str) -> str:
    return parse_quantity(text).unit


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
    assert shares is not None
    names = ("compute", "memory", "communication", "launch")
    parts = [(name, getattr(shares, name)) for name in names]
    return _stacked(label, [(name, share, show.percent(share)) for name, share in parts])


def _stacked(label: str, parts: list[tuple[str, float, str]], kinds: Sequence[str] = ()) -> Bar:
    segments = []
    start = 0.0
    for number, (name, share, text) in enumerate(parts):
        width = round(100 * share, 2)
        kind = kinds[number] if kinds else name.split()[0].lower()
        segments.append(Segment(name, kind, round(start, 2), width, text))
        start += width
    return Bar(label, tuple(segments))
