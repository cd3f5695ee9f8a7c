"""How near the cost model comes to measurements that did not choose it.

python -m tests.bench.accuracy [kernels] [steps] [served] [nvidia]

Prints, from the reference data beside the repository, errors on what a fit did not see: shapes of
kernels, models of forward steps, sources of served runs; and those on what it saw, named so. Served
runs take minutes: each is simulated with seven overheads.
"""

import gzip
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from attrs import evolve, frozen
from scipy.optimize import least_squares

from specc import library
from specc.calibration.classes import CLASSES, Sample, Target
from specc.calibration.fitting import Fitted, fit, fit_rows, shapes_of
from specc.calibration.kernel import KernelClass
from specc.calibration.kernels import read_kernels
from specc.calibration.served.fitting import Curve, curves, fit_served
from specc.calibration.served.prediction import runs_of
from specc.calibration.setting import deployment
from specc.calibration.steps import _STEPS, _Step
from specc.cost import CostModel
from specc.cost.times import P90
from specc.ir import CalibrationData, Device
from specc.tables import read_table
from tests.conftest import REFERENCE

_FOLDS = 5


def _texts(pattern: str) -> list[tuple[str, str]]:
    def text(path: Path) -> str:
        return gzip.open(path, "rt").read() if path.suffix == ".gz" else path.read_text()

    return [(path.name, text(path)) for path in sorted(REFERENCE.glob(pattern))]


def _line(name: str, n: int, errors: np.ndarray, note: str = "") -> None:
    print(f"{name:52s} {n:5d} {errors.mean():8.1%} {np.median(errors):8.1%}  {note}")


def _head(title: str) -> None:
    print(f"\n{title:52s} {'rows':>5s} {'mean':>8s} {'median':>8s}")


# --- Kernels ------------------------------------------------------------------------------------


def _unseen(
    device: Device, data: CalibrationData, kind: KernelClass, sample: Sample, *, by_rows: bool
) -> np.ndarray:
    """Return predicted / measured of each kernel, by a fit without its shape, or its fifth."""
    fitted = next(c for c in CLASSES if c.kind is kind)
    target = Target.itself(device, data)
    groups = np.arange(len(sample)) if by_rows else shapes_of(fitted, sample)
    folds = groups % _FOLDS if by_rows else groups
    ratio = np.zeros(len(sample))
    for fold in np.unique(folds):
        out = folds == fold
        part = fit_rows(data, target, fitted, sample.pick(~out))
        ratio[out] = fitted.predict(part, target, sample.pick(out)) / sample.seconds[out]
    return ratio


def _print_classes(fitted: Fitted) -> None:
    for report in fitted.classes:
        assert report.fit is not None
        assert report.seen is not None
        note = f"seen: {report.seen.mean_error:.1%} / {report.seen.median_error:.1%}"
        print(
            f"{report.kind.value:52s} {report.rows:5d} {report.fit.mean_error:8.1%} "
            f"{report.fit.median_error:8.1%}  {note}"
        )


def kernels() -> None:
    """Kernels of a 910B."""
    device = library.device("atlas_800_a2_376t")
    data = device.calibration
    assert data is not None
    table = read_kernels(_texts("ascend_910b/*.csv"))
    _head("kernels of a 910B, shapes left out (five folds)")
    _print_classes(fit(data, table, device))
    _head("parts of them")
    for kind in (KernelClass.EXPERTS, KernelClass.EXPERTS_INT8):
        sample = Sample.of(table.of(kind))
        many = sample.sizes["tokens"] >= 32
        for by_rows, name in ((True, "rows left out"), (False, "each model left out")):
            errors = np.abs(_unseen(device, data, kind, sample, by_rows=by_rows) - 1)[many]
            _line(f"{kind.value}, 32 tokens and more, {name}", int(many.sum()), errors)
    sample = Sample.of(table.of(KernelClass.DECODE_ATTENTION))
    s = sample.sizes
    large = 4 * s["batch"] * s["length"] * s["kv_heads"] * s["head_dim"] >= 16e6
    for by_rows, name in ((True, "rows left out"), (False, "heads left out")):
        ratio = _unseen(device, data, KernelClass.DECODE_ATTENTION, sample, by_rows=by_rows)
        errors = np.abs(ratio - 1)[large]
        _line(f"decode_attention, KV >= 16 MB, {name}", int(large.sum()), errors)


# --- Forward steps ------------------------------------------------------------------------------

# What the published steps tell: where a fit begins without them, and its weight. The launches of a
# block of experts begin as those that are sent to other devices; linear attention begins where
# served runs of other models with it are met as well as those of models without.
_STEP_FIELDS: dict[str, tuple[tuple[str, str], float]] = {
    "launch_share": (("graph", "launch_share"), 0.75),
    "expert_launches": (("graph", "expert_launches"), 12.0),
    "token_time": (("linear_attention", "token_time"), 25e-9),
    "turn_time": (("linear_attention", "turn_time"), 30e-6),
}
_START = np.array([start for _, start in _STEP_FIELDS.values()])
_OF_ROW, _OF_START = 0.05, 0.5  # standard deviations of log


@cache
def _step_rows() -> tuple[tuple[dict[str, str], Any], ...]:
    [(name, text)] = _texts("ascend_e2e/measured_steps.csv")
    return tuple((row, _Step.of(row, "graph")) for _, row in read_table(name, text, *_STEPS).rows())


