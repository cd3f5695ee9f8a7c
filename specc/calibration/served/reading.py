"""What a row of a table of served runs says, in the words of the language.

Columns: `source`, `url_or_repo_path`, `hardware`, `n_devices`, `model`, `quant`, `parallel`,
`mode`, `input_len`, `output_len`, `batch_or_concurrency`, `prefix_hit`, `mtp`, `ttft_ms`,
`tpot_ms`, `throughput_tok_s`, `quality`, `notes`. Notes may say more: `num_prompts=`,
`request_rate=`, `max_num_batched_tokens=`, `max_num_seqs=`, `max_running=PREFILL/DECODE`. Columns
`software` and `execution`, and a `hardware` that is a device of the library, say what the words of
a source else do.
"""

import re
from collections.abc import Sequence
from enum import Enum
from typing import TypeVar

from attrs import evolve

from specc import library
from specc.calibration.served.cells import UnclearError, noted, number
from specc.calibration.served.layouts import parts_of
from specc.calibration.served.run import Row, Run
from specc.calibration.setting import Setting, deployment
from specc.check.acceptance import with_mean
from specc.engines import with_defaults
from specc.ir import (
    Deployment,
    Engine,
    Execution,
    Generation,
    Phase,
    Software,
    Speculative,
)
from specc.ir.calibration import AssumedAcceptance
from specc.units import Tokens

T = TypeVar("T")
C = TypeVar("C", bound=Enum)

_HARDWARE = (
    (r"950DT", "ascend_950dt"),
    (r"950PR", "ascend_950pr"),
    (r"310P|300I Duo", "ascend_310p"),
    (r"560T", "atlas_800_a3_560t_die"),
    (r"A3|CloudMatrix", "atlas_800_a3_752t_die"),
    (r"910B|A2\b", "atlas_800_a2_313t"),
)
_QUANTS = {
    "bf16": ("bf16", "bf16"),
    "w8a8": ("w8a8_dynamic", "bf16"),
    "int8": ("w8a8_dynamic", "bf16"),
    "w8a8c16": ("w8a8_dynamic", "bf16"),
    "w8a8c8": ("w8a8_dynamic", "int8"),
    "w4a8": ("w4a8", "bf16"),
    "w4a8c8": ("w4a8", "int8"),
}
# Parts of a published name that do not change what is computed.
_SUFFIXES = r"_(w\da\d+\w*|mtp|quarot|bf16|code|instruct|terminus|exp|0528)(?=_|$)"
# Models by the names of their sources, and others of the same architecture and size.
_MODELS = (
    (r"deepseek_(r1|v3|v3_1)(/v3)?", "deepseek_v3"),
    (r"kimi_k2_[567]", "kimi_k2_5"),
    (r"glm_?5(_[12])?", "glm_5"),
    (r"minimax_m2_[57]", "minimax_m2_5"),
    (r"qwen3_[568]_27b", "qwen3_5_27b"),
    (r"qwen3_6_35b_a3b", "qwen3_5_35b_a3b"),
    (r"qwen3_5_122b.*", "qwen3_5_122b_a10b"),
    (r"qwen3_5_397b.*", "qwen3_5_397b_a17b"),
    (r"qwen3_(coder_next|next_80b.*)", "qwen3_next_80b_a3b"),
    (r"qwen3_480b", "qwen3_coder_480b_a35b"),
    (r"qwen3_30b.*", "qwen3_30b_a3b"),
    (r"qwen3_235b.*", "qwen3_235b_a22b"),
    (r"dense_32b", "qwen3_32b"),
)
# Sources that launch operators one by one; all others decode in captured graphs.
_EAGER = r"suffix_speculative|; eager\b|vLLM-Ascend 0\.9\.1"
_FUSED = (Software.SGLANG, Software.CANN_RECIPES)  # which send tokens to experts in one kernel
_SOFTWARE = (
    (r"cann-recipes", Software.CANN_RECIPES),
    (r"SGLang|sglang", Software.SGLANG),
    (r"(?i)mindie", Software.MINDIE),
    (r"vllm|vLLM|GPUStack", Software.VLLM_ASCEND),
)
_MOST_CLIENTS, _MOST_DEVICES, _LONGEST = 50_000, 10_000, 10_000_000
_USUAL_PROMPTS = 4  # of each client, where a row does not say it; load tools are started so


