"""The architectures that are understood: each is a function from a file to fields of a model."""

from collections.abc import Callable

from attrs import evolve

from specc.check.huggingface.config import ConfigFile, Fields
from specc.check.huggingface.keys import HARMLESS_IN_POSITIONS
from specc.ir import (
    CompressedAttention,
    Experts,
    Indexer,
    LatentAttention,
    LinearAttention,
    Router,
    SlidingWindow,
    Vision,
)


def _decoder(c: ConfigFile) -> Fields:
    """The fields that every decoder has."""
    c.only("hidden_act", "silu", "swish")
    return {
        "layers": c.whole("num_hidden_layers"),
        "hidden_size": c.whole("hidden_size"),
        "vocab_size": c.whole("vocab_size"),
        "max_positions": _positions(c),
    }


def _positions(c: ConfigFile) -> int:
    """Return the longest context, as vLLM derives it (config/model.py, max_model_len).

    Some ways to scale positions multiply it: YaRN from the length before it was scaled.
    """
    longest = c.whole("max_position_embeddings")
    scaling = c.nested("rope_parameters") or c.nested("rope_scaling")
    if scaling is None:
        return longest
    name = "rope_type" if scaling.get("rope_type") is not None else "type"
    kind = scaling.word(name, *_AS_THEY_ARE, *_MULTIPLIED, "yarn", default="default")
    factor = scaling.number("factor", 1.0)
    original = scaling.whole("original_max_position_embeddings", default=longest)
    scaling.refuse_unknown(HARMLESS_IN_POSITIONS)
    if kind in _AS_THEY_ARE:
        return longest
    return round((original if kind == "yarn" else longest) * factor)


_AS_THEY_ARE = ("default", "mrope", "llama3", "longrope", "su")
_MULTIPLIED = ("linear", "dynamic")


