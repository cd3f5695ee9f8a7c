"""gpt-oss."""

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families.base import Family, grouped, window
from specc.ir import Experts


def _gpt_oss(c: ConfigFile) -> Fields:
    kinds = c.layer_types(("sliding_attention", "full_attention"))
    shape, bias = grouped(c), c.flag("attention_bias")
    c.repeats("experts_per_token", c.whole("num_experts_per_tok"), "num_experts_per_tok")
    return {
        **shape,
        "qkv_bias": bias,
        "output_bias": bias,
        "sinks": True,
        "sliding": window(
            shape, kinds.count("sliding_attention"), c.whole("sliding_window"), sinks=True
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
