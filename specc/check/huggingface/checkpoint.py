"""The number formats of a published checkpoint."""

from specc.check.convert import brief
from specc.check.huggingface.config import ConfigFile, Fields
from specc.diagnostics import list_known
from specc.ir import (
    Quantisation,
)

_CHECKPOINTS = {
    "fp8": Quantisation.FP8,
    "mxfp4": Quantisation.MXFP4,
    "bfloat16": Quantisation.BF16,
    "float16": Quantisation.FP16,
}


def checkpoint(config: ConfigFile, text: ConfigFile) -> Fields:
    """The number formats of the published weights."""
    plain = next(
        (
            c.values[key]
            for c in (text, config)
            for key in ("dtype", "torch_dtype")
            if isinstance(c.values.get(key), str)
        ),
        "bfloat16",
    )
    quantised = config.nested("quantization_config") or text.nested("quantization_config")
    method = plain if quantised is None else quantised.values.get("quant_method")
    if method == "compressed-tensors" and quantised is not None:
        return {"weights": Quantisation.BF16, "expert_weights": _packed(quantised)}
    if method not in _CHECKPOINTS or plain not in _CHECKPOINTS:
        raise config.problem(
            f"'{config.file}' stores its weights as {brief(method if quantised else plain)}, "
            "which is not supported",
            help=list_known((*_CHECKPOINTS, "compressed-tensors"), "format"),
        )
    experts = config.values.get("expert_dtype")
    if method == "mxfp4" or experts == "fp4":
        # What is not an expert stays as it was (gpt-oss), or has the format of the rest (V4).
        rest = _CHECKPOINTS[plain] if method == "mxfp4" else _CHECKPOINTS[str(method)]
        return {"weights": rest, "expert_weights": Quantisation.MXFP4}
    return {"weights": _CHECKPOINTS[str(method)]}


def _packed(quantised: ConfigFile) -> Quantisation:
    """The format of the experts in a checkpoint of compressed tensors (Kimi K2 Thinking, K2.5)."""
    groups = quantised.nested("config_groups")
    first = groups.nested("group_0") if groups else None
    weights = first.nested("weights") if first else None
    bits = weights.values.get("num_bits") if weights else None
    if bits == 4:
        return Quantisation.W4A16
    if bits == 8:
        return Quantisation.W8A16
    raise quantised.problem(
        f"'quantization_config' of '{quantised.file}' packs weights in {brief(bits)} bits",
        why="the cost model supports 4 and 8",
    )
