"""Replicas that share experts and bring different numbers of tokens to a step."""

import numpy as np
import pytest

from specc.calibration.setting import Setting, deployment
from specc.cost import CostModel, StepTable
from specc.ir import Calibration, Communication, Dispatch, Layout, Workload
from specc.serving import Server
from specc.simulation.costs import PICOSECONDS, CostTable

A3 = "atlas_800_a3_752t_die"
LAYOUT = Layout(4, 1, 4, ep=16)


def _deployment(**changes):
    given = deployment(Setting("qwen3_235b_a22b", A3, 16, "w8a8_dynamic"))
    return given.__class__(
        model=given.model, quant=given.quant, device=given.device, devices=16, **changes
    )


CHANGES = [
    {},
    {"communication": Communication(dispatch=Dispatch.FUSED)},
    {"communication": Communication(dispatch=Dispatch.ALL_GATHER)},
    {"calibration": Calibration.REFERENCE},
]


@pytest.mark.parametrize("changes", CHANGES)
def test_experts_run_at_the_mean_and_the_rest_at_the_own_tokens(changes) -> None:
    """Operator by operator: those of the experts with 100 tokens, the others with 300."""
    cost = CostModel.of(_deployment(**changes), LAYOUT)
    own, mean = (StepTable.decoding(tokens, 2000, 128) for tokens in (300, 100))
    busy = 0.0
    for operator in cost.operators:
        steps = mean if operator.is_pooled else own
        busy += operator.repeat * float(cost.rules.time(operator, steps).total[0])
    overhead = 1.0 if cost.pools_budgets else cost.rules.overhead
    expected = busy * cost.unevenness * overhead
    pooled = cost.pooled_seconds(StepTable.decoding([300, 100], 2000, 128))
    kernels = float(cost.kernel_seconds(own)[0])
    assert kernels - pooled[0] + pooled[1] == pytest.approx(expected, rel=1e-9)
    assert 0 < pooled[1] < pooled[0] < kernels
    launching, gap = cost.host_seconds(own)
    assert cost.times(own).total[0] == pytest.approx(max(kernels, launching[0]) + gap[0])


def test_what_is_pooled_depends_on_tokens_alone() -> None:
    cost = CostModel.of(_deployment(), LAYOUT)
    short, long = (StepTable.decoding(64, context, 128) for context in (1, 30_000))
    prompt = StepTable.prefilling(1, 64, 64, 128)
    seconds = [float(cost.pooled_seconds(steps)[0]) for steps in (short, long, prompt)]
    assert seconds == pytest.approx([seconds[0]] * 3, rel=1e-9)


def test_a_dense_model_pools_nothing() -> None:
    given = deployment(Setting("qwen3_32b", A3, 8, "w8a8_dynamic"))
    cost = CostModel.of(given, Layout(4, 1, 2))
    assert cost.pooled_seconds(StepTable.decoding([1, 300], 2000, 128)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("slowness", [1.0, 1.3])
def test_the_table_has_them_for_engines_in_step(slowness: float) -> None:
    """Between its nodes within 1 %; what the host takes exactly."""
    server = Server.of(_deployment(), LAYOUT, Workload(input=1000, output=200))
    table = CostTable(server, 4096, 4096, 256, ranks=4, overhead=0.002, slowness=slowness)
    scale = slowness * PICOSECONDS
    for tokens, total in ((300, 400), (300, 1200), (1, 1), (4000, 4300), (64, 100)):
        steps = StepTable.decoding([tokens, total / 4], 1, 128)
        own, mean = server.cost.pooled_seconds(steps) * scale
        assert table.spread(tokens, total) == pytest.approx(mean - own, abs=0.01 * max(own, mean))
    assert table.spread(300, 1200) == 0
    least = sum(server.cost.host_seconds(StepTable.decoding([1, 7], 4000, 128))) + 0.002
    found = np.array([table.least(0, 1), table.least(0, 7)])
    assert found == pytest.approx(least * scale, abs=4)
    assert table.least(1, 0) > table.least(0, 0)
