"""Multi-head latent attention (MLA): keys and values are cached as one compressed vector."""

from collections.abc import Iterator
from typing import Self

from attrs import frozen

from specc.cost.layers.attention import attention_of, query_exchange, result_exchange
from specc.cost.layers.base import FullAttention
from specc.cost.layers.indexer import index_elements, index_scores
from specc.cost.operators.attention import AttentionPhase
from specc.cost.operators.base import Operator, Rows
from specc.cost.precision import HALF, PLAIN
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
from specc.ir.layers import Indexer, LatentAttention
from specc.ir.model import Model

# The planner's peak of DeepSeek steps beyond what is derived here, 0.14 to 0.38 GB in its table.
_WORKSPACE = 200_000_000


@frozen(eq=False, repr=False)
class MultiHeadLatentAttention(FullAttention):
    """Layers of MLA, with or without an indexer that picks the tokens to attend to."""

    shape: LatentAttention

    @classmethod
    def of(cls, model: Model) -> Self | None:
        """Return the latent layers of a model."""
        return cls(model, model.full_layers, model.latent) if model.latent else None

    def operators(self, site: Site) -> Iterator[Operator]:
        """Yield the operators of all these layers in one step."""
        a, h, layers, p = self.shape, site.hidden, self.count, site.precisions.attention
        results = self.heads(site) * a.value_head_dim
        yield from self.projections(site)
        if self.model.indexer:
            yield from self.indexing(site, self.model.indexer)
        yield kv_write("kv_write", a.cached_width, layers, site.precisions.kv_bytes)
        yield from self.attention(site)
        if self.model.query_gate:
            yield linear("gate_projection", h, results, layers, p)
            yield copy("gate", 3 * results * HALF, layers)
        if p.quantised:
            yield quantise("attention_quant", results, layers, dynamic=p.dynamic)
        yield linear("output", results, h, layers, p)
        yield from all_reduce(site, "attention_all_reduce", layers, h)

    def heads(self, site: Site) -> int:
        """Return the query heads of one rank."""
        return self.model.attention_heads // site.layout.tp

    @property
    def indexing_share(self) -> float:
        """Share of the layers that have an indexer of their own."""
        return self.model.indexing_layers / max(self.model.full_layers, 1)

    @property
    def top_k(self) -> int:
        """Cached tokens that a query picks at most; 0 for all."""
        return self.model.indexer.top_k if self.model.indexer else 0

    def projections(self, site: Site) -> Iterator[Operator]:
        """Down to the latent vectors in one GEMM, their norms, and the queries up again."""
        a, h, layers, p = self.shape, site.hidden, self.count, site.precisions.attention
        heads = self.heads(site)
        width = heads * (a.nope_head_dim + a.rope_head_dim)
        yield norm("input_norm", h, layers, quantised=p.quantised, share=site.norm_share)
        if a.query_rank:
            yield linear("latent_down", h, a.query_rank + a.cached_width, layers, p)
            yield head_norm("latent_norm", a.query_rank, a.query_rank, layers)
            yield linear("query_up", a.query_rank, width, layers, p)
        else:
            yield linear("latent_down", h, width + a.cached_width, layers, p)
        yield head_norm("kv_norm", a.kv_rank, a.kv_rank, layers)
        if a.rotates:
            yield rope("rope", (heads + 1) * a.rope_head_dim, a.rope_head_dim, layers)

    def indexing(self, site: Site, i: Indexer) -> Iterator[Operator]:
        """Scores of all cached tokens for each query, and the best of them."""
        h, p = site.hidden, site.precisions.attention
        layers = self.count * self.indexing_share
        yield linear("index_query", self.shape.query_rank or h, i.heads * i.head_dim, layers, p)
        yield linear("index_key", h, i.head_dim + i.heads, layers, PLAIN)
        yield head_norm("index_norm", i.head_dim, 2 * i.head_dim, layers)
        yield from index_scores(site, i, layers)

    def attention(self, site: Site) -> Iterator[Operator]:
        """Attention with the up-projections of keys and values.

        Decode absorbs them into queries and results, so that all heads read the latent cache; a
        prefill unpacks keys and values of its tokens and attends as multi-head attention, unless
        the indexer picks tokens: then it works on the latent cache as decode does.
        """
        a, layers, heads, top_k = self.shape, self.count, self.heads(site), self.top_k
        # Two GEMMs a head: queries into the latent space, results out of it. In a prefill that is
        # not absorbed the same weights unpack keys and values, those of a cached prefix too.
        unpacked = Rows.TOKENS if top_k else Rows.UNPACKED
        yield from query_exchange(site, "", heads * a.cached_width, a.cached_width, layers)
        stored = PLAIN._replace(weight_bytes=site.precisions.attention.weight_bytes)
        yield linear(
            "key_up", a.nope_head_dim, a.kv_rank, layers, stored, batch=heads, rows=unpacked
        )
        for phase in AttentionPhase:
            absorbed = phase is AttentionPhase.DECODE or bool(top_k)
            width = a.nope_head_dim + a.rope_head_dim
            yield attention_of(
                site,
                phase,
                f"{phase.value}_attention",
                layers,
                heads=heads,
                kv_heads=1 if absorbed else heads,
                key_dim=a.cached_width if absorbed else width,
                value_dim=a.kv_rank if absorbed else a.value_head_dim,
                cached_width=a.cached_width,
                top_k=top_k,
            )
        yield from result_exchange(site, "", heads * a.kv_rank, heads, layers)
        yield linear(
            "value_up", a.kv_rank, a.value_head_dim, layers, stored, batch=heads, rows=unpacked
        )

    def cached_elements(self, tp: int) -> float:
        """The latent vector with its rotated key, and a key of the indexer; whole on each rank."""
        return self.shape.cached_width + self.indexing_share * index_elements(self.model)

    def key_elements(self, tp: int) -> float:
        """The latent vector, which is keys and values."""
        return self.shape.kv_rank

    @property
    def rotated_width(self) -> int:
        """The part of a head that is rotated."""
        return self.shape.rope_head_dim if self.shape.rotates else 0

    def table_bytes(self, site: Site) -> int:
        """Rows of cosine and sine in every layer."""
        return 2 * HALF * self.rotated_width * self.model.layers

    def live_bytes(self, site: Site) -> float:
        """The residual with the queries."""
        return HALF * (self.model.hidden_size + self.model.query_width // site.layout.tp)

    def workspace_bytes(self, site: Site) -> float:
        """Copies of the absorbed projections, which are kept beside the weights."""
        a = self.shape
        up = a.kv_rank * self.heads(site) * (a.nope_head_dim + a.value_head_dim)
        copies = 3 if site.precisions.attention.quantised else 2
        return copies * up * self.model.layers * site.stage_share + _WORKSPACE

    def copies(self, tp: int) -> int:
        """Every rank has the whole cache."""
        return tp


KIND = MultiHeadLatentAttention
