"""Results: what was found, as plain data that a report, a file or a comparison is made of."""

from attrs import frozen

from specc.ir import Study
from specc.search import Miss
from specc.serving import BinRow, Timeline
from specc.serving.simulation.capacity import CapacityFound
from specc.serving.simulation.engine import EngineSettings
from specc.serving.simulation.metrics import Metrics, Series, Steps
from specc.units import Bytes, Seconds, Tokens


@frozen
class BoundShares:
    """What bounds a step; the shares of its time add up to 1."""

    compute: float
    memory: float
    communication: float
    launch: float


@frozen
class MemoryUse:
    """Bytes on one device in the tightest step."""

    weights: Bytes
    kv_cache: Bytes
    activations: Bytes
    reserved: Bytes
    available: Bytes
    available_at_end: Bytes


@frozen
class Band:
    """10th to 90th percentile of each metric; see `serving.definitions`."""

    ttft_p10: Seconds | None
    ttft_p90: Seconds | None
    tpot_p10: Seconds | None
    tpot_p90: Seconds | None
    throughput_p10: float
    throughput_p90: float


@frozen
class Point:
    """An instance at one batch size; see `serving.definitions` for each metric.

    What a phase does not have is None: decode alone has no TTFT, prefill alone no TPOT.
    """

    batch: int
    concurrency: int
    ttft: Seconds | None
    tpot: Seconds | None
    throughput: float
    throughput_per_device: float
    rate: float
    decode_step: Seconds | None
    prefill_step: Seconds | None
    wave_requests: int
    bands: Band
    memory: MemoryUse
    prefill: BoundShares | None
    decode: BoundShares | None


@frozen
class Curve:
    """Rows of the search by rising batch, thinned to what a picture shows."""

    batch: tuple[int, ...]
    ttft: tuple[Seconds | None, ...]
    tpot: tuple[Seconds | None, ...]
    throughput: tuple[float, ...]
    available: tuple[Bytes, ...]
    feasible: tuple[bool, ...]


@frozen
class Candidate:
    """Instances of a deployment in a layout, and the best that one of them can do.

    `point` is the best batch size; for an infeasible candidate the one nearest to feasibility,
    `misses` tells which limits it breaks and by how much, and `relaxations` what each limit would
    have to be if all the others stayed.
    """

    deployment: str
    phase: str
    device: str
    devices: int
    model: str
    quantisation: str
    tp: int
    pp: int
    dp: int
    cp: int
    dcp: int
    ep: int
    moe_tp: int
    moe_dp: int
    drafted: int
    calibration: str
    parallel: str
    method: str
    input: float
    output: float
    effective_input: float
    chunk_budget: Tokens
    chunks: int
    feasible: bool
    point: Point
    misses: tuple[Miss, ...]
    relaxations: tuple[Miss, ...]
    stopped_by: str
    probes: int
    curve: Curve
    task: str


@frozen
class Group:
    """Like instances of an answer.

    Attributes:
        count: instances, spares included.
        spare: of these, the ones beyond what the rate is counted on.
        point: one instance at its batch size.
        task: the candidate that they are.
    """

    phase: str
    count: int
    spare: int
    device: str
    devices: int
    parallel: str
    tp: int
    pp: int
    dp: int
    cp: int
    ep: int
    drafted: int
    chunk_budget: Tokens
    stopped_by: str
    point: Point
    task: str


@frozen
class Answer:
    """What a deployment does: its instances, and what they serve together.

    Attributes:
        rate: requests a second; that of the slower phase where phases are apart.
        transfer: seconds that the cache of a request is on its way between the phases.
        in_flight: requests in flight, in the last phase where there are two.
        bottleneck: the phase that limits the rate, `transfer` for the links, or nothing.
        cost_per_million_tokens, energy_per_thousand_tokens: of output tokens, in `currency` and
            joules; None where a device has no price or power.
        misses: limits on answers that it breaks.
        bins: what requests of each shape see, for the best answers.
        timeline: what ran in each step of a step loop, for the best answers.
    """

    deployment: str
    mode: str
    model: str
    quantisation: str
    groups: tuple[Group, ...]
    devices: int
    instances: int
    in_flight: int
    rate: float
    ttft: Seconds | None
    tpot: Seconds | None
    throughput: float
    throughput_per_device: float
    transfer: Seconds
    bottleneck: str
    bands: Band
    available: Bytes
    available_at_end: Bytes
    cost_per_second: float | None
    cost_per_million_tokens: float | None
    energy_per_thousand_tokens: float | None
    currency: str
    misses: tuple[Miss, ...] = ()
    bins: tuple[BinRow, ...] = ()
    timeline: Timeline | None = None

    @property
    def feasible(self) -> bool:
        """Whether it keeps to all limits."""
        return not self.misses

    @property
    def device(self) -> str:
        """The device, or the devices."""
        return " + ".join(dict.fromkeys(group.device for group in self.groups))

    @property
    def layout(self) -> str:
        """The layouts with the number of instances of each."""
        if len(self.groups) == 1 and self.instances == 1:
            return self.groups[0].parallel
        return " + ".join(
            f"{g.count} × {'' if g.phase == 'whole' else g.phase + ' '}({_short(g.parallel)})"
            for g in self.groups
        )


