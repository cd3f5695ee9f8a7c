"""What all operators have: a name, how often they run, their work and their weights."""

from typing import ClassVar

from attrs import frozen

from specc.cost.precision import Format
from specc.cost.steps import Column, StepTable
from specc.records import Choice, Record

INT64 = 8  # bytes of an index


class OperatorClass(Choice):
    """What a calibration has one rule for."""

    GEMM = "gemm"
    EXPERTS = "experts"
    PREFILL_ATTENTION = "prefill_attention"
    DECODE_ATTENTION = "decode_attention"
    RECURRENCE = "recurrence"
    VECTOR = "vector"
    COLLECTIVE = "collective"
    EXCHANGE = "exchange"


# A class of operators, whether they are quantised, and whether their kernels are assumed.
Key = tuple[OperatorClass, bool, bool]


class Rows(Choice):
    """Which column of the step table counts the rows of an operator."""

    TOKENS = "tokens"
    SAMPLED = "sampled"
    REQUESTS = "requests"
    PATCHES = "patches"
    PREFILLED = "prefilled"
    DECODED = "decoded"
    UNPACKED = "unpacked"

    def of(self, steps: StepTable) -> Column:
        """Return the rows in each step."""
        column: Column = getattr(steps, self.value)
        return column


@frozen(eq=False, repr=False)
class Work(Record):
    """Work of one run of an operator, each array of shape (N,)."""

    matrix_flop: Column
    vector_flop: Column
    moved_bytes: Column


@frozen(kw_only=True, eq=False, repr=False)
class Operator(Record):
    """What all operators have.

    Those of a class that differ in their `columns` alone may be computed as one, in which columns
    of shape (S, 1) stand for these numbers. An `assumed` one has a kernel that nobody measured, and
    the rule of the nearest one that was.
    """

    columns: ClassVar[tuple[str, ...]] = ()

    name: str
    repeat: float
    kind: OperatorClass = OperatorClass.VECTOR
    assumed: bool = False

    @property
    def key(self) -> Key:
        """What residuals it shares with others."""
        return self.kind, self.quantised, self.assumed

    def work(self, steps: StepTable) -> Work:
        """Return the work of one run in each step."""
        raise NotImplementedError

    @property
    def reads_contexts(self) -> bool:
        """Whether its work depends on more of a step than how many rows of each kind it has."""
        return True

    @property
    def exchanges(self) -> bool:
        """Whether it sends token copies to their experts, or back."""
        return False

    @property
    def is_pooled(self) -> bool:
        """Whether replicas that share experts pool their tokens in it.

        Then it takes as long on all of them, by the mean of their tokens.
        """
        return False

    @property
    def matrix_format(self) -> Format:
        """What its matrix products compute in."""
        return Format.FP16

    @property
    def quantised(self) -> bool:
        """Whether the inputs of its matrix products are quantised."""
        return False

    @property
    def weight_bytes(self) -> float:
        """Bytes of weights on one device."""
        return 0.0

    @property
    def parameters(self) -> float:
        """Weights on one device."""
        return 0.0
