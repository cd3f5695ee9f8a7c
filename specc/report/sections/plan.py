"""The heading of what the plan found, where a simulation stands above it."""

from collections.abc import Iterator

from specc.report.document import Heading, ReportBlock
from specc.report.study import ReportedStudy


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the heading."""
    if study.simulations and study.drawn:
        yield Heading(id=study.id("plan"), text="Closed form")
