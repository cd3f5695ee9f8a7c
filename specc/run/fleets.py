"""How many instances of each kind a fleet has."""

import math
from collections.abc import Iterator

import numpy as np
from attrs import frozen

from specc.ir import Deployment, Fleet, Mode
from specc.records import Record


@frozen(eq=False, repr=False)
class Split(Record):
    """Instances that prefill and instances that decode, spares aside, and what they serve."""

    prefill: int
    decode: int
    rate: float


def splits(
    deployment: Deployment, sizes: tuple[int, int], rates: tuple[float, float]
) -> Iterator[Split]:
    """Yield the numbers of prefill and decode instances that a deployment may have.

    `sizes` are the devices of an instance of each, `rates` the requests a second of one.
    """
    fleet = deployment.fleet
    if deployment.mode is Mode.DISAGGREGATED or fleet is None:
        yield Split(1, 1, min(rates))
    elif fleet.carried is not None:
        prefill, decode = (_count_for(fleet.carried, rate) for rate in rates)
        yield Split(prefill, decode, min(prefill * rates[0], decode * rates[1]))
    else:
        assert fleet.devices is not None
        split = best_split(fleet.devices - fleet.spare * sum(sizes), sizes, rates)
        if split is not None:
            yield split


def best_split(devices: int, sizes: tuple[int, int], rates: tuple[float, float]) -> Split | None:
    """Return the numbers of prefill and decode instances that serve most on so many devices.

    Maximises min(p · rate_p, d · rate_d) with p, d ≥ 1 and p · size_p + d · size_d ≤ devices;
    fewer devices on ties. None if not even one of each fits.
    """
    most = (devices - sizes[0]) // sizes[1]
    if most < 1:
        return None
    decode = np.arange(1, most + 1)
    prefill = (devices - decode * sizes[1]) // sizes[0]
    rate = np.minimum(prefill * rates[0], decode * rates[1])
    best = float(rate.max())
    # What exceeds the best rate is idle: take as few of each as reach it.
    fewest = [_count_for(best, each) for each in rates]
    return Split(fewest[0], fewest[1], min(fewest[0] * rates[0], fewest[1] * rates[1]))


def fleet_size(fleet: Fleet, size: int, rate: float, per_device: int = 1) -> int:
    """Return how many instances a fleet has, spares included, if each serves a rate.

    `per_device` of them share the `size` devices of one.
    """
    if fleet.carried is None:
        assert fleet.devices is not None
        return max(fleet.devices // size * per_device, 1 + fleet.spare)
    return _count_for(fleet.carried, rate) + fleet.spare


def _count_for(wanted: float, rate: float) -> int:
    """Return how many instances serve a rate, if each serves another one."""
    return max(1, math.ceil(wanted / rate - 1e-9))
