"""Qwen2, Qwen3, Qwen3-Next and Qwen3.5."""

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families.base import Family, encoder_layer, grouped
from specc.check.huggingface.families.vision import (
    plain_encoder,
    vision_encoder,
    windowed_encoder,
)
from specc.ir import Experts, LinearAttention, StateFormat


def _qwen(c: ConfigFile, *, qkv_bias: bool = False, qk_norm: bool = True) -> Fields:
    c.all_layers("full_attention")
    return _of_qwen(c, qkv_bias=qkv_bias, qk_norm=qk_norm)


def _of_qwen(c: ConfigFile, *, qkv_bias: bool = False, qk_norm: bool = True) -> Fields:
    c.only("use_sliding_window", False)
    c.only("use_mrope", False)
    c.only("qkv_bias", qkv_bias)
    c.only("use_qk_norm", qk_norm)
    bias = c.flag("attention_bias")
    return {
        **grouped(c),
        "intermediate_size": c.whole("intermediate_size", default=0, least=0),
        "qk_norm": qk_norm,
        "qkv_bias": qkv_bias or bias,
        "output_bias": bias,
    }


def qwen2(c: ConfigFile) -> Fields:
    """Qwen2: biases on queries, keys and values."""
    return _qwen(c, qkv_bias=True, qk_norm=False)


def _qwen2_moe(c: ConfigFile) -> Fields:
    return {**qwen2(c), "experts": _qwen_experts(c)}


def _qwen3_moe(c: ConfigFile) -> Fields:
    return {**_qwen(c), "experts": _qwen_experts(c)}


def _qwen_experts(c: ConfigFile) -> Experts:
    c.only("decoder_sparse_step", 1)
    layers = c.whole("num_hidden_layers")
    shared = c.whole("shared_expert_intermediate_size", default=0, least=0)
    return Experts(
        layers=layers - len(c.layers("mlp_only_layers", layers)),
        count=c.whole("num_experts"),
        active=c.whole("num_experts_per_tok"),
        intermediate_size=c.whole("moe_intermediate_size"),
        shared_intermediate_size=shared,
        shared_gate=shared > 0,
    )


def _qwen_hybrid(c: ConfigFile) -> Fields:
    """Qwen3-Next and Qwen3.5: three layers of gated linear attention to one of full attention."""
    layers, every = c.whole("num_hidden_layers"), c.whole("full_attention_interval", default=0)
    full = c.word("mamba_ssm_dtype", "float32", default="") == "float32"
    c.only("output_gate_type", "swish")
    c.only("mtp_use_dedicated_embeddings", False)
    c.only("mlp_only_layers", [])
    if c.get("layer_types") is not None:
        kinds = c.layer_types(("linear_attention", "full_attention"))
        linear = kinds.count("linear_attention")
        if every:
            c.repeats("full_attention_interval", layers // (layers - linear or 1), "layer_types")
    else:
        linear = layers - layers // c.whole("full_attention_interval")
    return {
        **_of_qwen(c),
        "query_gate": c.flag("attn_output_gate", default=True),
        "draft_layers": c.whole("mtp_num_hidden_layers", default=0, least=0),
        "linear": LinearAttention(
            layers=linear,
            key_heads=c.whole("linear_num_key_heads"),
            value_heads=c.whole("linear_num_value_heads"),
            key_head_dim=c.whole("linear_key_head_dim"),
            value_head_dim=c.whole("linear_value_head_dim"),
            convolution=c.whole("linear_conv_kernel_dim"),
            # By vLLM 0.33 (models/config.py) of the type of the model if the file is silent.
            state=StateFormat.FP32 if full else StateFormat.MODEL,
        ),
    }


def _qwen_hybrid_moe(c: ConfigFile) -> Fields:
    return {**_qwen_hybrid(c), "experts": _qwen_experts(c)}


def _audio_encoder(c: ConfigFile) -> int:
    """Return the weights of the audio encoder of Qwen3-Omni: three convolutions, then layers.

    By Qwen3OmniMoeAudioEncoder of vLLM 0.33.
    """
    thinker = c.nested("thinker_config")
    audio = thinker.nested("audio_config") if thinker else None
    if audio is None:
        return 0
    h, i, channels = audio.whole("d_model"), audio.whole("encoder_ffn_dim"), _CHANNELS
    bins = audio.whole("num_mel_bins")
    for _ in range(3):
        bins = (bins + 1) // 2
    out, inner = audio.whole("output_dim"), audio.whole("downsample_hidden_size", channels)
    stem = 10 * inner + 2 * (9 * inner * inner + inner) + inner * bins * h
    layer = encoder_layer(h, i)
    ends = 2 * h + h * h + h + h * out + out
    return stem + audio.whole("encoder_layers") * layer + ends


_CHANNELS = 480
# What is spoken is made by parts that no plan runs: an engine for text loads the thinker alone.
_OTHER_PARTS = (
    "assistant_token_id",
    "code2wav_config",
    "enable_audio_output",
    "im_end_token_id",
    "im_start_token_id",
    "position_id_per_seconds",
    "seconds_per_chunk",
    "system_token_id",
    "talker_config",
    "tts_bos_token_id",
    "tts_eos_token_id",
    "tts_pad_token_id",
    "user_token_id",
)
_TEXT_TWICE = ("vision_token_id",)
# Must be off: use_sliding_window.
WINDOWS = ("max_window_layers", "sliding_window")
FAMILIES = {
    "Qwen2ForCausalLM": Family(qwen2, WINDOWS),
    "Qwen2MoeForCausalLM": Family(_qwen2_moe, WINDOWS),
    "Qwen2VLForConditionalGeneration": Family(
        qwen2, (*WINDOWS, *_TEXT_TWICE), vision=plain_encoder
    ),
    "Qwen2_5_VLForConditionalGeneration": Family(
        qwen2, (*WINDOWS, *_TEXT_TWICE), vision=windowed_encoder
    ),
    "Qwen3ForCausalLM": Family(_qwen, WINDOWS),
    "Qwen3MoeForCausalLM": Family(_qwen3_moe, WINDOWS),
    "Qwen3NextForCausalLM": Family(_qwen_hybrid_moe, WINDOWS),
    "Qwen3OmniMoeForConditionalGeneration": Family(
        _qwen3_moe, (*WINDOWS, *_OTHER_PARTS), vision=vision_encoder, beside=_audio_encoder
    ),
    "Qwen3_5ForCausalLM": Family(_qwen_hybrid),
    "Qwen3_5MoeForCausalLM": Family(_qwen_hybrid_moe),
    "Qwen3_5ForConditionalGeneration": Family(_qwen_hybrid, vision=vision_encoder),
    "Qwen3_5MoeForConditionalGeneration": Family(_qwen_hybrid_moe, vision=vision_encoder),
    "Qwen3VLForConditionalGeneration": Family(_qwen, vision=vision_encoder),
    "Qwen3VLMoeForConditionalGeneration": Family(_qwen3_moe, vision=vision_encoder),
}
