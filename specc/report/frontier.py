"""The Pareto frontier of a study: batch sizes that no other beats in every respect."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from specc.ir import Study
from specc.records import Record
from specc.results import Candidate

MOST_POINTS = 12


@frozen(eq=False, repr=False)
class FrontierPoint(Record):
    """A batch size of a candidate that is on the frontier."""

    label: str
    batch: int
    ttft: float | None
    tpot: float | None
    throughput_per_device: float
    available: int
    cost: float | None
    currency: str


def frontier(
    study: Study, candidates: Sequence[Candidate], label: Callable[[Candidate], str]
) -> list[FrontierPoint]:
    """Return the frontier of candidates of one phase, by falling throughput per device.

    A point is beaten by another that has at least its throughput per device and free memory, at
    most its TTFT, TPOT and cost, and is better in one of them. Cost counts where every point has
    one: what has no price is not free.
    """
    points = [p for c in candidates for p in _points(study, c, label(c))]
    if not points:
        return []
    costs = has_costs(points)
    scores = np.array(
        [
            [
                -p.throughput_per_device,
                p.ttft or 0.0,
                p.tpot or 0.0,
                -float(p.available),
                (p.cost or 0.0) if costs else 0.0,
            ]
            for p in points
        ]
    )
    kept = [points[i] for i in np.flatnonzero(_unbeaten(scores))]
    kept.sort(key=lambda p: (-p.throughput_per_device, p.label, p.batch))
    picked = np.round(np.linspace(0, len(kept) - 1, MOST_POINTS)).astype(int)
    return [kept[i] for i in dict.fromkeys(picked.tolist())]


def has_costs(points: Sequence[FrontierPoint]) -> bool:
    """Tell whether the cost of every point is known."""
    return all(p.cost is not None for p in points)


def _points(study: Study, candidate: Candidate, label: str) -> Iterator[FrontierPoint]:
    curve = candidate.curve
    device = _device_price(study, candidate)
    for row, feasible in enumerate(curve.feasible):
        if not feasible:
            continue
        each = curve.throughput[row] / candidate.instance.devices
        yield FrontierPoint(
            label=label,
            batch=curve.batch[row],
            ttft=curve.ttft[row],
            tpot=curve.tpot[row],
            throughput_per_device=each,
            available=curve.available[row],
            cost=None if device is None else device[0] / each * 1e6,
            currency="" if device is None else device[1],
        )


def _device_price(study: Study, candidate: Candidate) -> tuple[float, str] | None:
    for deployment in study.deployments:
        for phase in deployment.mode.phases:
            for instance in deployment.instances(phase):
                price = instance.device.price
                if instance.device.name == candidate.instance.device and price is not None:
                    return price.per_second, price.currency
    return None


def _unbeaten(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which rows no other row beats; less is better in every column.

    Equal rows count once. They are sorted, so that a row can be beaten only by one before it: each
    row that is left drops what it beats of the rows after it.
    """
    rows, of_row = np.unique(scores, axis=0, return_inverse=True)
    left = np.arange(len(rows))
    place = 0
    while place < len(left):
        beaten = (rows[left[place]] <= rows[left[place + 1 :]]).all(axis=1)
        left = np.concatenate([left[: place + 1], left[place + 1 :][~beaten]])
        place += 1
    unbeaten = np.zeros(len(rows), dtype=bool)
    unbeaten[left] = True
    kept: NDArray[np.bool_] = unbeaten[of_row.reshape(-1)]
    return kept
