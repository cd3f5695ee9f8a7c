"""Answers of two phases and of fleets: their integers, rates, money, limits and relaxations."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specc.report.relaxations import relaxations
from specc.results.curves import _unbeaten
from specc.run.fleets import best_split
from specc.session import Session

HEAD = """
use std.devices
use std.models
"""
CHAT = "workload w { input = 3500 tok; output = 1500 tok; slo { SLO } }\n"


@pytest.fixture
def solve(tmp_path):
    """Run a deployment on a workload; returns the result of the study."""

    def run(body: str, slo: str = "ttft <= 20 s; tpot <= 50 ms", workload: str = CHAT, study=""):
        path = tmp_path / "plan.spec"
        text = HEAD + workload.replace("SLO", slo) + body
        names = study or "deployments = d"
        path.write_text(text + f"\nstudy s {{ workload = w; {names} }}\n")
        return Session(path).results.studies

    return run


BASE = "deployment d { model = qwen3_32b; quant = w8a8_dynamic; device = test_device; "


@given(
    st.integers(2, 60),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.floats(0.1, 50), st.floats(0.1, 50)),
)
def test_the_split_is_the_best_of_all(devices, sizes, rates) -> None:
    """Against every pair of counts; fewer devices where several serve as much."""
    split = best_split(devices, sizes, rates)
    pairs = [
        (p, d)
        for p in range(1, devices + 1)
        for d in range(1, devices + 1)
        if p * sizes[0] + d * sizes[1] <= devices
    ]
    if not pairs:
        assert split is None
        return
    best = max(min(p * rates[0], d * rates[1]) for p, d in pairs)
    used = min(
        p * sizes[0] + d * sizes[1]
        for p, d in pairs
        if min(p * rates[0], d * rates[1]) >= best * (1 - 1e-9)
    )
    assert split is not None
    assert split.rate == pytest.approx(best)
    assert split.prefill * sizes[0] + split.decode * sizes[1] == used


def test_pd_ratio_by_hand(solve) -> None:
    """Each phase at its best batch, and the counts that serve most on 64 devices."""
    (result,) = solve(
        BASE + "devices = 8; mode = pd_ratio; fleet { devices = 64 }; parallel { tp = 8 } }"
    )
    best = result.best
    prefill, decode = best.instances
    assert (prefill.phase, decode.phase) == ("prefill", "decode")
    assert prefill.point.ttft <= 20
    assert decode.point.tpot <= 0.05
    assert decode.point.rate == pytest.approx(decode.point.concurrency / (decode.point.tpot * 1499))
    split = best_split(64, (8, 8), (prefill.point.rate, decode.point.rate))
    assert (prefill.count, decode.count) == (split.prefill, split.decode)
    assert best.devices == 8 * (prefill.count + decode.count)
    assert best.rate == pytest.approx(split.rate)
    assert best.throughput == pytest.approx(best.rate * 1500)
    assert best.tpot == pytest.approx(decode.point.tpot + best.transfer / 1499)
    candidates = {c.phase: c for c in result.candidates}
    assert candidates["prefill"].point.tpot is None
    assert candidates["decode"].point.ttft is None


def test_prefill_rate_is_what_the_instance_can_do(solve) -> None:
    """The reference planner's 22 178 prompt tokens a second are 6.3 requests; C / TTFT is more."""
    body = BASE + "devices = 8; mode = prefill_only; parallel { tp = 8 } }"
    (result,) = solve(body, slo="ttft <= 20 s")
    point = result.best.instances[0].point
    assert point.throughput == pytest.approx(22178, rel=0.01)
    assert point.rate == pytest.approx(6.3, rel=0.01)
    curve = result.candidates[0].curve
    assert curve.batch[-1] / curve.ttft[-1] > 1.5 * point.rate


def test_a_transfer_lengthens_the_second_token_and_can_cost_batch(solve) -> None:
    text = BASE + "devices = 8; mode = disaggregated; parallel { tp = 8 }; transfer { HOW } }"
    slow = "bandwidth = 0.01 GB/s"
    (free,) = solve(text.replace("HOW", "timing = free"))
    (moved,) = solve(text.replace("HOW", slow))
    assert free.best.transfer == 0
    assert moved.best.transfer > 1
    assert moved.best.tpot <= 0.05
    assert moved.best.instances[1].point.batch < free.best.instances[1].point.batch


