"""What a configuration is recommended for: its load, what requests see under it, and its limits."""

from attrs import frozen

from specc.records import Record
from specc.units import Seconds

CHECKED_SEEDS = 3  # with which the instances of a fleet are counted


@frozen(eq=False, repr=False)
class Load(Record):
    """The load that figures are for.

    Attributes:
        kind: `given` by a simulate block, the `rate` of a fleet, `clients` of a closed loop, or
            `none`: nothing was simulated, and the figures are those of the closed form.
        rate: requests a second that come; None for clients.
        clients: of a closed loop.
        requests: that were simulated.
    """

    kind: str
    rate: float | None = None
    clients: int | None = None
    requests: int | None = None


@frozen(eq=False, repr=False)
class Spread(Record):
    """A metric over requests, in seconds; a closed form knows the mean alone."""

    mean: Seconds
    p50: Seconds | None = None
    p90: Seconds | None = None
    p95: Seconds | None = None
    p99: Seconds | None = None
    max: Seconds | None = None


@frozen(eq=False, repr=False)
class AnswerClass(Record):
    """What requests of a class see; `goodput` are those that met its limits, a second."""

    name: str
    ttft: Spread | None
    tpot: Spread | None
    queue: Spread | None
    latency: Spread | None
    goodput: float
    attainment: float | None


@frozen(eq=False, repr=False)
class AnswerMetrics(Record):
    """What requests see of a configuration under its load, and what it serves.

    Attributes:
        throughput: output tokens a second; of a configuration that only prefills, prompt tokens.
        rate: finished requests a second.
        goodput: those of them that met all limits, a second; `attainment` is their share.
    """

    ttft: Spread | None
    tpot: Spread | None
    itl: Spread | None
    queue: Spread | None
    latency: Spread | None
    throughput: float
    rate: float
    goodput: float | None
    attainment: float | None
    classes: tuple[AnswerClass, ...] = ()


@frozen(eq=False, repr=False)
class KeptLimit(Record):
    """A limit of the service-level objectives under the load.

    Attributes:
        fact: the statistic, such as `ttft.p99`; of a class with its name before.
        value: what was seen; None where nothing has such a value.
        probability: that it is kept, where it is known, by the error of kernels and software.
        of_kernels: the same by the error of kernels alone.
        fast, slow: what is seen at the ends of the 80 % interval of that error.
    """

    fact: str
    limit: Seconds
    value: Seconds | None
    met: bool
    probability: float | None = None
    of_kernels: float | None = None
    fast: Seconds | None = None
    slow: Seconds | None = None

    @property
    def of(self) -> str:
        """The class whose limit it is; empty if it is of all requests."""
        return self.fact.rpartition(".")[0].rpartition(".")[0]


@frozen(eq=False, repr=False)
class ClosedFigures(Record):
    """What the closed form said of a configuration, whose places are all taken."""

    ttft: Seconds | None
    tpot: Seconds | None
    throughput: float
    rate: float
