"""Nemotron: hybrids with a state space (Nemotron-H, Nemotron 3), and decoders found by a search."""

from collections.abc import Iterator
from typing import Any

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families.base import Family, positions
from specc.ir import Experts, Mamba, Router

_BY_LETTER = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}


def _hybrid(c: ConfigFile) -> Fields:
    """Each layer is one of a state space, attention, an MLP without a gate, or experts."""
    kinds = _kinds(c)
    layers = len(kinds)
    c.repeats("num_hidden_layers", layers, "hybrid_override_pattern or layers_block_type")
    for key in ("attention_bias", "mlp_bias", "use_bias", "mamba_proj_bias"):
        c.only(key, False)
    c.only("mlp_hidden_act", "relu2")
    c.only("mamba_hidden_act", "silu")
    c.only("mamba_ssm_cache_dtype", "float32")
    c.only("sliding_window")
    width = c.either("attention_head_dim", "head_dim")
    dense, inner = kinds.count("mlp"), c.whole("intermediate_size", default=0, least=0)
    return {
        "layers": layers,
        "hidden_size": c.whole("hidden_size"),
        "vocab_size": c.whole("vocab_size"),
        "max_positions": positions(c),
        "attention_heads": c.whole("num_attention_heads"),
        "kv_heads": c.whole("num_key_value_heads"),
        "head_dim": c.whole(width, default=128),
        "attention_layers": kinds.count("attention"),
        "mlp_layers": dense,
        "intermediate_size": inner if dense else 0,
        "gated_mlp": False,
        "draft_layers": _drafts(c),
        "mamba": Mamba(
            layers=kinds.count("mamba"),
            heads=c.whole("mamba_num_heads"),
            head_dim=c.whole("mamba_head_dim"),
            groups=c.whole("n_groups"),
            state=c.whole("ssm_state_size"),
            convolution=c.whole("conv_kernel"),
            bias=c.flag("use_conv_bias", default=True),
        ),
        "experts": _experts(c, kinds.count("moe")),
    }


def _kinds(c: ConfigFile) -> list[str]:
    pattern, listed = c.get("hybrid_override_pattern"), c.get("layers_block_type")
    if isinstance(pattern, str):
        found: list[Any] = [_BY_LETTER.get(letter, letter) for letter in pattern]
        c.repeats("layers_block_type", found, "hybrid_override_pattern")
    else:
        found = listed if isinstance(listed, list) else []
    unknown = [kind for kind in found if kind not in _BY_LETTER.values()]
    if unknown or not found:
        raise c.problem(
            f"'{c.file}' names the kind of layer {unknown[0]!r}"
            if unknown
            else f"'hybrid_override_pattern' of '{c.file}' is missing",
            why=f"the cost model supports {', '.join(_BY_LETTER.values())}",
        )
    if "mamba" not in found:
        raise c.problem(f"'hybrid_override_pattern' of '{c.file}' names no layer of Mamba")
    return found


def _drafts(c: ConfigFile) -> int:
    """Return the draft layers: attention and experts each."""
    c.only("mtp_layers_block_type", ["attention", "moe"])
    c.only("mtp_hybrid_override_pattern", "*E")
    return c.whole("num_nextn_predict_layers", default=0, least=0)


def _experts(c: ConfigFile, layers: int) -> Experts | None:
    if not layers:
        return None
    shared = c.whole("moe_shared_expert_intermediate_size", default=0, least=0)
    return Experts(
        layers=layers,
        count=c.whole("n_routed_experts"),
        active=c.whole("num_experts_per_tok"),
        intermediate_size=c.whole("moe_intermediate_size"),
        shared_intermediate_size=shared * c.whole("n_shared_experts", default=0, least=0),
        latent_size=c.whole("moe_latent_size", default=0, least=0),
        router=Router.SIGMOID,
        router_bias=True,
        counts_embedding=False,
    )


def _searched(c: ConfigFile) -> Fields:
    """Nemotron-NAS: a block for each layer, whose attention and MLP may be missing."""
    c.only("attention_bias", False)
    c.only("mlp_bias", False)
    for key in ("num_key_value_heads", "intermediate_size"):
        c.only(key)
    layers, hidden = c.whole("num_hidden_layers"), c.whole("hidden_size")
    heads = c.whole("num_attention_heads")
    blocks = list(_blocks(c, layers))
    groups = {group for group, _ in blocks if group}
    if len(groups) != 1 or heads % next(iter(groups)):
        raise c.problem(f"'block_configs' of '{c.file}' have attention in {len(groups)} shapes")
    widths = tuple(float(_rounded(mult * hidden * 2 / 3)) for _, mult in blocks)
    return {
        "layers": layers,
        "hidden_size": hidden,
        "vocab_size": c.whole("vocab_size"),
        "max_positions": positions(c),
        "attention_heads": heads,
        "kv_heads": heads // next(iter(groups)),
        "head_dim": c.whole("head_dim", default=hidden // heads),
        "attention_layers": sum(1 for group, _ in blocks if group),
        "mlp_widths": widths,
    }


def _blocks(c: ConfigFile, layers: int) -> Iterator[tuple[int, float]]:
    """Yield the query heads of a key-value head and the factor of the MLP, 0 where it is missing.

    Raises:
        ProblemError: a block has what engines do not run.
    """
    listed = c.get("block_configs")
    if not isinstance(listed, list) or len(listed) != layers:
        raise c.problem(f"'block_configs' of '{c.file}' does not list {layers} layers")
    c.only("hidden_act", "silu")
    for one in listed:
        block = ConfigFile(one if isinstance(one, dict) else {}, c.file, c.span)
        parts = [block.nested(name) for name in ("attention", "ffn")]
        block.refuse_unknown(())
        if None in parts:
            raise c.problem(f"a block of 'block_configs' of '{c.file}' has no attention or ffn")
        yield _heads_in_group(parts[0]), _factor(parts[1])  # type: ignore[arg-type]


def _heads_in_group(part: ConfigFile) -> int:
    _only_usual(part)
    for key in ("num_sink_tokens", "window_length"):
        part.only(key)
    for key in ("unshifted_sink", "use_prefill_window_in_sink_attention"):
        part.only(key, False)
    part.refuse_unknown(("n_heads_in_group",))
    return 0 if part.flag("no_op") else part.whole("n_heads_in_group")


def _factor(part: ConfigFile) -> float:
    _only_usual(part)
    part.refuse_unknown(("ffn_mult",))
    return 0.0 if part.flag("no_op") else part.number("ffn_mult", 0.0)


def _only_usual(part: ConfigFile) -> None:
    part.only("replace_with_linear", False)
    part.only("sparsify")
    part.flag("no_op")


def _rounded(width: float) -> int:
    """Return a width as vLLM rounds it (nemotron_nas.py): down, then up to a multiple of 256."""
    return -(-int(width) // 256) * 256


_OF_HYBRID = (
    "chunk_size",
    "expand",
    "layer_norm_epsilon",
    "mamba_dt_rank",
    "moe_shared_expert_overlap",
    "norm_eps",
    "num_logits_to_keep",
    "rescale_prenorm_residual",
    "residual_in_fp32",
    "time_step_floor",
    "time_step_limit",
    "time_step_max",
    "time_step_min",
    "time_step_rank",
    "use_mamba_kernels",
)
FAMILIES = {
    "NemotronHForCausalLM": Family(_hybrid, _OF_HYBRID),
    "DeciLMForCausalLM": Family(_searched),
}
