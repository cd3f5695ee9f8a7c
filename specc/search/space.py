"""The space of parallel layouts, and what is pruned from it with its reason."""

from itertools import product

from attrs import frozen

from specc.cost import Layout
from specc.ir import Deployment, Model


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
    """Enumerate tp × pp × dp = devices and prune what the model or the spec does not allow."""
    parallel, devices = deployment.parallel, deployment.devices
    kept: list[Layout] = []
    pruned: list[Pruned] = []
    tensor, pipeline = parallel.tp or _powers_of_two(devices), parallel.pp or (1,)
    for tp, pp in product(sorted(tensor, reverse=True), pipeline):
        label = f"TP={tp} | PP={pp}"
        if devices % (tp * pp):
            pruned.append(Pruned(label, f"TP · PP = {tp * pp} does not divide {devices} devices"))
            continue
        layout = Layout(tp, pp, devices // (tp * pp))
        reason = _tensor_problem(deployment.model, tp)
        if parallel.dp is not None and layout.dp not in parallel.dp:
            allowed = ", ".join(str(size) for size in parallel.dp)
            reason = f"DP = {layout.dp} is not among the sizes allowed ({allowed})"
        if reason:
            pruned.append(Pruned(layout.label, reason))
        else:
            kept.append(layout)
    return Space(tuple(kept), tuple(pruned))


def _powers_of_two(most: int) -> tuple[int, ...]:
    return tuple(1 << power for power in range(most.bit_length()))


def _tensor_problem(model: Model, tp: int) -> str:
    """Say why a model cannot be split over `tp` ranks; empty if it can."""
    if model.attention_heads % tp:
        return f"TP = {tp} does not divide {model.attention_heads} attention heads"
    if model.kv_heads % tp and tp % model.kv_heads:
        return f"TP = {tp} and {model.kv_heads} key-value heads do not divide each other"
    if model.intermediate_size % tp:
        return f"TP = {tp} does not divide the MLP width {model.intermediate_size}"
    return ""
