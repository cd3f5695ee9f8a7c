"""What there is to know about a model at a glance."""

from attrs import evolve

from specc.cost import CostModel, MemoryModel
from specc.cost.layers import LAYERS, layers_of
from specc.ir import (
    CubeUnit,
    Deployment,
    Device,
    Layout,
    Model,
    Quantisation,
    ReferenceCalibration,
    VectorUnit,
)

# A device that can hold anything: formulas of weights do not depend on it.
_ANY = Device(
    name="any",
    memory=1,
    memory_bandwidth=1.0,
    cube=CubeUnit(fp16=1.0, bf16=1.0, int8=1.0, fp32=1.0, fp8=1.0, fp4=1.0),
    vector=VectorUnit(fp16=1.0, fp32=1.0),
    reference=ReferenceCalibration(
        compute_efficiency=1.0,
        memory_efficiency=1.0,
        cube_launch=0.0,
        vector_launch=0.0,
        collective_launch=0.0,
    ),
    levels=(),
)


def describe(model: Model) -> dict[str, str | float]:
    """Return the architecture, counts, weights of the checkpoint and cache per token.

    Of layers whose cache does not grow with a sequence, windows and states are those of a long one,
    without what blocks of an engine leave empty.
    """
    deployment = Deployment(model=model, device=_ANY, devices=1)
    memory = CostModel.of(deployment, Layout(1, 1, 1)).memory_model
    plain = evolve(deployment, quant=Quantisation.BF16)
    half = CostModel.of(plain, Layout(1, 1, 1)).memory_model
    return {
        "architecture": model.architecture or "decoder",
        "parameters": model.parameters,
        "active_parameters": model.active_parameters,
        "draft_parameters": model.draft_parameters,
        "weight_bytes": memory.weight_bytes,
        "weight_bytes_bf16": half.weight_bytes,
        "kv_bytes_per_token": round(half.kv_token_bytes),
        "kv_bytes_per_sequence": round(sum(_held(half))),
        "window_bytes_per_sequence": round(_held(half)[0]),
        "state_bytes_per_sequence": round(_held(half)[1]),
        "layers": model.layers,
        **_counts(model),
        "max_positions": model.max_positions,
        "checkpoint": deployment.usual_format.value,
        "checkpoint_experts": deployment.expert_format.value,
    }


def assumed_kernels(model: Model) -> tuple[str, ...]:
    """Return what a step runs of a model whose kernels nobody measured, in words."""
    deployment = Deployment(model=model, device=_ANY, devices=1)
    phases = ("prefill ", "decode ")
    names = [
        operator.name.replace("_", " ").replace(phases[0], "").replace(phases[1], "")
        for operator in CostModel.of(deployment, Layout(1, 1, 1)).operators
        if operator.assumed
    ]
    return tuple(dict.fromkeys(names))


def _held(memory: MemoryModel) -> tuple[float, float]:
    """Return the bytes of the windows of a long sequence, and those of its states."""
    site = memory.site
    own = [(part.sequence_bytes(site), sum(part.state_bytes(site))) for part in memory.layers]
    windows = sum(size for size, state in own if not state)
    return windows, sum(size for size, state in own if state)


def _counts(model: Model) -> dict[str, float]:
    """Return how many layers of each counted kind there are, 0 of those that it has not."""
    counts: dict[str, float] = {kind.counted_as: 0 for kind in LAYERS if kind.counted_as}
    for layers in layers_of(model):
        if layers.counted_as:
            counts[layers.counted_as] += layers.count
    return counts
