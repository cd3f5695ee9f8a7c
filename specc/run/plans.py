"""Running a plan: its studies from the store, here or by workers, and what is kept of them."""

import ctypes
import gc
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, groupby
from typing import Any

from attrs import Factory, define, evolve, frozen

from specc.ir.load import is_simulated
from specc.plan import Plan, PlannedStudy
from specc.results import MOST_WHOLE, StudyResult, shown_whole, without_streamed
from specc.results.rows import CandidateTable
from specc.run.coverage import Coverage
from specc.run.estimate import estimate
from specc.run.executors import WORTH_PROCESSES, evaluated
from specc.run.judge import judge
from specc.run.keys import key_of
from specc.run.runner import Job, Runner
from specc.run.studies import run_study

ALL = Coverage(alone=False, whole=True)
BEST = Coverage(alone=True, whole=True)
ONCE = Coverage(alone=True, whole=False)

# Studies with so many tasks in all are evaluated together: those with the same cost of a step
# share it, and what was found for tasks is kept until their studies are done.
TASKS_TOGETHER = 300
CHUNKS = 8  # of the studies of a worker
CLAIMED = 16  # studies of a worker that a run claims before it runs them
WAIT_S = 0.2  # for what another run finds, between two looks at the store


def run(plan: Plan, runner: Runner | None = None) -> tuple[StudyResult, ...]:
    """Evaluate all tasks of a plan and judge its studies.

    Of many variants of a swept study the recommendation of each is simulated once, and those that
    a report shows whole get the rest.
    """
    runner = runner or Runner()
    variants = [list(of) for _, of in groupby(plan.studies, lambda planned: planned.study.name)]
    parts = [PlannedPart(planned, _coverage(own)) for own in variants for planned in own]
    most = max(LEAST_KEPT, MOST_KEPT // max(1, len(parts)))
    found = _found(parts, runner, _InOrder(runner.table, most))
    again: list[int] = []
    first = 0
    for own in variants:
        if len(own) > MOST_WHOLE:
            results = found[first : first + len(own)]
            whole = shown_whole(results)
            again += [first + n for n, r in enumerate(results) if any(r is one for one in whole)]
        first += len(own)
    wholes = _found([PlannedPart(parts[place].planned, ALL) for place in again], runner)
    for place, result in zip(again, wholes, strict=True):
        found[place] = result
        if runner.table is not None:
            found[place] = without_streamed(result, MOST_KEPT, curves=True)
    return tuple(found)


def _coverage(variants: Sequence[PlannedStudy]) -> Coverage:
    """Return how much is simulated of each variant of a study."""
    if len(variants) == 1:
        return ALL
    return BEST if len(variants) <= MOST_WHOLE else ONCE


@frozen(eq=False)
class PlannedPart:
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


# Configurations and candidates of a kind that results keep where all are in a table: of all
# studies together, and the least of each.
MOST_KEPT, LEAST_KEPT = 1000, 3


@define(eq=False)
class _InOrder:
    """Gives the candidates of studies to a table, in the order of the plan, and then keeps few."""

    table: CandidateTable | None
    most: int
    _next: int = 0
    _held: dict[int, Any] = Factory(dict)

    def taken(self, place: int, part: PlannedPart, result: StudyResult) -> StudyResult:
        """Return what results keep of a study, whose candidates the table has or will have."""
        if self.table is None:
            return result
        self._held[place] = self.table.encoded(result)
        while self._next in self._held:
            self.table.write(self._held.pop(self._next))
            self._next += 1
        return without_streamed(result, self.most, curves=part.coverage.whole)


def _found(
    parts: Sequence[PlannedPart], runner: Runner, order: _InOrder | None = None
) -> list[StudyResult]:
    """Return the results of studies: from the store, or run here or by workers."""
    store, order = runner.store, order or _InOrder(None, 0)
    known: dict[int, StudyResult] = {}
    if store is None:
        for place, result in _run(parts, runner):
            known[place] = order.taken(place, parts[place], result)
        return [known[place] for place in range(len(parts))]
    keys = [part.key for part in parts]
    missing = _looked_up(range(len(parts)), parts, keys, runner, known, order)
    while missing:
        # Not all at once: several runs of a plan share its studies.
        most = CLAIMED * runner.workers
        front, missing = missing[:most], missing[most:]
        claimed = store.claim([keys[place] for place in front])
        taken = [place for place, is_own in zip(front, claimed, strict=True) if is_own]
        try:
            # Another run may have stored it between the look and the claim.
            own = _looked_up(taken, parts, keys, runner, known, order)
            for place, result in _run([parts[place] for place in own], runner):
                runner.keep(keys[own[place]], result)
                known[own[place]] = order.taken(own[place], parts[own[place]], result)
        finally:
            store.release([keys[place] for place in taken])
        # What another run is at comes last; that run may end before it has stored it.
        theirs = [place for place in front if place not in known]
        missing += _looked_up(theirs, parts, keys, runner, known, order)
        if missing and not taken:
            time.sleep(WAIT_S)
    return [known[place] for place in range(len(parts))]


def _looked_up(
    places: Iterable[int],
    parts: Sequence[PlannedPart],
    keys: Sequence[str],
    runner: Runner,
    known: dict[int, StudyResult],
    order: _InOrder,
) -> list[int]:
    """Add to what is known what the store has; return the places of the rest."""
    missing = []
    for place in places:
        is_stored, plain = runner.stored(keys[place], StudyResult)
        if not is_stored:
            missing.append(place)
            continue
        part = parts[place]
        result = part.judged(plain.of(part.planned.study))
        known[place] = order.taken(place, part, result)
        runner.events.skipped(_work(part))
    return missing


def _run(parts: Sequence[PlannedPart], runner: Runner) -> Iterator[tuple[int, StudyResult]]:
    """Yield the places and the results of studies."""
    if not _is_worth_workers(parts, runner):
        for together in _together(parts):
            if together[0]:
                _give_back()
            results = _run_parts([parts[place] for place in together], runner)
            yield from zip(together, results, strict=True)
        return
    size = max(1, len(parts) // (runner.workers * CHUNKS))
    chunks = [range(n, min(n + size, len(parts))) for n in range(0, len(parts), size)]
    jobs = [_job([parts[n] for n in chunk]) for chunk in chunks]
    for place, results in runner.each(jobs):
        for n, result in zip(chunks[place], results, strict=True):
            yield n, parts[n].judged(result)


def _give_back() -> None:
    """Give what studies do not need any more back to the system.

    The command line collects no cycles, and studies leave some. The allocator of glibc keeps what
    lies between small things that live on: half a gigabyte after a thousand studies.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _is_worth_workers(parts: Sequence[PlannedPart], runner: Runner) -> bool:
    """Say whether workers run studies beside each other; else they do parts of one at a time."""
    if not runner.is_parallel or runner.events.sees_steps or len(parts) < 2:
        return False
    if runner.living is not None:  # a cluster was asked for
        return True
    # Study by study: the first ones of a large plan tell.
    each = (estimate(Plan((part.planned,))).seconds for part in parts)
    return any(seconds >= WORTH_PROCESSES for seconds in accumulate(each))


def _job(parts: Sequence[PlannedPart]) -> Job:
    named = [f"'{part.planned.study.name}'" for part in parts]
    work = sum(_work(part) for part in parts)
    return Job(run_parts, (tuple(parts),), ", ".join(dict.fromkeys(named)), work=work)


def _work(part: PlannedPart) -> float:
    """Return what a study tells of progress in all, about."""
    study, work = part.planned.study, float(len(part.planned.tasks))
    if not is_simulated(study):
        return work
    from specc.run.simulate import simulation_work

    return work + simulation_work(study)


def run_parts(parts: Sequence[PlannedPart]) -> list[StudyResult]:
    """Run studies in a worker."""
    return list(_run_parts(parts, Runner()))


def _together(parts: Sequence[PlannedPart]) -> Iterator[list[int]]:
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


def _run_parts(parts: Sequence[PlannedPart], runner: Runner) -> Iterator[StudyResult]:
    known = evaluated([task for part in parts for task in part.planned.tasks], runner)
    for part in parts:
        yield run_study(part.planned, known, runner, part.coverage)
