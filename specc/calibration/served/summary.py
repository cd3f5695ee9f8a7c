"""Errors of predicted served runs, by engine and by source."""

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence

import pandas as pd
from attrs import frozen

from specc.calibration.served.prediction import ServedPrediction
from specc.records import Record

FEWEST_RANKED = 4  # runs of a source whose order tells something


@frozen(eq=False, repr=False)
class Summary(Record):
    """How far predictions of one metric are off, of runs that have something in common.

    Attributes:
        n: runs.
        ratio: median of predicted / measured.
        error: median and mean of |predicted / measured − 1|.
        inside: share inside p10 to p90, of runs in which nothing is assumed; None if there is none.
        order: Spearman's rank correlation; None where there are too few runs.
    """

    name: str
    metric: str
    n: int
    ratio: float
    error: tuple[float, float]
    inside: float | None
    order: float | None


def summaries(found: Sequence[ServedPrediction], by: str) -> list[Summary]:
    """Return summaries by an attribute of predictions, such as `software` or `source`."""
    groups: defaultdict[tuple[str, str], list[ServedPrediction]] = defaultdict(list)
    for one in found:
        groups[getattr(one, by), one.metric].append(one)
    return [_summary(*key, own) for key, own in sorted(groups.items())]


def _summary(name: str, metric: str, own: list[ServedPrediction]) -> Summary:
    ratios = [one.predicted / one.measured for one in own]
    errors = [abs(ratio - 1) for ratio in ratios]
    known = [one.p10 <= one.measured <= one.p90 for one in own if not one.assumed]
    order = None
    if len(own) >= FEWEST_RANKED:
        ranks = pd.DataFrame([(one.predicted, one.measured) for one in own]).rank()
        order = float(ranks[0].corr(ranks[1]))
    return Summary(
        name=name,
        metric=metric,
        n=len(own),
        ratio=statistics.median(ratios),
        error=(statistics.median(errors), math.fsum(errors) / len(errors)),
        inside=sum(known) / len(known) if known else None,
        order=None if order is None or math.isnan(order) else order,
    )
