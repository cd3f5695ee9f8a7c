"""Mixture of experts: routed experts on this and other devices, and shared ones."""

from collections.abc import Iterator
from typing import ClassVar, Self

from attrs import frozen

from specc.cost.layers.base import Layers
from specc.cost.operators.base import Operator, Rows
from specc.cost.operators.communication import Collective, CollectiveOperator
from specc.cost.operators.experts import RoutedExperts
from specc.cost.precision import HALF, PLAIN
from specc.cost.site import (
    SCALE,
    Site,
    add_norm,
    all_reduce,
    communication,
    copy,
    linear,
    mlp_inner,
    quantise,
)
from specc.ir import Dispatch, Layout
from specc.ir.layers import Experts
from specc.ir.model import Model


@frozen(eq=False, repr=False)
class ExpertMlp(Layers):
    """Layers in which a token passes some of many MLPs.

    With experts on other devices each tensor-parallel rank routes its slice of the tokens, and an
    all-gather restores the whole at the end.
    """

    counted_as: ClassVar[str] = "expert_layers"

    shape: Experts

    @classmethod
    def of(cls, model: Model) -> Self | None:
        """Return the layers of a model that have experts."""
        return cls(model, model.experts.layers, model.experts) if model.experts else None

    @property
    def drafts(self) -> bool:
        """They are the MLP of draft layers, unless these are dense."""
        return not self.model.draft_dense

    def operators(self, site: Site) -> Iterator[Operator]:
        """Yield the operators of all these layers in one step."""
        h, tp, layers, share = site.hidden, site.layout.tp, self.count, self.share(site)
        yield add_norm(site, "expert_add_norm", layers, quantised=False, share=site.norm_share)
        yield from self.router(site)
        yield from self._latent(site, "expert_latent_down")
        yield from self._gather_tokens(site)
        yield from self._exchange(site, "dispatch")
        yield from self.routed(site)
        yield from self._exchange(site, "combine")
        yield from self.weighing(site)
        if self.shape.shared_intermediate_size:
            yield from self._shared(site)
        yield from self.reduction(site)
        yield from self._latent(site, "expert_latent_up")
        if site.slices_tokens and tp > 1:
            yield communication(
                "expert_all_gather", Collective.ALL_GATHER, h * HALF, tp, layers, share=share
            )
        yield copy("expert_residual_add", 3 * h * HALF, layers, share=site.norm_share)

    def in_stage(self, first: int, end: int) -> float:
        """Layers with experts come after those without, unless they take turns."""
        if self.model.alternates:
            return super().in_stage(first, end)
        return max(0.0, end - max(first, self.model.layers - self.count))

    def share(self, site: Site) -> float:
        """Return the share of the tokens that a rank routes."""
        return 1 / site.layout.tp if site.slices_tokens else 1.0

    @property
    def width(self) -> int:
        """Width of the tokens that routed experts get."""
        return self.shape.routed_width(self.model.hidden_size)

    def block(self, site: Site) -> RoutedExperts:
        """Return the experts of one device as one operator."""
        e, layout = self.shape, site.layout
        return RoutedExperts(
            name="experts",
            repeat=self.count,
            precision=site.precisions.experts,
            hidden=self.width,
            inner=e.intermediate_size // layout.moe_tp,
            matrices=self.model.matrices,
            count=e.count,
            choices=e.choices,
            active=e.active,
            local=(e.count + site.placement.redundant) // layout.ep,
            devices=layout.ep,
            tokens_per=layout.replicas_per_experts,
            context_parallel=layout.cp,
            dispatched=site.slices_tokens,
            imbalance=site.placement.imbalance,
            bias=e.bias,
        )

    def router(self, site: Site) -> Iterator[Operator]:
        """Scores of the experts, and the choice of the best."""
        e, layers, share = self.shape, self.count, self.share(site)
        n = e.choices
        yield linear("router", site.hidden, n, layers, PLAIN, share=share, bias=e.router_bias)
        yield copy("router_top_k", HALF * n + 8 * e.active, layers, share=share)

    def routed(self, site: Site) -> Iterator[Operator]:
        """What the experts do with the token copies that came to them."""
        yield self.block(site)

    def weighing(self, site: Site) -> Iterator[Operator]:
        """The weighted sum of a token's copies, where the experts have not formed it."""
        yield from ()

    def _latent(self, site: Site, name: str) -> Iterator[Operator]:
        """The projection of tokens to the width of the experts, or back.

        It is whole on each rank and in 16 bit, as checkpoints have it (Kimi-K3, Nemotron 3).
        """
        inner, outer = site.hidden, self.shape.latent_size
        if name.endswith("up"):
            inner, outer = outer, inner
        if self.shape.latent_size:
            yield linear(name, inner, outer, self.count, PLAIN, share=self.share(site))

    def _exchange(self, site: Site, name: str) -> Iterator[Operator]:
        """Token copies to the devices of their experts, or back."""
        e, layers, share = self.shape, self.count, self.share(site)
        layout, fused = site.layout, site.options.dispatch is Dispatch.FUSED
        if not site.slices_tokens:
            return
        # The fused kernels send quantised tokens with a scale each.
        quantised = fused and name == "dispatch" and site.precisions.experts.quantised
        element = 1 + SCALE / self.width if quantised else HALF
        collective = Collective.ALL_TO_ALL
        if fused:
            dispatches = name == "dispatch"
            collective = Collective.FUSED_DISPATCH if dispatches else Collective.FUSED_COMBINE
        copies = e.computing * (1 - 1 / layout.ep) * site.placement.imbalance
        yield communication(
            name,
            collective,
            copies * self.width * element,
            layout.ep,
            layers,
            share=share,
            stride=layout.moe_tp,
            pooled=True,
        )

    def _gather_tokens(self, site: Site) -> Iterator[Operator]:
        """Tokens of all replicas to all devices, where experts are not dispatched to."""
        replicas = site.layout.replicas_per_experts
        if not site.slices_tokens and replicas > 1:
            yield communication(
                "tokens_all_gather",
                Collective.ALL_GATHER,
                self.width * HALF,
                replicas,
                self.count,
                stride=site.layout.tp * site.layout.cp,
                pooled=True,
            )

    def reduction(self, site: Site) -> Iterator[Operator]:
        """The sum over devices that hold parts of the experts, back to each replica."""
        layout, h, layers = site.layout, self.width, self.count
        if site.slices_tokens:
            if layout.moe_tp > 1:
                yield communication(
                    "expert_all_reduce",
                    Collective.ALL_REDUCE,
                    h * HALF,
                    layout.moe_tp,
                    layers,
                    pooled=True,
                )
            return
        replicas, group = layout.replicas_per_experts, layout.ep * layout.moe_tp
        if group > 1:
            yield CollectiveOperator(
                name="expert_reduce",
                repeat=layers,
                rows=Rows.TOKENS,
                row_bytes=h * HALF * replicas,
                collective=Collective.REDUCE_SCATTER if replicas > 1 else Collective.ALL_REDUCE,
                group=group,
                pooled=True,
            )

    def _shared(self, site: Site) -> Iterator[Operator]:
        """Shared experts: whole on a rank for its share of the tokens, or split over the ranks."""
        h, layers, p = site.hidden, self.count, site.precisions.shared_experts
        share = self.share(site)
        i = self.shape.shared_intermediate_size
        if site.placement.shard_shared:
            i, share = i // site.layout.tp, 1.0
        if p.quantised:
            yield quantise("shared_quant", h, layers, share=share, dynamic=p.dynamic)
        yield from mlp_inner("shared_{}", self.model.gated_mlp, h, i, layers, p, share=share)
        if p.quantised:
            yield quantise("shared_inner_quant", i, layers, share=share, dynamic=p.dynamic)
        yield linear("shared_down", i, h, layers, p, share=share)
        yield from self.shared_sum(site, share)
        if site.placement.shard_shared:
            yield from all_reduce(site, "shared_all_reduce", layers, h)

    def shared_sum(self, site: Site, share: float) -> Iterator[Operator]:
        """The sum of what shared and routed experts give."""
        yield copy("shared_add", 3 * site.hidden * HALF, self.count, share=share)

    def live_bytes(self, site: Site) -> float:
        """Token copies before and after the experts, for what a device routes itself."""
        slices = site.layout.tp if site.layout.ep > 1 else 1
        return 2 * HALF * self.width * self.shape.active / slices

    def placement_problem(self, layout: Layout, redundant: int) -> str:
        """Every device has as many experts, and every rank as many columns of one."""
        slots, width = self.shape.count + redundant, self.shape.intermediate_size
        if slots % layout.ep:
            copies = f" ({redundant} redundant)" if redundant else ""
            enough = redundant + -slots % layout.ep
            return (
                f"EP = {layout.ep} does not divide {slots} experts{copies}; "
                f"experts {{ redundant = {enough} }} makes it"
            )
        if width % layout.moe_tp:
            return f"MOE-TP = {layout.moe_tp} does not divide the expert width {width}"
        return ""


KIND = ExpertMlp