def read_run(line: int, row: Row, execution: Execution | None) -> Run:
    """Read a row.

    Raises:
        UnclearError: it does not say enough, or something that specc does not know.
        LibraryError: its model is not known.
    """
    measured = measured_of(row)
    if not measured:
        raise UnclearError("no throughput, TTFT or TPOT was measured, or none that is a number")
    if 'dataset="image"' in (row.get("notes") or ""):
        raise UnclearError("the size of the images in its prompts is not given")
    software = _chosen(Software, row.get("software")) or _first(_SOFTWARE, _said(row))
    execution = execution or _chosen(Execution, row.get("execution"))
    eager = execution is Execution.EAGER if execution else re.search(_EAGER, _said(row))
    generation = Generation.EAGER if eager else Generation.GRAPH
    built = deployment(_setting(row, software, generation))
    alone = {"disagg-decode": Phase.DECODE, "disagg-prefill": Phase.PREFILL}.get(row["mode"])
    if row["mode"] not in ("agg", "pd-disagg(total)") and alone is None:
        raise UnclearError(f"the mode '{row['mode']}' is not known")
    engine = with_defaults(Engine(software=software), built.device.memory)
    usual = (engine.chunk_budget, engine.max_sequences)
    parts = parts_of(row, built, sglang=software is Software.SGLANG, usual=usual, alone=alone)
    drafted, acceptance, assumed = _drafts(row, built)
    if alone is Phase.PREFILL:
        drafted, assumed = 0, ""
    if drafted:
        drafts = Speculative(tokens=(drafted,), acceptance=acceptance, source="a measured run")
        built = evolve(built, engine=evolve(built.engine, speculative=drafts))
    clients = number(row.get("batch_or_concurrency"))
    if clients is None or not 1 <= clients <= _MOST_CLIENTS:
        raise UnclearError("the concurrency is not given, or out of range")
    said = row.get("notes") or ""
    prompt, output, hit = _lengths(row, alone)
    return Run(
        line=line,
        row=row,
        software=software,
        execution=built.engine.execution,
        deployment=built,
        parts=parts,
        prompt=prompt,
        output=output,
        hit=hit,
        clients=int(clients),
        prompts=_prompts(said, int(clients)),
        rate=noted(said, "request_rate") or None,
        alone=alone,
        drafted=drafted,
        assumed=assumed,
        measured=measured,
        median="MEDIAN" in said,
        grade=(row.get("quality") or "?")[:1],
    )


def measured_of(row: Row) -> dict[str, float]:
    """Return what was measured, in SI units; a TPOT that is the bound of a test is not."""
    found = {}
    throughput = number(row.get("throughput_tok_s"))
    if throughput:
        found["throughput"] = throughput
    for metric in ("ttft", "tpot"):
        value = number(row.get(f"{metric}_ms"))
        bound = metric == "tpot" and "upper bound" in (row.get("quality") or "")
        if value and not bound:
            found[metric] = value / 1e3
    return found


def _said(row: Row) -> str:
    return " ".join(row.get(c) or "" for c in ("source", "url_or_repo_path", "notes"))


def _chosen(choices: type[C], text: str | None) -> C | None:
    """Return the member that a cell names, None if it is empty.

    Raises:
        UnclearError: there is none of that name.
    """
    name = (text or "").strip().lower().replace("-", "_")
    found = next((choice for choice in choices if choice.value == name), None)
    if name and found is None:
        known = ", ".join(str(choice.value) for choice in choices)
        raise UnclearError(f"'{text}' is not one of {known}")
    return found


def _first(table: Sequence[tuple[str, T]], text: str) -> T | None:
    return next((found for pattern, found in table if re.search(pattern, text)), None)


def _setting(row: Row, software: Software | None, generation: Generation) -> Setting:
    hardware = row["hardware"]
    named = re.search(r"A[23]\b", (row.get("url_or_repo_path") or "").rpartition("/")[2])
    if hardware.startswith("unlisted") and named:
        hardware = named[0]
    elif hardware.startswith("unlisted"):  # how many devices a node has tells: 16 dies, or 8
        nodes = max(1, len(re.findall(r"\bn\d+(?:\(\w+\))?:", row.get("parallel") or "")))
        each = (number(row.get("n_devices")) or 0) / nodes
        hardware = {16.0: "A3", 8.0: "A2"}.get(each, hardware)
    device = hardware if hardware in library.devices() else _first(_HARDWARE, hardware)
    if device is None:
        raise UnclearError(f"the hardware '{row['hardware']}' has no profile")
    words = (row.get("quant") or "").lower().split()
    # Tests of SGLang name the format in their file, if it is another than that of the model.
    quant = (
        words[0] if words else "bf16" if "/test_npu_" in (row.get("url_or_repo_path") or "") else ""
    )
    if quant not in _QUANTS or "hybrid" in words:
        raise UnclearError(f"the format '{row['quant']}' is not clear")
    format_, cache = _QUANTS[quant]
    model = _model(row["model"])
    return Setting(
        model=model,
        device=device,
        devices=_devices(row),
        quant=format_,
        kv_cache=cache,
        generation=generation.value,
        software=software,
        fused_dispatch=software in _FUSED and library.model(model).experts is not None,
    )


