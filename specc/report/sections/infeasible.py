"""The candidates that miss a limit, which one and by how much."""

from collections.abc import Iterator

from specc.report import format as show
from specc.report.columns import metrics, number, of_candidate, table, text
from specc.report.document import Depth, ReportBlock
from specc.report.sections.candidates import deployment_or_devices
from specc.report.study import ReportedStudy
from specc.report.words import misses_text


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the table of infeasible candidates; a terminal shows it if it explains the result."""
    candidates = study.infeasible
    if not candidates:
        return
    several_phases = len({c.phase for c in candidates}) > 1
    left_out = ("rate", "throughput", "throughput_per_device", "decode_step")
    cells = [
        deployment_or_devices(study),
        *([text("Phase", lambda c: c.phase)] if several_phases else []),
        text("Layout", lambda c: c.instance.parallel),
        number("Batch", "", lambda c: show.integer(c.point.batch)),
        *metrics(of_candidate, candidates, left_out),
        text("Misses", lambda c: misses_text(c.misses)),
    ]
    wanted = study.best is None or study.result.is_plain
    yield table(
        study.id("infeasible"),
        "Layouts that miss a limit, each at the batch nearest to it",
        cells,
        candidates,
        depth=study.summary if wanted else Depth.REPORT,
    )
