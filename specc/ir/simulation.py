"""Simulations: how requests arrive, which engines serve them, and what is asked of them."""

from collections.abc import Sequence
from enum import Enum
from typing import ClassVar

from attrs import field, frozen

from specc.ir import vocabulary as v
from specc.ir.policies import Routing, Scheduler
from specc.ir.ranges import LARGEST_BLOCK
from specc.ir.software import SoftwareSettings
from specc.records import Record
from specc.units import DIMENSIONLESS, REQUESTS, TIME, TOKENS, Seconds, Tokens

# Picoseconds in 64 bits reach 107 days; the last request must come well before.
LONGEST_SIMULATION: Seconds = 60 * 86400.0
USUAL_REQUESTS = 10_000
# Requests of a closed loop: at least, of each client, and of each where that would be too many.
FEWEST_OF_CLIENTS, EACH_CLIENT, EACH_OF_MANY, MOST_OF_CLIENTS = 500, 5, 2, 100_000


class Process(Enum):
    """How requests follow each other."""

    BURST = "burst"
    CONSTANT = "constant"
    POISSON = "poisson"
    GAMMA = "gamma"
    WEIBULL = "weibull"
    CONCURRENCY = "concurrency"
    TRACE = "trace"


@frozen(eq=False, repr=False)
class Trace(Record):
    """Requests as somebody recorded them; the columns stay out of the JSON form.

    Attributes:
        file: its name.
        digest: SHA-256 of its text.
        requests: how many there are.
        omitted: failed calls that are left out, as they have no output.
        arrival: seconds from the first request, rising.
        input, output: tokens of prompt and output.
        hashes: of the prefix blocks of each, if the file has them.
    """

    unwritten: ClassVar[tuple[str, ...]] = ("arrival", "input", "output", "hashes")

    file: str
    digest: str
    requests: int
    omitted: int = 0
    arrival: Sequence[float] = field(eq=False, default=())
    input: Sequence[int] = field(eq=False, default=())
    output: Sequence[int] = field(eq=False, default=())
    hashes: tuple[tuple[int, ...], ...] | None = field(eq=False, default=None)


@frozen(eq=False, repr=False)
class Arrival(Record):
    """A process of arrivals: `poisson(12 req/s)`, `gamma(12 req/s, 2)`, `trace("day.csv")`.

    Attributes:
        rate: requests a second on average; None if a table of rates says so, and for a trace.
        cv: coefficient of variation of the gaps, of gamma and Weibull gaps.
        clients: of a closed loop, where each sends its next request when the last one is done.
        think: from the end of a request of a client to its next one.
        ramp: time over which clients send their first requests.
    """

    process: Process
    rate: float | None = None
    cv: float = 1.0
    trace: Trace | None = None
    clients: int | None = None
    think: Seconds = 0.0
    ramp: Seconds = 0.0


@frozen(kw_only=True, eq=False, repr=False)
class RatePoint(v.Node):
    """A row of the table `rates`: the rate at a time; it is linear between the rows."""

    at: Seconds = v.number(TIME, "time from the start of the simulation", at_least=0)
    rate: float = v.number(REQUESTS / TIME, "requests a second", at_least=0, at_most=1e9)


class LengthSampling(Enum):
    """How long requests of a bin are."""

    UNIFORM = "uniform"
    REPRESENTATIVE = "representative"


@frozen(kw_only=True, eq=False, repr=False)
class Sessions(v.Node):
    """Requests that continue each other: a prompt is the history with new tokens."""

    turns: float = v.number(
        DIMENSIONLESS,
        "mean requests of a session; their number is geometric",
        default=1.0,
        at_least=1,
        at_most=1000,
    )
    gap: Seconds = v.number(
        TIME,
        "mean time from a request of a session to the next, exponential; a request that comes "
        "before the last one is done finds less of it in the cache",
        default=60.0,
        at_least=0,
    )
    system_prompt: Tokens = v.number(
        TOKENS, "tokens at the head of every prompt", default=0, whole=True, at_least=0
    )
    system_prompts: int = v.count("how many system prompts there are, equally frequent", default=1)


