"""Fits the coefficients of a calibration to measured kernels.

Least squares on log(predicted / measured) with a robust loss (soft L1), over the logarithms of
the coefficients, so that all stay positive and all errors count relative. A weak pull to the
start keeps a coefficient that the kernels say nothing about where it was, and one that is not set
or 0 is no part of the rule and stays so. A coefficient ends within what the language allows.

Every fit is repeated without some of the shapes, to see how well it meets those that it did not
see: of a GEMM without some pairs of columns and inner width, of attention without some heads, of
experts without some models. A smooth correction of the logarithm of GEMM times is kept where it
helps on shapes that the fit did not see.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from specc.calibration.classes import CLASSES, FittedClass, Sample, Target
from specc.calibration.kernel import KernelClass, KernelTable
from specc.cost.precision import Format
from specc.cost.rules.shapes import GRIDS, Shape, bumps
from specc.ir import CalibrationData, Device, Fit, GemmKernels
from specc.ir.vocabulary import Node, NumberType, entries
from specc.records import Record

_LOSS_SCALE = 0.05  # relative error above which a kernel counts as an outlier
_PULL = 0.02  # weight of the start, in units of log coefficient
_RIDGE = {GRIDS[0]: 3.0, GRIDS[1]: 1.0}  # the same for a correction of so many weights
_FURTHEST = 3.0  # from the start, in units of log coefficient
_FOLDS = 5
_LEAST_ROWS = 12  # kernels for each class below which its coefficients stay as they are
_HELPS = 0.97  # mean error with a correction over that without from which it is kept
_SHARE_OF_PEAK = 0.95  # that products can reach at most

Column = NDArray[np.floating[Any]]
Progress = Callable[[str], None]


@frozen(eq=False, repr=False)
class ClassReport(Record):
    """What became of one class of kernels.

    Attributes:
        rows, shapes: kernels, and the different shapes that they have.
        before: how well the calibration met them that the fit began with.
        fit: how well the fitted one meets shapes that it did not see; None if nothing was fitted.
        seen: how well it meets the kernels that it was fitted to.
        reason: why nothing was fitted.
    """

    kind: KernelClass
    rows: int
    shapes: int
    before: Fit
    fit: Fit | None = None
    seen: Fit | None = None
    reason: str = ""


@frozen(eq=False, repr=False)
class Fitted(Record):
    """A calibration with new coefficients, and a report for each class."""

    data: CalibrationData
    classes: tuple[ClassReport, ...]


def classes_of(table: KernelTable) -> list[FittedClass]:
    """Return the classes that a table has kernels of."""
    return [fitted for fitted in CLASSES if table.of(fitted.kind)]


def rounds_of(table: KernelTable) -> int:
    """Return how often `fit` reports progress."""
    return (_FOLDS + 1) * len(classes_of(table))


def fit(
    start: CalibrationData,
    table: KernelTable,
    device: Device,
    progress: Progress = lambda text: None,
) -> Fitted:
    """Fit each class of kernels; classes without enough of them keep their coefficients.

    Args:
        start: where the search begins; its peaks are those of the measured device.
        table: measured kernels.
        device: the measured device.
        progress: called with the name of a class after each fit.
    """
    data, reports = start, []
    for fitted in classes_of(table):
        sample = Sample.of(table.of(fitted.kind))
        data, report = _fit_class(data, device, fitted, sample, progress)
        reports.append(report)
    return Fitted(data, tuple(reports))


def _fit_class(
    data: CalibrationData,
    device: Device,
    fitted: FittedClass,
    sample: Sample,
    progress: Progress,
) -> tuple[CalibrationData, ClassReport]:
    groups = shapes_of(fitted, sample)
    target = Target.itself(device, data)
    before = quality_of(fitted.predict(data, target, sample), sample.seconds)
    report = ClassReport(fitted.kind, len(sample), int(groups.max()) + 1, before)
    if len(sample) < _LEAST_ROWS or report.shapes < _FOLDS:
        few = f"{_LEAST_ROWS} kernels" if len(sample) < _LEAST_ROWS else f"{_FOLDS} shapes"
        return data, evolve(report, reason=f"fewer than {few}")
    whole = fit_rows(data, target, fitted, sample)
    progress(fitted.kind.value)
    unseen, corrected = np.zeros(len(sample)), np.zeros(len(sample))
    for fold in range(_FOLDS):
        out = groups % _FOLDS == fold
        part = fit_rows(data, target, fitted, sample.pick(~out))
        unseen[out] = fitted.predict(part, target, sample.pick(out))
        if fitted.corrected:
            part = with_correction(part, target, fitted, sample.pick(~out))
            corrected[out] = fitted.predict(part, target, sample.pick(out))
        progress(fitted.kind.value)
    quality = quality_of(unseen, sample.seconds)
    if fitted.corrected:
        better = quality_of(corrected, sample.seconds)
        if better.mean_error < _HELPS * quality.mean_error:
            whole, quality = with_correction(whole, target, fitted, sample), better
    seen = quality_of(fitted.predict(whole, target, sample), sample.seconds)
    block = fitted.block_of_fit()
    if hasattr(getattr(whole, block), "fit"):
        whole = evolve(whole, **{block: evolve(getattr(whole, block), fit=quality)})
    return whole, evolve(report, fit=quality, seen=seen)


def shapes_of(fitted: FittedClass, sample: Sample) -> NDArray[np.intp]:
    """Return the number of each kernel's shape; neighbouring numbers go to different folds."""
    columns = np.stack([sample.sizes[name] for name in fitted.shape], axis=1)
    _, numbers = np.unique(columns, axis=0, return_inverse=True)
    return numbers.reshape(-1)


