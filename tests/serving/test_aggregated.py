"""The closed form against a plain loop over waves and requests, and its memory."""

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from specc.cost import StepTable
from specc.ir import Deployment, Engine, Layout, Workload
from specc.serving import Aggregated, Server, automatic_budgets, choose_budget
from specc.serving.waves import full_wave_memory
from tests.cost.test_rules import DEVICE, MODEL


def _server(workload: Workload, dp: int) -> Server:
    engine = Engine(reserved_memory=2 * 2**30)
    deployment = Deployment(model=MODEL, device=DEVICE, devices=2 * dp, engine=engine)
    return Server.of(deployment, Layout(2, 1, dp), workload)


def _serving(workload: Workload, dp: int, budget: int) -> Aggregated:
    return Aggregated(_server(workload, dp), budget)


def _by_waves(serving: Aggregated, batch: int) -> tuple[float, float]:
    """TTFT and end-to-end time, counted request by request."""
    (w,), dp, cost = serving.server.mixture.shapes, serving.server.layout.dp, serving.server.cost
    left = batch * dp
    clock, first_tokens = 0.0, []
    while left:
        wave = min(left, serving.budget * dp // w.new)
        fullest = -(-wave // dp)
        step = StepTable.prefilling(fullest, w.new, w.input, 128)
        clock += cost.times(step).total[0]
        first_tokens += [clock] * wave
        left -= wave
    ttft = sum(first_tokens) / len(first_tokens)
    decode = StepTable.decoding(batch, w.input + w.output // 2 + 1, 128)
    return ttft, ttft + cost.times(decode).total[0] * w.output


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 3000),
    st.integers(1, 500),
    st.sampled_from([0.0, 0.3, 0.99]),
    st.sampled_from([1, 2, 4]),
    st.sampled_from([1, 2, 4]),
    st.lists(st.integers(1, 200), min_size=1, max_size=4),
)
def test_the_closed_form_equals_counting(
    prompt: int, output: int, hit: float, dp: int, factor: int, batches: list[int]
) -> None:
    workload = Workload(name="w", input=prompt, output=output, prefix_hit=hit)
    serving = _serving(workload, dp, factor * prompt)
    table = serving.evaluate(np.array(batches))
    for row, batch in enumerate(batches):
        ttft, end_to_end = _by_waves(serving, batch)
        assert table.ttft[row] == pytest.approx(ttft, rel=1e-9)
        if output > 1:
            assert table.tpot[row] == pytest.approx(end_to_end / output, rel=1e-9)
        else:
            assert np.isnan(table.tpot[row])
        assert table.throughput[row] == pytest.approx(batch * dp * output / end_to_end, rel=1e-9)


def test_all_requests_in_one_partial_wave() -> None:
    serving = _serving(Workload(name="w", input=1000, output=10), 1, 4000)
    table = serving.evaluate(np.array([3]))
    step = StepTable.prefilling(3, 1000, 1000, 128)
    assert table.ttft[0] == pytest.approx(serving.server.cost.times(step).total[0])
    assert table.wave_requests[0] == 3


def test_shares_of_a_step_add_up() -> None:
    table = _serving(Workload(name="w", input=500, output=9), 2, 2000).evaluate(np.arange(1, 50))
    for shares in (table.prefill, table.decode):
        total = shares.compute + shares.memory + shares.communication + shares.launch
        assert total == pytest.approx(1)


def test_the_cached_prefix_is_attended_to() -> None:
    """The reference planner drops the cached prefix from attention; with it the step is longer."""
    prompt, cached = 4000, 3000
    ours = StepTable.prefilling(1, prompt - cached, prompt, 128)
    theirs = StepTable.prefilling(1, prompt - cached, prompt - cached, 128)
    cost = _serving(Workload(name="w", input=prompt, output=1), 1, prompt).server.cost
    assert cost.times(ours).total[0] > cost.times(theirs).total[0]
    workload = Workload(name="w", input=prompt, output=1, prefix_hit=0.75)
    table = _serving(workload, 1, prompt).evaluate(np.array([1]))
    assert table.ttft[0] == pytest.approx(cost.times(ours).total[0])


def test_effective_input_is_what_the_cache_leaves() -> None:
    for prompt, hit, wanted in ((4096, 0.5, 2048), (3500, 0.3, 2450), (1, 0.9, 1), (10, 0.0, 10)):
        workload = Workload(name="w", input=prompt, output=1, prefix_hit=hit)
        assert workload.shapes()[0].new == wanted


def test_memory_counts_all_requests_of_the_batch_also_in_prefill() -> None:
    serving = _serving(Workload(name="w", input=2000, output=2), 1, 2000)
    batch = np.array([50])
    memory = serving.evaluate(batch).memory
    tokens = memory.kv_cache[0] / serving.server.cost.memory_model.kv_token_bytes
    assert tokens >= 50 * 2001
    parts = memory.weights + memory.kv_cache + memory.activations + memory.reserved
    assert parts + memory.available == pytest.approx(DEVICE.memory)
    assert memory.available_at_end[0] <= memory.available[0]


def test_the_end_of_answers_may_not_fit_where_the_mean_does() -> None:
    serving = _serving(Workload(name="w", input=100, output=8000), 1, 100)
    table = serving.evaluate(np.arange(1, 60_000, 500))
    overflows = (table.memory.available >= 0) & (table.memory.available_at_end < 0)
    assert overflows.any()


def test_automatic_budget_falls_back_until_a_full_step_fits() -> None:
    assert automatic_budgets(3500) == (14000, 7000, 3500)
    workload = Workload(name="w", input=4000, output=10)

    def server(memory: float) -> Server:
        return evolve(_server(workload, 1), memory=int(memory), reserved=0)

    def need(budget: int) -> float:
        return float(full_wave_memory(server(0), budget).total[0])

    for memory, wanted in (
        (need(16000), 16000),
        (need(16000) - 1, 8000),
        (need(8000) - 1, 4000),
        (1, 4000),
    ):
        assert choose_budget(None, server(memory)) == wanted
    assert choose_budget(5000, server(1)) == 5000
