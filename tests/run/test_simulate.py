"""Simulated studies of deployments, from the spec to the result."""

from pathlib import Path

import pytest

from specc.results import Results, StudyResult
from specc.session import Session

HEAD = """
use std.devices
use std.models
workload chat {
    requests {
        | share | input      | output    |
        | 70%   | 100 .. 1Ki | 50 .. 200 |
        | 30%   | 1Ki .. 4Ki | 50 .. 200 |
    }
    slo { ttft.p99 <= 2 s; tpot.p99 <= 60 ms }
}
deployment a3 {
    model = qwen3_8b; quant = w8a8_dynamic; device = atlas_800_a3_752t_die; devices = 2
    engine { max_sequences = 64 }
}
"""


def compiled(text: str, folder: Path) -> Session:
    path = folder / "plan.spec"
    path.write_text(HEAD + text)
    return Session(path)


def results(text: str, folder: Path) -> Results:
    return compiled(text, folder).results


def study(text: str, folder: Path) -> StudyResult:
    return results(text, folder).studies[0]


def test_a_run_repeats_to_the_byte(tmp_path: Path) -> None:
    text = """
    study s {
        workload = chat; deployments = a3
        simulate { arrival = gamma(6 req/s, 2); requests = 600; sessions { turns = 3; gap = 5 s } }
        capacity { seeds = 2 }
    }"""
    first, second = (compiled(text, tmp_path).report.files for _ in range(2))
    assert first == second
    assert any("capacity" in name for name in first)


def test_the_simulation_chooses_from_the_shortlist(tmp_path: Path) -> None:
    """Two layouts of the same devices: what meets its objectives is recommended."""
    text = """
    study s {
        workload = chat; deployments = a3
        simulate { arrival = poisson(8 req/s); requests = 1500; shortlist = 2 }
        expect best.ttft.p99 <= 2 s
        expect a3.best.goodput >= 7 req/s
    }"""
    found = study(text, tmp_path)
    assert {s.place for s in found.simulations} == {1, 2}
    chosen, other = found.simulations
    assert found.best is not None
    assert found.best.layout == chosen.layout
    assert (chosen.meets, chosen.metrics.goodput) >= (other.meets, other.metrics.goodput)
    assert [verdict.met for verdict in found.verdicts] == [True, True]
    # Data-parallel replicas of a dense model are engines of their own.
    engines = {s.layout: s.engines for s in found.simulations}
    assert engines == {"TP=2 | PP=1 | DP=1": (1,), "TP=1 | PP=1 | DP=2": (2,)}


def test_prefill_and_decode_apart(tmp_path: Path) -> None:
    text = """
    deployment apart extends a3 {
        mode = pd_ratio; devices = 1; fleet { devices = 4 }
    }
    study s {
        workload = chat; deployments = [apart]
        simulate { arrival = poisson(6 req/s); requests = 1000; router = least_load }
    }"""
    (found,) = study(text, tmp_path).simulations
    metrics = found.metrics
    assert len(found.engines) == len(found.settings) == 2
    assert sum(found.engines) == 4
    assert metrics.prefill_busy is not None
    # The means agree with Little's law: sequences that decode, over all engines.
    decoding = metrics.batch * metrics.busy * found.engines[1]
    seconds = metrics.latency.mean - metrics.ttft.mean
    assert decoding == pytest.approx(metrics.served * seconds, rel=0.05)


def test_replicas_that_share_experts_are_engines_of_their_own(tmp_path: Path) -> None:
    text = """
    deployment moe {
        model = qwen3_30b_a3b; device = atlas_800_a3_752t_die; devices = 4
        parallel { tp = 1; ep = 4 }
        engine { max_sequences = 32 }
    }
    study s {
        workload = chat; deployments = moe
        simulate { arrival = poisson(10 req/s); requests = 800 }
    }"""
    (found,) = study(text, tmp_path).simulations
    assert found.engines == (4,)
    assert found.settings[0].limit == 32
    assert found.metrics.finished == 800
    assert found.metrics.most_decoding <= 32


def test_what_misses_its_objectives_is_not_feasible(tmp_path: Path) -> None:
    text = """
    study s {
        workload = chat; deployments = a3
        simulate { arrival = poisson(100 req/s); requests = 4000 }
    }"""
    found = results(text, tmp_path)
    assert not found.feasible
    assert found.studies[0].best is not None
    assert found.studies[0].simulations[0].metrics.growing


def test_a_sweep_over_the_instances(tmp_path: Path) -> None:
    """The more instances, the shorter the queue."""
    text = """
    study s {
        workload = chat; deployments = a3
        simulate { arrival = poisson(40 req/s); requests = 1500; router = least_load }
        sweep s.simulate.instances in [1, 2, 4]
    }"""
    waits = [s.simulations[0].metrics.ttft.p99 for s in results(text, tmp_path).studies]
    assert waits[0] > waits[1] > waits[2]
