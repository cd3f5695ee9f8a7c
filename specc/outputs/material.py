"""What outputs are written from."""

from functools import cached_property
from typing import TYPE_CHECKING

from attrs import define

from specc.results import Comparison, Results

if TYPE_CHECKING:
    from specc.report.document import ReportDocument
    from specc.simulation.metrics import Outcome


@define(slots=False, frozen=True, eq=False)
class Material:
    """Results, and what follows from them.

    Attributes:
        results: what was found.
        suffix: what the names of files have after the name of the spec.
        outcome: every step of what was simulated and chosen, where it was kept.
        comparisons: load tests beside what was predicted of them.
    """

    results: Results
    suffix: str = ""
    outcome: "Outcome | None" = None
    comparisons: tuple[Comparison, ...] = ()

    @cached_property
    def document(self) -> "ReportDocument":
        """The report as blocks."""
        from specc.report.compose import report

        return report(self.results, self.comparisons)

    @property
    def stem(self) -> str:
        """What the names of all files begin with."""
        spec = self.results.header.spec
        return (spec.removesuffix(".spec") or spec) + self.suffix

    @property
    def pictures(self) -> str:
        """The folder of the pictures."""
        return f"{self.stem}.report.charts"
