"""Compressed attention: DeepSeek-V4-Flash has one head of 512, 43 layers, a window of 128.

21 layers keep an entry for 4 tokens, with a key of 128 for the indexer; 20 one for 128 tokens; 2
have the window alone.
"""

import attrs
import pytest

from specc.cost.layers.compressed import WindowedCompressedAttention
from specc.ir import Layout
from tests.cost.layers.sites import layers, site


@pytest.mark.parametrize("tp", [1, 8])
def test_a_token_leaves_its_share_of_compressed_entries(tp: int) -> None:
    attention = layers("deepseek_v4_flash", WindowedCompressedAttention)
    # 128 tokens leave 32 entries in a sparse layer, 1 in a dense one.
    of_128_tokens = 21 * 32 * (512 + 128) + 20 * 1 * 512
    assert attention.count * attention.cached_elements(tp) * 128 == pytest.approx(of_128_tokens)


def test_a_sequence_holds_the_window_of_every_layer() -> None:
    attention = layers("deepseek_v4_flash", WindowedCompressedAttention)
    # 128 tokens of the window, and a block of 128, of 512 elements of 2 bytes.
    assert attention.sequence_bytes(site("deepseek_v4_flash")) == 43 * (128 + 128) * 512 * 2


def test_heads_are_divided_and_output_groups_divided_or_copied() -> None:
    attention = layers("deepseek_v4_flash", WindowedCompressedAttention)
    assert attention.tensor_problem(8) == attention.tensor_problem(64) == ""
    assert attention.tensor_problem(3) == "TP = 3 does not divide 64 attention heads"
    assert attention.tensor_problem(128) == "TP = 128 does not divide 64 attention heads"
    assert attention.context_problem(Layout(8, 1, 1, dcp=8)) == ""


def test_output_groups_that_do_not_fit_are_refused() -> None:
    attention = layers("deepseek_v4_flash", WindowedCompressedAttention)
    odd = attrs.evolve(attention, shape=attrs.evolve(attention.shape, output_groups=6))
    assert odd.tensor_problem(2) == ""
    assert odd.tensor_problem(4) == "TP = 4 and 6 output groups do not divide each other"
