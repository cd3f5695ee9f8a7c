"""What the simulated requests saw: statistics, objectives, lengths, and their distribution."""

from collections.abc import Iterator, Sequence

from specc.ir.facts import REQUEST_METRICS, STATISTICS
from specc.report import format as show
from specc.report.charts.simulation import distribution_charts, named
from specc.report.columns import statistic
from specc.report.document import Chart, Column, Depth, ReportBlock, Row, Table
from specc.report.sections.capacity import MOST_SIMULATED
from specc.report.study import ReportedStudy
from specc.results import BinMetrics, Metrics, Simulated


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the tables and the picture of requests."""
    shown = _told(study)
    for number, simulated in enumerate(shown, start=1):
        which = f": {named(simulated)}" if len(study.simulations) > 1 else ""
        yield statistics(
            study.id(f"latencies-{number}"),
            f"Simulated requests{which}",
            simulated.metrics,
            study.summary,
        )
    if not shown:
        return
    best = shown[0]
    if best.metrics.objectives:
        yield _objectives(study)
    if any(s.closed for s in study.simulations):
        yield _closed(study)
    if best.metrics.bins:
        yield _lengths(study, best)
    lines = distribution_charts(study.simulations[:MOST_SIMULATED], study.study.workload.common_slo)
    if lines:
        yield Chart(
            id=study.id("requests-cdf"),
            title="Distribution of latencies",
            alt="Distribution of latencies",
            lines=tuple(lines),
        )


def _told(study: ReportedStudy) -> Sequence[Simulated]:
    """Return what is told in detail: servers beside each other, else the recommendation."""
    return study.simulations[: MOST_SIMULATED if study.study.servers else 1]


def statistics(id_: str, title: str, metrics: Metrics, depth: Depth) -> Table:
    """Show the statistics of each metric over requests."""
    rows = []
    for metric in REQUEST_METRICS:
        found = getattr(metrics, metric.name)
        cells = [statistic(found, name) for name in STATISTICS]
        rows.append(Row((metric.title, *cells)))
    columns = (Column("Metric", numeric=False), *(Column(s, "ms") for s in STATISTICS))
    return Table(
        id=id_, depth=depth, title=title, columns=columns, rows=tuple(rows), note=_totals(metrics)
    )


def _totals(metrics: Metrics) -> str:
    return (
        f"{show.integer(metrics.finished)} of {show.integer(metrics.requests)} requests in "
        f"{show.duration(metrics.span)}{_of_what(metrics)}: {show.quantity(metrics.served)} req/s, "
        f"{show.rate(metrics.throughput)} output tok/s, "
        f"{show.rate(metrics.input_throughput)} prompt tok/s"
        + (
            f", {show.percent(metrics.hits)} of the prompts from the cache."
            if metrics.hits
            else "."
        )
    )


def _of_what(metrics: Metrics) -> str:
    """Say of which time rates are: of the run, or of its middle."""
    whole = metrics.finished / metrics.span
    if abs(metrics.served - whole) < _SAME * whole:
        return ", start-up and drain included"
    return "; in the middle of the run"


def _objectives(study: ReportedStudy) -> Table:
    several = len(_told(study)) > 1
    rows = []
    for s in _told(study):
        name = (named(s),) if several else ()
        for o in s.metrics.objectives:
            cells = (o.objective, show.duration(o.limit), _duration(o.seen))
            rows.append(Row((*name, *cells, "yes" if o.met else "no", show.attainment(o.share))))
        share = show.attainment(s.metrics.attainment)
        rows.append(Row((*name, "all together", "", "", "", share)))
    columns = [Column("Configuration", numeric=False)] if several else []
    columns += [
        Column("Objective", numeric=False),
        Column("Limit"),
        Column("Simulated"),
        Column("Met", numeric=False),
        Column("Attainment"),
    ]
    return Table(
        id=study.id("objectives"),
        depth=study.summary,
        title="Objectives in the simulation",
        columns=tuple(columns),
        rows=tuple(rows),
        note="Attainment is the share of the requests (for ITL of the gaps) within the limit; "
        "all together, a metric with several limits is checked against the loosest one.",
    )


def _duration(value: float | None) -> str:
    return "–" if value is None else show.duration(value)


def _closed(study: ReportedStudy) -> Table:
    """Set what the plan says beside what the simulation says."""
    rows = []
    for s in study.simulations:
        for c in s.closed:
            seconds = c.metric in ("ttft", "tpot")
            text = show.duration if seconds else show.quantity
            name = f"{c.metric.upper()}, mean" if seconds else _RATES[c.metric]
            values = (text(c.planned), text(c.simulated), _difference(c.planned, c.simulated))
            rows.append(Row((named(s), name, *values)))
    return Table(
        id=study.id("plan-and-simulation"),
        depth=Depth.PAGE,
        title="Closed form and simulation",
        columns=(
            Column("Configuration", numeric=False),
            Column("Metric", numeric=False),
            Column("Closed form"),
            Column("Simulation"),
            Column("Difference"),
        ),
        rows=tuple(rows),
        note=_STEADY if study.result.is_steady else _AT_ONCE,
    )


_AT_ONCE = (
    "The closed form or step loop loads an instance with its whole batch at once, "
    "and no request comes later; in the simulation requests arrive over time, and wait."
)
_STEADY = (
    "The closed form (steady state) has as many clients as places, each of which sends its next "
    "request when one is done; in the simulation requests come as its load says."
)


_SAME = 1e-7  # relative: rates that only rounding tells apart, that of a result file too
_RATES = {"rate": "Rate (possible, served), req/s", "carried": "Rate that it can carry, req/s"}


def _difference(planned: float, simulated: float) -> str:
    if not planned:
        return "–"
    return f"{(simulated / planned - 1) * 100:+,.0f} %"


def _lengths(study: ReportedStudy, best: Simulated) -> Table:
    workload = study.study.workload
    rows, classes = workload.rows, bool(workload.classes)
    of_class = (Column("Class", numeric=False),) if classes else ()
    return Table(
        id=study.id("simulated-lengths"),
        depth=Depth.PAGE,
        title="Simulated requests by length",
        columns=(
            *of_class,
            Column("Prompt", "tok"),
            Column("Output", "tok"),
            Column("Requests"),
            Column("TTFT p50", "ms"),
            Column("TTFT p99", "ms"),
            Column("TPOT p50", "ms"),
            Column("TPOT p99", "ms"),
            Column("Attainment"),
        ),
        rows=tuple(
            Row(
                (
                    *([rows[own.bin][0].name] if classes else []),
                    *map(_range, (rows[own.bin][1].input, rows[own.bin][1].output)),
                    *_of_bin(own),
                )
            )
            for own in best.metrics.bins
        ),
    )


def _of_bin(own: BinMetrics) -> tuple[str, ...]:
    latencies = (
        statistic(metric, name) for metric in (own.ttft, own.tpot) for name in ("p50", "p99")
    )
    share = show.attainment(own.attainment) if own.requests else "–"
    return (show.integer(own.requests), *latencies, share)


def _range(lengths: tuple[int, int]) -> str:
    low, high = lengths
    return show.integer(low) if high == low + 1 else f"{low:,} .. {high:,}"
