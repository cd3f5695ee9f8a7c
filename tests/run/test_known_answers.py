"""Known answers of fleets and of simulated studies, from the spec to the result."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from specc.ir import Objective
from specc.results import Miss, Results, StudyResult
from specc.run.configurations import rank_of
from specc.run.estimate import WorkEstimate, WorkPart, estimate
from specc.session import Session

HEAD = """
use std.devices
use std.models
workload w { input = 3500 tok; output = 1500 tok; slo { ttft <= 20 s; tpot <= 50 ms } }
"""
FLEET = """
deployment d {
    model = qwen3_32b; quant = w8a8_dynamic; device = test_device; devices = 8; mode = pd_ratio
    fleet { devices = TOTAL; spare = SPARE }; parallel { tp = 8 }
}
study s { workload = w; deployments = d }
"""


def results(text: str, folder: Path) -> Results:
    path = folder / "plan.spec"
    path.write_text(HEAD + text)
    return Session(path).results


@pytest.mark.parametrize(("total", "spare"), [(64, 1), (104, 2)])
def test_spares_are_taken_off_before_a_fleet_is_split(
    total: int, spare: int, tmp_path: Path
) -> None:
    """The best of all pairs of counts that leave room for a spare of each phase."""
    text = FLEET.replace("TOTAL", str(total)).replace("SPARE", str(spare))
    best = results(text, tmp_path).studies[0].best
    assert best is not None
    prefill, decode = best.instances
    rates = prefill.point.rate, decode.point.rate
    fitting = [
        (p, d)
        for p in range(1, total)
        for d in range(1, total)
        if (p + spare) * 8 + (d + spare) * 8 <= total
    ]
    serves = max(min(p * rates[0], d * rates[1]) for p, d in fitting)
    assert best.rate == pytest.approx(serves)
    assert best.devices <= total
    assert (prefill.spare, decode.spare) == (spare, spare)
    working = prefill.count - spare, decode.count - spare
    assert min(working[0] * rates[0], working[1] * rates[1]) == pytest.approx(serves)
    # What is spare serves nobody: the requests in flight are those of the working instances.
    assert best.in_flight == working[1] * decode.point.concurrency


SIMULATED = """
workload chat { input = 500 tok; output = 100 tok; slo { ttft <= 1 s; tpot <= 40 ms } }
deployment a3 {
    model = qwen3_8b; quant = w8a8_dynamic; device = atlas_800_a3_752t_die; devices = 1
    engine { max_sequences = 16 }
}
study s {
    workload = chat; deployments = a3
    simulate { arrival = poisson(4 req/s); requests = 600; shortlist = 1 }
    capacity { seeds = 1 }
}
"""


def test_slower_steps_and_more_load_make_all_worse(tmp_path: Path) -> None:
    """Steps slower than thought: longer waits, a smaller capacity. Load above it: attainment."""
    (found,) = results(SIMULATED, tmp_path).studies[0].simulations
    assert found.estimates
    for seen in found.estimates:
        assert seen.fast < found.metrics.statistic(seen.fact) < seen.slow, seen.fact
    capacity = found.capacity
    assert capacity is not None
    assert capacity.slow < capacity.rate < capacity.fast
    at = {round(seen.rate / capacity.curve_rate, 2): seen.attainment for seen in capacity.curve}
    assert at[1.0] > at[1.05] > at[1.25]
    assert capacity.steepness == pytest.approx(at[1.0] - at[1.05])
    assert 0 < capacity.steepness < 1


@pytest.mark.parametrize(
    ("model", "parallel"), [("qwen3_8b", "tp = 1"), ("qwen3_30b_a3b", "tp = 1; ep = 2")]
)
def test_each_replica_has_a_link_of_its_own(model: str, parallel: str, tmp_path: Path) -> None:
    """Two replicas send, and all else is quick: a cache leaves every half of its time on the way.

    So it is whether the replicas are engines of their own or share their experts.
    """
    text = f"""
    workload short {{ input = 2000 tok; output = 2 tok }}
    deployment d {{
        model = {model}; quant = w8a8_dynamic; device = atlas_800_a3_752t_die; devices = 2
        mode = disaggregated; parallel {{ {parallel} }}; transfer {{ bandwidth = 0.2 GB/s }}
    }}
    study s {{
        workload = short; deployments = d
        simulate {{ arrival = burst; requests = 100 }}
    }}
    """
    study = results(text, tmp_path).studies[0]
    assert study.best is not None
    assert [(group.count, group.spare) for group in study.best.instances] == [(1, 0), (1, 0)]
    assert study.best.bottleneck == "transfer"
    assert study.best.closed_form.rate == pytest.approx(2 / study.best.transfer, rel=1e-3)
    (found,) = study.simulations
    assert found.metrics.served == pytest.approx(2 / study.best.transfer, rel=0.1)


def test_configurations_count_what_their_working_instances_do(tmp_path: Path) -> None:
    """Like instances: rate and throughput of those that are not spare; money and power of all."""
    text = """
    device priced extends test_device { price = 36 CNY/h; power = 500 W }
    deployment d {
        model = qwen3_32b; quant = w8a8_dynamic; device = priced; devices = 8
        parallel { tp = 8 }; fleet { devices = 45; spare = 2 }
    }
    study s { workload = w; deployments = d }
    """
    best = results(text, tmp_path).studies[0].best
    assert best is not None
    (group,) = best.instances
    assert (group.count, group.spare, best.devices) == (5, 2, 40)
    assert best.rate == pytest.approx(3 * group.point.rate)
    assert best.throughput == pytest.approx(3 * group.point.throughput)
    assert best.throughput_per_device == pytest.approx(best.throughput / 40)
    assert best.in_flight == 3 * group.point.concurrency
    assert best.cost_per_second == pytest.approx(40 * 36 / 3600)
    assert best.energy_per_thousand_tokens == pytest.approx(40 * 500 / best.throughput * 1000)
    bands = best.bands
    for name in ("throughput_p10", "throughput_p90"):
        own = getattr(group.point.bands, name) / group.point.throughput
        assert getattr(bands, name) == pytest.approx(own * best.throughput)
    assert bands.ttft_p10 == group.point.bands.ttft_p10
    assert bands.tpot_p90 == group.point.bands.tpot_p90


ESTIMATED = """
workload chat { input = 512 tok; output = 64 tok; slo { tpot <= 50 ms } }
deployment d {
    model = qwen3_8b; quant = w8a8_dynamic; device = atlas_800_a3_752t_die; devices = DEVICES
    parallel { tp = [1, 2, 4, 8] }; engine { max_sequences = BATCHES }
}
study s { workload = chat; deployments = d; SIMULATE }
"""


def _estimate(folder: Path, devices=8, batches=64, simulate="") -> WorkEstimate:
    text = ESTIMATED.replace("DEVICES", str(devices)).replace("BATCHES", str(batches))
    path = folder / "plan.spec"
    path.write_text(HEAD + text.replace("SIMULATE", simulate))
    return estimate(Session(path).plan)


def test_an_estimate_grows_with_what_there_is_to_do(tmp_path: Path) -> None:
    small = _estimate(tmp_path)
    candidates, simulations = small.parts
    assert small.seconds == candidates.seconds + simulations.seconds
    # 8 devices have layouts of 4 sizes of tp and powers of two of pp; fewer have fewer.
    assert _estimate(tmp_path, devices=2).seconds < small.seconds < 10
    few, _ = _estimate(tmp_path, batches=4).parts
    assert few.seconds < candidates.seconds
    assert few.memory < candidates.memory


def test_an_estimate_of_simulations_is_in_proportion_to_their_requests(tmp_path: Path) -> None:
    def part(requests: int, more: str = "", after: str = "") -> WorkPart:
        simulate = f"simulate {{ arrival = poisson(4 req/s); requests = {requests}; {more} }}"
        (_, found) = _estimate(tmp_path, simulate=simulate + after).parts
        return found

    one, ten = part(1000, "shortlist = 1"), part(10_000, "shortlist = 1")
    assert ten.seconds == pytest.approx(10 * one.seconds)
    assert ten.memory == pytest.approx(10 * one.memory, rel=1e-3)
    assert part(1000, "shortlist = 3").seconds == pytest.approx(7 / 5 * one.seconds)
    # Each as it is, and the one that is recommended at four quantiles of the error.
    assert one.what.startswith("5 simulations of 1,000 requests")
    # For a capacity: eleven probes with the first seed, five with another seed and at each end, and
    # a curve of ten rates.
    capacity = part(1000, "shortlist = 1", "\n capacity { seeds = 2 }")
    assert capacity.what.startswith(f"{5 + 11 + 5 + 2 * 5 + 10} simulations of 1,000 requests")
    assert capacity.seconds == pytest.approx(41 * one.seconds / 5)
    # Longer prompts in chunks, sessions with their histories, and a router that looks around.
    assert part(1000, "shortlist = 1; router = least_load; replicas = 9").seconds > one.seconds
    sessions = part(1000, "shortlist = 1; sessions { turns = 3; gap = 5 s }")
    assert sessions.seconds > one.seconds
    assert sessions.memory > one.memory


def test_an_estimate_of_pairs_is_in_proportion_to_both_phases(tmp_path: Path) -> None:
    path = tmp_path / "plan.spec"
    path.write_text(
        HEAD
        + """
        deployment d {
            model = qwen3_8b; device = atlas_800_a3_752t_die; devices = 8; mode = disaggregated
            prefill { parallel { tp = 8 } }; decode { parallel { tp = [2, 4, 8]; pp = 1 } }
        }
        study s { workload = w; deployments = d }
        """
    )
    pairs = estimate(Session(path).plan).parts[1]
    assert pairs.what == "3 pairs of prefill and decode candidates of 'd'"
    assert pairs.seconds < 0.01
    assert 0 < pairs.memory < 1e5


def test_a_plan_is_large_if_it_takes_ten_minutes_or_four_gib(tmp_path: Path) -> None:
    study = _estimate(tmp_path).parts[0].study
    for seconds, memory, large in (
        (599.0, 2**32, False),
        (601.0, 0, True),
        (1.0, 2**32 + 1, True),
    ):
        assert WorkEstimate((WorkPart("work", study, seconds, memory),)).is_large == large
    both = WorkEstimate((WorkPart("a", study, 5.0, 7), WorkPart("b", study, 6.0, 3)))
    assert (both.seconds, both.memory) == (11.0, 7)


def test_what_an_expectation_saw_is_told_in_its_unit(tmp_path: Path) -> None:
    """Times below a second in milliseconds, memory in GiB; what is missing is named."""
    text = """
    deployment d {
        model = qwen3_32b; quant = w8a8_dynamic; device = test_device; devices = 8
        parallel { tp = 8 }; engine { decode_batch = 16 }
    }
    study s {
        workload = w; deployments = d
        expect best.tpot <= 40 ms
        expect best.ttft >= 100 s
        expect d.best.available > 1 GiB and best.devices == 8
        expect best.transfer < 1 s
        expect best.cost_per_million_tokens < 1 CNY
    }
    """
    study = results(text, tmp_path).studies[0]
    best = study.best
    assert best is not None
    tpot, ttft, room, _, cost = study.verdicts
    assert tpot.met
    assert tpot.seen == f"best.tpot is {best.tpot * 1000:.6g} ms"
    assert not ttft.met
    assert ttft.seen == f"best.ttft is {best.ttft:.6g} s"
    assert room.met
    gib = best.available / 2**30
    assert room.seen.startswith(f"d.best.available is {gib:.6g}"[:-1])
    assert room.seen.endswith(" GiB, best.devices is 8")
    assert not cost.met
    assert "best.cost_per_million_tokens does not exist: a device has no price" in cost.seen


def test_what_a_million_tokens_cost_is_judged_of_pairs_too(tmp_path: Path) -> None:
    text = """
    device priced extends test_device { price = 36 CNY/h }
    deployment d {
        model = qwen3_32b; quant = w8a8_dynamic; device = priced; devices = 8; mode = pd_ratio
        parallel { tp = 8 }; fleet { devices = 48 }; LIMIT
    }
    study s { workload = w; deployments = d }
    """

    def solved(limit: str) -> StudyResult:
        return results(text.replace("LIMIT", limit), tmp_path).studies[0]

    best = solved("").best
    assert best is not None
    cost = best.devices * 36 / 3600 / best.throughput * 1e6
    assert best.cost_per_million_tokens == pytest.approx(cost)
    within, beyond = (
        solved(f"search {{ limits {{ cost_per_million_tokens <= {cost * factor:.6f} CNY }} }}")
        for factor in (1.01, 0.99)
    )
    assert within.best is not None
    assert beyond.best is None
    miss = next(m for m in beyond.configurations[0].misses if m.limit.startswith("cost"))
    assert miss.value == pytest.approx(cost)


def test_combinations_that_are_dropped_are_counted_by_their_reason(tmp_path: Path) -> None:
    text = """
    deployment d {
        model = qwen3_32b; quant = w8a8_dynamic; device = test_device; devices = 12
        parallel { tp = [1, 3, 5, 8]; pp = [1, 7] }
    }
    study s { workload = w; deployments = d }
    """
    dropped = results(text, tmp_path).studies[0].pruned
    listed = {found.reason: found.combinations for found in dropped}
    # 64 heads: not by 3; 12 devices: not by 5, 8, 7, 35, 56 or 21.
    assert listed.pop("TP = 3 does not divide 64 attention heads") == 1
    sizes = {int(reason.split(" = ")[1].split()[0]) for reason in listed}
    assert sizes == {5, 7, 8, 21, 35, 56}
    assert set(listed.values()) == {1}


def test_places_go_by_the_objective_then_by_devices_then_by_latency() -> None:
    """Whatever misses a limit comes after all that keep them, the nearest first."""
    base = {
        "throughput": 100.0, "throughput_per_device": 10.0, "devices": 8, "tpot": 0.02,
        "ttft": 1.0, "rate": 1.0,
    }  # fmt: skip

    def place(misses=(), **changes) -> tuple[float, ...]:
        found = SimpleNamespace(**{**base, **changes})
        return rank_of(found, misses, Objective.THROUGHPUT_PER_DEVICE)

    near, far = (Miss("ttft", 2.0, 1.0, excess) for excess in (0.1, 1.0))
    order = [
        place(throughput_per_device=11.0),
        place(devices=4),
        place(throughput=101.0),
        place(tpot=0.01),
        place(ttft=0.5),
        place(),
        place(misses=(near,)),
        place(misses=(near, far)),
    ]
    assert order == sorted(order)
    assert len(set(order)) == len(order)
