"""Grouped-query attention over the whole context (GQA; MHA and MQA are its ends).

The compiled graph: query, key and value are one GEMM, norms are fused with the residual addition
and, when quantised, with the quantisation behind them.
"""

from collections.abc import Iterator
from typing import Self

from attrs import frozen

from specc.cost.layers.attention import attention_of, query_exchange, result_exchange
from specc.cost.layers.base import FullAttention, shared_heads_problem
from specc.cost.operators.attention import AttentionPhase
from specc.cost.operators.base import Operator
from specc.cost.precision import HALF
from specc.cost.site import (
    Site,
    all_reduce,
    copy,
    head_norm,
    kv_write,
    linear,
    norm,
    quantise,
    rope,
)
from specc.ir.model import Model


@frozen(eq=False, repr=False)
class GroupedAttention(FullAttention):
    """Layers in which groups of query heads share a key-value head."""

    @classmethod
    def of(cls, model: Model) -> Self | None:
        """Return the full-attention layers of a model without a kind of its own for them."""
        return cls(model, model.full_layers) if model.groups_queries else None

    def operators(self, site: Site) -> Iterator[Operator]:
        """Yield the operators of all these layers in one step."""
        sharing = self.model.sharing_layers * self.count / max(self.model.full_layers, 1)
        yield from grouped(site, self.model, self.count - sharing)
        if sharing:
            yield from grouped(site, self.model, sharing, Reach("sharing_", shares=True))

    def cached_elements(self, tp: int) -> float:
        """A key and a value for each key-value head of the rank, of the mean layer."""
        own = 1 - self.model.sharing_layers / max(self.model.full_layers, 1)
        return own * grouped_elements(self.model, tp)

    def tensor_problem(self, tp: int) -> str:
        """Key-value heads are split or copied, query heads are split."""
        return super().tensor_problem(tp) or shared_heads_problem(self.model.kv_heads, tp)

    def copies(self, tp: int) -> int:
        """Ranks beyond the key-value heads have copies."""
        return max(1, tp // self.model.kv_heads)


def grouped_elements(m: Model, tp: int) -> int:
    """Return the elements of a token in the cache of one layer; few heads are copied."""
    return max(1, m.kv_heads // tp) * (m.head_dim + m.value_dim)


@frozen
class Reach:
    """What of the context a query attends to, and what its operators are called.

    Attributes:
        prefix: of the names.
        window: tokens at most, the last ones; 0 for all.
        chunk: tokens after which the context begins anew; 0 for never.
        top_k: tokens at most, which are picked; 0 for all.
        shares: whether keys and values are those of an earlier layer.
        assumed: whether nobody measured such kernels.
    """

    prefix: str = ""
    window: int = 0
    chunk: int = 0
    top_k: int = 0
    shares: bool = False
    assumed: bool = False


ALL = Reach()


def grouped(site: Site, m: Model, layers: float, reach: Reach = ALL) -> Iterator[Operator]:
    """Yield the operators of `layers` layers of the shape that `m` has."""
    h, d, p = m.hidden_size, m.head_dim, site.precisions.attention
    heads, kv_heads = m.attention_heads // site.layout.tp, site.split(m.kv_heads)
    query, key, value = heads * d, kv_heads * d, kv_heads * m.value_dim
    out = heads * m.value_dim
    prefix = reach.prefix
    own_key = 0 if reach.shares else key
    own_value = 0 if reach.shares or m.value_is_key else value
    projected = query + own_key + own_value
    projected += (query if m.query_gate else 0) + (heads if m.head_gate else 0)
    yield norm(f"{prefix}input_norm", h, layers, quantised=p.quantised, share=site.norm_share)
    yield linear(f"{prefix}qkv", h, projected, layers, p, bias=m.qkv_bias)
    if m.qk_norm or m.qk_norm_whole:
        whole = m.qk_norm_whole
        yield head_norm(f"{prefix}query_norm", query, query if whole else d, layers)
        if own_key:
            yield head_norm(f"{prefix}key_norm", key, key if whole else d, layers)
    yield rope(f"{prefix}rope", query + own_key, d, layers)
    if own_key:
        yield kv_write(f"{prefix}kv_write", key + value, layers, site.precisions.kv_bytes)
    yield from query_exchange(site, prefix, query, key + value, layers)
    for phase in AttentionPhase:
        yield attention_of(
            site,
            phase,
            f"{prefix}{phase.value}_attention",
            layers,
            heads=heads,
            kv_heads=kv_heads,
            key_dim=d,
            value_dim=m.value_dim,
            cached_width=key + value,
            window=reach.window,
            chunk=reach.chunk,
            top_k=reach.top_k,
            assumed=reach.assumed,
        )
    yield from result_exchange(site, prefix, out, heads, layers)
    if m.query_gate or m.head_gate:
        yield copy(f"{prefix}gate", 3 * out * HALF, layers)
    if p.quantised:
        yield quantise(f"{prefix}attention_quant", out, layers, dynamic=p.dynamic)
    yield linear(f"{prefix}output", out, h, layers, p, bias=m.output_bias)
    yield from all_reduce(site, f"{prefix}attention_all_reduce", layers, h)


KIND = GroupedAttention
