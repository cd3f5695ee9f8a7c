"""Memory of a device during a step: weights, KV cache, activations, and what is left.

The formulas are those of the reference planner (msmodeling, commit 84fec85), compiled graph:
weights and KV cache exact, activations fitted to its liveness analysis.
"""

import math
from collections.abc import Sequence

import numpy as np
from attrs import frozen

from specc.cost.operators.base import INT64, Operator
from specc.cost.precision import HALF, Precisions
from specc.cost.steps import Column, StepTable
from specc.ir import Deployment, Layout, Model
from specc.units import Bytes, Tokens

_QUANTISATION_SCALES = 28  # bytes a layer: seven fp32 scales of its linear weights and inputs
_STATE_BYTES = 4  # states of linear attention are kept in fp32
# The planner's peak of DeepSeek steps beyond what is derived here, 0.14 to 0.38 GB in its table.
_LATENT_WORKSPACE = 200_000_000


@frozen
class StepMemory:
    """Bytes on one device, arrays of shape (N,) but for the weights."""

    weights: Bytes
    kv_cache: Column
    activations: Column

    @property
    def total(self) -> Column:
        """All that a step holds."""
        return self.weights + self.kv_cache + self.activations


@frozen
class MemoryModel:
    """Memory of a model in a layout.

    Attributes:
        model, layout, precisions: what runs where, and in which formats.
        block: tokens of a KV-cache block.
        weight_bytes: weights and buffers of the fullest device.
        drafted: draft layers that keep a cache of their own.
    """

    model: Model
    layout: Layout
    precisions: Precisions
    block: Tokens
    weight_bytes: Bytes
    drafted: int = 0

    @classmethod
    def of(
        cls, deployment: Deployment, layout: Layout, held: Sequence[Operator], drafted: int = 0
    ) -> "MemoryModel":
        """Return the memory model of the operators that a device of a layout runs."""
        precisions = Precisions.of(deployment)
        weights = _weight_bytes(deployment.model, layout, precisions, held, drafted)
        return cls(
            deployment.model,
            layout,
            precisions,
            deployment.engine.block_size,
            weights,
            drafted,
        )

    def of_steps(self, steps: StepTable) -> StepMemory:
        """Return the memory of each step."""
        return StepMemory(
            self.weight_bytes,
            self.batches
            * (self.kv_block_bytes * steps.kv_blocks + self.sequence_bytes * steps.kv_sequences),
            self._activations(steps),
        )

    @property
    def batches(self) -> int:
        """Batches in flight, one for each pipeline stage; every stage caches all of them."""
        return self.layout.pp

    @property
    def kv_token_bytes(self) -> float:
        """KV cache that grows with every token, of one token on one rank."""
        m, element = self.model, self.precisions.kv_bytes
        full = (m.full_layers + self.drafted) * self._cached_elements * element
        shared = self.layout.dcp * self.layout.cp
        return full * self._stage_share / shared

    @property
    def kv_block_bytes(self) -> float:
        """KV cache of one block on one rank."""
        return self.kv_token_bytes * self.block

    @property
    def sequence_bytes(self) -> float:
        """Bytes that a sequence holds whatever its length: windows, and states."""
        m, tp, element = self.model, self.layout.tp, self.precisions.kv_bytes
        held = 0.0
        if m.sliding:
            s = m.sliding
            width = max(1, s.kv_heads // tp) * (s.head_dim + s.value_head_dim)
            blocks = math.ceil(s.window / self.block) + 1
            held += s.layers * blocks * self.block * width * element
        if m.linear:
            a = m.linear
            states = a.state_elements * _STATE_BYTES + a.convolution * a.convolved_width * HALF
            held += a.layers * states / tp
        if m.compressed:
            c = m.compressed
            held += m.layers * (c.window + self.block) * m.head_dim * element
        return held * self._stage_share

    @property
    def _cached_elements(self) -> float:
        """Elements that a token leaves in a layer that attends to all."""
        m, tp = self.model, self.layout.tp
        index = m.indexer.head_dim if m.indexer else 0
        if m.compressed:
            c, d = m.compressed, m.head_dim
            sparse = c.sparse_layers * (d + index) / c.sparse_ratio
            return (sparse + c.dense_layers * d / c.dense_ratio) / m.full_layers
        if m.latent:
            return m.latent.cached_width + index
        return max(1, m.kv_heads // tp) * (m.head_dim + m.value_dim)

    @property
    def _stage_share(self) -> float:
        """Share of the layers that the fullest pipeline stage holds."""
        return math.ceil(self.model.layers / self.layout.pp) / self.model.layers

    def _activations(self, steps: StepTable) -> Column:
        """Peak of the live tensors, linear in the new tokens.

        Every layer keeps its rows of the cosine and sine tables, its slot mapping and its block
        table. On top of that the largest live set of a layer: unquantised the residual with the
        merged projection, or two buffers around an all-reduce; quantised the residual with the
        tensors around attention; with experts the token copies as well. Liveness of the reference
        planner, reproduced to 0.1 % on its dense prefill rows, to some percent with experts; the
        merged projection is still live there in Qwen3-32B, whose query width differs from the
        hidden size, and freed in Qwen3-8B, where they are equal.
        """
        m = self.model
        tables = INT64 * m.layers * (steps.prefill.blocks + steps.decode.blocks)
        live = self._live_bytes + self._expert_bytes
        kept = (4 * self._rotated + INT64) * m.layers
        if self.precisions.attention.quantised and not m.experts and not m.latent:
            kept -= 4 * self._rotated
        activations: Column = np.asarray(steps.tokens * (kept + live) + tables)
        return activations + self._workspace

    @property
    def _rotated(self) -> int:
        return self.model.latent.rope_head_dim if self.model.latent else self.model.head_dim

    @property
    def _live_bytes(self) -> float:
        m, tp = self.model, self.layout.tp
        h, q = m.hidden_size, m.query_width // tp
        key = max(1, m.kv_heads // tp) * m.head_dim
        value = max(1, m.kv_heads // tp) * m.value_dim
        if m.experts or m.latent:
            return HALF * (h + (q + key + value if not m.latent else q))
        if self.precisions.attention.quantised:
            projection = 0 if m.query_width == h else HALF * (q + key + value)
            return HALF * h + 3 * q + key + value + projection
        reduced = 2 * HALF * h if tp > 1 else 0
        return max(reduced, HALF * (h + q + key + value))

    @property
    def _expert_bytes(self) -> float:
        """Token copies before and after the experts, for what a device routes itself."""
        e = self.model.experts
        if e is None:
            return 0.0
        slices = self.layout.tp if self.layout.ep > 1 else 1
        return 2 * HALF * self.model.hidden_size * e.active / slices

    @property
    def _workspace(self) -> float:
        """Copies of the absorbed projections, which the planner keeps beside the weights."""
        a = self.model.latent
        if a is None:
            return 0.0
        heads = self.model.attention_heads // self.layout.tp
        up = a.kv_rank * heads * (a.nope_head_dim + a.value_head_dim)
        copies = 3 if self.precisions.attention.quantised else 2
        return copies * up * self.model.layers * self._stage_share + _LATENT_WORKSPACE


def _weight_bytes(
    m: Model, layout: Layout, precisions: Precisions, held: Sequence[Operator], drafted: int
) -> Bytes:
    """Weights and buffers of the fullest device.

    The embedding is whole on every rank, the output projection is split and never shared with
    it; the tables of the rotary embedding count as buffers. With pipeline stages one of the two
    ends counts, the embedding, which is larger.
    """
    ends = ("embedding", "final_norm", "lm_head")
    inner = math.fsum(op.repeat * op.weight_bytes for op in held if op.name not in ends)
    share = math.ceil(m.layers / layout.pp) / m.layers
    # A draft layer has an embedding and an output projection of its own.
    tables = 1 + drafted
    embedding = HALF * m.vocab_size * m.hidden_size * tables
    head = math.fsum(op.repeat * op.weight_bytes for op in held if op.name in ends[1:])
    rotated = m.latent.rope_head_dim if m.latent else m.head_dim
    rope_tables = 2 * HALF * m.max_positions * rotated
    scales = _QUANTISATION_SCALES * m.layers if precisions.attention.quantised else 0
    outer = embedding + head if layout.pp == 1 else max(embedding, head)
    return round((inner + scales) * share + outer + rope_tables)