def _grouped(c: ConfigFile) -> Fields:
    """Grouped-query attention in every layer."""
    decoder = _decoder(c)
    heads, hidden = c.whole("num_attention_heads"), decoder["hidden_size"]
    return {
        **decoder,
        "attention_heads": heads,
        "kv_heads": c.whole("num_key_value_heads", default=heads),
        "head_dim": c.whole("head_dim", default=max(1, hidden // heads)),
    }


def _llama(c: ConfigFile) -> Fields:
    c.only("mlp_bias", False)
    c.only("sliding_window")
    c.all_layers("full_attention")
    bias = c.flag("attention_bias")
    return {
        **_grouped(c),
        "intermediate_size": c.whole("intermediate_size"),
        "qkv_bias": bias,
        "output_bias": bias,
    }


def _qwen(c: ConfigFile, *, qkv_bias: bool = False, qk_norm: bool = True) -> Fields:
    c.all_layers("full_attention")
    return _of_qwen(c, qkv_bias=qkv_bias, qk_norm=qk_norm)


def _of_qwen(c: ConfigFile, *, qkv_bias: bool = False, qk_norm: bool = True) -> Fields:
    c.only("use_sliding_window", False)
    bias = c.flag("attention_bias")
    return {
        **_grouped(c),
        "intermediate_size": c.whole("intermediate_size", default=0, least=0),
        "qk_norm": qk_norm,
        "qkv_bias": qkv_bias or bias,
        "output_bias": bias,
    }


def _qwen2(c: ConfigFile) -> Fields:
    return _qwen(c, qkv_bias=True, qk_norm=False)


def _qwen3_moe(c: ConfigFile) -> Fields:
    return {**_qwen(c), "experts": _qwen_experts(c)}


def _qwen_experts(c: ConfigFile) -> Experts:
    c.only("decoder_sparse_step", 1)
    layers = c.whole("num_hidden_layers")
    shared = c.whole("shared_expert_intermediate_size", default=0, least=0)
    return Experts(
        layers=layers - len(c.layers("mlp_only_layers", layers)),
        count=c.whole("num_experts"),
        active=c.whole("num_experts_per_tok"),
        intermediate_size=c.whole("moe_intermediate_size"),
        shared_intermediate_size=shared,
        shared_gate=shared > 0,
    )


def _qwen_hybrid(c: ConfigFile) -> Fields:
    """Qwen3-Next and Qwen3.5: three layers of gated linear attention to one of full attention."""
    layers, every = c.whole("num_hidden_layers"), c.whole("full_attention_interval", default=0)
    c.only("mamba_ssm_dtype", "float32")
    c.only("output_gate_type", "swish")
    c.only("mtp_use_dedicated_embeddings", False)
    if c.get("layer_types") is not None:
        kinds = c.layer_types(("linear_attention", "full_attention"))
        linear = kinds.count("linear_attention")
        if every:
            c.repeats("full_attention_interval", layers // (layers - linear or 1), "layer_types")
    else:
        linear = layers - layers // c.whole("full_attention_interval")
    return {
        **_of_qwen(c),
        "query_gate": c.flag("attn_output_gate", default=True),
        "draft_layers": c.whole("mtp_num_hidden_layers", default=0, least=0),
        "linear": LinearAttention(
            layers=linear,
            key_heads=c.whole("linear_num_key_heads"),
            value_heads=c.whole("linear_num_value_heads"),
            key_head_dim=c.whole("linear_key_head_dim"),
            value_head_dim=c.whole("linear_value_head_dim"),
            convolution=c.whole("linear_conv_kernel_dim"),
        ),
    }


def _qwen_hybrid_moe(c: ConfigFile) -> Fields:
    return {**_qwen_hybrid(c), "experts": _qwen_experts(c)}


def _mixtral(c: ConfigFile) -> Fields:
    c.only("sliding_window")
    c.all_layers("full_attention")
    return {
        **_grouped(c),
        "experts": Experts(
            layers=c.whole("num_hidden_layers"),
            count=c.whole("num_local_experts"),
            active=c.whole("num_experts_per_tok"),
            intermediate_size=c.whole("intermediate_size"),
        ),
    }


def _minimax(c: ConfigFile) -> Fields:
    c.only("qk_norm_type", "per_layer")
    c.only("scoring_func", "sigmoid")
    c.only("mtp_transformer_layers", 1)
    for key in ("attn_type_list", "layer_types"):
        _all_of(c, key)
    drafts = c.whole("num_mtp_modules", default=0, least=0)
    return {
        **_grouped(c),
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


def _glm_moe(c: ConfigFile) -> Fields:
    c.all_layers("full_attention")
    return {
        **_grouped(c),
        "intermediate_size": c.whole("intermediate_size"),
        "qkv_bias": c.flag("attention_bias"),
        "qk_norm": c.flag("use_qk_norm"),
        "draft_layers": c.whole("num_nextn_predict_layers", default=0, least=0),
        "experts": _deepseek_experts(c),
    }


def _gpt_oss(c: ConfigFile) -> Fields:
    kinds = c.layer_types(("sliding_attention", "full_attention"))
    grouped, bias = _grouped(c), c.flag("attention_bias")
    c.repeats("experts_per_token", c.whole("num_experts_per_tok"), "num_experts_per_tok")
    return {
        **grouped,
        "qkv_bias": bias,
        "output_bias": bias,
        "sinks": True,
        "sliding": SlidingWindow(
            layers=kinds.count("sliding_attention"),
            window=c.whole("sliding_window"),
            attention_heads=grouped["attention_heads"],
            kv_heads=grouped["kv_heads"],
            head_dim=grouped["head_dim"],
            value_head_dim=grouped["head_dim"],
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


def _mimo(c: ConfigFile) -> Fields:
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
        **_grouped(c),
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
        "experts": _routed(c, layers=sum(moe)),
    }


def _deepseek_experts(c: ConfigFile) -> Experts:
    c.only("moe_layer_freq", 1)
    layers, dense = c.whole("num_hidden_layers"), c.whole("first_k_dense_replace", 0, least=0)
    if c.get("mlp_layer_types") is not None:
        kinds = c.layer_types(("dense", "sparse"), "mlp_layer_types")
        counted = kinds.count("dense")
        if c.get("first_k_dense_replace") is not None and counted != dense:
            c.repeats("first_k_dense_replace", counted, "mlp_layer_types")
        dense = counted
    return _routed(c, layers=layers - dense)


def _routed(c: ConfigFile, layers: int) -> Experts:
    """Experts with a sigmoid router and a correction bias, as DeepSeek V3 named their fields."""
    width = c.whole("moe_intermediate_size")
    sigmoid = c.word("scoring_func", *_SCORES, default="sigmoid") != "softmax"
    return Experts(
        layers=layers,
        count=c.whole("n_routed_experts"),
        active=c.whole("num_experts_per_tok"),
        intermediate_size=width,
        shared_intermediate_size=width * c.whole("n_shared_experts", default=0, least=0),
        router=Router.SIGMOID if sigmoid else Router.SOFTMAX,
        router_bias=sigmoid,
        counts_embedding=False,
    )


_SCORES = ("sigmoid", "softmax", "sqrtsoftplus")


def _deepseek(c: ConfigFile) -> Fields:
    """DeepSeek V2 and V3, Kimi K2: latent attention and experts."""
    c.only("attention_bias", False)
    c.all_layers("full_attention")
    heads = c.whole("num_attention_heads")
    nope, rope = c.whole("qk_nope_head_dim"), c.whole("qk_rope_head_dim")
    c.repeats("qk_head_dim", nope + rope, "qk_nope_head_dim and qk_rope_head_dim")
    return {
        **_decoder(c),
        "intermediate_size": c.whole("intermediate_size"),
        "attention_heads": heads,
        "kv_heads": heads,
        "head_dim": nope + rope,
        "value_head_dim": c.whole("v_head_dim"),
        "draft_layers": c.whole("num_nextn_predict_layers", default=0, least=0),
        "latent": LatentAttention(
            query_rank=c.whole("q_lora_rank", default=0, least=0),
            kv_rank=c.whole("kv_lora_rank"),
            nope_head_dim=nope,
            rope_head_dim=rope,
            value_head_dim=c.whole("v_head_dim"),
        ),
        "experts": _deepseek_experts(c),
    }


def _deepseek_sparse(c: ConfigFile) -> Fields:
    return {**_deepseek(c), "indexer": evolve(_indexer(c), layers=_indexing_layers(c))}


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
        **_grouped(c),
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
        "experts": _routed(c, layers=layers),
    }


def vision_encoder(c: ConfigFile, out: int) -> Vision:
    """Return the vision encoder of a `vision_config`, for a decoder of width `out`."""
    layers = c.whole("depth")
    c.repeats("out_hidden_size", out, "hidden_size of the decoder")
    return Vision(
        layers=layers,
        hidden_size=c.whole("hidden_size"),
        intermediate_size=c.whole("intermediate_size"),
        heads=c.whole("num_heads"),
        patch_size=c.whole("patch_size"),
        merge=c.whole("spatial_merge_size"),
        frames=c.whole("temporal_patch_size", default=1),
        channels=c.whole("in_channels", default=3),
        positions=c.whole("num_position_embeddings", default=0, least=0),
        deepstack=len(c.layers("deepstack_visual_indexes", layers)),
    )


FAMILIES: dict[str, Callable[[ConfigFile], Fields]] = {
    "LlamaForCausalLM": _llama,
    "MistralForCausalLM": _llama,
    "Qwen2ForCausalLM": _qwen2,
    "Qwen3ForCausalLM": _qwen,
    "Qwen3MoeForCausalLM": _qwen3_moe,
    "Qwen3NextForCausalLM": _qwen_hybrid_moe,
    "Qwen3_5ForConditionalGeneration": _qwen_hybrid,
    "Qwen3_5MoeForConditionalGeneration": _qwen_hybrid_moe,
    "Qwen3VLForConditionalGeneration": _qwen,
    "Qwen3VLMoeForConditionalGeneration": _qwen3_moe,
    "MixtralForCausalLM": _mixtral,
    "MiniMaxM2ForCausalLM": _minimax,
    "Glm4MoeForCausalLM": _glm_moe,
    "GptOssForCausalLM": _gpt_oss,
    "MiMoV2FlashForCausalLM": _mimo,
    "DeepseekV2ForCausalLM": _deepseek,
    "DeepseekV3ForCausalLM": _deepseek,
    "KimiK25ForConditionalGeneration": _deepseek,
    "DeepseekV32ForCausalLM": _deepseek_sparse,
    "GlmMoeDsaForCausalLM": _deepseek_sparse,
    "DeepseekV4ForCausalLM": _deepseek_v4,
}
