"""The second half of a layer: a dense MLP, or experts."""

from collections.abc import Iterator

from specc.cost.network.site import (
    SCALE,
    Site,
    add_norm,
    all_reduce,
    communication,
    copy,
    linear,
    quantise,
)
from specc.cost.operators.base import Operator, Rows
from specc.cost.operators.communication import Collective, Communication
from specc.cost.operators.experts import Experts
from specc.cost.precision import FULL, HALF, PLAIN
from specc.cost.reference.operators import ExpertRows, GroupedGemm
from specc.ir import Dispatch, Router
from specc.ir import Experts as ExpertShape


def mlp(site: Site) -> Iterator[Operator]:
    """Yield the operators of the MLPs of all layers of a step."""
    if site.model.dense_layers:
        yield from dense(site, site.model.dense_layers)
    if site.model.experts:
        yield from experts(site, site.model.experts, site.model.experts.layers)


def dense(site: Site, layers: float) -> Iterator[Operator]:
    """Yield the operators of `layers` SwiGLU MLPs."""
    h, i = site.hidden, site.model.intermediate_size // site.layout.tp
    p = site.precisions.mlp
    share = site.norm_share
    yield add_norm(site, "add_norm", layers, quantised=p.quantised, share=share)
    yield linear("gate_up", h, 2 * i, layers, p)
    yield copy("swiglu", 3 * i * HALF, layers)
    if p.quantised:
        yield quantise("mlp_quant", i, layers, dynamic=p.dynamic)
    yield linear("down", i, h, layers, p)
    yield from all_reduce(site, "mlp_all_reduce", layers, h)
    yield copy("residual_add", 3 * h * HALF, layers, share=share)


def experts(site: Site, e: ExpertShape, layers: float) -> Iterator[Operator]:
    """Yield the operators of `layers` layers with experts.

    With experts on other devices each tensor-parallel rank routes its slice of the tokens, and an
    all-gather restores the whole at the end.
    """
    h, tp = site.hidden, site.layout.tp
    share = 1 / tp if site.slices_tokens else 1.0
    yield add_norm(site, "expert_add_norm", layers, quantised=False, share=site.norm_share)
    yield from _router(site, e, share, layers)
    block = _block(site, e, layers)
    yield from _gather_tokens(site, layers)
    yield from _dispatch(site, e, "dispatch", share, layers)
    if site.planner:
        yield from _planner_block(site, e, block, share, layers)
    else:
        yield block
    yield from _dispatch(site, e, "combine", share, layers)
    if site.planner:
        yield from _planner_weighing(site, e, share, layers)
    if e.shared_intermediate_size:
        yield from _shared(site, e, share, layers)
    yield from _scatter_tokens(site, layers)
    if site.slices_tokens and tp > 1:
        yield communication(
            "expert_all_gather", Collective.ALL_GATHER, h * HALF, tp, layers, share=share
        )
    yield copy("expert_residual_add", 3 * h * HALF, layers, share=site.norm_share)


def _block(site: Site, e: ExpertShape, layers: float) -> Experts:
    layout = site.layout
    return Experts(
        name="experts",
        repeat=layers,
        precision=site.precisions.experts,
        hidden=site.hidden,
        inner=e.intermediate_size // layout.moe_tp,
        count=e.count,
        active=e.active,
        local=(e.count + site.placement.redundant) // layout.ep,
        devices=layout.ep,
        tokens_per=layout.replicas_per_experts,
        context_parallel=layout.cp,
        dispatched=layout.ep > 1 and site.slices_tokens,
        imbalance=site.placement.imbalance,
        bias=e.bias,
    )


def _router(site: Site, e: ExpertShape, share: float, layers: float) -> Iterator[Operator]:
    """Scores of the experts, and the choice of the best."""
    h = site.hidden
    if not site.planner:
        yield linear("router", h, e.count, layers, PLAIN, share=share, bias=e.router_bias)
        yield copy("router_top_k", HALF * e.count + 8 * e.active, layers, share=share)
        return
    # The planner's chain of small operators, in rows of bytes: softmax as in Qwen3-MoE, sigmoid
    # as in DeepSeek V3, where the projection is in fp32 over all tokens of the replica.
    if e.router is Router.SOFTMAX:
        yield linear("router", h, e.count, layers, PLAIN, share=share)
        launches, row, fixed = 10, 42 * e.count + 30 * e.active + 24, 0
    else:
        yield copy("router_cast", 3 * h * HALF, layers)
        yield linear("router", h, e.count, layers, FULL)
        launches, row, fixed = 4, 4 * e.count + 30 * e.active + 8, 0
        if site.model.indexer:
            groups, picked = 8, 4  # of DeepSeek V3.2
            launches, fixed = 17, 4 * e.count + 4
            row = 52 * e.count + 44 * e.active + 52 * groups + 20 * picked + 16
    yield copy(
        "router_top_k", row / launches, layers * launches, fixed=fixed / launches, share=share
    )


