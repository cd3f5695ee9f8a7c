"""Simulating a study: its shortlist, what the recommendation gets beyond it, and the capacity."""

import math
from collections.abc import Mapping, Sequence
from functools import cache

from attrs import define, evolve, frozen

from specc.cost.times import P10, P90
from specc.diagnostics import Diagnostic, Label
from specc.ir import Capacity, Deployment, Objective, Process, Study
from specc.ir.load import LoadKind, fleet_rate, is_simulated, load_kind
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
from specc.run.answers import answered, carried_rate
from specc.run.configurations import rank_of
from specc.run.coverage import Coverage
from specc.run.evaluate import Evaluated
from specc.run.events import Events
from specc.run.failure import RunError
from specc.run.loads import Seen, fewest_instances, most_clients, seen_under
from specc.run.shortlist import FEWEST, load_at, load_of, places_of, shortlisted, usual_load
from specc.run.subjects import (
    Conditions,
    SimulationInterruptedError,
    Simulator,
    server_subjects,
    subject_of,
)
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
CHECKED_SEEDS = 3  # with which the instances of a fleet are counted
LOOKS = 4  # simulations of a configuration of a shortlist, about


@frozen(eq=False)
class Answers:
    """What was simulated of a study.

    Attributes:
        configurations: of the study, those that were simulated first, the best first; their
            figures are what was simulated.
        simulations: of these, or of measured servers, in the same order.
    """

    configurations: list[Configuration]
    simulations: tuple[Simulated, ...]


@define(eq=False)
class _Look:
    """A configuration of a shortlist on its way to an answer.

    Attributes:
        seen: the conditions that were found, and what was simulated under them.
        capacity: where the study asks for it, or where the capacity decides.
        further: statistics at the ends of the error of the cost model, fast and slow.
        scale: the capacity with the first seed, as a factor on the rate of the spec.
        is_whole: whether it has all that a recommendation gets.
    """

    simulator: Simulator
    kind: LoadKind | None
    seen: Seen
    capacity: CapacityFound | None = None
    further: tuple[Seen, Seen] | None = None
    scale: float = 0.0
    is_whole: bool = False

    @property
    def planned_rate(self) -> float:
        """What the closed form says of the configuration, in requests a second."""
        planned = self.simulator.subject.configuration
        assert planned is not None
        return planned.rate

    @property
    def configuration(self) -> Configuration:
        """The configuration with its answer."""
        planned = self.simulator.subject.configuration
        assert planned is not None
        return answered(self.simulator, self.kind, self.seen, self.capacity, self.further)


def answers(
    study: Study,
    order: Sequence[Configuration],
    known: Mapping[str, Evaluated],
    events: Events,
    coverage: Coverage,
) -> Answers:
    """Simulate the shortlist of a study, or its servers.

    Args:
        study: what is asked.
        order: its configurations, the best by closed form first.
        known: what was found for their tasks.
        events: told of progress.
        coverage: how much is simulated.

    Raises:
        SimulationInterruptedError: stopped by the keyboard.
        RunError: a simulation lasts longer than it can tell.
    """
    try:
        if study.servers:
            looks = [_server(Simulator(s, events)) for s in server_subjects(study)]
            found = [_told(look, events) for look in looks]
            return Answers(list(order), tuple(sorted(found, key=lambda one: _order(one, 1.0))))
        return _answers(study, order, known, events, coverage)
    except TooLongError:
        raise RunError(_too_long(study)) from None


def _answers(
    study: Study,
    order: Sequence[Configuration],
    known: Mapping[str, Evaluated],
    events: Events,
    coverage: Coverage,
) -> Answers:
    chosen = shortlisted(study, order)
    if coverage.alone:
        chosen = chosen[:1]
    looks: list[_Look] = []
    for found in chosen:
        before = looks[0] if looks else None
        looks.append(_look(study, found, _place(found, order), known, events, before))
    if not looks:
        return Answers(list(order), ())
    while True:
        looks.sort(key=lambda look: _place_of(look, study))
        if looks[0].is_whole or not coverage.whole:
            break
        _complete(looks[0])  # which may need more instances, and so fall behind
    simulations = tuple(_told(look, events) for look in looks)
    others = [c for c in order if not any(c is one for one in chosen)]
    return Answers([look.configuration for look in looks] + others, simulations)


