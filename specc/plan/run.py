"""Running a plan: each task is evaluated on its own, then answers are made of them."""

from collections.abc import Callable, Sequence

from attrs import evolve

from specc.plan.answers import answers, detailed, ranked
from specc.plan.evaluate import Evaluated
from specc.plan.expectations import judge
from specc.plan.lower import Plan, PlannedStudy, PrunedCandidate, planned_workload
from specc.plan.pool import evaluated
from specc.plan.results import Answer, Candidate, Dropped, Results, Simulated, StudyResult
from specc.plan.simulate import simulated, subjects
from specc.serving.simulation.metrics import Outcome

Progress = Callable[[], None]


def run(plan: Plan, progress: Progress = lambda: None) -> Results:
    """Evaluate all tasks of a plan. `progress` is called after each of them."""
    tasks = [task for study in plan.studies for task in study.tasks]
    known = evaluated(tasks, progress)
    return Results(tuple(_run_study(study, known, progress) for study in plan.studies))


def traced(plan: Plan, results: Results) -> tuple[str, Outcome] | None:
    """Run the simulation that was chosen in the first study again, and keep every step of it.

    None if there was none.
    """
    planned, result = plan.studies[0], results.studies[0]
    if not result.simulations:
        return None
    chosen = result.simulations[0]
    known = evaluated(planned.tasks, lambda: None)
    unchosen = _run_study(planned, known, lambda: None, simulate=False)
    for subject in subjects(planned.study, unchosen.answers, known):
        if (subject.name, subject.place) == (chosen.name, chosen.place):
            return subject.name, subject.outcome()
    return None


def _run_study(
    planned: PlannedStudy,
    known: dict[str, Evaluated],
    progress: Progress,
    simulate: bool = True,
) -> StudyResult:
    study = planned.study
    own: dict[str, list[Evaluated]] = {d.name: [] for d in study.deployments}
    for task in planned.tasks:
        own[task.deployment.name].append(known[task.key])
    found: list[Answer] = []
    dropped = 0
    workload = planned_workload(study)
    for deployment in study.deployments:
        of_deployment, more = answers(deployment, workload, own[deployment.name])
        found += of_deployment
        dropped += more
    order = _with_details(ranked(found, study.objective), known)
    candidates = [e.candidate for found_of in own.values() for e in found_of]
    place = {answer.groups[-1].task: number for number, answer in reversed(list(enumerate(order)))}
    candidates.sort(key=lambda candidate: _rank(candidate, place))
    simulations = simulated(study, tuple(order), known, progress) if simulate else ()
    result = StudyResult(
        study,
        tuple(_decided(order, simulations)),
        tuple(candidates),
        _by_reason(planned.pruned),
        dropped,
        simulations=simulations,
    )
    verdicts = tuple(judge(e, result) for e in study.expectations)
    return evolve(result, verdicts=verdicts)


def _decided(order: list[Answer], simulations: Sequence[Simulated]) -> list[Answer]:
    """Put the answer that the simulation chose first."""
    if not simulations or not order:
        return order
    chosen = simulations[0]
    own = [a for a in order if a.feasible and a.deployment == chosen.name]
    if not own:
        return order
    first = own[chosen.place - 1]
    return [first, *(answer for answer in order if answer is not first)]


def _by_reason(pruned: Sequence[PrunedCandidate]) -> tuple[Dropped, ...]:
    """Count the combinations that were dropped for the same reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for p in pruned:
        found.setdefault((p.deployment, p.reason), []).append(p.label)
    return tuple(
        Dropped(deployment, reason, len(labels), labels[0])
        for (deployment, reason), labels in found.items()
    )


def _with_details(order: list[Answer], known: dict[str, Evaluated]) -> list[Answer]:
    """Add details to the best answer of each deployment."""
    seen: set[str] = set()
    detailed_order = []
    for answer in order:
        first = answer.deployment not in seen
        seen.add(answer.deployment)
        detailed_order.append(detailed(answer, known) if first else answer)
    return detailed_order


def _rank(candidate: Candidate, place: dict[str, int]) -> tuple[bool, float, float]:
    """Order: feasible ones by their answer and what they serve, then others by what they miss."""
    if not candidate.feasible:
        return True, max(miss.excess for miss in candidate.misses), 0.0
    return False, place.get(candidate.task, len(place)), -candidate.point.throughput_per_device
