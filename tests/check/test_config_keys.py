"""Every key of a model's configuration counts, is known to be harmless, or is an error."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from specc.check.huggingface import FAMILIES, read_config
from specc.check.huggingface.keys import (
    HARMLESS,
    HARMLESS_IN_ENCODERS,
    HARMLESS_IN_POSITIONS,
)
from specc.check.problems import ProblemError
from specc.diagnostics import Source, Span
from specc.session import Session
from specc.workspace import Workspace
from tests.conftest import REFERENCE

CONFIGS = REFERENCE / "model_configs"
SPAN = Span(Source("plan.spec", "config"), 0, 1)
PLACES = (
    (),
    ("rope_scaling",),
    ("text_config",),
    ("text_config", "rope_scaling"),
    ("text_config", "rope_parameters"),
    ("text_config", "linear_attn_config"),
    ("text_config", "sparse_attention_config"),
    ("vision_config",),
)

# Keys without which the class of the model has the same value, by transformers; those that say
# again what others say; and those that say which of the published values holds, the only one.
OPTIONAL = {
    "add_full_attention_sink_bias",
    "attention_bias",
    "attention_chunk_size",
    "attention_output_gate",
    "attn_output_gate",
    "decoder_sparse_step",
    "deepstack_visual_indexes",
    "dtype",
    "enable_moe_block",
    "expert_dtype",
    "experts_per_token",
    "first_k_dense_replace",
    "full_attention",
    "full_attention_interval",
    "global_head_dim",
    "hc_mult",
    "head_dim",
    "hidden_act",
    "hidden_activation",
    "in_channels",
    "index_share_for_mtp_iteration",
    "index_topk_freq",
    "indexer_types",
    "language_model_only",
    "layer_types",
    "mamba_hidden_act",
    "mamba_proj_bias",
    "mamba_ssm_cache_dtype",
    "mamba_ssm_dtype",
    "merge_kernel_size",
    "mla_use_nope",
    "mlp_bias",
    "mlp_hidden_act",
    "mlp_layer_types",
    "mlp_only_layers",
    "moe_layer_freq",
    "moe_router_activation_func",
    "mtp_layers_block_type",
    "mtp_transformer_layers",
    "mtp_use_dedicated_embeddings",
    "n_shared_experts",
    "num_hash_layers",
    "num_hidden_layers",
    "num_kv_shared_layers",
    "num_nextn_predict_layers",
    "out_hidden_size",
    "output_gate_type",
    "qk_head_dim",
    "qk_norm_type",
    "qk_rope_head_dim",
    "rope_parameters",
    "rope_scaling",
    "scoring_func",
    "shared_intermediate_size",
    "sliding_attention",
    "sliding_window_size",
    "sparse_disable_index_value",
    "sparse_init_block",
    "sparse_local_block",
    "sparse_score_type",
    "text_hidden_size",
    "tie_word_embeddings",
    "torch_dtype",
    "use_bias",
    "use_conv_bias",
    "use_double_wide_mlp",
    "use_mrope",
    "use_sliding_window",
    "use_sparse_attention",
    # Of how positions are scaled.
    "factor",
    "original_max_position_embeddings",
    "rope_type",
    "type",
}


KNOWN = {
    "linear_attn_config": {"gate_lower_bound"},
    "vision_config": HARMLESS | HARMLESS_IN_ENCODERS,
    "rope_scaling": HARMLESS_IN_POSITIONS,
    "rope_parameters": HARMLESS_IN_POSITIONS,
}
# A width of MLPs, of a model whose layers have experts and none of these; and of layers that share
# a cache, of a model that has none.
UNREAD = {
    "Gemma-4-31B-IT-NVFP4": {"use_double_wide_mlp"},
    "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": {"intermediate_size"},
    "NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16": {"intermediate_size"},
}
# YaRN sets the longest context, whatever is said beside it; other ways do not read a factor.
SUPERSEDED = {"max_position_embeddings", "factor", "original_max_position_embeddings"}


def plain(value: Any) -> Any:
    return attrs.asdict(value) if attrs.has(type(value)) else value


def read(folder: Path, config: dict[str, Any]) -> dict[str, Any] | None:
    """Return the fields of a model; None if the configuration is refused."""
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    try:
        found = read_config(Workspace(folder), path, SPAN)
    except ProblemError:
        return None
    return {name: plain(value) for name, value in found.items()}


def other(value: Any) -> Any:
    """Return another value of the same type."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value * 2 + 1
        case str():
            return value + "x"
        case list():
            return [*value, *(value[-1:] or [0])]
        case dict():
            return {"other": 1}
        case _:
            return 7


