"""Operators computed together against each of them alone, one step after the other."""

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from specc.calibration.setting import Setting, deployment
from specc.cost import CostModel, Sequences, StepTable, times_of
from specc.cost.stacks import Stacks
from specc.cost.sums import OperatorSums
from specc.ir import Calibration, Layout
from specc.search.space import layouts

MODELS = ("qwen3_32b", "deepseek_v3", "qwen3_5_35b_a3b", "gpt_oss_120b", "deepseek_v3_2")


def _deployment(model: str, devices: int = 16, **changes):
    quant = "bf16" if model in ("qwen3_5_35b_a3b", "gpt_oss_120b") else "w8a8_dynamic"
    return evolve(deployment(Setting(model, "atlas_800_a3_752t_die", devices, quant)), **changes)


def _mixed(rows: int, seed: int) -> StepTable:
    """Return steps of both phases; the same batches come again with other contexts."""
    rng = np.random.default_rng(seed)

    def sequences(most: int, longest: int) -> Sequences:
        requests = rng.integers(0, most + 1, rows)
        new = rng.integers(1, longest + 1, rows)
        return Sequences.of(requests, new, new + rng.integers(0, 9000, rows), 128)

    return StepTable.of(sequences(3, 2), sequences(6, 1))


def _plain(cost: CostModel, steps: StepTable, row: int) -> dict[str, float]:
    """Add up the operators of one step, each computed alone."""
    one = steps.rows(row, row + 1)
    parts = ("matrix", "vector", "memory", "communication", "launch", "total")
    sums = dict.fromkeys(parts, 0.0)
    before = None
    for operator in cost.operators:
        time = cost.rules.time(operator, one)
        share = 1.0
        if before is not None and getattr(operator, "overlapped", False):
            total = float(time.total[0])
            share = max(total - before, 0.0) / max(total, 1e-15)
        for part in parts:
            sums[part] += operator.repeat * share * float(getattr(time, part)[0])
        before = float(time.total[0])
    return sums


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("calibration", list(Calibration))
def test_sums_of_all_operators_are_those_of_each_alone(model: str, calibration) -> None:
    plan = _deployment(model, calibration=calibration)
    cost = CostModel.of(plan, Layout(4, 1, 4, ep=8, moe_tp=2))
    steps = _mixed(400, seed=7)
    (sums,) = OperatorSums.of([cost.operators]).of_steps(cost.rules, steps)
    for row in range(0, 400, 37):
        wanted = _plain(cost, steps, row)
        found = dict(zip(wanted, sums.parts[:, row].tolist(), strict=True))
        assert found == pytest.approx(wanted, rel=1e-12)
        assert sum(c[row] for c in sums.classes.values()) == pytest.approx(wanted["total"])


@pytest.mark.parametrize("model", MODELS)
def test_layouts_together_are_as_each_alone(model: str) -> None:
    plan = _deployment(model)
    costs = [CostModel.of(plan, layout) for layout in layouts(plan).layouts]
    assert len(costs) > 4
    steps = StepTable.decoding(np.arange(1, 300), 3000, 128)
    rows = [299 - 7 * place for place in range(len(costs))]
    families: dict[object, list[int]] = {}
    for place, cost in enumerate(costs):
        families.setdefault(cost.cut, []).append(place)
    for places in families.values():
        together = times_of([costs[p] for p in places], steps, [rows[p] for p in places])
        for place, times in zip(places, together, strict=True):
            alone = costs[place].times(steps.rows(0, rows[place]))
            assert len(times.total) == rows[place]
            for name in ("total", "matrix", "memory", "communication", "launch", "deviation"):
                assert getattr(times, name) == pytest.approx(getattr(alone, name), rel=1e-12)


@given(st.integers(1, 20_000), st.integers(1, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_a_step_costs_the_same_in_any_company(rows: int, batches: int, seed: int) -> None:
    """Whatever steps stand beside it, and whether any of them has the same batch."""
    cost = _COST
    rng = np.random.default_rng(seed)
    steps = StepTable.decoding(rng.integers(1, batches + 1, rows), rng.integers(1, 9000, rows), 128)
    together = cost.times(steps).total
    for row in {0, rows // 2, rows - 1}:
        alone = cost.times(steps.rows(row, row + 1)).total[0]
        assert together[row] == pytest.approx(alone, rel=1e-12)


_COST = CostModel.of(_deployment("deepseek_v3"), Layout(4, 1, 4, ep=16, moe_tp=1))


_ONE = StepTable.decoding([3], 700, 128)


def test_no_steps_take_no_time() -> None:
    none = StepTable.decoding(np.arange(1, 1), 100, 128)
    assert _COST.times(none).total.shape == (0,)


def test_layouts_share_most_of_their_operators() -> None:
    """What they share is computed once, and the rest in few calls."""
    plan = _deployment("deepseek_v3", 64)
    lists = [CostModel.of(plan, layout).operators for layout in layouts(plan).layouts]
    stacks = Stacks.of(lists)
    assert stacks.size < sum(map(len, lists)) / 4
    assert len(stacks.stacks) < stacks.size / 3
    for operators, places in zip(lists, stacks.places, strict=True):
        for operator, place in zip(operators, places, strict=True):
            shared = stacks.operators[place]
            assert type(shared) is type(operator)
            assert shared.kind is operator.kind
            works = [o.work(_ONE).moved_bytes for o in (operator, shared)]
            assert np.array_equal(*works)


def test_a_stack_is_cut_into_pieces() -> None:
    costs = [CostModel.of(_deployment("qwen3_32b"), Layout(tp, 1, 16 // tp)) for tp in (1, 2, 4, 8)]
    stacks = Stacks.of([cost.operators for cost in costs])
    steps = StepTable.decoding([1, 50], [700, 90], 128)
    for stack in stacks.stacks:
        seen: list[int] = []
        for places, operator in stack.pieces(3):
            own = range(places.start, places.stop)
            together = costs[0].rules.time(operator, steps).total
            alone = [costs[0].rules.time(stacks.operators[place], steps).total for place in own]
            assert np.allclose(together, alone, rtol=1e-12, atol=0)
            seen += own
        assert seen == list(range(stack.start, stack.start + stack.size))
