"""The capacity of a subject: the highest rate that it carries, and the instances for a rate."""

import math
from functools import cache

from attrs import evolve

from specc.cost.times import P10, P90
from specc.ir import Capacity, Process
from specc.results import CapacityFound, Metrics
from specc.run.confidence import probability
from specc.run.loads import MOST_INSTANCES, Seen, metrics_at
from specc.run.probes import simulation
from specc.run.runner import Runner
from specc.run.subjects import Conditions, Simulator
from specc.simulation.capacity import (
    CURVE,
    FAR,
    NEAR,
    Simulation,
    carried,
    highest_scale,
    is_short,
    seen_at,
)
from specc.simulation.requests import TooLongError

FURTHER = 5  # simulations of a search whose way is known, about
ABOVE = 1.1  # times the capacity: where to look for what breaks first


def carried_by(simulator: Simulator, seen: Seen) -> CapacityFound:
    """Search the highest rate at which the instances of a fleet keep all limits, with one seed.

    `seen` is what the simulation at its rate says, with this seed.
    """
    base, seed = simulator.source.rate, simulator.subject.simulate.seed
    assert base is not None
    probe = _probe(simulator, 0.0, seen, simulator.doubt)
    scale = highest_scale(probe, 0.0, seed, 1.0, NEAR) if seen.holds else None
    return CapacityFound(target=0.0, rate=None if scale is None else scale * base)


def _probe(simulator: Simulator, target: float, seen: Seen, deviations: float = 0.0) -> Simulation:
    """Return simulations that may end as soon as they are lost; `seen` is that of the spec."""
    first, counts = simulator.subject.simulate.seed, seen.at.counts

    @cache
    def run(scale: float, seed: int) -> Metrics:
        if (scale, seed, deviations) == (1.0, first, 0.0):
            return seen.metrics
        return simulator.metrics(Conditions(scale, seed, deviations, counts, target=target))

    return run


def first_scale(simulator: Simulator, wanted: Capacity, seen: Seen, near: float | None) -> float:
    """Return the capacity with the first seed as a factor on the rate; 0 if there is none.

    `near` is one that it is near to, if anything tells.
    """
    probe = _probe(simulator, wanted.attainment, seen, simulator.doubt)
    seed = simulator.subject.simulate.seed
    start, step = (1.0, FAR) if near is None else (near, NEAR)
    return highest_scale(probe, wanted.attainment, seed, start, step) or 0.0


