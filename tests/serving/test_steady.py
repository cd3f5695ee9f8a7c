"""The steady state: known answers, what it cannot exceed, and the simulated closed loop."""

import math

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from specc.calibration.setting import Setting, deployment
from specc.cost import StepTable
from specc.ir import Layout, LengthBin, Phase, Workload
from specc.ir.deployment import Method
from specc.serving import Aggregated, Server, Steady, StepLoop, serving_model
from specc.serving.steady import most_of
from specc.serving.together import Asked, times_together
from tests.bench.bench_steady import GOALS, compared

DENSE = deployment(Setting("qwen3_32b", "atlas_800_a3_752t_die", 4, "w8a8_dynamic"))
EXPERTS = deployment(Setting("qwen3_30b_a3b", "atlas_800_a3_752t_die", 8, "w8a8_dynamic"))


def _server(workload: Workload, plan=DENSE, layout: Layout | None = None) -> Server:
    return Server.of(plan, layout or Layout(4, 1, 1), workload)


def _row(model: Steady, batch: int) -> dict:
    return model.evaluate(np.array([batch])).row(0)


def test_one_client_has_the_engine_for_itself() -> None:
    """A turnover is a prefill, then one decode step for each further token."""
    server = _server(Workload(input=1000, output=101))
    row = _row(Steady(server, 8192), 1)
    prefill = server.times(StepTable.prefilling(1, 1000, 1000, 128)).total[0]
    decode = server.times(StepTable.decoding(1, 1000 + 101 // 2 + 1, 128)).total[0]
    assert row["tpot"] == pytest.approx(decode)
    assert row["ttft"] == pytest.approx(prefill)
    assert row["throughput"] == pytest.approx(101 / (prefill + 100 * decode))


def test_prompts_that_a_budget_cuts() -> None:
    """Three clients of one length end together: three prompts of 3 000 tokens in chunks of 4 096.

    The first two steps are full, the last one has the rest; of the steps between no prompt comes.
    """
    server = _server(Workload(input=3000, output=201))
    turn = Steady(server, 4096).turnover(np.array([3]))
    assert turn.mixed[0] == 3
    assert turn.steps[0] == pytest.approx(200 + 1)
    assert turn.tokens[0] == pytest.approx(4096 - 3 * 200 / 201, abs=0.1)
    assert 2 * turn.tokens[0] + turn.rest[0] == pytest.approx(9000)
    assert turn.alone[0] == pytest.approx(3, rel=0.02)


@pytest.mark.parametrize("batch", [1, 4, 12, 40])
def test_outputs_of_one_token_are_prefill_alone(batch: int) -> None:
    """A closed form that divided by the mean TTFT gave twice what a step allows."""
    server = _server(Workload(input=3500, output=1))
    row = _row(Steady(server, 14_000), batch)
    steps = StepTable.prefilling([1, 2, 3, 4], 3500, 3500, 128)
    most = float((np.arange(1, 5) / server.times(steps).total).max())
    assert 0.95 * most / (1 + (batch % 4 > 0)) < row["rate"] <= most * (1 + 1e-9)
    assert row["tpot"] is None


lengths = st.tuples(st.integers(1, 20_000), st.integers(1, 3000))


@given(lengths, st.integers(1, 400), st.sampled_from([2048, 8192, 16_384]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_nothing_exceeds_the_hardware(
    shape: tuple[int, int], batch: int, budget: int, varied: bool
) -> None:
    """No more than a turnover at full steps: all prompts at the best rate of any full step, and
    the decodes in as many steps as a request needs."""
    prompt, output = shape
    batch = min(batch, budget - 1)
    workload = Workload(input=prompt, output=output)
    if varied:
        rows = [(prompt, output), (max(1, prompt // 2), max(1, output // 2))]
        bins = tuple(LengthBin(share=0.5, input=(i, i + 1), output=(o, o + 1)) for i, o in rows)
        workload = Workload(requests=bins)
    server = _server(workload)
    mixture = server.mixture
    row = _row(Steady(server, budget), batch)
    whole = np.array([1.0, budget / mixture.mean_new])
    best = server.times(mixture.prefill(whole, server.block)).total / whole
    prefill = batch * float(best.min())
    step = float(server.times(mixture.decode([1.0], server.block)).total[0])
    seconds = batch / row["rate"] * server.batches
    assert seconds >= 0.98 * max(prefill, (mixture.mean_output - 1) * step)
    assert row["ttft"] > 0
    if mixture.mean_output > 1:
        assert row["tpot"] >= 0.98 * step * (batch == 1)
        # Little's law: what is in flight decodes, or waits for its first token.
        assert row["tpot"] * (mixture.mean_output - 1) <= seconds * (1 + 1e-9)


def test_the_largest_of_poisson_numbers() -> None:
    generator = np.random.default_rng(1)
    for mean, replicas in ((0.01, 4), (0.5, 16), (3.0, 2), (30.0, 8), (200.0, 32)):
        drawn = generator.poisson(mean, (40_000, replicas)).max(axis=1).mean()
        assert most_of(np.array([mean]), replicas)[0] == pytest.approx(drawn, rel=0.08)
    assert most_of(np.array([7.0]), 1)[0] == 7.0


def test_layouts_together_are_as_each_alone() -> None:
    workload = Workload(input=2000, output=300)
    asked = []
    for tp, dp, ep in ((1, 8, 8), (2, 4, 8), (4, 2, 4), (8, 1, 1)):
        layout = Layout(tp, 1, dp, ep=ep, moe_tp=8 // ep)
        server = _server(workload, EXPERTS, layout)
        model = Steady(server, 8192, layout.replicas_per_experts)
        asked.append(Asked(model, np.arange(1, 30 + 10 * tp)))
    for one, times in zip(asked, times_together(asked), strict=True):
        table = one.model.table(one.batches, times)
        alone = one.model.evaluate(one.batches)
        for name in ("throughput", "ttft", "tpot"):
            assert getattr(table, name) == pytest.approx(getattr(alone, name), rel=1e-9)


def test_what_each_shape_sees() -> None:
    bins = (
        LengthBin(share=0.5, input=(100, 101), output=(1, 2)),
        LengthBin(share=0.5, input=(3000, 3001), output=(50, 51)),
    )
    model = Steady(_server(Workload(requests=bins)), 8192)
    from specc.run.evaluate import point_of

    point = point_of(model.evaluate(np.array([8])), 0)
    short, long = model.bins(point)
    assert (short.ttft, short.tpot) == (None, None)
    assert long.tpot == point.tpot


def test_a_method_is_chosen_by_name() -> None:
    engine, server = DENSE.engine, _server(Workload(input=1000, output=100))

    def kind(method: Method | None, budget: int = 8192) -> type:
        return type(serving_model(server, engine, Phase.WHOLE, budget, method))

    assert kind(None) is kind(Method.WAVES) is Aggregated
    assert kind(None, 512) is kind(Method.LOOP) is StepLoop
    assert kind(Method.STEADY) is kind(Method.STEADY, 512) is Steady


def test_drafts_take_tokens_of_the_budget_and_make_steps_fewer() -> None:
    server = _server(Workload(input=1000, output=401))
    plain = Steady(server, 2048)
    drafting = Steady(evolve(server, drafted=1, tokens_per_step=2.0), 2048)
    batch = np.array([64])
    assert drafting.turnover(batch).steps[0] < 0.6 * plain.turnover(batch).steps[0]
    full = drafting.turnover(np.array([1000]))
    assert full.tokens[0] + 2 * full.beside[0] <= 2048 * (1 + 1e-6) or full.rest[0] > 0


def test_it_agrees_with_the_simulated_closed_loop() -> None:
    """A sample of the benchmark, which has a thousand configurations."""
    for name, errors in compared(20, seed=5000).items():
        median = float(np.median(np.abs([error for error, _ in errors])))
        assert median < GOALS[name][0], name
        assert math.isfinite(median)
