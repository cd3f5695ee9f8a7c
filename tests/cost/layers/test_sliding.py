"""Sliding windows: gpt-oss-20b has 12 such layers of 24, a window of 128, 8 heads of 64."""

import pytest

from specc.cost import CostModel
from specc.cost.layers.grouped import GroupedAttention
from specc.cost.layers.sliding import SlidingAttention
from specc.cost.steps import StepTable
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


def _seen_in_chunks(new: int, context: int, chunk: int) -> float:
    """What queries see by hand: in the first chunk all before, then half a chunk on average."""
    seen = 0.0
    for position in range(context - new + 1, context + 1):
        seen += position if position <= chunk else (chunk + 1) / 2
    return seen


@pytest.mark.parametrize(
    ("new", "context"), [(1, 1), (1, 8192), (1, 8193), (1, 50_000), (700, 8500), (9000, 20_000)]
)
def test_a_window_that_begins_anew(new: int, context: int) -> None:
    """Llama 4: chunks of 8192 in 36 of 48 layers."""
    chunked = layers("llama4_scout", SlidingAttention)
    ops = {op.name: op for op in chunked.operators(site("llama4_scout"))}
    steps = StepTable.prefilling(2, new, context, 128)
    demand = ops["chunked_prefill_attention"].demand(steps)
    assert demand.causal_pairs[0] == pytest.approx(2 * _seen_in_chunks(new, context, 8192))
    # Over whole chunks the mean is exact: a query at p sees (p - 1) mod 8192 + 1 tokens.
    whole = StepTable.prefilling(1, 3 * 8192, 3 * 8192, 128)
    exact = 3 * sum(range(1, 8193))
    assert ops["chunked_prefill_attention"].demand(whole).causal_pairs[0] == pytest.approx(exact)


def test_a_short_sequence_holds_what_it_has() -> None:
    """Windows of 8192 tokens: a sequence of 1024 caches 1024 tokens in every layer."""
    layout = Layout(1, 1, 1)
    memory = CostModel.of(deployed("llama4_scout", layout), layout).memory_model
    token = 2 * 8 * 128 * 2
    assert float(memory.cache.bytes(8, 1)) == 48 * 1024 * token
    assert float(memory.cache.bytes(1000, 1)) == 12 * 128_000 * token + 36 * 64 * 128 * token
    # As many sequences as there are share no window.
    assert float(memory.cache.bytes(8000, 8)) == 8 * float(memory.cache.bytes(1000, 1))


@pytest.mark.parametrize("model", ["llama4_scout", "gemma_4_31b", "qwen3_next_80b_a3b", "qwen3_8b"])
@pytest.mark.parametrize("blocks", [0.0, 3.0, 65.0, 66.0, 4000.0, 1e6])
def test_blocks_that_fit_fill_the_memory(model: str, blocks: float) -> None:
    """How many fit into the bytes of so many is that many."""
    layout = Layout(1, 1, 1)
    memory = CostModel.of(deployed(model, layout), layout).memory_model
    for sequences in (1, 7, 300):
        free = float(memory.cache.bytes(blocks, sequences))
        assert memory.cache.blocks_in(free, sequences) == pytest.approx(blocks, rel=1e-9, abs=1e-6)
