"""Step."""

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families.base import Family, decoder
from specc.ir import Experts, Router, SlidingWindow


def _step(c: ConfigFile) -> Fields:
    """Step-3.5 and 3.7: windows with more heads than full attention, and a gate for each head."""
    layers = c.whole("num_hidden_layers")
    kinds = _kinds(c, layers)
    heads, width = c.whole("num_attention_heads"), c.whole("head_dim")
    kv_heads = c.whole(c.either("num_attention_groups", "num_key_value_heads"))
    sliding_heads, sliding_kv = _sliding_heads(c, width)
    c.only("use_qk_norm", True)
    c.only("sink", False)
    c.only("att_impl_type", "GQA")
    c.only("attention_bias", False)
    return {
        **_decoder(c),
        "attention_heads": heads,
        "kv_heads": kv_heads,
        "head_dim": width,
        "intermediate_size": c.whole("intermediate_size"),
        "qk_norm": True,
        "head_gate": c.flag("use_head_wise_attn_gate", default=True),
        "draft_layers": c.whole("num_nextn_predict_layers", default=0, least=0),
        "draft_dense": True,
        "sliding": SlidingWindow(
            layers=kinds.count("sliding_attention"),
            window=c.whole("sliding_window"),
            attention_heads=sliding_heads,
            kv_heads=sliding_kv or kv_heads,
            head_dim=width,
            value_head_dim=width,
        )
        if "sliding_attention" in kinds
        else None,
        "experts": _experts(c, layers),
    }


def _decoder(c: ConfigFile) -> Fields:
    if c.get("max_position_embeddings") is not None:
        return decoder(c)
    return decoder(c.having({"max_position_embeddings": c.whole("max_seq_len")}))


def _kinds(c: ConfigFile, layers: int) -> list[str]:
    """Return the kinds of the decoder layers; those of draft layers may follow."""
    listed, drafts = c.get("layer_types"), c.whole("num_nextn_predict_layers", 0, least=0)
    if isinstance(listed, list) and drafts and len(listed) == layers + drafts:
        c = c.having({"layer_types": listed[:layers]})
    return c.layer_types(("full_attention", "sliding_attention"))


def _sliding_heads(c: ConfigFile, width: int) -> tuple[int, int]:
    """Return the heads of layers with a window; the published models have 96.

    A file without `attention_other_setting` is one that a tool made; its models are the published
    ones, whose heads these are (196.96 B weights: with 64 heads it would be 195.84 B).
    """
    other = c.nested("attention_other_setting")
    if other is None:
        return c.whole("num_sliding_attention_heads", default=_SLIDING_HEADS), 0
    other.only("attention_type", "sliding_attention")
    other.repeats("head_dim", width, "head_dim")
    found = other.whole("num_attention_heads"), other.whole("num_attention_groups")
    other.refuse_unknown(("true_head_dim",))
    return found


_SLIDING_HEADS = 96


def _experts(c: ConfigFile, layers: int) -> Experts:
    c.only("moe_router_activation", "sigmoid")
    c.only("scoring_func", "sigmoid")
    c.only("use_moe", True)
    c.only("n_shared_experts", 1)
    c.only("moe_every_n_layer", 1)
    return Experts(
        layers=layers - _dense(c, layers),
        count=c.whole(c.either("moe_num_experts", "num_experts")),
        active=c.whole(c.either("moe_top_k", "num_experts_per_tok")),
        intermediate_size=c.whole("moe_intermediate_size"),
        shared_intermediate_size=c.whole("share_expert_dim"),
        router=Router.SIGMOID,
        router_bias=c.flag("use_moe_router_bias"),
        counts_embedding=False,
        counts_output=False,
    )


def _dense(c: ConfigFile, layers: int) -> int:
    """Return how many first layers have no experts."""
    listed = c.get("moe_layers_enum")
    if listed is None:
        return c.whole("first_k_dense_replace", least=0)
    numbers = sorted(int(n) for n in str(listed).split(",") if n.strip().isdigit())
    if not numbers or numbers != list(range(numbers[0], layers)):
        raise c.problem(f"'moe_layers_enum' of '{c.file}' does not list the last layers, each once")
    c.repeats("moe_layer_offset", 0, "moe_layers_enum")
    return numbers[0]


_HARMLESS = (
    "max_seq_len",
    "moe_router_scaling_factor",
    "need_fp32_gate",
    "norm_expert_weight",
    "partial_rotary_factors",
    "swiglu_limits",
    "swiglu_limits_shared",
    "use_rope_layers",
    "yarn_only_types",
    "zero_centered",
)
FAMILIES = {
    "Step3p5ForCausalLM": Family(_step, _HARMLESS),
    "Step3p7FlashForCausalLM": Family(_step, _HARMLESS),
    "Step3p7ForConditionalGeneration": Family(_step, _HARMLESS),
}
