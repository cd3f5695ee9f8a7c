"""Kimi."""

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families.base import Family, decoder
from specc.check.huggingface.families.deepseek import LATENT, deepseek, latent_attention
from specc.check.huggingface.families.vision import moon_encoder
from specc.ir import Decay, Experts, LinearAttention, Router


def _kimi_linear(c: ConfigFile) -> Fields:
    """Kimi-Linear and K3: KDA in three of four layers, latent attention without rotation."""
    if c.get("max_position_embeddings") is None:
        c = c.having({"max_position_embeddings": c.whole("model_max_length")})
    c.repeats("model_max_length", c.get("max_position_embeddings"), "max_position_embeddings")
    c.only("mla_use_nope", True)
    shape = decoder(c)
    return {
        **shape,
        **latent_attention(c, rotates=False),
        "intermediate_size": c.whole("intermediate_size"),
        "query_gate": c.flag("mla_use_output_gate"),
        "draft_layers": c.whole("num_nextn_predict_layers", default=0, least=0),
        "residual_block": c.whole("attn_res_block_size", default=0, least=0),
        "linear": _delta_attention(c, shape["layers"]),
        "experts": _experts(c, shape["layers"]),
    }


def _delta_attention(c: ConfigFile, layers: int) -> LinearAttention:
    """The layers that lists name, from 1 on; each layer is in one of two."""
    inner = c.nested("linear_attn_config")
    if inner is None:
        raise c.problem(f"'linear_attn_config' of '{c.file}' is missing")
    linear, full = inner.numbers("kda_layers"), inner.numbers("full_attn_layers")
    if sorted((*linear, *full)) != list(range(1, layers + 1)):
        raise c.problem(
            f"'kda_layers' and 'full_attn_layers' of '{c.file}' do not name each of "
            f"{layers} layers once"
        )
    heads, width = inner.whole("num_heads"), inner.whole("head_dim")
    taps, whole = inner.whole("short_conv_kernel_size"), inner.flag("use_full_rank_gate")
    inner.refuse_unknown(("gate_lower_bound",))
    return LinearAttention(
        layers=len(linear),
        decay=Decay.CHANNEL,
        key_heads=heads,
        value_heads=heads,
        key_head_dim=width,
        value_head_dim=width,
        convolution=taps,
        gate_rank=0 if whole else width,
        decay_rank=width,
    )


def _experts(c: ConfigFile, layers: int) -> Experts:
    c.only("moe_layer_freq", 1)
    c.only("moe_router_activation_func", "sigmoid")
    active = c.either("num_experts_per_token", "num_experts_per_tok")
    width = c.whole("moe_intermediate_size")
    return Experts(
        layers=layers - c.whole("first_k_dense_replace", default=0, least=0),
        count=c.whole("num_experts"),
        active=c.whole(active),
        intermediate_size=width,
        shared_intermediate_size=width * c.whole("num_shared_experts", default=0, least=0),
        latent_size=c.whole("routed_expert_hidden_size", default=0, least=0),
        router=Router.SIGMOID,
        router_bias=True,
        counts_embedding=False,
    )


_OF_LINEAR = (
    *LATENT,
    "activation_situ_beta",
    "activation_situ_linear_beta",
    "latent_moe_use_norm",
    "moe_renormalize",
    "num_expert_group",
    "use_grouped_topk",
)
FAMILIES = {
    "KimiK25ForConditionalGeneration": Family(deepseek, LATENT, vision=moon_encoder),
    "KimiLinearForCausalLM": Family(_kimi_linear, _OF_LINEAR),
    "KimiK3ForConditionalGeneration": Family(
        _kimi_linear, (*_OF_LINEAR, "image_placeholder"), vision=moon_encoder
    ),
}
