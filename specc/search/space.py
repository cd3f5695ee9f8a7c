"""The space of parallel layouts, and what is pruned from it with its reason.

What divides a layer is asked of its kind (`cost/layers/`), and what can be launched of the engine
(`engines/layouts.py`); here is what devices and the spec allow.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from attrs import evolve, frozen

from specc.cost.layers import Layers, layers_of
from specc.cost.memory import states_problem
from specc.cost.site import Site
from specc.engines import launch_problem
from specc.ir import Deployment, Layout
from specc.records import Record

MOST_REASONS = 4  # that a message names


@frozen(eq=False, repr=False)
class Pruned(Record):
    """A combination of sizes that is no layout of the deployment, and why."""

    label: str
    reason: str


@frozen(eq=False, repr=False)
class Space(Record):
    """The layouts to evaluate, widest tensor parallelism first, and the pruned combinations."""

    layouts: tuple[Layout, ...]
    pruned: tuple[Pruned, ...]


def first_reasons(reasons: Iterable[str]) -> str:
    """Return some reasons for pruning, each once, and how many there are more."""
    different = list(dict.fromkeys(reasons))
    more = len(different) - MOST_REASONS
    rest = [f"and {more} more, which 'specc plan' lists"] if more > 0 else []
    return "; ".join(different[:MOST_REASONS] + rest)


def layouts(deployment: Deployment) -> Space:
    """Enumerate tp × cp × pp × dp = devices and prune what the model or the spec does not allow.

    Models with experts multiply the space by ep × moe_tp × moe_dp = tp × cp × dp.
    """
    kept: list[Layout] = []
    pruned: list[Pruned] = []
    layers = layers_of(deployment.model)
    software = deployment.engine.software
    for layout, reason in _attention_layouts(deployment, layers):
        if reason:
            pruned.append(Pruned(layout.label, reason))
            continue
        placed = [(layout, "")]
        if deployment.model.experts is not None:
            placed = list(_expert_layouts(deployment, layers, layout))
        for whole, misplaced in placed:
            problem = misplaced or launch_problem(software, whole)
            if problem:
                pruned.append(Pruned(whole.label, problem))
            else:
                kept.append(whole)
    return Space(tuple(kept), tuple(pruned))


def layout_problem(deployment: Deployment, layout: Layout) -> str:
    """Say why a model or an engine cannot have a layout; empty if they can."""
    layers = layers_of(deployment.model)
    problem = _attention_problem(deployment, layers, layout)
    if not problem and deployment.model.experts is not None:
        problem = _expert_problem(deployment, layers, layout)
    return problem or launch_problem(deployment.engine.software, layout)


def combinations_of(deployment: Deployment) -> int:
    """Return how many combinations of sizes `layouts` looks at, without looking at them."""
    parallel, size = deployment.parallel, deployment.size
    powers = len(_powers_of_two(size))
    axes = [parallel.tp, parallel.pp, parallel.cp, parallel.dcp]
    if deployment.model.experts is not None:
        axes += [parallel.ep or (*_powers_of_two(size), size), parallel.moe_dp]
    return math.prod(powers if axis is None else len(axis) for axis in axes)


def _attention_layouts(
    deployment: Deployment, layers: Sequence[Layers]
) -> Iterator[tuple[Layout, str]]:
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
            yield layout, _attention_problem(deployment, layers, layout)


def _attention_problem(deployment: Deployment, layers: Sequence[Layers], layout: Layout) -> str:
    model, parallel = deployment.model, deployment.parallel
    if parallel.dp is not None and layout.dp not in parallel.dp:
        allowed = ", ".join(str(size) for size in parallel.dp)
        return f"DP = {layout.dp} is not among the sizes allowed ({allowed})"
    if layout.pp > model.layers:
        return f"PP = {layout.pp} is more than the {model.layers} layers"
    if problem := _first(part.tensor_problem(layout.tp) for part in layers):
        return problem
    if model.recurrent_layers:
        # Of how many replicas there are nothing depends.
        one = Site.of(deployment, evolve(layout, dp=1))
        if problem := states_problem(one, layers):
            return problem
    if layout.tp % layout.dcp:
        return f"DCP = {layout.dcp} does not divide TP = {layout.tp}"
    return _first(part.context_problem(layout) for part in layers)


def _expert_layouts(
    deployment: Deployment, layers: Sequence[Layers], layout: Layout
) -> Iterator[tuple[Layout, str]]:
    """Yield every placement of the experts on the devices of a stage."""
    parallel, world = deployment.parallel, layout.stage
    usual = sorted({*_powers_of_two(world), world})
    for ep, copies in product(parallel.ep or usual, parallel.moe_dp or (1,)):
        if world % (ep * copies):
            yield (
                evolve(layout, ep=ep, moe_dp=copies),
                f"EP · MOE-DP = {ep * copies} does not divide the {world} devices of a stage",
            )
            continue
        placed = evolve(layout, ep=ep, moe_tp=world // (ep * copies), moe_dp=copies)
        yield placed, _expert_problem(deployment, layers, placed)


def _expert_problem(deployment: Deployment, layers: Sequence[Layers], layout: Layout) -> str:
    allowed = deployment.parallel.moe_tp
    if allowed is not None and layout.moe_tp not in allowed:
        sizes = ", ".join(str(size) for size in allowed)
        return f"MOE-TP = {layout.moe_tp} is not among the sizes allowed ({sizes})"
    redundant = deployment.experts.redundant
    if problem := _first(part.placement_problem(layout, redundant) for part in layers):
        return problem
    if layout.dp % layout.moe_dp:
        return f"MOE-DP = {layout.moe_dp} does not divide DP = {layout.dp}"
    return ""


def _powers_of_two(most: int) -> tuple[int, ...]:
    return tuple(1 << power for power in range(most.bit_length()))


def _first(problems: Iterable[str]) -> str:
    """Return the first problem of some kinds of layers; empty if there is none."""
    return next(filter(None, problems), "")
