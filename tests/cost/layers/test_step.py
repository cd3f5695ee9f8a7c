"""The step as a whole: its kinds, in their order, and what lies around the layers."""

import pkgutil
from importlib import import_module

import pytest

from specc import library
from specc.cost import layers as layers_package
from specc.cost.layers import LAYERS, layers_of, operators
from specc.cost.models import describe
from specc.cost.reference.layers import PLANNER_LAYERS
from specc.ir import Layout
from specc.ir.model import LAYER_KINDS
from tests.cost.layers.sites import ONE, site


def _names(model: str, layout: Layout = ONE, drafted: int = 0) -> list[str]:
    step = operators(site(model, layout, drafted), layers_of(library.model(model)))
    return [op.name for op in step]


def test_every_file_that_names_a_kind_is_in_the_vocabulary() -> None:
    files = [found.name for found in pkgutil.iter_modules(layers_package.__path__)]
    named = {n for n in files if hasattr(import_module(f"specc.cost.layers.{n}"), "KIND")}
    assert named == set(LAYER_KINDS)
    assert len(set(LAYERS)) == len(LAYERS)


def test_the_planner_replaces_kinds_and_adds_none() -> None:
    assert all(issubclass(own, kind) for own, kind in zip(PLANNER_LAYERS, LAYERS, strict=True))
    replaced = {kind.__name__ for kind in set(LAYERS) - set(PLANNER_LAYERS)}
    assert replaced == {"Embedding", "MultiHeadLatentAttention", "ExpertMlp", "Head"}


@pytest.mark.parametrize("name", ["qwen3_vl_8b", "gpt_oss_20b", "qwen3_next_80b_a3b", "glm_4_7"])
def test_layers_of_all_kinds_together_are_those_of_the_model(name: str) -> None:
    facts = describe(library.model(name))
    kinds = ("full_attention_layers", "sliding_layers", "linear_attention_layers")
    assert sum(facts[kind] for kind in kinds) == facts["layers"]


def test_a_step_begins_with_images_and_ends_with_a_prediction() -> None:
    names = _names("qwen3_vl_8b", Layout(2, 2, 1))
    assert names[0] == "patch_embedding"
    assert names[-5:] == ["stage_send", "final_norm", "last_token", "lm_head", "logits_all_gather"]
    assert names.index("embedding") < names.index("qkv") < names.index("gate_up")


def test_a_draft_layer_is_a_layer_of_the_model() -> None:
    plain, drafting = _names("deepseek_v3"), _names("deepseek_v3", drafted=2)
    assert drafting[: len(plain)] == plain
    one, two = (
        [n.removeprefix(p) for n in drafting[len(plain) :] if n.startswith(p)]
        for p in ("draft_1_", "draft_2_")
    )
    assert one == two
    assert {"key_up", "decode_attention", "experts", "lm_head"} <= set(one)
    assert "gate_up" not in one  # experts instead of the dense MLP of the first layers
