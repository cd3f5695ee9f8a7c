"""From a document to results: the known answers, ranking, pruning, and determinism."""

import json
from pathlib import Path

import pytest

from specc.ir.json import to_json
from specc.results import StudyResult
from specc.run.events import Events
from specc.session import Session, SpecError
from tests.conftest import ROOT


@pytest.fixture
def solve(tmp_path: Path):
    """Run the text of a spec; returns the result of its only study."""

    def run(text: str) -> StudyResult:
        path = tmp_path / "plan.spec"
        path.write_text(text)
        session = Session(path)
        (study,) = session.results.studies
        return study

    return run


# What msmodeling (commit 84fec85) finds for Qwen3-32B, W8A8 dynamic, TEST_DEVICE × 8, 3500 tokens
# in and 1500 out, TPOT ≤ 50 ms, 10 GiB reserved: tp → batch a replica, tok/s, TTFT ms, TPOT ms.
KNOWN = {
    8: (193, 3875.21, 15543.01, 49.80),
    4: (91, 3652.33, 14069.71, 49.83),
    2: (37, 2975.58, 11739.73, 49.74),
    1: (11, 1787.15, 4866.99, 49.24),
}


@pytest.mark.parametrize("strategy", ["exhaustive", "binary", "exponential", "linear_exponential"])
def test_the_known_answers(solve, small_spec, strategy: str) -> None:
    study = solve(small_spec(extra=f"search {{ strategy = {strategy} }}"))
    assert [c.instance.layout.tp for c in study.candidates] == [8, 4, 2, 1]
    for candidate in study.candidates:
        batch, throughput, ttft, tpot = KNOWN[candidate.instance.layout.tp]
        point = candidate.point
        assert candidate.feasible
        assert point.batch == batch
        assert point.throughput == pytest.approx(throughput, rel=1e-5)
        assert point.ttft * 1e3 == pytest.approx(ttft, rel=1e-5)
        assert point.tpot * 1e3 == pytest.approx(tpot, rel=1e-3)
        assert candidate.instance.stopped_by == "tpot"
        assert (candidate.instance.engine.chunk_budget, candidate.chunks) == (14000, 1)
        tp = candidate.instance.layout.tp
        assert candidate.instance.parallel == f"TP={tp} | PP=1 | DP={8 // tp}"
        assert point.concurrency == batch * candidate.instance.layout.dp


def test_an_infeasible_study_has_nearest_misses(solve, small_spec) -> None:
    study = solve(small_spec(slo="tpot <= 5 ms"))
    assert study.best is None
    excesses = [candidate.misses[0].excess for candidate in study.candidates]
    assert excesses == sorted(excesses)
    nearest = study.candidates[0]
    assert nearest.instance.layout.tp == 8
    assert nearest.point.batch == 1
    (miss,) = nearest.misses
    assert (miss.limit, miss.allowed) == ("tpot", 0.005)
    assert miss.value == pytest.approx(nearest.point.tpot)
    assert miss.excess == pytest.approx(miss.value / 0.005 - 1)


def test_weights_that_do_not_fit_are_a_miss_of_memory(solve, small_spec) -> None:
    text = small_spec().replace("qwen3_32b", "llama3_1_405b")
    study = solve(text.replace("w8a8_dynamic", "bf16"))
    assert {c.misses[0].limit for c in study.candidates} == {"memory"}
    whole = next(c for c in study.candidates if c.instance.layout.tp == 1)
    assert whole.misses[0].value > 810e9


def test_objectives_rank_candidates(solve) -> None:
    text = """
    use std.devices
    use std.models
    workload w { input = 1000 tok; output = 200 tok; slo { tpot <= 30 ms } }
    deployment small {
        model = qwen3_8b; device = test_device; devices = 1; search { maximize = OBJECTIVE }
    }
    deployment large extends small { devices = 8; parallel { tp = 8 } }
    study s { workload = w; deployments = [small, large] }
    """
    total = solve(text.replace("OBJECTIVE", "throughput"))
    each = solve(text.replace("OBJECTIVE", "throughput_per_device"))
    assert total.best.deployment == "large"
    assert each.best.deployment == "small"
    assert each.best_of("large").throughput == total.best_of("large").throughput


def test_results_do_not_depend_on_the_order_of_deployments(solve) -> None:
    text = (ROOT / "specs" / "qwen3-32b-chat.spec").read_text()
    forward = solve(text)
    backward = solve(text.replace("[a3, a2, a2_small]", "[a2_small, a3, a2]"))
    assert forward.candidates == backward.candidates


def test_a_cached_prefix_shortens_prefill_and_leaves_memory_alone(solve, small_spec) -> None:
    cold = solve(small_spec(extra="engine { decode_batch = 10 .. 10 }")).candidates
    text = small_spec(extra="engine { decode_batch = 10 .. 10 }")
    warm = solve(text.replace("output = 1500 tok;", "output = 1500 tok; prefix_hit = 50%;"))
    for before, after in zip(cold, warm.candidates, strict=True):
        assert after.effective_input == 1750
        assert after.point.ttft < before.point.ttft
        assert after.point.decode_step == before.point.decode_step
        assert after.point.memory.kv_cache == before.point.memory.kv_cache


def test_a_deployment_without_a_layout_is_an_error(tmp_path: Path, small_spec) -> None:
    path = tmp_path / "plan.spec"
    path.write_text(small_spec().replace("[1, 2, 4, 8]", "[3, 5]"))
    with pytest.raises(SpecError) as caught:
        _ = Session(path).plan
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "E0439"
    assert diagnostic.span.text == "[3, 5]"
    assert "TP · PP = 3 does not divide 8 devices" in diagnostic.why


class Counter(Events):
    calls = 0

    def advanced(self) -> None:
        self.calls += 1


def test_progress_is_told_of_every_candidate(tmp_path: Path, small_spec) -> None:
    path = tmp_path / "plan.spec"
    path.write_text(small_spec())
    watcher = Counter()
    _ = Session(path, events=watcher).results
    assert watcher.calls == 4


def test_results_are_plain_data(solve, small_spec) -> None:
    study = solve(small_spec())
    json.dumps(to_json(study))
    curve = study.candidates[0].curve
    assert curve.batch[0] == 1
    assert 193 in curve.batch
    assert len(curve.batch) <= 66
