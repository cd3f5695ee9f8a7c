"""Pangu."""

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families.base import Family, decoder, grouped
from specc.check.huggingface.families.deepseek import LATENT, latent_attention
from specc.ir import Experts, Router


def _embedded(c: ConfigFile) -> Fields:
    """openPangu Embedded: Llama with biases in attention."""
    bias = c.flag(c.either("attention_bias", "bias"))
    c.repeats("bias", bias, "attention_bias")
    c.only("mlp_bias", False)
    c.only("param_sink_number", 0)
    c.all_layers("full_attention")
    return {
        **grouped(c),
        "intermediate_size": c.whole("intermediate_size"),
        "qkv_bias": c.flag("qkv_bias", default=bias),
        "output_bias": bias,
    }


def _pro(c: ConfigFile) -> Fields:
    """Pangu Pro MoE: a token has one expert of each of as many groups, and a shared one."""
    layers = c.whole("num_hidden_layers")
    return {
        **grouped(c),
        "intermediate_size": c.whole("intermediate_size", default=0, least=0),
        "qkv_bias": True,
        "output_bias": True,
        "experts": Experts(
            layers=layers - len(c.layers("mlp_only_layers", layers)),
            count=c.whole("num_experts"),
            active=c.whole("num_experts_per_tok"),
            intermediate_size=c.whole("moe_intermediate_size"),
            shared_intermediate_size=c.whole("shared_expert_intermediate_size", 0, least=0),
        ),
    }


def _ultra(c: ConfigFile) -> Fields:
    """openPangu Ultra MoE: latent attention as DeepSeek V3, and norms behind each part."""
    c = _renamed(c)
    c.only("attention_bias", False)
    shape = decoder(c)
    width = c.whole("moe_intermediate_size")
    return {
        **shape,
        **latent_attention(c),
        "intermediate_size": c.whole("intermediate_size"),
        "post_norms": c.flag("sandwich_norm"),
        "draft_layers": c.whole("num_nextn_predict_layers", default=0, least=0),
        "experts": Experts(
            layers=shape["layers"] - c.whole("first_k_dense_replace", default=0, least=0),
            count=c.whole("n_routed_experts"),
            active=c.whole("num_experts_per_tok"),
            intermediate_size=width,
            shared_intermediate_size=width * c.whole("n_shared_experts", default=0, least=0),
            router=Router.SIGMOID,
            router_bias=c.flag("router_enable_expert_bias"),
            counts_embedding=False,
        ),
    }


def _renamed(c: ConfigFile) -> ConfigFile:
    """Return a file whose own names of sizes are those of DeepSeek V3."""
    values = {}
    for own, usual in _NAMES.items():
        if (value := c.get(own)) is not None:
            c.repeats(usual, value, own)
            values[usual] = value
    return c.having(values)


_NAMES = {
    "attention_kv_lora_dim": "kv_lora_rank",
    "attention_q_lora_dim": "q_lora_rank",
    "attention_qk_dim": "qk_nope_head_dim",
    "attention_qk_rope_dim": "qk_rope_head_dim",
    "attention_v_dim": "v_head_dim",
    "num_dense_layers": "first_k_dense_replace",
    "num_mtp_layers": "num_nextn_predict_layers",
    "num_routed_experts": "n_routed_experts",
    "num_shared_experts": "n_shared_experts",
}
FAMILIES = {
    "PanguEmbeddedForCausalLM": Family(_embedded),
    "PanguProMoEForCausalLM": Family(_pro),
    "PanguUltraMoEForCausalLM": Family(_ultra, LATENT),
}
