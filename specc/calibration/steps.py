"""Predicts the single forward steps of a table, beside what was measured.

Two kinds of tables are read, by their columns: measured steps (`case`, `model`, `device`, `phase`,
`num_queries`, `query_len`, `context_len`, `devices`, `tp`, `pp`, `dp`, `ep`, `linear`, `attention`,
`mtp`, `image_*`, `measured_ms`), and steps that the reference planner predicted (`batch_per_dp`,
`seq_len`, `moe_tp`, `quant`, `execution_time_ms`).
"""

import math
from collections.abc import Iterator

import numpy as np
from attrs import evolve, frozen

from specc.calibration.setting import Setting, deployment, served_with
from specc.cost import CostModel, StepTable
from specc.cost.times import P10, P90, StepTimes
from specc.ir import Calibration, Layout, Vision
from specc.ir.images import image_patches
from specc.library import LibraryError
from specc.records import Record
from specc.tables import ColumnSchema, Schema, TextCells, TypedTable, read_table

Row = dict[str, str]

_QUANTS = {
    "DISABLED": "bf16",
    "": "bf16",
    "W8A8_DYNAMIC": "w8a8_dynamic",
    "W8A8_STATIC": "w8a8",
    "W8A8": "w8a8",
    "W8A16": "w8a16",
    "W8A16_DYNAMIC": "w8a16",
    "W8A16_STATIC": "w8a16",
    "W4A8_DYNAMIC": "w4a8",
    "W4A8_STATIC": "w4a8",
    "W4A16": "w4a16",
    "FP8": "fp8",
    "MXFP4": "mxfp4",
}
_CACHES = {"DISABLED": "bf16", "": "bf16", "INT8": "int8", "FP8": "fp8"}
# Names that the reference planner's tables give to models.
_PLANNER_MODELS = {
    "qwen3_dense_32b": "qwen3_32b",
    "qwen3_dense_8b": "qwen3_8b",
    "qwen3_moe_30b_a3b": "qwen3_30b_a3b",
    "deepseek_v32": "deepseek_v3_2",
}


_LONGEST = 10**7  # tokens, sequences or pixels of a row
_WIDEST = 10**5  # devices
_NEEDED = ("model", "device", "phase", "num_queries", "query_len", "tp", "dp", "ep")
# Cells stay text: a row that cannot be predicted says why, and the others are.
_STEPS = tuple(
    Schema(what, tuple(ColumnSchema(name) for name in (*_NEEDED, context)), others=TextCells())
    for what, context in (
        ("a table of measured steps", "context_len"),
        ("a table of planned steps", "seq_len"),
    )
)


@frozen(eq=False, repr=False)
class StepPrediction(Record):
    """One row: milliseconds predicted, with its band, by the flat model, and measured."""

    case: str
    predicted_ms: float | None
    p10_ms: float | None
    p90_ms: float | None
    reference_ms: float | None
    measured_ms: float | None
    skipped: str = ""


def predict_steps(name: str, text: str, generation: str = "graph") -> list[StepPrediction]:
    """Predict every row of a table, in its order; rows that cannot be say why.

    Raises:
        specc.tables.TableError: a column is missing, or there are no rows.
    """
    table = read_table(name, text, *_STEPS)
    return list(_predictions(table, generation))


def _predictions(table: TypedTable, generation: str) -> Iterator[StepPrediction]:
    for number, (_, row) in enumerate(table.rows(), start=1):
        case = row.get("case") or f"row {number}"
        measured = _optional(row.get("measured_ms"))
        try:
            step = _Step.of(row, generation)
            calibrated, reference = step.predict()
        except (LibraryError, ValueError) as reason:
            yield StepPrediction(case, None, None, None, None, measured, str(reason))
            continue
        yield StepPrediction(
            case=case,
            predicted_ms=float(calibrated.total[0]) * 1e3,
            p10_ms=float(calibrated.quantile(P10)[0]) * 1e3,
            p90_ms=float(calibrated.quantile(P90)[0]) * 1e3,
            reference_ms=float(reference.total[0]) * 1e3,
            measured_ms=measured,
        )


