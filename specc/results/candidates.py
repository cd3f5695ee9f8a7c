"""What was found about instances in their layouts, and the configurations made of them.

Everything here is plain data in base units: seconds, bytes, tokens a second. What a metric means
is in `specc.ir.facts`.
"""

from collections.abc import Sequence
from typing import ClassVar

from attrs import frozen

from specc.ir import Layout
from specc.records import Record
from specc.results.answers import AnswerMetrics, ClosedFigures, KeptLimit, Load, Spread
from specc.units import Bytes, Seconds, Tokens

MOST_DRAWN = 16  # candidates of a phase in a picture
MOST_POINTS = 12  # of a frontier


@frozen(eq=False, repr=False)
class BoundShares(Record):
    """What bounds a step; the shares of its time add up to 1."""

    compute: float
    memory: float
    communication: float
    launch: float


@frozen(eq=False, repr=False)
class MemoryUse(Record):
    """Bytes on one device in the tightest step, and what the KV cache of a replica holds.

    Attributes:
        cache_tokens: of the cache that an engine sets aside when it starts.
        longest_request: tokens of the longest request that is alone in it, as far as the model
            goes.
    """

    weights: Bytes
    kv_cache: Bytes
    activations: Bytes
    reserved: Bytes
    available: Bytes
    available_at_end: Bytes
    cache_tokens: Tokens = 0
    longest_request: Tokens = 0


@frozen(eq=False, repr=False)
class Band(Record):
    """10th to 90th percentile of each metric, by the residuals of the cost model."""

    ttft_p10: Seconds | None
    ttft_p90: Seconds | None
    tpot_p10: Seconds | None
    tpot_p90: Seconds | None
    throughput_p10: float
    throughput_p90: float


