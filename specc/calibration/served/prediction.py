"""What the simulation says of served runs, under the load that their rows state."""

import math
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from specc.calibration.served.aiconfigurator import COLUMNS, read_aiconfigurator
from specc.calibration.served.cells import UnclearError
from specc.calibration.served.layouts import ServedPart
from specc.calibration.served.reading import read_run
from specc.calibration.served.run import Row, Run
from specc.cost import StepTable
from specc.cost.times import P10, P90
from specc.ir import Execution, Phase, Routing, Transfer, Workload
from specc.library import LibraryError
from specc.records import Record
from specc.results import EngineLimits, Metrics
from specc.serving import Server, choose_budget
from specc.serving.transfer import CacheSize, CacheTransfer
from specc.simulation.closed import Clients, serve_clients
from specc.simulation.cluster import Cluster, Disaggregated, Pool
from specc.simulation.costs import picoseconds
from specc.simulation.instances import SimulatedInstance
from specc.simulation.requests import Requests, TooLongError
from specc.tables import ColumnSchema, Schema, TextCells, TypedTable, read_table

_NEEDED = ("hardware", "n_devices", "model", "quant", "mode", "input_len")
# Cells stay text: sources write "PD, 1:2" or "2k to 4k" where a number would be of more use.
RUNS = (
    Schema("a table of served runs", tuple(map(ColumnSchema, _NEEDED)), others=TextCells()),
    Schema("a table of AIConfigurator", tuple(map(ColumnSchema, COLUMNS)), others=TextCells()),
)
_MOST_TOKENS = 4_000_000  # that a run generates; of more, fewer prompts tell the same
_SEED = 1
_FEWEST_TURNS = 2  # of each client, where there are fewer prompts than the row says


@frozen(eq=False, repr=False)
class ServedPrediction(Record):
    """One metric of one run; in output tokens a second, or in seconds.

    Attributes:
        line: of the table, whose header is line 1.
        p10, p90: if all steps err as far as the band of the cost model goes, kernels and software
            together; what an assumed acceptance adds is not in them.
        method: `simulation`, or `step` for decode that was measured as one step.
        assumed: whose acceptance of drafted tokens is assumed; "" if the row says it.
    """

    line: int
    source: str
    model: str
    software: str
    quality: str
    metric: str
    predicted: float
    p10: float
    p90: float
    measured: float
    method: str
    assumed: str


@frozen(eq=False, repr=False)
class SkippedRun(Record):
    """A row that nothing was predicted of, and why."""

    line: int
    reason: str


def predict_serving(
    name: str, text: str, execution: Execution | None
) -> Iterator[tuple[ServedPrediction, ...] | SkippedRun]:
    """Predict the runs of a table, in its order, one after the other.

    Args:
        name: of the table, for messages.
        text: what it holds.
        execution: of the serving software, for all runs; None for what their sources suggest.

    Raises:
        specc.tables.TableError: columns or rows are missing.
    """
    return _predictions(runs_of(name, text, execution))


def reader_of(row: Row) -> Callable[[int, Row, Execution | None], Run]:
    """Return what reads the rows of the table that a row is of."""
    return read_aiconfigurator if "silicon_tpot_ms" in row else read_run


def _predictions(
    runs: Iterable[Run | SkippedRun],
) -> Iterator[tuple[ServedPrediction, ...] | SkippedRun]:
    for run in runs:
        if isinstance(run, SkippedRun):
            yield run
            continue
        try:
            yield _predicted(run)
        except UnclearError as error:
            yield SkippedRun(run.line, str(error))
        except TooLongError:
            yield SkippedRun(run.line, "it takes longer than can be simulated")


@frozen(eq=False, slots=False)
class _MeasuredInstance(SimulatedInstance):
    """An instance that ran: it has room for all its sequences where we count room for none."""

    @cached_property
    def settings(self) -> EngineLimits:
        """The limits of an engine."""
        own = super().settings
        each = own.blocks(own.reach(self.longest))
        return own if each <= own.capacity else evolve(own, capacity=each * own.limit)


def runs_of(name: str, text: str, execution: Execution | None) -> Iterator[Run | SkippedRun]:
    """Read the runs of a table, in its order.

    Raises:
        specc.tables.TableError: columns or rows are missing.
    """
    return _runs(read_table(name, text, *RUNS), execution)


def _runs(table: TypedTable, execution: Execution | None) -> Iterator[Run | SkippedRun]:
    for line, row in table.rows():
        try:
            yield reader_of(row)(line, row, execution)
        except UnclearError as error:
            yield SkippedRun(line, str(error))
        except LibraryError as error:
            yield SkippedRun(line, error.diagnostic.message)


def predicted_metrics(run: Run) -> tuple[dict[str, float], float, str]:
    """Return the metrics of a run in SI units, the deviation of its steps, and the method.

    Raises:
        UnclearError: it cannot be simulated.
        TooLongError: it takes longer than can be simulated.
    """
    server = _server(run, run.parts[0])
    if run.alone is Phase.DECODE:
        seconds, deviation = _decode_step(run, server)
        tokens = server.tokens_per_step
        found = {"tpot": seconds / tokens, "throughput": run.clients * tokens / seconds}
        return found, deviation, "step"
    instances = [_instance(run, part, _server(run, part)) for part in run.parts]
    deviation = max(instance.deviation for instance in instances)
    return _metrics(run, _simulated(run, instances)), deviation, "simulation"


