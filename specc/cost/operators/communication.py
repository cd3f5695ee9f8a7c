"""Collectives between ranks."""

from typing import ClassVar

import numpy as np
from attrs import frozen

from specc.cost.operators.base import Operator, OperatorClass, Rows, Work
from specc.cost.steps import Column, StepTable
from specc.records import Choice


class Collective(Choice):
    """Collective operations."""

    ALL_REDUCE = "all_reduce"
    ALL_GATHER = "all_gather"
    REDUCE_SCATTER = "reduce_scatter"
    ALL_TO_ALL = "all_to_all"
    FUSED_DISPATCH = "fused_dispatch"
    FUSED_COMBINE = "fused_combine"
    SEND = "send"


EXCHANGES = (Collective.ALL_TO_ALL, Collective.FUSED_DISPATCH, Collective.FUSED_COMBINE)


@frozen(kw_only=True, eq=False, repr=False)
class CollectiveOperator(Operator):
    """A collective over `group` ranks that lie `stride` apart.

    `row_bytes` is what a rank holds per row (an all-to-all: what it sends), `share` the part of
    the rows it has. With `overlapped` it runs while the operator before it computes. `pooled` says
    that it moves tokens to experts that replicas share, or back.
    """

    columns: ClassVar[tuple[str, ...]] = ("row_bytes", "share")

    rows: Rows
    row_bytes: float
    collective: Collective
    group: int
    stride: int = 1
    share: float = 1.0
    overlapped: bool = False
    pooled: bool = False
    kind: OperatorClass = OperatorClass.COLLECTIVE

    @property
    def reads_contexts(self) -> bool:
        return self.rows is Rows.UNPACKED

    @property
    def exchanges(self) -> bool:
        return self.collective in EXCHANGES

    @property
    def is_pooled(self) -> bool:
        return self.pooled

    @property
    def span(self) -> int:
        """Neighbouring ranks that the group reaches over."""
        return self.group * self.stride

    def held_bytes(self, steps: StepTable) -> Column:
        """Bytes that each rank brings in, shape (N,)."""
        return self.rows.of(steps) * self.share * self.row_bytes

    def work(self, steps: StepTable) -> Work:
        held = self.held_bytes(steps)
        result = held
        if self.collective is Collective.ALL_GATHER:
            result = held * self.group
        if self.collective is Collective.REDUCE_SCATTER:
            result = held / self.group
        return Work(np.zeros_like(held), np.zeros_like(held), held + result)
