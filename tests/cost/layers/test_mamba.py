"""Mamba2: Nemotron 3 Nano has 23 such layers of 52, 64 heads of 64 with 128 states, 8 groups."""

import pytest

from specc import library
from specc.cost.layers.experts import ExpertMlp
from specc.cost.layers.grouped import GroupedAttention
from specc.cost.layers.mamba import StateSpace
from specc.ir import Layout
from tests.cost.layers.sites import layers, site

NANO = "nemotron_3_nano_30b_a3b"


def test_a_sequence_holds_a_state_whatever_its_length() -> None:
    """Nemotron 3 Nano: 49.1 MB a sequence, by the shapes of vLLM's mamba2_state_shape."""
    mamba = layers(NANO, StateSpace)
    assert mamba.count == 23
    assert mamba.cached_elements(1) == 0
    state = 64 * 64 * 128 * 4  # fp32: states of each channel
    taps = 3 * (64 * 64 + 2 * 8 * 128) * 2  # bf16: what is convolved of 3 tokens before
    assert mamba.sequence_bytes(site(NANO)) == 23 * (state + taps) == 49_082_368
    assert mamba.sequence_bytes(site(NANO, Layout(4, 1, 1))) == 23 * (state + taps) / 4


def test_drafts_that_may_be_refused_have_states_of_their_own() -> None:
    """Nemotron 3 Super, which drafts: 1 + 2 states, each with the inputs of 2 tokens more."""
    name = "nemotron_3_super_120b_a12b"
    mamba = layers(name, StateSpace)
    state, channels = 128 * 64 * 128 * 4, 128 * 64 + 2 * 8 * 128
    assert mamba.sequence_bytes(site(name)) == 40 * (state + 3 * channels * 2)
    drafting = mamba.sequence_bytes(site(name, drafted=2))
    assert drafting == 40 * 3 * (state + 5 * channels * 2)


@pytest.mark.parametrize(
    ("tp", "refused"),
    [
        (8, ""),
        (16, "TP = 16 does not divide 8 groups of the state space"),
        (128, "TP = 128 does not divide 64 heads of the state space"),
    ],
)
def test_heads_and_groups_are_divided(tp: int, refused: str) -> None:
    assert layers(NANO, StateSpace).tensor_problem(tp) == refused


def test_a_state_is_not_shared() -> None:
    refused = "DCP and CP need full attention in every layer"
    assert layers(NANO, StateSpace).context_problem(Layout(2, 1, 1, cp=2)) == refused


def test_a_layer_is_one_of_attention_experts_and_a_state() -> None:
    model = library.model(NANO)
    assert layers(NANO, GroupedAttention).count == 6
    assert layers(NANO, ExpertMlp).count == 23
    assert model.dense_layers == 0
    assert model.layers == 6 + 23 + 23
    # In a pipeline stage each kind has its share: they take turns.
    assert layers(NANO, ExpertMlp).in_stage(0, 26) == 23 / 2


def test_weights_of_a_layer_by_hand() -> None:
    """in_proj (gate, x, B, C, step), convolution with bias, A, D, bias of step, norm, out_proj."""
    wide, groups = 64 * 64, 8 * 128
    by_hand = 2688 * (2 * wide + 2 * groups + 64) + 5 * (wide + 2 * groups) + 3 * 64 + wide
    by_hand += wide * 2688
    mamba = layers(NANO, StateSpace)
    weights = sum(op.parameters for op in mamba.operators(site(NANO)) if op.repeat == 23)
    assert weights == by_hand + 2688 == library.model(NANO).mamba.parameters(2688) + 2688  # a norm


def test_its_kernels_count_as_assumed() -> None:
    scans = [op for op in layers(NANO, StateSpace).operators(site(NANO)) if op.assumed]
    assert [op.name for op in scans] == ["prefill_mamba", "decode_mamba"]
