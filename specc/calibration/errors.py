"""How far measured kernels are from the calibration of a device, and from the flat model."""

import numpy as np
from attrs import frozen

from specc.calibration.aiconfigurator import OPERATIONS
from specc.calibration.classes import CLASSES, Sample, Target, flat_time
from specc.calibration.kernel import KernelTable
from specc.cost.steps import Column
from specc.ir import CalibrationData, Device
from specc.records import Record

_WORST = 5


@frozen(eq=False, repr=False)
class WorstRow(Record):
    """A kernel that the rule misses by far: where it stands, its sizes, and both times in µs."""

    place: str
    sizes: str
    predicted_us: float
    measured_us: float


@frozen(eq=False, repr=False)
class ClassErrors(Record):
    """Errors of one class in percent: mean, median and 90th percentile absolute, mean signed.

    `reference_mape` is the mean of the flat model, None where it says nothing.
    """

    kind: str
    n: int
    mape: float
    median: float
    p90: float
    bias: float
    reference_mape: float | None
    inside_band: float
    worst: tuple[WorstRow, ...]


def errors(device: Device, data: CalibrationData, table: KernelTable) -> list[ClassErrors]:
    """Return the errors of every class that a table has kernels of."""
    target = Target.of(device, data)
    found = []
    for fitted in CLASSES:
        kernels = table.of(fitted.kind)
        if not kernels:
            continue
        sample = Sample.of(kernels)
        predicted = fitted.predict(data, target, sample)
        flat = flat_time(fitted.kind, device, sample)
        ratio = predicted / sample.seconds
        error = np.abs(ratio - 1) * 100
        fit = getattr(getattr(data, fitted.block_of_fit()), "fit", None)
        inside = np.nan
        if fit is not None:
            inside = float(((1 / ratio >= fit.p10) & (1 / ratio <= fit.p90)).mean() * 100)
        found.append(
            ClassErrors(
                kind=fitted.kind.value,
                n=len(sample),
                mape=float(error.mean()),
                median=float(np.median(error)),
                p90=float(np.percentile(error, 90)),
                bias=float((ratio - 1).mean() * 100),
                reference_mape=_known(np.abs(flat / sample.seconds - 1).mean() * 100),
                inside_band=inside,
                worst=tuple(_worst(sample, predicted, int(i)) for i in np.argsort(-error)[:_WORST]),
            )
        )
    return found


def _size(name: str, value: float) -> str:
    return OPERATIONS[int(value)] if name == "operation" else f"{name}={value:.9g}"


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _worst(sample: Sample, predicted: Column, row: int) -> WorstRow:
    sizes = " ".join(_size(name, float(values[row])) for name, values in sample.sizes.items())
    return WorstRow(
        sample.places[row], sizes, float(predicted[row]) * 1e6, float(sample.seconds[row]) * 1e6
    )
