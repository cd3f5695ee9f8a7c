"""Known answers of fleets and of simulated studies, from the spec to the result."""

from pathlib import Path

import pytest

from specc.results import Results
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
    for estimate in found.estimates:
        seen = found.metrics.statistic(estimate.fact)
        assert estimate.fast < seen < estimate.slow, estimate.fact
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
    assert study.best.bottleneck == "transfer"
    assert study.best.rate == pytest.approx(2 / study.best.transfer, rel=1e-3)
    (found,) = study.simulations
    assert found.metrics.served == pytest.approx(2 / study.best.transfer, rel=0.1)
