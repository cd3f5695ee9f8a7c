"""The view model: everything a template shows, as text and pixels. No template calculates."""

from collections.abc import Callable, Iterable, Sequence

from attrs import frozen

from specc.cost import STEP_ERROR, STEP_ERROR_TEXT
from specc.ir import Deployment, Device, Slo, Study
from specc.plan import Candidate, Results, StudyResult
from specc.report import format as show
from specc.report.charts import Bar, LineChart, latency_charts, memory_bar, share_bar
from specc.search import Miss
from specc.serving import DEFINITIONS, Definition

_LIMITS = {
    "ttft": "the TTFT limit",
    "tpot": "the TPOT limit",
    "memory": "the memory of a device",
    "range": "the end of the range of batch sizes",
    "unknown": "a limit that was not probed",
}


@frozen
class Column:
    """A column of a table: its title, unit and whether it holds numbers."""

    title: str
    unit: str = ""
    numeric: bool = True


@frozen
class Row:
    """A row of cells; `best` marks the answer."""

    cells: tuple[str, ...]
    best: bool = False


@frozen
class Table:
    """A table with its caption."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""


@frozen
class Figure:
    """A number of the answer with its limit; `filled` is how much of the limit it takes, in %."""

    title: str
    value: str
    unit: str
    note: str
    filled: float | None = None


@frozen
class Answer:
    """The answer to a study: one sentence, its figures, and what to know about it."""

    feasible: bool
    headline: str
    layout: str
    figures: tuple[Figure, ...]
    remarks: tuple[str, ...]


@frozen
class StudyView:
    """One study."""

    name: str
    doc: str
    question: str
    answer: Answer
    comparison: Table | None
    summary: Table
    candidates: Table
    details: tuple[Table, ...]
    latency_charts: tuple[LineChart, ...]
    memory_bars: tuple[Bar, ...]
    prefill_bars: tuple[Bar, ...]
    decode_bars: tuple[Bar, ...]
    infeasible: Table | None
    pruned: Table | None
    inputs: tuple[Table, ...]


@frozen
class ReportView:
    """The whole report."""

    title: str
    version: str
    studies: tuple[StudyView, ...]
    definitions: tuple[Definition, ...]
    accuracy: str
    provenance: tuple[tuple[str, str], ...]


def view(results: Results, spec: str, version: str, hashes: dict[str, str]) -> ReportView:
    """Build the view model of results."""
    return ReportView(
        title=spec.removesuffix(".spec"),
        version=version,
        studies=tuple(study_view(study) for study in results.studies),
        definitions=tuple(DEFINITIONS.values()),
        accuracy=STEP_ERROR_TEXT,
        provenance=tuple(hashes.items()),
    )


def study_view(result: StudyResult) -> StudyView:
    """Build the view of one study."""
    study = result.study
    feasible = [c for c in result.candidates if c.feasible]
    infeasible = [c for c in result.candidates if not c.feasible]
    several = len(study.deployments) > 1
    shown = feasible or infeasible
    memory = {d.device.name: d.device.memory for d in study.deployments}

    def label(candidate: Candidate) -> str:
        short = f"TP={candidate.tp} DP={candidate.dp}"
        return f"{candidate.deployment} · {short}" if several else short

    return StudyView(
        name=study.name,
        doc=study.doc,
        question=_question(study),
        answer=_answer(result),
        comparison=_comparison(result) if several else None,
        summary=_summary(feasible, label),
        candidates=_candidates(feasible, several),
        details=tuple(_details(feasible, label)) if feasible else (),
        latency_charts=tuple(_latency(study, shown)),
        memory_bars=tuple(memory_bar(c, memory[c.device], label(c)) for c in shown),
        prefill_bars=tuple(share_bar(c, "prefill", label(c)) for c in shown),
        decode_bars=tuple(share_bar(c, "decode", label(c)) for c in shown),
        infeasible=_infeasible(infeasible, several) if infeasible else None,
        pruned=_pruned(result) if result.pruned else None,
        inputs=tuple(_inputs(study)),
    )


def _question(study: Study) -> str:
    workload = study.workload
    hit = f", {show.percent(workload.prefix_hit)} of it cached" if workload.prefix_hit else ""
    return (
        f"{show.integer(workload.input)} tokens of prompt{hit}, "
        f"{show.integer(workload.output)} of answer; {_objectives(workload.slo)}"
    )


def _objectives(slo: Slo) -> str:
    limits = [
        f"{name.upper()} ≤ {show.duration(limit)}"
        for name, limit in (("ttft", slo.ttft), ("tpot", slo.tpot))
        if limit is not None
    ]
    return " and ".join(limits) or "no latency objective"


def _answer(result: StudyResult) -> Answer:
    best = result.best
    if best is None:
        return _no_answer(result)
    headline = (
        f"{_devices(best)}, batch {best.point.batch} a replica: "
        f"{show.rate(best.point.throughput)} tok/s"
    )
    remarks = [_arithmetic(best), f"A larger batch is stopped by {_LIMITS[best.stopped_by]}."]
    remarks += _runner_up(result, best)
    remarks += _overflow(best)
    remarks.append(
        f"Single steps of this cost model are off by {show.percent(STEP_ERROR)} on average; "
        "see How sure this is."
    )
    return Answer(
        True, headline, best.parallel, _figures(best, result.study.workload.slo), tuple(remarks)
    )


def _arithmetic(best: Candidate) -> str:
    replicas = best.dp * best.pp
    if replicas == 1:
        return (
            f"One replica of {best.tp} devices keeps {show.integer(best.point.batch)} "
            "requests in flight."
        )
    return (
        f"{best.devices} devices = {replicas} replicas × TP {best.tp}; "
        f"{show.integer(best.point.batch)} requests in flight on each, "
        f"{show.integer(best.point.concurrency)} in total."
    )


def _runner_up(result: StudyResult, best: Candidate) -> list[str]:
    others = [c for c in result.candidates if c.feasible and c is not best]
    if not others:
        return ["No other candidate keeps to the limits."]
    second = others[0]
    name = result.study.objective.value
    gap = 1 - getattr(second.point, name) / getattr(best.point, name)
    where = f"{second.deployment}, " if len(result.study.deployments) > 1 else ""
    text = f"Next best: {where}{second.parallel} with {show.percent(gap)} less."
    if gap < STEP_ERROR:
        text += " That is within the error of the cost model: measure both before deciding."
    return [text]


def _overflow(best: Candidate) -> list[str]:
    short = best.point.memory.available_at_end
    if short >= 0:
        return []
    return [
        f"If all requests reach the end of their answers together they need {show.size(-short)} "
        "more memory than a device has; an engine would preempt some."
    ]


def _figures(best: Candidate, slo: Slo) -> tuple[Figure, ...]:
    point = best.point
    per_device = f"{show.rate(point.throughput_per_device)} a device"
    return (
        Figure("Throughput", show.rate(point.throughput), "tok/s", per_device),
        _latency_figure("TTFT", point.ttft, slo.ttft),
        _latency_figure("TPOT", point.tpot, slo.tpot),
        Figure(
            "Free memory",
            show.gibibytes(point.memory.available),
            "GiB",
            f"a device, beside {show.size(point.memory.reserved)} reserved",
        ),
    )


def _latency_figure(title: str, value: float, limit: float | None) -> Figure:
    number, unit = show.duration(value).split(" ")
    if limit is None:
        return Figure(title, number, unit, "no limit set")
    return Figure(
        title,
        number,
        unit,
        f"limit {show.duration(limit)}",
        round(min(100, 100 * value / limit), 1),
    )


def _no_answer(result: StudyResult) -> Answer:
    nearest = result.candidates[0]
    misses = ", ".join(_miss(miss) for miss in nearest.misses)
    where = f"{nearest.deployment}, " if len(result.study.deployments) > 1 else ""
    return Answer(
        feasible=False,
        headline="No layout keeps to the limits",
        layout="",
        figures=(),
        remarks=(
            f"The nearest is {where}{nearest.parallel} at batch {nearest.point.batch}: {misses}.",
        ),
    )


def _miss(miss: Miss) -> str:
    text = show.size if miss.limit == "memory" else show.duration
    name = "memory" if miss.limit == "memory" else miss.limit.upper()
    return (
        f"{name} {text(miss.value)} where {text(miss.allowed)} are allowed ({_excess(miss.excess)})"
    )


def _excess(excess: float) -> str:
    if excess > 1:
        return f"{1 + excess:.1f} times the limit"
    return f"{show.percent(excess)} above"


def _comparison(result: StudyResult) -> Table:
    rows = []
    best = result.best
    name = result.study.objective.value
    for deployment in result.study.deployments:
        own = result.best_of(deployment.name)
        device = f"{deployment.devices} × {deployment.device.name}"
        if own is None or best is None:
            rows.append(Row((deployment.name, device, *["–"] * 6, "no layout keeps to the limits")))
            continue
        share = getattr(own.point, name) / getattr(best.point, name)
        rows.append(
            Row(
                (
                    deployment.name,
                    device,
                    own.parallel,
                    show.integer(own.point.batch),
                    show.rate(own.point.throughput),
                    show.rate(own.point.throughput_per_device),
                    show.milliseconds(own.point.ttft),
                    show.milliseconds(own.point.tpot),
                    show.percent(share),
                ),
                best=own is best,
            )
        )
    return Table(
        "Comparison of devices",
        (
            Column("Deployment", numeric=False),
            Column("Devices", numeric=False),
            Column("Best layout", numeric=False),
            Column("Batch"),
            Column("Throughput", "tok/s"),
            Column("per device", "tok/s"),
            Column("TTFT", "ms"),
            Column("TPOT", "ms"),
            Column("of the best"),
        ),
        tuple(rows),
    )


def _summary(feasible: Sequence[Candidate], label: Callable[[Candidate], str]) -> Table:
    """The candidates in the width of a terminal."""
    return Table(
        "Candidates, each at its best batch",
        (
            Column("Candidate", numeric=False),
            Column("Batch"),
            Column("Throughput", "tok/s"),
            Column("per device", "tok/s"),
            Column("TTFT", "ms"),
            Column("TPOT", "ms"),
            Column("Stopped by", numeric=False),
        ),
        tuple(
            Row(
                (
                    label(c),
                    show.integer(c.point.batch),
                    show.rate(c.point.throughput),
                    show.rate(c.point.throughput_per_device),
                    show.milliseconds(c.point.ttft),
                    show.milliseconds(c.point.tpot),
                    _stopped_by(c),
                ),
                best=index == 0,
            )
            for index, c in enumerate(feasible)
        ),
    )


def _stopped_by(candidate: Candidate) -> str:
    return {"ttft": "TTFT", "tpot": "TPOT"}.get(candidate.stopped_by, candidate.stopped_by)


def _candidates(feasible: Sequence[Candidate], several: bool) -> Table:
    columns = (
        Column("Deployment" if several else "Devices", numeric=False),
        Column("Parallel", numeric=False),
        Column("Batch"),
        Column("Concurrency"),
        Column("Throughput", "tok/s"),
        Column("per device", "tok/s"),
        Column("TTFT", "ms"),
        Column("TPOT", "ms"),
        Column("Decode step", "ms"),
        Column("Stopped by", numeric=False),
    )
    rows = tuple(
        Row(
            (
                c.deployment if several else _devices(c),
                c.parallel,
                show.integer(c.point.batch),
                show.integer(c.point.concurrency),
                show.rate(c.point.throughput),
                show.rate(c.point.throughput_per_device),
                show.milliseconds(c.point.ttft),
                show.milliseconds(c.point.tpot),
                show.milliseconds(c.point.decode_step),
                _stopped_by(c),
            ),
            best=index == 0,
        )
        for index, c in enumerate(feasible)
    )
    return Table("Candidates, each at its best batch", columns, rows)


def _details(feasible: Sequence[Candidate], label: Callable[[Candidate], str]) -> Iterable[Table]:
    name = Column("Candidate", numeric=False)
    yield Table(
        "Memory of a device",
        (
            name,
            *(
                Column(title, "GiB")
                for title in (
                    "Weights",
                    "KV cache",
                    "Activations",
                    "Reserved",
                    "Available",
                    "Available at the end",
                )
            ),
        ),
        tuple(
            Row(
                (
                    label(c),
                    *(
                        show.gibibytes(size)
                        for size in (
                            c.point.memory.weights,
                            c.point.memory.kv_cache,
                            c.point.memory.activations,
                            c.point.memory.reserved,
                            c.point.memory.available,
                            c.point.memory.available_at_end,
                        )
                    ),
                ),
                best=index == 0,
            )
            for index, c in enumerate(feasible)
        ),
        note="In the tightest step, with the KV cache at the mean context of the batch.",
    )
    yield Table(
        "What bounds the time",
        (
            name,
            *(
                Column(part, phase)
                for phase in ("prefill", "decode")
                for part in ("compute", "memory", "communication", "launch")
            ),
        ),
        tuple(
            Row(
                (
                    label(c),
                    *(
                        show.percent(share)
                        for shares in (c.point.prefill, c.point.decode)
                        for share in (
                            shares.compute,
                            shares.memory,
                            shares.communication,
                            shares.launch,
                        )
                    ),
                ),
                best=index == 0,
            )
            for index, c in enumerate(feasible)
        ),
        note="Shares of a step's time by what bounds its operators: arithmetic, memory traffic, "
        "links, or the fixed time to launch them.",
    )
    yield Table(
        "How each was evaluated",
        (
            name,
            Column("Devices", numeric=False),
            Column("Model", numeric=False),
            Column("Quantisation", numeric=False),
            Column("Input", "tok"),
            Column("Effective input", "tok"),
            Column("Output", "tok"),
            Column("Chunk budget", "tok"),
            Column("Chunks"),
            Column("Batches probed"),
        ),
        tuple(
            Row(
                (
                    label(c),
                    _devices(c),
                    c.model,
                    c.quantisation,
                    show.integer(c.input),
                    show.integer(c.effective_input),
                    show.integer(c.output),
                    show.integer(c.chunk_budget),
                    show.integer(c.chunks),
                    show.integer(c.probes),
                ),
                best=index == 0,
            )
            for index, c in enumerate(feasible)
        ),
    )


def _latency(study: Study, shown: Sequence[Candidate]) -> list[LineChart]:
    slo = study.workload.slo
    if slo.ttft is not None and slo.tpot is None:
        return latency_charts(shown, "ttft", "TTFT", slo.ttft)
    return latency_charts(shown, "tpot", "TPOT", slo.tpot)


def _devices(candidate: Candidate) -> str:
    return f"{candidate.devices} × {candidate.device}"


def _infeasible(candidates: Sequence[Candidate], several: bool) -> Table:
    return Table(
        "Layouts that miss a limit, at the batch nearest to it",
        (
            Column("Deployment" if several else "Devices", numeric=False),
            Column("Parallel", numeric=False),
            Column("Batch"),
            Column("TTFT", "ms"),
            Column("TPOT", "ms"),
            Column("Misses", numeric=False),
        ),
        tuple(
            Row(
                (
                    c.deployment if several else _devices(c),
                    c.parallel,
                    show.integer(c.point.batch),
                    show.milliseconds(c.point.ttft),
                    show.milliseconds(c.point.tpot),
                    "; ".join(_miss(miss) for miss in c.misses),
                )
            )
            for c in candidates
        ),
    )


def _pruned(result: StudyResult) -> Table:
    return Table(
        "Combinations that were dropped before evaluation",
        (
            Column("Deployment", numeric=False),
            Column("Sizes", numeric=False),
            Column("Reason", numeric=False),
        ),
        tuple(Row((p.deployment, p.label, p.reason)) for p in result.pruned),
    )


def _inputs(study: Study) -> Iterable[Table]:
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
            ("Objectives, on the mean", _objectives(workload.slo)),
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
    yield "Quantisation", deployment.quant.value
    yield "Devices", f"{deployment.devices} × {deployment.device.name}"
    yield "Mode", deployment.mode.value
    parallel = deployment.parallel
    yield (
        "Sizes to try",
        f"TP {_sizes(parallel.tp, 'powers of two')}; PP {_sizes(parallel.pp, '1')}; "
        f"DP {_sizes(parallel.dp, 'what is left')}",
    )
    batch = engine.decode_batch
    yield "Batch", f"{batch[0]} to {batch[1]}" if batch else "1 to what the memory holds"
    budget = engine.chunk_budget
    yield "Chunk budget", f"{show.integer(budget)} tok" if budget else "4, 2 or 1 prompts"
    yield "Reserved memory", show.size(engine.reserved_memory)
    yield "KV-cache block", f"{engine.block_size} tok"
    yield "Search", f"{search.strategy.value}, maximizes {search.maximize.value.replace('_', ' ')}"
    yield "Calibration", deployment.calibration.value


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
