"""Operators and their work: matrix and vector operations, bytes moved, bytes sent.

Each `work` is vectorised over a step table and does not know the device. An operator runs
`repeat` times a step (once in every layer, say); the layers of one pipeline stage may be a
fraction. Formulas are those of the compiled graph of the published Ascend planner (msmodeling,
commit 84fec85), checked against its operator tables.
"""

import math
from enum import Enum

import numpy as np
from attrs import frozen

from specc.cost.precision import HALF, Format, Precision
from specc.cost.steps import Column, Sequences, StepTable

INT64 = 8  # bytes of an index


class OperatorClass(Enum):
    """What a calibration has one rule for."""

    GEMM = "gemm"
    EXPERTS = "experts"
    PREFILL_ATTENTION = "prefill_attention"
    DECODE_ATTENTION = "decode_attention"
    VECTOR = "vector"
    COLLECTIVE = "collective"


class Rows(Enum):
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


class Collective(Enum):
    """Collective operations."""

    ALL_REDUCE = "all_reduce"
    ALL_GATHER = "all_gather"
    REDUCE_SCATTER = "reduce_scatter"
    ALL_TO_ALL = "all_to_all"
    FUSED_DISPATCH = "fused_dispatch"
    FUSED_COMBINE = "fused_combine"
    SEND = "send"


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
    repeat: float
    kind: OperatorClass = OperatorClass.VECTOR

    def work(self, steps: StepTable) -> Work:
        """Return the work of one run in each step."""
        raise NotImplementedError

    @property
    def weight_bytes(self) -> float:
        """Bytes of weights on one device."""
        return 0.0

    @property
    def parameters(self) -> float:
        """Weights on one device."""
        return 0.0


@frozen(kw_only=True)
class Gemm(Operator):
    """rows × inner times inner × outer, `batch` such products side by side (one a head).

    Quantised: operands of the precision, 16-bit result, two scales. `share` is the part of the
    rows that one device takes.
    """

    rows: Rows
    inner: int
    outer: int
    precision: Precision
    batch: int = 1
    share: float = 1.0
    bias: bool = False
    kind: OperatorClass = OperatorClass.GEMM

    def height(self, steps: StepTable) -> Column:
        """Return the rows M on one device."""
        return self.rows.of(steps) * self.share

    def work(self, steps: StepTable) -> Work:
        p, m = self.precision, self.height(steps)
        k, n, b = self.inner, self.outer, self.batch
        scales = 2 * 4 if p.quantised else 0
        result = 4 if p.format is Format.FP32 else HALF
        moved = b * (p.activation_bytes * m * k + p.weight_bytes * k * n + result * m * n) + scales
        unpacking: Column = float(b * k * n if p.unpacks else 0) * (m > 0)
        return Work(2 * b * m * k * n, unpacking, moved * (m > 0))

    @property
    def parameters(self) -> float:
        return self.batch * self.inner * self.outer + (self.outer if self.bias else 0)

    @property
    def weight_bytes(self) -> float:
        biases = HALF * self.outer if self.bias else 0
        return self.batch * self.inner * self.outer * self.precision.weight_bytes + biases


@frozen(kw_only=True)
class Elementwise(Operator):
    """Work proportional to rows: norms, activations, quantisation, copies.

    `row_bytes` are read and written per row, `fixed_bytes` once (a weight, a table); `held` are
    the weights among them. `quantises` is the width of the rows that a kernel for dynamic
    quantisation takes, 0 for other operators.
    """

    rows: Rows
    row_bytes: float
    fixed_bytes: float = 0
    row_vector_flop: float = 0
    vector_format: Format = Format.FP32
    share: float = 1.0
    held: float = 0
    quantises: int = 0

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


@frozen(kw_only=True)
class Gather(Operator):
    """Picks the last token of each prefilled request.

    The reference planner charges it with reading all of them; `whole` says so.
    """

    row_bytes: int
    whole: bool

    def work(self, steps: StepTable) -> Work:
        picked = steps.prefill.requests
        read = steps.prefill.tokens if self.whole else picked
        moved = (read + picked) * self.row_bytes + picked * INT64
        return Work(np.zeros_like(moved), np.zeros_like(moved), moved * (picked > 0))


class Phase(Enum):
    """Which sequences an attention operator works on."""

    PREFILL = "prefill"
    DECODE = "decode"

    def of(self, steps: StepTable) -> Sequences:
        """Return the sequences of this phase."""
        sequences: Sequences = getattr(steps, self.value)
        return sequences

    @property
    def kind(self) -> OperatorClass:
        """The class of attention operators of this phase."""
        if self is Phase.PREFILL:
            return OperatorClass.PREFILL_ATTENTION
        return OperatorClass.DECODE_ATTENTION


