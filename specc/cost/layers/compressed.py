"""Attention over a compressed cache beside a sliding window (DeepSeek V4)."""

from collections.abc import Iterator
from typing import Self

from attrs import frozen

from specc.cost.layers.attention import attention_of, query_exchange, result_exchange
from specc.cost.layers.base import FullAttention, shared_heads_problem
from specc.cost.layers.indexer import index_elements, index_scores
from specc.cost.operators.attention import AttentionPhase
from specc.cost.operators.base import Operator
from specc.cost.precision import PLAIN
from specc.cost.site import Site, all_reduce, head_norm, kv_write, linear, norm, rope
from specc.ir.layers import CompressedAttention
from specc.ir.model import Model


@frozen(eq=False, repr=False)
class WindowedCompressedAttention(FullAttention):
    """Layers that see a window, and the tokens before it as compressed entries.

    All of them share one key-value head, which every rank has.
    """

    shape: CompressedAttention

    @classmethod
    def of(cls, model: Model) -> Self | None:
        """Return the compressed layers of a model."""
        return cls(model, model.full_layers, model.compressed) if model.compressed else None

    def operators(self, site: Site) -> Iterator[Operator]:
        """Yield the operators of all these layers in one step."""
        m, c, layers = self.model, self.shape, self.count
        h, p = site.hidden, site.precisions.attention
        d, heads, groups = m.head_dim, m.attention_heads // site.layout.tp, c.output_groups
        local_groups = max(1, groups // site.layout.tp)
        share = layers / m.full_layers
        yield norm("input_norm", h, layers, quantised=p.quantised, share=site.norm_share)
        yield linear("latent_down", h, c.query_rank + d, layers, p)
        yield head_norm("latent_norm", c.query_rank, c.query_rank, layers)
        yield head_norm("kv_norm", d, d, layers)
        yield linear("query_up", c.query_rank, heads * d, layers, p)
        yield rope("rope", (heads + 1) * d, d, layers)
        yield kv_write("kv_write", d, layers, site.precisions.kv_bytes)
        for name, count, ratio, factor in (
            ("sparse", c.sparse_layers, c.sparse_ratio, 2),
            ("dense", c.dense_layers, c.dense_ratio, 1),
        ):
            yield linear(f"{name}_compress", h, 2 * factor * d, count * share, PLAIN)
            yield head_norm(f"{name}_pool", factor * d, factor * ratio * d + d, count * share)
        if m.indexer:
            i = m.indexer
            indexed = c.sparse_layers * share
            yield linear("index_query", c.query_rank, i.heads * i.head_dim, indexed, p)
            yield linear("index_key", h, 4 * i.head_dim + i.heads, indexed, PLAIN)
            index_weights = 2 * c.sparse_ratio * i.head_dim + i.head_dim
            yield head_norm("index_pool", 2 * i.head_dim, index_weights, indexed)
            yield from index_scores(site, i, indexed, c.sparse_ratio)
        yield from query_exchange(site, "", heads * d, d, layers)
        shape = {"heads": heads, "kv_heads": 1, "key_dim": d, "value_dim": d, "cached_width": d}
        for phase in AttentionPhase:
            yield attention_of(
                site, phase, f"window_{phase.value}_attention", layers, window=c.window, **shape
            )
            yield attention_of(
                site,
                phase,
                f"sparse_{phase.value}_attention",
                c.sparse_layers * share,
                compression=c.sparse_ratio,
                top_k=m.indexer.top_k if m.indexer else 0,
                **shape,
            )
            yield attention_of(
                site,
                phase,
                f"dense_{phase.value}_attention",
                c.dense_layers * share,
                compression=c.dense_ratio,
                **shape,
            )
        yield from result_exchange(site, "", heads * d, heads, layers)
        inner = m.query_width // groups
        yield linear("output_down", inner, c.output_rank, layers, p, batch=local_groups)
        yield linear("output_up", local_groups * c.output_rank, h, layers, p)
        yield from all_reduce(site, "attention_all_reduce", layers, h)

    def cached_elements(self, tp: int) -> float:
        """Compressed entries, of the mean layer: one for so many tokens, with an index key."""
        m, c, d = self.model, self.shape, self.model.head_dim
        sparse = c.sparse_layers * (d + index_elements(m)) / c.sparse_ratio
        return (sparse + c.dense_layers * d / c.dense_ratio) / m.full_layers

    def sequence_bytes(self, site: Site) -> float:
        """The window, and a block that is filled while another is left."""
        width = self.model.head_dim * site.precisions.kv_bytes
        return self.model.layers * (self.shape.window + site.engine.block_size) * width

    def tensor_problem(self, tp: int) -> str:
        """Groups of heads that the output projection takes apart are split or copied."""
        problem = super().tensor_problem(tp) or shared_heads_problem(self.model.kv_heads, tp)
        groups = self.shape.output_groups
        if not problem and groups % tp and tp % groups:
            return f"TP = {tp} and {groups} output groups do not divide each other"
        return problem

    def copies(self, tp: int) -> int:
        """Every rank has the whole cache."""
        return tp


KIND = WindowedCompressedAttention
