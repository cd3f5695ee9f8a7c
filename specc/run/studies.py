"""Running a study: of what was found for its tasks configurations are made, then simulated."""

import math
from collections.abc import Mapping, Sequence

from attrs import evolve

from specc.ir import Study, Varied
from specc.ir.load import fleet_of, is_simulated, planned_workload
from specc.plan import PlannedStudy, PrunedCandidate, Task
from specc.results import (
    BinRow,
    Candidate,
    Configuration,
    Dropped,
    FrontierPoint,
    Metrics,
    Simulated,
    StudyResult,
    drawn,
)
from specc.results.curves import frontier
from specc.run.configurations import configurations, detailed, ranked, unanswered
from specc.run.coverage import Coverage
from specc.run.evaluate import Evaluated
from specc.run.events import Events
from specc.run.executors import evaluated
from specc.run.judge import judge
from specc.run.runner import Runner
from specc.run.sensitivity import sensitivity


def run_study(
    planned: PlannedStudy, known: Mapping[str, Evaluated], runner: Runner, coverage: Coverage
) -> StudyResult:
    """Return what a study finds, of what was found for its tasks."""
    study = planned.study
    own: dict[str, list[Evaluated]] = {d.name: [] for d in study.deployments}
    for task in planned.tasks:
        own[task.deployment.name].append(known[task.key])
    found: list[Configuration] = []
    omitted = 0
    for deployment in study.deployments:
        sized = evolve(deployment, fleet=fleet_of(study, deployment))
        workload = planned_workload(study, deployment)
        of_deployment, more = configurations(sized, workload, own[deployment.name])
        found += of_deployment
        omitted += more
    order = ranked(found, study.objective)
    configured, simulations = _simulated(study, order, known, runner, coverage)
    configured = _with_details(configured, known, simulations)
    place = {c.instances[-1].task: number for number, c in reversed(list(enumerate(configured)))}
    evaluations = [e for found_of in own.values() for e in found_of]
    evaluations.sort(key=lambda e: _rank(e.candidate, place))
    best = next((found for found in configured if found.feasible), None)
    moved = None
    if study.sensitivity is Varied.EACH_INPUT and not study.settings:
        moved = sensitivity(study, configured, known, lambda tasks: _varied(tasks, runner))
    result = StudyResult(
        study,
        tuple(configured),
        tuple(_with_curves(evaluations, best)),
        _by_reason(planned.pruned),
        omitted,
        simulations=simulations,
        frontier=_frontier(study, evaluations),
        sensitivity=moved,
    )
    verdicts = tuple(judge(e, result) for e in study.expectations)
    return evolve(result, verdicts=verdicts)


def _varied(tasks: Sequence[Task], runner: Runner) -> dict[str, Evaluated]:
    """Evaluate tasks of which progress is not told: they are not among the candidates."""
    return evaluated(tasks, evolve(runner, events=Events()))


def _frontier(study: Study, found: Sequence[Evaluated]) -> tuple[FrontierPoint, ...]:
    feasible = [e for e in found if e.candidate.feasible]
    instances = [e.candidate.instance for e in feasible]
    if len({instance.phase for instance in instances}) != 1:
        return ()
    return frontier(study, instances, [e.curve for e in feasible])


def _with_curves(found: Sequence[Evaluated], best: Configuration | None) -> list[Candidate]:
    """Give the candidates that a report draws their curves.

    Others are not shown but for their best batch size: their curves would be most of a result.
    """
    candidates = [e.candidate for e in found]
    feasible, infeasible = (
        [c for c in candidates if c.feasible is wanted] for wanted in (True, False)
    )
    recommended = {instance.task for instance in best.instances} if best else set()
    kept = {id(candidate) for candidate in drawn(feasible, infeasible, recommended)}
    return [
        evolve(e.candidate, curve=e.curve.curve) if id(e.candidate) in kept else e.candidate
        for e in found
    ]


def _simulated(
    study: Study,
    order: Sequence[Configuration],
    known: Mapping[str, Evaluated],
    runner: Runner,
    coverage: Coverage,
) -> tuple[list[Configuration], tuple[Simulated, ...]]:
    """Simulate the shortlist of a study; return its configurations in the order that results.

    The simulation is imported only where something is simulated.
    """
    if not is_simulated(study):
        return [unanswered(found) for found in order], ()
    from specc.run.simulate import answers

    found = answers(study, order, known, runner, coverage)
    return [c if c.simulated else unanswered(c) for c in found.configurations], found.simulations


def _by_reason(pruned: Sequence[PrunedCandidate]) -> tuple[Dropped, ...]:
    """Count the combinations that were dropped for the same reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for p in pruned:
        found.setdefault((p.deployment, p.reason), []).append(p.label)
    return tuple(
        Dropped(deployment, reason, len(labels), labels[0])
        for (deployment, reason), labels in found.items()
    )


def _with_details(
    order: list[Configuration], known: Mapping[str, Evaluated], simulations: Sequence[Simulated]
) -> list[Configuration]:
    """Add details to the best configuration of each deployment."""
    tasks = {key: evaluated.task for key, evaluated in known.items()}
    seen: set[str] = set()
    detailed_order = []
    for place, found in enumerate(order):
        first = found.deployment not in seen
        seen.add(found.deployment)
        whole = detailed(found, tasks) if first else found
        if first and found.simulated:
            bins = _as_seen(whole.bins, simulations[place].metrics, found.in_flight)
            if found.ttft is None:
                bins = tuple(evolve(row, ttft=None) for row in bins)
            whole = evolve(whole, bins=bins)
        detailed_order.append(whole)
    return detailed_order


def _as_seen(bins: Sequence[BinRow], metrics: Metrics, in_flight: int) -> tuple[BinRow, ...]:
    """Return bins with what their requests saw in a simulation; nothing where none came."""
    if len(bins) < 2:
        means = [(metrics.ttft, metrics.tpot)]
    else:
        means = [(found.ttft, found.tpot) for found in metrics.bins]
    seen = [
        evolve(
            row,
            ttft=ttft.mean if ttft is not None else None,
            tpot=tpot.mean if tpot is not None else None,
        )
        for row, (ttft, tpot) in zip(bins, means, strict=True)
    ]
    # By Little's law a length is in flight as often as its requests come, times what they last.
    lasts = [r.share * ((r.ttft or 0.0) + (r.tpot or 0.0) * (r.output - 1)) for r in seen]
    scale = in_flight / max(math.fsum(lasts), 1e-30)
    return tuple(
        evolve(row, samples=round(scale * each)) for row, each in zip(seen, lasts, strict=True)
    )


def _rank(candidate: Candidate, place: dict[str, int]) -> tuple[bool, float, float]:
    """Order: feasible ones by configuration and what they serve, then others by their misses."""
    if not candidate.feasible:
        return True, max(miss.excess for miss in candidate.misses), 0.0
    return (
        False,
        place.get(candidate.instance.task, len(place)),
        -candidate.point.throughput_per_device,
    )
