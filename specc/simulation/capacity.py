"""The highest rate at which enough requests meet their objectives, and the way there.

The share of requests that meet them falls as the rate rises. With common random numbers (the same
requests, only sooner) a bisection on the rate is sound; each seed has a bisection of its own, and
their spread tells how sure the result is.
"""

import math
from collections.abc import Callable

from specc.results import Metrics, RateSeen
from specc.simulation.cluster import LostError
from specc.simulation.requests import TooLongError

TOLERANCE = 0.01  # relative width at which a bisection ends
MOST_HALVINGS = 24
FAR, NEAR = 2.0, 1.06  # the first step of a search, and where another seed has shown the way
MOST_DOUBLINGS = 16
LATENCIES_TO_LAST = 5.0  # median latencies that the arrivals of a simulation must last
# Rates of the curve as shares of the capacity.
CURVE = (0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.25)

# A simulation at so many times the rate of the spec, with a seed.
Simulation = Callable[[float, int], Metrics]


def seen_at(rate: float, metrics: Metrics) -> RateSeen:
    """Return what a simulation saw at a rate."""
    return RateSeen(
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


def highest_scale(
    simulate: Simulation, target: float, seed: int, start: float, step: float = FAR
) -> float | None:
    """Return the highest factor on the rate that is carried; None if none is.

    Goes up or down from `start` until the target lies between two factors, then bisects. The first
    step is by a factor of `step`, each next one by its square, and by two at most. A simulation
    may end with a `LostError` as soon as it is.
    """

    def keeps(scale: float) -> bool:
        try:
            return carried(simulate(scale, seed), target)
        except (TooLongError, LostError):  # so few requests a day that it never ends; so many
            return False

    low = high = start
    if keeps(start):
        for _ in range(MOST_DOUBLINGS):
            if not keeps(high := high * step):
                break
            low, step = high, min(step * step, FAR)
        else:
            return low  # nothing bounds it, as where measured steps take no time
    else:
        for _ in range(MOST_HALVINGS):
            low /= step
            if keeps(low):
                break
            high, step = low, min(step * step, FAR)
        else:
            return None
    while high / low > 1 + TOLERANCE:
        middle = math.sqrt(low * high)
        if keeps(middle):
            low = middle
        else:
            high = middle
    return low