@frozen(eq=False, repr=False)
class _Step(Record):
    """A row, understood."""

    setting: Setting
    layout: Layout
    table: StepTable
    drafted: int

    @classmethod
    def of(cls, row: Row, generation: str) -> "_Step":
        if (row.get("compile") or "1").strip() == "0":
            raise ValueError("it is of the planner without compiled graphs, whose operators differ")
        sizes = {name: _whole(row, name, 1, _WIDEST) for name in ("tp", "dp", "ep")}
        pp = _whole(row, "pp", 1, _WIDEST) if row.get("pp") else 1
        drafted = _whole(row, "mtp", 0, 16) if row.get("mtp") else 0
        devices = sizes["tp"] * sizes["dp"]
        if row.get("devices"):
            devices = _whole(row, "devices", 1, _WIDEST)
        quant = row.get("linear") or row.get("quant") or ""
        if quant not in _QUANTS or (row.get("attention") or "") not in _CACHES:
            raise ValueError(f"unknown format '{quant}' or '{row.get('attention')}'")
        setting = Setting(
            model=_PLANNER_MODELS.get(row["model"], row["model"]),
            device=row["device"],
            devices=devices,
            quant=_QUANTS[quant],
            kv_cache=_CACHES[row.get("attention") or ""],
            generation=generation,
        )
        built = deployment(setting)
        world = sizes["tp"] * sizes["dp"]
        if built.model.experts:
            if world % sizes["ep"]:
                raise ValueError(f"ep = {sizes['ep']} does not divide tp · dp = {world}")
            sizes["moe_tp"] = world // sizes["ep"]
        else:
            sizes["ep"] = 1
        return cls(
            setting, Layout(pp=pp, **sizes), _table(row, sizes["dp"], built.model.vision), drafted
        )

    def predict(self) -> tuple[StepTimes, StepTimes]:
        """Return the times by the calibration and by the flat model."""
        built = served_with(deployment(self.setting), None)
        flat = evolve(built, calibration=Calibration.REFERENCE)
        calibrated, reference = (
            CostModel.of(d, self.layout, self.drafted).times(self.table) for d in (built, flat)
        )
        return calibrated, reference


def _table(row: Row, dp: int, vision: Vision | None) -> StepTable:
    queries, new = _whole(row, "num_queries", 1), _whole(row, "query_len", 1)
    batch = -(-queries // dp)
    context = _whole(row, "seq_len", 1) if row.get("seq_len") else None
    if context is None:
        context = new + _whole(row, "context_len", 0)
    if row["phase"] == "decode":
        return StepTable.decoding(batch, context, 128, new)
    if row["phase"] != "prefill":
        raise ValueError(f"unknown phase '{row['phase']}'")
    table = StepTable.prefilling(batch, new, context, 128)
    images = _whole(row, "image_batch", 0) if row.get("image_batch") else 0
    if not images:
        return table
    if vision is None:
        raise ValueError("images for a model without a vision encoder")
    patches = image_patches(vision, _whole(row, "image_height", 1), _whole(row, "image_width", 1))
    each = images / queries * batch
    return evolve(
        table, patches=np.array([each * patches]), patch_pairs=np.array([each * patches**2])
    )


def _whole(row: Row, column: str, least: int, most: int = _LONGEST) -> int:
    try:
        value = int(float(row[column]))
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ValueError(f"'{column}' is not a whole number") from None
    if value < least:
        raise ValueError(f"'{column}' is less than {least}")
    if value > most:
        raise ValueError(f"'{column}' is more than {most:,}")
    return value


def _optional(text: str | None) -> float | None:
    """Return a number of a cell that may be empty or hold a remark."""
    try:
        value = float(text) if text else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
