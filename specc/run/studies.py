"""Running a plan: each task is evaluated on its own, then configurations are made of them."""

from collections.abc import Mapping, Sequence

from attrs import evolve

from specc.ir import Study
from specc.plan import Plan, PlannedStudy, PrunedCandidate
from specc.results import (
    Candidate,
    Configuration,
    Dropped,
    FrontierPoint,
    Simulated,
    StudyResult,
    drawn,
)
from specc.results.curves import frontier
from specc.run.configurations import configurations, detailed, ranked
from specc.run.evaluate import Evaluated
from specc.run.events import Events
from specc.run.executors import evaluated
from specc.run.judge import judge


def run(plan: Plan, events: Events | None = None) -> tuple[StudyResult, ...]:
    """Evaluate all tasks of a plan and judge its studies; `events` is told of progress."""
    watcher = events or Events()
    tasks = [task for study in plan.studies for task in study.tasks]
    known = evaluated(tasks, watcher.advanced)
    return tuple(_run_study(study, known, watcher) for study in plan.studies)


def _run_study(
    planned: PlannedStudy, known: Mapping[str, Evaluated], events: Events
) -> StudyResult:
    study = planned.study
    own: dict[str, list[Evaluated]] = {d.name: [] for d in study.deployments}
    for task in planned.tasks:
        own[task.deployment.name].append(known[task.key])
    found: list[Configuration] = []
    omitted = 0
    for deployment in study.deployments:
        of_deployment, more = configurations(
            deployment, study.planned_workload, own[deployment.name]
        )
        found += of_deployment
        omitted += more
    order = _with_details(ranked(found, study.objective), known)
    place = {c.instances[-1].task: number for number, c in reversed(list(enumerate(order)))}
    evaluations = [e for found_of in own.values() for e in found_of]
    evaluations.sort(key=lambda e: _rank(e.candidate, place))
    simulations = _simulated(study, order, known, events)
    decided = _decided(order, simulations)
    best = next((found for found in decided if found.feasible), None)
    result = StudyResult(
        study,
        tuple(decided),
        tuple(_with_curves(evaluations, best)),
        _by_reason(planned.pruned),
        omitted,
        simulations=simulations,
        frontier=_frontier(study, evaluations),
    )
    verdicts = tuple(judge(e, result) for e in study.expectations)
    return evolve(result, verdicts=verdicts)


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
    events: Events,
) -> tuple[Simulated, ...]:
    """Simulate a study that asks for it; the simulation is imported only then."""
    if study.simulate is None:
        return ()
    from specc.run.simulate import simulated

    return simulated(study, order, known, events)


def _decided(order: list[Configuration], simulations: Sequence[Simulated]) -> list[Configuration]:
    """Put the configuration that the simulation chose first."""
    if not simulations or not order:
        return order
    chosen = simulations[0]
    own = [c for c in order if c.feasible and c.deployment == chosen.name]
    if not own:
        return order
    first = own[chosen.place - 1]
    return [first, *(found for found in order if found is not first)]


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
    order: list[Configuration], known: Mapping[str, Evaluated]
) -> list[Configuration]:
    """Add details to the best configuration of each deployment."""
    tasks = {key: evaluated.task for key, evaluated in known.items()}
    seen: set[str] = set()
    detailed_order = []
    for found in order:
        first = found.deployment not in seen
        seen.add(found.deployment)
        detailed_order.append(detailed(found, tasks) if first else found)
    return detailed_order


def _rank(candidate: Candidate, place: dict[str, int]) -> tuple[bool, float, float]:
    """Order: feasible ones by configuration and what they serve, then others by their misses."""
    if not candidate.feasible:
        return True, max(miss.excess for miss in candidate.misses), 0.0
    return (
        False,
        place.get(candidate.instance.task, len(place)),
        -candidate.point.throughput_per_device,
    )
