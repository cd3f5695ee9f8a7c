"""Simulating a study: its figures, how the cost model's error moves them, and the capacity."""

import math
from collections.abc import Mapping, Sequence
from functools import cache

from specc.cost.times import P10, P90
from specc.diagnostics import Diagnostic, Label
from specc.ir import Capacity, Process, Study
from specc.ir.simulation import LONGEST_SIMULATION
from specc.results import (
    CapacityFound,
    Closed,
    Configuration,
    Estimate,
    Metrics,
    Simulated,
    SimulationPicture,
)
from specc.run.evaluate import Evaluated
from specc.run.events import Events
from specc.run.failure import RunError
from specc.run.subjects import SimulationInterruptedError, Simulator, subjects
from specc.simulation.arrivals import RequestSource
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
from specc.simulation.cluster import AT_ONCE
from specc.simulation.requests import TooLongError

ESTIMATED = ("ttft.p50", "ttft.p99", "tpot.p50", "tpot.p99", "latency.p99")
MOST_INSTANCES = 1_000
ABOVE = 1.1  # times the capacity: where to look for what breaks first
PROBES = 11  # simulations of a bisection, about
FURTHER = 5  # and of that with another seed


def simulated(
    study: Study,
    configurations: Sequence[Configuration],
    known: Mapping[str, Evaluated],
    events: Events,
) -> tuple[Simulated, ...]:
    """Simulate the shortlist of a study, or its servers; the one to choose comes first.

    Raises:
        SimulationInterruptedError: stopped by the keyboard.
        RunError: a simulation lasts longer than it can tell.
    """
    wanted = subjects(study, configurations, known)
    try:
        found = [_run(Simulator(subject, events)) for subject in wanted]
    except TooLongError:
        raise RunError(_too_long(study)) from None
    return tuple(sorted(found, key=_rank))


def _too_long(study: Study) -> Diagnostic:
    simulate = study.simulate
    assert simulate is not None
    return Diagnostic(
        "E0402",
        f"the simulation of '{study.name}' lasts longer than {LONGEST_SIMULATION / 86400:.0f} days",
        (Label(simulate.spans[""]),),
        why="the engines are too slow to finish the requests",
        help="check the numbers of the device and the lengths of the requests",
    )


def _rank(found: Simulated) -> tuple[float, ...]:
    """Order by capacity a device if it was searched; else what meets its objectives, the least
    devices first, then what comes nearest to them."""
    if found.capacity is not None:
        return -(found.capacity.rate or 0.0) / max(1, found.devices), float(found.place)
    short = 0.0 if found.meets else 1 - found.metrics.attainment
    devices = float(found.devices)
    return float(not found.meets), short, devices, -found.metrics.goodput, float(found.place)