def _dispatch(
    site: Site, e: ExpertShape, name: str, share: float, layers: float
) -> Iterator[Operator]:
    """Token copies to the devices of their experts, or back."""
    layout, fused = site.layout, site.options.dispatch is Dispatch.FUSED
    if layout.ep == 1 or not site.slices_tokens:
        return
    # The fused kernels send quantised tokens with a scale each.
    quantised = fused and name == "dispatch" and site.precisions.experts.quantised
    element = 1 + SCALE / site.hidden if quantised else HALF
    collective = Collective.ALL_TO_ALL
    if fused:
        dispatches = name == "dispatch"
        collective = Collective.FUSED_DISPATCH if dispatches else Collective.FUSED_COMBINE
    copies = e.active * (1 - 1 / layout.ep) * site.placement.imbalance
    yield communication(
        name,
        collective,
        copies * site.hidden * element,
        layout.ep,
        layers,
        share=share,
        stride=layout.moe_tp,
    )


def _gather_tokens(site: Site, layers: float) -> Iterator[Operator]:
    """Tokens of all replicas to all devices, where experts are not dispatched to."""
    replicas = site.layout.replicas_per_experts
    if not site.slices_tokens and replicas > 1:
        yield communication(
            "tokens_all_gather",
            Collective.ALL_GATHER,
            site.hidden * HALF,
            replicas,
            layers,
            stride=site.layout.tp * site.layout.cp,
        )


def _scatter_tokens(site: Site, layers: float) -> Iterator[Operator]:
    """The sum over devices that hold parts of the experts, back to each replica."""
    layout, h = site.layout, site.hidden
    if site.planner:
        return
    if site.slices_tokens:
        if layout.moe_tp > 1:
            yield communication(
                "expert_all_reduce", Collective.ALL_REDUCE, h * HALF, layout.moe_tp, layers
            )
        return
    replicas, group = layout.replicas_per_experts, layout.ep * layout.moe_tp
    if group > 1:
        yield Communication(
            name="expert_reduce",
            repeat=layers,
            rows=Rows.TOKENS,
            row_bytes=h * HALF * replicas,
            collective=Collective.REDUCE_SCATTER if replicas > 1 else Collective.ALL_REDUCE,
            group=group,
        )


def _shared(site: Site, e: ExpertShape, share: float, layers: float) -> Iterator[Operator]:
    """Shared experts: whole on each rank for its share of the tokens, or split over the ranks."""
    h, p = site.hidden, site.precisions.shared_experts
    i = e.shared_intermediate_size
    if site.placement.shard_shared:
        i, share = i // site.layout.tp, 1.0
    if p.quantised:
        yield quantise("shared_quant", h, layers, share=share, dynamic=p.dynamic)
    yield linear("shared_gate_up", h, 2 * i, layers, p, share=share)
    yield copy("shared_swiglu", 3 * i * HALF, layers, share=share)
    if p.quantised:
        yield quantise("shared_inner_quant", i, layers, share=share, dynamic=p.dynamic)
    yield linear("shared_down", i, h, layers, p, share=share)
    if site.planner and site.model.indexer:
        yield copy("shared_add", 10 * h, layers, share=share)
        yield copy("shared_cast", 6 * h, layers, share=share)
    else:
        yield copy("shared_add", 3 * h * HALF, layers, share=share)
    if site.placement.shard_shared:
        yield from all_reduce(site, "shared_all_reduce", layers, h)


def _planner_block(
    site: Site, e: ExpertShape, block: Experts, share: float, layers: float
) -> Iterator[Operator]:
    """The planner's list from routing to reordering, with experts chosen evenly."""
    h, i, p, k = site.hidden, block.inner, block.precision, e.active
    yield copy("init_routing", 2 * h + 8 * k + 2 * k * h, layers, share=share)
    if p.quantised:
        yield ExpertRows(
            name="expert_quant", repeat=layers, block=block, row_bytes=3 * h, fixed_bytes=SCALE
        )
    yield GroupedGemm(
        name="experts_gate_up", repeat=layers, block=block, inner=h, outer=2 * i, swiglu=True
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
        )
    yield ExpertRows(name="expert_reorder", repeat=layers, block=block, row_bytes=4 * h)


def _planner_weighing(
    site: Site, e: ExpertShape, share: float, layers: float
) -> Iterator[Operator]:
    h, k, wide = site.hidden, e.active, site.model.indexer is not None
    yield copy("unpermute", (4 * h + 8) * k, layers, share=share)
    yield copy("expert_weight", (6 * h + 4 if wide else 4 * h + 2) * k, layers, share=share)
    yield copy("expert_sum", (4 if wide else 2) * (k * h + h), layers, share=share)
