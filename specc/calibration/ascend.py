"""Rows of Ascend's tables: benchmarks with their sizes, and profiler exports.

- benchmarks (aiconfigurator-npu): `Average Duration(us)`, `Input Shapes`, and the sizes of
  attention (`Batch`, `Seq Len`, `Num Heads`, `Num KV Heads`, `Head Size`) or of experts
  (`Num Tokens`, `Hidden Size`, `Intermediate Size`, `Num Experts`, `TopK`, `Local Experts`);
- profiler exports (`op_summary_*.csv`, `kernel_details.csv`): `OP Type` or `Type`, `Input Shapes`,
  `Output Shapes`, `Input Data Types`, `Task Duration(us)` or `Duration(us)`.
"""

import math
from collections.abc import Callable, Container

from specc.calibration.kernel import KernelClass
from specc.calibration.rows import LARGEST, Reading, Row, UnusableError, number

_TYPES = ("OP Type", "Op Type", "Type")


def reader_of(row: Row, columns: Container[str]) -> Callable[[Row], Reading]:
    """Return what reads a row of a table with these columns.

    Raises:
        UnusableError: nothing does.
    """
    if "Num Experts" in columns:
        return _experts
    if "Seq Len" in columns:
        return _attention
    if "Quant Type" in columns:
        return _benchmarked_gemm
    type_ = next((row[c].strip() for c in _TYPES if row.get(c)), "")
    for prefix, reader in _PROFILED.items():
        if type_.lower().startswith(prefix):
            return reader
    raise UnusableError(f"no rule for the operator type '{type_}'" if type_ else "no operator type")


def _benchmarked_gemm(row: Row) -> Reading:
    quant = row["Quant Type"].strip().lower()
    inputs = _shapes(row, "Input Shapes")
    if len(inputs) < 2 or len(inputs[0]) != 2 or len(inputs[1]) != 2:
        raise UnusableError("a GEMM needs two shapes of two dimensions")
    (m, k), (n, weight_k) = inputs[0], inputs[1]
    if weight_k != k:
        raise UnusableError("the inner widths of a GEMM differ")
    sizes: dict[str, float] = {"m": m, "n": n, "k": k}
    if quant in ("bf16", "fp16", "float16", "bfloat16"):
        return KernelClass.GEMM, sizes
    if quant in ("w8a8", "w8a8_dynamic", "w8a8_static"):
        return KernelClass.GEMM_INT8, {**sizes, "quantises": float(quant == "w8a8_dynamic")}
    raise UnusableError(f"no rule for a GEMM in '{quant}'")


def _attention(row: Row) -> Reading:
    kinds = {
        "attention_context": KernelClass.PREFILL_ATTENTION,
        "attention_generation": KernelClass.DECODE_ATTENTION,
    }
    type_ = next((row[c].strip() for c in _TYPES if row.get(c)), "")
    if type_ not in kinds:
        raise UnusableError(f"no rule for the operator type '{type_}'")
    heads = number(row, "Num Heads")
    return kinds[type_], {
        "batch": number(row, "Batch"),
        "length": number(row, "Seq Len"),
        "heads": heads,
        "kv_heads": number(row, "Num KV Heads", least=0) or heads,
        "head_dim": number(row, "Head Size"),
    }


def _experts(row: Row) -> Reading:
    quant = (row.get("Quant Type") or "bf16").strip().lower()
    kinds = {
        "bf16": KernelClass.EXPERTS,
        "fp16": KernelClass.EXPERTS,
        "w8a8_dynamic": KernelClass.EXPERTS_INT8,
        "w8a8": KernelClass.EXPERTS_INT8,
    }
    if quant not in kinds:
        raise UnusableError(f"no rule for experts in '{quant}'")
    sizes = {
        "tokens": number(row, "Num Tokens"),
        "hidden": number(row, "Hidden Size"),
        "inner": number(row, "Intermediate Size"),
        "count": number(row, "Num Experts"),
        "active": number(row, "TopK"),
        "local": number(row, "Local Experts"),
    }
    if sizes["active"] > sizes["count"] or sizes["local"] > sizes["count"]:
        raise UnusableError("more experts are active or local than there are")
    return kinds[quant], sizes


