"""The inputs of a report, resolved and with units."""

from collections.abc import Iterable

from specc.cost import calibration_name
from specc.ir import (
    CacheFormat,
    Deployment,
    Device,
    Dispatch,
    Fleet,
    MeasuredServer,
    Phase,
    Slo,
    Speculative,
    Study,
    Timing,
    Workload,
)
from specc.ir.simulation import StepKind
from specc.report import format as show
from specc.report.tables import Column, Row, Table


def objectives(slo: Slo) -> str:
    """Say the objectives in a few words: `TTFT ≤ 2 s and TPOT ≤ 50 ms`."""
    limits = [
        f"{name.upper()} ≤ {show.duration(limit)}"
        for name, limit in (("ttft", slo.ttft), ("tpot", slo.tpot))
        if limit is not None
    ]
    limits += [tail.text for tail in slo.tails]
    return " and ".join(limits) or "no latency objective"


def inputs(study: Study) -> Iterable[Table]:
    """Yield a table for the workload, each deployment and each device."""
    columns = (Column("Input", numeric=False), Column("Value", numeric=False))
    yield Table(f"Workload {study.workload.name}", columns, _rows(*_workload(study.workload)))
    for deployment in study.deployments:
        yield Table(f"Deployment {deployment.name}", columns, _rows(*_deployment(deployment)))
    for server in study.servers:
        yield Table(f"Server {server.name}", columns, _rows(*_server(server)))
    devices = {instance.device.name: instance.device for instance in study.instances}
    for device in devices.values():
        yield Table(f"Device {device.name}", columns, _rows(*_device(device)))


def _server(server: MeasuredServer) -> Iterable[tuple[str, str]]:
    yield "About", server.doc
    for row in server.step_cost:
        what = "new token" if row.step is StepKind.PREFILL else "sequence"
        size = show.counted(row.size, what)
        yield f"A {row.step.value} step of {size}", show.duration(row.time)
    if server.ready_after:
        yield "Takes no step before", show.duration(server.ready_after)


def _workload(workload: Workload) -> Iterable[tuple[str, str]]:
    yield "About", workload.doc
    if workload.requests:
        yield "Lengths", f"{len(workload.requests)} bins: " + "; ".join(_bins(workload))
    else:
        (shape,) = workload.shapes()
        yield "Prompt", f"{show.integer(shape.input)} tok"
        yield "Found in the prefix cache", show.percent(workload.prefix_hit)
        yield "Computed by prefill", f"{show.integer(shape.new)} tok"
        yield "Answer", f"{show.integer(shape.output)} tok"
    images = workload.images
    if images is not None:
        yield (
            "Images",
            f"{show.counted(images.count, 'image')} a request of {images.width} × {images.height} "
            "pixels, whose tokens are added to the prompt",
        )
    means = "Objectives" if workload.slo.tails else "Objectives, on the mean"
    yield means, objectives(workload.slo)


def _bins(workload: Workload) -> Iterable[str]:
    total = sum(row.share for row in workload.requests)
    for row, shape in zip(workload.requests, workload.shapes(), strict=True):
        cached = f", {show.integer(shape.cached)} of it cached" if shape.cached else ""
        yield (
            f"{show.percent(row.share / total)} with {_range(row.input)} in and "
            f"{_range(row.output)} out, counted as {show.integer(shape.input)} in{cached} and "
            f"{show.integer(shape.output)} out"
        )


def _range(ends: tuple[int, int]) -> str:
    low, high = ends[0], ends[1] - 1
    return show.integer(low) if low == high else f"{show.integer(low)}–{show.integer(high)}"


def _rows(*pairs: tuple[str, str]) -> tuple[Row, ...]:
    return tuple(Row(pair) for pair in pairs if pair[1])


