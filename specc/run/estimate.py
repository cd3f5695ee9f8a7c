"""How long a plan takes and how much memory, before it is run.

The coefficients are of a core of 2024 and are good to a factor of three or so; the numbers of
candidates, batch sizes, requests and steps are those that the run will have.
"""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from specc.diagnostics import Diagnostic, Label
from specc.engines import with_defaults
from specc.ir import Deployment, MeasuredServer, Phase, Routing, Sight, Strategy, Study
from specc.ir.load import is_simulated
from specc.plan import Plan, PlannedStudy, Task
from specc.records import Record
from specc.run.evaluate import Prepared, prepare, server_of
from specc.search.batch import BESIDE, FINER, FIRST_RIGHT_EDGE, MOST_DOUBLINGS, PEAKS, scan_grid
from specc.serving import StepLoop
from specc.units import Bytes, Seconds, counted

if TYPE_CHECKING:
    from specc.simulation.arrivals import RequestSource

LONGEST: Seconds = 600.0
MOST_MEMORY: Bytes = 4 * 2**30

SAMPLED = 200  # candidates of a study that are looked at; the others are like them

# Measured over the examples and the plans of the fuzzer.
_STUDY = 0.03  # seconds for a study and its report
_CANDIDATE_BYTES = 120_000  # what is kept of a candidate, in all processes
_CANDIDATE = 1.2e-3  # seconds for a candidate, its part of the report included
_ROW, _ROW_BYTES = 0.3e-6, 600  # for a batch size in closed form
_GROUP, _RUN = 1e-6, 4e-6  # for a group of requests in a loop over steps, and a run of like steps
_PROBE = 1e-3  # for a batch size in closed form that is tried alone
_TRAJECTORY = 1e-3  # for a batch size in a loop over steps
_PAIR, _PAIR_BYTES = 60e-6, 1000  # for a prefill beside a decode candidate
_REQUEST, _REQUEST_BYTES = 30e-6, 1500  # for a request that is simulated
_CHUNK = 6e-6  # for a further chunk of its prompt
_TURN = 6e-6  # for a step of sequences that take turns
_TOKEN = 1.5e-6  # for a token of a sequence that takes turns
_ENGINE = 2e-6  # for an engine that the router looks at, at each request
_IN_STEP = 100e-6  # for a request of engines that run in step
_TURN_BYTES = 90  # for a token of a sequence that takes turns: its gap, and its share of a step
_HASH, _HASH_BYTES = 0.6e-6, 40  # for the name of a block of a prompt
_COPY_BYTES = 300  # for a block with a name in the prefix cache, while its tables grow


@frozen(eq=False, repr=False)
class WorkPart(Record):
    """A part of the work: what it is, where the spec asks for it, and what it takes."""

    what: str
    study: Study
    seconds: Seconds
    memory: Bytes = 0


@frozen(eq=False, repr=False)
class WorkEstimate(Record):
    """What a plan takes."""

    parts: tuple[WorkPart, ...]

    @property
    def seconds(self) -> Seconds:
        """CPU time of all of it."""
        return math.fsum(part.seconds for part in self.parts)

    @property
    def memory(self) -> Bytes:
        """Memory of the part that takes most."""
        return max((part.memory for part in self.parts), default=0)

    @property
    def is_large(self) -> bool:
        """Whether it is more than what anybody asks for without knowing."""
        return self.seconds > LONGEST or self.memory > MOST_MEMORY

    def diagnostic(self) -> Diagnostic:
        """Say how large it is, what makes it so, and what to do."""
        slow = self.seconds > LONGEST
        largest = max(self.parts, key=lambda part: part.seconds if slow else part.memory)
        size = _time_text(self.seconds) if slow else f"{self.memory / 2**30:,.0f} GiB of memory"
        bound = _time_text(LONGEST) if slow else f"{MOST_MEMORY / 2**30:.0f} GiB"
        return Diagnostic(
            "E0601",
            f"this run takes about {size}",
            (Label(largest.study.spans[""], largest.what),),
            why=f"a run of more than {bound} needs --yes",
            help="ask for fewer layouts, batch sizes, requests or seeds; or run it with --yes",
        )


