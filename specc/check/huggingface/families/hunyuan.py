"""Hunyuan."""

from typing import Any

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families.base import Family, grouped
from specc.ir import Experts, Router


def _dense(c: ConfigFile) -> Fields:
    """Grouped attention with norms of heads."""
    c.only("use_cla", False)
    c.only("use_mla", False)
    c.only("mlp_bias", False)
    width = c.either("attention_head_dim", "head_dim")
    bias, shape = c.flag("attention_bias"), grouped(c)
    return {
        **shape,
        "head_dim": c.whole(width, default=shape["head_dim"]),
        "intermediate_size": c.whole("intermediate_size"),
        "qk_norm": c.flag("use_qk_norm", default=True),
        "qkv_bias": bias,
        "output_bias": bias,
    }


def _moe(c: ConfigFile) -> Fields:
    """Experts in every layer, beside shared ones."""
    fields, layers = _dense(c), c.whole("num_hidden_layers")
    c.only("moe_layer_num_skipped", 0)
    width = fields["intermediate_size"]
    own = c.get("moe_intermediate_size") is not None
    routed = _same(c, "moe_intermediate_size", layers) if own else width
    shared = _same(c, "num_shared_expert", layers) if c.flag("use_mixed_mlp_moe") else 0
    return {
        **fields,
        "experts": Experts(
            layers=layers,
            count=_same(c, "num_experts", layers),
            active=_same(c, "moe_topk", layers),
            intermediate_size=routed,
            shared_intermediate_size=width * shared,
        ),
    }


def _hy3(c: ConfigFile) -> Fields:
    """Hy3: experts with a sigmoid router in all layers but the first."""
    width, shape = c.whole("moe_intermediate_size"), grouped(c)
    c.repeats("expert_hidden_dim", width, "moe_intermediate_size")
    c.only("mlp_bias", False)
    bias = c.flag("attention_bias")
    return {
        **shape,
        "intermediate_size": c.whole("intermediate_size"),
        "qk_norm": c.flag("qk_norm"),
        "qkv_bias": bias,
        "output_bias": bias,
        "draft_layers": c.whole("num_nextn_predict_layers", default=0, least=0),
        "experts": Experts(
            layers=shape["layers"] - c.whole("first_k_dense_replace", default=0, least=0),
            count=c.whole("num_experts"),
            active=c.whole("num_experts_per_tok"),
            intermediate_size=width,
            shared_intermediate_size=width * c.whole("num_shared_experts", default=0, least=0),
            router=Router.SIGMOID,
            router_bias=True,
        ),
    }


def _same(c: ConfigFile, key: str, layers: int) -> int:
    """Return a whole number that is given once, or the same for each layer.

    Raises:
        ProblemError: it is missing, or not the same for all layers.
    """
    value: Any = c.get(key)
    if isinstance(value, list):
        if len(value) != layers or len(set(map(str, value))) != 1:
            raise c.problem(f"'{key}' of '{c.file}' is not the same for each of {layers} layers")
        value = value[0]
    return c.having({key: value}).whole(key)


_HARMLESS = (
    "capacity_factor",
    "cla_share_factor",
    "eod_token_id",
    "group_limited_greedy",
    "im_end_id",
    "im_newline_id",
    "im_start_id",
    "kv_lora_rank",
    "moe_drop_tokens",
    "moe_random_routing_dropped_token",
    "num_media_embeds",
    "pool_type",
    "position_embedding_xdrope",
    "q_lora_rank",
    "qk_nope_head_dim",
    "qk_rope_head_dim",
    "route_scale",
    "text_end_id",
    "text_start_id",
    "v_head_dim",
)
FAMILIES = {
    "HunYuanDenseV1ForCausalLM": Family(_dense, _HARMLESS, tied=True),
    "HunYuanMoEV1ForCausalLM": Family(_moe, _HARMLESS, tied=True),
    "HYV3ForCausalLM": Family(_hy3, ("router_scaling_factor",)),
}
