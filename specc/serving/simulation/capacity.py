"""The highest rate at which enough requests meet their objectives, and the way there.

The share of requests that meet them falls as the rate rises. With common random numbers (the same
requests, only sooner) a bisection on the rate is sound; each seed has a bisection of its own, and
their spread tells how sure the result is.
"""

import math
from collections.abc import Callable

from attrs import frozen

from specc.serving.simulation.arrivals import TooLongError
from specc.serving.simulation.metrics import Metrics
from specc.units import Seconds

TOLERANCE = 0.01  # relative width at which a bisection ends
MOST_HALVINGS = 24
LATENCIES_TO_LAST = 5.0  # median latencies that the arrivals of a simulation must last
# Rates of the curve as shares of the capacity.
CURVE = (0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.25)

# A simulation at so many times the rate of the spec, with a seed.
Simulation = Callable[[float, int], Metrics]


@frozen
class RateSeen:
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

    @classmethod
    def of(cls, rate: float, metrics: Metrics) -> "RateSeen":
        """Return what metrics say at a rate."""
        return cls(
            rate=rate,
            ttft_p50=metrics.statistic("ttft.p50"),
            ttft_p99=metrics.statistic("ttft.p99"),
            tpot_p50=metrics.statistic("tpot.p50"),
            tpot_p99=metrics.statistic("tpot.p99"),
            attainment=metrics.attainment,
            throughput=metrics.throughput,
            busy=metrics.busy,
            batch=metrics.batch,
            most_waiting=metrics.most_waiting,
            cache=metrics.cache,
            preemptions=metrics.preemptions,
        )


@frozen
class CapacityFound:
    """The capacity of engines; rates in requests a second.

    Attributes:
        target: share of requests that meet all objectives.
        rate: mean over seeds; None if not even the lowest rate meets the target.
        low, high: the lowest and the highest of the seeds.
        slow, fast: the rate if all steps take as long as the 90th and the 10th percentile of the
            cost model's error say; None where steps were measured.
        seeds: how many.
        curve: what other rates lead to, with the first seed, whose own capacity is `curve_rate`.
        limiting: the objective that the most requests miss just above the capacity.
        short: whether the simulation is too short to tell of higher rates.
        wanted: a rate that was asked for, and `replicas` that carry it, checked by simulation.
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
    short: bool = False
    wanted: float | None = None
    replicas: int | None = None
    attainment_at_wanted: float | None = None

    @property
    def steepness(self) -> float | None:
        """Attainment lost by a rate 5 % above the capacity."""
        if self.curve_rate is None:
            return None
        near = {round(p.rate / self.curve_rate, 2): p.attainment for p in self.curve}
        return near[1.0] - near[1.05] if 1.0 in near and 1.05 in near else None


def is_short(metrics: Metrics) -> bool:
    """Say whether a simulation is over before a queue could have built up."""
    latency = metrics.statistic("latency.p50") or 0.0
    return metrics.arriving < LATENCIES_TO_LAST * latency


def carried(metrics: Metrics, target: float) -> bool:
    """Say whether engines carry a load: requests and statistics are within the objectives.

    A queue that still grows when the last request comes is not carried, whatever the requests saw
    until then; and neither is a load that ends too soon to tell.
    """
    within = all(objective.met for objective in metrics.objectives)
    steady = not metrics.growing and not is_short(metrics)
    return metrics.attainment >= target and within and steady


def highest_scale(simulate: Simulation, target: float, seed: int, start: float) -> float | None:
    """Return the highest factor on the rate that is carried; None if none is.

    Doubles or halves from `start` until the target lies between two factors, then bisects.
    """

    def keeps(scale: float) -> bool:
        try:
            return carried(simulate(scale, seed), target)
        except TooLongError:  # so few requests a day that the simulation never ends
            return False

    low = high = start
    if keeps(start):
        while keeps(high := high * 2):
            low = high
    else:
        for _ in range(MOST_HALVINGS):
            low /= 2
            if keeps(low):
                break
            high = low
        else:
            return None
    while high / low > 1 + TOLERANCE:
        middle = math.sqrt(low * high)
        if keeps(middle):
            low = middle
        else:
            high = middle
    return low
