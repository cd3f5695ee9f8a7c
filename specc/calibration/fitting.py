"""Fits the coefficients of a calibration to measured kernels.

Least squares on log(predicted / measured) with a robust loss (soft L1), over the logarithms of
the coefficients, so that all stay positive and all errors count relative. A weak pull to the
start keeps a coefficient that the kernels say nothing about where it was. Every fit is repeated
on four fifths of the kernels to see how well it meets the fifth that it did not see.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from specc.calibration.classes import CLASSES, FittedClass, Sample
from specc.calibration.kernels import KernelClass, KernelTable
from specc.cost.rules.gemm import Shape, bumps
from specc.cost.rules.machine import Machine
from specc.ir import CalibrationData, Fit
from specc.records import Record

_LOSS_SCALE = 0.05  # relative error above which a kernel counts as an outlier
_PULL = 0.02  # weight of the start, in units of log coefficient
_RIDGE = 3.0  # the same for the weights of the correction
_FOLDS = 5
_LEAST_ROWS = 12  # kernels for each class below which its coefficients stay as they are
_CORRECTED = {KernelClass.GEMM_INT8: "gemm_int8"}

Column = NDArray[np.floating[Any]]
Progress = Callable[[str], None]


@frozen(eq=False, repr=False)
class ClassReport(Record):
    """What became of one class of kernels."""

    kind: KernelClass
    rows: int
    fit: Fit | None
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
    start: CalibrationData, table: KernelTable, progress: Progress = lambda text: None
) -> Fitted:
    """Fit each class of kernels; classes without enough of them keep their coefficients.

    Args:
        start: where the search begins; its peaks are those of the measured device.
        table: measured kernels.
        progress: called with the name of a class after each fit.
    """
    data, reports = start, []
    for fitted in classes_of(table):
        sample = Sample.of(table.of(fitted.kind))
        if len(sample) < _LEAST_ROWS:
            reason = f"fewer than {_LEAST_ROWS} kernels"
            reports.append(ClassReport(fitted.kind, len(sample), None, reason))
            continue
        data, report = _fit_class(data, fitted, sample, progress)
        reports.append(report)
    return Fitted(data, tuple(reports))


def _fit_class(
    data: CalibrationData, fitted: FittedClass, sample: Sample, progress: Progress
) -> tuple[CalibrationData, ClassReport]:
    whole = _fit_rows(data, fitted, sample)
    progress(fitted.kind.value)
    unseen = np.zeros(len(sample))
    # A fixed pattern instead of chance: kernels are listed by size, so each fold has all sizes.
    folds = np.arange(len(sample)) % _FOLDS
    machine = Machine.measured(data)
    for fold in range(_FOLDS):
        part = _fit_rows(whole, fitted, sample.pick(folds != fold))
        predicted = fitted.predict(part, machine, sample.pick(folds == fold))
        unseen[folds == fold] = predicted
        progress(fitted.kind.value)
    quality = quality_of(unseen, sample.seconds)
    block = fitted.block_of_fit()
    if hasattr(getattr(whole, block), "fit"):
        whole = evolve(whole, **{block: evolve(getattr(whole, block), fit=quality)})
    return whole, ClassReport(fitted.kind, len(sample), quality)


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


def _fit_rows(data: CalibrationData, fitted: FittedClass, sample: Sample) -> CalibrationData:
    """Return the calibration with the coefficients of a class fitted to a sample."""
    from scipy.optimize import least_squares

    machine = Machine.measured(data)
    corrected = _CORRECTED.get(fitted.kind)
    if corrected:
        data = evolve(data, **{corrected: evolve(getattr(data, corrected), correction=())})
    fields = _fields(data, fitted)
    start = np.array([getattr(getattr(data, block), name) for block, name in fields])

    def residuals(shift: Column) -> Column:
        moved = _moved(data, fields, start * np.exp(shift))
        predicted = fitted.predict(moved, machine, sample)
        return np.concatenate([np.log(predicted / sample.seconds), _PULL * shift])

    found = least_squares(
        residuals,
        np.zeros(len(start)),
        loss="soft_l1",
        f_scale=_LOSS_SCALE,
        bounds=(-3, 3),
        diff_step=[1e-3],
        max_nfev=60,
    )
    best = _moved(data, fields, start * np.exp(found.x))
    return _with_correction(best, corrected, fitted, machine, sample) if corrected else best


def _fields(data: CalibrationData, fitted: FittedClass) -> list[tuple[str, str]]:
    """Return the fields to fit: a coefficient that is not set is no part of the rule."""
    return [
        (block, name)
        for block, names in fitted.blocks.items()
        for name in names
        if getattr(getattr(data, block), name) is not None
    ]


def _moved(
    data: CalibrationData, fields: Sequence[tuple[str, str]], values: Column
) -> CalibrationData:
    """Return the calibration with new values of the fitted fields."""
    for (block, name), value in zip(fields, values.tolist(), strict=True):
        data = evolve(data, **{block: evolve(getattr(data, block), **{name: value})})
    return data


def _with_correction(
    data: CalibrationData, block: str, fitted: FittedClass, machine: Machine, sample: Sample
) -> CalibrationData:
    """Fit the smooth correction of the logarithm, by ridge regression with robust weights."""
    s = sample.sizes
    rows, columns, inner = bumps(Shape(s["m"], s["n"], s["k"], 1, 1))
    basis = np.einsum("ri,rj,rk->rijk", rows, columns, inner).reshape(len(sample), -1)
    missing = np.log(sample.seconds / fitted.predict(data, machine, sample))
    weights = np.ones(len(sample))
    solution = np.zeros(basis.shape[1])
    for _ in range(8):
        weighted = basis.T * weights
        solution = np.linalg.solve(
            weighted @ basis + _RIDGE * np.eye(basis.shape[1]), weighted @ missing
        )
        weights = 1 / np.sqrt(1 + ((missing - basis @ solution) / _LOSS_SCALE) ** 2)
    corrected = tuple(round(float(value), 4) for value in solution)
    return evolve(data, **{block: evolve(getattr(data, block), correction=corrected)})