def _profiled_gemm(row: Row) -> Reading:
    inputs, outputs = _shapes(row, "Input Shapes"), _shapes(row, "Output Shapes")
    if not inputs or not outputs or len(inputs[0]) < 2 or len(outputs[0]) < 2:
        raise UnusableError("a GEMM needs its input and output shapes")
    if len(inputs[0]) > 2 and math.prod(inputs[0][:-2]) != 1:
        raise UnusableError("batched GEMMs are not fitted")
    m, n = outputs[0][-2], outputs[0][-1]
    elements = math.prod(inputs[0])
    if not m or elements % m:
        raise UnusableError("the shapes of a GEMM do not fit each other")
    types = row.get("Input Data Types", "").upper()
    sizes = {"m": m, "n": n, "k": elements / m}
    if types.startswith(("DT_BF16", "DT_FLOAT16", "FLOAT16", "BF16")):
        return KernelClass.GEMM, sizes
    if types.startswith(("INT8", "DT_INT8")):
        return KernelClass.GEMM_INT8, {**sizes, "quantises": 0.0}
    raise UnusableError(f"no rule for a GEMM of {types.split(';')[0] or 'unknown type'}")


def _profiled_quantisation(row: Row) -> Reading:
    inputs = _shapes(row, "Input Shapes")
    if not inputs or len(inputs[0]) < 2:
        raise UnusableError("a quantisation needs its input shape")
    width = inputs[0][-1]
    return KernelClass.QUANTISATION, {"m": math.prod(inputs[0][:-1]), "k": width}


def _profiled_vector(row: Row) -> Reading:
    moved = 0.0
    for shapes, types in (
        ("Input Shapes", "Input Data Types"),
        ("Output Shapes", "Output Data Types"),
    ):
        names = row.get(types, "").split(";")
        for shape, type_ in zip(_shapes(row, shapes), names, strict=False):
            moved += math.prod(shape) * _BYTES.get(type_.strip().upper().removeprefix("DT_"), 2)
    if moved <= 0:
        raise UnusableError("an elementwise operator needs its shapes")
    return KernelClass.VECTOR, {"bytes": moved}


def _profiled_attention(row: Row) -> Reading:
    raise UnusableError(
        "the shapes of a profiled attention do not tell the lengths of the contexts"
    )


def _profiled_experts(row: Row) -> Reading:
    raise UnusableError("the shapes of a profiled grouped GEMM do not tell the rows of each expert")


_BYTES = {"FLOAT": 4, "FLOAT32": 4, "INT64": 8, "INT32": 4, "INT8": 1, "UINT8": 1, "BOOL": 1}
_PROFILED: dict[str, Callable[[Row], Reading]] = {
    "quantbatchmatmul": _profiled_gemm,
    "matmul": _profiled_gemm,
    "groupedmatmul": _profiled_experts,
    "batchmatmul": _profiled_gemm,
    "fusedinferattention": _profiled_attention,
    "increflashattention": _profiled_attention,
    "promptflashattention": _profiled_attention,
    "pagedattention": _profiled_attention,
    "flashattention": _profiled_attention,
    "dynamicquant": _profiled_quantisation,
    "ascendquant": _profiled_quantisation,
    "rmsnorm": _profiled_vector,
    "addrmsnorm": _profiled_vector,
    "swiglu": _profiled_vector,
    "rotary": _profiled_vector,
    "applyrotary": _profiled_vector,
    "add": _profiled_vector,
    "mul": _profiled_vector,
    "cast": _profiled_vector,
    "silu": _profiled_vector,
}


def _shapes(row: Row, column: str) -> list[list[int]]:
    """Return the shapes of a cell such as `1,256;256,256`, perhaps in quotes of its own."""
    text = (row.get(column) or "").strip().strip('"')
    try:
        shapes = [
            [int(size) for size in part.split(",") if size] for part in text.split(";") if part
        ]
    except ValueError:
        raise UnusableError(f"'{column}' is not a list of shapes") from None
    if any(not 0 <= size <= LARGEST for shape in shapes for size in shape):
        raise UnusableError(f"'{column}' is out of range")
    return shapes