def _predicted(run: Run) -> tuple[ServedPrediction, ...]:
    """Predict the metrics that were measured of a run."""
    found, deviation, method = predicted_metrics(run)
    # In a closed loop without pauses all times are as much longer as the steps are.
    fast, slow = (math.exp(quantile * deviation) for quantile in (P10, P90))
    return tuple(
        _one(run, metric, found[metric], (fast, slow), method)
        for metric in run.measured
        if metric in found
    )


def _one(
    run: Run, metric: str, predicted: float, times: tuple[float, float], method: str
) -> ServedPrediction:
    ends = sorted(predicted / t if metric == "throughput" else predicted * t for t in times)
    row: Row = run.row
    return ServedPrediction(
        line=run.line,
        source=row.get("source") or "?",
        model=row["model"],
        software=_software(run),
        quality=run.grade,
        metric=metric,
        predicted=predicted,
        p10=ends[0],
        p90=ends[1],
        measured=run.measured[metric],
        method=method,
        assumed=run.assumed,
    )


def _software(run: Run) -> str:
    name = "unknown" if run.software is None else run.software.value
    apart = ", apart" if len(run.parts) > 1 else ", one phase" if run.alone else ""
    return f"{name}, {run.execution.value}{apart}"


def _server(run: Run, part: ServedPart) -> Server:
    return Server.of(run.deployment, part.layout, run.workload, part.phase, run.drafted)


def _decode_step(run: Run, server: Server) -> tuple[float, float]:
    """Return the time of a decode step at the length of the row, and its deviation."""
    new = 1 + server.drafted
    batch = np.array([run.clients / run.parts[0].layout.dp])
    context = run.prompt + new
    times = server.times(StepTable.decoding(batch, context, server.block, new))
    return float(times.total[0]), float(times.deviation[0])


def _instance(run: Run, part: ServedPart, server: Server) -> SimulatedInstance:
    """Return an instance with the limits of the row, or those that the engine has by default."""
    ranks = part.layout.dp * part.count
    wanted = max(1, -(-run.clients // ranks))
    new = 1 + server.drafted
    sequences = min(part.sequences or wanted, wanted)
    budget = max(choose_budget(part.budget, server), sequences * new)
    longest = run.prompt + run.output
    return _MeasuredInstance(server, run.deployment.engine, part.phase, sequences, budget, longest)


def _simulated(run: Run, instances: list[SimulatedInstance]) -> Metrics:
    """Simulate the clients of a run."""
    clients = min(run.clients, run.prompts)
    most = max(_FEWEST_TURNS * clients, _MOST_TOKENS // run.output)
    count = min(run.prompts, most)
    lengths = _lengths(run, count)
    requests = Requests(
        arrival=np.zeros(count, np.int64),
        input=lengths[0],
        cached=(lengths[0] * run.hit).astype(int),
        output=lengths[1],
        bin=np.zeros(count, np.int64),
        seed=_SEED,
    )
    cluster = _cluster(run, instances)
    ramp = clients / run.rate if run.rate else 0.0
    outcome = serve_clients(cluster, requests, Clients(clients, ramp=picoseconds(ramp)))
    if outcome.rejected:
        raise UnclearError("a request does not fit into the limits of the engine")
    unlimited = Workload(input=run.prompt, output=run.output)
    metrics = outcome.metrics(unlimited)
    if run.rate is None or metrics.served <= run.rate:
        return metrics
    # The load tool sends no more than its rate: so many are never under way as there are clients.
    times = np.arange(count) * picoseconds(1 / run.rate)
    return cluster.serve(evolve(requests, arrival=times)).metrics(unlimited)


def _lengths(run: Run, count: int) -> NDArray[np.int64]:
    """Return the tokens of prompts and of outputs, shape (2, count)."""
    longest = np.array([[run.prompt], [run.output]])
    if run.shortest == 1.0:
        return np.repeat(longest, count, axis=1)
    shares = np.random.default_rng(_SEED).uniform(run.shortest, 1.0, (2, count))
    return np.maximum(1, np.rint(longest * shares)).astype(np.int64)


def _cluster(run: Run, instances: list[SimulatedInstance]) -> Cluster:
    longest = run.prompt + run.output
    pools = [
        _repeated(instance.pool(Routing.ENGINE, longest), part.count)
        for instance, part in zip(instances, run.parts, strict=True)
    ]
    if len(pools) == 1:
        return pools[0]
    prefill, decode = pools
    transfer = CacheTransfer(
        transfer=Transfer(),
        slower=run.deployment.device,
        sender=CacheSize.of(instances[0].server),
        receiver=CacheSize.of(instances[1].server),
        prefill=0.0,
    )
    return Disaggregated(prefill, decode, transfer, min(prefill.engines, decode.engines))


def _repeated(pool: Pool, count: int) -> Pool:
    return evolve(pool, engines=pool.engines * count)


def _metrics(run: Run, metrics: Metrics) -> dict[str, float]:
    """Return what load tools say of a run; of prompts alone, prompt tokens and TTFT."""
    found = {"throughput": metrics.throughput}
    if run.alone is Phase.PREFILL:
        found["throughput"] = metrics.input_throughput
    if metrics.ttft is not None:
        found["ttft"] = metrics.ttft.mean
    if metrics.tpot is not None and run.alone is not Phase.PREFILL:
        found["tpot"] = metrics.tpot.p50 if run.median else metrics.tpot.mean
    return found