def found_capacity(
    simulator: Simulator, wanted: Capacity, seen: Seen, own: float, runner: Runner
) -> CapacityFound:
    """Search the capacity with each seed, and with a cost model that errs; see what is around it.

    Args:
        simulator: of the configuration, or of the server.
        wanted: what is searched.
        seen: what the simulation at the rate of the spec says, with the first seed.
        own: the capacity with the first seed, as a factor on the rate.
        runner: of the searches and simulations, each of which is a job.
    """
    subject, target = simulator.subject, wanted.attainment
    base = simulator.source.rate
    assert base is not None
    first, doubt, counts = subject.simulate.seed, simulator.doubt, seen.at.counts
    random = subject.simulate.arrival.process is not Process.TRACE
    count = wanted.seeds if random else 1
    if not own:
        return CapacityFound(target, None, seeds=count)
    seeds = [Conditions(own, n, doubt, counts, target=target)
             for n in range(first + 1, first + count)]  # fmt: skip
    bands = [Conditions(own / simulator.slowness(d), first, d, counts, target=target)
             for d in (P10, P90) if subject.configuration is not None]  # fmt: skip
    rates = [share * own for share in (*CURVE, ABOVE)]
    around = [Conditions(rate, first, doubt, counts) for rate in rates if rate != 1.0]
    jobs = [simulation(simulator, float, FURTHER, searched, at) for at in (*seeds, *bands)]
    jobs += [simulation(simulator, Metrics, 1, metrics_at, at) for at in around]
    done = runner.all(jobs)
    of_seeds = [own, *done[: len(seeds)]]
    fast, slow = done[len(seeds) :][:2] if bands else (None, None)
    if None in of_seeds:
        return CapacityFound(target, None, seeds=count)
    mean = math.fsum(of_seeds) / len(of_seeds)
    whole = {1.0: seen.judged} | dict(
        zip((at.scale for at in around), done[len(jobs) - len(around) :], strict=True)
    )
    curve = [seen_at(rate * base, whole[rate]) for rate in rates[:-1]]
    above = whole[rates[-1]]
    limiting = min(above.objectives, key=lambda objective: objective.share)
    instances, at_wanted = None, None
    if wanted.rate is not None:
        each = mean * base / subject.simulate.instances
        instances, at_wanted = _instances_for(simulator, wanted, each, base, counts)
    sure = None
    if at_wanted is not None and instances and fast and slow:
        needed = (wanted.rate or 0.0) * subject.simulate.instances / instances / base
        seen_of = ((P10, needed / fast), (0.0, needed / mean), (P90, needed / slow))
        # If the cost model does not err they carry it: that was simulated.
        sure = max(0.5, probability(seen_of, 1.0))
    return CapacityFound(
        target=wanted.attainment,
        rate=mean * base,
        low=min(of_seeds) * base,
        high=max(of_seeds) * base,
        slow=None if slow is None else slow * base,
        fast=None if fast is None else fast * base,
        seeds=count,
        curve=tuple(curve),
        curve_rate=own * base,
        limiting=limiting.objective,
        limiting_share=limiting.share,
        short=is_short(above),
        wanted=wanted.rate,
        instances=instances,
        attainment_at_wanted=None if at_wanted is None else at_wanted.attainment,
        probability_at_wanted=sure,
        at_wanted=() if at_wanted is None else at_wanted.objectives,
    )


def searched(simulator: Simulator, at: Conditions) -> float | None:
    """Return the highest factor on the rate that is carried under some conditions: a job.

    Args:
        simulator: of what carries it.
        at: the conditions, with the factor to begin at, and the target.
    """

    @cache
    def run(scale: float, seed: int) -> Metrics:
        return simulator.metrics(evolve(at, scale=scale, seed=seed))

    assert at.seed is not None
    return highest_scale(run, at.target, at.seed, at.scale, NEAR)


def _instances_for(
    simulator: Simulator,
    wanted: Capacity,
    each: float,
    base: float,
    counts: tuple[int, ...] | None,
) -> tuple[int | None, Metrics | None]:
    """Return the fewest instances that carry the wanted rate, and what requests see of them.

    The latter is None where the simulation cannot tell at this rate. Begins at what the capacity
    of one says; a router may need fewer of many, or more.
    """
    assert wanted.rate is not None
    scale = wanted.rate / base

    def copies(count: int) -> tuple[int, ...]:
        own = counts or tuple(part.count for part in simulator.subject.parts) or (1,)
        return tuple(each * count for each in own)

    def metrics_of(count: int) -> Metrics:
        at = Conditions(scale, deviations=simulator.doubt, counts=copies(count))
        return simulator.metrics(at)

    def carrying(count: int) -> Metrics | None:
        metrics = metrics_of(count)
        return metrics if carried(metrics, wanted.attainment) else None

    count = max(1, math.ceil(wanted.rate / each - 1e-9))
    if count > MOST_INSTANCES:
        return None, None
    try:
        metrics = metrics_of(count)
    except TooLongError:  # requests are hours apart: there is nothing to check
        return count, None
    if is_short(metrics):
        return count, None
    if carried(metrics, wanted.attainment):
        while count > 1 and (fewer := carrying(count - 1)) is not None:
            count, metrics = count - 1, fewer
        return count, metrics
    for more in range(count + 1, count + 2 + count // 2):
        found = carrying(more)
        if found is not None:
            return more, found
    return None, None
