"""A calibration as it is on another device: its coefficients scaled by the peaks of both."""

from collections.abc import Mapping

from attrs import evolve

from specc.cost.rules.machine import Machine
from specc.ir import CalibrationData, Device, Fit

# What the rules multiply a coefficient by on another device, by block: cores, memory, compute.
_GEMM = {
    "feed_rate": "core",
    "loop_time": "per core",
    "gemv_loop_time": "per core",
    "tile_time": "per core",
    "l2_rate": "compute",
    "stride_input_rate": "compute",
    "stride_weight_rate": "compute",
    "result_rate": "compute",
    "split_rate": "compute",
    "memory_rate": "memory",
    "spill_rate": "memory",
}
_EXPERTS = {"memory_rate": "memory", "token_rate": "memory", "cube_rate": "peak"}
_FACTORS: Mapping[str, Mapping[str, str]] = {
    "gemm": _GEMM,
    "gemm_int8": _GEMM,
    "quantisation": {"row_time": "per compute", "rate": "memory"},
    "prefill_attention": {
        "pair_time": "per core",
        "token_time": "per core",
        "grouped_token_time": "per core",
        "head_time": "per core",
        "grouped_head_time": "per core",
        "memory_rate": "memory",
    },
    "decode_attention": {
        "sequence_time": "per core",
        "head_time": "per core",
        "grouped_head_time": "per core",
        "memory_rate": "memory",
        "grouped_memory_rate": "memory",
        "l2_rate": "compute",
        "score_time": "per compute",
    },
    "experts": _EXPERTS,
    "experts_int8": _EXPERTS,
    "linear_attention": {"token_time": "per compute"},
    "vector": {"rate": "memory"},
}
SCALED = tuple(_FACTORS)


def scaled(data: CalibrationData, device: Device) -> CalibrationData:
    """Return a calibration that says of a device itself what `data` says of it as a relative.

    Blocks that are scaled are no longer measured: they keep how far they err, and have no rows.
    """
    machine = Machine.of(device, data)
    changed = {}
    for block, factors in _FACTORS.items():
        rule = getattr(data, block)
        peaks = (device.cube.int8, data.cube.int8) if block.endswith("int8") else (
            device.cube.bf16, data.cube.bf16
        )  # fmt: skip
        by = {
            "core": machine.core,
            "compute": machine.compute,
            "memory": machine.memory,
            "peak": peaks[0] / peaks[1],
            "per core": 1 / machine.core,
            "per compute": 1 / machine.compute,
        }
        new = {
            name: getattr(rule, name) * by[factor]
            for name, factor in factors.items()
            if getattr(rule, name) is not None
        }
        source = f"{rule.source}; scaled from {data.device} by peaks"
        scaled_rule = evolve(rule, source=source, **new)
        if isinstance(getattr(rule, "fit", None), Fit):
            scaled_rule = evolve(scaled_rule, fit=evolve(rule.fit, rows=0))
        changed[block] = scaled_rule
    return evolve(
        data,
        device=device.name,
        cores=device.cores,
        memory_bandwidth=device.memory_bandwidth,
        cube=device.cube,
        **changed,
    )