def _place(found: Configuration, order: Sequence[Configuration]) -> int:
    own = [c for c in order if c.feasible and c.deployment == found.deployment]
    return next(n for n, c in enumerate(own, start=1) if c is found)


def _look(
    study: Study,
    found: Configuration,
    place: int,
    known: Mapping[str, Evaluated],
    events: Events,
    before: _Look | None,
) -> _Look:
    """Find the conditions under which a configuration carries the load of its study.

    `before` is a look at another one, by which the closed form tells where to begin.
    """
    deployment = next(d for d in study.deployments if d.name == found.deployment)
    simulate = load_of(study, deployment, found)
    simulator = Simulator(subject_of(study, simulate, found, place, known), events)
    kind = load_kind(study, deployment)
    match kind:
        case LoadKind.RATE:
            look = _Look(simulator, kind, fewest_instances(simulator, Conditions()))
            if study.objective is not Objective.FEWEST_DEVICES:
                look.capacity = _carried(look)
        case LoadKind.CLIENTS:
            look = _Look(simulator, kind, most_clients(simulator, places_of(found)))
        case _:
            look = _Look(simulator, kind, _seen_as_given(simulator, study, deployment))
            if study.capacity is not None:
                near = None if before is None else before.scale * found.rate / before.planned_rate
                look.scale = _scale(simulator, study.capacity, look.seen, near or None)
                rate = look.scale * (simulator.source.rate or 0.0)
                look.capacity = CapacityFound(study.capacity.attainment, rate or None)
    return look


def _seen_as_given(simulator: Simulator, study: Study, deployment: Deployment) -> Seen:
    """Simulate the load of a spec; a fleet for a rate has the instances that this load needs."""
    subject = simulator.subject
    rate, planned = fleet_rate(study, deployment), subject.configuration
    if rate is None or planned is None or subject.simulate.instances > 1:
        return seen_under(simulator, Conditions())
    steady = evolve(load_at(rate, planned), router=subject.simulate.router)
    sizing = Simulator(evolve(subject, simulate=steady), simulator.events)
    sized = fewest_instances(sizing, Conditions())
    return seen_under(simulator, Conditions(counts=sized.at.counts))


def _complete(look: _Look) -> None:
    """Add what a recommendation gets: further seeds, the error of the cost model, the capacity."""
    simulator, study = look.simulator, look.simulator.subject.study
    if look.kind is LoadKind.RATE:
        _check_with_seeds(look)
    try:
        at = look.seen.at
        fast, slow = (seen_under(simulator, evolve(at, deviations=d)) for d in (P10, P90))
        look.further = fast, slow
        if look.kind is LoadKind.RATE:
            look.capacity = _carried(look)
        elif study.capacity is not None:
            look.capacity = _capacity(simulator, study.capacity, look.seen, look.scale)
    except SimulationInterruptedError:
        # What is known of other rates tells nothing: the simulation itself is what is worth.
        name = simulator.subject.name
        raise SimulationInterruptedError(name, look.seen.metrics) from None
    look.is_whole = True


def _check_with_seeds(look: _Look) -> None:
    """Count more instances where those found do not carry the load with other seeds."""
    simulator, first = look.simulator, look.simulator.subject.simulate.seed
    counts = look.seen.at.counts
    if not look.seen.holds or counts is None:
        return
    for seed in range(first + 1, first + CHECKED_SEEDS):
        seen = seen_under(simulator, Conditions(seed=seed, counts=counts))
        if not seen.holds:
            more = fewest_instances(simulator, Conditions(seed=seed, counts=counts))
            counts = more.at.counts or counts
    if counts != look.seen.at.counts:
        look.seen = seen_under(simulator, Conditions(seed=first, counts=counts))


