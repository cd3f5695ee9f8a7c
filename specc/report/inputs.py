"""The inputs of a report, resolved and with units."""

from collections.abc import Iterable

from specc.cost import calibration_name
from specc.ir import CacheFormat, Deployment, Device, Dispatch, Slo, Study
from specc.report import format as show
from specc.report.tables import Column, Row, Table


def objectives(slo: Slo) -> str:
    """Say the objectives in a few words: `TTFT ≤ 2 s and TPOT ≤ 50 ms`."""
    limits = [
        f"{name.upper()} ≤ {show.duration(limit)}"
        for name, limit in (("ttft", slo.ttft), ("tpot", slo.tpot))
        if limit is not None
    ]
    return " and ".join(limits) or "no latency objective"


def inputs(study: Study) -> Iterable[Table]:
    """Yield a table for the workload, each deployment and each device."""
    columns = (Column("Input", numeric=False), Column("Value", numeric=False))
    workload = study.workload
    yield Table(
        f"Workload {workload.name}",
        columns,
        _rows(
            ("About", workload.doc),
            ("Prompt", f"{show.integer(workload.input)} tok"),
            ("Found in the prefix cache", show.percent(workload.prefix_hit)),
            ("Computed by prefill", f"{show.integer(workload.effective_input)} tok"),
            ("Answer", f"{show.integer(workload.output)} tok"),
            ("Objectives, on the mean", objectives(workload.slo)),
        ),
    )
    for deployment in study.deployments:
        yield Table(f"Deployment {deployment.name}", columns, _rows(*_deployment(deployment)))
    devices = {d.device.name: d.device for d in study.deployments}
    for device in devices.values():
        yield Table(f"Device {device.name}", columns, _rows(*_device(device)))


def _rows(*pairs: tuple[str, str]) -> tuple[Row, ...]:
    return tuple(Row(pair) for pair in pairs if pair[1])


def _deployment(deployment: Deployment) -> Iterable[tuple[str, str]]:
    model, engine, search = deployment.model, deployment.engine, deployment.search
    yield "About", deployment.doc
    yield "Model", f"{model.name}, {model.parameters / 1e9:.2f} billion parameters"
    yield "Quantisation", _formats(deployment)
    yield "Devices", f"{deployment.devices} × {deployment.device.name}"
    yield "Mode", deployment.mode.value
    parallel = deployment.parallel
    yield (
        "Sizes to try",
        f"TP {_sizes(parallel.tp, 'powers of two')}; PP {_sizes(parallel.pp, '1')}; "
        f"DP {_sizes(parallel.dp, 'what is left')}",
    )
    yield "Options", _options(deployment)
    yield "Software", engine.generation.value
    batch = engine.decode_batch
    yield "Batch", f"{batch[0]} to {batch[1]}" if batch else "1 to what the memory holds"
    budget = engine.chunk_budget
    yield (
        "Chunk budget",
        f"{show.integer(budget)} tok" if budget else "auto: 4, 2 or 1 times the tokens of a prompt",
    )
    yield "Reserved memory", show.size(engine.reserved_memory)
    yield "KV-cache block", f"{engine.block_size} tok"
    yield "Search", f"{search.strategy.value}, maximizes {search.maximize.value.replace('_', ' ')}"
    yield "Calibration", calibration_name(deployment)


def _formats(deployment: Deployment) -> str:
    """Say the format of the weights, and what departs from it."""
    formats, parts = deployment.formats, []
    for part in ("attention", "mlp", "experts", "shared_experts", "output"):
        format_ = getattr(formats, part)
        if format_ is not None:
            parts.append(f"{part.replace('_', ' ')} {format_.value}")
    if formats.experts is None and deployment.expert_format is not deployment.usual_format:
        parts.append(f"experts {deployment.expert_format.value}")
    if formats.kv_cache is not CacheFormat.BF16:
        parts.append(f"KV cache {formats.kv_cache.value}")
    return "; ".join([deployment.usual_format.value, *parts])


def _options(deployment: Deployment) -> str:
    """Name the options of communication and of experts that are not the default."""
    options, placement = deployment.communication, deployment.experts
    parts = []
    if options.sequence_parallel:
        parts.append("sequence parallel")
    if options.fuse_all_reduce:
        parts.append("all-reduce behind its GEMM")
    if options.two_streams:
        parts.append("two streams")
    if options.dispatch is not Dispatch.ALL_TO_ALL:
        parts.append(f"{options.dispatch.value.replace('_', ' ')} dispatch")
    if placement.imbalance > 1:
        parts.append(f"fullest device has {placement.imbalance:g} times the mean tokens")
    if placement.redundant:
        parts.append(f"{placement.redundant} redundant experts")
    return "; ".join(parts)


def _sizes(sizes: tuple[int, ...] | None, auto: str) -> str:
    return ", ".join(str(size) for size in sizes) if sizes else auto


def _device(device: Device) -> Iterable[tuple[str, str]]:
    calibration = device.reference
    yield "About", device.doc
    yield "Memory", f"{show.size(device.memory)} at {device.memory_bandwidth / 2**40:.2f} TiB/s"
    yield (
        "Matrix unit",
        f"fp16 {device.cube.fp16 / 1e12:g}, bf16 {device.cube.bf16 / 1e12:g}, "
        f"int8 {device.cube.int8 / 1e12:g} TFLOPS",
    )
    yield (
        "Vector unit",
        f"fp16 {device.vector.fp16 / 1e12:g}, fp32 {device.vector.fp32 / 1e12:g} TFLOPS",
    )
    yield (
        "Interconnect",
        "; ".join(
            f"{level.name} of {level.size} ({level.topology.value.replace('_', ' ')}): "
            f"{level.bandwidth / 1e9:g} GB/s, {level.latency * 1e6:g} µs"
            for level in device.levels
        ),
    )
    yield (
        "Reference calibration",
        f"compute {show.percent(calibration.compute_efficiency)}, "
        f"memory {show.percent(calibration.memory_efficiency)} of the peak; "
        f"launch {calibration.cube_launch * 1e6:g} µs (matrix), "
        f"{calibration.vector_launch * 1e6:g} µs (vector), "
        f"{calibration.collective_launch * 1e6:g} µs (collective)",
    )
