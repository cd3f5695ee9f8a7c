"""What is simulated, as data, and the simulator that runs it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from attrs import Factory, define, evolve, frozen

from specc.ir import MeasuredServer, Phase, Simulate, Study, Workload
from specc.ir.images import image_tokens
from specc.plan import Task
from specc.records import Record
from specc.results import Configuration, EngineLimits, Instance, Metrics
from specc.run.confidence import quantile_of
from specc.run.configurations import cache_transfer
from specc.run.evaluate import Evaluated, server_of
from specc.run.events import SIMULATED, Events
from specc.run.keys import key_of_subject
from specc.serving.transfer import CacheTransfer
from specc.simulation.arrivals import RequestSource
from specc.simulation.closed import Clients, serve_clients
from specc.simulation.cluster import AT_ONCE, Allowance, Cluster, Disaggregated, Pool
from specc.simulation.costs import PICOSECONDS, picoseconds
from specc.simulation.instances import SimulatedInstance, measured_pool
from specc.simulation.metrics import Outcome, of_the_middle, widest
from specc.simulation.policies.schedulers.base import UNLIMITED
from specc.simulation.requests import Requests
from specc.units import Seconds, Tokens


class SimulationInterruptedError(KeyboardInterrupt):
    """A simulation that was stopped by the keyboard, with what it saw until then."""

    def __init__(self, name: str, metrics: Metrics) -> None:
        super().__init__(name)
        self.name = name
        self.metrics = metrics


@frozen(eq=False, repr=False)
class Part(Record):
    """The engines of like instances: a task at a batch size, and how many instances there are."""

    task: Task
    batch: int
    budget: Tokens
    count: int

    def instance(self, hashed: Tokens = 0) -> SimulatedInstance:
        """Return one of the instances, for requests whose blocks of `hashed` tokens have names."""
        deployment = self.task.deployment
        return SimulatedInstance(
            server=server_of(self.task),
            engine=deployment.engine,
            phase=self.task.phase,
            batch=self.batch,
            budget=self.budget,
            longest=deployment.longest_request,
            hashed=hashed,
        )


@frozen(eq=False, repr=False, slots=False)
class Subject(Record):
    """What is simulated: a configuration of a deployment, or a measured server. Data alone.

    Attributes:
        place: place of the configuration in the ranking by closed form, from 1.
        devices: of the configuration, once.
        parts: its instances; of a measured server none.
        server: the measured server.
        transfer: how caches get from the first part to the second.
        configuration: what is simulated; None for a server, whose costs have no error band.
    """

    study: Study
    simulate: Simulate
    name: str
    layout: str
    place: int
    devices: int
    parts: tuple[Part, ...] = ()
    server: MeasuredServer | None = None
    transfer: CacheTransfer | None = None
    configuration: Configuration | None = None

    @cached_property
    def key(self) -> str:
        """A hash of all that a simulation of it depends on."""
        return key_of_subject(self)

    @property
    def drafts(self) -> bool:
        """Whether tokens are drafted."""
        return any(part.task.drafted for part in self.parts)


def server_subjects(study: Study) -> Iterator[Subject]:
    """Yield the measured servers that a study simulates."""
    if study.simulate is None:
        return
    for server in study.servers:
        yield Subject(study, study.simulate, server.name, "measured steps", 1, 1, server=server)


def subject_of(
    study: Study,
    simulate: Simulate,
    chosen: Configuration,
    place: int,
    known: Mapping[str, Evaluated],
) -> Subject:
    """Return a configuration of a study as what is simulated under a load.

    Args:
        study: what asks for it.
        simulate: the load.
        chosen: the configuration.
        place: its place in the ranking by closed form, from 1.
        known: what was found for the tasks of its instances.
    """
    deployment = study.deployment(chosen.deployment)
    sides = [known[instance.task] for instance in chosen.instances]
    return Subject(
        study=study,
        simulate=simulate,
        name=deployment.name,
        layout=chosen.layout,
        place=place,
        devices=chosen.devices,
        parts=tuple(_part(instance, known) for instance in chosen.instances),
        transfer=cache_transfer(deployment, *sides) if len(sides) == 2 else None,
        configuration=chosen,
    )


def _part(instance: Instance, known: Mapping[str, Evaluated]) -> Part:
    return Part(
        task=known[instance.task].task,
        batch=instance.engine.max_sequences,
        budget=instance.engine.chunk_budget,
        count=instance.working,
    )


# What requests of instances that have one phase alone do not see.
_MISSING: dict[Phase, tuple[str, ...]] = {
    Phase.WHOLE: (),
    Phase.PREFILL: ("tpot", "itl"),
    Phase.DECODE: ("ttft",),
}


@frozen
class Conditions:
    """How a subject is simulated, where that is not as its load says.

    Attributes:
        scale: factor on the rate.
        seed: of the random numbers; by default that of the load.
        deviations: standard deviations by which the cost model errs.
        counts: instances of each part; by default as many as the load and the parts say.
        clients: of a closed loop.
        target: share of the requests that must meet the objectives; what falls short is lost.
    """

    scale: float = 1.0
    seed: int | None = None
    deviations: float = 0.0
    counts: tuple[int, ...] | None = None
    clients: int | None = None
    target: float = 0.0


USUAL = Conditions()


@define(eq=False)
class Simulator:
    """Runs a subject at any rate; what its engines cost is tabulated once.

    Attributes:
        subject: what is simulated.
        events: told of progress.
        instances: one of each part.
        source: the requests.
    """

    subject: Subject
    events: Events
    instances: tuple[SimulatedInstance, ...] = Factory(
        lambda self: tuple(part.instance(self.hashed) for part in self.subject.parts),
        takes_self=True,
    )
    source: RequestSource = Factory(lambda self: self._source(), takes_self=True)
    # Engines by how many standard deviations the cost model errs.
    _pools: dict[float, tuple[Pool, ...]] = Factory(dict)

    def engines(self, counts: Sequence[int]) -> tuple[int, ...]:
        """Return the engines of so many instances of each part."""
        if self.subject.server is not None:
            return tuple(counts)
        return tuple(n * i.engines for n, i in zip(counts, self.instances, strict=True))

    @property
    def flat_hits(self) -> bool:
        """Whether the workload sets a flat hit rate."""
        return self.subject.study.workload.has_hits

    @property
    def limits(self) -> tuple[EngineLimits, ...]:
        """The limits of the engines of each phase."""
        if self.subject.server is not None:
            return tuple(pool.settings for pool in self._pools_at(0.0))
        return tuple(instance.settings for instance in self.instances)

    def clients(self, at: Conditions) -> int | None:
        """Return the clients of a closed loop; None where requests come at times of their own."""
        return at.clients or self.subject.simulate.arrival.clients

    def is_timeless(self, at: Conditions) -> bool:
        """Whether no time comes from elsewhere than the steps: not from a clock, nor from links."""
        clients, arrival = self.clients(at), self.subject.simulate.arrival
        waits = arrival.think or (clients is not None and self.ramp(clients))
        waits = waits or any(instance.server.request_time for instance in self.instances)
        return clients is not None and not waits and self.subject.transfer is None

    @property
    def counts(self) -> tuple[int, ...]:
        """Instances of each part, as the load says."""
        copies = self.subject.simulate.instances
        return tuple(part.count * copies for part in self.subject.parts) or (copies,)

    @property
    def doubt(self) -> float:
        """The quantile of the error at which limits must hold; a measured server has no error."""
        known = self.subject.server is not None
        return 0.0 if known else quantile_of(self.subject.study.workload.slo.confidence)

    @property
    def share_of_kernels(self) -> float:
        """What the whole error is of that of kernels alone, of the instance that errs most."""
        instance = max(self.instances, key=lambda instance: instance.deviation)
        return instance.deviation / max(instance.deviation_of_kernels, 1e-9)

    def slowness(self, deviations: float) -> float:
        """Return by how much the steps of its slowest instances take longer, if costs err so."""
        return math.exp(deviations * max(i.deviation for i in self.instances))

    def outcome(self, at: Conditions = USUAL) -> Outcome:
        """Simulate under some conditions.

        Raises:
            SimulationInterruptedError: stopped by the keyboard.
            LostError: fewer requests than the target meet the objectives, whatever comes.
        """
        cluster = self._cluster(at.counts or self.counts, at.deviations)
        outcome = self._served(cluster, at)
        if outcome.interrupted:
            raise SimulationInterruptedError(self.subject.name, self.judged(outcome, at))
        return outcome

    def _served(self, cluster: Cluster, at: Conditions) -> Outcome:
        told = 0

        def progress(_: int) -> None:
            nonlocal told
            told += 1
            self.events.advanced(SIMULATED)

        arrival = self.subject.simulate.arrival
        clients = self.clients(at)
        if clients is None:
            requests = self._phased(self.source.requests(at.scale, at.seed))
            allowance = self._allowance(at.target, len(requests))
            outcome = cluster.serve(requests, progress, allowance)
        else:
            requests = self._phased(self._source_of(clients).requests(seed=at.seed))
            known = Clients(clients, picoseconds(arrival.think), picoseconds(self.ramp(clients)))
            outcome = serve_clients(cluster, requests, known, progress)
        rest = -(-len(requests) // AT_ONCE) - told
        if rest > 0:
            self.events.advanced(rest * SIMULATED)
        return outcome

    def ramp(self, clients: int) -> Seconds:
        """Return the time over which so many clients send their first requests."""
        arrival = self.subject.simulate.arrival
        return arrival.ramp * clients / (arrival.clients or clients)

    def _source_of(self, clients: int) -> RequestSource:
        """Return the requests of so many clients."""
        simulate = self.subject.simulate
        if clients == simulate.arrival.clients:
            return self.source
        arrival = evolve(simulate.arrival, clients=clients)
        return evolve(self.source, simulate=evolve(simulate, arrival=arrival))

    def _phased(self, requests: Requests) -> Requests:
        """Return what of the requests an instance serves that has one phase alone."""
        phases = self._phases
        if phases == [Phase.PREFILL]:
            return evolve(requests, output=np.ones(len(requests), np.int64))
        if phases == [Phase.DECODE]:
            nothing = np.zeros(len(requests), np.int64)
            return evolve(requests, first_token=nothing, cached=nothing, blocks=None)
        return requests

    @property
    def hashed(self) -> Tokens:
        """Tokens of the blocks that a trace names; 0 where it names none."""
        simulate = self.subject.simulate
        trace = simulate.arrival.trace
        return simulate.block_tokens if trace is not None and trace.hashes is not None else 0

    def metrics(self, at: Conditions = USUAL) -> Metrics:
        """Return what a simulation says; see `outcome`."""
        return self.judged(self.outcome(at), at)

    def _allowance(self, target: float, count: int) -> Allowance | None:
        """Return how many requests may miss the limit on TTFT, if there is one, and a target."""
        parts = self.subject.study.workload.parts
        limits = [widest(part.slo).get("ttft") for part in parts]
        known = [limit for limit in limits if limit is not None]
        if len(known) < len(limits) or not target:
            return None
        # What waits longer than the widest of them misses that of its class, whichever it is of.
        wait = math.ceil(max(known) * PICOSECONDS)
        return Allowance(wait, math.floor((1 - target) * count + 1e-9))

    def judged(self, outcome: Outcome, at: Conditions = USUAL) -> Metrics:
        """Return what a simulation says by the objectives of the study.

        Of a configuration the rates are those of the middle of the run, but for clients that begin
        together or are given: theirs are of the run, as load tools have them. Instances that have
        one phase alone have no metrics of the other.
        """
        metrics, workload = self._phase_metrics(outcome), self._limited
        if self.subject.server is not None:
            return metrics
        ramp = 0.0 if at.clients is None else self.ramp(at.clients)
        if self.clients(at) is not None and not ramp:
            return metrics
        return of_the_middle(outcome, metrics, outcome.met(workload), ramp)

    @property
    def _limited(self) -> Workload:
        """The workload, without limits on what its instances do not have."""
        return self.subject.study.workload.without_limits(self._missing)

    @property
    def _missing(self) -> tuple[str, ...]:
        phases = self._phases
        return _MISSING[phases[0]] if len(phases) == 1 else ()

    def _phase_metrics(self, outcome: Outcome) -> Metrics:
        metrics, phases, missing = outcome.metrics(self._limited), self._phases, self._missing
        if not missing:
            return metrics
        none: dict[str, Any] = {name: None for name in missing if name in ("ttft", "tpot")}
        throughput = metrics.input_throughput
        if phases == [Phase.DECODE]:
            throughput = metrics.throughput - metrics.served  # the first token came with the prompt
        bins = tuple(evolve(one, **none) for one in metrics.bins)
        own = tuple(evolve(one, **none) for one in metrics.classes)
        without: dict[str, Any] = dict.fromkeys(missing)
        return evolve(metrics, throughput=throughput, bins=bins, classes=own, **without)

    @property
    def _phases(self) -> list[Phase]:
        return [part.task.phase for part in self.subject.parts]

    def _source(self) -> RequestSource:
        simulate, workload = self.subject.simulate, self.subject.study.workload
        server = self.subject.server
        if server is not None:
            longest = server.max_model_length or UNLIMITED
            return RequestSource(simulate, workload, block=server.block_size, longest=longest)
        first = self.instances[0]
        return RequestSource(
            simulate,
            workload,
            image_tokens=image_tokens(workload, self.subject.parts[0].task.deployment.model),
            block=first.server.block,
            caches_outputs=first.caches_outputs,
            longest=min(instance.longest for instance in self.instances),
        )

    def _pools_at(self, deviations: float) -> tuple[Pool, ...]:
        if deviations not in self._pools:
            router, longest = self.subject.simulate.router, self.source.longest_request
            server = self.subject.server
            self._pools[deviations] = (
                (measured_pool(server, router, longest, flat_hits=self.flat_hits),)
                if server is not None
                else tuple(i.pool(router, longest, deviations) for i in self.instances)
            )
        return self._pools[deviations]

    def _cluster(self, counts: Sequence[int], deviations: float) -> Cluster:
        # The costs of a measured server have no error of ours.
        known = 0.0 if self.subject.server is not None else deviations
        sized = [
            evolve(pool, engines=pool.engines * count)
            for pool, count in zip(self._pools_at(known), counts, strict=True)
        ]
        return sized[0] if len(sized) == 1 else self._disaggregated(*sized)

    def _disaggregated(self, prefill: Pool, decode: Pool) -> Disaggregated:
        """Join two pools; every data-parallel replica of the smaller side has its own link."""
        assert self.subject.transfer is not None
        links = min(pool.engines for pool in (prefill, decode))
        return Disaggregated(prefill, decode, self.subject.transfer, links)
