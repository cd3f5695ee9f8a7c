"""Bailing: Ling and Ring."""

from attrs import evolve

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families.base import Family, decoder, grouped
from specc.check.huggingface.families.deepseek import latent_attention
from specc.ir import Decay, Experts, LinearAttention, Router, StateFormat


def _bailing(c: ConfigFile) -> Fields:
    """Ling and Ring up to 2.0: grouped attention, experts in all layers but the first."""
    return {**grouped(c), **_common(c)}


def _hybrid(c: ConfigFile, decay: Decay) -> Fields:
    """From 2.5 on: linear attention, and latent attention in every so many layers."""
    shape = decoder(c)
    layers, every = shape["layers"], c.whole("layer_group_size", default=1)
    # With KDA the layers behind the last whole group are of full attention as well.
    grouped_layers = layers // every * every if decay is Decay.CHANNEL else layers
    linear = grouped_layers - grouped_layers // every
    heads = c.whole("num_attention_heads")
    width = c.whole("head_dim", default=max(1, shape["hidden_size"] // heads))
    if c.get("num_kv_heads_for_linear_attn") != 0:  # for as many as there are heads
        c.repeats("num_kv_heads_for_linear_attn", heads, "num_attention_heads")
    return {
        **shape,
        **latent_attention(c),
        **_common(c),
        "linear": LinearAttention(
            layers=linear,
            decay=decay,
            key_heads=heads,
            value_heads=heads,
            key_head_dim=width,
            value_head_dim=width,
            convolution=c.whole("short_conv_kernel_size") if decay is Decay.CHANNEL else 0,
            # As vLLM 0.33 has it (bailing_linear_attn.py): a rank has whole groups.
            state=StateFormat.MODEL if decay is Decay.FIXED else StateFormat.FP32,
            norm_groups=c.whole("group_norm_size", default=1) if decay is Decay.FIXED else 0,
        )
        if linear
        else None,
    }


def _lightning(c: ConfigFile) -> Fields:
    return _hybrid(c, Decay.FIXED)


def _delta(c: ConfigFile) -> Fields:
    c.only("no_kda_lora", True)
    for key in ("use_kda_lora", "use_mla_nope", "mtp_use_kda"):
        c.only(key, False)
    kind = c.word("gated_attention_proj_granularity_type", *_GATES, default="none")
    gate = {"head_wise": "head_gate", "element_wise": "query_gate"}.get(kind)
    fields = {**_hybrid(c, Decay.CHANNEL), **({gate: True} if gate else {})}
    return {**fields, "experts": evolve(fields["experts"], counts_embedding=False)}


_GATES = ("head_wise", "element_wise", "none")


def _common(c: ConfigFile) -> Fields:
    bias = c.flag("use_bias")
    c.only("moe_layer_freq", 1)
    c.only("using_split_qkv_in_self_attention", False, True)
    drafts = c.either("num_mtp_layers", "num_nextn_predict_layers")
    score = c.either("score_function", "scoring_func")
    layers, width = c.whole("num_hidden_layers"), c.whole("moe_intermediate_size")
    shared = c.whole("moe_shared_expert_intermediate_size", default=width)
    return {
        "intermediate_size": c.whole("intermediate_size"),
        "qkv_bias": bias or c.flag("use_qkv_bias"),
        "output_bias": bias,
        "qk_norm": c.flag("use_qk_norm"),
        "draft_layers": c.whole(drafts, default=0, least=0),
        "experts": Experts(
            layers=layers - c.whole("first_k_dense_replace", default=0, least=0),
            count=c.whole("num_experts"),
            active=c.whole("num_experts_per_tok"),
            intermediate_size=width,
            shared_intermediate_size=shared * c.whole("num_shared_experts", default=0, least=0),
            router=Router.SIGMOID
            if c.word(score, "sigmoid", "softmax", default="softmax") == "sigmoid"
            else Router.SOFTMAX,
            router_bias=c.flag("moe_router_enable_expert_bias"),
        ),
    }


_HARMLESS = (
    "embedding_dropout",
    "max_window_layers",
    "moe_z_loss_coeff",
    "mtp_loss_scaling_factor",
    "norm_head",
    "norm_softmax",
    "output_dropout",
    "router_dtype",
    "use_rmsnorm",
)
_OF_HYBRID = (
    *_HARMLESS,
    "expert_swiglu_limit_list",
    "kda_lower_bound",
    "kda_safe_gate",
    "linear_rope",
    "linear_silu",
    "num_key_value_heads",
    "qk_head_dim",
    "share_expert_swiglu_limit_list",
    "use_linear_silu",
)
FAMILIES = {
    "BailingMoeForCausalLM": Family(_bailing, _HARMLESS),
    "BailingMoeV2ForCausalLM": Family(_bailing, _HARMLESS),
    "BailingMoeV2_5ForCausalLM": Family(_lightning, _OF_HYBRID),
    "BailingMoeV3ForCausalLM": Family(_delta, (*_OF_HYBRID, "group_norm_size")),
}
