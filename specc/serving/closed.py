"""What the closed forms share: steps that are known beforehand, and a table from their times."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from attrs import frozen

from specc.cost import StepTable, StepTimes
from specc.ir import RequestShape
from specc.records import Record
from specc.results import BinRow, Point
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

    @property
    def key(self) -> tuple[object, ...]:
        """What makes its steps equal to those of others with the same counts."""
        server = self.server
        return type(self), server.mixture, server.block, server.drafted

    @abstractmethod
    def counts(self, batch: Integers) -> tuple[Integers, ...]:
        """Return what its steps depend on, for each kind of them: rising numbers of requests.

        Here it is the requests of a replica that prefill, and those that decode.
        """

    def steps(self, batch: Integers) -> StepTable:
        """Return the steps whose times `table` takes."""
        return self.steps_of(*self.counts(batch))

    def steps_of(self, *counts: Integers) -> StepTable:
        """Return the steps for some counts, one kind behind the other.

        Here steps that prefill so many requests, then steps that decode so many.
        """
        prefilled, decoded = counts
        mixture, block = self.server.mixture, self.server.block
        decode = mixture.decode(decoded, block, self.server.drafted)
        if not len(prefilled):
            return decode
        prefill = mixture.prefill(prefilled, block)
        return StepTable.joined([prefill, decode]) if len(decoded) else prefill

    @abstractmethod
    def table(self, batch: Integers, times: StepTimes) -> ServingTable:
        """Return a row for each batch size from the times of its `steps`."""

    @abstractmethod
    def bins(self, point: Point) -> tuple[BinRow, ...]:
        """Return what each shape sees at a batch size, with the integers of that."""

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