def _short(label: str) -> str:
    """Return the label of a layout without what is 1 and without bars."""
    return label.replace(" | PP=1", "").replace(" | ", " ")


@frozen
class Dropped:
    """Combinations of sizes dropped before evaluation for one reason: how many, and one."""

    deployment: str
    reason: str
    combinations: int
    label: str


@frozen
class Verdict:
    """Whether an expectation is met; `seen` tells the values it was judged on."""

    expectation: str
    met: bool
    seen: str
    reason: str


@frozen
class Estimate:
    """A statistic if all steps take as long as the error band of the cost model allows."""

    fact: str
    fast: Seconds | None
    slow: Seconds | None


@frozen
class Closed:
    """A mean as closed form or step loop said it, and as the simulation saw it.

    TTFT and TPOT are in seconds, `rate` is what the one can serve and the other did, in requests
    a second.
    """

    metric: str
    planned: float
    simulated: float


@frozen
class Picture:
    """What charts of a simulation show: the state over time, steps, and quantiles 0 % to 100 %."""

    series: Series
    steps: Steps
    ttft: tuple[Seconds, ...]
    tpot: tuple[Seconds, ...]
    latency: tuple[Seconds, ...]


@frozen
class Simulated:
    """A simulation of an answer of a deployment, or of a measured server.

    Attributes:
        place: place of the answer in the ranking by closed form, from 1.
        devices: of all replicas; their number for a server.
        engines: of all replicas, of each phase.
        settings: of the engines of each phase.
        estimates: statistics at the ends of the error band of the cost model.
        closed: means of the closed form beside those of the simulation.
        capacity: the highest rate that keeps the objectives, if it was asked for.
    """

    name: str
    layout: str
    place: int
    devices: int
    engines: tuple[int, ...]
    settings: tuple[EngineSettings, ...]
    metrics: Metrics
    estimates: tuple[Estimate, ...]
    closed: tuple[Closed, ...]
    picture: Picture
    capacity: CapacityFound | None = None

    @property
    def meets(self) -> bool:
        """Whether all objectives are met, and every request was served."""
        return all(o.met for o in self.metrics.objectives) and not self.metrics.rejected


@frozen
class StudyResult:
    """The answer to one study.

    Attributes:
        answers: the feasible answers, the best first, then those that break a limit of theirs.
        candidates: the instances that were evaluated: feasible ones, the best first, then others.
        simulations: of the shortlist, or of the servers; the one to choose first.
        dropped_answers: answers that are worse than those listed, and left out.
    """

    study: Study
    answers: tuple[Answer, ...]
    candidates: tuple[Candidate, ...]
    pruned: tuple[Dropped, ...]
    dropped_answers: int = 0
    verdicts: tuple[Verdict, ...] = ()
    simulations: tuple[Simulated, ...] = ()

    @property
    def best(self) -> Answer | None:
        """The best feasible answer of all deployments."""
        return next((a for a in self.answers if a.feasible), None)

    def best_of(self, deployment: str) -> Answer | None:
        """The best feasible answer of one deployment."""
        return next((a for a in self.answers if a.feasible and a.deployment == deployment), None)

    @property
    def feasible(self) -> bool:
        """Whether there is an answer that keeps to the limits, also as simulated."""
        if self.best is None and not self.study.servers:
            return False
        return not self.simulations or self.simulations[0].meets


@frozen
class Results:
    """The results of all studies of a spec."""

    studies: tuple[StudyResult, ...]

    @property
    def feasible(self) -> bool:
        """Whether every study has an answer that keeps to its limits, also in its simulation."""
        return all(study.feasible for study in self.studies)

    @property
    def simulated(self) -> bool:
        """Whether any study was simulated."""
        return any(study.simulations for study in self.studies)

    @property
    def as_expected(self) -> bool:
        """Whether every expectation of every study is met."""
        return all(verdict.met for study in self.studies for verdict in study.verdicts)
