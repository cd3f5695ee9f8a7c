"""Operators that the published planner fuses or counts in a way of its own.

They exist for the `reference` calibration alone, which must equal that planner (msmodeling,
commit 84fec85) on the same step; formulas from its operator tables, to rounding.
"""

import numpy as np
from attrs import frozen

from specc.cost.operators.attention import AttentionPhase
from specc.cost.operators.base import INT64, Operator, OperatorClass, Work
from specc.cost.operators.experts import RoutedExperts
from specc.cost.precision import HALF, Format
from specc.cost.steps import Column, StepTable
from specc.ir import Indexer, LatentAttention

_SCALES = 12  # bytes of the scales of three quantised weights
_PAGE = 128  # tokens of a page of the cache


@frozen(kw_only=True, eq=False, repr=False)
class PlannerPrologue(Operator):
    """All projections of latent attention up to the rotary embedding, as 16 launches.

    Quantised, the planner also unpacks every weight on the vector unit.
    """

    hidden: int
    heads: int
    shape: LatentAttention
    format: Format = Format.FP16
    kind: OperatorClass = OperatorClass.GEMM
    launches: int = 16

    @property
    def matrix_format(self) -> Format:
        return self.format

    def work(self, steps: StepTable) -> Work:
        a, h, t = self.shape, self.hidden, steps.tokens
        width = self.heads * (a.nope_head_dim + a.rope_head_dim)
        weights = h * a.query_rank + a.query_rank * width + h * a.cached_width
        quantised = self.format is Format.INT8
        vector = (
            5 * a.query_rank
            + 5 * a.kv_rank
            + 3 * a.rope_head_dim * (self.heads + 1)
            + (2 * h + a.query_rank if quantised else 0)
        )
        row = (
            HALF * (h + 2 * a.rope_head_dim + a.query_rank)
            + HALF * (width + a.cached_width + a.query_rank)
            + 4 * (a.query_rank + a.cached_width)
        )
        fixed = weights * (1 if quantised else HALF) + HALF * (a.query_rank + a.kv_rank)
        fixed += _SCALES if quantised else 0
        return Work(
            2 * t * weights,
            t * vector + (weights if quantised else 0) * (t > 0),
            (t * row + fixed) * (t > 0),
        )


@frozen(kw_only=True, eq=False, repr=False)
class PlannerLatentAttention(Operator):
    """Latent attention with its up-projections, absorbed in decode.

    With an indexer every query reads the tokens it picks anew, at an efficiency that the planner
    derives from the number of pages.
    """

    phase: AttentionPhase
    heads: int
    shape: LatentAttention
    top_k: int

    def work(self, steps: StepTable) -> Work:
        a, s, h = self.shape, self.phase.of(steps), self.heads
        tokens, pairs, cached, blocks = s.tokens, s.pairs, s.context, s.blocks
        picked = np.zeros_like(tokens)
        if self.top_k:
            seen = np.minimum(s.mean_context, self.top_k)
            pairs = tokens * seen
            pages = np.ceil(np.maximum(seen, 1) / _PAGE)
            cached, blocks = pairs / self._reach(pages), tokens * pages
            picked = pairs * INT64
        up = 2 * tokens * h * a.kv_rank * (a.nope_head_dim + a.value_head_dim)
        width = a.nope_head_dim + a.rope_head_dim + a.value_head_dim
        absorbed = 2 * a.kv_rank + a.rope_head_dim
        scores = 2 * pairs * h * (absorbed if self.phase is AttentionPhase.DECODE else width)
        moved = (
            2 * tokens * h * width
            + cached * a.cached_width * HALF
            + INT64 * (blocks + 3 * s.requests + 1)
            + HALF * h * a.kv_rank * (a.nope_head_dim + a.value_head_dim)
            + picked
        )
        return Work(up + scores, 4 * pairs * h, moved * (tokens > 0))

    def _reach(self, pages: Column) -> Column:
        if self.phase is AttentionPhase.PREFILL:
            return np.full_like(pages, 0.92)
        reach: Column = np.clip(0.025 + 0.006 * np.log2(pages / 16), 0.015, 0.08)
        return reach


