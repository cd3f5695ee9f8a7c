"""Running a plan: each task is evaluated on its own, in process."""

from collections.abc import Callable

import numpy as np

from specc.cost import CostModel, StepTable, calibration_name
from specc.ir import Objective
from specc.plan.expectations import judge
from specc.plan.lower import Plan, PlannedStudy, Task
from specc.plan.results import (
    Band,
    BoundShares,
    Candidate,
    Curve,
    MemoryUse,
    Point,
    Results,
    StudyResult,
)
from specc.search import BatchSearch, Goals, search_batch
from specc.serving import Aggregated, ServingTable, choose_budget
from specc.units import Tokens

CURVE_POINTS = 64

Progress = Callable[[], None]


def run(plan: Plan, progress: Progress = lambda: None) -> Results:
    """Evaluate all tasks of a plan. `progress` is called after each of them."""
    return Results(tuple(_run_study(study, progress) for study in plan.studies))


def _run_study(planned: PlannedStudy, progress: Progress) -> StudyResult:
    candidates = []
    for task in planned.tasks:
        candidates.append(evaluate(task))
        progress()
    objective = planned.study.objective
    candidates.sort(key=lambda candidate: _rank(candidate, objective))
    verdicts = tuple(judge(e, candidates) for e in planned.study.expectations)
    return StudyResult(planned.study, tuple(candidates), planned.pruned, verdicts)


def _rank(candidate: Candidate, objective: Objective) -> tuple[bool, float]:
    """Order: feasible ones by the falling objective, then the others by what they miss least."""
    if candidate.feasible:
        return False, -float(getattr(candidate.point, objective.value))
    return True, max(miss.excess for miss in candidate.misses)


def evaluate(task: Task) -> Candidate:
    """Search the best batch size of one candidate."""
    workload, deployment, layout = task.workload, task.deployment, task.layout
    cost = CostModel.of(deployment, layout)

    def serving_with(budget: Tokens) -> Aggregated:
        return Aggregated(
            cost,
            layout,
            workload,
            budget,
            deployment.device.memory,
            deployment.engine.reserved_memory,
        )

    budget = choose_budget(deployment.engine.chunk_budget, workload.input, serving_with)
    serving = serving_with(budget)
    search = deployment.search
    goals = Goals(workload.slo, search.maximize, deployment.device.memory)
    found = search_batch(
        search, deployment.engine.decode_batch, _memory_bound(serving), serving.evaluate, goals
    )
    row = found.best if found.best is not None else found.nearest
    assert row is not None
    return Candidate(
        deployment=deployment.name,
        device=deployment.device.name,
        devices=deployment.devices,
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
        calibration=calibration_name(deployment),
        parallel=layout.label,
        input=workload.input,
        output=workload.output,
        effective_input=workload.effective_input,
        chunk_budget=budget,
        chunks=1,
        feasible=found.best is not None,
        point=_point(found.table, row),
        misses=found.misses,
        stopped_by=found.stopped_by,
        probes=found.probes,
        curve=_curve(found),
        task=task.key,
    )


def steps_of(task: Task, candidate: Candidate) -> dict[str, StepTable]:
    """Return the decode step at the mean context, and the largest prefill step, of a candidate."""
    workload, block = task.workload, task.deployment.engine.block_size
    context = workload.input + workload.output // 2 + 1
    point = candidate.point
    return {
        "decode": StepTable.decoding(point.batch, context, block),
        "prefill": StepTable.prefilling(
            point.wave_requests, workload.effective_input, workload.input, block
        ),
    }


def _memory_bound(serving: Aggregated) -> int:
    """Return a batch size that the memory of a device cannot hold."""
    memory = serving.cost.memory_model
    free = serving.memory - serving.reserved - memory.weight_bytes
    context = serving.workload.input + serving.workload.output // 2
    request = memory.batches * (memory.kv_token_bytes * context + memory.sequence_bytes)
    requests = free // request
    return int(max(1, requests + 1))


def _point(table: ServingTable, row: int) -> Point:
    values = table.row(row)
    memory = {name: round(value) for name, value in values.pop("memory").items()}
    prefill, decode = values.pop("prefill"), values.pop("decode")
    bands = Band(**values.pop("bands"))
    return Point(
        **values,
        bands=bands,
        memory=MemoryUse(**memory),
        prefill=BoundShares(**prefill),
        decode=BoundShares(**decode),
    )


def _curve(found: BatchSearch) -> Curve:
    """Thin the probed rows to a geometric series of batches, keeping the ends and the best."""
    rows = len(found.table)
    picked = np.unique(np.round(np.geomspace(1, rows, CURVE_POINTS)).astype(int) - 1)
    kept = {*picked.tolist(), *([found.best] if found.best is not None else [])}
    index = np.array(sorted(kept))
    table = found.table
    return Curve(
        batch=tuple(table.batch[index].tolist()),
        ttft=tuple(table.ttft[index].tolist()),
        tpot=tuple(table.tpot[index].tolist()),
        throughput=tuple(table.throughput[index].tolist()),
        feasible=tuple(found.feasible[index].tolist()),
    )
