"""The tables of a report: candidates at their best, their memory, bounds, and misses."""

from collections.abc import Callable, Iterable, Sequence

from attrs import frozen

from specc.plan import Candidate, StudyResult
from specc.report import format as show
from specc.search import Miss

Label = Callable[[Candidate], str]


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


def _table(
    title: str,
    columns: tuple[Column, ...],
    candidates: Sequence[Candidate],
    cells: Callable[[Candidate], tuple[str, ...]],
    note: str = "",
) -> Table:
    """Build a table with a row a candidate, the first of them marked if it is the answer."""
    rows = tuple(
        Row(cells(candidate), best=index == 0 and candidate.feasible)
        for index, candidate in enumerate(candidates)
    )
    return Table(title, columns, rows, note)


def comparison(result: StudyResult) -> Table:
    """Set the best candidate of each deployment beside the best of all."""
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


def summary(feasible: Sequence[Candidate], label: Label) -> Table:
    """The candidates in the width of a terminal."""
    columns = (
        Column("Candidate", numeric=False),
        Column("Batch"),
        Column("Throughput", "tok/s"),
        Column("per device", "tok/s"),
        Column("TTFT", "ms"),
        Column("TPOT", "ms"),
        Column("Stopped by", numeric=False),
    )
    return _table(
        "Candidates, each at its best batch",
        columns,
        feasible,
        lambda c: (
            label(c),
            show.integer(c.point.batch),
            show.rate(c.point.throughput),
            show.rate(c.point.throughput_per_device),
            show.milliseconds(c.point.ttft),
            show.milliseconds(c.point.tpot),
            _stopped_by(c),
        ),
    )


