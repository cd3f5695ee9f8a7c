"""Flags of `python -m sglang.launch_server` as fields of a deployment (read of 0.5.23).

Its `--tp-size` counts all ranks of an instance; with `--enable-dp-attention` data parallelism of
attention is within it. `--max-running-requests` is of all data-parallel ranks together.
"""

from collections.abc import Mapping

from specc.imports.base import Imported
from specc.imports.vllm import Reader, count, fixed, pairs, share_of, whole
from specc.ir import Software

_ALIASES = {
    "--tp": "--tp-size",
    "--tensor-parallel-size": "--tp-size",
    "--dp": "--dp-size",
    "--data-parallel-size": "--dp-size",
    "--ep": "--ep-size",
    "--expert-parallel-size": "--ep-size",
    "--pp": "--pp-size",
    "--pipeline-parallel-size": "--pp-size",
    "--model": "--model-path",
}
_SIZES = {
    "--tp-size": "tp",
    "--dp-size": "dp",
    "--ep-size": "ep",
    "--pp-size": "pp",
    "--max-running-requests": "running",
}
_NEUTRAL = frozenset(
    f"--{name}"
    for name in (
        "host",
        "port",
        "device",
        "attention-backend",
        "trust-remote-code",
        "nnodes",
        "node-rank",
        "dist-init-addr",
        "served-model-name",
        "tokenizer-worker-num",
        "log-level",
        "dtype",
        "random-seed",
        "disaggregation-transfer-backend",
        "disaggregation-bootstrap-port",
    )
)
_FORMATS = {"fp8": "fp8", "awq": "w4a16", "gptq": "w4a16", "w8a8_int8": "w8a8_dynamic"}


def read(words: tuple[str, ...], variables: Mapping[str, str]) -> Imported:
    """Return what a command launches."""
    found = Imported(Software.SGLANG)
    sizes: dict[str, int] = {}
    names: set[str] = set()
    for given, value in pairs(words):
        name = _ALIASES.get(given, given)
        names.add(name)
        if name in _SIZES:
            number = whole(found, name, value)
            if number is not None:
                sizes[_SIZES[name]] = number
        elif name in _FIELDS:
            _FIELDS[name](found, name, value)
        elif name in _NEUTRAL:
            found.kept_out.append(name)
            if name == "--served-model-name":
                found.served = value or ""
        else:
            shown = f"{name} {value or ''}".strip()
            found.lose(shown, "a plan has no field for it")
    _lay_out(found, sizes, attention="--enable-dp-attention" in names)
    return found


def _model(found: Imported, name: str, value: str | None) -> None:
    found.model = value or ""


def _chunk(found: Imported, name: str, value: str | None) -> None:
    if value == "-1":
        found.lose(f"{name} -1", "whole prompts; scheduler = prefill_first is the nearest")
    else:
        count("engine.chunk_budget", " tok")(found, name, value)


def _quantization(found: Imported, name: str, value: str | None) -> None:
    if value == "modelslim":
        found.fields.setdefault("quant", "")
    elif value in _FORMATS:
        found.fields["quant"] = _FORMATS[value]
    else:
        found.lose(f"{name} {value}", "no number format that is known")


def _mode(found: Imported, name: str, value: str | None) -> None:
    found.role = value if value in ("prefill", "decode") else found.role


def _nothing(found: Imported, name: str, value: str | None) -> None:
    """Read a flag that says how others count."""


_FIELDS: Mapping[str, Reader] = {
    "--model-path": _model,
    "--enable-dp-attention": _nothing,
    "--chunked-prefill-size": _chunk,
    "--context-length": count("engine.max_model_length", " tok"),
    "--mem-fraction-static": share_of,
    "--quantization": _quantization,
    "--disable-radix-cache": fixed("engine.prefix_caching", "false"),
    "--disable-cuda-graph": fixed("engine.execution", "eager"),
    "--disaggregation-mode": _mode,
}


def _lay_out(found: Imported, sizes: Mapping[str, int], *, attention: bool) -> None:
    """Set the sizes of the layout, and the limit of a data-parallel rank."""
    tp, dp = sizes.get("tp", 1), sizes.get("dp", 1)
    if attention and tp % dp == 0:
        tp //= dp
        chunk = found.fields.get("engine.chunk_budget", "").removesuffix(" tok")
        if chunk:  # ranks of attention share it
            found.fields["engine.chunk_budget"] = f"{max(1, int(chunk) // dp)} tok"
    found.tp, found.dp = tp, dp
    found.pp = sizes.get("pp")
    if "ep" in sizes:
        found.ep = sizes["ep"]
    if "running" in sizes:
        own = max(1, sizes["running"] // dp)
        found.fields["engine.max_sequences"] = str(own)
        if own * dp != sizes["running"]:
            found.lose(
                f"--max-running-requests {sizes['running']}",
                f"{dp} data-parallel ranks share it, and a plan gives each {own}",
            )
