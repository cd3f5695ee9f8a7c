"""How sure it is that limits hold, by what the simulation sees where the cost model errs.

All steps are as much longer, or shorter, as the error says, so what requests see rises with it.
Where that reaches a limit, as a quantile of the error, the limit holds with the probability of
that quantile. A plan on its limit holds it with one half.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

from specc.cost.times import P10, P90
from specc.units import Seconds

P30, P70 = -0.5244, 0.5244  # standard normal quantiles
QUANTILES = (P10, P30, P70, P90)  # beside the median
SURE = 0.999  # more than that no simulation tells

_NORMAL = NormalDist()


def quantile_of(confidence: float | None) -> float:
    """Return the quantile of the error at which a limit must hold to be kept so surely."""
    return 0.0 if confidence is None else _NORMAL.inv_cdf(confidence)


def probability(seen: Sequence[tuple[float, Seconds]], limit: Seconds, share: float = 1.0) -> float:
    """Return the probability that a limit holds.

    Args:
        seen: a quantile of the error, rising, and the statistic there.
        limit: of the statistic.
        share: the deviation of the whole error over that of the part which counts.
    """
    reached = _reached(seen, limit)
    return min(SURE, max(1 - SURE, _NORMAL.cdf(reached * share)))


def _reached(seen: Sequence[tuple[float, Seconds]], limit: Seconds) -> float:
    """Return the quantile at which the statistic reaches its limit.

    Between two quantiles its logarithm is linear, and beyond the ends it goes on as it did.
    """
    points = [(z, math.log(max(value, 1e-12) / limit)) for z, value in seen]
    within = [excess <= 0 for _, excess in points]
    first = within.index(False) if False in within else len(points)
    right = min(max(first, 1), len(points) - 1)
    (low, below), (high, above) = points[right - 1], points[right]
    slope = (above - below) / (high - low)
    if slope <= 0:  # the error changes nothing there
        return -math.inf if first == 0 else math.inf
    return low - below / slope
