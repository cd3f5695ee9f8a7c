"""Sliding windows: gpt-oss-20b has 12 such layers of 24, a window of 128, 8 heads of 64."""

from specc.cost import CostModel
from specc.cost.layers.grouped import GroupedAttention
from specc.cost.layers.sliding import SlidingAttention
from specc.ir import Engine, Layout
from tests.cost.layers.sites import ONE, deployed, layers, site


def test_a_sequence_holds_the_blocks_of_its_windows() -> None:
    attention = layers("gpt_oss_20b", SlidingAttention)
    assert attention.cached_elements(1) == 0  # nothing that grows
    # 128 tokens lie in 2 blocks of 128 at most; a token has 2 · 8 · 64 elements of 2 bytes.
    assert attention.sequence_bytes(site("gpt_oss_20b")) == 12 * (2 * 128) * (2 * 8 * 64) * 2
    split = site("gpt_oss_20b", Layout(4, 1, 1))
    assert attention.sequence_bytes(split) == 12 * (2 * 128) * (2 * 2 * 64) * 2
    small = site("gpt_oss_20b", engine=Engine(block_size=16))  # 8 blocks of 16, and one
    assert attention.sequence_bytes(small) == 12 * (9 * 16) * (2 * 8 * 64) * 2


def test_the_other_layers_are_full() -> None:
    assert layers("gpt_oss_20b", GroupedAttention).count == 12
    cost = CostModel.of(deployed("gpt_oss_20b"), ONE)
    assert cost.memory_model.kv_token_bytes == 12 * (2 * 8 * 64) * 2
    names = {op.name for op in cost.operators}
    assert {"decode_attention", "sliding_decode_attention"} <= names


def test_heads_are_divided_and_windows_not_shared() -> None:
    attention = layers("gpt_oss_20b", SlidingAttention)
    assert attention.tensor_problem(8) == ""
    assert attention.tensor_problem(3) == "TP = 3 does not divide 64 sliding-window heads"
    refused = "DCP and CP need full attention in every layer"
    assert attention.context_problem(Layout(16, 1, 1, dcp=2)) == refused
    assert attention.context_problem(Layout(4, 1, 1, cp=2)) == refused
    assert attention.context_problem(Layout(4, 1, 1)) == ""
