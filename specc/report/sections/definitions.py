"""The words of the report, and what exactly each of them is."""

from collections.abc import Iterator

from specc.ir.facts import glossary
from specc.report.document import Heading, ReportBlock, Terms
from specc.results import Results


def blocks(results: Results) -> Iterator[ReportBlock]:
    """Yield the definitions."""
    yield Heading(id="report-definitions", text="Definitions", level=2)
    yield Terms(id="report-terms", terms=tuple(glossary(simulated=results.simulated)))
