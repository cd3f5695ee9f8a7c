"""Simulating a study: its shortlist, what the recommendation gets beyond it, and the capacity."""

from collections.abc import Mapping, Sequence
from functools import cached_property

from attrs import evolve, frozen

from specc.diagnostics import Diagnostic, Label
from specc.ir import Deployment, Objective, Study
from specc.ir.load import LoadKind, fleet_rate, is_simulated, load_kind
from specc.ir.simulation import LONGEST_SIMULATION
from specc.results import (
    CHECKED_SEEDS,
    CapacityFound,
    Closed,
    Configuration,
    Estimate,
    Metrics,
    Simulated,
    SimulationPicture,
    meets,
)
from specc.run.answers import answered, carried_rate
from specc.run.capacity import FURTHER, carried_by, first_scale, found_capacity
from specc.run.confidence import QUANTILES
from specc.run.configurations import rank_of
from specc.run.coverage import Coverage
from specc.run.estimate import simulation_seconds
from specc.run.evaluate import Evaluated
from specc.run.events import SIMULATED, Events
from specc.run.failure import RunError
from specc.run.loads import Seen, erring, fewest_instances, most_clients, nominal, seen_under
from specc.run.runner import Runner
from specc.run.shortlist import FEWEST, load_at, load_of, shortlisted, usual_load
from specc.run.subjects import (
    Conditions,
    SimulationInterruptedError,
    Simulator,
    server_subjects,
    subject_of,
)
from specc.simulation.arrivals import RequestSource
from specc.simulation.capacity import CURVE
from specc.simulation.cluster import AT_ONCE
from specc.simulation.requests import TooLongError
from specc.units import Seconds

ESTIMATED = ("ttft.p50", "ttft.p99", "tpot.p50", "tpot.p99", "latency.p99")
PROBES = 11  # simulations of a bisection, about
LOOKS = 4  # simulations of a configuration of a shortlist, about
# Simulations that take fewer seconds are neither given to workers nor stored one by one.
WORTH_JOBS: Seconds = 4.0


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


@frozen(eq=False, slots=False)
class _Look:
    """A configuration of a shortlist, or a server, and what was simulated of it so far.

    Attributes:
        seen: the conditions that were found, and what was simulated under them.
        capacity: where the study asks for it, or where the capacity decides.
        further: what is seen at quantiles of the error of the cost model, from fast to slow.
        scale: the capacity with the first seed, as a factor on the rate of the spec.
        is_whole: whether it has all that a recommendation gets.
    """

    simulator: Simulator
    kind: LoadKind | None
    seen: Seen
    capacity: CapacityFound | None = None
    further: tuple[Metrics, ...] = ()
    scale: float = 0.0
    is_whole: bool = False

    @property
    def planned(self) -> Configuration:
        """The configuration as the closed form has it; a server has none."""
        planned = self.simulator.subject.configuration
        assert planned is not None
        return planned

    @cached_property
    def configuration(self) -> Configuration:
        """The configuration with its answer."""
        return answered(self.simulator, self.kind, self.seen, self.capacity, self.further)


def answers(
    study: Study,
    order: Sequence[Configuration],
    known: Mapping[str, Evaluated],
    runner: Runner,
    coverage: Coverage,
) -> Answers:
    """Simulate the shortlist of a study, or its servers.

    Args:
        study: what is asked.
        order: its configurations, the best by closed form first.
        known: what was found for their tasks.
        runner: of jobs.
        coverage: how much is simulated.

    Raises:
        SimulationInterruptedError: stopped by the keyboard.
        RunError: a simulation lasts longer than it can tell.
    """
    if simulation_seconds(study) < WORTH_JOBS:
        runner = Runner(runner.events)
    try:
        if study.servers:
            looks = [_server(Simulator(s, runner.events), runner) for s in server_subjects(study)]
            looks.sort(key=lambda look: _order(look, 1.0))
            found = [_told(look, runner.events) for look in looks]
            return Answers(list(order), tuple(found))
        return _answers(study, order, known, runner, coverage)
    except TooLongError:
        raise RunError(_too_long(study)) from None


