"""Simulating what a study found: the shortlist of its answers, or measured servers."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial

from attrs import evolve, frozen

from specc.cost.times import P10, P90
from specc.ir import Capacity, Deployment, MeasuredServer, Process, Routing, Simulate, Study
from specc.ir.images import image_tokens
from specc.plan.evaluate import Evaluated
from specc.plan.results import Answer, Closed, Estimate, Group, Picture, Simulated
from specc.serving.simulation.arrivals import Source, TooLongError
from specc.serving.simulation.capacity import (
    CURVE,
    CapacityFound,
    RateSeen,
    Simulation,
    carried,
    highest_scale,
    is_short,
)
from specc.serving.simulation.cluster import AT_ONCE, Cluster, Disaggregated, Pool
from specc.serving.simulation.engine import EngineSettings
from specc.serving.simulation.instances import UNLIMITED, Instance, measured_pool
from specc.serving.simulation.metrics import Metrics, Outcome
from specc.serving.transfer import slower_link, transfer_times

ESTIMATED = ("ttft.p50", "ttft.p99", "tpot.p50", "tpot.p99", "latency.p99")
MOST_REPLICAS = 1_000
ABOVE = 1.1  # times the capacity: where to look for what breaks first
PROBES = 11  # simulations of a bisection, about
# The cluster of so many replicas, if the cost model errs by so many standard deviations.
Build = Callable[[int, float], Cluster]
Progress = Callable[[], None]


class SimulationInterruptedError(KeyboardInterrupt):
    """A simulation that was stopped by the keyboard, with what it saw until then."""

    def __init__(self, name: str, metrics: Metrics) -> None:
        super().__init__(name)
        self.name = name
        self.metrics = metrics


@frozen(eq=False)
class Subject:
    """What is simulated: an answer of a deployment, or a measured server.

    Attributes:
        place: place of the answer in the ranking by closed form, from 1.
        devices: of one replica.
        engines: of one replica, of each phase.
        settings: of the engines of each phase.
        source: the requests.
        build: makes the engines.
        progress: called after every `AT_ONCE` requests.
        answer: the answer; None for a server, whose costs have no error band.
    """

    study: Study
    simulate: Simulate
    name: str
    layout: str
    place: int
    devices: int
    engines: tuple[int, ...]
    settings: tuple[EngineSettings, ...]
    source: Source
    build: Build
    progress: Progress
    answer: Answer | None = None

    def outcome(
        self,
        scale: float = 1.0,
        seed: int | None = None,
        deviations: float = 0.0,
        replicas: int | None = None,
    ) -> Outcome:
        """Simulate at so many times the rate.

        Raises:
            SimulationInterruptedError: stopped by the keyboard.
        """
        requests = self.source.requests(scale, seed)
        cluster = self.build(replicas or self.simulate.replicas, deviations)
        outcome = cluster.serve(requests, lambda _: self.progress())
        if outcome.interrupted:
            raise SimulationInterruptedError(self.name, self._metrics(outcome))
        return outcome

    def metrics(
        self,
        scale: float = 1.0,
        seed: int | None = None,
        deviations: float = 0.0,
        replicas: int | None = None,
    ) -> Metrics:
        """Return what a simulation says."""
        return self._metrics(self.outcome(scale, seed, deviations, replicas))

    def _metrics(self, outcome: Outcome) -> Metrics:
        workload = self.study.workload
        return outcome.metrics(workload.slo, max(1, len(workload.requests)))


def simulated(
    study: Study, answers: tuple[Answer, ...], known: dict[str, Evaluated], progress: Progress
) -> tuple[Simulated, ...]:
    """Simulate the shortlist of a study, or its servers; the one to choose comes first.

    Raises:
        SimulationInterruptedError: stopped by the keyboard.
    """
    found = [_run(subject) for subject in subjects(study, answers, known, progress)]
    return tuple(sorted(found, key=_rank))


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
    simulate, capacity = study.simulate, study.capacity
    if simulate is None:
        return 0
    runs = 1 if study.servers else 3
    if capacity is not None:
        random = simulate.arrival.trace is None
        runs += PROBES * (capacity.seeds if random else 1) + len(CURVE)
        runs += 0 if study.servers else 2 * PROBES
    subjects = len(study.servers) + len(study.deployments) * simulate.shortlist
    return subjects * runs * -(-Source(simulate, study.workload).count // AT_ONCE)


def subjects(
    study: Study,
    answers: tuple[Answer, ...],
    known: dict[str, Evaluated],
    progress: Progress = lambda: None,
) -> Iterator[Subject]:
    """Yield what a study simulates."""
    simulate = study.simulate
    if simulate is None:
        return
    for server in study.servers:
        yield _measured(server, study, simulate, progress)
    for deployment in study.deployments:
        feasible = [a for a in answers if a.deployment == deployment.name and a.feasible]
        for place, answer in enumerate(feasible[: simulate.shortlist], start=1):
            yield _answered(deployment, answer, place, study, simulate, known, progress)


def _measured(
    server: MeasuredServer, study: Study, simulate: Simulate, progress: Progress
) -> Subject:
    source = Source(
        simulate,
        study.workload,
        block=server.block_size,
        longest=server.max_model_length or UNLIMITED,
    )

    @cache
    def pool() -> Pool:
        return measured_pool(server, simulate.router, source.longest_request)

    return Subject(
        study=study,
        simulate=simulate,
        name=server.name,
        layout="measured steps",
        place=1,
        devices=1,
        engines=(1,),
        settings=(pool().settings,),
        source=source,
        build=lambda replicas, _: evolve(pool(), engines=replicas),
        progress=progress,
    )


def _answered(
    deployment: Deployment,
    answer: Answer,
    place: int,
    study: Study,
    simulate: Simulate,
    known: dict[str, Evaluated],
    progress: Progress,
) -> Subject:
    instances = [_instance(group, known) for group in answer.groups]
    source = Source(
        simulate,
        study.workload,
        image_tokens=image_tokens(study.workload, deployment.model),
        block=instances[0].server.block,
        longest=min(instance.longest for instance in instances),
    )
    engines = tuple(
        (group.count - group.spare) * instance.engines
        for group, instance in zip(answer.groups, instances, strict=True)
    )

    @cache
    def pools(deviations: float) -> tuple[Pool, ...]:
        longest = source.longest_request
        return tuple(i.pool(simulate.router, longest, deviations) for i in instances)

    def build(replicas: int, deviations: float) -> Cluster:
        sized = [
            evolve(pool, engines=count * replicas)
            for pool, count in zip(pools(deviations), engines, strict=True)
        ]
        if len(sized) == 1:
            return sized[0]
        in_step = [instance.in_step for instance in instances]
        return _disaggregated(sized, in_step, deployment, answer, known)

    return Subject(
        study=study,
        simulate=simulate,
        name=deployment.name,
        layout=answer.layout,
        place=place,
        devices=answer.devices,
        engines=engines,
        settings=tuple(instance.settings for instance in instances),
        source=source,
        build=build,
        progress=progress,
        answer=answer,
    )


def _instance(group: Group, known: dict[str, Evaluated]) -> Instance:
    evaluated = known[group.task]
    deployment = evaluated.task.deployment
    return Instance(
        server=evaluated.server,
        engine=deployment.engine,
        phase=evaluated.task.phase,
        batch=group.point.batch,
        budget=group.chunk_budget,
        longest=deployment.longest_request,
    )


def _disaggregated(
    pools: Sequence[Pool],
    in_step: Sequence[int],
    deployment: Deployment,
    answer: Answer,
    known: dict[str, Evaluated],
) -> Disaggregated:
    """Join two pools; every data-parallel replica of the side with fewer has a link of its own."""
    prefill, decode = pools
    sender, receiver = (known[group.task] for group in answer.groups)
    slower = slower_link(sender.task.deployment.device, receiver.task.deployment.device)
    step = answer.groups[0].point.prefill_step or 0.0
    moving = partial(
        transfer_times, deployment.transfer, sender.server, receiver.server, slower, step
    )
    if decode.routing is Routing.PREFIX_AWARE:
        decode = evolve(decode, routing=Routing.LEAST_LOAD)
    links = min(pool.engines * together for pool, together in zip(pools, in_step, strict=True))
    return Disaggregated(prefill, decode, lambda tokens: moving(tokens.tolist()), links)


def _run(subject: Subject) -> Simulated:
    outcome = subject.outcome()
    metrics = subject._metrics(outcome)
    wanted = subject.study.capacity
    try:
        estimates = _estimates(subject)
        capacity = None if wanted is None else _capacity(subject, wanted, metrics)
    except SimulationInterruptedError:
        # What is known of other rates tells nothing: the simulation itself is what is worth.
        raise SimulationInterruptedError(subject.name, metrics) from None
    return Simulated(
        name=subject.name,
        layout=subject.layout,
        place=subject.place,
        devices=subject.devices * subject.simulate.replicas,
        engines=tuple(count * subject.simulate.replicas for count in subject.engines),
        settings=subject.settings,
        metrics=metrics,
        estimates=estimates,
        closed=_closed(subject.answer, metrics),
        picture=Picture(
            series=outcome.series(),
            steps=outcome.steps(),
            ttft=outcome.distribution("ttft"),
            tpot=outcome.distribution("tpot"),
            latency=outcome.distribution("latency"),
        ),
        capacity=capacity,
    )


def _estimates(subject: Subject) -> tuple[Estimate, ...]:
    """Simulate at the ends of the error band of the cost model."""
    if subject.answer is None:
        return ()
    fast, slow = (subject.metrics(deviations=d) for d in (P10, P90))
    return tuple(_estimate(fact, fast, slow) for fact in ESTIMATED)


def _estimate(fact: str, fast: Metrics, slow: Metrics) -> Estimate:
    return Estimate(fact, fast.statistic(fact), slow.statistic(fact))


def _closed(answer: Answer | None, metrics: Metrics) -> tuple[Closed, ...]:
    """Set what closed form or step loop said beside the means of the simulation."""
    if answer is None:
        return ()
    found = []
    for name in ("ttft", "tpot"):
        planned = getattr(answer, name)
        seen = metrics.statistic(f"{name}.mean")
        if planned is not None and seen is not None:
            found.append(Closed(name, planned, seen))
    found.append(Closed("rate", answer.rate, metrics.served))
    return tuple(found)


def _capacity(subject: Subject, wanted: Capacity, seen: Metrics) -> CapacityFound:
    """Search the capacity with each seed, then with a cost model that errs.

    `seen` is what the simulation at the rate of the spec says, with the first seed.
    """
    base = subject.source.rate
    assert base is not None
    first = subject.simulate.seed
    random = subject.simulate.arrival.process is not Process.TRACE
    seeds = [first + n for n in range(wanted.seeds)] if random else [first]

    def at(deviations: float = 0.0) -> Simulation:
        @cache
        def run(scale: float, seed: int) -> Metrics:
            if (scale, seed, deviations) == (1.0, first, 0.0):
                return seen
            return subject.metrics(scale, seed, deviations)

        return run

    nominal = at()
    found: list[float] = []
    start = 1.0
    for seed in seeds:
        scale = highest_scale(nominal, wanted.attainment, seed, start)
        if scale is None:
            return CapacityFound(wanted.attainment, None, seeds=len(seeds))
        found.append(scale)
        start = scale
    own, mean = found[0], sum(found) / len(found)
    slow = fast = None
    if subject.answer is not None:
        fast, slow = (highest_scale(at(d), wanted.attainment, first, own) for d in (P10, P90))
    curve = [RateSeen.of(share * own * base, nominal(share * own, first)) for share in CURVE]
    above = nominal(ABOVE * own, first)
    limiting = min(above.objectives, key=lambda objective: objective.share)
    replicas = share = None
    if wanted.rate is not None:
        each = mean * base / subject.simulate.replicas
        replicas, share = _replicas(subject, wanted, each, base)
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
        replicas=replicas,
        attainment_at_wanted=share,
    )


def _replicas(
    subject: Subject, wanted: Capacity, each: float, base: float
) -> tuple[int | None, float | None]:
    """Return the fewest replicas that carry the wanted rate, and the attainment they reach at it.

    The latter is None where the simulation cannot tell at this rate. Begins at what the capacity
    of one says; a router may need fewer of many, or more.
    """
    assert wanted.rate is not None
    scale = wanted.rate / base

    def share_in(metrics: Metrics) -> float | None:
        return metrics.attainment if carried(metrics, wanted.attainment) else None

    def share_of(count: int) -> float | None:
        return share_in(subject.metrics(scale, replicas=count))

    count = max(1, math.ceil(wanted.rate / each - 1e-9))
    if count > MOST_REPLICAS:
        return None, None
    try:
        metrics = subject.metrics(scale, replicas=count)
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