def of_another_type(value: Any) -> Any:
    return "7x" if isinstance(value, int | float) and not isinstance(value, bool) else 7


def mutations(config: dict[str, Any], place: tuple[str, ...], key: str) -> Iterator[Any]:
    """Yield the ways in which a key is damaged, each with its name."""
    for name in ("removed", "renamed", "type", "value"):
        damaged = copy.deepcopy(config)
        inner = damaged
        for part in place:
            inner = inner[part]
        value = inner.pop(key)
        if value is None and name in ("removed", "renamed"):
            continue  # null is as if it were not there
        if name == "renamed":
            inner[f"{key}_x"] = value
        elif name != "removed":
            inner[key] = other(value) if name == "value" else of_another_type(value)
        yield name, damaged


@pytest.mark.skipif(not CONFIGS.is_dir(), reason="the published configurations are not here")
@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.json")) or ["none"])
def test_no_key_is_silent(name: str, tmp_path: Path) -> None:
    """Each is removed, renamed, given another type and another value."""
    config = json.loads((CONFIGS / f"{name}.json").read_text())
    expected = read(tmp_path, config)
    assert expected is not None
    harmless = HARMLESS | set(FAMILIES[config["architectures"][0]].harmless)
    tried = 0
    for place in PLACES:
        inner = config
        for part in place:
            inner = inner.get(part) or {}
        if not isinstance(inner, dict) or harmless & set(place):
            continue
        known = KNOWN.get(place[-1] if place else "", harmless)
        for key in set(inner) - known - {"text_config", *(UNREAD.get(name, ()))}:
            for damage, damaged in mutations(config, place, key):
                found = read(tmp_path, damaged)
                tried += 1
                if found is None or found != expected:
                    continue
                if damage == "removed":
                    assert key in OPTIONAL, (key, inner[key])
                else:
                    assert key in SUPERSEDED, (key, damage)
    assert tried > 40


def test_harmless_keys_have_one_place() -> None:
    for architecture, family in FAMILIES.items():
        assert not HARMLESS & set(family.harmless), architecture


BASE = {
    "architectures": ["Qwen3ForCausalLM"],
    "hidden_act": "silu",
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "max_position_embeddings": 40960,
    "num_attention_heads": 32,
    "num_hidden_layers": 4,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151936,
    "torch_dtype": "bfloat16",
}


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        ({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}, 131072),
        ({"type": "yarn", "factor": 2, "original_max_position_embeddings": 40960}, 81920),
        ({"type": "yarn", "factor": 2}, 81920),
        ({"rope_type": "linear", "factor": 2.0}, 81920),
        ({"type": "dynamic", "factor": 3.0}, 122880),
        ({"rope_type": "llama3", "factor": 8.0}, 40960),
        ({"rope_type": "default", "rope_theta": 1e6}, 40960),
        (None, 40960),
        ({"rope_type": "spiral", "factor": 2.0}, None),
        ({"rope_type": "yarn", "factor": "4"}, None),
        ({"rope_type": "yarn", "factor": -1}, None),
        ([4], None),
    ],
)
@pytest.mark.parametrize("key", ["rope_scaling", "rope_parameters"])
def test_positions_are_scaled_as_engines_do(key, scaling, expected, tmp_path: Path) -> None:
    found = read(tmp_path, {**BASE, key: scaling})
    assert (found and found["max_positions"]) == expected


