"""The number formats of a published checkpoint, wherever they stand.

In the order in which they count: `quantization_config` of the configuration, the files that
msModelSlim and modelopt write beside it, the key `quantize` of MindIE, and the type of the tensors.
What is not understood is an error, never the type of the tensors.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from specc.check.convert import brief
from specc.check.huggingface.config import ConfigFile, Fields
from specc.diagnostics import list_known
from specc.ir import Quantisation

MODELSLIM, MODELOPT = "quant_model_description.json", "hf_quant_config.json"
Beside = Callable[[str], ConfigFile | None]  # a file beside the configuration, by its name

_PLAIN = {"bfloat16": Quantisation.BF16, "float16": Quantisation.FP16}
# By MindIE (`quantize`) and msModelSlim; what is sparse or compressed is left out on purpose.
_ASCEND = {
    "float": Quantisation.BF16,
    "w8a8": Quantisation.W8A8,
    "w8a8_dynamic": Quantisation.W8A8_DYNAMIC,
    "w8a8_mix": Quantisation.W8A8_DYNAMIC,
    "w8a16": Quantisation.W8A16,
    "w4a16": Quantisation.W4A16,
    "w4a8": Quantisation.W4A8,
    "w4a8_dynamic": Quantisation.W4A8,
    "w4a4_dynamic": Quantisation.W4A4,
    "w4a4_flatquant_dynamic": Quantisation.W4A4,
    "w8a8_mxfp8": Quantisation.MXFP8,
    "w4a4_mxfp4": Quantisation.MXFP4,
    "w4a16_mxfp4": Quantisation.MXFP4,
}
_MODELOPT = {
    "FP8": Quantisation.FP8,
    "FP8_PB_WO": Quantisation.FP8,
    "FP8_PER_CHANNEL_PER_TOKEN": Quantisation.FP8,
    "MXFP8": Quantisation.MXFP8,
    "NVFP4": Quantisation.NVFP4,
    "NVFP4_AWQ": Quantisation.NVFP4,
    "W4A16_NVFP4": Quantisation.W4A16,
    "W4A16_AWQ": Quantisation.W4A16,
    "W4A8_AWQ": Quantisation.W4A8,
    "W8A16": Quantisation.W8A16,
    "W8A8_SQ_PER_CHANNEL": Quantisation.W8A8,
}
_METHODS = ("fp8", "fbgemm_fp8", "mxfp4", "modelopt", "compressed-tensors", "gptq", "awq", "ascend")

# The part of a model that a weight is of, by its name; the first that matches.
_PARTS: tuple[tuple[str, str], ...] = (
    ("shared_experts", r"shared_expert"),
    ("experts", r"experts|block_sparse_moe\.w|\.moe\."),
    ("attention", r"attn|attention"),
    ("mlp", r"mlp|ffn|feed_forward"),
)
_SKIPPED = r"vision|visual|embed|norm|\.gate$|\.gate\.|router|mtp|lm_head|^head"

Parts = dict[str, Quantisation]


def checkpoint(config: ConfigFile, text: ConfigFile, beside: Beside) -> Fields:
    """Return the number formats of the published weights.

    Raises:
        ProblemError: a format is not known.
    """
    plain = _plain(config, text)
    quantised = config.nested("quantization_config") or text.nested("quantization_config")
    method = None if quantised is None else quantised.get("quant_method")
    modelslim = beside(MODELSLIM) if method in (None, "ascend") else None
    if modelslim is not None:
        return _fields(_named(_by_weight(modelslim), plain))
    if quantised is not None:
        return _fields(_quantised(config, quantised, plain))
    modelopt = beside(MODELOPT)
    if modelopt is not None:
        inner = modelopt.nested("quantization") or modelopt
        return _fields(_by_algorithm(inner, plain))
    named = config.get("quantize")
    if named is not None:
        return {"weights": _known(config, "quantize", named, _ASCEND)}
    return {"weights": plain}


def _plain(config: ConfigFile, text: ConfigFile) -> Quantisation:
    """Return the type of what is not quantised."""
    said = [
        (key, value)
        for one in (text, config)
        for key in ("dtype", "torch_dtype")
        if (value := one.get(key)) is not None
    ]
    types = {_known(config, key, value, _PLAIN) for key, value in said}
    if len(types) > 1:
        raise config.problem(
            f"'{config.file}' names two types of tensors: "
            + " and ".join(f"{key} = {brief(value)}" for key, value in dict(said).items()),
            help="write weights = … beside 'config'",
        )
    return next(iter(types), Quantisation.BF16)


def _known(
    file: ConfigFile, key: str, value: Any, formats: Mapping[str, Quantisation]
) -> Quantisation:
    """Return the format of a name, whatever its case.

    Raises:
        ProblemError: it is not known.
    """
    for name, format_ in formats.items():
        if isinstance(value, str) and value.lower() == name.lower():
            return format_
    raise file.problem(
        f"'{key}' of '{file.file}' is {brief(value)}, which is not a format that is known",
        help=f"{list_known(tuple(formats), 'format')}; or write weights = … beside 'config'",
    )


def _quantised(config: ConfigFile, quantised: ConfigFile, plain: Quantisation) -> Parts:
    """Return the formats by `quantization_config`."""
    match quantised.get("quant_method"):
        case "fbgemm_fp8":
            return {"usual": Quantisation.FP8}
        case "fp8":
            packed = config.word("expert_dtype", "fp4", "fp8", default="fp8") == "fp4"
            rest, experts = Quantisation.FP8, quantised.get("moe_quant_algo")
            if experts is not None:
                known = _known(quantised, "moe_quant_algo", experts, _MODELOPT)
                return {"usual": rest, "experts": known}
            if packed:
                return {"usual": rest, "experts": Quantisation.MXFP4}
            return {"usual": rest}
        case "mxfp4":  # what is not an expert stays as it was (gpt-oss)
            return {"usual": plain, "experts": Quantisation.MXFP4}
        case "compressed-tensors":
            return _compressed(quantised, plain)
        case "gptq" | "awq" | "gptq_marlin" | "awq_marlin":
            return {"usual": _of_bits(quantised, quantised.get("bits"))}
        case "modelopt":
            return _by_algorithm(quantised, plain)
        case None if quantised.get("quant_algo") is not None:
            return _by_algorithm(quantised, plain)
        case "ascend":
            raise config.problem(
                f"'{config.file}' is a checkpoint of msModelSlim, without '{MODELSLIM}' beside it",
                why="that file says which format each weight has",
                help="put it there, or write weights = w8a8_dynamic beside 'config'",
            )
        case unknown:
            raise config.problem(
                f"'{config.file}' stores its weights as {brief(unknown)}, which is not supported",
                help=f"{list_known(_METHODS, 'method')}; or write weights = … beside 'config'",
            )


def _of_bits(file: ConfigFile, bits: Any) -> Quantisation:
    """Return the format of integer weights with 16-bit inputs."""
    found = {4: Quantisation.W4A16, 8: Quantisation.W8A16}.get(bits)
    if found is None:
        raise file.problem(
            f"'quantization_config' of '{file.file}' packs weights in {brief(bits)} bits",
            why="the cost model supports 4 and 8",
            help="write weights = … beside 'config'",
        )
    return found


def _compressed(quantised: ConfigFile, plain: Quantisation) -> Parts:
    """Return the formats of compressed tensors, whose lists say what stays as it was."""
    groups = quantised.nested("config_groups")
    first = groups.nested("group_0") if groups else None
    weights = first.nested("weights") if first else None
    if first is None or weights is None:
        raise quantised.problem(
            f"'quantization_config' of '{quantised.file}' has no group of weights",
            help="write weights = … beside 'config'",
        )
    inputs = first.nested("input_activations")
    kept = _ignored(quantised.get("ignore"))
    return _but(_of_group(weights, inputs), plain, kept)


def _of_group(weights: ConfigFile, inputs: ConfigFile | None) -> Quantisation:
    """Return the format of a group of compressed tensors, by its weights and their inputs."""
    bits, kind = weights.get("num_bits"), weights.get("type") or "int"
    size = weights.get("group_size")
    wide = inputs is None or inputs.get("num_bits") == 16
    if kind == "float":
        if bits == 4:
            return Quantisation.MXFP4 if size == 32 else Quantisation.NVFP4
        if bits == 8:
            return Quantisation.MXFP8 if size == 32 else Quantisation.FP8
    elif wide:
        return _of_bits(weights, bits)
    elif inputs is not None:
        dynamic = Quantisation.W8A8_DYNAMIC if inputs.get("dynamic") else Quantisation.W8A8
        known: dict[tuple[Any, Any], Quantisation] = {
            (8, 8): dynamic,
            (4, 8): Quantisation.W4A8,
            (4, 4): Quantisation.W4A4,
        }
        if found := known.get((bits, inputs.get("num_bits"))):
            return found
    of_inputs = 16 if wide or inputs is None else inputs.get("num_bits")
    raise weights.problem(
        f"'quantization_config' of '{weights.file}' has {brief(kind)} weights of {brief(bits)} "
        f"bits with inputs of {brief(of_inputs)} bits, which is not a format that is known",
        help="write weights = … beside 'config'",
    )


def _by_algorithm(file: ConfigFile, plain: Quantisation) -> Parts:
    """Return the formats of modelopt: one, or one for each of the layers that it lists."""
    algorithm = file.get("quant_algo")
    layers = file.get("quantized_layers")
    if isinstance(layers, dict) and layers:
        named = {
            name: _known(file, "quant_algo", one.get("quant_algo"), _MODELOPT)
            for name, one in layers.items()
            if isinstance(one, dict)
        }
        return _named(named, plain)
    kept = _ignored(file.get("ignore") or file.get("exclude_modules"))
    return _but(_known(file, "quant_algo", algorithm, _MODELOPT), plain, kept)


def _but(format_: Quantisation, plain: Quantisation, kept: set[str]) -> Parts:
    """Return one format for all parts but those that stay as they were."""
    parts = {part: plain if part in kept else format_ for part, _ in _PARTS}
    return parts | {"usual": parts["mlp"]}


def _ignored(names: Any) -> set[str]:
    """Return the parts that a list of names, globs or regular expressions leaves as they were."""
    if not isinstance(names, list):
        return set()
    found = (_part_of(str(name).replace("\\", "").replace("*", "")) for name in names)
    return {part for part in found if part}


def _by_weight(file: ConfigFile) -> dict[str, Quantisation]:
    """Return the format of each weight that msModelSlim describes."""
    return {
        name: _known(file, name, value, _ASCEND)
        for name, value in file.values.items()
        if isinstance(value, str) and name.endswith(".weight") and _part_of(name)
    }


def _named(formats: Mapping[str, Quantisation], plain: Quantisation) -> Parts:
    """Return the format that most weights of each part have; what is not named stays as it was."""
    counted: dict[str, Counter[Quantisation]] = {}
    for name, format_ in formats.items():
        part = _part_of(name)
        if part:
            counted.setdefault(part, Counter())[format_] += 1
    parts = {
        part: counted[part].most_common(1)[0][0] if part in counted else plain for part, _ in _PARTS
    }
    usual = next((parts[part] for part in ("mlp", "attention") if part in counted), plain)
    return parts | {"usual": usual}


def _part_of(name: str) -> str:
    """Return the part of a model that a weight is of; empty for what is never quantised."""
    if re.search(_SKIPPED, name):
        return ""
    return next((part for part, pattern in _PARTS if re.search(pattern, name)), "")


_FIELDS = {
    "attention": "attention_weights",
    "shared_experts": "shared_expert_weights",
    "experts": "expert_weights",
}


def _fields(parts: Parts) -> Fields:
    """Return the fields of a model: the usual format, and what differs from it."""
    usual = parts["usual"]
    others = {_FIELDS[part]: parts[part] for part in _FIELDS if part in parts}
    return {"weights": usual} | {name: one for name, one in others.items() if one is not usual}
