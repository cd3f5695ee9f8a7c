"""How each candidate was evaluated."""

from collections.abc import Iterator

from specc.report import format as show
from specc.report.columns import columns, number, of_candidate, table, text
from specc.report.document import Depth, ReportBlock
from specc.report.sections.candidates import devices_of
from specc.report.study import ReportedStudy


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the table of lengths, budgets and methods of the feasible candidates."""
    if not study.feasible:
        return
    cells = [
        text("Candidate", study.label),
        text("Devices", devices_of),
        *columns(of_candidate, ("model", "quantisation"), study.feasible),
        number("Input", "tok", lambda c: show.tokens(c.input)),
        number("Effective input", "tok", lambda c: show.tokens(c.effective_input)),
        number("Output", "tok", lambda c: show.tokens(c.output)),
        *columns(of_candidate, ("chunk_budget",), study.feasible),
        number("Chunks", "", lambda c: show.integer(c.chunks)),
        text("Method", lambda c: c.method),
        number("Batches probed", "", lambda c: show.integer(c.probes)),
    ]
    yield table(
        study.id("evaluation"), "How each was evaluated", cells, study.feasible, depth=Depth.PAGE
    )
