"""DeepSeek, and what is built as it: Kimi K2 and GLM-5."""

from attrs import evolve

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.families.base import (
    Family,
    decoder,
    grouped,
    routed,
    routed_after_dense,
)
from specc.ir import CompressedAttention, Indexer, LatentAttention


def deepseek(c: ConfigFile) -> Fields:
    """DeepSeek V2 and V3, Kimi K2: latent attention and experts."""
    c.only("attention_bias", False)
    c.only("mlp_bias", False)
    c.repeats("num_experts", c.get("n_routed_experts"), "n_routed_experts")
    c.all_layers("full_attention", *_SPARSE)
    return {
        **decoder(c),
        **latent_attention(c),
        "intermediate_size": c.whole("intermediate_size"),
        "draft_layers": c.whole("num_nextn_predict_layers", default=0, least=0),
        "experts": routed_after_dense(c),
    }


_SPARSE = ("deepseek_sparse_attention",)  # of files that repeat the indexer in 'layer_types'


def latent_attention(c: ConfigFile, *, rotates: bool = True) -> Fields:
    """Return the fields of latent attention, whose heads have as many keys as queries."""
    heads = c.whole("num_attention_heads")
    nope, rope = c.whole("qk_nope_head_dim"), c.whole("qk_rope_head_dim")
    c.repeats("qk_head_dim", nope + rope, "qk_nope_head_dim and qk_rope_head_dim")
    return {
        "attention_heads": heads,
        "kv_heads": heads,
        "head_dim": nope + rope,
        "value_head_dim": c.whole("v_head_dim"),
        "latent": LatentAttention(
            query_rank=c.whole("q_lora_rank", default=0, least=0),
            kv_rank=c.whole("kv_lora_rank"),
            nope_head_dim=nope,
            rope_head_dim=rope,
            value_head_dim=c.whole("v_head_dim"),
            rotates=rotates,
        ),
    }


def _deepseek_sparse(c: ConfigFile) -> Fields:
    return {**deepseek(c), "indexer": evolve(_indexer(c), layers=_indexing_layers(c))}


def _indexing_layers(c: ConfigFile) -> int:
    """Return the layers that pick tokens themselves, 0 for all; the others share their choice.

    A list of kinds, or every so many layers from an offset on, with all before it (GLM-5.2).
    """
    layers = c.whole("num_hidden_layers")
    every, offset = c.whole("index_topk_freq", default=1), c.whole("index_skip_topk_offset", 1, 0)
    c.only("index_topk_pattern")
    c.only("index_share_for_mtp_iteration", True)  # draft layers count as the mean layer
    derived = [max(layer - offset + 1, 0) % every == 0 for layer in range(layers)]
    if c.get("indexer_types") is None:
        return 0 if all(derived) else sum(derived)
    kinds = c.layer_types(("full", "shared"), "indexer_types")
    if "index_topk_freq" in c.values and [kind == "full" for kind in kinds] != derived:
        raise c.problem(
            f"'indexer_types' of '{c.file}' are not those of 'index_topk_freq' and "
            "'index_skip_topk_offset'",
            help="correct one of them, or write ignore = [\"index_topk_freq\"] beside 'config'",
        )
    if kinds[0] != "full":
        raise c.problem(
            f"'indexer_types' of '{c.file}' begins with a layer that shares the choice of none"
        )
    return 0 if "shared" not in kinds else kinds.count("full")


def _indexer(c: ConfigFile) -> Indexer:
    return Indexer(
        heads=c.whole("index_n_heads"),
        head_dim=c.whole("index_head_dim"),
        top_k=c.whole("index_topk"),
    )


def _deepseek_v4(c: ConfigFile) -> Fields:
    c.only("attention_bias", False)
    c.only("hidden_act", "silu")
    c.only("hc_mult", 4)  # of the residual, whose mixing is small
    c.only("num_hash_layers", 3)  # whose routers look experts up
    c.only("qk_rope_head_dim", 64)
    layers = c.whole("num_hidden_layers")
    listed, drafts = c.numbers("compress_ratios"), c.whole("num_nextn_predict_layers", 0, least=0)
    ratios = listed[:layers]
    if len(listed) not in (layers, layers + drafts):
        raise c.problem(f"'compress_ratios' of '{c.file}' does not list {layers} layers")
    sparse, dense = min((r for r in ratios if r), default=0), max(ratios, default=0)
    if len(ratios) < layers or not 0 < sparse < dense or not set(ratios) <= {0, sparse, dense}:
        raise c.problem(
            f"'compress_ratios' of '{c.file}' does not name two ratios for {layers} layers",
            why="the cost model supports a sparse ratio, a dense ratio, and 0",
        )
    return {
        **grouped(c),
        "kv_heads": c.whole("num_key_value_heads"),
        "draft_layers": c.whole("num_nextn_predict_layers", default=0, least=0),
        "indexer": _indexer(c),
        "compressed": CompressedAttention(
            window=c.whole("sliding_window"),
            sparse_layers=ratios.count(sparse),
            sparse_ratio=sparse,
            dense_layers=ratios.count(dense),
            dense_ratio=dense,
            query_rank=c.whole("q_lora_rank"),
            output_groups=c.whole("o_groups"),
            output_rank=c.whole("o_lora_rank"),
        ),
        "experts": routed(c, layers=layers),
    }


# The shapes of its heads are those of their parts.
LATENT = ("head_dim", "num_key_value_heads")
FAMILIES = {
    "DeepseekV2ForCausalLM": Family(deepseek, LATENT),
    "DeepseekV3ForCausalLM": Family(deepseek, LATENT),
    "DeepseekV32ForCausalLM": Family(_deepseek_sparse, LATENT),
    "GlmMoeDsaForCausalLM": Family(_deepseek_sparse, LATENT),
    "DeepseekV4ForCausalLM": Family(_deepseek_v4),
    "DeepseekV4ForConditionalGeneration": Family(_deepseek_v4),
}