def test_a_fleet_for_a_rate(solve) -> None:
    body = BASE + "devices = 8; fleet { rate = 20 req/s; spare = 1 }; parallel { tp = 8 } }"
    (result,) = solve(body)
    (group,) = result.best.instances
    assert group.count == math.ceil(20 / group.point.rate) + 1
    assert result.best.rate == pytest.approx((group.count - 1) * group.point.rate)
    assert result.best.rate >= 20
    assert (group.count - 2) * group.point.rate < 20
    short = body.replace("spare = 1", "spare = 1; devices = 16")
    (result,) = solve(short)
    assert result.best is None
    (miss,) = result.configurations[0].misses
    assert (miss.limit, miss.allowed) == ("devices", 16)


def test_a_heterogeneous_fleet_prefills_on_one_device_and_decodes_on_another(solve) -> None:
    body = BASE + (
        "mode = pd_ratio; fleet { devices = 48 }\n"
        "prefill { device = atlas_800_a3_752t_die; devices = [4, 8]; parallel { tp = [4, 8] } }\n"
        "decode { device = atlas_800_a2_313t; devices = 8; parallel { tp = 8 } } }"
    )
    (result,) = solve(body)
    prefill, decode = result.best.instances
    assert prefill.device == "atlas_800_a3_752t_die"
    assert decode.device == "atlas_800_a2_313t"
    assert {c.instance.devices for c in result.candidates if c.phase == "prefill"} == {4, 8}
    assert result.best.devices <= 48


def test_money_and_energy(solve) -> None:
    device = "device priced extends test_device { price = 36 CNY/h; power = 500 W }\n"
    body = device + BASE.replace("test_device", "priced") + "devices = 8; parallel { tp = 8 } }"
    (result,) = solve(body)
    best = result.best
    assert best.cost_per_second == pytest.approx(8 * 0.01)
    assert best.cost_per_million_tokens == pytest.approx(0.08 / best.throughput * 1e6)
    assert best.energy_per_thousand_tokens == pytest.approx(4000 / best.throughput * 1e3)
    assert best.currency == "CNY"


def test_limits_on_any_fact_are_kept(solve) -> None:
    body = BASE + "devices = 8; parallel { tp = [4, 8] }; search { limits { LIMITS } } }"
    (free,) = solve(body.replace("LIMITS", "batch >= 1"))
    (bound,) = solve(body.replace("LIMITS", "batch <= 50; available >= 30 GiB"))
    assert free.best.instances[0].point.batch > 50
    for candidate in bound.candidates:
        assert candidate.point.batch <= 50
        assert candidate.point.memory.available >= 30 * 2**30
    (narrow,) = solve(body.replace("LIMITS", "tp <= 4"))
    assert [c.instance.layout.tp for c in narrow.candidates if c.feasible] == [4]
    (none,) = solve(body.replace("LIMITS", "throughput <= 1 tok/s"))
    assert none.best is None
    assert none.configurations[0].misses[0].limit == "throughput"


def test_relaxing_one_limit_as_told_makes_it_feasible(solve) -> None:
    body = BASE + "devices = 8; parallel { tp = [4, 8] }; engine { decode_batch = 16 .. 64 } }"
    slo = {"ttft": 0.5, "tpot": 0.01}
    text = "ttft <= {ttft} s; tpot <= {tpot} s"
    tight = {"ttft": 1.0, "tpot": 0.012}
    (result,) = solve(body, slo=text.format(**tight))
    assert result.best is None
    relaxed = [m for c in result.candidates for m in c.relaxations]
    assert relaxed
    for miss in relaxed:
        loose = {**tight, miss.limit: miss.value * (1 + 1e-9)}
        (again,) = solve(body, slo=text.format(**loose))
        assert again.best is not None
        less = {**tight, miss.limit: miss.value * 0.999}
        (still,) = solve(body, slo=text.format(**less))
        own = next(c.instance for c in result.candidates if miss in c.relaxations)
        same = [c for c in still.candidates if c.instance.parallel == own.parallel]
        assert not any(c.feasible for c in same)
    # Where both limits are broken at every batch, no single one is enough.
    (hopeless,) = solve(body, slo=text.format(**slo))
    assert not [m for c in hopeless.candidates for m in c.relaxations]


