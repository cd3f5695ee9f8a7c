"""What simulations saw, as data: statistics over requests, and what ran when.

TTFT is the first token less the arrival, TPOT (last − first token) / (output tokens − 1), latency
the last token less the arrival, queue the first step less the arrival, ITL the gaps between
tokens of all requests.
"""

from attrs import frozen

from specc.ir import Admission, Queue, Scheduler
from specc.records import Record
from specc.units import Seconds, Tokens


@frozen(eq=False, repr=False)
class Statistics(Record):
    """Statistics of a metric over requests, in seconds."""

    mean: Seconds
    p50: Seconds
    p90: Seconds
    p95: Seconds
    p99: Seconds
    max: Seconds


@frozen(eq=False, repr=False)
class Attainment(Record):
    """How an objective fared: the limit, what was seen, and the share of requests within it.

    Attributes:
        fact: the statistic, such as `ttft.p99`, of a class with its name before; `objective` as
            the spec has it.
    """

    fact: str
    objective: str
    limit: Seconds
    seen: Seconds | None
    met: bool
    share: float

    @property
    def metric(self) -> str:
        """The metric that the objective is on."""
        return self.fact.split(".")[-2]


@frozen(eq=False, repr=False)
class BinMetrics(Record):
    """What requests of a bin of lengths saw."""

    bin: int
    requests: int
    ttft: Statistics | None
    tpot: Statistics | None
    attainment: float


@frozen(eq=False, repr=False)
class ClassMetrics(Record):
    """What requests of a class saw.

    Attributes:
        name: of the class.
        requests, finished: numbers of requests.
        attainment: share of its requests that met every limit of the class; None if none came.
        goodput: such requests a second.
    """

    name: str
    requests: int
    finished: int
    attainment: float | None
    goodput: float
    ttft: Statistics | None
    tpot: Statistics | None
    queue: Statistics | None
    latency: Statistics | None


@frozen(eq=False, repr=False)
class Series(Record):
    """The state over time, at equal intervals; sums over all engines."""

    time: tuple[Seconds, ...]
    waiting: tuple[int, ...]
    running: tuple[int, ...]
    cache: tuple[float, ...]


@frozen(eq=False, repr=False)
class Steps(Record):
    """Steps of an engine around the time at which most requests waited."""

    start: tuple[Seconds, ...]
    end: tuple[Seconds, ...]
    steps: tuple[int, ...]
    prefilled: tuple[int, ...]
    decoding: tuple[int, ...]
    waiting: tuple[int, ...]


@frozen(eq=False, repr=False)
class Metrics(Record):
    """What a simulation says; see the module.

    Attributes:
        requests, finished, rejected, preemptions: numbers of requests, and of preemptions; what is
            neither finished nor rejected was not done when the simulation ended.
        arriving: seconds from the first arrival to the last.
        span: seconds from the first arrival to the last token.
        rate: arrivals a second.
        served: finished requests a second, of measured servers and of clients over the span, else
            in the middle of the run, without start-up and drain.
        throughput: output tokens a second in that time; `input_throughput` those of prompts.
        attainment: share of all requests that met every objective, each at its widest limit.
        goodput: such requests a second.
        busy: share of the time in which an engine runs a step; where phases are apart, one that
            decodes, and `prefill_busy` one that prefills.
        batch: mean sequences that decode in a step, over the time of steps of such an engine.
        most_waiting: the longest queue of an engine.
        most_tokens, most_decoding: the most new tokens of prompts, and sequences, of a step.
        cache: largest share of the KV cache in use.
        hits: share of prompt tokens found in the cache, of all that were found or computed.
        growing: whether the queue still grows when the last request comes.
        classes: what requests of each class saw; empty without classes.
    """

    requests: int
    finished: int
    rejected: int
    preemptions: int
    span: Seconds
    arriving: Seconds
    rate: float
    served: float
    throughput: float
    input_throughput: float
    attainment: float
    goodput: float
    busy: float
    prefill_busy: float | None
    batch: float
    most_waiting: int
    most_tokens: int
    most_decoding: int
    cache: float
    hits: float
    growing: bool
    ttft: Statistics | None
    tpot: Statistics | None
    itl: Statistics | None
    queue: Statistics | None
    latency: Statistics | None
    objectives: tuple[Attainment, ...] = ()
    bins: tuple[BinMetrics, ...] = ()
    classes: tuple[ClassMetrics, ...] = ()

    def statistic(self, fact: str) -> Seconds | None:
        """Return a statistic by its path, such as `ttft.p99`, or that of a class."""
        *of, metric, name = fact.split(".")
        found = getattr(self.of(of[0]) if of else self, metric)
        return None if found is None else float(getattr(found, name))

    def of(self, name: str) -> ClassMetrics:
        """Return what requests of a class saw."""
        return next(one for one in self.classes if one.name == name)