def _carried(look: _Look) -> CapacityFound:
    """Search the highest rate that the instances of a fleet carry, with one seed."""
    simulator, at = look.simulator, look.seen.at
    base = simulator.source.rate
    assert base is not None

    def run(scale: float, seed: int) -> Metrics:
        if scale == 1.0:
            return look.seen.metrics
        return simulator.metrics(evolve(at, scale=scale, seed=seed))

    seed = simulator.subject.simulate.seed
    scale = highest_scale(run, 0.0, seed, 1.0, NEAR) if look.seen.holds else None
    return CapacityFound(target=0.0, rate=None if scale is None else scale * base)


def _place_of(look: _Look, study: Study) -> tuple[float, ...]:
    """Return the place of a configuration among those that were simulated."""
    found = look.configuration
    if look.kind is not LoadKind.GIVEN:
        place = rank_of(found, found.misses, study.objective)
        rate = carried_rate(found, study.objective)
        return place if rate is None else (place[0], -rate, *place[2:])
    by_cost = study.objective is Objective.THROUGHPUT_PER_COST and found.cost_per_second
    size = found.cost_per_second if by_cost else float(found.devices)
    return _order(_simulated(look), size or 0.0)


def _order(found: Simulated, size: float) -> tuple[float, ...]:
    """Return the place under a load that is given, by what a configuration costs.

    By capacity for what it costs, if that was searched; else what meets its objectives, the
    cheapest first, then what comes nearest to them.
    """
    if found.capacity is not None:
        return -(found.capacity.rate or 0.0) / max(size, 1e-30), float(found.place)
    short = 0.0 if found.meets else 1 - found.metrics.attainment
    return float(not found.meets), short, size, -found.metrics.goodput, float(found.place)


def _too_long(study: Study) -> Diagnostic:
    asked = study if study.simulate is None else study.simulate
    return Diagnostic(
        "E0402",
        f"the simulation of '{study.name}' lasts longer than {LONGEST_SIMULATION / 86400:.0f} days",
        (Label(asked.spans[""]),),
        why="the engines are too slow to finish the requests",
        help="check the numbers of the device and the lengths of the requests",
    )