def test_fewest_devices_and_most_per_cost_rank_differently(solve) -> None:
    text = """
    device dear extends atlas_800_a3_752t_die { price = 60 CNY/h }
    device cheap extends atlas_800_a2_313t { price = 10 CNY/h }
    deployment d {
        model = qwen3_32b; quant = w8a8_dynamic; device = dear; devices = 8; parallel { tp = 8 }
        fleet { rate = 10 req/s }; search { maximize = OBJECTIVE }
    }
    deployment e extends d { device = cheap }
    """
    study = "deployments = [d, e]"
    (few,) = solve(text.replace("OBJECTIVE", "fewest_devices"), study=study)
    (value,) = solve(text.replace("OBJECTIVE", "throughput_per_cost"), study=study)
    assert few.best.devices == min(a.devices for a in few.configurations)
    assert value.best.deployment == "e"


def test_speculation_is_searched_over_its_tokens(solve) -> None:
    body = """
    deployment d {
        model = deepseek_v3; quant = w8a8_dynamic; device = atlas_800_a3_752t_die; devices = 32
        mode = decode_only; parallel { tp = 1; ep = 32 }
        engine {
            max_sequences = 3
            speculative { tokens = [0, 1, 2]; acceptance = [0.8, 0.5]; source = "a test" }
        }
    }
    """
    (result,) = solve(body)
    assert sorted(c.instance.engine.drafted for c in result.candidates) == [0, 1, 2]
    assert result.best.instances[0].engine.drafted > 0
    assert "MTP" in result.best.layout


def test_max_sequences_and_chunk_budget_stop_a_batch(solve) -> None:
    body = BASE + "devices = 8; parallel { tp = 8 }; engine { max_sequences = 40 } }"
    (result,) = solve(body)
    (group,) = result.best.instances
    assert (group.point.batch, group.stopped_by) == (40, "max_sequences")
    body = BASE + "devices = 8; parallel { tp = 8 }; engine { chunk_budget = 32 tok } }"
    (result,) = solve(body, slo="tpot <= 50 s")
    (group,) = result.best.instances
    assert group.point.batch <= 32


def test_no_room_for_one_request_is_a_miss_of_memory(solve) -> None:
    body = BASE + "devices = 1; mode = decode_only; engine { reserved_memory = 35 GiB } }"
    (result,) = solve(body)
    assert result.best is None
    assert result.candidates[0].misses[0].limit == "memory"


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=40))
def test_the_frontier_is_what_nothing_beats(rows) -> None:
    scores = np.array(rows, dtype=float)
    for row, unbeaten in zip(scores, _unbeaten(scores), strict=True):
        beaten = any((other <= row).all() and (other < row).any() for other in scores)
        assert unbeaten != beaten


def test_decode_tasks_are_shared_by_prefix_rates(tmp_path) -> None:
    path = tmp_path / "plan.spec"
    path.write_text(
        HEAD
        + CHAT.replace("SLO", "tpot <= 50 ms")
        + BASE
        + "devices = 8; mode = disaggregated; parallel { tp = 8 } }\n"
        + "study s { workload = w; deployments = d; sweep w.prefix_hit in [0%, 30%, 60%] }\n"
    )
    plan = Session(path).plan
    keys = [task.key for study in plan.studies for task in study.tasks]
    assert len(keys) == 6
    assert len(set(keys)) == 4


def test_the_tighter_of_a_limit_and_an_objective_is_told(solve) -> None:
    body = BASE + "devices = 8; parallel { tp = 8 }; search { limits { ttft <= 1 ms } } }"
    (result,) = solve(body, slo="ttft <= 3 s")
    (miss,) = result.candidates[0].misses
    assert miss.allowed == 0.001
    assert miss.excess == pytest.approx(miss.value / 0.001 - 1)


def test_a_fact_may_be_limited_from_both_sides(solve) -> None:
    body = BASE + "devices = 8; parallel { tp = 8 }; search { limits { batch >= 4; batch <= 6 } } }"
    (result,) = solve(body)
    assert result.best.instances[0].point.batch == 6


def test_phases_apart_are_not_told_that_one_limit_is_enough(solve) -> None:
    body = BASE + "devices = 8; mode = disaggregated; parallel { tp = 8 } }"
    (both,) = solve(body, slo="ttft <= 1 ms; tpot <= 1 ms")
    assert relaxations(both) == []
    (one,) = solve(body, slo="ttft <= 20 s; tpot <= 1 ms")
    (relaxation,) = relaxations(one)
    assert relaxation.miss.limit == "tpot"