def _answers(
    study: Study,
    order: Sequence[Configuration],
    known: Mapping[str, Evaluated],
    runner: Runner,
    coverage: Coverage,
) -> Answers:
    events = runner.events
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
        looks[0] = _completed(looks[0], runner)  # which may need more instances, and so fall behind
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
    deployment = study.deployment(found.deployment)
    simulate = load_of(study, deployment, found)
    simulator = Simulator(subject_of(study, simulate, found, place, known), events)
    kind = load_kind(study, deployment)
    match kind:
        case LoadKind.RATE:
            at = Conditions(deviations=simulator.doubt)
            seen = nominal(simulator, fewest_instances(simulator, at))
            decides = study.objective is not Objective.FEWEST_DEVICES
            return _Look(simulator, kind, seen, carried_by(simulator, seen) if decides else None)
        case LoadKind.CLIENTS:
            found_clients = most_clients(simulator, found.instances[-1].places)
            return _Look(simulator, kind, nominal(simulator, found_clients))
    seen = _seen_as_given(simulator, study, deployment)
    if study.capacity is None:
        return _Look(simulator, kind, seen)
    near = None if before is None else before.scale * found.rate / before.planned.rate
    scale = first_scale(simulator, study.capacity, seen, near or None)
    rate = scale * (simulator.source.rate or 0.0)
    capacity = CapacityFound(study.capacity.attainment, rate or None)
    return _Look(simulator, kind, seen, capacity, scale=scale)


def _seen_as_given(simulator: Simulator, study: Study, deployment: Deployment) -> Seen:
    """Simulate the load of a spec; a fleet for a rate has the instances that this load needs."""
    subject, doubt = simulator.subject, simulator.doubt
    rate, planned = fleet_rate(study, deployment), subject.configuration
    if rate is None or planned is None or subject.simulate.instances > 1:
        return nominal(simulator, seen_under(simulator, Conditions(deviations=doubt)))
    steady = evolve(load_at(rate, planned), router=subject.simulate.router)
    sizing = Simulator(evolve(subject, simulate=steady), simulator.events)
    sized = fewest_instances(sizing, Conditions(deviations=doubt))
    at = Conditions(counts=sized.at.counts, deviations=doubt)
    return nominal(simulator, seen_under(simulator, at))


def _completed(look: _Look, runner: Runner) -> _Look:
    """Add what a recommendation gets: further seeds, the error of the cost model, the capacity."""
    simulator, wanted = look.simulator, look.simulator.subject.study.capacity
    seen, capacity = look.seen, look.capacity
    if look.kind is LoadKind.RATE:
        seen = _checked_with_seeds(simulator, seen)
    try:
        further = erring(simulator, seen, QUANTILES, runner)
        if look.kind is LoadKind.RATE:
            capacity = carried_by(simulator, seen)
        elif wanted is not None:
            capacity = found_capacity(simulator, wanted, seen, look.scale, runner)
    except KeyboardInterrupt:
        # What is known of other rates tells nothing: the simulation itself is what is worth.
        raise SimulationInterruptedError(simulator.subject.name, seen.metrics) from None
    return evolve(look, seen=seen, capacity=capacity, further=further, is_whole=True)


def _checked_with_seeds(simulator: Simulator, seen: Seen) -> Seen:
    """Count more instances where those found do not carry the load with other seeds."""
    if not seen.holds:
        return seen
    first, counts = simulator.subject.simulate.seed, seen.counts
    for seed in range(first + 1, first + CHECKED_SEEDS):
        at = Conditions(seed=seed, counts=counts, deviations=simulator.doubt)
        if not seen_under(simulator, at).holds:
            counts = fewest_instances(simulator, at).counts
    if counts == seen.counts:
        return seen
    at = Conditions(seed=first, counts=counts, deviations=simulator.doubt)
    return nominal(simulator, seen_under(simulator, at))


def _place_of(look: _Look, study: Study) -> tuple[float, ...]:
    """Return the place of a configuration among those that were simulated."""
    found = look.configuration
    if look.kind is not LoadKind.GIVEN:
        place = rank_of(found, found.misses, study.objective)
        rate = carried_rate(found, study.objective)
        return place if rate is None else (place[0], -rate, *place[2:])
    by_cost = study.objective is Objective.THROUGHPUT_PER_COST and found.cost_per_second
    size = found.cost_per_second if by_cost else float(found.devices)
    return _order(look, size or 0.0)


