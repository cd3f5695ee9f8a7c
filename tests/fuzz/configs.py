"""Configurations of models as files: one of every architecture, then damaged.

What an architecture needs is found by asking: a key that is reported as missing gets a value.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from specc.check.huggingface import FAMILIES, read_config
from specc.check.problems import ProblemError
from specc.diagnostics import Source, Span
from specc.workspace import Workspace
from tests.fuzz.values import Draw

_MISSING = re.compile(r"'(\w+)' of '.*' (?:is missing|does not)")
_LAYERS = 4
_KNOWN: dict[str, Any] = {
    "num_hidden_layers": _LAYERS,
    "hidden_size": 512,
    "intermediate_size": 1024,
    "vocab_size": 32_000,
    "max_position_embeddings": 32_768,
    "num_attention_heads": 8,
    "swa_num_attention_heads": 8,
    "num_key_value_heads": 2,
    "swa_num_key_value_heads": 2,
    "layer_types": ["full_attention", "linear_attention"] * (_LAYERS // 2),
    "hybrid_layer_pattern": [0, 1, 1, 1],
    "moe_layer_freq": [0, 1, 1, 1],
    "compress_ratios": [0, 4, 128, 4],
    "full_attention_interval": 4,
    "num_experts_per_tok": 2,
    "sliding_window": 128,
    "first_k_dense_replace": 1,
    "hybrid_override_pattern": "M*E-",
    "sparse_attention_config": {
        "sparse_attention_freq": [0, 0, 1, 1],
        "sparse_block_size": 128,
        "sparse_topk_blocks": 16,
        "sparse_num_index_heads": 2,
        "sparse_index_dim": 64,
    },
    "linear_attn_config": {
        "kda_layers": [1, 2, 3],
        "full_attn_layers": [4],
        "num_heads": 8,
        "head_dim": 64,
        "short_conv_kernel_size": 4,
    },
    "block_configs": [
        {
            "attention": {"no_op": layer == 1, "n_heads_in_group": 4},
            "ffn": {"no_op": layer == 2, "ffn_mult": 1.5},
        }
        for layer in range(_LAYERS)
    ],
}
# What no message asks for.
_OWN: dict[str, dict[str, Any]] = {
    **{
        f"MiniMaxM3{name}": {"num_key_value_heads": 2}
        for name in ("ForCausalLM", "SparseForCausalLM", "SparseForConditionalGeneration")
    },
    "InternVLChatModel": {"llm_config": {"architectures": ["Qwen3ForCausalLM"]}},
}
_OTHERS = 64
_DAMAGE: list[Any] = [
    None, -1, 0, 1, 1.5, 10**310, 2**63, "8", "x" * 500, True, [], [1], {}, {"a": []}, [None],
    ["full_attention"], "\x1b[31m", "\u202e",
]  # fmt: skip


@cache
def sound(architecture: str, folder: Path) -> dict[str, Any]:
    """Return a small configuration that is accepted, made in a folder."""
    path = folder / "config.json"
    span = Span(Source("plan.spec", "config"), 0, 1)
    config: dict[str, Any] = {"architectures": [architecture], **_OWN.get(architecture, {})}
    inner = config.get("llm_config", config)  # has the sizes
    for _ in range(60):
        path.write_text(json.dumps(config))
        try:
            read_config(Workspace(folder), path, span)
        except ProblemError as error:
            message = error.diagnostic.message
            found = _MISSING.match(message)
            key = found[1] if found else "layer_types"
            assert key not in inner or key == "layer_types", message
            inner[key] = _KNOWN.get(key, _OTHERS)
            if not found:  # no sliding layer, or a kind that the architecture has not
                kind = "sliding" if "sliding" in str(error.diagnostic) else "linear"
                inner[key] = ["full_attention", f"{kind}_attention"] * (_LAYERS // 2)
        else:
            return config
    raise AssertionError(f"{architecture} is never satisfied")


def config(draw: Draw, folder: Path) -> str:
    """Return the text of a configuration, sound or damaged."""
    chosen = dict(sound(draw(st.sampled_from(sorted(FAMILIES))), folder))
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2, 4]))):
        key = draw(st.sampled_from([*sorted(chosen), *_OPTIONAL]))
        if draw(st.booleans()):
            chosen[key] = draw(st.sampled_from(_DAMAGE))
        else:
            chosen.pop(key, None)
    text = json.dumps(chosen)
    if draw(st.integers(0, 19)) == 0:
        return text[: draw(st.integers(0, len(text)))]
    return text


_OPTIONAL = [
    "torch_dtype", "dtype", "quantization_config", "text_config", "vision_config", "expert_dtype",
    "tie_word_embeddings", "mlp_only_layers", "decoder_sparse_step", "attention_bias", "head_dim",
    "num_nextn_predict_layers", "first_k_dense_replace", "n_shared_experts", "hidden_act",
    "q_lora_rank", "scoring_func", "deepstack_visual_indexes", "architectures", "rope_scaling",
]  # fmt: skip