def test_a_transfer_that_breaks_every_pair_is_named(solve) -> None:
    body = BASE + (
        "devices = 8; mode = disaggregated; parallel { tp = 8 }; transfer { bandwidth = 1 MB/s } }"
    )
    (result,) = solve(body, slo="ttft <= 20 s; tpot <= 50 ms")
    assert result.best is None
    nearest = result.configurations[0]
    (miss,) = nearest.misses
    assert miss.limit == "tpot"
    assert miss.value == pytest.approx(nearest.instances[1].point.tpot + nearest.transfer / 1499)
    assert nearest.bands.tpot_p10 < nearest.tpot < nearest.bands.tpot_p90


def test_links_bound_the_rate(solve) -> None:
    body = BASE + (
        "devices = 8; mode = disaggregated; parallel { tp = 8 }\n"
        "transfer { bandwidth = 0.02 GB/s } }"
    )
    (result,) = solve(body, slo="ttft <= 20 s; tpot <= 80 ms")
    best = result.best
    assert best.bottleneck == "transfer"
    assert best.rate == pytest.approx(1 / best.transfer, rel=1e-3)
    assert best.rate < min(g.point.rate for g in best.instances)


def test_batches_of_decode_do_not_bind_prefill(solve) -> None:
    body = BASE + (
        "devices = 8; mode = disaggregated; parallel { tp = 8 }\n"
        "engine { decode_batch = 64 .. 128 }; search { limits { batch >= 64 } } }"
    )
    (result,) = solve(body, slo="ttft <= 5 s; tpot <= 50 ms")
    prefill, decode = result.best.instances
    assert prefill.point.batch < 64 <= decode.point.batch


def test_a_rate_asks_for_the_fewest_devices(solve) -> None:
    body = BASE + "devices = 8; fleet { rate = 20 req/s }; parallel { tp = [2, 4, 8] } }"
    (result,) = solve(body)
    assert result.best.devices == min(a.devices for a in result.configurations)


def test_a_scan_is_near_exhaustive_search(solve) -> None:
    table = """workload w {
        requests { | share | input | output |
                   | 60%   | 1Ki   | 300    |
                   | 30%   | 3Ki   | 500    |
                   | 10%   | 9Ki   | 700    |
        }
        slo { SLO }
    }
    """
    body = BASE + (
        "devices = 8; parallel { tp = 8 }; engine { chunk_budget = 4Ki tok; decode_batch = 90 }\n"
        "search { strategy = STRATEGY } }"
    )
    found = {
        strategy: solve(body.replace("STRATEGY", strategy), "ttft <= 6 s; tpot <= 60 ms", table)[0]
        for strategy in ("scan", "exhaustive")
    }
    best = {name: result.best.throughput for name, result in found.items()}
    assert best["scan"] == pytest.approx(best["exhaustive"], rel=0.002)
    assert found["scan"].candidates[0].probes < 60


def test_a_wider_range_of_batches_finds_what_a_narrower_one_did(solve) -> None:
    """Short outputs saw the throughput by waves: peaks lie close together, far from the grid."""
    short = "workload w { input = 777 tok; output = 2 tok; prefix_hit = 0.3; slo { SLO } }\n"
    body = BASE.replace("qwen3_32b", "gpt_oss_20b").replace("test_device", "h100") + (
        "devices = 4; parallel { tp = [2, 1] }\n"
        "engine { scheduler = prefill_first; decode_batch = 1 .. RANGE } }"
    )
    found = [
        solve(body.replace("RANGE", str(high)), "tpot <= 30 ms", short)[0].best.throughput
        for high in (64, 100, 128, 200)
    ]
    assert all(b >= 0.999 * a for a, b in pairwise(found))


def test_a_step_with_drafts_keeps_to_the_budget() -> None:
    from collections import deque

    from specc.ir import Scheduler
    from specc.serving.schedulers import Budget, Waiting, composed

    waiting = deque([Waiting(0, 0, 0, 5)])
    admitted, decoding = composed(
        Scheduler.DECODE_FIRST.loop, waiting, (1000,), 32, Budget(160, 160, 0.0, each=4)
    )
    assert decoding == 32
    assert sum(a.count * a.query for a in admitted) == 160 - 32 * 4
