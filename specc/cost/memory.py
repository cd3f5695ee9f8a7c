"""Memory of a device during a step: weights, KV cache, activations, and what is left.

The formulas are those of the reference planner (msmodeling, commit 84fec85), compiled graph:
weights and KV cache exact, activations fitted to its liveness analysis of Qwen3-8B and Qwen3-32B.
"""

import numpy as np
from attrs import frozen

from specc.cost.layout import Layout, Shard
from specc.cost.operators import HALF, INT64
from specc.cost.steps import Column, StepTable
from specc.ir import Model, Quantisation
from specc.units import Bytes, Tokens

_QUANTISATION_SCALES = 28  # bytes a layer: seven fp32 scales of its linear weights and inputs


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
    """Memory of a model in a layout. `block` is the size of a KV-cache block in tokens."""

    model: Model
    layout: Layout
    quant: Quantisation
    block: Tokens

    def of(self, steps: StepTable) -> StepMemory:
        """Return the memory of each step."""
        return StepMemory(
            self.weight_bytes,
            self.kv_block_bytes * steps.kv_blocks,
            self._activations(steps),
        )

    @property
    def weight_bytes(self) -> Bytes:
        """Weights and buffers of one rank.

        The embedding is whole on every rank, the output projection is split and never shared with
        it; the tables of the rotary embedding count as buffers.
        """
        m, shard = self.model, self._shard
        h = m.hidden_size
        element = 1 if self._quantised else HALF
        linear = h * shard.qkv_width + shard.query_width * h + 3 * h * shard.intermediate
        norms = HALF * (2 * h + (2 * m.head_dim if m.qk_norm else 0))
        layer = element * linear + norms + (_QUANTISATION_SCALES if self._quantised else 0)
        ends = HALF * (m.vocab_size * h + shard.vocab * h + h)
        rope_tables = 2 * HALF * m.max_positions * m.head_dim
        return m.layers * layer + ends + rope_tables

    @property
    def kv_token_bytes(self) -> Bytes:
        """KV cache of one token on one rank."""
        return self.model.layers * 2 * self._shard.kv_width * HALF

    @property
    def kv_block_bytes(self) -> Bytes:
        """KV cache of one block on one rank."""
        return self.kv_token_bytes * self.block

    @property
    def _shard(self) -> Shard:
        return Shard.of(self.model, self.layout.tp)

    @property
    def _quantised(self) -> bool:
        return self.quant is Quantisation.W8A8_DYNAMIC

    def _activations(self, steps: StepTable) -> Column:
        """Peak of the live tensors, linear in the new tokens.

        Every layer keeps its rows of the cosine and sine tables, its slot mapping and its block
        table. On top of that the largest live set of a layer: unquantised the residual with the
        merged projection, or two buffers around an all-reduce; quantised the residual with the
        tensors around attention. Liveness of the reference planner, reproduced to 0.1 % on its
        prefill rows; the merged projection is still live there in Qwen3-32B, whose query width
        differs from the hidden size, and freed in Qwen3-8B, where they are equal.
        """
        m, shard = self.model, self._shard
        h, q, kv = m.hidden_size, shard.query_width, shard.kv_width
        if self._quantised:
            kept = 4 * m.head_dim * (m.layers - 1) + INT64 * m.layers
            projection = 0 if m.query_width == h else HALF * shard.qkv_width
            live = HALF * h + 3 * q + 2 * kv + projection
        else:
            kept = (4 * m.head_dim + INT64) * m.layers
            reduced = 2 * HALF * h if self.layout.tp > 1 else 0
            live = max(reduced, HALF * (h + shard.qkv_width))
        tables = INT64 * m.layers * (steps.prefill_blocks + steps.decode_blocks)
        activations: Column = np.asarray(steps.tokens * (kept + live) + tables)
        return activations
