"""Operators and their work: matrix and vector operations, bytes moved, bytes sent.

Each `work` is vectorised over a step table and does not know the device. An operator runs
`repeat` times a step (once in every layer, say). Formulas are those of the compiled graph of
the published Ascend planner (msmodeling, commit 84fec85), checked against its operator tables.
"""

from enum import Enum

import numpy as np
from attrs import frozen

from specc.cost.steps import Column, StepTable

HALF = 2  # bytes of an fp16 or bf16 element
INT64 = 8  # bytes of an index


class Format(Enum):
    """Number format that a unit computes in."""

    FP16 = "fp16"
    FP32 = "fp32"
    INT8 = "int8"


class Rows(Enum):
    """Which column of the step table counts the rows of an operator."""

    TOKENS = "tokens"
    SAMPLED = "sampled"


class Collective(Enum):
    """Collective operations."""

    ALL_REDUCE = "all_reduce"
    ALL_GATHER = "all_gather"


@frozen
class Work:
    """Work of one run of an operator, each array of shape (N,)."""

    matrix_flop: Column
    vector_flop: Column
    moved_bytes: Column


@frozen(kw_only=True)
class Operator:
    """What all operators have."""

    name: str
    repeat: int

    def work(self, steps: StepTable) -> Work:
        """Return the work of one run in each step."""
        raise NotImplementedError


@frozen(kw_only=True)
class Gemm(Operator):
    """rows × inner times inner × outer. Quantised: int8 operands, 16-bit result, two scales."""

    rows: Rows
    inner: int
    outer: int
    format: Format

    def work(self, steps: StepTable) -> Work:
        m: Column = getattr(steps, self.rows.value)
        k, n = self.inner, self.outer
        operand = 1 if self.format is Format.INT8 else HALF
        scales = 2 * 4 if self.format is Format.INT8 else 0
        moved = operand * (m * k + k * n) + HALF * m * n + scales
        return Work(2 * m * k * n, np.zeros_like(m), moved * (m > 0))


@frozen(kw_only=True)
class Elementwise(Operator):
    """Work proportional to rows: norms, activations, quantisation, copies.

    `row_bytes` are read and written per row, `fixed_bytes` once (a weight, a table).
    """

    rows: Rows
    row_bytes: int
    fixed_bytes: int = 0
    row_vector_flop: int = 0
    vector_format: Format = Format.FP32

    def work(self, steps: StepTable) -> Work:
        m: Column = getattr(steps, self.rows.value)
        moved = (m * self.row_bytes + self.fixed_bytes) * (m > 0)
        return Work(np.zeros_like(m), m * self.row_vector_flop, moved)


@frozen(kw_only=True)
class Gather(Operator):
    """Picks the last token of each prefilled request; charged with reading all of them."""

    row_bytes: int

    def work(self, steps: StepTable) -> Work:
        picked = steps.prefill_requests
        moved = (steps.prefill_tokens + picked) * self.row_bytes + picked * INT64
        return Work(np.zeros_like(moved), np.zeros_like(moved), moved)


@frozen(kw_only=True)
class Attention(Operator):
    """Attention of one phase over a paged KV cache, which is read once.

    Counts the full rectangle of query-key pairs, no causal half, and 4 vector operations a score
    for the softmax. The block table and the start and length vectors (int64) are read too.
    """

    phase: str
    heads: int
    head_dim: int
    query_width: int
    kv_width: int

    def work(self, steps: StepTable) -> Work:
        def column(name: str) -> Column:
            values: Column = getattr(steps, f"{self.phase}_{name}")
            return values

        requests, tokens, pairs = column("requests"), column("tokens"), column("pairs")
        kv = column("context") * 2 * self.kv_width * HALF
        queries_and_result = 2 * tokens * self.query_width * HALF
        metadata = INT64 * (column("blocks") + 3 * requests + 1)
        return Work(
            4 * self.query_width * pairs,
            4 * self.heads * pairs,
            (kv + queries_and_result + metadata) * (tokens > 0),
        )


@frozen(kw_only=True)
class Communication(Operator):
    """A collective over `group` neighbouring ranks; `row_bytes` is what a rank holds per row."""

    rows: Rows
    row_bytes: int
    kind: Collective
    group: int

    def held_bytes(self, steps: StepTable) -> Column:
        """Bytes that each rank brings in, shape (N,)."""
        m: Column = getattr(steps, self.rows.value)
        return m * self.row_bytes

    def work(self, steps: StepTable) -> Work:
        held = self.held_bytes(steps)
        result = held * (self.group if self.kind is Collective.ALL_GATHER else 1)
        return Work(np.zeros_like(held), np.zeros_like(held), held + result)