@frozen(kw_only=True, eq=False, repr=False)
class Simulate(v.Node):
    """A request-level simulation of the best candidates of a study, or of measured servers."""

    arrival: Arrival = v.arrival(
        "burst, constant(rate), poisson(rate), gamma(rate, cv), weibull(rate, cv), "
        "concurrency(clients, think, ramp): clients of the whole fleet, each of which sends "
        "its next request when the last one is done and it has thought; or "
        'trace("file"): a CSV with arrived_at in s, num_prefill_tokens and num_decode_tokens, or '
        "JSON lines with timestamp in ms, input_length, output_length and hash_ids"
    )
    rates: tuple[RatePoint, ...] = v.table(
        RatePoint,
        "a rate that changes over time, such as a ramp or a day, instead of the rate of "
        "'arrival'; after the last row it stays",
    )
    requests: int | None = v.number(
        DIMENSIONLESS,
        "requests to simulate; `auto` is 10 000, all of a trace, and of clients 5 each, or 500; "
        "of more than 20 000 clients 100 000, or 2 each",
        default=None,
        whole=True,
        at_least=1,
        at_most=10_000_000,
    )
    seed: int = v.number_of("seed of the random numbers", default=1, at_most=2**53)
    speed: float = v.number(
        DIMENSIONLESS,
        "factor by which a trace is replayed faster",
        default=1.0,
        above=0,
        at_most=1e6,
    )
    block_tokens: Tokens = v.number(
        TOKENS,
        "tokens of a hashed prefix block of a trace",
        default=512,
        whole=True,
        at_least=1,
        at_most=LARGEST_BLOCK,
    )
    lengths: LengthSampling | None = v.choice(
        LengthSampling,
        "lengths of requests of a bin; `auto` is uniform within the bin, and the mean of the "
        "samples if the bin was built from a trace",
        default=None,
    )
    sessions: Sessions | None = v.block(
        Sessions, "sessions and system prompts, served from a prefix cache", optional=True
    )
    instances: int = v.number(
        DIMENSIONLESS,
        "instances behind the router; if a configuration has several instances, such as separate "
        "prefill and decode, copies of all of them",
        was="replicas",
        default=1,
        whole=True,
        at_least=1,
        at_most=1000,
    )
    router: Routing = v.choice(
        Routing,
        "who sends a request to an engine. 'engine' takes instances in turn, and in each the "
        "balancer that vLLM has over its ranks; others see every data-parallel rank as an engine",
        default=Routing.ENGINE,
    )
    shortlist: int | None = v.number(
        DIMENSIONLESS,
        "configurations of each deployment that the simulation compares, best first; `auto` is "
        "those within the error of the best of all deployments, 4 to 8 of them",
        default=None,
        whole=True,
        at_least=1,
        at_most=100,
    )

    @property
    def count(self) -> int:
        """Requests that are simulated."""
        trace, clients = self.arrival.trace, self.arrival.clients
        if trace is not None:
            return min(self.requests or trace.requests, trace.requests)
        usual = USUAL_REQUESTS if clients is None else requests_of_clients(clients)
        return self.requests or usual


def requests_of_clients(clients: int) -> int:
    """Return how many requests of a closed loop are simulated, if nobody says it."""
    most = max(EACH_OF_MANY * clients, MOST_OF_CLIENTS)
    return max(FEWEST_OF_CLIENTS, min(EACH_CLIENT * clients, most))


@frozen(kw_only=True, eq=False, repr=False)
class Capacity(v.Node):
    """A search for the highest rate at which enough requests meet all objectives."""

    attainment: float = v.fraction(
        "share of the requests that must meet all objectives", default=0.99
    )
    seeds: int = v.number(
        DIMENSIONLESS,
        "searches, each with its own random numbers; their spread is the interval",
        default=5,
        whole=True,
        at_least=1,
        at_most=100,
    )
    rate: float | None = v.number(
        REQUESTS / TIME, "a rate for which to find the number of instances", default=None, above=0
    )


class StepKind(Enum):
    """What a step does."""

    PREFILL = "prefill"
    DECODE = "decode"


@frozen(kw_only=True, eq=False, repr=False)
class StepCost(v.Node):
    """A row of the table `step_cost`: how long a step took."""

    step: StepKind = v.choice(StepKind, "a step that prefills, or one that decodes")
    size: int = v.number(
        DIMENSIONLESS,
        "new tokens of prompts, or sequences that decode",
        whole=True,
        at_least=1,
        at_most=10_000_000,
    )
    time: Seconds = v.number(TIME, "the time of the step", above=0)


@frozen(kw_only=True, eq=False, repr=False)
class MeasuredServer(SoftwareSettings):
    """An engine whose steps were measured: it is simulated without a model or a device."""

    step_cost: tuple[StepCost, ...] = v.table(
        StepCost, "times of steps; linear between and beyond the rows"
    )
    scheduler: Scheduler = v.choice(
        Scheduler, "what a step takes in", default=Scheduler.DECODE_FIRST
    )
    chunk_budget: Tokens = v.number(
        TOKENS, "new tokens of a step", default=8192, whole=True, at_least=1
    )
    max_sequences: int = v.number(
        DIMENSIONLESS,
        "sequences that run at a time",
        default=256,
        whole=True,
        at_least=1,
        at_most=1_000_000,
    )
    decode_batch: int | None = v.number(
        DIMENSIONLESS,
        "sequences that a step decodes, in turn; `auto` is 'max_sequences'",
        default=None,
        whole=True,
        at_least=1,
        at_most=1_000_000,
    )
    prefill_admission: int | None = v.number(
        DIMENSIONLESS,
        "waiting requests that a step takes in; `auto` is 'decode_batch'",
        default=None,
        whole=True,
        at_least=1,
        at_most=1_000_000,
    )
    kv_cache: Tokens | None = v.number(
        TOKENS,
        "tokens that the KV cache holds; `auto` is no limit",
        default=None,
        whole=True,
        at_least=1,
    )
    block_size: Tokens = v.number(
        TOKENS,
        "tokens of a KV-cache block",
        default=16,
        whole=True,
        at_least=1,
        at_most=LARGEST_BLOCK,
    )
    ready_after: Seconds = v.number(
        TIME,
        "start-up time, before which the engine runs no step",
        default=0.0,
        at_least=0,
    )
    max_model_length: Tokens | None = v.number(
        TOKENS,
        "limit on prompt and output together; `auto` is no limit",
        default=None,
        whole=True,
        at_least=2,
    )
