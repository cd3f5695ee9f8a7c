"""Llama, Mistral and Mixtral."""

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families.base import Family, grouped
from specc.ir import Experts


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


FAMILIES = {
    "LlamaForCausalLM": Family(_llama),
    "MistralForCausalLM": Family(_llama),
    "MixtralForCausalLM": Family(_mixtral),
}
