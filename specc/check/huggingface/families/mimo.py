"""MiMo."""

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families.base import Family, grouped, routed
from specc.check.huggingface.families.qwen import WINDOWS, qwen2
from specc.ir import SlidingWindow


def _mimo(c: ConfigFile) -> Fields:
    """MiMo-7B: Qwen2 with a draft layer."""
    c.only("attention_bias", True)
    c.only("use_mrope", False)
    return {**qwen2(c), "draft_layers": c.whole("num_nextn_predict_layers", 0, least=0)}


def _mimo_v2(c: ConfigFile) -> Fields:
    """MiMo-V2: full attention in a few layers, a sliding window in the others."""
    pattern, moe = c.numbers("hybrid_layer_pattern"), c.numbers("moe_layer_freq")
    layers = c.whole("num_hidden_layers")
    for key, values in (("hybrid_layer_pattern", pattern), ("moe_layer_freq", moe)):
        if len(values) != layers or not set(values) <= {0, 1}:
            raise c.problem(f"'{key}' of '{c.file}' does not list 0 or 1 for {layers} layers")
    c.only("attention_bias", False)
    for key in ("sliding_window_size", "attention_chunk_size"):
        c.repeats(key, c.whole("sliding_window"), "sliding_window")
    return {
        **grouped(c),
        "value_head_dim": c.whole("v_head_dim"),
        "intermediate_size": c.whole("intermediate_size"),
        "sinks": c.flag("add_full_attention_sink_bias"),
        "sliding": SlidingWindow(
            layers=sum(pattern),
            window=c.whole("sliding_window"),
            attention_heads=c.whole("swa_num_attention_heads"),
            kv_heads=c.whole("swa_num_key_value_heads"),
            head_dim=c.whole("swa_head_dim"),
            value_head_dim=c.whole("swa_v_head_dim"),
            sinks=c.flag("add_swa_attention_sink_bias"),
        ),
        "experts": routed(c, layers=sum(moe)),
    }


# The output projection of attention is as wide as its values, whichever way weights are packed.
FAMILIES = {
    "MiMoForCausalLM": Family(_mimo, WINDOWS),
    "MiMoV2FlashForCausalLM": Family(_mimo_v2),
    "MiMoV2ForCausalLM": Family(_mimo_v2, ("attention_projection_layout",)),
}