def quality_of(predicted: Column, measured: Column) -> Fit:
    """Return how well predictions meet measurements."""
    error = np.abs(predicted / measured - 1)
    ratio = measured / predicted
    log_ratio = np.log(ratio)
    # Of the middle: a normal band with this deviation holds 80 % even if the tails are heavy.
    low, high = np.percentile(log_ratio, [10, 90])
    return Fit(
        rows=len(measured),
        mean_error=float(error.mean()),
        median_error=float(np.median(error)),
        spread=float((high - low) / (2 * 1.2816)),
        p10=float(np.exp(low)),
        p90=float(np.exp(high)),
    )


def fit_rows(
    data: CalibrationData, target: Target, fitted: FittedClass, sample: Sample
) -> CalibrationData:
    """Return the calibration with the coefficients of a class fitted to a sample."""
    from scipy.optimize import least_squares

    block = fitted.block_of_fit()
    if fitted.corrected:
        data = evolve(data, **{block: evolve(getattr(data, block), correction=())})
    fields = _fields(data, fitted)
    if not fields:
        return data
    start = np.array([_value(data, path, name) for path, name in fields])
    least, most = _bounds(data, target, fields)
    start = np.clip(start, least, most)

    def residuals(shift: Column) -> Column:
        moved = _moved(data, fields, start * np.exp(shift))
        predicted = fitted.predict(moved, target, sample)
        return np.concatenate([np.log(predicted / sample.seconds), _PULL * shift])

    low = np.maximum(-_FURTHEST, np.log(least / start)) - 1e-9
    high = np.minimum(_FURTHEST, np.log(most / start)) + 1e-9
    found = least_squares(
        residuals,
        np.zeros(len(start)),
        loss="soft_l1",
        f_scale=_LOSS_SCALE,
        bounds=(low, high),
        diff_step=[1e-3],
        max_nfev=60,
    )
    values = np.clip(start * np.exp(found.x), least, most)
    return _moved(data, fields, values)


def _block(data: CalibrationData, path: str) -> Any:
    """Return a block of a calibration, `collectives.send` for one inside of another."""
    found: Any = data
    for name in path.split("."):
        found = getattr(found, name)
    return found


def _value(data: CalibrationData, path: str, name: str) -> float | None:
    return getattr(_block(data, path), name, None)


def _fields(data: CalibrationData, fitted: FittedClass) -> list[tuple[str, str]]:
    """Return the fields to fit: a coefficient that is not set, or 0, is no part of the rule."""
    return [
        (path, name)
        for path, names in fitted.blocks.items()
        for name in names
        if _value(data, path, name)
    ]


def _bounds(
    data: CalibrationData, target: Target, fields: Sequence[tuple[str, str]]
) -> tuple[Column, Column]:
    """Return the least and the largest value that fields may have."""
    least, most = [], []
    for path, name in fields:
        block: Node = _block(data, path)
        type_ = entries(type(block))[name][1].type
        assert isinstance(type_, NumberType)
        least.append(max(float(type_.range.at_least), 1e-15))
        largest = float(math.inf if type_.range.at_most is None else type_.range.at_most)
        if name == "cube_rate":
            format_ = Format.INT8 if path.endswith("int8") else Format.FP16
            largest = _SHARE_OF_PEAK * target.machine.peak(format_)
        elif name == "cube_efficiency":
            largest = _SHARE_OF_PEAK
        most.append(min(largest, 1e18))
    return np.array(least), np.array(most)


def _moved(
    data: CalibrationData, fields: Sequence[tuple[str, str]], values: Column
) -> CalibrationData:
    """Return the calibration with new values of the fitted fields."""
    changed: dict[str, dict[str, float]] = {}
    for (path, name), value in zip(fields, values.tolist(), strict=True):
        changed.setdefault(path, {})[name] = value
    for path, fields_ in changed.items():
        outer, _, inner = path.partition(".")
        block = getattr(data, outer)
        new = evolve(getattr(block, inner), **fields_) if inner else None
        block = evolve(block, **({inner: new} if inner else fields_))
        data = evolve(data, **{outer: block})
    return data


def with_correction(
    data: CalibrationData, target: Target, fitted: FittedClass, sample: Sample
) -> CalibrationData:
    """Fit the smooth correction of the logarithm, by ridge regression with robust weights."""
    block, s = fitted.block_of_fit(), sample.sizes
    rule = getattr(data, block)
    count = GRIDS[0] if rule.kernels is GemmKernels.ASCEND else GRIDS[1]
    rows, columns, inner = bumps(Shape(s["m"], s["n"], s["k"], 1, 1), count)
    basis = np.einsum("ri,rj,rk->rijk", rows, columns, inner).reshape(len(sample), -1)
    missing = np.log(sample.seconds / fitted.predict(data, target, sample))
    weights = np.ones(len(sample))
    solution = np.zeros(basis.shape[1])
    for _ in range(8):
        weighted = basis.T * weights
        solution = np.linalg.solve(
            weighted @ basis + _RIDGE[count] * np.eye(basis.shape[1]), weighted @ missing
        )
        weights = 1 / np.sqrt(1 + ((missing - basis @ solution) / _LOSS_SCALE) ** 2)
    corrected = tuple(round(float(value), 4) for value in solution)
    return evolve(data, **{block: evolve(rule, correction=corrected)})
