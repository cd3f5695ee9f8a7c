"""Rows of AIConfigurator's tables of runs on NVIDIA servers (`silicon_ttft_ms`, `silicon_tpot_ms`).

A row has one instance: `batch_size` requests on each of `attention_dp_size` replicas of `tp_size`
devices, experts over `moe_tp_size` × `moe_ep_size`. One with prefill and decode apart has the same
columns twice, with `prefill_` and `decode_` before their names, and `…_num_workers` instances.
"""

import re
from collections.abc import Mapping

from specc.calibration.served.cells import UnclearError, number
from specc.calibration.served.layouts import ServedPart
from specc.calibration.served.run import Row, Run
from specc.calibration.setting import Setting, deployment
from specc.engines import with_defaults
from specc.ir import Deployment, Engine, Execution, Generation, Layout, Phase, Software

COLUMNS = ("backend", "model_path", "system", "mode", "isl", "osl", "silicon_tpot_ms")

_MODELS = (
    (r"deepseek-r1|deepseek-v3", "deepseek_v3"),
    (r"qwen3-235b-a22b.*", "qwen3_235b_a22b"),
    (r"qwen3-32b", "qwen3_32b"),
    (r"qwen3\.5-397b-a17b", "qwen3_5_397b_a17b"),
    (r"llama-3\.1-8b.*", "llama3_1_8b"),
    (r"llama-3\.1-70b.*", "llama3_1_70b"),
    (r"minimax-m2\.5", "minimax_m2_5"),
    (r"gpt-oss-(20b|120b)", r"gpt_oss_\1"),
    (r"kimi-k2\.5", "kimi_k2_5"),
)
_SYSTEM = re.compile(r"(h100|h200|b200|gb200)(_sxm)?")
_QUANTS = {"": "bf16", "fp8": "fp8", "fp8_block": "fp8", "nvfp4": "mxfp4", "int4_wo": "w4a16"}
_WHOLE = (("", Phase.WHOLE),)  # instances by the beginning of their columns
_APART = (("prefill_", Phase.PREFILL), ("decode_", Phase.DECODE))
_SOFTWARE = {"vllm": Software.VLLM, "sglang": Software.SGLANG, "trtllm": None}
_SHORTEST = 0.8  # prompts and outputs over the longest ones, as random data sets are made
_PROMPTS = 10  # of each client; the tables do not say it, public benchmarks of such servers do so


def read_aiconfigurator(line: int, row: Row, execution: Execution | None) -> Run:
    """Read a row.

    Raises:
        UnclearError: it does not say enough, or something that specc does not know.
        LibraryError: its model is not known.
    """
    backend = row["backend"].strip().lower()
    if backend not in _SOFTWARE:
        raise UnclearError(f"the engine '{row['backend']}' is not known")
    system = _SYSTEM.fullmatch(row["system"].strip().lower())
    if system is None:
        raise UnclearError(f"the system '{row['system']}' has no profile")
    measured = {
        name: value / 1e3
        for name in ("ttft", "tpot")
        if (value := number(row.get(f"silicon_{name}_ms")))
    }
    if not measured:
        raise UnclearError("no throughput, TTFT or TPOT was measured, or none that is a number")
    apart = {"agg": False, "disagg": True}.get(row["mode"].strip())
    if apart is None:
        raise UnclearError(f"the mode '{row['mode']}' is not known")
    roles = _APART if apart else _WHOLE
    widths = [_widths(row, prefix) for prefix, _ in roles]
    quant = (row.get("gemm_quant_mode") or "").strip()
    if quant not in _QUANTS:
        raise UnclearError(f"the format '{quant}' is not clear")
    software = _SOFTWARE[backend]
    setting = Setting(
        model=_model(row["model_path"]),
        device=system[1],
        devices=sum(tp * dp * count for tp, dp, count, _ in widths),
        quant=_QUANTS[quant],
        generation=Generation((execution or Execution.GRAPH).value).value,
        software=software,
    )
    built = deployment(setting)
    usual = with_defaults(Engine(software=software), built.device.memory)
    parts = tuple(
        ServedPart(
            phase=phase,
            layout=_layout(row, prefix, built, tp, dp),
            count=count,
            sequences=batch,
            budget=usual.chunk_budget,
        )
        for (prefix, phase), (tp, dp, count, batch) in zip(roles, widths, strict=True)
    )
    tp, dp, count, batch = widths[-1]
    clients = batch * dp * count
    _check_id(row, tp, dp)
    prompt, output = _length(row, "isl"), _length(row, "osl")
    return Run(
        line=line,
        row={**row, "source": f"{backend}, {_name(row['model_path'])}", "model": row["model_path"]},
        software=software,
        execution=built.engine.execution,
        deployment=built,
        parts=parts,
        prompt=prompt,
        output=output,
        hit=0.0,
        clients=clients,
        prompts=_PROMPTS * clients,
        measured=measured,
        grade="A",
        shortest=_SHORTEST,
    )


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _model(path: str) -> str:
    plain = _name(path).strip().lower()
    for pattern, std in _MODELS:
        found = re.fullmatch(pattern, plain)
        if found:
            return found.expand(std)
    raise UnclearError(f"there is no model '{path}'")


def _whole(row: Row, column: str, missing: int | None = None) -> int:
    value = number(row.get(column))
    if value is None and missing is not None:
        return missing
    if value is None or not 1 <= value <= 100_000 or value != int(value):
        raise UnclearError(f"'{column}' is not given, or out of range")
    return int(value)


def _widths(row: Row, prefix: str) -> tuple[int, int, int, int]:
    """Return TP, DP, instances, and requests of each replica."""
    if _whole(row, f"{prefix}pp_size", 1) > 1:
        raise UnclearError("pipeline stages are not read")
    batch = number(row.get(f"{prefix}batch_size"))
    if prefix and batch is None:
        raise UnclearError("prefill and decode apart without a batch")
    return (
        _whole(row, f"{prefix}tp_size"),
        _whole(row, f"{prefix}attention_dp_size", 1),
        _whole(row, f"{prefix}num_workers") if prefix else 1,
        _whole(row, f"{prefix}batch_size"),
    )


def _layout(row: Row, prefix: str, built: Deployment, tp: int, dp: int) -> Layout:
    model = built.model
    if model.attention_heads % tp:
        raise UnclearError("the layout does not fit the model")
    if model.experts is None:
        return Layout(tp, 1, dp)
    moe_tp, ep = (_whole(row, f"{prefix}moe_{name}_size") for name in ("tp", "ep"))
    if moe_tp * ep != tp * dp or model.experts.count % ep:
        raise UnclearError("the layouts of attention and experts do not fit each other")
    return Layout(tp, 1, dp, ep=ep, moe_tp=moe_tp)


def _check_id(row: Row, tp: int, dp: int) -> None:
    said = re.search(r"_tp(\d+)_", row.get("id") or "")
    if said and int(said[1]) not in (tp, tp * dp):
        raise UnclearError("its name and its columns give different layouts")


def _length(row: Mapping[str, str], column: str) -> int:
    value = number(row.get(column))
    if value is None or not 1 <= value <= 10_000_000:
        raise UnclearError(f"'{column}' is not given, or out of range")
    return int(value)