def _model(name: str) -> str:
    plain = re.sub(r"^[\w-]+/(?=[A-Za-z].*[-_.])", "", name).strip().lower()
    plain = re.sub(r"[-. ]", "_", plain)
    while (shorter := re.sub(_SUFFIXES, "", plain)) != plain:
        plain = shorter
    return next((std for text, std in _MODELS if re.fullmatch(text, plain)), plain)


def _devices(row: Row) -> int:
    count = number(row.get("n_devices"))
    if count is None or not 1 <= count <= _MOST_DEVICES:
        raise UnclearError("the number of devices is not given, or out of range")
    # A chip of A3 is two dies, and some sources count chips.
    chips = "chip = 2 dies" in row["hardware"] and "n_devices count" in row["hardware"]
    return int(count * (2 if chips and "dies" not in row["hardware"].split("n_devices")[-1] else 1))


def _lengths(row: Row, alone: Phase | None) -> tuple[Tokens, Tokens, float]:
    prompt, output = number(row.get("input_len")), number(row.get("output_len"))
    if prompt is None or not 1 <= prompt <= _LONGEST:
        raise UnclearError("the prompt length is not one number")
    if alone is Phase.PREFILL or (alone is Phase.DECODE and output is None):
        output = 1.0 if alone is Phase.PREFILL else 2.0
    if output is None or not 1 <= output <= _LONGEST:
        raise UnclearError("the output length is not given, or out of range")
    hit = number((row.get("prefix_hit") or "0").split(" ")[0]) or 0.0
    if hit > 100:
        raise UnclearError("the share of the prefix cache is more than all")
    cached = min(hit / 100, 1 - 1 / prompt)  # a token at least is computed
    return int(prompt), int(output), cached


def _prompts(said: str, clients: int) -> int:
    count = noted(said, "num_prompts")
    if count is None:
        each = re.search(r"num_prompts=int\(max_concurrency\) ?\* ?(\d+)", said)
        count = clients * (int(each[1]) if each else _USUAL_PROMPTS)
    return max(1, int(count))


def _drafts(row: Row, built: Deployment) -> tuple[int, tuple[float, ...], str]:
    """Return drafted tokens a step, their acceptance, and what of it is assumed."""
    text = (row.get("mtp") or "none").strip().lower()
    if text in ("none", "0", "no"):
        return 0, (), ""
    suffix = re.match(r"suffix, (\d+) tokens, accept ([\d.]+)%", text)
    if suffix:  # the share of all drafted tokens
        count, share = int(suffix[1]), float(suffix[2]) / 100
        return count, with_mean(count, count * share), ""
    known = re.match(r"[a-z0-9_]*?mtp(\d).*accept[a-z]* ([\d.]+)", text)
    if known and known[1] == "1" and (number(known[2].rstrip(".")) or 2) <= 1:
        return 1, (float(known[2].rstrip(".")),), ""
    if text.startswith("nextn/eagle3 in most"):
        text = "eagle3"
    found = re.fullmatch(rf"({_METHODS}):?(draft)?(\d+)?", text)
    if not found:
        raise UnclearError(f"how many tokens are drafted is not given ('{row['mtp']}')")
    data = built.device.calibration.drafts if built.device.calibration else None
    if data is None:
        raise UnclearError("the acceptance of drafted tokens is not given, and none is assumed")
    count = int(found[3] or (data.tokens if "eagle" in text else 1))
    if found[2]:  # SGLang counts the token that is verified with them
        count -= 1
    if not 0 < count <= _MOST_DRAFTED:
        raise UnclearError(f"{count} drafted tokens are none, or too many")
    each = _assumed(data, found[1], built.model.name)
    return count, tuple(each**n for n in range(1, count + 1)), found[1]


_METHODS = "nextn|(?:qwen3_5_|deepseek_)?mtp|eagle3|spec|dflash"
_MOST_DRAFTED = 32


def _assumed(data: AssumedAcceptance, method: str, model: str) -> float:
    """Return the share of drafted tokens that is accepted, if those before were."""
    if "eagle" not in method and "dflash" not in method:
        for family in ("deepseek", "glm", "kimi"):
            if model.startswith(family):
                share: float = getattr(data, f"{family}_mtp")
                return share
    return data.other