def candidate_table(feasible: Sequence[Candidate], several: bool) -> Table:
    """Show all feasible candidates with their metrics."""
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
    return _table(
        "Candidates, each at its best batch",
        columns,
        feasible,
        lambda c: (
            c.deployment if several else devices_of(c),
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
    )


def _stopped_by(candidate: Candidate) -> str:
    return {"ttft": "TTFT", "tpot": "TPOT"}.get(candidate.stopped_by, candidate.stopped_by)


def devices_of(candidate: Candidate) -> str:
    """Say how many of which device: `8 × test_device`."""
    return f"{candidate.devices} × {candidate.device}"


def details(feasible: Sequence[Candidate], label: Label) -> Iterable[Table]:
    """Yield the tables behind the answer: memory, bounds, and how each was evaluated."""
    yield _memory(feasible, label)
    yield _bounds(feasible, label)
    yield _evaluation(feasible, label)


def _memory(feasible: Sequence[Candidate], label: Label) -> Table:
    parts = {
        "Weights": "weights",
        "KV cache": "kv_cache",
        "Activations": "activations",
        "Reserved": "reserved",
        "Available": "available",
        "Available at the end": "available_at_end",
    }
    return _table(
        "Memory of a device",
        (Column("Candidate", numeric=False), *(Column(title, "GiB") for title in parts)),
        feasible,
        lambda c: (
            label(c),
            *(show.gibibytes(getattr(c.point.memory, name)) for name in parts.values()),
        ),
        note="In the tightest step, with the KV cache at the mean context of the batch.",
    )


def _bounds(feasible: Sequence[Candidate], label: Label) -> Table:
    parts = [
        (phase, name)
        for phase in ("prefill", "decode")
        for name in ("compute", "memory", "communication", "launch")
    ]
    return _table(
        "What bounds the time",
        (Column("Candidate", numeric=False), *(Column(name, phase) for phase, name in parts)),
        feasible,
        lambda c: (
            label(c),
            *(show.percent(getattr(getattr(c.point, phase), name)) for phase, name in parts),
        ),
        note="Shares of a step's time by what bounds its operators: arithmetic, memory traffic, "
        "links, or the fixed time to launch them.",
    )


def _evaluation(feasible: Sequence[Candidate], label: Label) -> Table:
    columns = (
        Column("Candidate", numeric=False),
        Column("Devices", numeric=False),
        Column("Model", numeric=False),
        Column("Quantisation", numeric=False),
        Column("Input", "tok"),
        Column("Effective input", "tok"),
        Column("Output", "tok"),
        Column("Chunk budget", "tok"),
        Column("Chunks"),
        Column("Batches probed"),
    )
    return _table(
        "How each was evaluated",
        columns,
        feasible,
        lambda c: (
            label(c),
            devices_of(c),
            c.model,
            c.quantisation,
            show.integer(c.input),
            show.integer(c.effective_input),
            show.integer(c.output),
            show.integer(c.chunk_budget),
            show.integer(c.chunks),
            show.integer(c.probes),
        ),
    )


def infeasible_table(candidates: Sequence[Candidate], several: bool) -> Table:
    """Show the candidates that break a limit, and which and by how much."""
    columns = (
        Column("Deployment" if several else "Devices", numeric=False),
        Column("Parallel", numeric=False),
        Column("Batch"),
        Column("TTFT", "ms"),
        Column("TPOT", "ms"),
        Column("Misses", numeric=False),
    )
    return _table(
        "Layouts that miss a limit, at the batch nearest to it",
        columns,
        candidates,
        lambda c: (
            c.deployment if several else devices_of(c),
            c.parallel,
            show.integer(c.point.batch),
            show.milliseconds(c.point.ttft),
            show.milliseconds(c.point.tpot),
            "; ".join(miss_text(miss) for miss in c.misses),
        ),
    )


def miss_text(miss: Miss) -> str:
    """Say how far a value is from its limit."""
    text = show.size if miss.limit == "memory" else show.duration
    name = "memory" if miss.limit == "memory" else miss.limit.upper()
    return (
        f"{name} {text(miss.value)} where {text(miss.allowed)} are allowed ({_excess(miss.excess)})"
    )


def _excess(excess: float) -> str:
    if excess > 1000:
        return "more than 1,000 times the limit"
    if excess > 1:
        return f"{1 + excess:.1f} times the limit"
    return f"{show.percent(excess)} above"


def verdict_table(result: StudyResult) -> Table:
    """Show what the study expects of its result, and whether that is met."""
    columns = (
        Column("Expected", numeric=False),
        Column("Met", numeric=False),
        Column("Seen", numeric=False),
        Column("Because", numeric=False),
    )
    rows = tuple(
        Row((v.expectation, "yes" if v.met else "NO", v.seen, v.reason)) for v in result.verdicts
    )
    return Table("Expectations", columns, rows)


def sweep_table(results: Sequence[StudyResult]) -> Table:
    """Set the best candidate of each variant of a swept study beside the others."""
    names = [path for path, _ in results[0].study.settings]
    columns = (
        *(Column(name, numeric=False) for name in names),
        Column("Best", numeric=False),
        Column("Batch"),
        Column("Throughput", "tok/s"),
        Column("per device", "tok/s"),
        Column("TTFT", "ms"),
        Column("TPOT", "ms"),
    )
    return Table("Sweep", columns, tuple(_variant_row(result) for result in results))


def _variant_row(result: StudyResult) -> Row:
    values = tuple(value for _, value in result.study.settings)
    best = result.best
    if best is None:
        return Row((*values, "no layout keeps to the limits", *["–"] * 5))
    return Row(
        (
            *values,
            f"{best.deployment}, {best.parallel}",
            show.integer(best.point.batch),
            show.rate(best.point.throughput),
            show.rate(best.point.throughput_per_device),
            show.milliseconds(best.point.ttft),
            show.milliseconds(best.point.tpot),
        )
    )


def pruned_table(result: StudyResult) -> Table:
    """Show what was dropped before evaluation, and why."""
    return Table(
        "Combinations that were dropped before evaluation",
        (
            Column("Deployment", numeric=False),
            Column("Sizes", numeric=False),
            Column("Reason", numeric=False),
        ),
        tuple(Row((p.deployment, p.label, p.reason)) for p in result.pruned),
    )
