"""What runs in the steps of a batch, in the best configuration."""

from collections.abc import Iterator

from specc.report.charts.timeline import timeline_charts
from specc.report.document import Chart, ReportBlock
from specc.report.study import ReportedStudy


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the picture of the steps, where a loop over steps found the configuration."""
    if study.best is None or not study.best.timeline:
        return
    yield Chart(
        id=study.id("timeline"),
        title="What runs in the steps of a batch",
        alt="What runs in the steps of a batch",
        note="All requests of the batch arrive together, on all replicas of an instance.",
        lines=tuple(timeline_charts(study.best.timeline)),
    )