def estimate(plan: Plan) -> WorkEstimate:
    """Return what a plan takes."""
    parts: list[WorkPart] = []
    for planned in plan.studies:
        parts += _of_candidates(planned)
        parts += _of_pairs(planned)
        parts += _of_simulations(planned.study)
    return WorkEstimate(tuple(parts))


def _of_candidates(planned: PlannedStudy) -> Iterator[WorkPart]:
    tasks = planned.tasks
    if not tasks:
        return
    seconds, most = _of_tasks(tasks)
    # Candidates of one cost of a step are evaluated together; of each, what was found is kept.
    together = len(tasks) / len({task.cost_key for task in tasks})
    memory = together * most * _ROW_BYTES + len(tasks) * _CANDIDATE_BYTES
    what = f"{len(tasks):,} candidates of up to {most:,.0f} batch sizes"
    yield WorkPart(what, planned.study, _STUDY + seconds, int(memory))


def seconds_of(tasks: Sequence[Task]) -> Seconds:
    """Return the seconds that the evaluation of candidates takes."""
    return _of_tasks(tasks)[0] if tasks else 0.0


def _of_tasks(tasks: Sequence[Task]) -> tuple[Seconds, float]:
    """Return the seconds of candidates, and the most batch sizes of one, by a sample of them."""
    sample = tasks[:: -(-len(tasks) // SAMPLED)]
    each = [_of_task(task) for task in sample]
    share = len(tasks) / len(sample)
    return share * math.fsum(seconds for seconds, _ in each), max(rows for _, rows in each)


def _of_task(task: Task) -> tuple[Seconds, float]:
    """Return the seconds of a candidate, and its batch sizes."""
    prepared = prepare(task, server_of(task))
    batches = prepared.batches
    if not isinstance(prepared.model, StepLoop):
        if batches is not None:
            return _CANDIDATE + len(batches) * _ROW, float(len(batches))
        probes = len(_looped(prepared))
        return _CANDIDATE + probes * _PROBE, float(probes)
    sizes = _looped(prepared)
    server = prepared.model.server
    several = len(server.mixture.shapes) > 1
    steps = server.mixture.mean_new / prepared.budget / server.layout.dp
    each = (_GROUP if several else 0.0) + max(steps, 0.01) * (_GROUP + _RUN)
    requests = sum(sizes) * server.layout.dp
    return _CANDIDATE + len(sizes) * _TRAJECTORY + requests * each, float(len(sizes))


def _looped(prepared: Prepared) -> Sequence[float]:
    """Return the batch sizes for which a loop over steps runs, about."""
    batches = prepared.batches
    if batches is not None:
        return [float(size) for size in batches.tolist()]
    low, high = prepared.interval or (1, FIRST_RIGHT_EDGE * 2**MOST_DOUBLINGS)
    high = max(low, min(high, prepared.largest))
    if prepared.search.strategy is not Strategy.SCAN:
        return [high / 2**n for n in range(2 * MOST_DOUBLINGS)]
    grid: list[float] = list(scan_grid(low, high))
    return [*grid, *[high / 2] * (FINER * PEAKS // 2 + BESIDE)]


def _of_pairs(planned: PlannedStudy) -> Iterator[WorkPart]:
    for deployment in planned.study.deployments:
        if len(deployment.mode.phases) == 1:
            continue
        sides = [
            sum(t.deployment.name == deployment.name and t.phase is phase for t in planned.tasks)
            for phase in (Phase.PREFILL, Phase.DECODE)
        ]
        count = sides[0] * sides[1]
        what = f"{count:,} pairs of prefill and decode candidates of '{deployment.name}'"
        yield WorkPart(what, planned.study, count * _PAIR, count * _PAIR_BYTES)


def simulation_seconds(study: Study) -> Seconds:
    """Return the seconds that the simulations of a study take."""
    return math.fsum(part.seconds for part in _of_simulations(study))


def _of_simulations(study: Study) -> Iterator[WorkPart]:
    if not is_simulated(study):
        return
    # Imported where something is simulated.
    from specc.run.shortlist import usual_load
    from specc.run.simulate import simulations_of
    from specc.simulation.arrivals import RequestSource

    simulate = usual_load(study)
    source = RequestSource(simulate, study.workload)
    times, count = simulations_of(study), source.count
    sees = simulate.router.sight is not Sight.NOTHING
    ranks = max(map(_ranks, study.deployments), default=1)
    engines = simulate.instances * ranks if sees else 0
    each = _REQUEST + engines * _ENGINE
    if any(deployment.model.experts and _ranks(deployment) > 1 for deployment in study.deployments):
        each += _IN_STEP
    prompt, output = _mean_lengths(source)
    subjects: list[MeasuredServer | Deployment] = [*study.servers, *study.deployments]
    slowest = max((_of_request(subject, prompt, output) for subject in subjects), default=0.0)
    blocks = 0.0
    if simulate.sessions is not None:
        history = (prompt + output) * simulate.sessions.turns
        sizes = [server.block_size for server in study.servers]
        sizes += [instance.engine.block_size for instance in study.instances]
        blocks = (simulate.sessions.system_prompt + history) / min(sizes, default=source.block)
    kept = max((min(_cached_blocks(server), count * blocks) for server in study.servers), default=0)
    turns = output if any(map(_goes_step_by_step, subjects)) else 0.0
    yield WorkPart(
        f"{counted(times, 'simulation')} of {counted(count, 'request')}"
        + (", most of them for the capacity" if study.capacity is not None else ""),
        study,
        times * count * (each + slowest + blocks * _HASH),
        int(
            count * (_REQUEST_BYTES + blocks * _HASH_BYTES + turns * _TURN_BYTES)
            + kept * _COPY_BYTES
        ),
    )


def _ranks(deployment: Deployment) -> int:
    """Return the data-parallel ranks of an instance, the most that are tried."""
    instances = deployment.all_instances
    return max((i.devices or 1) // min(i.parallel.tp or (1,)) for i in instances)


def _cached_blocks(server: MeasuredServer) -> float:
    """Return the blocks that the prefix cache of a measured server keeps at most."""
    return math.inf if server.kv_cache is None else server.kv_cache / server.block_size


def _goes_step_by_step(subject: MeasuredServer | Deployment) -> bool:
    """Say whether its engines keep the books of every token, as no batch only ages."""
    from specc.simulation.cluster import engine_kind
    from specc.simulation.engine import Continuous
    from specc.simulation.instances import measured_pool

    if isinstance(subject, Deployment):
        return any(i.engine.long_prefill_token_threshold for i in subject.all_instances)
    pool = measured_pool(subject, Routing.ROUND_ROBIN, longest=1, flat_hits=False)
    return engine_kind(pool.settings) is not Continuous


def _of_request(subject: MeasuredServer | Deployment, prompt: float, output: float) -> Seconds:
    """Return the seconds that a request takes beyond its coming and going."""
    if isinstance(subject, MeasuredServer):
        chunks = prompt / subject.chunk_budget
        each = _TOKEN + _TURN / (subject.decode_batch or 1)
        return chunks * _CHUNK + (output * each if _goes_step_by_step(subject) else 0.0)
    tokens = output * (_TOKEN + _TURN) if _goes_step_by_step(subject) else 0.0
    budget = with_defaults(subject.engine, subject.device.memory).chunk_budget
    return tokens + (prompt / budget * _CHUNK if budget else 0.0)


def _mean_lengths(source: "RequestSource") -> tuple[float, float]:
    """Return the tokens of the mean prompt and output."""
    trace, workload = source.simulate.arrival.trace, source.workload
    if trace is not None:
        return sum(trace.input) / len(trace.input), sum(trace.output) / len(trace.output)
    shapes = workload.shapes()
    return math.fsum(s.share * s.input for s in shapes), math.fsum(
        s.share * s.output for s in shapes
    )


def _time_text(seconds: Seconds) -> str:
    for unit, name, most in ((60, "minute", 120), (3600, "hour", 48)):
        if seconds < most * unit:
            return counted(math.ceil(seconds / unit), name)
    return counted(math.ceil(seconds / 86400), "day")
