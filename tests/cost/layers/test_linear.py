"""Linear attention: Qwen3-Next has 36 gated delta nets, 16 key and 32 value heads of 128.

Kimi-K3 has 69 layers of KDA, 96 heads of 128, Kimi-Linear 20 of 32 heads with gates of low rank.
"""

import attrs
import pytest

from specc import library
from specc.cost.layers.linear import GatedLinearAttention
from specc.ir import Decay, Layout
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


@pytest.mark.parametrize(
    ("model", "count", "heads"), [("kimi_k3", 69, 96), ("kimi_linear_48b_a3b", 20, 32)]
)
def test_a_state_of_kda_by_hand(model: str, count: int, heads: int) -> None:
    """By vLLM's kda_state_shape: 449 MB a sequence of Kimi-K3."""
    attention = layers(model, GatedLinearAttention)
    state, taps = heads * 128 * 128 * 4, 3 * (3 * heads * 128) * 2
    assert attention.count == count
    assert attention.sequence_bytes(site(model)) == count * (state + taps)
    if model == "kimi_k3":
        assert count * (state + taps) == 449_372_160


def test_weights_of_kda_by_hand() -> None:
    """Queries, keys, values; decays by a rank of 128; strengths; gate; taps; norm; output."""
    for model, hidden, heads, gate in (
        ("kimi_k3", 7168, 96, 7168 * 96 * 128),
        ("kimi_linear_48b_a3b", 2304, 32, 128 * (2304 + 32 * 128)),
    ):
        wide = heads * 128
        decay = 128 * (hidden + wide) + wide + heads
        by_hand = 3 * hidden * wide + decay + hidden * heads + gate + 4 * 3 * wide + 128
        by_hand += wide * hidden
        attention = layers(model, GatedLinearAttention)
        assert attention.shape.parameters(hidden) == by_hand
        held = sum(op.parameters for op in attention.operators(site(model)))
        assert held == by_hand + hidden  # and the norm before it


def test_lightning_attention_has_no_taps_and_rates() -> None:
    """As Ling 2.5: queries, keys, values, a gate, a norm and the output."""
    linear = library.model("kimi_linear_48b_a3b").linear
    fixed = attrs.evolve(linear, decay=Decay.FIXED, convolution=0, gate_rank=0)
    wide = 32 * 128
    assert fixed.parameters(2304) == 5 * 2304 * wide + 128
    model = attrs.evolve(library.model("kimi_linear_48b_a3b"), linear=fixed)
    attention = GatedLinearAttention.of(model)
    where = attrs.evolve(site("kimi_linear_48b_a3b"), model=model)
    names = [op.name for op in attention.operators(where)]
    assert "linear_convolution" not in names
    assert "linear_decay" not in names
    assert attention.sequence_bytes(where) == 20 * 32 * 128 * 128 * 4


def test_kernels_of_a_delta_net_were_measured_and_others_are_assumed() -> None:
    for model, assumed in (("qwen3_next_80b_a3b", False), ("kimi_k3", True)):
        operators = layers(model, GatedLinearAttention).operators(site(model))
        assert any(op.assumed for op in operators) is assumed