def _step(step: Any, values: np.ndarray) -> tuple[float, float]:
    """Return the seconds of a step with values of the fields, and its deviation."""
    built = deployment(step.setting)
    data = evolve(built.device.calibration, served=None)
    for ((block, field), _), value in zip(_STEP_FIELDS.values(), values.tolist(), strict=True):
        data = evolve(data, **{block: evolve(getattr(data, block), **{field: value})})
    built = evolve(built, device=evolve(built.device, calibration=data))
    times = CostModel.of(built, step.layout, step.drafted).times(step.table)
    return float(times.total[0]), float(times.deviation[0])


def _fit_steps(rows: Sequence[tuple[dict[str, str], Any]]) -> np.ndarray:
    def residuals(shift: np.ndarray) -> np.ndarray:
        values = _START * np.exp(shift)
        missed = [
            np.log(_step(step, values)[0] * 1e3 / float(row["measured_ms"])) / _OF_ROW
            for row, step in rows
        ]
        return np.array([*missed, *(shift / _OF_START)])

    found = least_squares(residuals, np.zeros(len(_START)), loss="soft_l1", diff_step=1e-2)
    return _START * np.exp(found.x)


@frozen
class LeftOut:
    """A step, by a fit without the steps of its model: milliseconds, and whether in its band."""

    case: str
    predicted: float
    measured: float
    planner: float
    inside: bool


def left_out_steps() -> Iterator[LeftOut]:
    """Predict the published steps, in their order, each without those of its model."""
    rows = _step_rows()
    fitted = {
        model: _fit_steps([(row, step) for row, step in rows if row["model"] != model])
        for model in sorted({row["model"] for row, _ in rows})
    }
    for row, step in rows:
        seconds, deviation = _step(step, fitted[row["model"]])
        measured = float(row["measured_ms"])
        yield LeftOut(
            case=row["case"],
            predicted=seconds * 1e3,
            measured=measured,
            planner=float(row["msmodeling_ms"]),
            inside=bool(abs(np.log(seconds * 1e3 / measured)) <= P90 * deviation),
        )


def steps() -> None:
    """Forward steps of servers."""
    _head("forward steps, one model left out at a time")
    found = list(left_out_steps())
    for one in found:
        where = "in" if one.inside else "out of"
        print(f"  {one.case:50s} {one.predicted / one.measured - 1:+14.1%}  {where} the band")
    errors = np.array([abs(one.predicted / one.measured - 1) for one in found])
    _line("all", len(found), errors, f"{sum(one.inside for one in found)} in the band")
    planner = np.array([abs(one.planner / one.measured - 1) for one in found])
    _line("the published planner", len(found), planner)


# --- Served runs --------------------------------------------------------------------------------


def _curves(pattern: str) -> tuple[list[Curve], int]:
    [(name, text)] = _texts(pattern)
    found = list(curves(runs_of(name, text, None)))
    own = [one for one in found if isinstance(one, Curve)]
    return own, len(found) - len(own)


def _missed(found: Sequence[Curve], metric: str, left: dict[int, Any]) -> np.ndarray:
    """Return |predicted / measured − 1| by the rules without the source of each run."""
    errors = []
    for one in found:
        if metric in one.measured and metric in one.predicted:
            rule = left[one.line]
            value = one.at(metric, rule.overhead)
            value += rule.request_time if metric == "ttft" else 0.0
            errors.append(abs(value / one.measured[metric] - 1))
    return np.array(errors)


def _served(title: str, pattern: str, metrics: Sequence[str]) -> None:
    found, skipped = _curves(pattern)
    fitted = fit_served(found, None)
    _head(f"{title}, {fitted.left_out} left out")
    for report in fitted.engines:
        if report.unseen is None or report.rule is None:
            continue
        name = "all engines" if report.engine == "other" else report.engine
        note = f"{report.inside:.0%} in the band, overhead {report.rule.overhead:.2f}"
        print(
            f"{name:52s} {report.runs:5d} {report.unseen.mean_error:8.1%} "
            f"{report.unseen.median_error:8.1%}  {note}"
        )
    for metric in metrics:
        errors = _missed(found, metric, fitted.unseen)
        _line(f"{metric}, all engines", len(errors), errors)
    print(f"{skipped} rows not used")


def served() -> None:
    """Runs of servers with NPUs."""
    _served(
        "served runs on NPUs", "ascend_e2e/measured_serving.csv", ("throughput", "tpot", "ttft")
    )


# --- NVIDIA -------------------------------------------------------------------------------------


def nvidia() -> None:
    """Kernels of an H200, and runs of servers with H100 and H200."""
    device = library.device("h200")
    assert device.calibration is not None
    names = ("gemm.*", "attention.*", "nccl.*", "allreduce.custom*")
    texts = [text for name in names for text in _texts(f"nvidia_kernels/h200_sxm.{name}")]
    _head("kernels of an H200, shapes left out (five folds)")
    _print_classes(fit(device.calibration, read_kernels(texts), device))
    _served("served runs on H100 and H200", "nvidia_e2e.csv", ("tpot", "ttft"))


_PARTS: dict[str, Callable[[], None]] = {
    "kernels": kernels,
    "steps": steps,
    "served": served,
    "nvidia": nvidia,
}


def _asked(arguments: Sequence[str]) -> Iterator[Callable[[], None]]:
    for name in arguments or _PARTS:
        if name not in _PARTS:
            sys.exit(f"no part '{name}'; there are {', '.join(_PARTS)}")
        yield _PARTS[name]


if __name__ == "__main__":
    for part in list(_asked(sys.argv[1:])):
        part()
