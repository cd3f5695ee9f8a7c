"""What the closed forms share: steps that are known beforehand, and a table from their times."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from attrs import frozen

from specc.cost import StepTable, StepTimes
from specc.ir import RequestShape
from specc.records import Record
from specc.results import BinRow
from specc.serving.mixture import allocate
from specc.serving.server import Server
from specc.serving.table import Integers, ServingTable
from specc.units import Seconds

Latencies = tuple[Seconds | None, Seconds | None]


@frozen(eq=False, repr=False)
class ClosedForm(Record, ABC):
    """A serving model whose steps do not depend on how long other steps take.

    Attributes:
        server: the instance.
    """

    server: Server

    def evaluate(self, batch: Integers) -> ServingTable:
        """Return a row for each batch size (requests a replica), shape (N,)."""
        return self.table(batch, self.server.times(self.steps(batch)))

    @abstractmethod
    def steps(self, batch: Integers) -> StepTable:
        """Return the steps whose times `table` takes."""

    @abstractmethod
    def table(self, batch: Integers, times: StepTimes) -> ServingTable:
        """Return a row for each batch size from the times of its `steps`."""

    @abstractmethod
    def bins(self, batch: int) -> tuple[BinRow, ...]:
        """Return what each shape sees, with the integers of one batch size."""

    def _rows(
        self, batch: int, latencies: Callable[[RequestShape], Latencies]
    ) -> tuple[BinRow, ...]:
        """Return a row for each shape with its TTFT and TPOT."""
        shapes = self.server.mixture.shapes
        samples = allocate(batch * self.server.batches, shapes)
        return tuple(
            BinRow(s.share, n, s.input, s.cached, s.output, *latencies(s))
            for s, n in zip(shapes, samples, strict=True)
        )
