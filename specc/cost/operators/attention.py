"""Attention: over a KV cache, of a vision encoder, and with a state instead of a cache."""

import math
from typing import ClassVar

import numpy as np
from attrs import frozen

from specc.cost.operators.base import INT64, Operator, OperatorClass, Work
from specc.cost.precision import HALF
from specc.cost.steps import Column, Sequences, StepTable
from specc.records import Choice, Record


class AttentionPhase(Choice):
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
        if self is AttentionPhase.PREFILL:
            return OperatorClass.PREFILL_ATTENTION
        return OperatorClass.DECODE_ATTENTION


@frozen(eq=False, repr=False)
class Demand(Record):
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


@frozen(kw_only=True, eq=False, repr=False)
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
        chunk: tokens after which what a query sees begins anew; 0 for never.
        top_k: cached tokens that a query picks at most; 0 for all.
        compression: tokens that one cached entry stands for.
        context_share: share of the context that lies on this device (context parallelism).
    """

    columns: ClassVar[tuple[str, ...]] = (
        "heads",
        "kv_heads",
        "cached_width",
        "context_share",
        "token_share",
    )

    phase: AttentionPhase
    heads: int
    kv_heads: int
    key_dim: int
    value_dim: int
    cached_width: int
    kv_bytes: int
    window: int = 0
    chunk: int = 0
    top_k: int = 0
    compression: int = 1
    context_share: float = 1.0
    token_share: float = 1.0

    @property
    def sees_all(self) -> bool:
        """Whether every query sees all tokens before it."""
        return not (self.window or self.chunk or self.top_k) and self.compression == 1

    @property
    def latent(self) -> bool:
        """Whether keys and values are one cached vector, which all heads share."""
        both = np.asarray(self.kv_heads) * (self.key_dim + self.value_dim)
        return bool(np.all(np.asarray(self.cached_width) < both))

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
        q, context = s.mean_new, s.mean_context / self.compression
        if self.chunk:
            own = _chunked_pairs(q, context, self.chunk)
            seen = own / np.maximum(q, 1e-9)
            read = np.minimum(context, seen + np.maximum(q - 1, 0))
            return Demand(
                s.requests,
                s.tokens * self.token_share,
                s.tokens * seen * share,
                s.requests * own * share,
                s.requests * read * self.context_share,
            )
        limit = self.window or self.top_k or math.inf
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


def _chunked_pairs(q: Column, s: Column, chunk: int) -> Column:
    """Return the tokens that q queries at the end of s tokens see of the chunk each is in.

    Behind the first chunk a query sees half a chunk on average: where in its chunk the mean
    sequence of a row ends says nothing of the sequences that it stands for.
    """
    mean = (chunk + 1) / 2

    def up_to(n: Column) -> Column:
        first = np.minimum(n, chunk)
        total: Column = first * (first + 1) / 2 + np.maximum(n - chunk, 0) * mean
        return total

    return up_to(s) - up_to(s - q)


@frozen(kw_only=True, eq=False, repr=False)
class EncoderAttention(Operator):
    """Attention of a vision encoder, without a cache.

    Every patch attends to every other of its image, or to the `window` patches around it.
    """

    columns: ClassVar[tuple[str, ...]] = ("heads",)

    heads: int
    head_dim: int
    window: int = 0
    kind: OperatorClass = OperatorClass.PREFILL_ATTENTION

    def pairs(self, steps: StepTable) -> Column:
        """Return the pairs of patches in each step, shape (N,)."""
        if not self.window:
            return steps.patch_pairs
        pairs: Column = np.minimum(steps.patch_pairs, steps.patches * self.window)
        return pairs

    def work(self, steps: StepTable) -> Work:
        pairs, width = self.pairs(steps), self.heads * self.head_dim
        moved = 4 * steps.patches * width * HALF
        return Work(4 * width * pairs, 4 * self.heads * pairs, moved)


@frozen(kw_only=True, eq=False, repr=False)
class LinearAttentionScan(Operator):
    """A recurrence: each token updates the state of its sequence and reads it.

    In prefill, chunks of `chunk` tokens are matrix products; a decode step reads and writes the
    state of each sequence once, `element` bytes of each number.
    """

    columns: ClassVar[tuple[str, ...]] = ("value_heads", "row_bytes")

    phase: AttentionPhase
    value_heads: int
    key_dim: int
    value_dim: int
    row_bytes: int
    element: int = 4
    chunk: int = 64
    kind: OperatorClass = OperatorClass.RECURRENCE

    def work(self, steps: StepTable) -> Work:
        s = self.phase.of(steps)
        state = self.value_heads * self.key_dim * self.value_dim
        moved = 2 * self.element * state * s.requests + s.tokens * self.row_bytes
        if self.phase is AttentionPhase.DECODE:
            return Work(np.zeros_like(moved), 6 * state * s.tokens, moved * (s.tokens > 0))
        # A token: its row of the chunk's two triangular products, and three with the state.
        inside = self.value_heads * self.chunk * (2 * self.key_dim + 2 * self.value_dim)
        return Work((2 * inside + 6 * state) * s.tokens, np.zeros_like(moved), moved)