def meets(metrics: Metrics) -> bool:
    """Say whether all objectives are met, and every request was served."""
    return all(objective.met for objective in metrics.objectives) and not metrics.rejected


@frozen(eq=False, repr=False)
class RateSeen(Record):
    """What a simulation at a rate saw."""

    rate: float
    ttft_p50: Seconds | None
    ttft_p99: Seconds | None
    tpot_p50: Seconds | None
    tpot_p99: Seconds | None
    attainment: float
    throughput: float
    busy: float
    batch: float
    most_waiting: int
    cache: float
    preemptions: int


@frozen(eq=False, repr=False)
class CapacityFound(Record):
    """The capacity of engines; rates in requests a second.

    Attributes:
        target: share of requests that meet all objectives.
        rate: mean over seeds; None if not even the lowest rate meets the target.
        low, high: the lowest and the highest of the seeds.
        slow, fast: the rate if all steps take as long as the 90th and the 10th percentile of the
            cost model's error say; None where steps were measured.
        seeds: how many.
        curve: what other rates lead to, with the first seed, whose own capacity is `curve_rate`.
        limiting: the objective that the most requests miss just above the capacity, and
            `limiting_share` of those that it is for keep there.
        short: whether the simulation is too short to tell of higher rates.
        wanted: a rate that was asked for, and `instances` that carry it, checked by simulation.
        at_wanted: how the objectives fare with these at that rate.
        probability_at_wanted: that they carry it, by the error of the cost model.
    """

    target: float
    rate: float | None
    low: float | None = None
    high: float | None = None
    slow: float | None = None
    fast: float | None = None
    seeds: int = 1
    curve: tuple[RateSeen, ...] = ()
    curve_rate: float | None = None
    limiting: str = ""
    limiting_share: float | None = None
    short: bool = False
    wanted: float | None = None
    instances: int | None = None
    attainment_at_wanted: float | None = None
    at_wanted: tuple[Attainment, ...] = ()
    probability_at_wanted: float | None = None

    @property
    def steepness(self) -> float | None:
        """Attainment lost by a rate 5 % above the capacity."""
        if self.curve_rate is None:
            return None
        near = {round(p.rate / self.curve_rate, 2): p.attainment for p in self.curve}
        return near[1.0] - near[1.05] if 1.0 in near and 1.05 in near else None