def _deployment(deployment: Deployment) -> Iterable[tuple[str, str]]:
    model = deployment.model
    yield "About", deployment.doc
    yield "Model", f"{model.name}, {model.parameters / 1e9:.2f} billion parameters"
    yield "Mode", deployment.mode.value.replace("_", " ")
    phases = deployment.mode.phases
    for phase in phases:
        instances = deployment.instances(phase)
        prefix = f"{phase.value.capitalize()}: " if len(phases) > 1 else ""
        sizes = " or ".join(str(instance.size) for instance in instances)
        for title, text in _instance(instances[0], sizes, phase):
            yield f"{prefix}{title}", text
    if len(phases) > 1:
        yield "Way of the KV cache", _transfer(deployment)
    if deployment.fleet is not None:
        yield "Fleet", _fleet(deployment.fleet)
    search = deployment.search
    strategy = search.strategy.value if search.strategy else "auto"
    yield "Search", f"{strategy}, for {deployment.objective.value.replace('_', ' ')}"
    yield "Limits", "; ".join(bound.text for bound in search.limits)


def _instance(instance: Deployment, sizes: str, phase: Phase) -> Iterable[tuple[str, str]]:
    engine, parallel = instance.engine, instance.parallel
    yield "Devices", f"{sizes} × {instance.device.name}"
    yield "Quantisation", _formats(instance)
    yield (
        "Sizes to try",
        f"TP {_sizes(parallel.tp, 'powers of two')}; PP {_sizes(parallel.pp, '1')}; "
        f"DP {_sizes(parallel.dp, 'what is left')}",
    )
    yield "Options", _options(instance)
    yield "Software", engine.generation.value
    batch = engine.decode_batch
    yield "Batch", f"{batch[0]} to {batch[1]}" if batch else "1 to what the memory holds"
    if phase is not Phase.DECODE:
        budget = engine.chunk_budget
        yield (
            "Chunk budget",
            f"{show.integer(budget)} tok"
            if budget
            else "auto: 4, 2 or 1 times the tokens of the longest prompt",
        )
    if phase is Phase.WHOLE and engine.scheduler is not None:
        yield "Scheduler", f"{engine.scheduler.value}, {engine.step.value} steps"
    limits = {"sequences": engine.max_sequences, "tokens a request": engine.max_model_length}
    yield "Engine limits", ", ".join(f"{n:,} {what}" for what, n in limits.items() if n)
    if engine.serving_cost:
        yield "Serving cost", f"{show.duration(engine.serving_cost)} a step"
    if engine.prefix_cache:
        yield "Prefixes kept", f"{show.integer(engine.prefix_cache)} tok a replica"
    yield "Speculative decoding", _speculative(engine.speculative)
    share = engine.memory_utilization
    yield (
        "Reserved memory",
        show.size(engine.reserved(instance.device.memory))
        + (f", as the engine uses {show.percent(share)}" if share else ""),
    )
    yield "KV-cache block", f"{engine.block_size} tok"
    yield "Calibration", calibration_name(instance)


def _speculative(block: Speculative | None) -> str:
    if block is None or not any(block.tokens):
        return ""
    by = block.draft.name if block.draft else "draft layers of the model"
    tokens = ", ".join(str(n) for n in block.tokens)
    rates = ", ".join(show.percent(rate) for rate in block.acceptance)
    return f"{tokens} tokens by {by}, accepted {rates} of the time ({block.source})"


def _transfer(deployment: Deployment) -> str:
    transfer = deployment.transfer
    if transfer.timing is Timing.FREE:
        return "free, as the spec says"
    rate = (
        f"{transfer.bandwidth / 1e9:g} GB/s a device"
        if transfer.bandwidth
        else "over the outermost level of the slower device"
    )
    return f"{transfer.timing.value.replace('_', ' ')}, {rate}"


def _fleet(fleet: Fleet) -> str:
    parts = []
    if fleet.rate is not None:
        parts.append(f"for {show.quantity(fleet.rate)} requests a second")
    if fleet.devices is not None:
        parts.append(f"at most {show.counted(fleet.devices, 'device')}")
    if fleet.spare:
        parts.append(f"{show.counted(fleet.spare, 'spare instance')} of each kind")
    return ", ".join(parts)


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
    if device.price is not None:
        yield "Price", f"{device.price.per_second * 3600:g} {device.price.currency} an hour"
    if device.power is not None:
        yield "Power", f"{device.power:g} W"
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