@frozen(eq=False, repr=False)
class Point(Record):
    """An instance at one batch size.

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


@frozen(eq=False, repr=False)
class BatchCurve(Record):
    """Rows of the search by rising batch, thinned to what a picture shows."""

    batch: tuple[int, ...]
    ttft: tuple[Seconds | None, ...]
    tpot: tuple[Seconds | None, ...]
    throughput: tuple[float, ...]
    available: tuple[Bytes, ...]
    feasible: tuple[bool, ...]


@frozen(eq=False, repr=False)
class FrontierPoint(Record):
    """A batch size of the instance of a task that no other beats in every respect."""

    task: str
    batch: int
    ttft: Seconds | None
    tpot: Seconds | None
    throughput_per_device: float
    available: Bytes
    cost: float | None
    currency: str


@frozen(eq=False, repr=False)
class Miss(Record):
    """A limit that is broken: its value, the limit, and the excess relative to the limit."""

    limit: str
    value: float
    allowed: float
    excess: float


@frozen(eq=False, repr=False)
class BinRow(Record):
    """What a serving model says about the requests of one shape.

    Attributes:
        share: share of the requests.
        samples: whole requests among those in flight.
        input, cached, output: tokens.
        ttft, tpot: means over its requests; None where the phase has none.
    """

    share: float
    samples: int
    input: Tokens
    cached: Tokens
    output: Tokens
    ttft: Seconds | None
    tpot: Seconds | None


@frozen(eq=False, repr=False)
class StepPart(Record):
    """What an operator takes of a step, all its runs together; `bound` is what it waits for."""

    name: str
    time: Seconds
    bound: str


@frozen(eq=False, repr=False)
class StepParts(Record):
    """A step of an instance by operator, the longest first; `phase` is prefill or decode."""

    phase: str
    parts: tuple[StepPart, ...]


@frozen(eq=False, repr=False)
class Timeline(Record):
    """What ran from the arrival of a batch to its last token, in runs of like steps.

    Attributes:
        start, end: seconds.
        steps: steps of a run.
        prefilled: new prompt tokens of a step of the deployment.
        decoding: sequences that a step decodes.
        cached: tokens in the KV cache at the end of a run.
    """

    start: tuple[Seconds, ...]
    end: tuple[Seconds, ...]
    steps: tuple[int, ...]
    prefilled: tuple[Tokens, ...]
    decoding: tuple[int, ...]
    cached: tuple[Tokens, ...]


@frozen(kw_only=True, eq=False, repr=False)
class EngineSettings(Record):
    """Settings of the engine of an instance: with the layout, all that starts it.

    Attributes:
        max_sequences: sequences that a replica runs at a time.
        chunk_budget: new tokens of a step of a replica.
        prefill_admission: waiting requests that a step takes in; None: as many as it runs.
        scheduler: what a step takes in; None: the engine's own.
        max_model_length: tokens of prompt and output together.
        block_size: tokens of a KV-cache block.
        prefix_cache: tokens of prefixes that a replica keeps beside the requests in flight.
        kv_cache: number format of the KV cache.
        reserved_memory: bytes of a device that the engine leaves free.
        memory_utilization: the share that it may use, where the spec says so.
        per_device: engines that share a device.
        drafted: tokens drafted a step, by `draft_model` or by the model's own layers.
        software, version: of the engine; empty where the spec names none.
        execution: how it launches the operators of a step.
        micro_batches: parts that a prefill step is cut into for pipeline stages.
        sequence_parallel, fuse_all_reduce, two_streams, dispatch: how devices communicate.
        redundant_experts: copies of much used experts.
        shard_shared: whether shared experts are split over the tensor-parallel ranks.
    """

    max_sequences: int
    chunk_budget: Tokens
    prefill_admission: int | None
    scheduler: str | None
    max_model_length: Tokens
    block_size: Tokens
    prefix_cache: Tokens
    kv_cache: str
    reserved_memory: Bytes
    memory_utilization: float | None
    per_device: int = 1
    drafted: int
    draft_model: str | None
    software: str = ""
    version: str = ""
    execution: str
    micro_batches: int
    sequence_parallel: bool
    fuse_all_reduce: bool
    two_streams: bool
    dispatch: str
    redundant_experts: int
    shard_shared: bool


@frozen(kw_only=True, eq=False, repr=False)
class Instance(Record):
    """Like instances of one phase: what each of them is, and how many there are.

    Attributes:
        count: instances, spares included.
        spare: of these, the ones beyond what the rate is counted on.
        devices: of one instance.
        parallel: the label of the layout, with the tokens that are drafted.
        point: one instance at its batch size.
        stopped_by: what keeps the batch from being larger.
        task: the key of the task that found it.
    """

    phase: str
    count: int = 1
    spare: int = 0
    device: str
    devices: int
    model: str
    quantisation: str
    layout: Layout
    parallel: str
    engine: EngineSettings
    point: Point
    stopped_by: str
    task: str

    derived: ClassVar[tuple[str, ...]] = ("memory",)

    @property
    def memory(self) -> MemoryUse:
        """The memory of a device."""
        return self.point.memory

    @property
    def own_devices(self) -> float:
        """Devices of one of them; of some that it shares a part."""
        return self.devices / self.engine.per_device

    @property
    def all_devices(self) -> int:
        """Devices of all of them; as many as share a device are on the same ones."""
        return -(-self.count // self.engine.per_device) * self.devices

    @property
    def working(self) -> int:
        """Instances without the spare ones."""
        return self.count - self.spare

    @property
    def rate(self) -> float:
        """Requests a second of those that work, by closed form."""
        return self.working * self.point.rate

    @property
    def places(self) -> int:
        """Requests that those that work run at a time, or prompts that keep them busy."""
        each = self.layout.dp * self.layout.pp * self.engine.max_sequences
        return self.working * (self.point.concurrency if self.phase == "prefill" else each)


@frozen(kw_only=True, eq=False, repr=False)
class Candidate(Record):
    """An instance of a deployment in a layout, at the best batch size, and how that was found.

    For an infeasible candidate it is the batch size nearest to feasibility; `misses` tells which
    limits it breaks and by how much, and `relaxations` what each limit would have to be if all the
    others stayed.

    Attributes:
        calibration: the rules of the cost model.
        method: closed form or step loop.
        input, output, effective_input: tokens of the mean request; those that prefill computes.
        chunks: parts that the longest prompt is computed in.
        probes: batch sizes that were evaluated.
        curve: what was found of them, of candidates that a report draws.
    """

    deployment: str
    instance: Instance
    calibration: str
    method: str
    input: float
    output: float
    effective_input: float
    chunks: int
    feasible: bool
    misses: tuple[Miss, ...]
    relaxations: tuple[Miss, ...]
    probes: int
    curve: BatchCurve | None = None

    @property
    def phase(self) -> str:
        """What the instance does with a request."""
        return self.instance.phase

    @property
    def point(self) -> Point:
        """The instance at its batch size."""
        return self.instance.point


@frozen(kw_only=True, eq=False, repr=False)
class Configuration(Record):
    """What a deployment can be run as: its instances, and what they serve together.

    Attributes:
        instances: like instances; where phases are apart, those that prefill come first.
        devices: of all instances, spares included.
        transfer: seconds that the cache of a request is on its way between the phases.
        load: what its figures are for.
        simulated: whether they were simulated under the load; else they are the closed form's.
        rate, ttft, tpot, throughput: means of these figures, requests and tokens a second.
        metrics: all of them, and `slo` the limits among them.
        closed_form: what the closed form says, with all places taken.
        capacity: requests a second up to which it keeps all limits, where it was searched.
        later_ttft: of clients that begin together, TTFT of the requests after the first of each.
        in_flight: requests in flight, in the last phase where there are two.
        bottleneck: the phase that limits the rate, `transfer` for the links, or nothing.
        cost_per_million_tokens, energy_per_thousand_tokens: of output tokens, in `currency` and
            joules; None where a device has no price or power.
        misses: limits on configurations that it breaks.
        bins: what requests of each shape see, for the best ones.
        timeline: what ran in each step of a step loop, for the best ones.
        steps: a prefill and a decode step by operator, for the best ones.
    """

    deployment: str
    mode: str
    model: str
    quantisation: str
    instances: tuple[Instance, ...]
    devices: int
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
    load: Load | None = None
    simulated: bool = False
    metrics: AnswerMetrics | None = None
    slo: tuple[KeptLimit, ...] = ()
    closed_form: ClosedFigures | None = None
    capacity: float | None = None
    later_ttft: Spread | None = None
    misses: tuple[Miss, ...] = ()
    bins: tuple[BinRow, ...] = ()
    timeline: Timeline | None = None
    steps: tuple[StepParts, ...] = ()

    derived: ClassVar[tuple[str, ...]] = ("configuration", "interval")

    @property
    def configuration(self) -> str:
        """What tells it from the others of its study: deployment and layouts."""
        return f"{self.deployment}: {self.layout}"

    @property
    def interval(self) -> dict[str, tuple[float, float] | None]:
        """The 10th and the 90th percentile of its means, by the errors of the cost model."""
        of = self.bands
        ends = {
            "ttft": (of.ttft_p10, of.ttft_p90),
            "tpot": (of.tpot_p10, of.tpot_p90),
            "throughput": (of.throughput_p10, of.throughput_p90),
        }
        return {
            name: None if low is None or high is None else (low, high)
            for name, (low, high) in ends.items()
        }

    @property
    def planned_rate(self) -> float:
        """Requests a second that its instances can serve by closed form, links aside."""
        return min(instance.rate for instance in self.instances)

    @property
    def feasible(self) -> bool:
        """Whether it meets all limits."""
        return not self.misses

    @property
    def instance_count(self) -> int:
        """Instances of all phases, spares included."""
        return sum(instance.count for instance in self.instances)

    @property
    def device(self) -> str:
        """The device, or the devices."""
        return " + ".join(dict.fromkeys(instance.device for instance in self.instances))

    @property
    def layout(self) -> str:
        """The layouts with the number of instances of each."""
        if self.instance_count == 1:
            return self.instances[0].parallel
        return " + ".join(
            f"{i.count} × {'' if i.phase == 'whole' else i.phase + ' '}({short_label(i.parallel)})"
            for i in self.instances
        )


def short_label(label: str) -> str:
    """Return the label of a layout without what is 1 and without bars."""
    return label.replace(" | PP=1", "").replace(" | ", " ")


def drawn(
    feasible: Sequence[Candidate], infeasible: Sequence[Candidate], recommended: set[str]
) -> list[Candidate]:
    """Return the candidates in pictures: those of the best configuration, then the best others.

    Args:
        feasible: candidates that meet all limits, the best first.
        infeasible: the others, which are drawn where there are none of these.
        recommended: tasks of the instances of the best configuration.
    """
    candidates = feasible or infeasible
    order = sorted(candidates, key=lambda c: c.instance.task not in recommended)
    kept: list[Candidate] = []
    for phase in dict.fromkeys(c.phase for c in candidates):
        kept += [c for c in order if c.phase == phase][:MOST_DRAWN]
    return kept
