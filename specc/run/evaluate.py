"""Evaluating tasks: the best batch size of instances in one layout."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import groupby

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from specc.cost import StepTable, calibration_name
from specc.engines import reserved_bytes, splits_shared_experts, with_defaults
from specc.ir import Deployment, Layout, Phase, Search, Strategy
from specc.ir.facts import fact
from specc.plan import Task
from specc.records import Record
from specc.results import (
    Band,
    BoundShares,
    Candidate,
    EngineSettings,
    Instance,
    MemoryUse,
    Point,
)
from specc.results.curves import CurveRows
from specc.search.batch import BatchSearch, exhaustive_batches, search_batch
from specc.search.goals import Goals
from specc.serving import (
    ClosedForm,
    Mixture,
    Server,
    ServingModel,
    ServingTable,
    Steady,
    StepLoop,
    choose_budget,
    method_of,
    serving_model,
)
from specc.serving.together import Asked, times_together
from specc.serving.transfer import CacheSize
from specc.units import Seconds, Tokens

CURVE_POINTS = 64
# Batch sizes to evaluate together: of a hundred layouts or more in most searches.
ROWS_TOGETHER = 100_000
# A prefill instance gains nothing from requests that only wait: of the batches that reach this
# share of its highest rate it takes the smallest, which has the shortest TTFT.
SATURATED = 0.99
Integers = NDArray[np.int64]


@frozen(eq=False, repr=False)
class Tradeoff(Record):
    """What a decode candidate serves if its TPOT may be so long: rates rise with TPOT."""

    batch: tuple[int, ...]
    tpot: tuple[Seconds, ...]
    rate: tuple[float, ...]

    def place(self, limit: Seconds) -> int:
        """Return the place with the highest rate whose TPOT meets a limit.

        If none does it is the one with the shortest TPOT.
        """
        return max(bisect_right(self.tpot, limit) - 1, 0)


@frozen(eq=False)
class Evaluated:
    """What was found for a task: data alone, as it comes from another process.

    Attributes:
        cache: the KV cache of a request on a rank.
        mean_steps: tokens of the mean output after the first.
        decoding: what the instance can do besides its best, where it decodes alone; None where
            nothing is feasible.
        curve: rows of the search.
    """

    task: Task
    candidate: Candidate
    cache: CacheSize
    mean_steps: float
    decoding: Tradeoff | None
    curve: CurveRows


@frozen(eq=False, slots=False)
class Prepared:
    """A task on the way: its serving model, and how its batch size is searched."""

    task: Task
    model: ServingModel
    budget: Tokens
    search: Search
    goals: Goals
    interval: tuple[int, int] | None
    caps: dict[str, int | None]

    @property
    def batches(self) -> Integers | None:
        """All the batch sizes to evaluate, if they are known beforehand."""
        if self.search.strategy is not Strategy.EXHAUSTIVE:
            return None
        return exhaustive_batches(self.interval, self.largest)

    @cached_property
    def asked(self) -> Asked | None:
        """What to compute together with others: steps that are known beforehand."""
        batches, model = self.batches, self.model
        if batches is None or not isinstance(model, ClosedForm) or model.server.draft:
            return None
        return Asked(model, batches)

    @property
    def rows(self) -> int:
        """Batch sizes that are known beforehand."""
        return len(self.asked.batches) if self.asked else 0

    @property
    def largest(self) -> int:
        """A batch size above which nothing better is to be found."""
        if self.task.phase is Phase.PREFILL:
            return self.model.server.largest_queue(self.budget)
        return self.model.server.largest_batch


def evaluate(tasks: Iterable[Task]) -> Iterator[Evaluated]:
    """Search the best batch size of tasks, those with the same cost of a step beside each other.

    As far as their steps are known beforehand, those of many tasks are computed together.
    """
    prepared: list[Prepared] = []
    rows = 0
    for of_cost in groupby(tasks, lambda task: task.cost_key):
        alike = list(of_cost[1])
        server = server_of(alike[0])
        prepared += [prepare(task, server) for task in alike]
        rows += sum(p.rows for p in prepared[-len(alike) :])
        if rows > ROWS_TOGETHER:
            yield from _together(prepared)
            prepared, rows = [], 0
    yield from _together(prepared)


def _together(prepared: Sequence[Prepared]) -> Iterator[Evaluated]:
    times = iter(times_together([p.asked for p in prepared if p.asked]))
    for p in prepared:
        table = p.asked.model.table(p.asked.batches, next(times)) if p.asked else None
        yield _searched(p, table)


def server_of(task: Task) -> Server:
    """Return the instance that a task is about."""
    return Server.of(task.deployment, task.layout, task.workload, task.phase, task.drafted)


def serving_model_of(task: Task) -> ServingModel:
    """Return what says how the instance of a task serves."""
    return prepare(task, server_of(task)).model


def point_at(task: Task, batch: int) -> Point:
    """Return the instance of a task at a batch size."""
    p = prepare(task, server_of(task))
    return _with_cache(p, point_of(p.model.evaluate(np.array([batch])), 0))


def prepare(task: Task, of_others: Server) -> Prepared:
    """Return a task with its serving model; `of_others` is a server of the same cost."""
    deployment = task.deployment
    engine = with_defaults(deployment.engine, deployment.device.memory)
    server = evolve(of_others, mixture=Mixture.of(task.workload, deployment.model))
    budget = choose_budget(engine.chunk_budget, server)
    search = deployment.search
    model = serving_model(server, engine, task.phase, budget, deployment.method)
    loops = isinstance(model, StepLoop)
    steps_hold = loops or isinstance(model, Steady)
    if search.strategy is None:
        few = not loops or task.phase is Phase.PREFILL
        usual = Strategy.EXHAUSTIVE if few else Strategy.SCAN
        search = evolve(search, strategy=usual)
    decoding = ("batch", "concurrency") if task.phase is Phase.PREFILL and _paired(task) else ()
    bounds = tuple(b for b in search.limits if fact(b.fact).row and b.fact not in decoding)
    goals = Goals(
        slo=task.workload.slo,
        memory=deployment.memory,
        bounds=bounds,
        layout=task.layout,
        context=_context(deployment, server, budget),
    )
    # A sequence that decodes takes a token of the budget in each step.
    whole = task.phase is Phase.WHOLE
    of_budget = budget // (1 + server.drafted) if steps_hold and whole else None
    if of_budget is not None:
        of_budget = max(1, of_budget)
    caps = {"max_sequences": engine.max_sequences, "chunk_budget": of_budget}
    given = None if task.phase is Phase.PREFILL else engine.decode_batch
    interval = _interval(given, [cap for cap in caps.values() if cap is not None])
    return Prepared(task, model, budget, search, goals, interval, caps)


def _context(
    deployment: Deployment, server: Server, budget: Tokens
) -> tuple[Tokens, Tokens] | None:
    """Return the limit on the length of a request, where it is set, and the cache for one."""
    limit = deployment.engine.max_model_length
    if limit is None or deployment.fitted is None:
        return None
    return limit, server.cache_tokens(budget, 1)


def _with_cache(p: Prepared, point: Point) -> Point:
    """Add what the KV cache of a replica holds at a batch size."""
    server = p.model.server
    sequences = p.task.deployment.engine.max_sequences or point.batch
    tokens = server.cache_tokens(p.budget, sequences)
    longest = min(tokens, p.task.deployment.model.max_positions)
    return evolve(point, memory=evolve(point.memory, cache_tokens=tokens, longest_request=longest))


def _paired(task: Task) -> bool:
    return len(task.deployment.mode.phases) > 1


def _searched(p: Prepared, table: ServingTable | None) -> Evaluated:
    """Search the best batch size; `table` has all rows, if they are known."""
    whole = table

    def rows(batch: Integers) -> ServingTable:
        return p.model.evaluate(batch) if whole is None else whole

    enough = SATURATED if p.task.phase is Phase.PREFILL else 1.0
    found = search_batch(p.search, p.interval, p.largest, rows, p.goals, enough)
    row = found.best if found.best is not None else found.nearest
    assert row is not None
    return Evaluated(
        task=p.task,
        candidate=_candidate(p, found, row),
        cache=CacheSize.of(p.model.server),
        mean_steps=p.model.server.mixture.mean_steps,
        decoding=_tradeoff(found) if p.task.phase is Phase.DECODE else None,
        curve=_curve(found),
    )


def _tradeoff(found: BatchSearch) -> Tradeoff | None:
    """Keep the rows that no row with a shorter TPOT serves as much as."""
    rows = np.flatnonzero(found.feasible)
    if not len(rows):
        return None
    table = found.table
    rows = rows[np.argsort(table.tpot[rows], kind="stable")]
    most = np.maximum.accumulate(table.rate[rows])
    rows = rows[np.concatenate([[True], most[1:] > most[:-1]])]
    return Tradeoff(
        tuple(table.batch[rows].tolist()),
        tuple(table.tpot[rows].tolist()),
        tuple(table.rate[rows].tolist()),
    )


def _interval(given: tuple[int, int] | None, caps: list[int]) -> tuple[int, int] | None:
    """Return the batch sizes to search: those given, as far as the engine takes them."""
    if not caps:
        return given
    low, high = given or (1, min(caps))
    return low, max(low, min(high, *caps))


def _candidate(p: Prepared, found: BatchSearch, row: int) -> Candidate:
    task, model, budget, caps = p.task, p.model, p.budget, p.caps
    deployment, layout, mixture = task.deployment, task.layout, model.server.mixture
    stopped_by = found.stopped_by
    if stopped_by == "range":
        last = int(found.table.batch[np.flatnonzero(found.feasible)[-1]])
        stopped_by = next((name for name, cap in caps.items() if cap == last), stopped_by)
    larger = np.flatnonzero(found.feasible) > row
    if task.phase is Phase.PREFILL and (stopped_by == "unknown" or larger.any()):
        stopped_by = "waves"
    point = _with_cache(p, point_of(found.table, row))
    instance = Instance(
        phase=task.phase.value,
        device=deployment.device.name,
        devices=deployment.size,
        model=deployment.model.name,
        quantisation=deployment.usual_format.value,
        layout=layout,
        parallel=label_of(task, model.server.drafted),
        engine=_settings(deployment, layout, point, budget, model.server.drafted),
        point=point,
        stopped_by=stopped_by,
        task=task.key,
    )
    return Candidate(
        deployment=deployment.name,
        instance=instance,
        calibration=calibration_name(deployment),
        method=method_of(model),
        input=mixture.mean_input,
        output=mixture.mean_output,
        effective_input=mixture.mean_new,
        chunks=-(-mixture.longest_new // budget),
        feasible=found.best is not None,
        misses=found.misses,
        relaxations=found.relaxations,
        probes=found.probes,
    )


def _settings(
    deployment: Deployment, layout: Layout, point: Point, budget: Tokens, drafted: int
) -> EngineSettings:
    # With a longer one than its cache holds an engine does not start.
    known = deployment.fitted is not None
    longest = max(2, point.memory.longest_request) if known else deployment.longest_request
    engine, options = deployment.engine, deployment.communication
    draft = engine.speculative.draft if engine.speculative and drafted else None
    return EngineSettings(
        max_sequences=deployment.engine.max_sequences or point.batch,
        chunk_budget=budget,
        prefill_admission=engine.prefill_admission,
        scheduler=engine.scheduler.value if engine.scheduler else None,
        max_model_length=min(deployment.longest_request, longest),
        block_size=engine.block_size,
        prefix_cache=engine.prefix_cache,
        kv_cache=deployment.formats.kv_cache.value,
        reserved_memory=reserved_bytes(deployment, layout),
        memory_utilization=engine.memory_utilization,
        per_device=engine.per_device,
        drafted=drafted,
        draft_model=draft.name if draft else None,
        software=engine.software.value if engine.software else "",
        version=engine.version,
        execution=engine.execution.value,
        micro_batches=engine.micro_batches,
        sequence_parallel=options.sequence_parallel,
        fuse_all_reduce=options.fuse_all_reduce,
        two_streams=options.two_streams,
        dispatch=options.dispatch.value,
        redundant_experts=deployment.experts.redundant,
        shard_shared=splits_shared_experts(deployment, layout),
    )


def label_of(task: Task, drafted: int) -> str:
    """Return the label of a layout, with the tokens it drafts."""
    label = f"{task.layout.label}{task.deployment.engine.label}"
    if not drafted:
        return label
    speculative = task.deployment.engine.speculative
    kind = "DRAFT" if speculative and speculative.draft else "MTP"
    return f"{label} | {kind}={drafted}"


def steps_of(task: Task, point: Point) -> dict[str, StepTable]:
    """Return the decode step at the mean context, and the largest prefill step, of a point."""
    server = server_of(task)
    steps = {}
    if task.phase is not Phase.PREFILL:
        steps["decode"] = server.mixture.decode(point.batch, server.block, server.drafted)
    if task.phase is not Phase.DECODE:
        steps["prefill"] = server.mixture.prefill(point.wave_requests, server.block)
    return steps


def point_of(table: ServingTable, row: int) -> Point:
    """Return a row of a table as data."""
    values = table.row(row)
    memory = {name: round(value) for name, value in values.pop("memory").items()}
    prefill, decode = _shares(values.pop("prefill")), _shares(values.pop("decode"))
    bands = Band(**values.pop("bands"))
    return Point(**values, bands=bands, memory=MemoryUse(**memory), prefill=prefill, decode=decode)


def _shares(parts: dict[str, float | None]) -> BoundShares | None:
    known = {name: share for name, share in parts.items() if share is not None}
    return BoundShares(**known) if known else None


def _curve(found: BatchSearch) -> CurveRows:
    """Thin the probed rows to a geometric series of batches, keeping the ends and the best."""
    index, table = _picked(len(found.table)), found.table
    if found.best is not None:
        index = np.array(sorted({*index.tolist(), found.best}))
    return CurveRows(
        batch=table.batch[index],
        ttft=np.asarray(table.ttft[index], np.float64),
        tpot=np.asarray(table.tpot[index], np.float64),
        throughput=np.asarray(table.throughput[index], np.float64),
        available=np.asarray(table.memory.available[index], np.float64),
        feasible=found.feasible[index],
    )


@lru_cache(maxsize=1024)
def _picked(rows: int) -> Integers:
    """Return the rows of a geometric series, each once."""
    picked = np.round(np.geomspace(1, rows, CURVE_POINTS)).astype(int) - 1
    return np.array(sorted(set(picked.tolist())))