def _order(look: _Look, size: float) -> tuple[float, ...]:
    """Return the place under a load that is given, by what a configuration costs.

    By capacity for what it costs, if that was searched; else what meets its objectives, the
    cheapest first, then what comes nearest to them.
    """
    place, metrics = float(look.simulator.subject.place), look.seen.judged
    if look.capacity is not None:
        return -(look.capacity.rate or 0.0) / max(size, 1e-30), place
    met = meets(metrics)
    short = 0.0 if met else 1 - metrics.attainment
    return float(not met), short, size, -metrics.goodput, place


def _too_long(study: Study) -> Diagnostic:
    asked = study if study.simulate is None else study.simulate
    return Diagnostic(
        "E0402",
        f"the simulation of '{study.name}' lasts longer than {LONGEST_SIMULATION / 86400:.0f} days",
        (Label(asked.spans[""]),),
        why="the engines are too slow to finish the requests",
        help="check the numbers of the device and the lengths of the requests",
    )


def simulation_work(study: Study) -> float:
    """Estimate what the simulations of a study tell of progress in all."""
    if not is_simulated(study):
        return 0.0
    count = RequestSource(usual_load(study), study.workload).count
    return SIMULATED * simulations_of(study) * -(-count // AT_ONCE)


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
    runs, further = subjects, 0 if study.servers else len(QUANTILES)
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


def _server(simulator: Simulator, runner: Runner) -> _Look:
    """Simulate a measured server, whose costs have no error band."""
    subject, wanted = simulator.subject, simulator.subject.study.capacity
    seen = seen_under(simulator, Conditions())
    if wanted is None:
        return _Look(simulator, LoadKind.GIVEN, seen)
    try:
        scale = first_scale(simulator, wanted, seen, None)
        capacity = found_capacity(simulator, wanted, seen, scale, runner)
    except KeyboardInterrupt:
        raise SimulationInterruptedError(subject.name, seen.metrics) from None
    return _Look(simulator, LoadKind.GIVEN, seen, capacity)


def _simulated(look: _Look) -> Simulated:
    """Return what was simulated of a configuration or a server, as data."""
    seen, outcome, subject = look.seen, look.seen.outcome, look.simulator.subject
    configuration = None if subject.server is not None else look.configuration
    return Simulated(
        name=subject.name,
        layout=subject.layout if configuration is None else configuration.layout,
        place=subject.place,
        devices=sum(seen.counts) if configuration is None else configuration.devices,
        engines=look.simulator.engines(seen.counts),
        settings=look.simulator.limits,
        metrics=seen.metrics,
        estimates=_estimates(look),
        closed=() if configuration is None else _closed(look.planned, configuration, seen),
        picture=SimulationPicture(
            series=outcome.series(),
            steps=outcome.steps(),
            ttft=outcome.distribution("ttft"),
            tpot=outcome.distribution("tpot"),
            latency=outcome.distribution("latency"),
        ),
        clients=seen.clients,
        capacity=look.capacity if subject.study.capacity is not None else None,
    )


def _estimates(look: _Look) -> tuple[Estimate, ...]:
    """Return statistics at the ends of the error band of the cost model."""
    if not look.further:
        return ()
    fast, slow = look.further[0], look.further[-1]
    return tuple(_estimate(fact, fast, slow) for fact in ESTIMATED)


def _estimate(fact: str, fast: Metrics, slow: Metrics) -> Estimate:
    return Estimate(fact, fast.statistic(fact), slow.statistic(fact))


def _closed(planned: Configuration, found: Configuration, seen: Seen) -> tuple[Closed, ...]:
    """Set what closed form or step loop said beside what was simulated.

    Where requests come at times of their own not all places are taken: only the rate that can be
    carried compares.
    """
    pairs: dict[str, tuple[float | None, float | None]]
    if seen.clients is None:
        pairs = {"carried": (found.planned_rate, found.capacity)}
    else:
        assert found.closed_form is not None
        pairs = {
            "ttft": (planned.ttft, found.ttft),
            "tpot": (planned.tpot, found.tpot),
            "rate": (found.closed_form.rate, found.rate),
        }
    return tuple(
        Closed(name, before, seen)
        for name, (before, seen) in pairs.items()
        if before is not None and seen is not None
    )
