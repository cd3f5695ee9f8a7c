"""Gated linear attention: Qwen3-Next has 36 such layers, 16 key and 32 value heads of 128."""

from specc.cost.layers.linear import GatedLinearAttention
from specc.ir import Layout
from tests.cost.layers.sites import layers, site


def test_a_sequence_holds_a_state_whatever_its_length() -> None:
    attention = layers("qwen3_next_80b_a3b", GatedLinearAttention)
    assert attention.count == 36
    assert attention.cached_elements(1) == 0
    state = 32 * 128 * 128 * 4  # fp32: a matrix of keys times values for each value head
    taps = 3 * (2 * 16 * 128 + 32 * 128) * 2  # bf16: queries, keys, values of 3 tokens before
    assert attention.sequence_bytes(site("qwen3_next_80b_a3b")) == 36 * (state + taps)
    split = site("qwen3_next_80b_a3b", Layout(8, 1, 1))
    assert attention.sequence_bytes(split) == 36 * (state + taps) / 8


def test_key_heads_are_divided_and_states_not_shared() -> None:
    attention = layers("qwen3_next_80b_a3b", GatedLinearAttention)
    assert attention.tensor_problem(16) == ""
    assert attention.tensor_problem(32) == "TP = 32 does not divide 16 heads of linear attention"
    refused = "DCP and CP need full attention in every layer"
    assert attention.context_problem(Layout(2, 1, 1, cp=2)) == refused
    assert attention.context_problem(Layout(2, 1, 1)) == ""
