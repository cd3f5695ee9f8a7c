"""MiniMax."""

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families.base import Family, encoder_layer, grouped
from specc.ir import BlockSparse, Experts, Router


def _minimax(c: ConfigFile) -> Fields:
    c.only("qk_norm_type", "per_layer")
    c.only("scoring_func", "sigmoid")
    c.only("mtp_transformer_layers", 1)
    for key in ("attn_type_list", "layer_types"):
        _all_of(c, key)
    drafts = c.whole("num_mtp_modules", default=0, least=0)
    return {
        **grouped(c),
        "draft_layers": drafts if c.flag("use_mtp") else 0,
        "qk_norm_whole": c.flag("use_qk_norm"),
        "experts": Experts(
            layers=c.whole("num_hidden_layers"),
            count=c.whole("num_local_experts"),
            active=c.whole("num_experts_per_tok"),
            intermediate_size=c.whole("intermediate_size"),
            shared_intermediate_size=c.whole("shared_intermediate_size", default=0, least=0),
            router=Router.SIGMOID,
            router_bias=c.flag("use_routing_bias"),
        ),
    }


def _all_of(c: ConfigFile, key: str) -> None:
    """Refuse lists of layers that are not all of one kind (1 is full attention)."""
    kinds = c.get(key)
    if kinds is not None and set(map(str, kinds if isinstance(kinds, list) else [kinds])) - _FULL:
        raise c.problem(f"'{key}' of '{c.file}' names layers that are not of full attention")


_FULL = {"1", "full_attention"}


def _minimax_sparse(c: ConfigFile) -> Fields:
    """MiniMax-M3: attention to some blocks in all layers but the first, which are dense too."""
    layers = c.whole("num_hidden_layers")
    c.only("qk_norm_type", "per_head")
    c.only("attention_output_gate", False)
    c.only("scoring_func", "sigmoid")
    width, shape = c.whole("intermediate_size"), grouped(c)
    drafts = c.whole("num_mtp_modules", default=0, least=0)
    c.whole("num_nextn_predict_layers", default=0, least=0)  # of files that a tool made
    with_experts = _last_layers(c, "moe_layer_freq", c.numbers("moe_layer_freq"), layers)
    c.repeats("first_k_dense_replace", layers - with_experts, "moe_layer_freq")
    return {
        **shape,
        "intermediate_size": c.whole("dense_intermediate_size"),
        "qk_norm": c.flag("use_qk_norm"),
        "draft_layers": drafts,
        "block_sparse": _blocks(c, layers, shape["kv_heads"]),
        "experts": Experts(
            layers=with_experts,
            count=c.whole("num_local_experts"),
            active=c.whole("num_experts_per_tok"),
            intermediate_size=width,
            # As vLLM 0.33 has it, whatever 'shared_intermediate_size' says.
            shared_intermediate_size=width * c.whole("n_shared_experts", default=0, least=0),
            router=Router.SIGMOID,
            router_bias=c.flag("use_routing_bias"),
            counts_embedding=False,
            counts_output=False,
        ),
    }


def _blocks(c: ConfigFile, layers: int, kv_heads: int) -> BlockSparse:
    inner = c.nested("sparse_attention_config")
    if inner is None:
        raise c.problem(f"'sparse_attention_config' of '{c.file}' is missing")
    inner.only("use_sparse_attention", True)
    inner.only("sparse_score_type", "max")
    inner.only("sparse_init_block", 0)
    inner.only("sparse_local_block", 1)  # one of those that are picked
    sparse = inner.numbers("sparse_attention_freq")
    inner.repeats("sparse_disable_index_value", sparse, "sparse_attention_freq")
    inner.repeats("sparse_num_index_heads", kv_heads, "num_key_value_heads")
    found = BlockSparse(
        layers=_last_layers(c, "sparse_attention_freq", sparse, layers),
        block=inner.whole("sparse_block_size"),
        top_k=inner.whole("sparse_topk_blocks"),
        index_heads=inner.whole("sparse_num_index_heads"),
        index_head_dim=inner.whole("sparse_index_dim"),
    )
    inner.refuse_unknown(())
    return found


def _last_layers(c: ConfigFile, key: str, listed: list[int], layers: int) -> int:
    """Return how many layers a list of 0 and then 1 names."""
    count = sum(listed)
    if listed != [0] * (layers - count) + [1] * count:
        raise c.problem(
            f"'{key}' of '{c.file}' does not list 0 for the first and 1 for the other of "
            f"{layers} layers"
        )
    return count


def _clip(c: ConfigFile) -> int:
    """Return the weights of the vision encoder of MiniMax-M3, which no plan runs.

    By its vision tower in vLLM 0.33: a layer has biases and two norms with biases; a projection of
    each patch, and one of four together.
    """
    vision = c.nested("vision_config")
    if vision is None:
        return 0
    h, i = vision.whole("hidden_size"), vision.whole("intermediate_size")
    token = vision.nested("img_token_compression_config")
    merge = token.whole("spatial_merge_size") if token else 1
    frames = token.whole("temporal_patch_size", default=1) if token else 1
    patch = vision.whole("num_channels", default=3) * frames * vision.whole("patch_size") ** 2
    layer = encoder_layer(h, i)
    out = c.whole("projector_hidden_size")
    projector = h * out + out + out * out + out
    merger = merge**2 * out * out + out + out * out + out
    return patch * h + 2 * h + vision.whole("num_hidden_layers") * layer + projector + merger


# Of the models before M2, with linear attention and dense MLPs.
_OF_M2 = (
    "layernorm_full_attention_alpha",
    "layernorm_full_attention_beta",
    "layernorm_linear_attention_alpha",
    "layernorm_linear_attention_beta",
    "layernorm_mlp_alpha",
    "layernorm_mlp_beta",
    "mlp_intermediate_size",
    "shared_moe_mode",
)
_OF_SPARSE = (
    "image_grid_pinpoints",
    "image_seq_length",
    "img_token_compression_config",
    "moe_intermediate_size",
    "multimodal_projector_bias",
    "num_reward_heads",
    "process_image_mode",
    "projector_hidden_act",
    "shared_intermediate_size",
    "swiglu_alpha",
    "use_gemma_norm",
    "vision_feature_layer",
    "vision_feature_select_strategy",
)
FAMILIES = {
    "MiniMaxM2ForCausalLM": Family(_minimax, _OF_M2),
    "MiniMaxM3ForCausalLM": Family(_minimax_sparse, _OF_SPARSE),
    "MiniMaxM3SparseForCausalLM": Family(_minimax_sparse, _OF_SPARSE),
    "MiniMaxM3SparseForConditionalGeneration": Family(_minimax_sparse, _OF_SPARSE, beside=_clip),
}
