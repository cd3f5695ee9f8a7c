"""Multi-head latent attention: DeepSeek-V3 has 128 heads, a latent of 512 and 64 rotated."""

import pytest

from specc.cost import CostModel
from specc.cost.layers.latent import MultiHeadLatentAttention
from specc.ir import Layout
from tests.cost.layers.sites import deployed, layers, site


@pytest.mark.parametrize("tp", [1, 8, 128])
def test_every_rank_caches_the_latent_and_the_rotated_key(tp: int) -> None:
    assert layers("deepseek_v3", MultiHeadLatentAttention).cached_elements(tp) == 512 + 64
    # DeepSeek-V3.2 caches a key of 128 for its indexer, too.
    assert layers("deepseek_v3_2", MultiHeadLatentAttention).cached_elements(tp) == 512 + 64 + 128


def test_the_cache_of_a_token_is_the_published_one() -> None:
    layout = Layout(8, 1, 1, moe_tp=8)
    memory = CostModel.of(deployed("deepseek_v3", layout), layout).memory_model
    # 70.272 KB a token in bf16: Insights into DeepSeek-V3 (arXiv 2505.09343), table 1.
    assert memory.kv_token_bytes == 70_272


def test_query_heads_are_divided_and_latents_copied() -> None:
    attention = layers("deepseek_v3", MultiHeadLatentAttention)
    assert attention.tensor_problem(128) == ""
    assert attention.tensor_problem(3) == "TP = 3 does not divide 128 attention heads"
    assert attention.tensor_problem(256) == "TP = 256 does not divide 128 attention heads"
    assert attention.context_problem(Layout(8, 1, 1, dcp=8)) == ""  # 8 ranks, 8 copies
    assert attention.context_problem(Layout(6, 1, 1, dcp=4)) != ""


def test_the_absorbed_projections_are_copied() -> None:
    attention, whole = layers("deepseek_v3", MultiHeadLatentAttention), site("deepseek_v3")
    # Keys and values of 128 heads of 128 from 512, in 16 bit, in each of 61 layers.
    copies = 2 * 61 * 512 * 128 * (128 + 128)
    assert attention.workspace_bytes(whole) == copies + 200_000_000