def simulation_work(study: Study) -> int:
    """Estimate how often the simulations of a study call for progress."""
    if not is_simulated(study):
        return 0
    count = RequestSource(usual_load(study), study.workload).count
    return simulations_of(study) * -(-count // AT_ONCE)


def simulations_of(study: Study) -> int:
    """Estimate how many simulations of all its requests a study takes."""
    if not is_simulated(study):
        return 0
    simulate, capacity = study.simulate, study.capacity
    given = simulate.shortlist if simulate is not None else None
    shown = FEWEST if given is None else len(study.deployments) * given
    subjects = len(study.servers) or (1 if study.settings else shown)
    if simulate is None:
        return subjects * LOOKS + PROBES
    runs, further = subjects, 0 if study.servers else 2
    if capacity is not None:
        seeds = capacity.seeds - 1 if simulate.arrival.trace is None else 0
        runs += subjects * PROBES
        further += FURTHER * seeds + len(CURVE) + (0 if study.servers else 2 * FURTHER)
    return runs + further * max(1, len(study.servers))


def _told(look: _Look, events: Events) -> Simulated:
    """Return what was simulated, and tell who watches of it."""
    found = _simulated(look)
    events.simulated(found, look.seen.outcome)
    return found


def _server(simulator: Simulator) -> _Look:
    """Simulate a measured server, whose costs have no error band."""
    subject = simulator.subject
    seen = seen_under(simulator, Conditions())
    look = _Look(simulator, LoadKind.GIVEN, seen)
    if subject.study.capacity is not None:
        try:
            scale = _scale(simulator, subject.study.capacity, seen, None)
            look.capacity = _capacity(simulator, subject.study.capacity, seen, scale)
        except SimulationInterruptedError:
            raise SimulationInterruptedError(subject.name, seen.metrics) from None
    return look


def _simulated(look: _Look) -> Simulated:
    """Return what was simulated of a configuration or a server, as data."""
    simulator, outcome, metrics = look.simulator, look.seen.outcome, look.seen.metrics
    subject = simulator.subject
    counts = look.seen.at.counts or simulator.counts
    planned = subject.configuration
    return Simulated(
        name=subject.name,
        layout=subject.layout if planned is None else look.configuration.layout,
        place=subject.place,
        devices=sum(counts) if planned is None else look.configuration.devices,
        engines=simulator.engines(counts),
        settings=simulator.limits,
        metrics=metrics,
        estimates=_estimates(look),
        closed=() if planned is None else _closed(planned, look.configuration, look.kind),
        picture=SimulationPicture(
            series=outcome.series(),
            steps=outcome.steps(),
            ttft=outcome.distribution("ttft"),
            tpot=outcome.distribution("tpot"),
            latency=outcome.distribution("latency"),
        ),
        clients=look.seen.at.clients or subject.simulate.arrival.clients,
        capacity=look.capacity if subject.study.capacity is not None else None,
    )


def _estimates(look: _Look) -> tuple[Estimate, ...]:
    """Return statistics at the ends of the error band of the cost model."""
    if look.further is None:
        return ()
    fast, slow = (seen.metrics for seen in look.further)
    return tuple(_estimate(fact, fast, slow) for fact in ESTIMATED)


def _estimate(fact: str, fast: Metrics, slow: Metrics) -> Estimate:
    return Estimate(fact, fast.statistic(fact), slow.statistic(fact))


def _closed(
    planned: Configuration, found: Configuration, kind: LoadKind | None
) -> tuple[Closed, ...]:
    """Set what closed form or step loop said beside what was simulated.

    At the rate of a fleet its places are not all taken: only the rate that it can carry compares.
    """
    pairs: dict[str, tuple[float | None, float | None]]
    if kind is LoadKind.RATE:
        each = min((i.count - i.spare) * i.point.rate for i in found.instances)
        pairs = {"carried": (each, found.capacity)}
    else:
        pairs = {
            "ttft": (planned.ttft, found.ttft),
            "tpot": (planned.tpot, found.tpot),
            "rate": (planned.rate, found.rate),
        }
    return tuple(
        Closed(name, before, seen)
        for name, (before, seen) in pairs.items()
        if before is not None and seen is not None
    )


def _probe(simulator: Simulator, target: float, seen: Seen, deviations: float = 0.0) -> Simulation:
    """Return simulations that may end as soon as they are lost; `seen` is that of the spec."""
    first, counts = simulator.subject.simulate.seed, seen.at.counts

    @cache
    def run(scale: float, seed: int) -> Metrics:
        if (scale, seed, deviations) == (1.0, first, 0.0):
            return seen.metrics
        return simulator.metrics(Conditions(scale, seed, deviations, counts, target=target))

    return run


def _scale(simulator: Simulator, wanted: Capacity, seen: Seen, near: float | None) -> float:
    """Return the capacity with the first seed as a factor on the rate; 0 if there is none.

    `near` is one that it is near to, if anything tells.
    """
    probe, seed = _probe(simulator, wanted.attainment, seen), simulator.subject.simulate.seed
    start, step = (1.0, FAR) if near is None else (near, NEAR)
    return highest_scale(probe, wanted.attainment, seed, start, step) or 0.0


def _capacity(simulator: Simulator, wanted: Capacity, seen: Seen, own: float) -> CapacityFound:
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
    nominal, found = _probe(simulator, target, seen), [own]
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
            return seen.metrics
        return simulator.metrics(Conditions(scale, first, counts=seen.at.counts))

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

    def share_of(count: int) -> float | None:
        return share_in(simulator.metrics(Conditions(scale, counts=copies(count))))

    count = max(1, math.ceil(wanted.rate / each - 1e-9))
    if count > MOST_INSTANCES:
        return None, None
    try:
        metrics = simulator.metrics(Conditions(scale, counts=copies(count)))
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
