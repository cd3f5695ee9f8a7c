"""Evaluating a task: the best batch size of instances in one layout."""

import numpy as np
from attrs import evolve, frozen

from specc.cost import StepTable, calibration_name
from specc.ir import Phase, Strategy
from specc.plan.lower import Task
from specc.plan.results import Band, BoundShares, Candidate, Curve, MemoryUse, Point
from specc.search import ROW_FACTS, BatchSearch, Goals, search_batch
from specc.serving import (
    Server,
    ServingModel,
    ServingTable,
    StepLoop,
    choose_budget,
    method_of,
    serving_model,
)
from specc.units import Tokens

CURVE_POINTS = 64


@frozen(eq=False)
class Evaluated:
    """A task with what was found: the serving model, all rows that were probed, the candidate."""

    task: Task
    model: ServingModel
    found: BatchSearch
    candidate: Candidate

    @property
    def server(self) -> Server:
        """The instance."""
        return self.model.server

    def point(self, row: int) -> Point:
        """Return a row of the search as data."""
        return point_of(self.found.table, row)


def evaluate(task: Task) -> Evaluated:
    """Search the best batch size of one candidate."""
    deployment, engine = task.deployment, task.deployment.engine
    server = Server.of(deployment, task.layout, task.workload, task.phase, task.drafted)
    budget = choose_budget(engine.chunk_budget, server)
    model = serving_model(server, engine, task.phase, budget)
    search = deployment.search
    loops = isinstance(model, StepLoop)
    if search.strategy is None:
        usual = Strategy.LINEAR_EXPONENTIAL if loops else Strategy.EXHAUSTIVE
        search = evolve(search, strategy=usual)
    bounds = tuple(bound for bound in search.limits if bound.fact in ROW_FACTS)
    goals = Goals(task.workload.slo, deployment.device.memory, bounds, task.layout)
    # A sequence that decodes takes a token of the budget in each step.
    of_budget = budget // (1 + server.drafted) if loops and task.phase is Phase.WHOLE else None
    caps = {"max_sequences": engine.max_sequences, "chunk_budget": of_budget}
    interval = _interval(engine.decode_batch, [cap for cap in caps.values() if cap])
    found = search_batch(search, interval, server.largest_batch, model.evaluate, goals)
    row = found.best if found.best is not None else found.nearest
    assert row is not None
    return Evaluated(task, model, found, _candidate(task, model, found, row, budget, caps))


def _interval(given: tuple[int, int] | None, caps: list[int]) -> tuple[int, int] | None:
    """Return the batch sizes to search: those given, as far as the engine takes them."""
    if not caps:
        return given
    low, high = given or (1, min(caps))
    return low, max(low, min(high, *caps))


def _candidate(
    task: Task,
    model: ServingModel,
    found: BatchSearch,
    row: int,
    budget: Tokens,
    caps: dict[str, int | None],
) -> Candidate:
    deployment, layout, mixture = task.deployment, task.layout, model.server.mixture
    stopped_by = found.stopped_by
    if stopped_by == "range":
        last = int(found.table.batch[np.flatnonzero(found.feasible)[-1]])
        stopped_by = next((name for name, cap in caps.items() if cap == last), stopped_by)
    return Candidate(
        deployment=deployment.name,
        phase=task.phase.value,
        device=deployment.device.name,
        devices=deployment.size,
        model=deployment.model.name,
        quantisation=deployment.usual_format.value,
        tp=layout.tp,
        pp=layout.pp,
        dp=layout.dp,
        cp=layout.cp,
        dcp=layout.dcp,
        ep=layout.ep,
        moe_tp=layout.moe_tp,
        moe_dp=layout.moe_dp,
        drafted=model.server.drafted,
        calibration=calibration_name(deployment),
        parallel=label_of(task, model.server.drafted),
        method=method_of(model),
        input=mixture.mean_input,
        output=mixture.mean_output,
        effective_input=mixture.mean_new,
        chunk_budget=budget,
        chunks=-(-mixture.longest_new // budget),
        feasible=found.best is not None,
        point=point_of(found.table, row),
        misses=found.misses,
        relaxations=found.relaxations,
        stopped_by=stopped_by,
        probes=found.probes,
        curve=_curve(found),
        task=task.key,
    )


def label_of(task: Task, drafted: int) -> str:
    """Return the label of a layout, with the tokens it drafts."""
    if not drafted:
        return task.layout.label
    speculative = task.deployment.engine.speculative
    kind = "DRAFT" if speculative and speculative.draft else "MTP"
    return f"{task.layout.label} | {kind}={drafted}"


def steps_of(task: Task, point: Point) -> dict[str, StepTable]:
    """Return the decode step at the mean context, and the largest prefill step, of a point."""
    server = Server.of(task.deployment, task.layout, task.workload, task.phase, task.drafted)
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


def _curve(found: BatchSearch) -> Curve:
    """Thin the probed rows to a geometric series of batches, keeping the ends and the best."""
    rows = len(found.table)
    picked = np.unique(np.round(np.geomspace(1, rows, CURVE_POINTS)).astype(int) - 1)
    kept = {*picked.tolist(), *([found.best] if found.best is not None else [])}
    index = np.array(sorted(kept))
    table = found.table
    return Curve(
        batch=tuple(table.batch[index].tolist()),
        ttft=_known(table.ttft[index].tolist()),
        tpot=_known(table.tpot[index].tolist()),
        throughput=tuple(table.throughput[index].tolist()),
        available=tuple(round(x) for x in table.memory.available[index].tolist()),
        feasible=tuple(found.feasible[index].tolist()),
    )


def _known(values: list[float]) -> tuple[float | None, ...]:
    return tuple(None if value != value else value for value in values)  # noqa: PLR0124
