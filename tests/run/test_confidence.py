"""How sure it is that limits hold."""

import json
import math
from pathlib import Path

import pytest

from specc.results import load_results
from specc.run.confidence import QUANTILES, SURE, probability, quantile_of
from specc.run.events import Events
from specc.run.executors import evaluated
from specc.run.loads import erring, seen_under
from specc.run.runner import Runner
from specc.run.subjects import Conditions, Simulator, subject_of
from specc.session import Session, SpecError

ZS = (QUANTILES[0], QUANTILES[1], 0.0, *QUANTILES[2:])


def curve(of) -> list[tuple[float, float]]:
    return [(z, of(z)) for z in ZS]


def test_of_a_statistic_that_goes_with_the_steps() -> None:
    """A log-normal value is below a limit with the probability of the normal distribution."""
    seen = curve(lambda z: 2.0 * math.exp(0.2 * z))
    for z in (-2.0, -1.0, -0.3, 0.0, 0.4, 1.0, 2.5):
        expected = 0.5 * (1 + math.erf(z / math.sqrt(2)))
        limit = 2.0 * math.exp(0.2 * z)
        assert probability(seen, limit) == pytest.approx(expected, abs=1e-9)
        # Half of the deviation: the limit is twice as far away.
        twice = 0.5 * (1 + math.erf(2 * z / math.sqrt(2)))
        expected = min(SURE, max(1 - SURE, twice))
        assert probability(seen, limit, share=2.0) == pytest.approx(expected, abs=1e-9)


def test_at_the_ends() -> None:
    assert probability(curve(lambda z: 1.0), 2.0) == SURE
    assert probability(curve(lambda z: 3.0), 2.0) == pytest.approx(1 - SURE)
    assert probability(curve(lambda z: 2.0), 2.0) == SURE  # what is equal is kept
    # A queue that suddenly grows: beyond the last quantile that holds, before the next.
    cliff = [*zip(ZS, (1.0, 1.0, 1.0, 50.0, 90.0), strict=True)]
    assert 0.5 < probability(cliff, 2.0) < 0.7


def test_the_quantile_of_a_confidence() -> None:
    assert quantile_of(None) == 0.0
    assert quantile_of(0.5) == 0.0
    assert quantile_of(0.9) == pytest.approx(1.2816, abs=1e-4)


PLAN = """use std.devices
use std.models
workload w {{ input = 2000 tok; output = 200 tok; slo {{ {slo} }} }}
deployment d {{
    model = qwen3_8b; quant = w8a8_dynamic; device = atlas_800_a3_752t_die; devices = 2
    parallel {{ tp = 2 }}
    {more}
}}
study s {{ workload = w; deployments = d
{after} }}
"""


def best_of(folder: Path, slo: str, more: str = "", after: str = ""):
    path = folder / "plan.spec"
    path.write_text(PLAN.format(slo=slo, more=more, after=after))
    return Session(path).results.studies[0].best


def test_a_plan_on_its_limit_is_a_coin_flip(tmp_path: Path) -> None:
    """With the limit where the simulation has its mean; kernels alone leave it at that."""
    after = "simulate { arrival = concurrency(20) }"
    engine = "engine { max_sequences = 20; chunk_budget = 8Ki tok }"
    seen = best_of(tmp_path, "tpot <= 40 ms", engine, after).metrics.tpot.mean
    (kept,) = best_of(tmp_path, f"tpot <= {seen:.12g} s", engine, after).slo
    assert kept.fact == "tpot.mean"
    assert kept.probability == pytest.approx(0.5, abs=0.01)
    assert kept.of_kernels == pytest.approx(0.5, abs=0.01)
    (more,) = best_of(tmp_path, f"tpot <= {1.1 * seen:.12g} s", engine, after).slo
    assert 0.5 < more.probability < more.of_kernels


def test_confidence_leaves_room(tmp_path: Path) -> None:
    """In the search: fewer clients, at which the limit holds in the slow quantile too."""
    plain = best_of(tmp_path, "tpot <= 20 ms")
    sure = best_of(tmp_path, "tpot <= 20 ms; confidence = 90%")
    assert sure.load.clients < plain.load.clients
    assert sure.slo[0].probability == pytest.approx(0.9, abs=0.03)
    assert sure.feasible


