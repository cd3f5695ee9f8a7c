"""What batch sizes of candidates show: their curves, and the frontier over all of them."""

from collections.abc import Sequence

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from specc.ir import Study
from specc.results.candidates import (
    MOST_POINTS,
    BatchCurve,
    FrontierPoint,
    Instance,
    short_label,
)

Floats = NDArray[np.float64]
Price = tuple[float, str]  # of a device a second, in a currency


@frozen(eq=False)
class CurveRows:
    """The rows of a curve as columns of shape (N,); NaN where there is no such latency."""

    batch: NDArray[np.int64]
    ttft: Floats
    tpot: Floats
    throughput: Floats
    available: Floats
    feasible: NDArray[np.bool_]

    @classmethod
    def of(cls, curve: BatchCurve) -> "CurveRows":
        """Return the rows of a curve."""
        return cls(
            np.array(curve.batch, np.int64),
            np.array(curve.ttft, np.float64),
            np.array(curve.tpot, np.float64),
            np.array(curve.throughput, np.float64),
            np.array(curve.available, np.float64),
            np.array(curve.feasible, np.bool_),
        )

    @property
    def curve(self) -> BatchCurve:
        """The curve."""
        return BatchCurve(
            batch=tuple(self.batch.tolist()),
            ttft=_known(self.ttft.tolist()),
            tpot=_known(self.tpot.tolist()),
            throughput=tuple(self.throughput.tolist()),
            available=tuple(round(x) for x in self.available.tolist()),
            feasible=tuple(self.feasible.tolist()),
        )


def _known(values: list[float]) -> tuple[float | None, ...]:
    return tuple(None if value != value else value for value in values)  # noqa: PLR0124


def frontier(
    study: Study, instances: Sequence[Instance], rows: Sequence[CurveRows]
) -> tuple[FrontierPoint, ...]:
    """Return batch sizes that no other beats, by falling throughput per device.

    A point is beaten by another that has at least its throughput per device and free memory, at
    most its TTFT, TPOT and cost, and is better in one of them. Cost counts where every point has
    one: what has no price is not free. Points that miss a limit do not count. Of many, some that
    are spread evenly are kept.
    """
    prices = [_price_of(study, instance) for instance in instances]
    known = list(zip(instances, prices, rows, strict=True))
    priced = all(price is not None for _, price, own in known if own.feasible.any())
    scores = [_scores(*one, priced=priced) for one in known]
    if not sum(map(len, scores)):
        return ()
    unbeaten = _unbeaten(np.concatenate(scores))
    points: list[FrontierPoint] = []
    start = 0
    for (instance, price, own), part in zip(known, scores, strict=True):
        chosen = np.flatnonzero(own.feasible)[unbeaten[start : start + len(part)]]
        points += [_point(instance, price, own, row) for row in chosen.tolist()]
        start += len(part)
    names = {i.task: (i.phase, short_label(i.parallel)) for i in instances}
    points.sort(key=lambda p: (-p.throughput_per_device, names[p.task], p.batch))
    picked = np.round(np.linspace(0, len(points) - 1, MOST_POINTS)).astype(int)
    return tuple(points[i] for i in dict.fromkeys(picked.tolist()))


def _scores(instance: Instance, price: Price | None, own: CurveRows, *, priced: bool) -> Floats:
    """Return what the feasible rows of a curve are compared by, less being better, (N, 5)."""
    kept = own.feasible
    each = own.throughput[kept] / instance.own_devices
    cost = price[0] / each * 1e6 if priced and price is not None else np.zeros(len(each))
    ttft, tpot = np.nan_to_num(own.ttft[kept]), np.nan_to_num(own.tpot[kept])
    return np.stack([-each, ttft, tpot, -own.available[kept], cost], axis=1)


def _point(instance: Instance, price: Price | None, own: CurveRows, row: int) -> FrontierPoint:
    each = float(own.throughput[row]) / instance.own_devices
    (ttft,), (tpot,) = (_known([float(column[row])]) for column in (own.ttft, own.tpot))
    return FrontierPoint(
        task=instance.task,
        batch=int(own.batch[row]),
        ttft=ttft,
        tpot=tpot,
        throughput_per_device=each,
        available=round(float(own.available[row])),
        cost=None if price is None else price[0] / each * 1e6,
        currency="" if price is None else price[1],
    )


def _price_of(study: Study, instance: Instance) -> Price | None:
    """Return what a device of an instance costs a second, and in which currency."""
    for deployment in study.deployments:
        for phase in deployment.mode.phases:
            for planned in deployment.instances(phase):
                price = planned.device.price
                if planned.device.name == instance.device and price is not None:
                    return price.per_second, price.currency
    return None


def _unbeaten(scores: Floats) -> NDArray[np.bool_]:
    """Tell which rows no other row beats; less is better in every column.

    They are sorted, so that a row can be beaten only by one before it, which is no worse in the
    first column: each row that is left drops what it beats of the rows after it.
    """
    rows, of_row = np.unique(scores, axis=0, return_inverse=True)
    columns = [column for column in rows.T[1:] if (column != column[0]).any()]
    later = np.ascontiguousarray(columns) if columns else np.zeros((1, len(rows)))
    places = np.arange(len(rows))
    unbeaten = np.zeros(len(rows), dtype=bool)
    while len(places):
        unbeaten[places[0]] = True
        stays = np.zeros(len(places), dtype=bool)
        for column in later:
            stays |= column < column[0]
        later, places = later[:, stays], places[stays]
    kept: NDArray[np.bool_] = unbeaten[of_row.reshape(-1)]
    return kept
