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
    config: dict[str, Any] = {"architectures": [architecture]}
    for _ in range(60):
        path.write_text(json.dumps(config))
        try:
            read_config(Workspace(folder), path, span)
        except ProblemError as error:
            message = error.diagnostic.message
            found = _MISSING.match(message)
            key = found[1] if found else "layer_types"
            assert key not in config or key == "layer_types", message
            config[key] = _KNOWN.get(key, _OTHERS)
            if not found:  # no sliding layer, or a kind that the architecture has not
                kind = "sliding" if "sliding" in str(error.diagnostic) else "linear"
                config[key] = ["full_attention", f"{kind}_attention"] * (_LAYERS // 2)
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
