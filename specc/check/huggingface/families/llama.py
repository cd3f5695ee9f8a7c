"""Llama, Mistral and Mixtral."""

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families.base import Family, encoder_layer, grouped, window
from specc.ir import Experts, Router


def _llama(c: ConfigFile) -> Fields:
    c.only("mlp_bias", False)
    c.only("sliding_window")
    c.all_layers("full_attention")
    bias = c.flag("attention_bias")
    return {
        **grouped(c),
        "intermediate_size": c.whole("intermediate_size"),
        "qkv_bias": bias,
        "output_bias": bias,
    }


def _mixtral(c: ConfigFile) -> Fields:
    c.only("sliding_window")
    c.all_layers("full_attention")
    return {
        **grouped(c),
        "experts": Experts(
            layers=c.whole("num_hidden_layers"),
            count=c.whole("num_local_experts"),
            active=c.whole("num_experts_per_tok"),
            intermediate_size=c.whole("intermediate_size"),
        ),
    }


def _llama4(c: ConfigFile) -> Fields:
    """Llama 4: chunks in three of four layers, experts in all or in every other layer."""
    layers, every = c.whole("num_hidden_layers"), c.whole("interleave_moe_layer_step", default=1)
    c.only("attention_bias", False)
    shape, width = grouped(c), c.whole("intermediate_size")
    dense = c.whole("intermediate_size_mlp", default=0, least=0)
    whole = _whole_layers(c, layers)
    if c.get("layer_types") is not None:
        kinds = c.layer_types(("chunked_attention", "full_attention"))
        if kinds.count("full_attention") != whole:
            raise c.problem(f"'layer_types' of '{c.file}' are not those of 'no_rope_layers'")
    with_experts = layers // every
    c.repeats("moe_layers", list(range(every - 1, layers, every)), "interleave_moe_layer_step")
    return {
        **shape,
        "intermediate_size": dense if with_experts < layers else 0,
        "sliding": window(shape, layers - whole, c.whole("attention_chunk_size"), chunked=True),
        "experts": Experts(
            layers=with_experts,
            count=c.whole("num_local_experts"),
            active=c.whole("num_experts_per_tok"),
            intermediate_size=width,
            shared_intermediate_size=width,
            router=Router.SIGMOID,
            alternate=every > 1,
        ),
    }


def _whole_layers(c: ConfigFile, layers: int) -> int:
    """Return the layers that attend to the whole context: those without rotation (0 in a list)."""
    every = c.whole("no_rope_layer_interval", default=4)
    c.repeats("nope_layer_interval", every, "no_rope_layer_interval")
    listed = c.get("no_rope_layers")
    if not listed:
        return layers // every
    rotated = c.numbers("no_rope_layers")
    if len(rotated) != layers or not set(rotated) <= {0, 1}:
        raise c.problem(f"'no_rope_layers' of '{c.file}' does not list 0 or 1 for {layers} layers")
    return rotated.count(0)


def _tiles(c: ConfigFile) -> int:
    """Return the weights of the vision encoder of Llama 4, which no plan runs.

    By Llama4VisionModel of vLLM 0.33: an image is cut into tiles of a size of its own.
    """
    vision = c.nested("vision_config")
    if vision is None:
        return 0
    h, i = vision.whole("hidden_size"), vision.whole("intermediate_size")
    patch = vision.whole("num_channels", default=3) * vision.whole("patch_size") ** 2
    places = (vision.whole("image_size") // vision.whole("patch_size")) ** 2 + 1
    layer = encoder_layer(h, i)
    inner, out = vision.whole("projector_input_dim"), vision.whole("projector_output_dim")
    adapter = i * inner + inner * out
    text = c.nested("text_config") or c
    ends = patch * h + h + places * h + 4 * h + adapter + out * text.whole("hidden_size")
    return ends + vision.whole("num_hidden_layers") * layer


def _phi3(c: ConfigFile) -> Fields:
    """Phi-3 and Phi-4: Llama; a window counts in vLLM where layers are listed as such alone."""
    c.all_layers("full_attention")
    c.only("mlp_bias", False)
    c.only("lm_head_bias", False)
    c.only("full_attn_mod", 1)
    c.only("interpolate_factor", 1)
    return {**grouped(c), "intermediate_size": c.whole("intermediate_size")}


def _pixtral(c: ConfigFile) -> int:
    """Return the weights of the vision encoder of Mistral 3, which no plan runs.

    By PixtralVisionModel of transformers 5.24: gated MLPs without biases; a projection of the
    patches that are merged, and two behind it.
    """
    vision = c.nested("vision_config")
    if vision is None:
        return 0
    h, i, side = (vision.whole(k) for k in ("hidden_size", "intermediate_size", "patch_size"))
    width = vision.whole("head_dim") * vision.whole("num_attention_heads")
    layer = 4 * h * width + 3 * h * i + 2 * h
    out = (c.nested("text_config") or c).whole("hidden_size")
    merge = c.whole("spatial_merge_size", default=1)
    projector = h + merge**2 * h * h + h * out + out * out
    ends = 3 * side**2 * h + h
    return ends + vision.whole("num_hidden_layers") * layer + projector


def _intern(c: ConfigFile) -> Fields:
    """InternLM: Llama, with biases by names of its own."""
    bias = c.flag("bias")
    return {
        **grouped(c),
        "intermediate_size": c.whole("intermediate_size"),
        "qkv_bias": c.flag("qkv_bias", default=bias),
        "output_bias": bias,
    }


_OF_LLAMA4 = (
    "attn_scale",
    "attn_temperature_tuning",
    "boi_token_index",
    "eoi_token_index",
    "floor_scale",
    "for_llm_compressor",
    "use_qk_norm",  # without weights
)
_OF_PIXTRAL = (
    "multimodal_projector_bias",
    "projector_hidden_act",
    "vision_feature_layer",
)
_OF_PHI3 = ("attention_bias", "original_max_position_embeddings", "sliding_window")
FAMILIES = {
    "Llama4ForCausalLM": Family(_llama4, _OF_LLAMA4),
    "Llama4ForConditionalGeneration": Family(_llama4, _OF_LLAMA4, beside=_tiles),
    "Phi3ForCausalLM": Family(_phi3, _OF_PHI3),
    "InternLM2ForCausalLM": Family(_intern, ("attn_implementation",)),
    "InternLM3ForCausalLM": Family(_intern, ("attn_implementation",)),
    "LlamaForCausalLM": Family(_llama),
    "Ministral3ForCausalLM": Family(_llama),
    "Mistral3ForConditionalGeneration": Family(_llama, _OF_PIXTRAL, beside=_pixtral),
    "MistralForCausalLM": Family(_llama),
    "MixtralForCausalLM": Family(_mixtral),
}
