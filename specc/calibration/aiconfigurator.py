"""Rows of AIConfigurator's tables of kernels on NVIDIA GPUs; the latency is in ms.

- `gemm_dtype`, `m`, `n`, `k`: in bfloat16 and fp8 (whose inputs are quantised in the same time);
- attention of prompts (`isl`) and of decode steps (`step` tokens before): `batch_size`,
  `num_heads`, `num_key_value_heads`, `head_dim`, `kv_cache_dtype`, `window_size`;
- collectives: `op_name`, `nccl_dtype`, `num_gpus`, `message_size` in elements, and the all-reduces
  of an engine (`allreduce_dtype`).

Experts, latent attention and their exchange have kernels by format and back end, which no rule
tells apart yet: they are left out.
"""

from collections.abc import Callable, Container

from specc.calibration.kernel import KernelClass
from specc.calibration.rows import Reading, Row, UnusableError, number

_BYTES = {"bfloat16": 2, "float16": 2, "half": 2, "int8": 1, "fp8": 1}
_HEAD = 128  # width of the heads that the rules are fitted for
_FEWEST_PROMPT_TOKENS = 16
_LARGE = 8 * 2**20  # bytes; engines reduce smaller messages with kernels of their own
OPERATIONS = ("all_gather", "reduce_scatter", "all_to_all", "all_reduce")
_OPERATIONS = {"alltoall": "all_to_all"}


def reader_of(columns: Container[str]) -> Callable[[Row], Reading]:
    """Return what reads the rows of a table with these columns.

    Raises:
        UnusableError: nothing does.
    """
    for column, reader in _READERS.items():
        if column in columns:
            return reader
    raise UnusableError("no rule for a table with these columns")


def _gemm(row: Row) -> Reading:
    sizes = {name: number(row, name, 1) for name in ("m", "n", "k")}
    match row["gemm_dtype"].strip().lower():
        case "bfloat16" | "float16":
            return KernelClass.GEMM, sizes
        case "fp8":
            return KernelClass.GEMM_INT8, {**sizes, "quantises": 1.0}
        case other:
            raise UnusableError(f"no rule for a GEMM in '{other}'")


def _attention(row: Row) -> Reading:
    width, heads = number(row, "head_dim"), number(row, "num_heads")
    if width != _HEAD:
        raise UnusableError(f"attention with heads of another width than {_HEAD} is not fitted")
    element = _element(row, "kv_cache_dtype")
    new, before = number(row, "isl"), number(row, "step", least=0)
    window = number(row, "window_size", least=0) if row.get("window_size") else 0.0
    if 0 < window < new + before:
        raise UnusableError("attention with a window is not fitted")
    sizes = {
        "batch": number(row, "batch_size"),
        "heads": heads,
        "kv_heads": number(row, "num_key_value_heads", least=0) or heads,
        "head_dim": width,
        "element": float(element),
    }
    if element != _BYTES["bfloat16"]:
        raise UnusableError("attention with a cache in 8 bit is not fitted")
    if new == 1 and before > 0:
        return KernelClass.DECODE_ATTENTION, {**sizes, "length": before + 1}
    if before > 0 or new < _FEWEST_PROMPT_TOKENS:
        raise UnusableError("prompts with a prefix, or of less than 16 tokens, are not fitted")
    return KernelClass.PREFILL_ATTENTION, {**sizes, "length": new}


def _collective(row: Row) -> Reading:
    name = row["op_name"].strip().lower()
    name = _OPERATIONS.get(name, name)
    if name not in OPERATIONS:
        raise UnusableError(f"no rule for the collective '{name}'")
    moved = number(row, "message_size") * _element(row, "nccl_dtype")
    if name == "all_reduce" and moved < _LARGE:
        raise UnusableError("small all-reduces of NCCL: engines have kernels of their own")
    return _collective_of(name, row, moved)


def _engine_all_reduce(row: Row) -> Reading:
    if "eager" in (row.get("backend") or ""):
        raise UnusableError("all-reduces that the host launches one by one")
    moved = number(row, "message_size") * _element(row, "allreduce_dtype")
    return _collective_of("all_reduce", row, moved)


def _collective_of(name: str, row: Row, moved: float) -> Reading:
    ranks = number(row, "num_gpus", 2)
    return KernelClass.COLLECTIVE, {
        "operation": float(OPERATIONS.index(name)),
        "ranks": ranks,
        "bytes": moved,
    }


def _element(row: Row, column: str) -> int:
    name = (row.get(column) or "").strip().lower()
    if name not in _BYTES:
        raise UnusableError(f"no rule for elements in '{name}'")
    return _BYTES[name]


def _unfitted(what: str) -> Callable[[Row], Reading]:
    def read(_row: Row) -> Reading:
        raise UnusableError(f"{what}: kernels by format and back end are not fitted")

    return read


# By a column that only such a table has; the first one counts.
_READERS: dict[str, Callable[[Row], Reading]] = {
    "moe_dtype": _unfitted("experts"),
    "mla_dtype": _unfitted("latent attention"),
    "comm_backend": _unfitted("exchange of tokens with experts"),
    "gemm_dtype": _gemm,
    "attn_dtype": _attention,
    "nccl_dtype": _collective,
    "allreduce_dtype": _engine_all_reduce,
}
