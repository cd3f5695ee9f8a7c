"""Known answers of the search: where it looks next, and how far limits are missed."""

import attrs
import numpy as np
import pytest

from specc.ir import CompressedAttention, Deployment, Parallel, Search, Slo, Strategy
from specc.search.batch import search_batch
from specc.search.goals import Goals
from specc.search.space import layouts
from tests.cost.test_rules import DEVICE, MODEL
from tests.search.test_batch import GOALS, _edge_at, _table


def _probed(limit: str, edge: int, **settings) -> set[int]:
    search = Search(strategy=Strategy.LINEAR_EXPONENTIAL, **settings)
    found = search_batch(search, (1, 6000), 6000, _edge_at(edge, 1, limit), GOALS)
    assert found.table.batch[found.best] == edge
    return set(found.table.batch.tolist())


@pytest.mark.parametrize("limit", ["ttft", "tpot"])
@pytest.mark.parametrize("relax", [1.0, 1.2, 1.4])
def test_an_objective_on_a_line_is_looked_for_where_the_line_meets_it(
    limit: str, relax: float
) -> None:
    """The line meets the limit at 700.5; the guess is so much above it, and one."""
    probed = _probed(limit, 700, slo_relax=relax)
    assert int(700.5 * relax) + 1 in probed
    assert 1024 not in probed


@pytest.mark.parametrize("limit", ["ttft", "tpot"])
def test_a_guess_is_one_and_a_half_times_as_far_unless_said_otherwise(limit: str) -> None:
    assert 901 in _probed(limit, 600)  # 600.5 · 1.5 + 1 = 901.75
    assert _probed(limit, 600) == _probed(limit, 600, slo_relax=1.5)


def test_memory_is_looked_for_where_it_ends_whatever_the_objectives() -> None:
    assert 700 in _probed("memory", 700, slo_relax=1.0)
    assert _probed("memory", 700, slo_relax=1.0) == _probed("memory", 700, slo_relax=3.0)


def test_the_nearest_row_is_the_one_whose_worst_miss_is_the_least() -> None:
    """By 50 % and 20 %, by 30 % and 30 %, by 10 % and 40 %: the second is nearest."""

    def evaluate(batch):
        return _table(batch, ttft=[150, 130, 110], tpot=[1.2, 1.3, 1.4])

    found = search_batch(Search(), (1, 3), 3, evaluate, Goals(Slo(ttft=100.0, tpot=1.0), 1000))
    assert found.best is None
    assert found.table.batch[found.nearest] == 2
    assert [m.excess for m in found.misses] == pytest.approx([0.3, 0.3])


def test_the_row_to_relax_a_limit_keeps_all_the_others() -> None:
    def evaluate(batch):
        return _table(batch, ttft=[50, 90, 110, 160], tpot=[1.6, 1.4, 1.2, 0.9])

    found = search_batch(Search(), (1, 4), 4, evaluate, Goals(Slo(ttft=100.0, tpot=1.0), 1000))
    assert found.best is None
    relaxed = {miss.limit: miss.value for miss in found.relaxations}
    assert relaxed == {"ttft": 160, "tpot": 1.4}


def test_enough_is_the_smallest_batch_that_serves_its_share_of_the_most() -> None:
    def evaluate(batch):
        return _table(batch, tpot=np.zeros(len(batch)), throughput=np.minimum(batch, 10) * 1.0)

    best = [
        search_batch(Search(), (1, 20), 20, evaluate, GOALS, enough).table.batch[found]
        for enough in (1.0, 0.95, 0.5)
        if (found := search_batch(Search(), (1, 20), 20, evaluate, GOALS, enough).best) is not None
    ]
    assert best == [10, 10, 5]


def test_the_last_digits_of_a_sum_decide_nothing() -> None:
    """Of batches that serve alike the smallest is best, whatever rounding makes of them."""

    def evaluate(batch):
        noise = np.where(batch % 2, 1e-13, -1e-13)
        return _table(batch, tpot=np.zeros(len(batch)), throughput=5.5613 * (1 + noise))

    found = search_batch(Search(), (2, 20), 20, evaluate, GOALS)
    assert found.best is not None
    assert found.table.batch[found.best] == 2

    def missing(batch):
        ttft = 150.0 * (1 + np.where(batch == 4, -1e-12, 0.0))
        return _table(batch, ttft=ttft, tpot=np.zeros(len(batch)))

    missed = search_batch(Search(), (1, 5), 5, missing, Goals(Slo(ttft=100.0), 1000))
    assert missed.table.batch[missed.nearest] == 1


def test_layouts_of_a_model_divide_what_it_has() -> None:
    """Twelve heads and six groups of outputs: three ranks have two groups each, four have none."""
    compressed = CompressedAttention(
        window=128, sparse_layers=2, sparse_ratio=4, dense_layers=2, dense_ratio=16, query_rank=64,
        output_groups=6, output_rank=64,
    )  # fmt: skip
    model = attrs.evolve(MODEL, attention_heads=12, kv_heads=1, head_dim=64, compressed=compressed)
    parallel = Parallel(tp=(1, 2, 3, 4, 5, 6, 12), pp=(1,), cp=(1,), dcp=(1,))
    space = layouts(Deployment(model=model, device=DEVICE, devices=60, parallel=parallel))
    assert [layout.tp for layout in space.layouts] == [12, 6, 3, 2, 1]
    reasons = {pruned.label.split()[0]: pruned.reason for pruned in space.pruned}
    assert reasons["TP=4"] == "TP = 4 and 6 output groups do not divide each other"
    assert reasons["TP=5"] == "TP = 5 does not divide 12 attention heads"
