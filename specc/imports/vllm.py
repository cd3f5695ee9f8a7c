"""Flags of `vllm serve`, of vLLM and vLLM-Ascend, as fields of a deployment."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from specc.diagnostics import nearest
from specc.engines.flags import flags_of
from specc.imports.base import Imported
from specc.ir import Software

# Flags that say where a server is, or how clients speak to it.
NEUTRAL = frozenset(
    f"--{name}"
    for name in (
        "host",
        "port",
        "seed",
        "served-model-name",
        "trust-remote-code",
        "api-key",
        "tokenizer",
        "chat-template",
        "reasoning-parser",
        "tool-call-parser",
        "enable-auto-tool-choice",
        "data-parallel-address",
        "data-parallel-rpc-port",
        "data-parallel-rank",
        "data-parallel-size-local",
        "data-parallel-start-rank",
        "headless",
        "nnodes",
        "node-rank",
        "master-addr",
        "master-port",
        "api-server-count",
        "distributed-executor-backend",
        "load-format",
        "safetensors-load-strategy",
        "download-dir",
        "disable-log-stats",
        "enable-log-requests",
        "no-enable-log-requests",
        "enable-chunked-prefill",
        "dtype",
    )
)
_ALIASES = {
    "-tp": "--tensor-parallel-size",
    "-pp": "--pipeline-parallel-size",
    "-dp": "--data-parallel-size",
    "-dcp": "--decode-context-parallel-size",
    "-ep": "--enable-expert-parallel",
    "-sc": "--speculative-config",
    "-cc": "--compilation-config",
    "-q": "--quantization",
    "--model": "--model",
}
_ASCEND = re.compile(r"ASCEND|HCCL|_NPU_")
_SIZES = {
    "--tensor-parallel-size": "tp",
    "--pipeline-parallel-size": "pp",
    "--data-parallel-size": "dp",
    "--decode-context-parallel-size": "dcp",
}
_FORMATS = {"fp8": "fp8", "awq": "w4a16", "gptq": "w4a16", "awq_marlin": "w4a16",
            "gptq_marlin": "w4a16", "mxfp4": "mxfp4"}  # fmt: skip
_MOST = 10**9
_UNITS = {"k": 10**3, "m": 10**6, "g": 10**9, "K": 2**10, "M": 2**20, "G": 2**30}


def pairs(words: tuple[str, ...]) -> Iterator[tuple[str, str | None]]:
    """Yield flags with their values; a word without a flag has none as its name."""
    place = 0
    while place < len(words):
        word = words[place]
        place += 1
        if not word.startswith("-"):
            yield "", word
            continue
        name, equals, value = word.partition("=")
        name = _ALIASES.get(name, name)
        if name.startswith("--"):
            name = name.replace("_", "-")
        name, dot, key = name.partition(".")
        if dot and not equals and place < len(words):
            value = words[place]
            place += 1
        if dot:  # a key of an object
            yield name, json.dumps({key.replace("-", "_"): _of_text(value)})
        elif equals:
            yield name, value
        elif name.startswith("-O"):
            yield name, None
        elif place < len(words) and not _is_flag(words[place]):
            yield name, words[place]
            place += 1
        else:
            yield name, None


def _of_text(value: str | None) -> Any:
    """Return what a text says as JSON, or the text itself."""
    try:
        return json.loads(value or "")
    except ValueError:
        return value


def _is_flag(word: str) -> bool:
    return word.startswith(("--", "-O")) or word in _ALIASES


def read(words: tuple[str, ...], variables: Mapping[str, str]) -> Imported:
    """Return what a command launches.

    Args:
        words: of the command, after `vllm serve`.
        variables: of its environment.
    """
    given = list(pairs(words))
    found = Imported(_software(given, variables))
    known = flags_of(found.software).serve
    for name, value in given:
        if name in NEUTRAL:
            found.kept_out.append(name)
            if name == "--served-model-name":
                found.served = value or ""
        elif name in _SIZES:
            number = whole(found, name, value)
            if number is not None:
                setattr(found, _SIZES[name], number)
        elif name in _FIELDS:
            _FIELDS[name](found, name, value)
        elif name in known or name.startswith("-O"):
            found.lose(_shown(name, value), "a plan has no field for it")
        else:
            near = nearest(name, known)
            found.lose(
                _shown(name, value),
                "no flag that is known" + (f"; did you mean '{near}'?" if near else ""),
            )
    if variables.get("VLLM_ASCEND_ENABLE_FLASHCOMM1") == "1":
        found.fields["communication.sequence_parallel"] = "true"
    sequences, stages = int(found.fields.get("engine.max_sequences", 0)), found.pp or 1
    if sequences % stages:
        found.lose(
            f"--max-num-seqs {sequences}",
            f"{stages} pipeline stages share it, and a plan gives each {sequences // stages or 1}",
        )
    for flag, size in _SIZES.items():
        if getattr(found, size) is not None:  # --kv-transfer-config says it, too
            found.lost = [note for note in found.lost if not note.startswith(f"{flag} $")]
    return found


def _model(found: Imported, name: str, value: str | None) -> None:
    if found.model:
        found.lose(f"'{value}'", "a second name of a model")
    found.model = found.model or (value or "")


def _software(given: list[tuple[str, str | None]], variables: Mapping[str, str]) -> Software:
    names = {name for name, _ in given}
    ascend = (
        any(_ASCEND.search(name) for name in variables)
        or ("--quantization", "ascend") in given
        or "--additional-config" in names
    )
    return Software.VLLM_ASCEND if ascend else Software.VLLM


def _shown(name: str, value: str | None) -> str:
    return name if value is None else f"{name} {value}"


def whole(found: Imported, name: str, value: str | None) -> int | None:
    """Return a whole number, also as `32k`; note a value that is none."""
    if value is not None and value.startswith("$"):
        found.lose(_shown(name, value), "its value is set elsewhere")
        return None
    text = (value or "").strip()
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kKmMgG]?)", text)
    number = float(match[1]) * _UNITS.get(match[2], 1) if match else 0.0
    if not 1 <= number <= _MOST or number != int(number):
        found.lose(_shown(name, value), f"it is no whole number from 1 to {_MOST}")
        return None
    return int(number)


def count(field: str, unit: str = "") -> "Reader":
    """Return what reads a whole number into a field."""

    def reader(found: Imported, name: str, value: str | None) -> None:
        number = whole(found, name, value)
        if number is not None:
            found.fields[field] = f"{number}{unit}"

    return reader


def fixed(field: str, text: str) -> "Reader":
    """Return what sets a field, whatever the value is."""

    def reader(found: Imported, name: str, value: str | None) -> None:
        found.fields[field] = text

    return reader


Reader = Callable[[Imported, str, str | None], None]


def share_of(found: Imported, name: str, value: str | None) -> None:
    """Read the share of the memory."""
    try:
        number = float(value or "")
    except ValueError:
        number = 0.0
    if 0 < number <= 1:
        found.fields["engine.memory_utilization"] = f"{100 * number:g}%"
    else:
        found.lose(_shown(name, value), "no share of the memory")


def _experts(found: Imported, name: str, value: str | None) -> None:
    found.ep = True


def _quantization(found: Imported, name: str, value: str | None) -> None:
    if value == "ascend":
        found.fields.setdefault("quant", "")
    elif value in _FORMATS:
        found.fields["quant"] = _FORMATS[value]
    else:
        found.lose(_shown(name, value), "no number format that is known")


def _cache(found: Imported, name: str, value: str | None) -> None:
    kind = "fp8" if (value or "").startswith("fp8") else value
    if kind in ("fp8", "int8"):
        found.fields["formats.kv_cache"] = kind
    elif value not in ("auto", "bfloat16"):
        found.lose(_shown(name, value), "no format of the KV cache that is known")


def _policy(found: Imported, name: str, value: str | None) -> None:
    if value == "priority":
        found.fields["engine.queue"] = "priority"


def objects(found: Imported, name: str, value: str | None) -> Mapping[str, Any]:
    """Return the JSON of a flag; note what is none."""
    try:
        data = json.loads(value or "")
    except ValueError:
        data = None
    if not isinstance(data, dict):
        found.lose(_shown(name, value), "no JSON object")
        return {}
    return data


def _graphs(found: Imported, name: str, value: str | None) -> None:
    data = objects(found, name, value)
    if data.get("cudagraph_mode") == "NONE":
        found.fields["engine.execution"] = "eager"


def _drafts(found: Imported, name: str, value: str | None) -> None:
    data = objects(found, name, value)
    tokens = data.get("num_speculative_tokens")
    if isinstance(tokens, int):
        found.lose(
            f"{name} with {tokens} tokens of {data.get('method', 'a draft model')}",
            "the acceptance is not in a command; add engine { speculative { tokens = "
            f'[{tokens}]; acceptance = acceptance_from("result.json") }} }}',
        )


def _transfer(found: Imported, name: str, value: str | None) -> None:
    data = objects(found, name, value)
    roles = {"kv_producer": "prefill", "kv_consumer": "decode"}
    found.role = roles.get(str(data.get("kv_role")), found.role)
    extra = data.get("kv_connector_extra_config")
    own = extra.get(found.role) if isinstance(extra, dict) else None
    if isinstance(own, dict):  # each role says its own sizes here, too
        found.tp = found.tp or own.get("tp_size")
        found.dp = found.dp or own.get("dp_size")
    if found.role == "whole":
        found.lose(f"{name} {data.get('kv_connector', '')}".strip(), "a plan has no pool of caches")


def _additional(found: Imported, name: str, value: str | None) -> None:
    for key, own in objects(found, name, value).items():
        if key in _KEYS and own is True:
            field, text = _KEYS[key]
            found.fields[field] = text
        elif key == "eplb_config" and isinstance(own, dict) and own.get("num_redundant_experts"):
            found.fields["experts.redundant"] = str(own["num_redundant_experts"])
        else:
            found.lose(f"{name}: {key} = {json.dumps(own)}", "a plan has no field for it")


_KEYS = {
    "enable_flashcomm1": ("communication.sequence_parallel", "true"),
    "enable_matmul_allreduce": ("communication.fuse_all_reduce", "true"),
    "enable_shared_expert_dp": ("experts.shard_shared", "false"),
}
_FIELDS: Mapping[str, Reader] = {
    "": _model,
    "--model": _model,
    "--max-model-len": count("engine.max_model_length", " tok"),
    "--max-num-seqs": count("engine.max_sequences"),
    "--max-num-batched-tokens": count("engine.chunk_budget", " tok"),
    "--block-size": count("engine.block_size", " tok"),
    "--long-prefill-token-threshold": count("engine.long_prefill_token_threshold", " tok"),
    "--gpu-memory-utilization": share_of,
    "--enable-prefix-caching": fixed("engine.prefix_caching", "true"),
    "--no-enable-prefix-caching": fixed("engine.prefix_caching", "false"),
    "--async-scheduling": fixed("engine.async_scheduling", "true"),
    "--no-async-scheduling": fixed("engine.async_scheduling", "false"),
    "--enforce-eager": fixed("engine.execution", "eager"),
    "--enable-expert-parallel": _experts,
    "--quantization": _quantization,
    "--kv-cache-dtype": _cache,
    "--scheduling-policy": _policy,
    "--compilation-config": _graphs,
    "--speculative-config": _drafts,
    "--kv-transfer-config": _transfer,
    "--additional-config": _additional,
}
