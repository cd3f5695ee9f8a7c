"""The smallest change of a limit that makes an infeasible study feasible."""

from collections.abc import Iterator

from specc.report import format as show
from specc.report.columns import number, table, text
from specc.report.document import ReportBlock
from specc.report.relaxations import relaxations
from specc.report.study import ReportedStudy
from specc.report.words import excess_text


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield, per limit, the least that it would have to be if the others stayed."""
    relaxed = relaxations(study.result) if study.best is None else []
    if not relaxed:
        return
    cells = [
        text("Limit", lambda r: show.limit_name(r.miss.limit)),
        text("Asked for", lambda r: show.fact(r.miss.limit, r.miss.allowed)),
        text("Feasible from", lambda r: show.fact(r.miss.limit, r.miss.value)),
        text("Change", lambda r: excess_text(r.miss)),
        text("With", lambda r: r.where),
        number("Batch", "", lambda r: show.integer(r.batch)),
    ]
    yield table(
        study.id("relaxed"),
        "The smallest change that makes it feasible: one limit relaxed, the others unchanged",
        cells,
        relaxed,
        lambda r: r is relaxed[0],
        depth=study.summary,
    )
