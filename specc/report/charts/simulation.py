"""Charts of simulations: distributions, the state over time, steps, and latency over the rate."""

from collections.abc import Sequence

from attrs import evolve

from specc.ir import Slo
from specc.report import format as show
from specc.report.charts.plot import AxisEnds, Line, Mark, plotted
from specc.report.charts.shapes import LineChart
from specc.results import CapacityFound, Simulated, short_label

_LEAST_SHOWN = 1e-3  # percent of a cache; one without a limit is never as full
_BEYOND = 3.0  # how far beyond a limit latencies are drawn, relative to it
_NAMES = {"ttft": "TTFT", "tpot": "TPOT", "itl": "ITL", "latency": "Latency", "queue": "Queue"}


def distribution_charts(shown: Sequence[Simulated], slo: Slo) -> list[LineChart]:
    """Draw the share of requests within a time, for each metric."""
    charts = []
    for metric in ("ttft", "tpot", "latency"):
        curves, shares = [], []
        for simulated in shown:
            quantiles = getattr(simulated.picture, metric)
            if quantiles:
                shares = [100 * i / (len(quantiles) - 1) for i in range(len(quantiles))]
                label = named(simulated) if len(shown) > 1 else ""
                curves.append(Line(label, [q * 1e3 for q in quantiles], shares))
        if curves:
            limit = min(_limits(slo, metric), default=None)
            mark = None
            if limit is not None and limit * 1e3 < 4 * max(c.x[-1] for c in curves):
                mark = Mark(limit * 1e3, f"limit {show.duration(limit)}")
            titles = (f"{_NAMES[metric]} of requests", f"{_NAMES[metric]} (ms)", "Requests (%)")
            charts.append(plotted(titles, curves, x_limit=mark))
    return charts


def named(simulated: Simulated) -> str:
    """Name what was simulated, with its layout."""
    return f"{simulated.name}, {short_label(simulated.layout)}"


def _limits(slo: Slo, metric: str) -> list[float]:
    return [b.value for b in slo.objectives if b.fact.startswith(f"{metric}.")]


def state_charts(simulated: Simulated) -> list[LineChart]:
    """Draw the queue, the batch and the cache over time, of all engines together."""
    series = simulated.picture.series
    drawn = (
        ("Requests that wait", "Requests", series.waiting),
        ("Sequences that decode", "Sequences", series.running),
        ("KV cache in use", "Share (%)", [100 * share for share in series.cache]),
    )
    return [
        plotted((title, "Time (s)", unit), [Line("", series.time, list(values))])
        for title, unit, values in drawn
        if unit != "Share (%)" or max(values, default=0) > _LEAST_SHOWN
    ]


def step_charts(simulated: Simulated) -> list[LineChart]:
    """Draw what ran in the steps around the longest queue of an engine."""
    steps = simulated.picture.steps
    if not steps.start:
        return []
    begin = steps.start[0]
    drawn = (
        ("New prompt tokens in a step", "Tokens", steps.prefilled),
        ("Sequences that decode in a step", "Sequences", steps.decoding),
    )
    charts = []
    for title, unit, values in drawn:
        x: list[float] = []
        y: list[float] = []
        for start, end, value in zip(steps.start, steps.end, values, strict=True):
            x += [(start - begin) * 1e3, (end - begin) * 1e3]
            y += [float(value)] * 2
        titles = (title, f"Time from {show.duration(begin) if begin else '0 s'} (ms)", unit)
        charts.append(plotted(titles, [Line("", x, y)]))
    return charts


def capacity_charts(shown: Sequence[Simulated], slo: Slo) -> list[LineChart]:
    """Draw latencies and attainment over the rate, with the objectives and the capacity."""
    searched = [s for s in shown if s.capacity is not None and s.capacity.curve]
    if not searched:
        return []
    charts = []
    for metric in ("ttft", "tpot"):
        curves = []
        for simulated in searched:
            assert simulated.capacity is not None
            for statistic in ("p50", "p99"):
                curve = _over_rate(simulated.capacity, f"{metric}_{statistic}")
                own = f"{named(simulated)} " if len(searched) > 1 else ""
                curves.append(evolve(curve, label=f"{own}{statistic}"))
        limit = max(_limits(slo, metric), default=None)
        mark = None if limit is None else Mark(limit * 1e3, f"limit {show.duration(limit)}")
        top = None if limit is None else limit * 1e3 * _BEYOND
        titles = (f"{_NAMES[metric]} over the rate", "Rate (req/s)", f"{_NAMES[metric]} (ms)")
        charts.append(
            plotted(
                titles,
                curves,
                x_limit=_capacity_mark(searched),
                y_limit=mark,
                x=AxisEnds(None),
                y=AxisEnds(end=top),
            )
        )
    curves = []
    for simulated in searched:
        assert simulated.capacity is not None
        points = simulated.capacity.curve
        label = named(simulated) if len(searched) > 1 else ""
        curves.append(Line(label, [p.rate for p in points], [100 * p.attainment for p in points]))
    target = searched[0].capacity
    assert target is not None
    wanted = Mark(100 * target.target, f"target {show.percent(target.target)}")
    titles = ("Requests that meet all objectives", "Rate (req/s)", "Requests (%)")
    charts.append(
        plotted(
            titles,
            curves,
            x_limit=_capacity_mark(searched),
            y_limit=wanted,
            x=AxisEnds(None),
            y=AxisEnds(None),
        )
    )
    return charts


def _over_rate(found: CapacityFound, field: str) -> Line:
    known = [(p.rate, getattr(p, field)) for p in found.curve if getattr(p, field) is not None]
    return Line("", [rate for rate, _ in known], [value * 1e3 for _, value in known])


def _capacity_mark(searched: Sequence[Simulated]) -> Mark | None:
    first = searched[0].capacity
    if len(searched) > 1 or first is None or first.rate is None:
        return None
    return Mark(first.rate, f"capacity {show.quantity(first.rate)} req/s")
