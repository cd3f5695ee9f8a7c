"""Gemma."""

from attrs import evolve

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families.base import Family, encoder_layer, grouped, window
from specc.ir import Experts

_KINDS = ("sliding_attention", "full_attention")


def _gemma3(c: ConfigFile) -> Fields:
    """Gemma 3: five layers with a window to one of full attention, norms behind each part.

    A file leaves out what transformers' Gemma3TextConfig has by itself.
    """
    c.only("attention_bias", False)
    c.only("hidden_activation", "gelu_pytorch_tanh", "gelu")
    for key in ("attn_logit_softcapping", "final_logit_softcapping"):
        c.only(key)
    c = c.having({key: value for key, value in _DEFAULTS_OF_3.items() if c.get(key) is None})
    shape = grouped(c)
    return {
        **shape,
        "intermediate_size": c.whole("intermediate_size"),
        "qk_norm": True,
        "post_norms": True,
        "sliding": window(
            shape, _sliding_of_pattern(c, shape["layers"]), c.whole("sliding_window")
        ),
    }


_DEFAULTS_OF_3 = {
    "vocab_size": 262_208,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "max_position_embeddings": 131_072,
    "sliding_window_pattern": 6,
}


def _sliding_of_pattern(c: ConfigFile, layers: int) -> int:
    every = c.whole("sliding_window_pattern", default=6)
    c.repeats("_sliding_window_pattern", every, "sliding_window_pattern")
    if c.get("layer_types") is not None:
        return c.layer_types(_KINDS).count("sliding_attention")
    return layers - layers // every


def _layer_embedding(c: ConfigFile, vocabulary: int) -> int:
    """Return the width of the embeddings of layers; the class of the model has 256 by itself."""
    width = c.whole("hidden_size_per_layer_input", default=256, least=0)
    if width:
        c.repeats("vocab_size_per_layer_input", vocabulary, "vocab_size")
    return width


def _gemma2(c: ConfigFile) -> Fields:
    """Gemma 2: every other layer has a window; soft caps change numbers, not work."""
    c.only("attention_bias", False)
    c.only("hidden_activation", "gelu_pytorch_tanh", "gelu")
    c.repeats("sliding_window_size", c.get("sliding_window"), "sliding_window")
    shape = grouped(c.having({"head_dim": c.whole("head_dim", default=256)}))
    layers = shape["layers"]
    sliding = layers - layers // 2
    if c.get("layer_types") is not None:
        sliding = c.layer_types(_KINDS).count("sliding_attention")
    return {
        **shape,
        "intermediate_size": c.whole("intermediate_size"),
        "post_norms": True,
        "sliding": window(shape, sliding, c.whole("sliding_window")),
    }


def _gemma4(c: ConfigFile) -> Fields:
    """Gemma 4: full attention with heads of its own, whose values may be the keys.

    With experts each layer has them beside its dense MLP.
    """
    c.only("attention_bias", False)
    c.only("hidden_activation", "gelu_pytorch_tanh")
    small = grouped(c)
    layers, same = small["layers"], c.flag("attention_k_eq_v")
    kinds, shared = c.layer_types(_KINDS), c.whole("num_kv_shared_layers", default=0, least=0)
    own, sharing = kinds[: layers - shared], kinds[layers - shared :]
    if set(sharing) - set(own):
        raise c.problem(f"'num_kv_shared_layers' of '{c.file}' leaves no layer to share with")
    windowed = window(small, kinds.count("sliding_attention"), c.whole("sliding_window"))
    kv_heads = c.whole("num_global_key_value_heads", default=small["kv_heads"])
    fields = {
        **small,
        "kv_heads": kv_heads if same else small["kv_heads"],
        "head_dim": c.whole("global_head_dim", default=512),
        "value_is_key": same,
        "intermediate_size": c.whole("intermediate_size"),
        "qk_norm": True,
        "post_norms": True,
        "layer_embedding": _layer_embedding(c, small["vocab_size"]),
        "sharing_layers": sharing.count("full_attention"),
        "sliding": windowed and evolve(windowed, sharing_layers=sharing.count("sliding_attention")),
    }
    if c.flag("use_double_wide_mlp") and shared:
        width = float(fields["intermediate_size"])
        fields["mlp_widths"] = (*[width] * (layers - shared), *[2 * width] * shared)
    if c.flag("enable_moe_block", default=c.get("num_experts") is not None):
        fields["mlp_layers"] = layers
        fields["experts"] = _experts(c, layers)
    else:
        c.only("num_experts")
        c.only("top_k_experts")
        c.only("expert_intermediate_size")
        c.get("moe_intermediate_size")  # of the models of the family that have experts
    return fields