def test_confidence_counts_more_instances(tmp_path: Path) -> None:
    fleet = "fleet { rate = 60 req/s }"
    slo = "ttft.p90 <= 1 s; tpot <= 25 ms"
    plain = best_of(tmp_path, slo, fleet)
    sure = best_of(tmp_path, f"{slo}; confidence = 95%", fleet)
    assert sure.instances[0].count > plain.instances[0].count
    assert min(kept.probability for kept in sure.slo) >= 0.94


def test_confidence_lowers_the_capacity(tmp_path: Path) -> None:
    after = "simulate { arrival = poisson(4 req/s); requests = 2000 }; capacity { seeds = 1 }"
    plain = best_of(tmp_path, "tpot <= 30 ms", after=after)
    sure = best_of(tmp_path, "tpot <= 30 ms; confidence = 70%", after=after)
    assert 0.5 * plain.capacity < sure.capacity < 0.97 * plain.capacity


def test_confidence_is_in_the_instances_for_a_rate(tmp_path: Path) -> None:
    """The first count that is tried is simulated with it, as those beside it are."""
    after = (
        "simulate { arrival = poisson(3 req/s); requests = 500 }\n"
        "capacity { rate = 7.7 req/s; seeds = 1; attainment = 90% }"
    )
    engine = "engine { max_sequences = 20; chunk_budget = 8Ki tok }"

    def found(slo: str):
        (tmp_path / "plan.spec").write_text(PLAN.format(slo=slo, more=engine, after=after))
        return Session(tmp_path / "plan.spec").results.studies[0].simulations[0].capacity

    plain, sure = found("ttft.p90 <= 800 ms"), found("ttft.p90 <= 800 ms; confidence = 0.6")
    assert plain.instances == sure.instances == 2
    assert sure.attainment_at_wanted < plain.attainment_at_wanted


@pytest.mark.parametrize("clients", [1, 20, 70])
def test_a_closed_loop_without_pauses_errs_as_its_steps_do(tmp_path: Path, clients: int) -> None:
    """What is scaled is what a simulation with slower steps says, percentiles included."""
    path = tmp_path / "plan.spec"
    text = PLAN.format(slo="ttft <= 3 s", more="", after="simulate { arrival = concurrency(9) }")
    path.write_text(text)
    session = Session(path)
    (planned,) = session.plan.studies
    known, best = evaluated(planned.tasks, Runner()), session.results.studies[0].best
    subject = subject_of(planned.study, planned.study.simulate, best, 1, known)
    simulator = Simulator(subject, Events())
    seen = seen_under(simulator, Conditions(clients=clients))
    for z in QUANTILES:
        (scaled,) = erring(simulator, seen, [z], Runner())
        plain = seen_under(simulator, Conditions(clients=clients, deviations=z)).metrics
        for metric in ("ttft", "tpot", "itl", "latency"):
            ours, theirs = getattr(scaled, metric), getattr(plain, metric)
            for name in ("mean", "p50", "p90", "p99", "max"):
                assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-6)
        assert scaled.throughput == pytest.approx(plain.throughput, rel=1e-6)
        assert scaled.attainment == plain.attainment
        assert (scaled.busy, scaled.batch) == pytest.approx((plain.busy, plain.batch), rel=1e-6)


@pytest.mark.parametrize(
    ("slo", "after", "code"),
    [
        ("tpot <= 20 ms; confidence = 90%", "simulate = none", "E0481"),
        ("confidence = 90%", "", "E0486"),
        ("tpot <= 20 ms; confidence = 30%", "", "E0402"),
    ],
)
def test_where_it_means_nothing(tmp_path: Path, slo: str, after: str, code: str) -> None:
    with pytest.raises(SpecError) as error:
        best_of(tmp_path, slo, after=after)
    assert [d.code for d in error.value.diagnostics] == [code]


def test_it_is_in_the_file_and_loads_again(tmp_path: Path) -> None:
    best_of(tmp_path, "tpot <= 20 ms")
    text = Session(tmp_path / "plan.spec").report.files["plan.result.json"]
    (kept,) = json.loads(text)["studies"][0]["configurations"][0]["slo"]
    assert 0.5 <= kept["probability"] <= kept["of_kernels"] < 1
    (tmp_path / "r.json").write_text(text)
    assert (
        load_results(tmp_path / "r.json").studies[0].best.slo[0].probability == kept["probability"]
    )
