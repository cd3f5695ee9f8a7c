"""gpt-oss."""

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families.base import Family, grouped
from specc.ir import Experts, SlidingWindow


def _gpt_oss(c: ConfigFile) -> Fields:
    kinds = c.layer_types(("sliding_attention", "full_attention"))
    shape, bias = grouped(c), c.flag("attention_bias")
    c.repeats("experts_per_token", c.whole("num_experts_per_tok"), "num_experts_per_tok")
    return {
        **shape,
        "qkv_bias": bias,
        "output_bias": bias,
        "sinks": True,
        "sliding": SlidingWindow(
            layers=kinds.count("sliding_attention"),
            window=c.whole("sliding_window"),
            attention_heads=shape["attention_heads"],
            kv_heads=shape["kv_heads"],
            head_dim=shape["head_dim"],
            value_head_dim=shape["head_dim"],
            sinks=True,
        ),
        "experts": Experts(
            layers=c.whole("num_hidden_layers"),
            count=c.whole("num_local_experts"),
            active=c.whole("num_experts_per_tok"),
            intermediate_size=c.whole("intermediate_size"),
            router_bias=True,
            bias=True,
            counts_embedding=False,
        ),
    }


# The initial length is that of rope_scaling.
FAMILIES = {"GptOssForCausalLM": Family(_gpt_oss, ("initial_context_length",))}