def _experts(c: ConfigFile, layers: int) -> Experts:
    old = c.get("expert_intermediate_size") is not None
    width = c.whole("expert_intermediate_size" if old else "moe_intermediate_size")
    if old:
        c.repeats("moe_intermediate_size", width, "expert_intermediate_size")
    return Experts(
        layers=layers,
        count=c.whole("num_experts"),
        active=c.whole("top_k_experts"),
        intermediate_size=width,
    )


def _siglip(c: ConfigFile) -> int:
    """Return the weights of the vision encoder of Gemma 3, which no plan runs (SigLIP)."""
    vision = c.nested("vision_config")
    if vision is None:
        return 0
    h, i, side = (vision.whole(k) for k in ("hidden_size", "intermediate_size", "patch_size"))
    places = (vision.whole("image_size") // side) ** 2
    layer = encoder_layer(h, i)
    ends = 3 * side**2 * h + h + places * h + 2 * h
    out = (c.nested("text_config") or c).whole("hidden_size")
    return ends + vision.whole("num_hidden_layers") * layer + h * out + h


def _pooled(c: ConfigFile) -> int:
    """Return the weights of the vision encoder of Gemma 4, which no plan runs.

    By Gemma4VisionModel of vLLM 0.33: gated MLPs, four norms and two of heads, no biases.
    """
    vision = c.nested("vision_config")
    if vision is None:
        return 0
    h, i, side = (vision.whole(k) for k in ("hidden_size", "intermediate_size", "patch_size"))
    width = vision.whole("head_dim") * vision.whole("num_attention_heads")
    layer = 4 * h * width + 3 * h * i + 4 * h + 2 * vision.whole("head_dim")
    ends = 3 * side**2 * h + 2 * vision.whole("position_embedding_size") * h + 2 * h
    out = (c.nested("text_config") or c).whole("hidden_size")
    return ends + vision.whole("num_hidden_layers") * layer + h * out


_COMMON = ("cache_implementation", "query_pre_attn_scalar", "rope_local_base_freq")
_OF_3 = (
    *_COMMON,
    "boi_token_index",
    "eoi_token_index",
    "mm_tokens_per_image",
)
_OF_4 = (
    *_COMMON,
    "boa_token_id",
    "boi_token_id",
    "eoa_token_id",
    "eoa_token_index",
    "eoi_token_id",
    "final_logit_softcapping",
    "use_bidirectional_attention",
    "vision_soft_tokens_per_image",
    "vocab_size_per_layer_input",
)
FAMILIES = {
    "Gemma2ForCausalLM": Family(
        _gemma2, (*_COMMON, "attn_logit_softcapping", "final_logit_softcapping"), tied=True
    ),
    "Gemma3ForCausalLM": Family(_gemma3, _OF_3, tied=True),
    "Gemma3ForConditionalGeneration": Family(_gemma3, _OF_3, beside=_siglip, tied=True),
    "Gemma4ForCausalLM": Family(_gemma4, _OF_4, tied=True),
    "Gemma4ForConditionalGeneration": Family(_gemma4, _OF_4, beside=_pooled, tied=True),
}