@frozen(kw_only=True, eq=False, repr=False)
class PlannerIndexer(Operator):
    """The whole indexer as one operator, at the fp16 peak even if quantised."""

    hidden: int
    shape: Indexer
    latent: LatentAttention
    element: int
    kind: OperatorClass = OperatorClass.DECODE_ATTENTION

    def work(self, steps: StepTable) -> Work:
        i, a, h = self.shape, self.latent, self.hidden
        weights = i.heads * i.head_dim * a.query_rank + i.head_dim * h + i.heads * h
        t, requests = steps.tokens, steps.requests
        pairs = steps.prefill.pairs + steps.decode.pairs
        mean = (steps.prefill.context + steps.decode.context) / np.maximum(requests, 1e-9)
        row = (
            HALF * (h + a.query_rank + 2 * a.rope_head_dim + i.head_dim)
            + INT64
            + INT64 * np.minimum(i.top_k, mean)
        )
        blocks = steps.prefill.blocks + steps.decode.blocks
        moved = (
            t * row
            + INT64 * (blocks + 2 * requests)
            + self.element * weights
            + HALF * i.head_dim
            + self._cache(steps)
        )
        vector = pairs * (2 * i.heads + 1) + 3 * t * a.rope_head_dim * (i.heads + 1)
        flop = 2 * t * weights + 2 * pairs * i.heads * i.head_dim
        return Work(flop, vector, moved * (t > 0))

    def _cache(self, steps: StepTable) -> Column:
        """Bytes of cached keys, at the planner's efficiencies."""
        key = HALF * self.shape.head_dim
        blocks = np.ceil(np.maximum(steps.decode.mean_context, 1) / _PAGE)
        reach = np.clip(0.30 + 0.23 * np.log2(blocks / _PAGE), 0.15, 1.0)
        turns = np.maximum(1, np.ceil(steps.prefill.mean_new / 4))
        total: Column = steps.decode.context * key / reach
        return total + steps.prefill.context * key * turns / 0.90


@frozen(kw_only=True, eq=False, repr=False)
class GroupedGemm(Operator):
    """One grouped GEMM of experts, as the planner lists it.

    `block` are the experts of a device; at least one row each makes them read. With `swiglu` the
    result has half the columns and 7 vector operations an element.
    """

    block: RoutedExperts
    inner: int
    outer: int
    swiglu: bool
    kind: OperatorClass = OperatorClass.EXPERTS

    @property
    def is_pooled(self) -> bool:
        return True

    @property
    def matrix_format(self) -> Format:
        return self.block.matrix_format

    def work(self, steps: StepTable) -> Work:
        p, rows = self.block.precision, self.block.copies(steps)
        columns = self.outer // 2 if self.swiglu else self.outer
        read = np.minimum(self.block.local, rows)
        moved = (
            rows * self.inner * p.activation_bytes
            + read * self.inner * self.outer * p.weight_bytes
            + HALF * rows * columns
            + (8 * self.block.local if p.quantised else 0)
        )
        epilogue = 7 * rows * columns if self.swiglu else np.zeros_like(rows)
        return Work(2 * rows * self.inner * self.outer, epilogue, moved * (rows > 0))


@frozen(kw_only=True, eq=False, repr=False)
class ExpertRows(Operator):
    """Elementwise work on the token copies that a device computes."""

    block: RoutedExperts
    row_bytes: float
    fixed_bytes: float = 0

    @property
    def is_pooled(self) -> bool:
        return True

    def work(self, steps: StepTable) -> Work:
        rows = self.block.copies(steps)
        moved = (rows * self.row_bytes + self.fixed_bytes) * (rows > 0)
        return Work(np.zeros_like(rows), np.zeros_like(rows), moved)


@frozen(kw_only=True, eq=False, repr=False)
class PlannerGather(Operator):
    """Picks the last token of each prefilled request; the planner charges reading all tokens."""

    row_bytes: int

    def work(self, steps: StepTable) -> Work:
        picked = steps.prefill.requests
        moved = (steps.prefill.tokens + picked) * self.row_bytes + picked * INT64
        return Work(np.zeros_like(moved), np.zeros_like(moved), moved * (picked > 0))
