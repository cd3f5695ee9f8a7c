"""The combinations of sizes that were dropped before evaluation, and why."""

from collections.abc import Iterator

from specc.report import format as show
from specc.report.columns import number, table, text
from specc.report.document import ReportBlock
from specc.report.study import ReportedStudy

MOST_PRUNED = 60


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the table of what was pruned."""
    if not study.result.pruned:
        return
    cells = [
        text("Deployment", lambda p: p.deployment),
        text("Reason", lambda p: p.reason),
        number("Combinations", "", lambda p: show.integer(p.combinations)),
        text("Example", lambda p: p.label),
    ]
    yield table(
        study.id("pruned"),
        "Combinations dropped before evaluation",
        cells,
        study.result.pruned,
        most=MOST_PRUNED,
    )
