"""The capacity of a subject: the highest rate that it carries, and the instances for a rate."""

import math
from functools import cache

from specc.cost.times import P10, P90
from specc.ir import Capacity, Process
from specc.results import CapacityFound, Metrics
from specc.run.loads import MOST_INSTANCES, Seen
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


def found_capacity(simulator: Simulator, wanted: Capacity, seen: Seen, own: float) -> CapacityFound:
    """Search the capacity with each seed, then with a cost model that errs.

    Args:
        simulator: of the configuration, or of the server.
        wanted: what is searched.
        seen: what the simulation at the rate of the spec says, with the first seed.
        own: the capacity with the first seed, as a factor on the rate.
    """
    subject, target = simulator.subject, wanted.attainment
    base = simulator.source.rate
    assert base is not None
    first = subject.simulate.seed
    random = subject.simulate.arrival.process is not Process.TRACE
    count = wanted.seeds if random else 1
    if not own:
        return CapacityFound(target, None, seeds=count)
    nominal, found = _probe(simulator, target, seen, simulator.doubt), [own]
    for seed in range(first + 1, first + count):
        scale = highest_scale(nominal, target, seed, found[-1], NEAR)
        if scale is None:
            return CapacityFound(target, None, seeds=count)
        found.append(scale)
    mean = math.fsum(found) / len(found)
    slow = fast = None
    if subject.configuration is not None:
        fast, slow = (
            highest_scale(
                _probe(simulator, target, seen, d), target, first, own / simulator.slowness(d), NEAR
            )
            for d in (P10, P90)
        )

    @cache
    def whole(scale: float) -> Metrics:
        if scale == 1.0:
            return seen.judged
        at = Conditions(scale, first, simulator.doubt, counts=seen.at.counts)
        return simulator.metrics(at)

    curve = [seen_at(share * own * base, whole(share * own)) for share in CURVE]
    above = whole(ABOVE * own)
    limiting = min(above.objectives, key=lambda objective: objective.share)
    instances = share = None
    if wanted.rate is not None:
        each = mean * base / subject.simulate.instances
        instances, share = _instances_for(simulator, wanted, each, base, seen.at.counts)
    return CapacityFound(
        target=wanted.attainment,
        rate=mean * base,
        low=min(found) * base,
        high=max(found) * base,
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
        attainment_at_wanted=share,
    )


def _instances_for(
    simulator: Simulator,
    wanted: Capacity,
    each: float,
    base: float,
    counts: tuple[int, ...] | None,
) -> tuple[int | None, float | None]:
    """Return the fewest instances that carry the wanted rate, and the attainment they reach at it.

    The latter is None where the simulation cannot tell at this rate. Begins at what the capacity
    of one says; a router may need fewer of many, or more.
    """
    assert wanted.rate is not None
    scale = wanted.rate / base

    def copies(count: int) -> tuple[int, ...]:
        own = counts or tuple(part.count for part in simulator.subject.parts) or (1,)
        return tuple(each * count for each in own)

    def share_in(metrics: Metrics) -> float | None:
        return metrics.attainment if carried(metrics, wanted.attainment) else None

    def metrics_of(count: int) -> Metrics:
        at = Conditions(scale, deviations=simulator.doubt, counts=copies(count))
        return simulator.metrics(at)

    def share_of(count: int) -> float | None:
        return share_in(metrics_of(count))

    count = max(1, math.ceil(wanted.rate / each - 1e-9))
    if count > MOST_INSTANCES:
        return None, None
    try:
        metrics = metrics_of(count)
    except TooLongError:  # requests are hours apart: there is nothing to check
        return count, None
    if is_short(metrics):
        return count, None
    share = share_in(metrics)
    if share is not None:
        while count > 1 and (fewer := share_of(count - 1)) is not None:
            count, share = count - 1, fewer
        return count, share
    for more in range(count + 1, count + 2 + count // 2):
        share = share_of(more)
        if share is not None:
            return more, share
    return None, None
