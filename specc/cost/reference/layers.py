"""Layers as the published planner lists them, where its graph is another than an engine's."""

from collections.abc import Iterator

from attrs import frozen

from specc.cost.layers import LAYERS
from specc.cost.layers.base import Layers
from specc.cost.layers.embedding import Embedding
from specc.cost.layers.experts import ExpertMlp
from specc.cost.layers.head import Head
from specc.cost.layers.latent import MultiHeadLatentAttention
from specc.cost.operators.attention import AttentionPhase
from specc.cost.operators.base import INT64, Operator
from specc.cost.operators.communication import Collective
from specc.cost.precision import FULL, HALF, PLAIN
from specc.cost.reference.operators import (
    ExpertRows,
    GroupedGemm,
    PlannerGather,
    PlannerIndexer,
    PlannerLatentAttention,
    PlannerPrologue,
)
from specc.cost.site import SCALE, Site, communication, copy, linear, norm
from specc.ir.layers import Indexer, Router


@frozen(eq=False, repr=False)
class PlannerEmbedding(Embedding):
    """The lookup of tokens, and of positions: a gather is charged with its whole table."""

    def operators(self, site: Site) -> Iterator[Operator]:
        """Yield the lookups of a step; positions have a cosine and a sine."""
        yield from super().operators(site)
        m = self.model
        width = m.latent.rope_head_dim if m.latent else m.head_dim
        table = m.max_positions * width * HALF
        yield copy("rope_table", width * HALF + INT64, 2, fixed=table)


@frozen(eq=False, repr=False)
class PlannerLatent(MultiHeadLatentAttention):
    """Latent attention in three fused operators."""

    def projections(self, site: Site) -> Iterator[Operator]:
        """A norm that is not fused with the quantisation behind it, and one operator for all."""
        h, layers = site.hidden, self.count
        yield norm("input_norm", h, layers, share=site.norm_share)
        yield PlannerPrologue(
            name="latent_prologue",
            repeat=layers,
            hidden=h,
            heads=self.heads(site),
            shape=self.shape,
            format=site.precisions.attention.format,
        )

    def indexing(self, site: Site, i: Indexer) -> Iterator[Operator]:
        """The whole indexer."""
        yield PlannerIndexer(
            name="indexer",
            repeat=self.count,
            hidden=site.hidden,
            shape=i,
            latent=self.shape,
            element=1 if site.precisions.attention.quantised else HALF,
        )

    def attention(self, site: Site) -> Iterator[Operator]:
        """Attention with its up-projections."""
        for phase in AttentionPhase:
            yield PlannerLatentAttention(
                name=f"{phase.value}_attention",
                repeat=self.count,
                kind=phase.kind,
                phase=phase,
                heads=self.heads(site),
                shape=self.shape,
                top_k=self.top_k,
            )


@frozen(eq=False, repr=False)
class PlannerExperts(ExpertMlp):
    """Experts as chains of small operators, with the experts of a token chosen evenly."""

    def router(self, site: Site) -> Iterator[Operator]:
        """The chain, in rows of bytes: softmax as in Qwen3-MoE, sigmoid as in DeepSeek V3.

        In DeepSeek V3 the projection is in fp32, over all tokens of the replica.
        """
        e, h, layers, share = self.shape, site.hidden, self.count, self.share(site)
        if e.router is Router.SOFTMAX:
            yield linear("router", h, e.count, layers, PLAIN, share=share)
            launches, row, fixed = 10, 42 * e.count + 30 * e.active + 24, 0
        else:
            yield copy("router_cast", 3 * h * HALF, layers)
            yield linear("router", h, e.count, layers, FULL)
            launches, row, fixed = 4, 4 * e.count + 30 * e.active + 8, 0
            if self.model.indexer:
                groups, picked = 8, 4  # of DeepSeek V3.2
                launches, fixed = 17, 4 * e.count + 4
                row = 52 * e.count + 44 * e.active + 52 * groups + 20 * picked + 16
        yield copy(
            "router_top_k", row / launches, layers * launches, fixed=fixed / launches, share=share
        )

    def routed(self, site: Site) -> Iterator[Operator]:
        """From routing to reordering."""
        layers, share, block = self.count, self.share(site), self.block(site)
        h, i, p, k = self.width, block.inner, block.precision, self.shape.active
        up = self.model.matrices - 1
        yield copy("init_routing", 2 * h + 8 * k + 2 * k * h, layers, share=share)
        if p.quantised:
            yield ExpertRows(
                name="expert_quant", repeat=layers, block=block, row_bytes=3 * h, fixed_bytes=SCALE
            )
        yield GroupedGemm(
            name="experts_gate_up", repeat=layers, block=block, inner=h, outer=up * i, swiglu=True
        )
        if p.quantised:
            yield ExpertRows(
                name="expert_inner_quant",
                repeat=layers,
                block=block,
                row_bytes=3 * i,
                fixed_bytes=SCALE,
            )
        yield GroupedGemm(
            name="experts_down", repeat=layers, block=block, inner=i, outer=h, swiglu=False
        )
        if site.layout.moe_tp > 1:
            yield communication(
                "expert_all_reduce",
                Collective.ALL_REDUCE,
                h * HALF * k,
                site.layout.moe_tp,
                layers,
                share=share,
                pooled=True,
            )
        yield ExpertRows(name="expert_reorder", repeat=layers, block=block, row_bytes=4 * h)

    def weighing(self, site: Site) -> Iterator[Operator]:
        """The weighted sum of a token's copies, operator by operator."""
        layers, share = self.count, self.share(site)
        h, k, wide = self.width, self.shape.active, self.model.indexer is not None
        yield copy("unpermute", (4 * h + 8) * k, layers, share=share)
        yield copy("expert_weight", (6 * h + 4 if wide else 4 * h + 2) * k, layers, share=share)
        yield copy("expert_sum", (4 if wide else 2) * (k * h + h), layers, share=share)

    def shared_sum(self, site: Site, share: float) -> Iterator[Operator]:
        """The sum of shared and routed experts; in fp32 in DeepSeek V3.2."""
        if self.model.indexer is None:
            yield from super().shared_sum(site, share)
            return
        yield copy("shared_add", 10 * site.hidden, self.count, share=share)
        yield copy("shared_cast", 6 * site.hidden, self.count, share=share)

    def reduction(self, site: Site) -> Iterator[Operator]:
        """Nothing: the planner reduces before it reorders the copies."""
        yield from ()


@frozen(eq=False, repr=False)
class PlannerHead(Head):
    """The output projection, with another gather before it."""

    def gather(self, site: Site) -> Operator:
        """Return the choice of the last tokens."""
        return PlannerGather(name="last_token", repeat=1, row_bytes=site.hidden * HALF)


_OWN: dict[type[Layers], type[Layers]] = {
    Embedding: PlannerEmbedding,
    MultiHeadLatentAttention: PlannerLatent,
    ExpertMlp: PlannerExperts,
    Head: PlannerHead,
}
PLANNER_LAYERS: tuple[type[Layers], ...] = tuple(_OWN.get(kind, kind) for kind in LAYERS)