@frozen
class Demand:
    """What an attention operator has to do, each array of shape (N,).

    Attributes:
        requests: sequences.
        tokens: query tokens.
        pairs: query-key pairs, the full rectangle.
        causal_pairs: those that causality (and a window) leaves.
        cached: cached tokens read, over all sequences.
    """

    requests: Column
    tokens: Column
    pairs: Column
    causal_pairs: Column
    cached: Column


@frozen(kw_only=True)
class Attention(Operator):
    """Attention of one phase over a paged KV cache, which is read once.

    Counts 4 vector operations a score for the softmax. The block table and the start and length
    vectors (int64) are read too.

    Attributes:
        heads: query heads of a device.
        kv_heads: key-value heads of a device.
        key_dim: width of a query and key head.
        value_dim: width of a value head.
        cached_width: elements that a token has in the cache of this device.
        kv_bytes: bytes of a cached element.
        window: tokens that a query sees at most, itself included; 0 for all.
        top_k: cached tokens that a query picks at most; 0 for all.
        compression: tokens that one cached entry stands for.
        context_share: share of the context that lies on this device (context parallelism).
    """

    phase: Phase
    heads: int
    kv_heads: int
    key_dim: int
    value_dim: int
    cached_width: int
    kv_bytes: int
    window: int = 0
    top_k: int = 0
    compression: int = 1
    context_share: float = 1.0
    token_share: float = 1.0

    @property
    def sees_all(self) -> bool:
        """Whether every query sees all tokens before it."""
        return not (self.window or self.top_k) and self.compression == 1

    def demand(self, steps: StepTable) -> Demand:
        """Return what there is to do in each step.

        Windows and picks are taken from the mean sequence of a row.
        """
        s = self.phase.of(steps)
        share = self.context_share * self.token_share
        if self.sees_all:
            return Demand(
                s.requests,
                s.tokens * self.token_share,
                s.pairs * share,
                s.causal_pairs * share,
                s.context * self.context_share,
            )
        limit = self.window or self.top_k or math.inf
        q, context = s.mean_new, s.mean_context / self.compression
        seen = np.minimum(limit, context)
        causal = s.requests * _limited_pairs(q, s.mean_context, limit, self.compression)
        # A window slides over the new tokens as well; picked tokens differ from query to query.
        read = context
        if self.window:
            read = np.minimum(context, limit + q)
        elif self.top_k:
            read = np.minimum(context, limit * q)
        return Demand(
            s.requests,
            s.tokens * self.token_share,
            s.tokens * seen * share,
            causal * share,
            s.requests * read * self.context_share,
        )

    def work(self, steps: StepTable) -> Work:
        d, s = self.demand(steps), self.phase.of(steps)
        kv = d.cached * self.cached_width * self.kv_bytes
        queries_and_result = d.tokens * self.heads * (self.key_dim + self.value_dim) * HALF
        metadata = INT64 * (s.blocks + 3 * d.requests + 1)
        return Work(
            self.matrix_flop(d.pairs),
            4 * self.heads * d.pairs,
            (kv + queries_and_result + metadata) * (d.tokens > 0),
        )

    def matrix_flop(self, pairs: Column) -> Column:
        """Return the matrix operations of query-key pairs."""
        return 2 * self.heads * (self.key_dim + self.value_dim) * pairs


def _limited_pairs(q: Column, s: Column, limit: float, ratio: int) -> Column:
    """Return Σ min(limit, tokens seen / ratio) over the q queries of a sequence of length s.

    A query at position p sees p tokens; below p = limit · ratio the sum is that of p / ratio.
    """
    first, last = s - q, s
    bend = np.clip(limit * ratio, first, last)
    rising = (bend * (bend + 1) - first * (first + 1)) / (2 * ratio)
    flat = (last - bend) * limit if math.isfinite(limit) else np.zeros_like(q)
    total: Column = rising + np.where(last > bend, flat, 0.0)
    return total


@frozen(kw_only=True)
class EncoderAttention(Operator):
    """Attention of a vision encoder: every patch of an image to every other, no cache."""

    heads: int
    head_dim: int
    kind: OperatorClass = OperatorClass.PREFILL_ATTENTION

    def work(self, steps: StepTable) -> Work:
        pairs, width = steps.patch_pairs, self.heads * self.head_dim
        moved = 4 * steps.patches * width * HALF
        return Work(4 * width * pairs, 4 * self.heads * pairs, moved)


