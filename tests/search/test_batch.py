"""Strategies agree with exhaustive search where they should, and count their probes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specc.ir import Search, Slo, Strategy
from specc.search.batch import search_batch
from specc.search.goals import Goals
from specc.serving import Bands, MemoryParts, ServingTable, Shares

GOALS = Goals(Slo(ttft=100.0, tpot=1.0), 1000)


def _table(batch, *, tpot, ttft=None, available=None, throughput=None) -> ServingTable:
    batch = np.asarray(batch)
    one, zero = np.ones(len(batch)), np.zeros(len(batch))
    available = one if available is None else np.asarray(available, float)
    rate = batch.astype(float) if throughput is None else np.asarray(throughput, float)
    shares = Shares(one, zero, zero, zero)
    return ServingTable(
        batch=batch, concurrency=batch, ttft=zero if ttft is None else np.asarray(ttft, float),
        tpot=np.asarray(tpot, float), throughput=rate, throughput_per_device=rate, rate=rate,
        decode_step=one, prefill_step=one, wave_requests=batch,
        bands=Bands(zero, zero, zero, zero, rate, rate),
        memory=MemoryParts(one, one, one, one, available, available),
        prefill=shares, decode=shares,
    )  # fmt: skip


def _edge_at(edge: int, curvature: float, limit: str):
    """A serving model whose feasibility ends exactly after batch `edge`."""

    def evaluate(batch):
        grown = (np.asarray(batch) / (edge + 0.5)) ** curvature
        if limit == "memory":
            return _table(batch, tpot=grown * 0, available=1 - grown)
        if limit == "ttft":
            return _table(batch, tpot=grown * 0, ttft=100 * grown)
        return _table(batch, tpot=grown)

    return evaluate


@settings(deadline=None, max_examples=300)
@given(
    st.integers(1, 5000),
    st.floats(0.3, 4),
    st.sampled_from(["memory", "ttft", "tpot"]),
    st.floats(1, 3),
)
def test_all_strategies_find_the_edge_where_feasibility_is_monotone(
    edge: int, curvature: float, limit: str, relax: float
) -> None:
    evaluate = _edge_at(edge, curvature, limit)
    found = {
        strategy: search_batch(
            Search(strategy=strategy, slo_relax=relax), (1, 6000), 6000, evaluate, GOALS
        )
        for strategy in Strategy
    }
    for strategy, outcome in found.items():
        assert outcome.table.batch[outcome.best] == edge, strategy
        assert outcome.stopped_by == limit, strategy
        assert outcome.probes == len(outcome.table)
    assert found[Strategy.EXHAUSTIVE].probes == 6000
    for strategy in set(Strategy) - {Strategy.EXHAUSTIVE}:
        assert found[strategy].probes < 100


@pytest.mark.parametrize("strategy", list(Strategy))
def test_without_a_range_each_strategy_has_its_own(strategy: Strategy) -> None:
    outcome = search_batch(Search(strategy=strategy), None, 3000, _edge_at(2500, 1, "tpot"), GOALS)
    wanted = 512 if strategy is Strategy.BINARY else 2500
    assert outcome.table.batch[outcome.best] == wanted
    assert outcome.stopped_by == ("range" if strategy is Strategy.BINARY else "tpot")


@pytest.mark.parametrize("strategy", list(Strategy))
def test_the_range_given_is_kept_to(strategy: Strategy) -> None:
    outcome = search_batch(
        Search(strategy=strategy), (10, 20), 3000, _edge_at(2500, 1, "tpot"), GOALS
    )
    assert outcome.table.batch[outcome.best] == 20
    assert outcome.table.batch.min() >= 10
    assert outcome.stopped_by == "range"


def test_exhaustive_search_sees_past_a_hole_in_feasibility() -> None:
    def evaluate(batch):
        batch = np.asarray(batch)
        return _table(batch, tpot=np.where((batch > 10) & (batch < 40), 2.0, 0.5))

    exhaustive = search_batch(Search(), (1, 100), 100, evaluate, GOALS)
    assert exhaustive.table.batch[exhaustive.best] == 100


def test_the_best_row_is_the_best_not_the_last() -> None:
    def evaluate(batch):
        batch = np.asarray(batch)
        return _table(batch, tpot=batch * 0.001, throughput=100 - abs(batch - 30))

    outcome = search_batch(Search(), (1, 100), 100, evaluate, GOALS)
    assert outcome.table.batch[outcome.best] == 30


@pytest.mark.parametrize("strategy", list(Strategy))
def test_the_nearest_miss_names_limit_and_excess(strategy: Strategy) -> None:
    def evaluate(batch):
        batch = np.asarray(batch)
        return _table(batch, tpot=1.2 + batch * 0.01, available=-batch * 500.0)

    outcome = search_batch(Search(strategy=strategy), (1, 8), 8, evaluate, GOALS)
    assert outcome.best is None
    assert outcome.table.batch[outcome.nearest] == 1
    worst, other = outcome.misses
    assert (worst.limit, worst.value, worst.allowed) == ("memory", 1500, 1000)
    assert worst.excess == pytest.approx(0.5)
    assert (other.limit, other.value, other.allowed) == ("tpot", pytest.approx(1.21), 1.0)
    assert other.excess == pytest.approx(0.21)


@pytest.mark.parametrize("strategy", list(Strategy))
def test_no_batch_size_is_evaluated_twice(strategy: Strategy) -> None:
    seen: list[int] = []
    model = _edge_at(700, 1.3, "tpot")

    def evaluate(batch):
        seen.extend(batch.tolist())
        return model(batch)

    found = search_batch(Search(strategy=strategy), (1, 900), 900, evaluate, GOALS)
    assert sorted(seen) == found.table.batch.tolist()
    assert np.array_equal(found.table.tpot, model(found.table.batch).tpot)
