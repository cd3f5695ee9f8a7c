"""The heading of what the plan found, where a simulation stands above it."""

from collections.abc import Iterator

from specc.report.document import Block, Heading
from specc.report.study import ReportedStudy


def blocks(study: ReportedStudy) -> Iterator[Block]:
    """Yield the heading."""
    if study.study.simulate is not None and study.drawn:
        yield Heading(id=study.id("plan"), text="Plan")
