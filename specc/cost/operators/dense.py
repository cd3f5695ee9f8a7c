"""Operators on rows of hidden states: GEMMs, elementwise work, and picking rows."""

from typing import ClassVar

import numpy as np
from attrs import frozen

from specc.cost.operators.base import INT64, Operator, OperatorClass, Rows, Work
from specc.cost.precision import HALF, Format, Precision
from specc.cost.steps import Column, StepTable


@frozen(kw_only=True, eq=False, repr=False)
class Gemm(Operator):
    """rows × inner times inner × outer, `batch` such products side by side (one a head).

    Quantised: operands of the precision, 16-bit result, two scales. `share` is the part of the
    rows that one device takes.
    """

    columns: ClassVar[tuple[str, ...]] = ("inner", "outer")

    rows: Rows
    inner: int
    outer: int
    precision: Precision
    batch: int = 1
    share: float = 1.0
    bias: bool = False
    kind: OperatorClass = OperatorClass.GEMM

    @property
    def reads_contexts(self) -> bool:
        return self.rows is Rows.UNPACKED

    def height(self, steps: StepTable) -> Column:
        """Return the rows M on one device."""
        return self.rows.of(steps) * self.share

    def work(self, steps: StepTable) -> Work:
        p, m = self.precision, self.height(steps)
        k, n, b = self.inner, self.outer, self.batch
        scales = 2 * 4 if p.quantised else 0
        result = 4 if p.format is Format.FP32 else HALF
        moved = b * (p.activation_bytes * m * k + p.weight_bytes * k * n + result * m * n) + scales
        unpacking: Column = (1.0 * b * k * n if p.unpacks else 0.0) * (m > 0)
        return Work(2 * b * m * k * n, unpacking, moved * (m > 0))

    @property
    def matrix_format(self) -> Format:
        return self.precision.format

    @property
    def quantised(self) -> bool:
        return self.precision.quantised

    @property
    def parameters(self) -> float:
        return self.batch * self.inner * self.outer + (self.outer if self.bias else 0)

    @property
    def weight_bytes(self) -> float:
        biases = HALF * self.outer if self.bias else 0
        return self.batch * self.inner * self.outer * self.precision.weight_bytes + biases


@frozen(kw_only=True, eq=False, repr=False)
class Elementwise(Operator):
    """Work proportional to rows: norms, activations, quantisation, copies.

    `row_bytes` are read and written per row, `fixed_bytes` once (a weight, a table); `held` are
    the weights among them. `quantises` is the width of the rows that a kernel for dynamic
    quantisation takes, 0 for other operators.
    """

    columns: ClassVar[tuple[str, ...]] = (
        "row_bytes",
        "fixed_bytes",
        "row_vector_flop",
        "share",
        "held",
    )

    rows: Rows
    row_bytes: float
    fixed_bytes: float = 0
    row_vector_flop: float = 0
    vector_format: Format = Format.FP32
    share: float = 1.0
    held: float = 0
    quantises: int = 0

    @property
    def reads_contexts(self) -> bool:
        return self.rows is Rows.UNPACKED

    def work(self, steps: StepTable) -> Work:
        m = self.rows.of(steps) * self.share
        moved = (m * self.row_bytes + self.fixed_bytes) * (m > 0)
        return Work(np.zeros_like(m), m * self.row_vector_flop, moved)

    @property
    def parameters(self) -> float:
        return self.held

    @property
    def weight_bytes(self) -> float:
        return HALF * self.held


@frozen(kw_only=True, eq=False, repr=False)
class Gather(Operator):
    """Picks the last token of each prefilled request."""

    columns: ClassVar[tuple[str, ...]] = ("row_bytes",)

    row_bytes: int

    @property
    def reads_contexts(self) -> bool:
        return False

    def work(self, steps: StepTable) -> Work:
        picked = steps.prefill.requests
        moved = 2 * picked * self.row_bytes + picked * INT64
        return Work(np.zeros_like(moved), np.zeros_like(moved), moved * (picked > 0))
