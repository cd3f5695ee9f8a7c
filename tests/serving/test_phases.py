"""Instances that prefill or decode alone, the way of the cache, speculation, and images."""

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from specc.cost import StepTable
from specc.ir import (
    Deployment,
    Engine,
    Images,
    Layout,
    Phase,
    Speculative,
    Timing,
    Transfer,
    Vision,
    Workload,
)
from specc.ir.images import image_tokens
from specc.serving import Decode, Prefill, Server, StepLoop
from specc.serving.transfer import CacheSize, CacheTransfer
from tests.cost.test_rules import DEVICE, MODEL

WORKLOAD = Workload(input=1000, output=200)


def _server(workload=WORKLOAD, dp=1, pp=1, phase=Phase.WHOLE, drafted=0, **settings) -> Server:
    model = settings.pop("model", MODEL)
    deployment = Deployment(
        model=model, device=DEVICE, devices=2 * dp * pp, engine=Engine(**settings)
    )
    return Server.of(deployment, Layout(2, pp, dp), workload, phase, drafted)


@given(
    st.integers(1, 2000), st.integers(1, 40), st.sampled_from([1, 2, 4]), st.integers(1, 6),
    st.sampled_from([1, 2]),
)  # fmt: skip
def test_prefill_alone_counted_wave_by_wave(
    prompt: int, batch: int, dp: int, prompts: int, pp: int
) -> None:
    server = _server(Workload(input=prompt, output=1), dp, pp)
    row = Prefill(server, prompts * prompt).evaluate(np.array([batch])).row(0)
    left = batch * dp * pp
    start, done, ends = 0.0, 0.0, []
    while left:
        wave = min(left, prompts * dp)
        step = StepTable.prefilling(-(-wave // dp), prompt, prompt, 128)
        latency = float(server.times(step).total[0])
        done = start + latency
        start += latency / pp
        ends += [done] * wave
        left -= wave
    assert row["ttft"] == pytest.approx(sum(ends) / len(ends))
    assert row["rate"] == pytest.approx(batch * dp * pp / max(ends))
    assert row["throughput"] == pytest.approx(row["rate"] * prompt)
    assert row["tpot"] is None
    assert row["rate"] <= batch * dp * pp / row["ttft"] * (1 + 1e-9)


def test_a_prompt_in_chunks_counts_every_chunk_for_all_before_the_next() -> None:
    """As the reference planner: for each chunk, ⌈C / ⌊budget / q⌋⌉ steps, one after the other."""
    server = _server(Workload(input=5000, output=300))
    row = StepLoop(server, 2048, slack=0.0, decodes=False).evaluate(np.array([5])).row(0)
    clock, last = 0.0, []
    for query, attended in ((2048, 2048), (2048, 4096), (904, 5000)):
        left, room = 5, max(2048 // query, 1)
        while left:
            taken = min(left, room)
            step = StepTable.prefilling(taken, query, attended, 128)
            clock += float(server.times(step).total[0])
            left -= taken
            if attended == 5000:
                last += [clock] * taken
    assert row["ttft"] == pytest.approx(sum(last) / 5)
    assert row["rate"] == pytest.approx(5 / clock)
    assert row["tpot"] is None


def test_the_serving_cost_is_added_to_a_step() -> None:
    cost = 0.004
    plain, slow = _server(), _server(serving_cost=cost)
    batch = np.array([8])
    decode = [Decode(server).evaluate(batch).row(0) for server in (plain, slow)]
    assert decode[1]["tpot"] == pytest.approx(decode[0]["tpot"] + cost)
    prefill = [Prefill(server, 4000).evaluate(batch).row(0) for server in (plain, slow)]
    assert prefill[1]["ttft"] == pytest.approx(prefill[0]["ttft"] + cost)


def test_decode_alone() -> None:
    server = _server(dp=2, pp=2)
    row = Decode(server).evaluate(np.array([8])).row(0)
    step = float(server.times(StepTable.decoding(8, 1000 + 100 + 1, 128)).total[0])
    assert row["concurrency"] == 32
    assert row["tpot"] == pytest.approx(step)
    assert row["throughput"] == pytest.approx(32 / step)
    assert row["rate"] == pytest.approx(32 / (step * 199))
    assert row["ttft"] is None


def test_answers_of_one_token_need_no_decode_and_do_not_divide_by_zero() -> None:
    row = Decode(_server(Workload(input=10, output=1))).evaluate(np.array([4])).row(0)
    assert np.isfinite(row["rate"])


def test_the_cache_takes_latency_and_bytes_over_bandwidth() -> None:
    sender, receiver = _server(phase=Phase.PREFILL), _server(phase=Phase.DECODE)
    caches = CacheSize.of(sender), CacheSize.of(receiver)
    size = caches[0].bytes(1000)
    model = sender.cost.memory_model
    assert size == pytest.approx(1000 * model.kv_token_bytes)

    def waited(transfer: Transfer, prefill: float) -> float:
        return CacheTransfer(transfer, DEVICE, *caches, prefill).time(1000)

    plain = Transfer(bandwidth=5e9, latency=2e-3)
    after = waited(plain, 1.0)
    assert after == pytest.approx(2e-3 + size / 5e9)
    # By default the outermost level: 20 GB/s of which half are reached, 3 µs.
    usual = waited(Transfer(), 1.0)
    assert usual == pytest.approx(3e-6 + size / 10e9)
    free = Transfer(timing=Timing.FREE, bandwidth=5e9)
    assert waited(free, 1.0) == 0
    layerwise = evolve(plain, timing=Timing.LAYERWISE)
    layers = model.model.layers
    behind = waited(layerwise, 1.0)
    assert behind == pytest.approx(2e-3 + size / 5e9 / layers)
    uncovered = waited(layerwise, 0.0)
    assert uncovered == pytest.approx(after)


RATES = Speculative(tokens=(0, 1, 2, 3), acceptance=(0.9, 0.6, 0.4), source="a test")


def test_tokens_of_a_step_are_the_models_own_and_the_accepted() -> None:
    assert [RATES.tokens_per_step(m) for m in range(4)] == pytest.approx([1, 1.9, 2.5, 2.9])


def test_drafting_verifies_and_divides_by_the_accepted() -> None:
    """Step of 1 + m tokens at context input + ⌊output / 2⌋ + 1 + m, over tokens a step."""
    model = evolve(MODEL, draft_layers=1)
    server = _server(model=model, drafted=2, speculative=RATES)
    row = Decode(server).evaluate(np.array([16])).row(0)
    steps = StepTable.decoding(16, 1000 + 100 + 3, 128, 3)
    assert row["tpot"] == pytest.approx(float(server.cost.times(steps).total[0]) / 2.5)
    undrafted = _server(model=model, drafted=0, speculative=RATES)
    plain = Decode(_server(model=model)).evaluate(np.array([16])).row(0)
    assert Decode(undrafted).evaluate(np.array([16])).row(0) == plain


def test_a_draft_model_costs_its_steps_and_its_memory() -> None:
    draft = evolve(MODEL, name="draft", layers=1)
    block = evolve(RATES, draft=draft)
    server = _server(drafted=2, speculative=block)
    assert server.draft is not None
    steps = StepTable.decoding(16, 1103, 128, 3)
    alone = float(server.cost.times(steps).total[0])
    one = float(server.draft.times(StepTable.decoding(16, 1103, 128)).total[0])
    assert float(server.times(steps).total[0]) == pytest.approx(alone + 2 * one, rel=1e-6)
    assert server.weight_bytes > _server().weight_bytes
    assert server.request_bytes > _server().request_bytes
    batch = np.array([16])
    memory = Decode(server).evaluate(batch).row(0)["memory"]
    assert memory["weights"] == server.weight_bytes


def test_nothing_accepted_makes_drafting_a_loss() -> None:
    model = evolve(MODEL, draft_layers=1)
    useless = Speculative(tokens=(1,), acceptance=(0.0,), source="a test")
    batch = np.array([16])
    drafted = Decode(_server(model=model, drafted=1, speculative=useless)).evaluate(batch).row(0)
    assert drafted["tpot"] > Decode(_server(model=model)).evaluate(batch).row(0)["tpot"]


def test_kept_prefixes_take_memory_and_no_time() -> None:
    batch = np.array([16])
    plain, kept = (Decode(_server(prefix_cache=n)).evaluate(batch).row(0) for n in (0, 12_800))
    assert kept["tpot"] == plain["tpot"]
    block_bytes = _server().cost.memory_model.kv_block_bytes
    for name in ("available", "available_at_end"):
        less = plain["memory"][name] - kept["memory"][name]
        assert less == pytest.approx(100 * block_bytes)


SEEING = evolve(
    MODEL,
    vision=Vision(layers=2, hidden_size=64, intermediate_size=128, heads=4, patch_size=14, merge=2),
)


def test_images_add_tokens_to_the_prompt_and_patches_to_prefill() -> None:
    """640 × 480 at 28 pixels a token are 23 × 17 = 391 tokens, of four patches each."""
    workload = evolve(WORKLOAD, images=Images(count=2, width=640, height=480), prefix_hit=0.5)
    assert image_tokens(workload, SEEING) == (2 * 391,)
    server = _server(workload, model=SEEING)
    (shape,) = server.mixture.shapes
    assert (shape.input, shape.cached) == (1000 + 782, 500)
    table = server.mixture.prefill(3, 128)
    assert table.patches[0] == 3 * 2 * 391 * 4
    assert table.patch_pairs[0] == 3 * 2 * (391 * 4) ** 2
    text = evolve(WORKLOAD, input=1782)
    seen = Prefill(server, 4000).evaluate(np.array([1])).row(0)
    read = Prefill(_server(text, model=SEEING), 4000).evaluate(np.array([1])).row(0)
    encoder = evolve(table, prefill=server.mixture.prefill(0, 128).prefill)
    assert encoder.patches[0] > 0
    assert seen["ttft"] != read["ttft"]


def test_images_in_chunks_are_encoded_once() -> None:
    workload = evolve(WORKLOAD, images=Images(count=1, width=640, height=480))
    loop = StepLoop(_server(workload, model=SEEING), 300)
    from specc.serving.loop import Trajectory

    steps = Trajectory(loop, 4).table_of_steps
    first = steps.patches[: len(steps.patches) // 2]
    assert first.sum() == pytest.approx(4 * 391 * 4)
