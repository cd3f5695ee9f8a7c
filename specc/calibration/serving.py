"""Predicts the throughput of served runs that were measured, as far as a row says enough.

Columns: `source`, `hardware`, `n_devices`, `model`, `quant`, `parallel`, `mode`, `input_len`,
`output_len`, `batch_or_concurrency`, `prefix_hit`, `mtp`, `tpot_ms`, `throughput_tok_s`,
`quality`, `notes`. Runs in which prefill and decode share the devices are predicted by the closed
form at the concurrency that was measured, runs of decode alone by a decode step.
"""

import re
from collections.abc import Iterator

import numpy as np
from attrs import frozen

from specc.calibration.setting import Setting, deployment
from specc.cost import CostModel, StepTable
from specc.ir import Deployment, Layout, Workload
from specc.library import LibraryError
from specc.records import Record
from specc.serving import Aggregated, Mixture, Server, choose_budget
from specc.tables import ColumnSchema, Schema, TextCells, TypedTable, read_table

Row = dict[str, str]


@frozen(eq=False, repr=False)
class ServingPrediction(Record):
    """One run: output tokens a second, predicted and measured, or why it was left out."""

    case: str
    group: str
    quality: str
    generation: str
    predicted_tok_s: float | None
    measured_tok_s: float | None
    skipped: str = ""


class _UnclearError(ValueError):
    """A row that does not say enough; the message says what is missing."""


_NEEDED = ("hardware", "n_devices", "model", "quant", "mode", "input_len", "throughput_tok_s")
# Cells stay text: sources write "PD, 1:2" or "2k to 4k" where a number would be of more use.
_RUNS = Schema("a table of served runs", tuple(map(ColumnSchema, _NEEDED)), others=TextCells())
_HARDWARE = (
    (r"800I? A3|CloudMatrix", "atlas_800_a3_752t_die"),
    (r"560T", "atlas_800_a3_560t_die"),
    (r"910B3|A2 \(|800I A2|800T A2|910B", "atlas_800_a2_313t"),
)
_QUANTS = {
    "bf16": ("bf16", "bf16"),
    "w8a8": ("w8a8_dynamic", "bf16"),
    "w8a8c16": ("w8a8_dynamic", "bf16"),
    "w8a8c8": ("w8a8_dynamic", "int8"),
    "w4a8": ("w4a8", "bf16"),
}
# What the sources run: the recipes are hand-tuned graphs, the tutorials start a server as it is.
_GENERATIONS = (
    ("cann-recipes", "tuned"),
    ("SGLang", "tuned"),
    ("host-bound", "eager"),
    ("GPUStack", "eager"),
)
# vLLM's default of max_num_seqs; servers that were started with another do not say so.
_MOST_SEQUENCES = 256
_LARGEST = 1e9
_MODELS = {
    "DeepSeek-R1/V3": "deepseek_v3",
    "DeepSeek-R1": "deepseek_v3",
    "Qwen3-235B": "qwen3_235b_a22b",
    "dense 32B": "qwen3_32b",
}


def predict_serving(name: str, text: str, generation: str | None) -> list[ServingPrediction]:
    """Predict the runs of a table, in its order.

    Raises:
        specc.tables.TableError: columns or rows are missing.
    """
    return list(_predictions(read_table(name, text, _RUNS), generation))


def _predictions(table: TypedTable, generation: str | None) -> Iterator[ServingPrediction]:
    for number, row in table.rows():
        software = generation or _generation(row)
        case = f"line {number}: {row['model']} on {row['n_devices'] or '?'} devices"
        group = " ".join([*(row.get("source") or "").split()[:2], row["model"], row["hardware"]])
        quality = (row.get("quality") or "?")[:1]
        measured = _number(row.get("throughput_tok_s"))
        try:
            predicted: float | None = _predict(row, software)
            reason = ""
        except (LibraryError, _UnclearError) as error:
            predicted, reason = None, str(error)
        yield ServingPrediction(case, group, quality, software, predicted, measured, reason)


def _generation(row: Row) -> str:
    said = f"{row.get('source', '')} {row.get('notes', '')}"
    return next((name for text, name in _GENERATIONS if text in said), "graph")


