"""Running a plan: each task is evaluated on its own, then configurations are made of them."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from attrs import evolve, frozen

from specc.ir import Study, Varied
from specc.ir.load import fleet_of, is_simulated, planned_workload
from specc.plan import Plan, PlannedStudy, PrunedCandidate, Task
from specc.results import (
    MOST_WHOLE,
    BinRow,
    Candidate,
    Configuration,
    Dropped,
    FrontierPoint,
    Metrics,
    Simulated,
    StudyResult,
    drawn,
    shown_whole,
)
from specc.results.curves import frontier
from specc.run.configurations import configurations, detailed, ranked, unanswered
from specc.run.coverage import Coverage
from specc.run.estimate import estimate
from specc.run.evaluate import Evaluated
from specc.run.executors import WORTH_PROCESSES, evaluated
from specc.run.judge import judge
from specc.run.keys import key_of
from specc.run.runner import Job, Runner
from specc.run.sensitivity import sensitivity

_ALL = Coverage(alone=False, whole=True)
_BEST = Coverage(alone=True, whole=True)
_ONCE = Coverage(alone=True, whole=False)

# Studies with so many tasks in all are evaluated together: those with the same cost of a step
# share it, and what was found for tasks is kept until their studies are done.
TASKS_TOGETHER = 2_000
CHUNKS = 8  # of the studies of a worker
WAIT_S = 0.2  # for what another run finds, between two looks at the store


def run(plan: Plan, runner: Runner | None = None) -> tuple[StudyResult, ...]:
    """Evaluate all tasks of a plan and judge its studies.

    Of many variants of a swept study the recommendation of each is simulated once, and those that
    a report shows whole get the rest.
    """
    runner = runner or Runner()
    variants = [list(of) for _, of in groupby(plan.studies, lambda planned: planned.study.name)]
    parts = [Part(planned, _coverage(own)) for own in variants for planned in own]
    found = _found(parts, runner)
    again: list[int] = []
    first = 0
    for own in variants:
        if len(own) > MOST_WHOLE:
            results = found[first : first + len(own)]
            whole = shown_whole(results)
            again += [first + n for n, r in enumerate(results) if any(r is one for one in whole)]
        first += len(own)
    wholes = _found([Part(parts[place].planned, _ALL) for place in again], runner)
    for place, result in zip(again, wholes, strict=True):
        found[place] = result
    return tuple(found)


def _coverage(variants: Sequence[PlannedStudy]) -> Coverage:
    """Return how much is simulated of each variant of a study."""
    if len(variants) == 1:
        return _ALL
    return _BEST if len(variants) <= MOST_WHOLE else _ONCE


@frozen(eq=False)
class Part:
    """A study to run, or a variant of a swept one. Data alone."""

    planned: PlannedStudy
    coverage: Coverage

    @property
    def key(self) -> str:
        """A hash of all that the result depends on, but for how it is judged."""
        return key_of(self.planned, self.coverage)

    def judged(self, result: StudyResult) -> StudyResult:
        """Return a result that came from elsewhere, with the study itself and its verdicts."""
        whole = evolve(result, study=self.planned.study)
        verdicts = tuple(judge(e, whole) for e in self.planned.study.expectations)
        return evolve(whole, verdicts=verdicts)


def _found(parts: Sequence[Part], runner: Runner) -> list[StudyResult]:
    """Return the results of studies: from the store, or run here or by workers."""
    store = runner.store
    if store is None:
        found = dict(_run(parts, runner))
        return [found[place] for place in range(len(parts))]
    known: dict[int, StudyResult] = {}
    keys = [part.key for part in parts]
    missing = _looked_up(range(len(parts)), parts, keys, runner, known)
    while missing:
        claimed = store.claim([keys[place] for place in missing])
        taken = [place for place, is_own in zip(missing, claimed, strict=True) if is_own]
        try:
            # Another run may have stored it between the look and the claim.
            own = _looked_up(taken, parts, keys, runner, known)
            for place, result in _run([parts[place] for place in own], runner):
                runner.keep(keys[own[place]], result)
                known[own[place]] = result
        finally:
            store.release([keys[place] for place in taken])
        # The rest is what other runs are at, who may come to an end before it is stored.
        others = [place for place in missing if place not in known]
        missing = _looked_up(others, parts, keys, runner, known)
        if missing and not taken:
            time.sleep(WAIT_S)
    return [known[place] for place in range(len(parts))]


def _looked_up(
    places: Iterable[int],
    parts: Sequence[Part],
    keys: Sequence[str],
    runner: Runner,
    known: dict[int, StudyResult],
) -> list[int]:
    """Add to what is known what the store has; return the places of the rest."""
    missing = []
    for place in places:
        is_stored, plain = runner.stored(keys[place], StudyResult)
        if not is_stored:
            missing.append(place)
            continue
        part = parts[place]
        known[place] = part.judged(plain.of(part.planned.study))
        runner.events.advanced(_work(part))
    return missing


def _run(parts: Sequence[Part], runner: Runner) -> Iterator[tuple[int, StudyResult]]:
    """Yield the places and the results of studies."""
    if not _is_worth_workers(parts, runner):
        for together in _together(parts):
            for place, result in zip(together, _run_parts([parts[n] for n in together], runner),
                                     strict=True):  # fmt: skip
                yield place, result
        return
    size = max(1, len(parts) // (runner.workers * CHUNKS))
    chunks = [range(n, min(n + size, len(parts))) for n in range(0, len(parts), size)]
    jobs = [_job([parts[n] for n in chunk]) for chunk in chunks]
    for place, results in runner.each(jobs):
        for n, result in zip(chunks[place], results, strict=True):
            yield n, parts[n].judged(result)


def _is_worth_workers(parts: Sequence[Part], runner: Runner) -> bool:
    """Say whether workers run studies beside each other; else they do parts of one at a time."""
    if not runner.is_parallel or runner.events.sees_steps or len(parts) < 2 * runner.workers:
        return False
    return estimate(Plan(tuple(part.planned for part in parts))).seconds >= WORTH_PROCESSES


def _job(parts: Sequence[Part]) -> Job:
    named = [f"'{part.planned.study.name}'" for part in parts]
    work = sum(_work(part) for part in parts)
    return Job(run_parts, (tuple(parts),), ", ".join(dict.fromkeys(named)), work=work)


def _work(part: Part) -> float:
    """Return what a study tells of progress in all, about."""
    study, work = part.planned.study, float(len(part.planned.tasks))
    if not is_simulated(study):
        return work
    from specc.run.simulate import simulation_work

    return work + simulation_work(study)


def run_parts(parts: Sequence[Part]) -> list[StudyResult]:
    """Run studies in a worker."""
    return list(_run_parts(parts, Runner()))


def _together(parts: Sequence[Part]) -> Iterator[list[int]]:
    """Yield the places of studies that are evaluated together."""
    places: list[int] = []
    count = 0
    for place, part in enumerate(parts):
        places.append(place)
        count += len(part.planned.tasks)
        if count >= TASKS_TOGETHER:
            yield places
            places, count = [], 0
    if places:
        yield places


def _run_parts(parts: Sequence[Part], runner: Runner) -> Iterator[StudyResult]:
    known = evaluated([task for part in parts for task in part.planned.tasks], runner)
    for part in parts:
        yield _run_study(part.planned, known, runner, part.coverage)


def _run_study(
    planned: PlannedStudy, known: Mapping[str, Evaluated], runner: Runner, coverage: Coverage
) -> StudyResult:
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
    return evaluated(tasks, Runner(executor=runner.executor, workers=runner.workers))


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
