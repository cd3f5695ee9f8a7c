"""Classes of requests: what each of them saw, and which one breaks its limits first."""

from collections.abc import Iterator

from specc.ir import Queue, Workload
from specc.report import format as show
from specc.report.columns import milliseconds
from specc.report.document import Column, ReportBlock, Row, Table
from specc.report.study import ReportedStudy
from specc.results import ClassMetrics, Configuration, KeptLimit, Simulated, Statistics

_COLUMNS = (
    Column("Class", numeric=False),
    Column("Share"),
    Column("Priority"),
    Column("Requests"),
    Column("TTFT mean", "ms"),
    Column("p99", "ms"),
    Column("TPOT mean", "ms"),
    Column("p99", "ms"),
    Column("Queue p99", "ms"),
    Column("Attainment"),
    Column("Goodput", "req/s"),
)


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the table of classes of the recommendation, or of the first server."""
    workload = study.study.workload
    if not workload.classes or not study.simulations:
        return
    best = study.simulations[0]
    rows = zip(workload.classes, workload.shares, best.metrics.classes, strict=True)
    yield Table(
        id=study.id("classes"),
        depth=study.summary,
        title="Classes of requests",
        columns=_COLUMNS,
        rows=tuple(
            Row(
                (
                    own.name,
                    show.percent(share),
                    show.integer(one.priority),
                    show.integer(own.requests),
                    *_latencies(own),
                    show.attainment(own.attainment),
                    show.quantity(own.goodput),
                )
            )
            for one, share, own in rows
        ),
        note="Attainment is the share of the requests of a class that met every limit of it, "
        f"goodput how many of them a second. {_queue(workload, best)}",
    )


def breaks_first(study: ReportedStudy, best: Configuration) -> list[str]:
    """Say which class breaks its limits first, where there are several.

    Above the capacity, where that was searched; else by how surely limits hold if steps take
    longer than predicted, and without that by how near they are.
    """
    workload = study.study.workload
    if not workload.classes or not best.slo:
        return []
    capacity = study.simulations[0].capacity if study.simulations else None
    if capacity is not None and capacity.rate is not None and ": " in capacity.limiting:
        name, _, limit = capacity.limiting.partition(": ")
        return [
            f"Above {show.quantity(capacity.rate)} req/s class {name} breaks its limits first "
            f"({limit})."
        ]
    of_classes = [kept for kept in best.slo if kept.fact.count(".") == 2 and kept.value is not None]
    if not of_classes:
        return []
    of_classes.sort(key=_margin)
    first = of_classes[0]
    name, _, fact = first.fact.partition(".")
    seen = f"{show.limit_name(fact)} is {show.duration(first.value or 0.0)}"
    what = f"Class {name} breaks its limits first: {seen} of {show.duration(first.limit)}"
    broken = {kept.fact.partition(".")[0]: None for kept in of_classes if not kept.met}
    if not broken:
        return [f"{what}, which it keeps."]
    others = [other for other in broken if other != name]
    return [f"{what}; {' and '.join(others) or 'no other class'} {'do' if others[1:] else 'does'}."]


def _margin(kept: KeptLimit) -> tuple[float, float]:
    assert kept.value is not None
    return (
        1.0 if kept.probability is None else kept.probability,
        -kept.value / kept.limit,
    )


def _latencies(own: ClassMetrics) -> tuple[str, ...]:
    def cell(found: Statistics | None, statistic: str) -> str:
        return milliseconds(None if found is None else getattr(found, statistic))

    pairs = ((own.ttft, "mean"), (own.ttft, "p99"), (own.tpot, "mean"), (own.tpot, "p99"))
    return (*(cell(*pair) for pair in pairs), cell(own.queue, "p99"))


def _queue(workload: Workload, best: Simulated) -> str:
    """Say in which order they start."""
    ranked = len({one.priority for one in workload.classes}) > 1
    by_priority = any(limits.queue is Queue.PRIORITY for limits in best.settings)
    if by_priority and ranked:
        return "The queue is by priority: 1 starts first, and is preempted last."
    if ranked:
        return (
            "The queue is by arrival, so priorities have no effect: engine { queue = priority } "
            "heeds them."
        )
    return "All classes have the same priority, so they start in the order of arrival."
