"""The search for the highest rate: latency and attainment over the rate."""

from collections.abc import Iterator

from specc.report import format as show
from specc.report.charts.simulation import capacity_charts, named
from specc.report.columns import milliseconds
from specc.report.document import Chart, Column, ReportBlock, Row, Table
from specc.report.study import ReportedStudy
from specc.results import CapacityFound, RateSeen

MOST_SIMULATED = 4  # configurations in a picture

_COLUMNS = (
    Column("Rate", "req/s"),
    Column("of capacity"),
    Column("TTFT p50", "ms"),
    Column("TTFT p99", "ms"),
    Column("TPOT p50", "ms"),
    Column("TPOT p99", "ms"),
    Column("Attainment"),
    Column("Throughput", "tok/s"),
    Column("Batch", "mean"),
    Column("Queue", "longest"),
    Column("KV cache", "fullest"),
    Column("Preemptions"),
)


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the picture and the table of what was seen at each rate."""
    shown = study.simulations
    lines = capacity_charts(shown[:MOST_SIMULATED], study.study.workload.common_slo)
    if lines:
        yield Chart(
            id=study.id("capacity"),
            title="Latency and attainment over the rate",
            alt="Latency and attainment over the rate",
            note="A curve ends where it is far beyond a limit.",
            lines=tuple(lines),
        )
    found = shown[0].capacity if shown else None
    if found is not None and found.curve:
        which = f": {named(shown[0])}" if len(shown) > 1 else ""
        yield _table(study, found, f"Latency over the rate{which}")


def _table(study: ReportedStudy, found: CapacityFound, title: str) -> Table:
    own = found.curve_rate or 1.0
    note = ""
    if found.seeds > 1:
        note = f"With the first seed, whose own capacity is {show.quantity(own)} req/s."
    return Table(
        id=study.id("rates"),
        depth=study.summary,
        title=title,
        columns=_COLUMNS,
        rows=tuple(Row(_cells(seen, own), seen.rate == own) for seen in found.curve),
        note=note,
    )


def _cells(seen: RateSeen, own: float) -> tuple[str, ...]:
    return (
        show.quantity(seen.rate),
        show.percent(seen.rate / own),
        milliseconds(seen.ttft_p50),
        milliseconds(seen.ttft_p99),
        milliseconds(seen.tpot_p50),
        milliseconds(seen.tpot_p99),
        show.attainment(seen.attainment),
        show.rate(seen.throughput),
        show.quantity(seen.batch),
        show.integer(seen.most_waiting),
        show.percent(seen.cache),
        show.integer(seen.preemptions),
    )
