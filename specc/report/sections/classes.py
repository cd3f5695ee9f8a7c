"""Classes of requests: what each of them saw, and which one breaks its limits first."""

from collections.abc import Iterator

from specc.ir import Queue, Workload
from specc.report import format as show
from specc.report.columns import statistic
from specc.report.document import Column, ReportBlock, Row, Table
from specc.report.headline import capacity_text
from specc.report.study import ReportedStudy
from specc.results import ClassMetrics, Configuration, KeptLimit, Simulated

_SURE = 0.99  # more than that is as good as certain
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
                    "–" if own.attainment is None else show.attainment(own.attainment),
                    show.quantity(own.goodput),
                )
            )
            for one, share, own in rows
        ),
        note="Attainment is the share of the requests of a class that met every limit of it, in "
        "the whole run; goodput is how many of them a second, in the middle of the run. "
        f"{_queue(workload, best)}",
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
    if capacity is not None and capacity.rate is not None and capacity.limiting_share is not None:
        rate, share = capacity_text(capacity), show.attainment(capacity.limiting_share)
        what = f"Above {rate} the first to break is {capacity.limiting}"
        return [f"{what}: at 10 % more {share} of its requests keep it."]
    of_classes = sorted((kept for kept in best.slo if kept.of and kept.value), key=_margin)
    if not of_classes:
        return []
    first = of_classes[0]
    _, _, fact = first.fact.partition(".")
    seen = (
        f"{show.limit_name(fact)} is {show.duration(first.value or 0.0)} of "
        f"{show.duration(first.limit)}"
    )
    broken = dict.fromkeys(kept.of for kept in of_classes if not kept.met)
    if not broken:
        return [f"Class {first.of} breaks its limits first: its {seen}, which is kept."]
    others = [name for name in broken if name != first.of]
    also = f"; {' and '.join(others)} {'break theirs' if others[1:] else 'breaks its own'}, too"
    return [f"Class {first.of} breaks its limits: its {seen}{also if others else ''}."]


def _margin(kept: KeptLimit) -> tuple[float, float]:
    """What is least sure, or where all are sure what is nearest to its limit."""
    assert kept.value is not None
    probability = 1.0 if kept.probability is None else kept.probability
    return (1.0 if probability >= _SURE else probability), -kept.value / kept.limit


def _latencies(own: ClassMetrics) -> tuple[str, ...]:
    pairs = ((own.ttft, "mean"), (own.ttft, "p99"), (own.tpot, "mean"), (own.tpot, "p99"))
    return (*(statistic(*pair) for pair in pairs), statistic(own.queue, "p99"))


def _queue(workload: Workload, best: Simulated) -> str:
    """Say in which order they start."""
    ranked = len({one.priority for one in workload.classes}) > 1
    by_priority = [limits.queue is Queue.PRIORITY for limits in best.settings]
    if all(by_priority) and ranked:
        return "The queue is by priority: 1 starts first, and is preempted last."
    if any(by_priority) and ranked:
        phase = "prefill" if by_priority[0] else "decode"
        return f"The queue of {phase} is by priority, 1 first; that of the other phase by arrival."
    if ranked:
        return (
            "The queue is by arrival, so priorities have no effect: engine { queue = priority } "
            "heeds them."
        )
    return "All classes have the same priority, so they start in the order of arrival."