@frozen(eq=False, repr=False)
class EngineLimits(Record):
    """Limits of a simulated engine.

    Attributes:
        scheduler: what a step takes in.
        budget: new tokens of a step, one of each sequence that decodes included.
        limit: sequences that run at a time.
        admission: waiting requests that a step takes in.
        decode_batch: sequences that a step decodes.
        capacity: KV-cache blocks.
        block: tokens of a block.
        longest: tokens of prompt and output together.
        slack: decode_first_with_slack: share by which a step may exceed the budget.
        ready_at: when the first step may begin, in picoseconds.
        start: which blocks must be free before a request starts.
        prefix_caching: whether blocks that were computed are found by their hash.
        async_scheduling: whether a step is composed while the one before it runs.
        long_prompt: most tokens of a prompt that a step takes while other requests are there; 0
            for no limit.
        acceptance: of as many drafted tokens as a step verifies, the share of steps in which the
            first, second, … is accepted; empty without drafts.
        queue: which of the requests that wait starts next.
    """

    scheduler: Scheduler
    budget: Tokens
    limit: int
    admission: int
    decode_batch: int
    capacity: int
    block: Tokens
    longest: Tokens
    slack: float = 0.0
    ready_at: int = 0
    start: Admission = Admission.FIRST_CHUNK
    prefix_caching: bool = False
    async_scheduling: bool = False
    long_prompt: Tokens = 0
    acceptance: tuple[float, ...] = ()
    queue: Queue = Queue.FIFO

    @property
    def new(self) -> Tokens:
        """Tokens of a sequence that decodes in a step: its last one, and the drafted ones."""
        return 1 + len(self.acceptance)

    @property
    def reserve(self) -> Tokens:
        """Tokens beyond those it holds that a sequence has blocks for, if its length allows it."""
        return 1 + 2 * len(self.acceptance)

    def reach(self, held: Tokens) -> Tokens:
        """Return for how many tokens a sequence with `held` ones has blocks in a decode step.

        As in vLLM: for the new ones, and for as many as are drafted after them; no request is
        longer than the limit.
        """
        return min(held + self.reserve, self.longest)

    def blocks(self, tokens: Tokens) -> int:
        """Return the KV-cache blocks of so many tokens of a sequence."""
        return -(-tokens // self.block)

    def longest_context(self, request: Tokens) -> Tokens:
        """Return the longest context of a step, if no request is longer than `request`."""
        return max(1, min(request, self.longest, self.capacity * self.block + 1))

    def takes(self, prompt: Tokens, output: Tokens) -> bool:
        """Say whether a request fits: the model's length, and the cache when all else is gone."""
        fits = self.blocks(self.reach(prompt + output - 2)) <= self.capacity
        return fits and prompt + output <= self.longest


@frozen(eq=False, repr=False)
class Estimate(Record):
    """A statistic if all steps take as long as the error band of the cost model allows."""

    fact: str
    fast: Seconds | None
    slow: Seconds | None


@frozen(eq=False, repr=False)
class Closed(Record):
    """A mean as closed form or step loop said it, and as the simulation saw it.

    TTFT and TPOT are in seconds; in requests a second, `rate` is what the one can serve and the
    other did, and `carried` what both can.
    """

    metric: str
    planned: float
    simulated: float


@frozen(eq=False, repr=False)
class SimulationPicture(Record):
    """What charts of a simulation show: the state over time, steps, and quantiles 0 % to 100 %."""

    series: Series
    steps: Steps
    ttft: tuple[Seconds, ...]
    tpot: tuple[Seconds, ...]
    latency: tuple[Seconds, ...]


@frozen(eq=False, repr=False)
class Simulated(Record):
    """A simulation of a configuration of a deployment, or of a measured server.

    Attributes:
        place: place of the configuration in the ranking by closed form, from 1.
        devices: of all instances; their number for a server.
        engines: of all instances, of each phase.
        settings: of the engines of each phase.
        estimates: statistics at the ends of the error band of the cost model.
        closed: means of the closed form beside those of the simulation.
        clients: of a closed loop.
        capacity: the highest rate that meets the objectives, if it was asked for.
    """

    name: str
    layout: str
    place: int
    devices: int
    engines: tuple[int, ...]
    settings: tuple[EngineLimits, ...]
    metrics: Metrics
    estimates: tuple[Estimate, ...]
    closed: tuple[Closed, ...]
    picture: SimulationPicture
    clients: int | None = None
    capacity: CapacityFound | None = None

    @property
    def meets(self) -> bool:
        """Whether all objectives are met, and every request was served."""
        return meets(self.metrics)