def _predict(row: Row, generation: str) -> float:
    if _number(row.get("throughput_tok_s")) is None:
        raise _UnclearError("no throughput was measured")
    accepted, drafted = _speculation(row)
    built = deployment(_setting(row, generation))
    layout = _layout(row, built)
    concurrency = _number(row.get("batch_or_concurrency"))
    if concurrency is None:
        raise _UnclearError("the concurrency is not given")
    prompt = _number(row["input_len"])
    if prompt is None or prompt < 1:
        raise _UnclearError("the prompt length is not one number")
    cost = CostModel.of(built, layout, drafted)
    if row["mode"] == "disagg-decode":
        batch = np.array([concurrency / layout.dp])
        context = prompt + 1 + drafted
        step = float(cost.times(StepTable.decoding(batch, context, 128, 1 + drafted)).total[0])
        return concurrency * accepted / step
    if row["mode"] != "agg":
        raise _UnclearError(f"the mode '{row['mode']}' has no closed form for throughput")
    output = _number(row.get("output_len"))
    if output is None or output < 1:
        raise _UnclearError("the output length is not given")
    hit = _number(row.get("prefix_hit")) or 0.0
    workload = Workload(input=int(prompt), output=int(output), prefix_hit=hit / 100)
    return _closed_form(built, layout, cost, workload, concurrency)


def _closed_form(
    built: Deployment, layout: Layout, cost: CostModel, workload: Workload, concurrency: float
) -> float:
    """Return output tokens a second with as many requests as fit, the others waiting."""

    memory = built.device.memory
    server = Server(cost, Mixture.of(workload, built.model), memory, built.engine.reserved(memory))
    form = Aggregated(server, choose_budget(None, server))
    wanted = max(1, min(round(concurrency / layout.dp), _MOST_SEQUENCES))
    table = form.evaluate(np.arange(1, wanted + 1))
    fits = np.flatnonzero(table.memory.available >= 0)
    if not len(fits):
        raise _UnclearError("the layout does not fit into memory by our count")
    return float(table.throughput[fits[-1]])


def _setting(row: Row, generation: str) -> Setting:
    device = next((name for text, name in _HARDWARE if re.search(text, row["hardware"])), None)
    if device is None:
        raise _UnclearError("the hardware has no profile")
    quant = row["quant"].split(" ")[0]
    if quant not in _QUANTS:
        raise _UnclearError(f"the format '{row['quant']}' is not clear")
    devices = _devices(row)
    format_, cache = _QUANTS[quant]
    model = re.sub(r"^[A-Za-z-]+/", "", row["model"])
    model = re.sub(r"-(w\da\d+|W\dA\d+).*$", "", model)
    return Setting(
        model=_MODELS.get(model, model),
        device=device,
        devices=devices,
        quant=format_,
        kv_cache=cache,
        generation=generation,
        fused_dispatch=generation == "tuned",
    )


def _devices(row: Row) -> int:
    count = _number(row["n_devices"])
    if count is None:
        raise _UnclearError("the number of devices is not given")
    # A chip of A3 is two dies, and some sources count chips.
    chips = "chip = 2 dies" in row["hardware"] and "n_devices count" in row["hardware"]
    return int(count * (2 if chips and "dies" not in row["hardware"].split("n_devices")[-1] else 1))


def _layout(row: Row, built: Deployment) -> Layout:
    text = row.get("parallel") or ""
    found = {name: int(size) for name, size in re.findall(r"\b(TP|DP|PP|EP)(\d{1,5})", text)}
    devices = built.size
    if "PP" in found:
        raise _UnclearError("pipeline stages of a measured run are not predicted")
    if built.model.experts is None:
        tp = found.get("TP", devices if not text else 0)
        if not tp or devices % tp:
            raise _UnclearError("the layout is not given")
        return Layout(tp, 1, devices // tp)
    if not text:
        raise _UnclearError("the layout is not given")
    ep = found.get("EP", devices if "EP" in text else 1)
    tp = found.get("TP", 1 if "DP" in found or ep > 1 else devices)
    world = max(devices, ep)
    if not tp or not ep or world % tp or world % ep:
        raise _UnclearError("the layout does not fit the devices")
    return Layout(tp, 1, world // tp, ep=ep, moe_tp=world // ep)


def _speculation(row: Row) -> tuple[float, int]:
    """Return tokens a step and drafted tokens; a run with unknown acceptance is no use."""
    text = (row.get("mtp") or "none").strip().lower()
    if text in ("none", "", "0", "no"):
        return 1.0, 0
    match = re.match(r"mtp(\d).*accept[a-z]* ([\d.]+)", text)
    accepted = _number(match[2].rstrip(".")) if match else None
    if match and match[1] == "1" and accepted is not None and accepted <= 1:
        return 1 + accepted, 1
    raise _UnclearError("the acceptance of drafted tokens is not given")


def _number(text: str | None) -> float | None:
    """Return a number of a cell, or None if it holds no number that a run can have."""
    try:
        value = float((text or "").replace(",", ""))
    except ValueError:
        return None
    return value if 0 <= value <= _LARGEST else None
