"""The space of parallel layouts, and what is pruned from it with its reason."""

import math
from collections.abc import Iterator
from itertools import product

from attrs import evolve, frozen

from specc.ir import Deployment, Experts, Layout, Model


@frozen
class Pruned:
    """A combination of sizes that is no layout of the deployment, and why."""

    label: str
    reason: str


@frozen
class Space:
    """The layouts to evaluate, widest tensor parallelism first, and the pruned combinations."""

    layouts: tuple[Layout, ...]
    pruned: tuple[Pruned, ...]


def layouts(deployment: Deployment) -> Space:
    """Enumerate tp × cp × pp × dp = devices and prune what the model or the spec does not allow.

    Models with experts multiply the space by ep × moe_tp × moe_dp = tp × cp × dp.
    """
    kept: list[Layout] = []
    pruned: list[Pruned] = []
    for layout, reason in _attention_layouts(deployment):
        if reason:
            pruned.append(Pruned(layout.label, reason))
            continue
        if deployment.model.experts is None:
            kept.append(layout)
            continue
        for placed, problem in _expert_layouts(deployment, deployment.model.experts, layout):
            if problem:
                pruned.append(Pruned(placed.label, problem))
            else:
                kept.append(placed)
    return Space(tuple(kept), tuple(pruned))


def combinations_of(deployment: Deployment) -> int:
    """Return how many combinations of sizes `layouts` looks at, without looking at them."""
    parallel, size = deployment.parallel, deployment.size
    powers = len(_powers_of_two(size))
    axes = [parallel.tp, parallel.pp, parallel.cp, parallel.dcp]
    if deployment.model.experts is not None:
        axes += [parallel.ep, parallel.moe_dp]
    return math.prod(powers if axis is None else len(axis) for axis in axes)


def _attention_layouts(deployment: Deployment) -> Iterator[tuple[Layout, str]]:
    """Yield every combination of sizes of attention, with what is wrong with it."""
    parallel, devices = deployment.parallel, deployment.size
    powers = _powers_of_two(devices)
    sizes = (parallel.tp or powers, parallel.pp or powers, parallel.cp or powers)
    tensor, pipeline, context = sizes
    for tp, pp, cp in product(sorted(tensor, reverse=True), pipeline, context):
        used = tp * pp * cp
        if devices % used:
            factors = "TP · PP" + (" · CP" if cp > 1 else "")
            yield Layout(tp, pp, 0, cp=cp), f"{factors} = {used} does not divide {devices} devices"
            continue
        for dcp in parallel.dcp or _powers_of_two(tp):
            layout = Layout(tp, pp, devices // used, cp=cp, dcp=dcp)
            yield layout, _attention_problem(deployment, layout)


def _attention_problem(deployment: Deployment, layout: Layout) -> str:
    model, parallel = deployment.model, deployment.parallel
    if parallel.dp is not None and layout.dp not in parallel.dp:
        allowed = ", ".join(str(size) for size in parallel.dp)
        return f"DP = {layout.dp} is not among the sizes allowed ({allowed})"
    if layout.pp > model.layers:
        return f"PP = {layout.pp} is more than the {model.layers} layers"
    return _tensor_problem(model, layout.tp) or _context_problem(model, layout)


def _expert_layouts(
    deployment: Deployment, experts: Experts, layout: Layout
) -> Iterator[tuple[Layout, str]]:
    """Yield every placement of the experts on the devices of a stage."""
    parallel, world = deployment.parallel, layout.stage
    for ep, copies in product(parallel.ep or _powers_of_two(world), parallel.moe_dp or (1,)):
        if world % (ep * copies):
            yield (
                evolve(layout, ep=ep, moe_dp=copies),
                f"EP · MOE-DP = {ep * copies} does not divide the {world} devices of a stage",
            )
            continue
        placed = evolve(layout, ep=ep, moe_tp=world // (ep * copies), moe_dp=copies)
        yield placed, _expert_problem(deployment, experts, placed)


def _expert_problem(deployment: Deployment, experts: Experts, layout: Layout) -> str:
    allowed = deployment.parallel.moe_tp
    if allowed is not None and layout.moe_tp not in allowed:
        sizes = ", ".join(str(size) for size in allowed)
        return f"MOE-TP = {layout.moe_tp} is not among the sizes allowed ({sizes})"
    slots = experts.count + deployment.experts.redundant
    if slots % layout.ep:
        return f"EP = {layout.ep} does not divide {slots} experts" + (
            f" ({deployment.experts.redundant} redundant)" if deployment.experts.redundant else ""
        )
    if experts.intermediate_size % layout.moe_tp:
        width = experts.intermediate_size
        return f"MOE-TP = {layout.moe_tp} does not divide the expert width {width}"
    if layout.dp % layout.moe_dp:
        return f"MOE-DP = {layout.moe_dp} does not divide DP = {layout.dp}"
    return ""


def _powers_of_two(most: int) -> tuple[int, ...]:
    return tuple(1 << power for power in range(most.bit_length()))


def _tensor_problem(model: Model, tp: int) -> str:
    """Say why a model cannot be split over `tp` ranks; empty if it can."""
    if model.attention_heads % tp:
        return f"TP = {tp} does not divide {model.attention_heads} attention heads"
    if not model.latent and model.kv_heads % tp and tp % model.kv_heads:
        return f"TP = {tp} and {model.kv_heads} key-value heads do not divide each other"
    if model.dense_layers and model.intermediate_size % tp:
        return f"TP = {tp} does not divide the MLP width {model.intermediate_size}"
    if model.linear and model.linear.key_heads % tp:
        return f"TP = {tp} does not divide {model.linear.key_heads} heads of linear attention"
    if model.sliding and model.sliding.attention_heads % tp:
        return f"TP = {tp} does not divide {model.sliding.attention_heads} sliding-window heads"
    if (
        model.compressed
        and model.compressed.output_groups % tp
        and tp % (model.compressed.output_groups)
    ):
        return f"TP = {tp} and {model.compressed.output_groups} output groups do not divide"
    return ""


def _context_problem(model: Model, layout: Layout) -> str:
    """Say why a layout cannot share the context of a sequence."""
    tp, dcp = layout.tp, layout.dcp
    if tp % dcp:
        return f"DCP = {dcp} does not divide TP = {tp}"
    copies = tp if model.latent or model.compressed else max(1, tp // model.kv_heads)
    if dcp > 1 and copies % dcp:
        return f"DCP = {dcp} shares copies of key-value heads, and TP = {tp} makes {copies} of each"
    if dcp * layout.cp > 1 and (model.linear or model.sliding):
        return "DCP and CP need full attention in every layer"
    return ""
