"""Attention: time of prefill and decode kernels.

Found on 636 prefill and 758 decode kernels of a 910B (aiconfigurator-npu, CANN 8.5), by
residuals. Kernels with as many key-value heads as query heads (MHA) and kernels in which heads
share them (GQA) are different programs with coefficients of their own.
"""

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from specc.cost.rules.machine import Machine
from specc.cost.rules.shapes import smooth_max
from specc.cost.steps import Column
from specc.ir import DecodeAttentionRule, PrefillAttentionRule
from specc.records import Record

Mask = NDArray[np.bool_] | bool

_WIDE_ROW = 16 * 1024  # bytes between the keys of neighbouring tokens that defeat the caches
_MANY = 8  # sequences from which they do
_SHARED_LENGTH = 4096  # context at which half of the gain of a single key-value head is reached


@frozen(eq=False, repr=False)
class Heads(Record):
    """Heads of one device: arrays or numbers that broadcast with the sequences.

    `width` is that of keys and values over those that were measured, 128 each.
    """

    query: Column | int
    kv: Column | int
    width: float
    kv_row_bytes: Column | float

    @property
    def grouped(self) -> Mask:
        """Whether query heads share key-value heads."""
        shared: Mask = np.asarray(self.kv) < np.asarray(self.query)
        return shared


def prefill_time(
    rule: PrefillAttentionRule,
    machine: Machine,
    heads: Heads,
    *,
    causal_pairs: Column,
    tokens: Column,
    context: Column,
    requests: Column,
) -> Column:
    """Return seconds of causal attention over new tokens.

    Args:
        rule: coefficients.
        machine: the device.
        heads: heads of the device.
        causal_pairs: query-key pairs that causality leaves, over all sequences.
        tokens: new tokens, over all sequences.
        context: tokens attended to, over all sequences.
        requests: sequences.

    A head of a sequence costs its pairs, its tokens (fully from some length on) and something
    fixed. All of them are shared among the cores; with MHA the heaviest tiles of a head stay on
    one core. Inputs and results beyond the L2 cache come on top.
    """
    sequences = np.maximum(requests, 1e-9)
    grouped = heads.grouped
    mean = np.maximum(context / sequences, 1.0)
    token_time = np.where(grouped, rule.grouped_token_time, rule.token_time)
    fixed = np.where(grouped, rule.grouped_head_time, rule.head_time)
    each = causal_pairs / sequences * rule.pair_time * heads.width
    each = each + tokens / sequences * token_time * mean / (mean + rule.token_length) + fixed
    alone = grouped & (np.asarray(heads.kv) == 1)
    each = each * np.where(alone, 1 - rule.shared_gain * mean / (mean + _SHARED_LENGTH), 1.0)
    rounds: Column = requests * heads.query / machine.cores
    held = np.where(grouped, rule.grouped_tiles_held, rule.tiles_held)
    longest = _heaviest_tiles(tokens / sequences, mean, rule.tile_rows, held)
    rounds = smooth_max(2.0, rounds, longest)
    busy = rounds * each * _wide_rows(rule.wide_rows, heads, requests, mean / 512) / machine.core
    moved = 2 * 2 * 128 * heads.width * (tokens * heads.query + context * heads.kv)
    beyond = moved / (1 + np.maximum(moved / rule.cached, 1e-9) ** -4)
    time: Column = rule.launch + busy + beyond / (rule.memory_rate * machine.memory)
    return time * (tokens > 0)


def _heaviest_tiles(new: Column, context: Column, rows: int, held: Column) -> Column:
    """Return the share of a head's work that the heaviest `held` of its tiles of queries are."""
    tiles = np.ceil(np.maximum(new, 1) / rows)
    cached = np.maximum(context - new, 0)
    last = cached + new * (2 * tiles - 1) / (2 * tiles)
    share = np.minimum(1.0, held / tiles * last / np.maximum(cached + new / 2, 0.5))
    some: Column = np.where(held > 0, share, 0.0)
    return some


def _wide_rows(
    penalty: float, heads: Heads, requests: Column, length: Column, octaves: float = 1.0
) -> Column:
    """Return the factor that many long sequences with wide rows of keys cost."""
    slow = (np.asarray(heads.kv_row_bytes) >= _WIDE_ROW) & (requests >= _MANY)
    growth = np.clip(np.log2(np.maximum(length, 1e-9)) / octaves, 0, 1)
    factor: Column = 1 + penalty * slow * growth
    return factor


def decode_time(
    rule: DecodeAttentionRule,
    machine: Machine,
    heads: Heads,
    *,
    requests: Column,
    context: Column,
    cache_bytes: Column,
    arithmetic: Column | float = 0.0,
    queries: Column | float = 1.0,
    element: Column | float = 2.0,
    cold: Column | float = 1.0,
) -> Column:
    """Return seconds of attention of new tokens over the cache, without the floor of the host.

    Args:
        rule: coefficients.
        machine: the device.
        heads: heads of the device.
        requests: sequences.
        context: tokens attended to, over all sequences.
        cache_bytes: bytes of the cache that are read.
        arithmetic: seconds of the matrix unit, where many queries share a key-value head.
        queries: new tokens of a sequence, more than one where drafted ones are verified.
        element: bytes of a cached element.
        cold: share of the cache that comes from memory: 1 in serving.
    """
    grouped = heads.grouped
    pairs = np.maximum(requests * heads.kv, 1e-9)
    rate = np.where(
        grouped,
        rule.grouped_memory_rate * (1 + rule.single_head_gain / np.asarray(heads.kv)),
        rule.memory_rate,
    )
    rate = rate * np.where(np.asarray(element) < 2, rule.narrow_share, 1.0)
    reading = cache_bytes * (
        cold / (rate * machine.memory) + (1 - cold) / (rule.l2_rate * machine.compute)
    )
    # Sequences and heads that do not fill the last round of cores leave bandwidth unused.
    rounds = np.ceil(pairs / machine.cores) * machine.cores / pairs
    reading = reading * np.where(grouped, rounds**rule.unevenness, 1.0)
    mean = np.maximum(context / np.maximum(requests, 1e-9), 1.0)
    reading = reading * _wide_rows(rule.wide_rows, heads, requests, mean / 512, 4.0)
    head_time = np.where(grouped, rule.grouped_head_time, rule.head_time) / machine.core
    each = head_time * pairs / machine.cores * rounds**rule.head_unevenness
    busy = smooth_max(3.0, each, reading, arithmetic)
    scores = rule.score_time / machine.compute * context * heads.query
    more = np.where(grouped, 1 + rule.query_share * np.maximum(queries - 1, 0), 1.0)
    busy = (busy + scores) * more
    time: Column = rule.launch + rule.sequence_time / machine.core * requests + busy
    return time * (requests > 0)


def host_floor(rule: DecodeAttentionRule, time: Column) -> Column:
    """Return decode times in a benchmark that cannot launch kernels faster than its floor."""
    return smooth_max(8.0, time, rule.floor)


def benchmark_share(machine: Machine, cache_bytes: Column) -> Column:
    """Return the cold share of a cache that a benchmark reads again and again."""
    share: Column = 1 / (1 + np.maximum(cache_bytes / machine.l2, 1e-9) ** -8)
    return share
