"""Reads the shape of a model from a Hugging Face `config.json`.

Each architecture is a function from a configuration to fields of `Model`, so that sizes never
seen before are read as well. An architecture that is not understood, a field that is missing and
a setting without a rule are errors that name it and what is known.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from specc.check.convert import brief, check_read
from specc.check.problems import ProblemError, problem
from specc.diagnostics import Span, list_known
from specc.ir import (
    CompressedAttention,
    Experts,
    Indexer,
    LatentAttention,
    LinearAttention,
    Model,
    Quantisation,
    Router,
    SlidingWindow,
    Vision,
)
from specc.workspace import UnreadableError, Workspace

Fields = dict[str, Any]


def read_config(workspace: Workspace, path: Path, span: Span) -> Fields:
    """Return the fields of a `Model` that a configuration gives.

    Raises:
        ProblemError: the file is no configuration of a supported architecture; the diagnostic
            points at `span`, the text that names the file.
    """
    config = _Config(_load(workspace, path, span), path.name, span)
    architecture = config.architecture()
    if architecture not in FAMILIES:
        raise config.problem(
            f"the architecture {brief(architecture)} of '{path.name}' is not supported",
            help="known: " + ", ".join(sorted(FAMILIES)),
        )
    text = config.nested("text_config") or config
    fields = FAMILIES[architecture](text)
    vision = config.nested("vision_config")
    if vision is not None and architecture in _WITH_VISION:
        fields["vision"] = _vision(vision)
    tied = config.values.get("tie_word_embeddings", text.values.get("tie_word_embeddings"))
    read = {
        "architecture": architecture,
        **fields,
        "tied_embeddings": tied is True,
        **_checkpoint(config, text),
    }
    check_read(Model, read, span, path.name)
    return read


@frozen
class _Config:
    """A JSON object of a configuration, and how to complain about it."""

    values: Mapping[str, Any]
    file: str
    span: Span

    def problem(self, message: str, why: str = "", help: str = "") -> ProblemError:
        return problem(self.span, "E0004", message, why=why, help=help)

    def architecture(self) -> str:
        names = self.values.get("architectures")
        if isinstance(names, list) and len(names) == 1 and isinstance(names[0], str):
            return names[0]
        raise self.problem(
            f"'{self.file}' does not name one architecture",
            why="a Hugging Face configuration has a list 'architectures' with one entry",
        )

    def nested(self, key: str) -> "_Config | None":
        value = self.values.get(key)
        return _Config(value, self.file, self.span) if isinstance(value, dict) else None

    def whole(self, key: str, default: int | None = None, least: int = 1) -> int:
        """Return a whole number of at least `least`; a missing or null one is the default."""
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if type(value) is int and value >= least:
            return value
        found = "is missing" if value is None else f"is {brief(value)}"
        wanted = "a positive whole number" if least == 1 else f"a whole number of at least {least}"
        raise self.problem(
            f"'{key}' of '{self.file}' {found}",
            why=f"the cost model needs {wanted} for '{key}'",
        )

    def flag(self, key: str) -> bool:
        value = self.values.get(key)
        if value is None or isinstance(value, bool):
            return value is True
        raise self.problem(f"'{key}' of '{self.file}' is {brief(value)}, not true or false")

    def numbers(self, key: str) -> list[int]:
        value = self.values.get(key)
        if isinstance(value, list) and all(type(item) is int for item in value):
            return value
        found = "is missing" if value is None else f"is {brief(value)}"
        raise self.problem(
            f"'{key}' of '{self.file}' {found}", why="it needs one number for each layer"
        )

    def layers(self, key: str, count: int) -> set[int]:
        """Return the layers, of `count`, that a list names; none if it is missing or null."""
        value = self.values.get(key)
        if value is None:
            return set()
        if isinstance(value, list) and all(type(i) is int and 0 <= i < count for i in value):
            return set(value)
        raise self.problem(
            f"'{key}' of '{self.file}' is {brief(value)}",
            why=f"it lists layers, numbers from 0 to {count - 1}",
        )

    def layer_types(self, known: tuple[str, ...]) -> list[str]:
        """Return the kind of each layer, from `layer_types`."""
        value = self.values.get("layer_types")
        layers = self.whole("num_hidden_layers")
        if not isinstance(value, list) or len(value) != layers:
            found = "is missing" if value is None else f"does not list {layers} layers"
            raise self.problem(f"'layer_types' of '{self.file}' {found}")
        for kind in value:
            if kind not in known:
                raise self.problem(
                    f"'layer_types' of '{self.file}' names the kind {brief(kind)}",
                    why=f"the cost model supports {' and '.join(known)}",
                )
        return value

    def only(self, key: str, *allowed: Any) -> None:
        """Refuse a setting that changes the computation and has no rule."""
        value = self.values.get(key)
        if value is not None and value not in allowed:
            texts = " or ".join(repr(item) for item in allowed)
            raise self.problem(
                f"'{self.file}' sets {key} = {brief(value)}, which is not supported",
                why=f"the cost model supports only {key} = {texts}",
            )


def _load(workspace: Workspace, path: Path, span: Span) -> Fields:
    try:
        source = workspace.read(path, span)
    except UnreadableError as error:
        raise ProblemError(error.diagnostic) from None
    import json

    try:
        config = json.loads(source.text)
    except (ValueError, RecursionError) as error:
        place = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise problem(span, "E0004", f"'{path.name}' is not valid JSON{place}") from None
    if not isinstance(config, dict):
        raise problem(span, "E0004", f"'{path.name}' is not a JSON object")
    return config


def _decoder(c: _Config) -> Fields:
    """The fields that every decoder has."""
    c.only("hidden_act", "silu", "swish")
    return {
        "layers": c.whole("num_hidden_layers"),
        "hidden_size": c.whole("hidden_size"),
        "vocab_size": c.whole("vocab_size"),
        "max_positions": c.whole("max_position_embeddings"),
    }


def _grouped(c: _Config) -> Fields:
    """Grouped-query attention in every layer."""
    decoder = _decoder(c)
    heads, hidden = c.whole("num_attention_heads"), decoder["hidden_size"]
    return {
        **decoder,
        "attention_heads": heads,
        "kv_heads": c.whole("num_key_value_heads", default=heads),
        "head_dim": c.whole("head_dim", default=max(1, hidden // heads)),
    }


def _llama(c: _Config) -> Fields:
    c.only("mlp_bias", False)
    c.only("sliding_window")
    bias = c.flag("attention_bias")
    return {
        **_grouped(c),
        "intermediate_size": c.whole("intermediate_size"),
        "qkv_bias": bias,
        "output_bias": bias,
    }


def _qwen(c: _Config, *, qkv_bias: bool = False, qk_norm: bool = True) -> Fields:
    c.only("use_sliding_window", False)
    bias = c.flag("attention_bias")
    return {
        **_grouped(c),
        "intermediate_size": c.whole("intermediate_size", default=0, least=0),
        "qk_norm": qk_norm,
        "qkv_bias": qkv_bias or bias,
        "output_bias": bias,
    }


def _qwen2(c: _Config) -> Fields:
    return _qwen(c, qkv_bias=True, qk_norm=False)


def _qwen3_moe(c: _Config) -> Fields:
    return {**_qwen(c), "experts": _qwen_experts(c)}


def _qwen_experts(c: _Config) -> Experts:
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


def _qwen_hybrid(c: _Config) -> Fields:
    """Qwen3-Next and Qwen3.5: three layers of gated linear attention to one of full attention."""
    if "layer_types" in c.values:
        kinds = c.layer_types(("linear_attention", "full_attention"))
        linear = kinds.count("linear_attention")
    else:
        layers = c.whole("num_hidden_layers")
        linear = layers - layers // c.whole("full_attention_interval")
    return {
        **_qwen(c),
        "query_gate": True,
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


def _qwen_hybrid_moe(c: _Config) -> Fields:
    return {**_qwen_hybrid(c), "experts": _qwen_experts(c)}


def _mixtral(c: _Config) -> Fields:
    c.only("sliding_window")
    return {
        **_grouped(c),
        "experts": Experts(
            layers=c.whole("num_hidden_layers"),
            count=c.whole("num_local_experts"),
            active=c.whole("num_experts_per_tok"),
            intermediate_size=c.whole("intermediate_size"),
        ),
    }


def _minimax(c: _Config) -> Fields:
    c.only("qk_norm_type", "per_layer")
    return {
        **_grouped(c),
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


def _glm_moe(c: _Config) -> Fields:
    return {
        **_grouped(c),
        "intermediate_size": c.whole("intermediate_size"),
        "qkv_bias": c.flag("attention_bias"),
        "qk_norm": c.flag("use_qk_norm"),
        "draft_layers": c.whole("num_nextn_predict_layers", default=0, least=0),
        "experts": _deepseek_experts(c),
    }


def _gpt_oss(c: _Config) -> Fields:
    kinds = c.layer_types(("sliding_attention", "full_attention"))
    grouped, bias = _grouped(c), c.flag("attention_bias")
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


def _mimo(c: _Config) -> Fields:
    """MiMo-V2: full attention in a few layers, a sliding window in the others."""
    pattern, moe = c.numbers("hybrid_layer_pattern"), c.numbers("moe_layer_freq")
    layers = c.whole("num_hidden_layers")
    for key, values in (("hybrid_layer_pattern", pattern), ("moe_layer_freq", moe)):
        if len(values) != layers or not set(values) <= {0, 1}:
            raise c.problem(f"'{key}' of '{c.file}' does not list 0 or 1 for {layers} layers")
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


def _deepseek_experts(c: _Config) -> Experts:
    c.only("moe_layer_freq", 1)
    dense = c.whole("first_k_dense_replace", default=0, least=0)
    return _routed(c, layers=c.whole("num_hidden_layers") - dense)


def _routed(c: _Config, layers: int) -> Experts:
    """Experts with a sigmoid router and a correction bias, as DeepSeek V3 named their fields."""
    width = c.whole("moe_intermediate_size")
    sigmoid = c.values.get("scoring_func", "sigmoid") != "softmax"
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


def _deepseek(c: _Config) -> Fields:
    """DeepSeek V2 and V3, Kimi K2: latent attention and experts."""
    c.only("attention_bias", False)
    heads = c.whole("num_attention_heads")
    nope, rope = c.whole("qk_nope_head_dim"), c.whole("qk_rope_head_dim")
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


def _deepseek_sparse(c: _Config) -> Fields:
    return {**_deepseek(c), "indexer": _indexer(c)}


def _indexer(c: _Config) -> Indexer:
    return Indexer(
        heads=c.whole("index_n_heads"),
        head_dim=c.whole("index_head_dim"),
        top_k=c.whole("index_topk"),
    )


def _deepseek_v4(c: _Config) -> Fields:
    layers = c.whole("num_hidden_layers")
    ratios = c.numbers("compress_ratios")[:layers]
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


def _vision(c: _Config) -> Vision:
    layers = c.whole("depth")
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


FAMILIES: dict[str, Callable[[_Config], Fields]] = {
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
_WITH_VISION = {
    "Qwen3_5ForConditionalGeneration",
    "Qwen3_5MoeForConditionalGeneration",
    "Qwen3VLForConditionalGeneration",
    "Qwen3VLMoeForConditionalGeneration",
}

_CHECKPOINTS = {
    "fp8": Quantisation.FP8,
    "mxfp4": Quantisation.MXFP4,
    "bfloat16": Quantisation.BF16,
    "float16": Quantisation.FP16,
}


def _checkpoint(config: _Config, text: _Config) -> Fields:
    """The number formats of the published weights."""
    plain = next(
        (
            c.values[key]
            for c in (text, config)
            for key in ("dtype", "torch_dtype")
            if isinstance(c.values.get(key), str)
        ),
        "bfloat16",
    )
    quantised = config.nested("quantization_config") or text.nested("quantization_config")
    method = plain if quantised is None else quantised.values.get("quant_method")
    if method == "compressed-tensors" and quantised is not None:
        return {"weights": Quantisation.BF16, "expert_weights": _packed(quantised)}
    if method not in _CHECKPOINTS or plain not in _CHECKPOINTS:
        raise config.problem(
            f"'{config.file}' stores its weights as {brief(method if quantised else plain)}, "
            "which is not supported",
            help=list_known((*_CHECKPOINTS, "compressed-tensors"), "format"),
        )
    experts = config.values.get("expert_dtype")
    if method == "mxfp4" or experts == "fp4":
        # What is not an expert stays as it was (gpt-oss), or has the format of the rest (V4).
        rest = _CHECKPOINTS[plain] if method == "mxfp4" else _CHECKPOINTS[str(method)]
        return {"weights": rest, "expert_weights": Quantisation.MXFP4}
    return {"weights": _CHECKPOINTS[str(method)]}


def _packed(quantised: _Config) -> Quantisation:
    """The format of the experts in a checkpoint of compressed tensors (Kimi K2 Thinking, K2.5)."""
    groups = quantised.nested("config_groups")
    first = groups.nested("group_0") if groups else None
    weights = first.nested("weights") if first else None
    bits = weights.values.get("num_bits") if weights else None
    if bits == 4:
        return Quantisation.W4A16
    if bits == 8:
        return Quantisation.W8A16
    raise quantised.problem(
        f"'quantization_config' of '{quantised.file}' packs weights in {brief(bits)} bits",
        why="the cost model supports 4 and 8",
    )