def model(folder: Path, config: dict[str, Any], fields: str = "") -> Session:
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "plan.spec").write_text(
        f'use std.devices\nmodel mine {{ config = "config.json"; {fields} }}\n'
        "workload w { input = 1Ki tok; output = 8 tok }\n"
        "deployment d { model = mine; device = h200; devices = 1 }\n"
        "study s { workload = w; deployments = d }\n"
    )
    return Session(folder / "plan.spec")


def test_an_unknown_key_is_named_with_what_to_do(tmp_path: Path) -> None:
    config = {**BASE, "sparse_blocks": 16, "attention_window_pattern": "LG", "nothing": None}
    (problem,) = model(tmp_path, config).diagnostics
    assert problem.code == "E0004"
    assert "'sparse_blocks', 'attention_window_pattern'" in problem.message
    assert "nothing" not in problem.message
    ignore = 'ignore = ["sparse_blocks", "attention_window_pattern"]'
    assert ignore in problem.help
    assert model(tmp_path, config, ignore).diagnostics == []


def test_what_is_ignored_does_not_count(tmp_path: Path) -> None:
    """Also a key that is known, with a value that has no rule."""
    config = {**BASE, "use_sliding_window": True}
    (problem,) = model(tmp_path, config).diagnostics
    assert 'ignore = ["use_sliding_window"]' in problem.help
    assert model(tmp_path, config, 'ignore = ["use_sliding_window"]').diagnostics == []
    scaling = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
    found = model(tmp_path, {**BASE, "rope_scaling": scaling}, 'ignore = ["rope_scaling"]')
    assert found.document.studies[0].deployments[0].model.max_positions == 40960


def test_a_key_to_ignore_must_be_there(tmp_path: Path) -> None:
    (problem,) = model(tmp_path, BASE, 'ignore = ["hidden_sise"]').diagnostics
    assert problem.code == "E0004"
    assert "has no key 'hidden_sise' to ignore" in problem.message
    assert "did you mean 'hidden_size'?" in problem.help


@pytest.mark.parametrize(
    "change",
    [
        {"layer_types": ["full_attention"] * 3},
        {"layer_types": ["full_attention"] * 3 + ["sliding_attention"]},
        {"dtype": "float16"},
        {"tie_word_embeddings": "yes"},
        {"quantization_config": "fp8"},
    ],
)
def test_what_contradicts_itself_is_refused(change, tmp_path: Path) -> None:
    assert read(tmp_path, BASE) is not None
    assert read(tmp_path, {**BASE, **change}) is None


def test_layers_that_share_an_indexer(tmp_path: Path) -> None:
    """Field case shared-indexers: GLM-5.2 has 21 indexers, 93.0 KiB a token."""
    path = REFERENCE.parent / "field_cases" / "shared-indexers" / "config.json"
    if not path.is_file():
        pytest.skip("the field cases are not here")
    from specc import library
    from specc.cost.models import describe

    own = library.model_from_config(path)
    assert own.indexing_layers == own.indexer.layers == 21
    facts = describe(own)
    assert facts["kv_bytes_per_token"] / 1024 == pytest.approx(93.0)
    whole = attrs.evolve(own, indexer=attrs.evolve(own.indexer, layers=0))
    assert describe(whole)["kv_bytes_per_token"] / 1024 == pytest.approx(107.25)
    assert (whole.parameters - own.parameters) / 1e9 == pytest.approx(0.53, abs=0.01)


@pytest.mark.parametrize(
    ("every", "offset", "layers", "expected"),
    [(4, 3, 78, 21), (1, None, 78, 0), (4, 1, 8, 2), (2, 2, 5, 3)],
)
def test_indexers_by_their_frequency(every, offset, layers, expected) -> None:
    from specc.check.huggingface.config import ConfigFile
    from specc.check.huggingface.families.deepseek import _indexing_layers

    values = {"num_hidden_layers": layers, "index_topk_freq": every}
    values |= {} if offset is None else {"index_skip_topk_offset": offset}
    assert _indexing_layers(ConfigFile(values, "config.json", SPAN)) == expected
