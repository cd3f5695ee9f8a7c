"""Multi-head latent attention: DeepSeek-V3 has 128 heads, a latent of 512 and 64 rotated."""

import pytest

from specc.calibration.setting import Setting, deployment
from specc.cost import CostModel, StepTable
from specc.cost.layers.latent import MultiHeadLatentAttention
from specc.cost.operators.attention import Attention, AttentionPhase
from specc.ir import Layout, Software
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


@pytest.mark.parametrize(
    ("software", "device", "shares"),
    [
        (Software.VLLM_ASCEND, "atlas_800_a3_752t_die", True),
        (Software.SGLANG, "atlas_800_a3_752t_die", True),
        (Software.CANN_RECIPES, "atlas_800_a3_752t_die", True),
        (Software.MINDIE, "atlas_800_a3_752t_die", False),
        (None, "atlas_800_a3_752t_die", False),
        (Software.SGLANG, "h200", False),
        (Software.VLLM, "h200", False),
    ],
)
def test_ranks_share_the_prompts_that_an_indexer_scores(software, device, shares) -> None:
    """On NPUs a rank scores its part of the queries, and all get what each has picked."""
    quant = "fp8" if device == "h200" else "w8a8_dynamic"
    given = deployment(Setting("deepseek_v3_2", device, 16, quant, software=software))
    cost = CostModel.of(given, Layout(8, 1, 2, ep=16))
    prompt = StepTable.prefilling(1, 8000, 64_000, 128)
    found = {op.name: (op, op.work(prompt)) for op in cost.operators}
    scores = 2 * 64 * 128 * 8000 * 64_000  # 64 heads of 128, all pairs
    part = 8 if shares else 1
    assert found["prefill_index_scores"][1].matrix_flop[0] == pytest.approx(scores / part)
    assert ("index_all_gather" in found) is shares
    if shares:
        gathered = found["index_all_gather"][0]
        assert gathered.held_bytes(prompt)[0] == pytest.approx(8000 * 2048 * 4 / 8)
    step = StepTable.decoding(4, 64_000, 128)
    decode = next(op for op in cost.operators if op.name == "decode_index_scores")
    assert decode.work(step).matrix_flop[0] == pytest.approx(2 * 64 * 128 * 4 * 64_000)


def test_scores_alone_cost_half_of_attention() -> None:
    """An indexer has keys and no values: half of the products of attention of the same heads."""
    given = deployment(Setting("deepseek_v3_2", "atlas_800_a3_752t_die", 16, "w8a8_dynamic"))
    rules = CostModel.of(given, Layout(8, 1, 2, ep=16)).rules
    shape = {"name": "a", "repeat": 1, "phase": AttentionPhase.PREFILL, "heads": 64, "kv_heads": 1,
             "key_dim": 128, "cached_width": 128, "kv_bytes": 2,
             "kind": AttentionPhase.PREFILL.kind}  # fmt: skip
    prompt = StepTable.prefilling(1, 32_000, 32_000, 128)
    alone, both = (
        rules.time(Attention(value_dim=width, **shape), prompt).total[0] for width in (0, 128)
    )
    assert alone == pytest.approx(both / 2, rel=0.1)