def simulation_work(study: Study) -> int:
    """Estimate how often the simulations of a study call for progress."""
    if study.simulate is None:
        return 0
    count = RequestSource(study.simulate, study.workload).count
    return simulations_of(study) * -(-count // AT_ONCE)


def simulations_of(study: Study) -> int:
    """Estimate how many simulations of all its requests a study takes."""
    simulate, capacity = study.simulate, study.capacity
    if simulate is None:
        return 0
    runs = 1 if study.servers else 3
    if capacity is not None:
        further = capacity.seeds - 1 if simulate.arrival.trace is None else 0
        runs += PROBES + FURTHER * further + len(CURVE)
        runs += 0 if study.servers else 2 * PROBES
    subjects = len(study.servers) + len(study.deployments) * simulate.shortlist
    return subjects * runs


def _run(simulator: Simulator) -> Simulated:
    subject = simulator.subject
    outcome = simulator.outcome()
    metrics = simulator.judged(outcome)
    wanted = subject.study.capacity
    try:
        estimates = _estimates(simulator)
        capacity = None if wanted is None else _capacity(simulator, wanted, metrics)
    except SimulationInterruptedError:
        # What is known of other rates tells nothing: the simulation itself is what is worth.
        raise SimulationInterruptedError(subject.name, metrics) from None
    found = Simulated(
        name=subject.name,
        layout=subject.layout,
        place=subject.place,
        devices=subject.devices * subject.simulate.instances,
        engines=tuple(count * subject.simulate.instances for count in simulator.engines),
        settings=simulator.limits,
        metrics=metrics,
        estimates=estimates,
        closed=_closed(subject.configuration, metrics),
        picture=SimulationPicture(
            series=outcome.series(),
            steps=outcome.steps(),
            ttft=outcome.distribution("ttft"),
            tpot=outcome.distribution("tpot"),
            latency=outcome.distribution("latency"),
        ),
        capacity=capacity,
    )
    simulator.events.simulated(found, outcome)
    return found


def _estimates(simulator: Simulator) -> tuple[Estimate, ...]:
    """Simulate at the ends of the error band of the cost model."""
    if simulator.subject.configuration is None:
        return ()
    fast, slow = (simulator.metrics(deviations=d) for d in (P10, P90))
    return tuple(_estimate(fact, fast, slow) for fact in ESTIMATED)


def _estimate(fact: str, fast: Metrics, slow: Metrics) -> Estimate:
    return Estimate(fact, fast.statistic(fact), slow.statistic(fact))


def _closed(planned_as: Configuration | None, metrics: Metrics) -> tuple[Closed, ...]:
    """Set what closed form or step loop said beside the means of the simulation."""
    if planned_as is None:
        return ()
    found = []
    for name in ("ttft", "tpot"):
        planned = getattr(planned_as, name)
        seen = metrics.statistic(f"{name}.mean")
        if planned is not None and seen is not None:
            found.append(Closed(name, planned, seen))
    found.append(Closed("rate", planned_as.rate, metrics.served))
    return tuple(found)


def _capacity(simulator: Simulator, wanted: Capacity, seen: Metrics) -> CapacityFound:
    """Search the capacity with each seed, then with a cost model that errs.

    `seen` is what the simulation at the rate of the spec says, with the first seed.
    """
    subject = simulator.subject
    base = simulator.source.rate
    assert base is not None
    first = subject.simulate.seed
    random = subject.simulate.arrival.process is not Process.TRACE
    seeds = [first + n for n in range(wanted.seeds)] if random else [first]

    def probe(deviations: float = 0.0) -> Simulation:
        """Return a simulation that may end as soon as it is lost."""

        @cache
        def run(scale: float, seed: int) -> Metrics:
            if (scale, seed, deviations) == (1.0, first, 0.0):
                return seen
            return simulator.metrics(scale, seed, deviations, target=wanted.attainment)

        return run

    nominal = probe()
    found: list[float] = []
    start, step = 1.0, FAR
    for seed in seeds:
        scale = highest_scale(nominal, wanted.attainment, seed, start, step)
        if scale is None:
            return CapacityFound(wanted.attainment, None, seeds=len(seeds))
        found.append(scale)
        start, step = scale, NEAR
    own, mean = found[0], math.fsum(found) / len(found)
    slow = fast = None
    if subject.configuration is not None:
        fast, slow = (highest_scale(probe(d), wanted.attainment, first, own) for d in (P10, P90))

    @cache
    def whole(scale: float) -> Metrics:
        return seen if scale == 1.0 else simulator.metrics(scale, first)

    curve = [seen_at(share * own * base, whole(share * own)) for share in CURVE]
    above = whole(ABOVE * own)
    limiting = min(above.objectives, key=lambda objective: objective.share)
    instances = share = None
    if wanted.rate is not None:
        each = mean * base / subject.simulate.instances
        instances, share = _instances_for(simulator, wanted, each, base)
    return CapacityFound(
        target=wanted.attainment,
        rate=mean * base,
        low=min(found) * base,
        high=max(found) * base,
        slow=None if slow is None else slow * base,
        fast=None if fast is None else fast * base,
        seeds=len(seeds),
        curve=tuple(curve),
        curve_rate=own * base,
        limiting=limiting.objective,
        short=is_short(above),
        wanted=wanted.rate,
        instances=instances,
        attainment_at_wanted=share,
    )


def _instances_for(
    simulator: Simulator, wanted: Capacity, each: float, base: float
) -> tuple[int | None, float | None]:
    """Return the fewest instances that carry the wanted rate, and the attainment they reach at it.

    The latter is None where the simulation cannot tell at this rate. Begins at what the capacity
    of one says; a router may need fewer of many, or more.
    """
    assert wanted.rate is not None
    scale = wanted.rate / base

    def share_in(metrics: Metrics) -> float | None:
        return metrics.attainment if carried(metrics, wanted.attainment) else None

    def share_of(count: int) -> float | None:
        return share_in(simulator.metrics(scale, copies=count))

    count = max(1, math.ceil(wanted.rate / each - 1e-9))
    if count > MOST_INSTANCES:
        return None, None
    try:
        metrics = simulator.metrics(scale, copies=count)
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
