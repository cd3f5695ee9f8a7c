"""Blocks that hold states: sizes by the formulas of the engines, by hand."""

import attrs
import pytest

from specc import library
from specc.cost import CostModel
from specc.engines import hashed_tokens
from specc.ir import Engine, Layout, Software
from tests.cost.layers.sites import deployed


def _memory(model: str, software: Software | None, tp: int = 1, block: int = 128):
    layout = Layout(tp, 1, 1)
    engine = Engine(software=software, block_size=block)
    return CostModel.of(attrs.evolve(deployed(model, layout), engine=engine), layout).memory_model


# Qwen3-Next: 32 states of 128 x 128 in fp32 and 3 tokens of 8192 channels a layer; a token has two
# heads of 256 for keys and for values.
STATE, TAPS, TOKEN = 32 * 128 * 128 * 4, 3 * 8192 * 2, 2 * 2 * 256 * 2


@pytest.mark.parametrize(
    ("software", "tp", "block", "tokens"),
    [
        (Software.VLLM, 1, 16, 1056),
        (Software.VLLM, 4, 16, 528),
        (Software.VLLM, 1, 128, 1152),
        (Software.VLLM_ASCEND, 1, 128, 2048),
        (Software.VLLM_ASCEND, 4, 128, 1024),
        (Software.SGLANG, 1, 16, 16),
        (None, 1, 16, 1056),
    ],
)
def test_a_block_is_as_large_as_a_state(software, tp: int, block: int, tokens: int) -> None:
    memory = _memory("qwen3_next_80b_a3b", software, tp, block)
    assert memory.block == tokens


def test_what_states_take_of_the_memory_of_an_engine() -> None:
    plain = 36 * (STATE + TAPS)
    assert _memory("qwen3_next_80b_a3b", Software.SGLANG).state_bytes == plain
    vllm = _memory("qwen3_next_80b_a3b", Software.VLLM)
    assert vllm.state_bytes == 36 * vllm.block * TOKEN
    assert plain < vllm.state_bytes < 1.2 * plain
    # On vLLM-Ascend a state lies over keys, and the place of their values stays empty.
    ascend = _memory("qwen3_next_80b_a3b", Software.VLLM_ASCEND)
    assert ascend.state_bytes == 36 * (2 * STATE + TAPS)
    assert ascend.kv_block_bytes == pytest.approx(12 * (2 * STATE + TAPS))
    assert ascend.kv_token_bytes == 12 * TOKEN


@pytest.mark.parametrize("name", ["qwen3_32b", "gpt_oss_20b", "deepseek_v3", "llama4_scout"])
@pytest.mark.parametrize("software", [None, Software.VLLM, Software.VLLM_ASCEND])
def test_blocks_without_states_are_as_asked(name: str, software) -> None:
    memory = _memory(name, software, 8, 64)
    assert memory.block == 64
    assert memory.kv_block_bytes == 64 * memory.kv_token_bytes


def test_a_block_with_latents_holds_a_state_of_kimi_k3() -> None:
    """Heads of 96 / 8 ranks with 128 x 128 states, in blocks of 576 elements a token."""
    memory = _memory("kimi_k3", Software.VLLM, 8)
    state = 12 * 128 * 128 * 4 + 3 * 3 * 12 * 128 * 2
    assert memory.block == 128 * -(-state // (128 * 576 * 2)) == 768
    assert memory.state_bytes == 69 * 768 * 576 * 2


@pytest.mark.parametrize(
    ("hashed", "block", "tokens"),
    [(512, 128, 512), (512, 512, 512), (512, 576, 1024), (16, 1088, 1088), (16, 1090, 1104)],
)
def test_names_of_a_trace_are_joined_until_a_block_fits(hashed, block, tokens) -> None:
    assert hashed_tokens(hashed, block) == tokens


def test_every_recurrent_model_has_states() -> None:
    recurrent = [n for n in library.models() if library.model(n).recurrent_layers]
    assert len(recurrent) >= 14
    for name in recurrent:
        memory = _memory(name, Software.VLLM)
        assert memory.state_bytes > 0
        assert memory.block > 128