@frozen(kw_only=True)
class LinearAttentionScan(Operator):
    """The recurrence of gated linear attention: each token updates a state and reads it.

    In prefill, chunks of `chunk` tokens are matrix products; a decode step reads and writes the
    state of each sequence once (fp32).
    """

    phase: Phase
    value_heads: int
    key_dim: int
    value_dim: int
    row_bytes: int
    chunk: int = 64

    def work(self, steps: StepTable) -> Work:
        s = self.phase.of(steps)
        state = self.value_heads * self.key_dim * self.value_dim
        moved = 2 * 4 * state * s.requests + s.tokens * self.row_bytes
        if self.phase is Phase.DECODE:
            return Work(np.zeros_like(moved), 6 * state * s.tokens, moved * (s.tokens > 0))
        # A token: its row of the chunk's two triangular products, and three with the state.
        inside = self.value_heads * self.chunk * (2 * self.key_dim + 2 * self.value_dim)
        return Work((2 * inside + 6 * state) * s.tokens, np.zeros_like(moved), moved)


@frozen(kw_only=True)
class Experts(Operator):
    """A block of routed experts on one device: routing, two grouped GEMMs, combination.

    Attributes:
        tokens_per: tokens that come to this group of experts, per token of a replica.
        hidden: width of the residual stream.
        inner: inner width of an expert on this device.
        count: routed experts of the layer.
        active: experts that a token passes.
        local: experts that this device holds, copies included.
        devices: devices that the experts of the layer lie on.
        dispatched: whether tokens are sent to the devices of their experts.
        context_parallel: ranks that share the prompt tokens of a replica.
        imbalance: tokens of the fullest device over the mean.
    """

    precision: Precision
    hidden: int
    inner: int
    count: int
    active: int
    local: int
    devices: int
    tokens_per: float = 1.0
    context_parallel: int = 1
    dispatched: bool = False
    imbalance: float = 1.0
    bias: bool = False
    kind: OperatorClass = OperatorClass.EXPERTS

    def routed_tokens(self, steps: StepTable) -> Column:
        """Return the tokens that are spread over all experts of the group."""
        prefilled = steps.prefill.tokens * self.context_parallel
        return (prefilled + steps.decode.tokens) * self.tokens_per

    def copies(self, steps: StepTable) -> Column:
        """Return the token copies that the experts of one device compute."""
        return self.routed_tokens(steps) * self.active / self.devices * self.imbalance

    def hit(self, steps: StepTable) -> Column:
        """Return the expected experts of a device that any token comes to."""
        missed = (1 - self.active / self.count) ** self.routed_tokens(steps)
        return self.local * (1 - missed)

    def work(self, steps: StepTable) -> Work:
        rows, hit, p = self.copies(steps), self.hit(steps), self.precision
        weights = hit * 3 * self.hidden * self.inner * p.weight_bytes
        moved = weights + rows * (
            p.activation_bytes * (self.hidden + self.inner) + HALF * (self.hidden + self.inner)
        )
        return Work(6 * rows * self.hidden * self.inner, 7 * rows * self.inner, moved)

    @property
    def parameters(self) -> float:
        biases = 2 * self.inner + self.hidden if self.bias else 0
        return self.local * (3 * self.hidden * self.inner + biases)

    @property
    def weight_bytes(self) -> float:
        biases = HALF * (2 * self.inner + self.hidden) if self.bias else 0
        return self.local * (3 * self.hidden * self.inner * self.precision.weight_bytes + biases)


@frozen(kw_only=True)
class GroupedGemm(Operator):
    """One grouped GEMM of experts, as the reference planner lists it.

    `experts` are those of a device; at least one row each makes it read. With `swiglu` the
    result has half the columns and 7 vector operations an element.
    """

    block: Experts
    inner: int
    outer: int
    swiglu: bool
    kind: OperatorClass = OperatorClass.EXPERTS

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


@frozen(kw_only=True)
class ExpertRows(Operator):
    """Elementwise work on the token copies that a device computes."""

    block: Experts
    row_bytes: float
    fixed_bytes: float = 0

    def work(self, steps: StepTable) -> Work:
        rows = self.block.copies(steps)
        moved = (rows * self.row_bytes + self.fixed_bytes) * (rows > 0)
        return Work(np.zeros_like(rows), np.zeros_like(rows), moved)


@frozen(kw_only=True)
class Communication(Operator):
    """A collective over `group` ranks that lie `stride` apart.

    `row_bytes` is what a rank holds per row (an all-to-all: what it sends), `share` the part of
    the rows it has. With `overlapped` it runs while the operator before it computes.
    """

    rows: Rows
    row_bytes: float
    collective: Collective
    group: int
    stride: int = 1
    share: float = 1.0
    overlapped: bool = False
    kind: OperatorClass = OperatorClass.COLLECTIVE

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
