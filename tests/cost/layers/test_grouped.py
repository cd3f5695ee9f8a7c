"""Grouped-query attention: Qwen3-32B has 64 query heads, 8 key-value heads of 128, 64 layers."""

import pytest

from specc.cost import CostModel
from specc.cost.layers.grouped import GroupedAttention
from specc.ir import Layout
from tests.cost.layers.sites import ONE, deployed, layers


def test_a_token_leaves_a_key_and_a_value_of_each_head() -> None:
    attention = layers("qwen3_32b", GroupedAttention)
    assert attention.count == 64
    assert attention.cached_elements(1) == 2 * 8 * 128
    assert attention.cached_elements(4) == 2 * 2 * 128
    # 8 heads on 16 ranks: each rank has a copy of one.
    assert attention.cached_elements(8) == attention.cached_elements(16) == 2 * 128


def test_keys_and_values_may_differ_in_width() -> None:
    # MiMo-V2-Flash: 4 key-value heads, keys of 192, values of 128; 9 of 48 layers are full.
    attention = layers("mimo_v2_flash", GroupedAttention)
    assert attention.count == 9
    assert attention.cached_elements(1) == 4 * 192 + 4 * 128


# KV cache of a token in bf16, in KB: Insights into DeepSeek-V3 (arXiv 2505.09343), table 1.
@pytest.mark.parametrize(
    ("model", "published"), [("qwen2_5_72b", 327.68), ("llama3_1_405b", 516.096)]
)
def test_the_cache_of_a_token_is_the_published_one(model: str, published: float) -> None:
    memory = CostModel.of(deployed(model), ONE).memory_model
    assert memory.kv_token_bytes == pytest.approx(published * 1000)


# As engines assert it: tp divides the query heads, and the key-value heads unless they divide it.
@pytest.mark.parametrize(
    ("model", "tp", "refused"),
    [
        ("qwen3_32b", 8, ""),
        ("qwen3_32b", 64, ""),
        ("qwen3_32b", 3, "TP = 3 does not divide 64 attention heads"),
        ("qwen3_32b", 128, "TP = 128 does not divide 64 attention heads"),
        ("qwen2_5_7b", 4, ""),  # 28 query heads, 4 key-value heads
        ("qwen2_5_7b", 8, "TP = 8 does not divide 28 attention heads"),
        ("qwen2_5_7b", 7, "TP = 7 and 4 key-value heads do not divide each other"),
    ],
)
def test_heads_are_divided_or_copied(model: str, tp: int, refused: str) -> None:
    assert layers(model, GroupedAttention).tensor_problem(tp) == refused


def test_a_context_is_shared_by_ranks_with_copies() -> None:
    attention = layers("qwen3_32b", GroupedAttention)
    assert attention.context_problem(Layout(16, 1, 1, dcp=2)) == ""  # 16 ranks, 8 heads
    assert attention.context_problem(Layout(8, 1, 1, dcp=2)) == (
        "DCP = 2 shares copies of key-value heads, and TP = 8 makes 1 of each"
    )
    assert attention.context_problem(Layout(8, 1, 1, cp=2)) == ""


def test_the_rotary_tables_are_buffers() -> None:
    # Cosine and sine in 16 bit for each of 40960 positions of a head of 128.
    assert layers("qwen3_32b", GroupedAttention).buffer_bytes() == 2 * 2 * 40_960 * 128


def test_draft_layers_have_a_cache_of_their_own() -> None:
    layout = Layout(8, 1, 1, ep=8)
    built = deployed("glm_4_7", layout)  # 92 layers, 8 key-value heads of 128
    plain, drafting = (CostModel.of(built, layout, drafted) for drafted in (0, 1))
    assert plain.memory_model.kv_token_bytes == 92 * 2 * 128 * 2
    assert drafting.memory_model.kv_token_bytes == 93 * 2 * 128 * 2
