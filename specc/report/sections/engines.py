"""The simulated engines: their settings, and their state over time."""

from collections.abc import Iterator

from specc.report import format as show
from specc.report.charts.simulation import state_charts, step_charts
from specc.report.document import Chart, Column, ReportBlock, Row, Table
from specc.report.study import ReportedStudy
from specc.results import EngineLimits, Simulated
from specc.simulation.instances import is_unlimited


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the table of engines, and the pictures of their state and steps."""
    if not study.simulations:
        return
    best = study.simulations[0]
    yield _table(study, best)
    for name, title, note, lines in (
        (
            "state",
            "Queue, batch and KV cache over time",
            "All engines together, sampled at equal intervals.",
            state_charts(best),
        ),
        (
            "steps",
            "Steps around the longest queue",
            "Of the engine with the longest queue.",
            step_charts(best),
        ),
    ):
        if lines:
            yield Chart(id=study.id(name), title=title, alt=title, note=note, lines=tuple(lines))


def _table(study: ReportedStudy, best: Simulated) -> Table:
    phases = ("Prefill", "Decode") if len(best.engines) > 1 else ("Engine",)
    own = zip(phases, best.engines, best.settings, strict=True)
    return Table(
        id=study.id("engines"),
        depth=study.summary,
        title="Simulated engines",
        columns=(
            Column("Phase" if len(phases) > 1 else "", numeric=False),
            Column("Engines"),
            Column("Scheduler", numeric=False),
            Column("Budget", "tok a step"),
            Column("Sequences"),
            Column("Decode batch"),
            Column("Admission", "a step"),
            Column("KV cache", "tok"),
            Column("Block", "tok"),
        ),
        rows=tuple(Row(_cells(phase, count, limits)) for phase, count, limits in own),
        note="A simulated engine runs one batch. An instance has one per replica and pipeline "
        "stage; replicas that share experts run as one.",
    )


def _cells(phase: str, count: int, limits: EngineLimits) -> tuple[str, ...]:
    return (
        phase,
        show.integer(count),
        limits.scheduler.value,
        show.integer(limits.budget),
        show.integer(limits.limit),
        show.integer(limits.decode_batch),
        show.integer(limits.admission),
        "no limit" if is_unlimited(limits) else show.integer(limits.capacity * limits.block),
        show.integer(limits.block),
    )
