"""What a recommendation is simulated under, and that its figures are those of the simulation."""

import json
from pathlib import Path

import pytest

from specc.results import Configuration, StudyResult, load_results
from specc.session import Session, SpecError
from tests.conftest import REFERENCE

HEAD = "use std.devices\nuse std.models\n"
SHORT = "workload w {{ input = 2000 tok; output = 200 tok; {slo} }}\n"
DEPLOYMENT = """
deployment d {{
    model = qwen3_8b; quant = w8a8_dynamic; device = atlas_800_a3_752t_die; devices = 2
    {more}
}}
"""


def study_of(
    folder: Path, more: str = "", slo: str = "", after: str = "", workload: str = ""
) -> StudyResult:
    path = folder / "plan.spec"
    lengths = workload or SHORT.format(slo=f"slo {{ {slo} }}" if slo else "")
    study = f"study s {{ workload = w; deployments = d\n{after} }}"
    path.write_text(HEAD + lengths + DEPLOYMENT.format(more=more) + study)
    (study_,) = Session(path).results.studies
    return study_


def as_it_is(best: Configuration) -> str:
    """Describe the engine of a configuration, in the layout that it has."""
    (instance,) = best.instances
    layout, limit = instance.layout, instance.engine.max_sequences
    sizes = f"tp = {layout.tp}; pp = {layout.pp}"
    return f"parallel {{ {sizes} }}; engine {{ max_sequences = {limit} }}"


def best_of(found: StudyResult) -> Configuration:
    assert found.best is not None
    assert found.best.load is not None
    assert found.best.metrics is not None
    return found.best


def test_without_a_load_as_many_clients_as_run_at_a_time(tmp_path: Path) -> None:
    """And the figures are those of the same clients in a block of their own."""
    best = best_of(study_of(tmp_path, slo="tpot <= 40 ms"))
    clients = best.load.clients
    assert best.load.kind == "clients"
    assert best.simulated
    (instance,) = best.instances
    places = instance.layout.dp * instance.engine.max_sequences
    assert 0.9 * places < clients <= places
    assert best.load.requests == max(500, 5 * clients)
    assert best.closed_form.throughput == pytest.approx(best.throughput, rel=0.15)
    more = as_it_is(best)
    given = f"simulate {{ arrival = concurrency({clients}) }}"
    same = best_of(study_of(tmp_path, more, "tpot <= 40 ms", given))
    assert same.load.kind == "given"
    assert same.metrics == best.metrics


def test_more_clients_would_miss_a_limit(tmp_path: Path) -> None:
    """An engine that is as it is, and runs more than the limit allows."""
    engine = "parallel { tp = 2; pp = 1 }; engine { max_sequences = 256; chunk_budget = 8Ki tok }"
    best = best_of(study_of(tmp_path, engine, "ttft.p90 <= 4 s; tpot <= 30 ms"))
    assert best.instances[0].engine.max_sequences == 256
    assert 1 < best.load.clients < 256
    assert [kept.fact for kept in best.slo] == ["tpot.mean", "ttft.p90"]
    assert all(kept.met for kept in best.slo)
    assert best.metrics.ttft.p90 <= 4
    more = round(best.load.clients * 1.1)
    after = f"simulate {{ arrival = concurrency({more}) }}"
    (found,) = study_of(tmp_path, engine, "ttft.p90 <= 4 s; tpot <= 30 ms", after).simulations
    assert not found.meets


def test_a_fleet_has_as_many_instances_as_its_rate_needs(tmp_path: Path) -> None:
    """It holds its limits with other seeds, and with one instance fewer it does not."""
    more = "parallel { tp = 2; pp = 1 }; fleet { rate = 30 req/s; spare = 1 }"
    best = best_of(study_of(tmp_path, more, "ttft <= 1 s; tpot <= 25 ms"))
    (instance,) = best.instances
    assert (best.load.kind, best.load.rate, instance.spare) == ("rate", 30, 1)
    assert best.devices == 2 * instance.count
    assert best.capacity >= 30
    working = instance.count - 1
    engine = as_it_is(best)

    def met(count: int, seed: int) -> bool:
        load = f"arrival = poisson(30 req/s); instances = {count}; seed = {seed}; shortlist = 1"
        after = f"simulate {{ {load} }}"
        (found,) = study_of(tmp_path, engine, "ttft <= 1 s; tpot <= 25 ms", after).simulations
        return found.meets

    assert met(working, 101)
    assert met(working, 102)
    assert not (met(working - 1, 101) and met(working - 1, 102))


def test_headroom_and_a_rate_of_a_capacity(tmp_path: Path) -> None:
    base = "parallel { tp = 2; pp = 1 }; fleet { rate = 30 req/s }"
    with_room = base.replace("}", "}", 1).replace("30 req/s }", "30 req/s; headroom = 50% }")
    slo = "ttft <= 1 s; tpot <= 25 ms"
    plain, roomy = (best_of(study_of(tmp_path, more, slo)) for more in (base, with_room))
    assert roomy.load.rate == pytest.approx(45)
    assert roomy.devices > plain.devices
    after = "capacity { rate = 30 req/s }"
    asked = study_of(tmp_path, "parallel { tp = 2; pp = 1 }", slo, after)
    assert best_of(asked).devices == plain.devices
    assert asked.study.objective.value == "fewest_devices"


@pytest.mark.parametrize(
    ("fleet", "setting"),
    [
        ("fleet { devices = 8 }", "capacity.rate"),
        ("fleet { rate = 8 req/s }", "capacity.rate"),
        ("fleet { devices = 8; headroom = 20% }", "headroom"),
    ],
)
def test_what_has_no_effect_on_a_fleet_is_refused(tmp_path: Path, fleet: str, setting: str) -> None:
    after = "capacity { rate = 4 req/s }" if setting == "capacity.rate" else ""
    with pytest.raises(SpecError) as error:
        study_of(tmp_path, fleet, "ttft <= 1 s", after)
    (found,) = error.value.diagnostics
    assert (found.code, found.message) == ("E0486", f"'{setting}' has no effect here")


def test_what_is_left_at_the_closed_form(tmp_path: Path) -> None:
    found = best_of(study_of(tmp_path, slo="tpot <= 40 ms", after="simulate = none"))
    assert not found.simulated
    assert found.load.kind == "none"
    assert found.metrics.tpot.mean == found.tpot == found.closed_form.tpot
    assert found.metrics.tpot.p99 is None
    reference = best_of(study_of(tmp_path, "calibration = reference", "tpot <= 40 ms"))
    assert not reference.simulated
    for more, after in (("", "simulate = none"), ("calibration = reference", "")):
        with pytest.raises(SpecError) as error:
            study_of(tmp_path, more, "ttft.p90 <= 3 s", after)
        assert error.value.diagnostics[0].code == "E0481"


def test_none_stands_for_a_block_and_leaves_nothing_to_set(tmp_path: Path) -> None:
    path = tmp_path / "plan.spec"
    study = "study s { workload = w; deployments = d; simulate = none }"
    deployment = DEPLOYMENT.format(more="fleet = none")
    path.write_text(HEAD + SHORT.format(slo="") + deployment + study)
    assert Session(path).document.studies[0].deployments[0].fleet is None
    assert Session(path, ["s.simulate.seed=3"]).diagnostics[0].code == "E0204"
    extended = "deployment e extends d { fleet { rate = 3 req/s } }\n"
    path.write_text(path.read_text().replace("study", extended + "study").replace("= d;", "= e;"))
    assert Session(path).document.studies[0].deployments[0].fleet.rate == 3


def test_sizes_and_settings_that_are_lists_are_searched(tmp_path: Path) -> None:
    more = "engine { max_sequences = [8, 16]; chunk_budget = [2Ki tok, 4Ki tok] }"
    path = tmp_path / "plan.spec"
    text = HEAD + SHORT.format(slo="") + DEPLOYMENT.format(more=more)
    study = "study s { workload = w; deployments = d; simulate = none }"
    path.write_text(text.replace("devices = 2", "devices = [1, 2]") + study)
    (found,) = Session(path).results.studies
    sizes = {(c.instance.devices, c.instance.engine.max_sequences) for c in found.candidates}
    assert sizes == {(1, 8), (1, 16), (2, 8), (2, 16)}
    assert {c.instance.engine.chunk_budget for c in found.candidates} == {2048, 4096}
    assert len({(c.instance.devices, c.instance.parallel) for c in found.candidates}) == len(
        found.candidates
    )
    alone = Session(path, ["d.engine.max_sequences=16"]).results.studies[0]
    assert len(alone.candidates) == len(found.candidates) / 2
    small = [c for c in found.candidates if c.instance.devices == 1]
    assert len(Session(path, ["d.devices=1"]).results.studies[0].candidates) == len(small)


@pytest.mark.parametrize(("mode", "without"), [("prefill_only", "tpot"), ("decode_only", "ttft")])
def test_phases_alone_are_closed_loops(tmp_path: Path, mode: str, without: str) -> None:
    best = best_of(study_of(tmp_path, f"mode = {mode}; parallel {{ tp = 2; pp = 1 }}"))
    assert best.load.kind == "clients"
    assert getattr(best.metrics, without) is None
    assert best.throughput == pytest.approx(best.closed_form.throughput, rel=0.12)
    assert best.bins[0].ttft is None if without == "ttft" else best.bins[0].tpot is None


def test_short_prompts_do_not_limit_what_decodes(tmp_path: Path) -> None:
    """The budget that is found for prompts of one token is four tokens."""
    workload = "workload w { input = 1 tok; output = 50 tok; slo { tpot <= 30 ms } }\n"
    more = "mode = disaggregated; parallel { tp = 2; pp = 1 }; engine { decode_batch = 64 }"
    best = best_of(study_of(tmp_path, more, workload=workload))
    assert best.load.clients > 40
    assert best.tpot == pytest.approx(best.closed_form.tpot, rel=0.15)


def test_phases_apart_are_simulated_together(tmp_path: Path) -> None:
    more = "mode = disaggregated; parallel { tp = 2; pp = 1 }"
    best = best_of(study_of(tmp_path, more, "ttft <= 2 s; tpot <= 40 ms"))
    assert best.load.kind == "clients"
    assert [instance.phase for instance in best.instances] == ["prefill", "decode"]
    assert best.ttft <= 2
    assert best.tpot <= 0.04
    # Prompts come no faster than prefill takes them.
    assert best.rate <= best.instances[0].point.rate * 1.05


def test_both_phases_have_the_instances_that_a_rate_needs(tmp_path: Path) -> None:
    more = "mode = pd_ratio; parallel { tp = 2; pp = 1 }; fleet { rate = 40 req/s }"
    best = best_of(study_of(tmp_path, more, "ttft <= 1 s; tpot <= 30 ms"))
    assert best.load.rate == 40
    assert best.capacity >= 40
    prefill = best.instances[0]
    assert prefill.count * prefill.point.rate > 40
    assert (best.ttft <= 1, best.tpot <= 0.03) == (True, True)


def test_the_bands_are_simulated_too(tmp_path: Path) -> None:
    best = best_of(study_of(tmp_path, slo="tpot <= 40 ms"))
    for name in ("ttft", "tpot", "throughput"):
        low, high = best.interval[name]
        assert low < getattr(best, name) < high


def test_a_rate_that_no_fleet_carries_is_infeasible(tmp_path: Path) -> None:
    """A single prompt takes longer than the limit, however many instances there are."""
    found = study_of(tmp_path, "fleet { rate = 5 req/s }", "ttft.p50 <= 10 ms")
    assert found.best is None
    assert found.configurations[0].misses[0].limit == "ttft.p50"
    assert not found.feasible


@pytest.mark.parametrize("fact", ["latency.mean", "queue.mean", "ttft.mean", "itl.p99"])
def test_every_limit_that_is_missed_has_a_name(tmp_path: Path, fact: str) -> None:
    path = tmp_path / "plan.spec"
    workload = SHORT.format(slo=f"slo {{ {fact} <= 1 ns }}")
    study = "study s { workload = w; deployments = d }"
    engine = "parallel { tp = 2; pp = 1 }; engine { max_sequences = 4; chunk_budget = 2Ki tok }"
    path.write_text(HEAD + workload + DEPLOYMENT.format(more=engine) + study)
    session = Session(path)
    text = session.report.files["plan.report.md"]
    if fact.startswith("queue"):  # a client alone never waits
        assert session.results.studies[0].feasible
        return
    assert "No layout meets the limits" in text
    name = fact.removesuffix(".mean") if fact.startswith("ttft") else fact
    assert session.results.studies[0].configurations[0].misses[0].limit == name


def test_lengths_have_figures_of_their_own(tmp_path: Path) -> None:
    workload = """
    workload w { requests {
        | share | input        | output |
        | 20%   | 6000 .. 8000 | 200    |
        | 80%   | 200 .. 400   | 200    |
    }
    slo { tpot <= 40 ms } }
    """
    best = best_of(study_of(tmp_path, workload=workload))
    long, short = best.bins
    assert (long.input, short.input) == (7000, 300)
    assert long.ttft > short.ttft
    mean = 0.2 * long.ttft + 0.8 * short.ttft
    assert mean == pytest.approx(best.ttft, rel=0.1)
    assert long.samples + short.samples == pytest.approx(best.in_flight, abs=1)


def test_the_contract_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.spec"
    study = "study s { workload = w; deployments = d }"
    path.write_text(
        HEAD + SHORT.format(slo="slo { ttft.p99 <= 9 s }") + DEPLOYMENT.format(more="") + study
    )
    text = Session(path).report.files["plan.result.json"]
    (data,) = json.loads(text)["studies"]
    assert data["recommendation"] == data["configurations"][0]
    found = data["recommendation"]
    assert {"configuration", "deployment", "instances", "devices", "load", "simulated", "metrics",
            "interval", "slo", "closed_form", "capacity"} <= found.keys()  # fmt: skip
    assert {"phase", "count", "devices", "device", "layout", "engine", "memory"} <= found[
        "instances"
    ][0].keys()
    assert set(found["instances"][0]["layout"]) == {
        "tp", "pp", "dp", "cp", "dcp", "ep", "moe_tp", "moe_dp"}  # fmt: skip
    assert set(found["load"]) == {"kind", "rate", "clients", "requests"}
    assert set(found["metrics"]["ttft"]) == {"mean", "p50", "p90", "p95", "p99", "max"}
    assert {
        "tpot",
        "itl",
        "queue",
        "latency",
        "throughput",
        "rate",
        "goodput",
        "attainment",
    } <= set(found["metrics"])
    (kept,) = found["slo"]
    assert 0.5 < kept.pop("probability") < kept.pop("of_kernels") < 1
    seen = found["metrics"]["ttft"]["p99"]
    assert kept.pop("fast") < seen < kept.pop("slow")
    assert kept == {"fact": "ttft.p99", "limit": 9.0, "value": seen, "met": True}
    assert set(found["closed_form"]) >= {"ttft", "tpot", "throughput"}
    (tmp_path / "a.json").write_text(text)
    assert load_results(tmp_path / "a.json").to_json() == text


def test_many_variants_are_simulated_once(tmp_path: Path) -> None:
    path = tmp_path / "plan.spec"
    values = ", ".join(f"{100 + 20 * n} tok" for n in range(10))
    study = f"study s {{ workload = w; deployments = d; sweep w.output in [{values}] }}"
    path.write_text(
        HEAD + SHORT.format(slo="slo { tpot <= 40 ms }") + DEPLOYMENT.format(more="") + study
    )
    results = Session(path).results.studies
    assert [len(result.simulations) for result in results].count(1) == 9
    assert all(result.best.simulated for result in results)
    whole = next(result for result in results if len(result.simulations) > 1)
    assert whole.simulations[0].estimates
    assert whole.best.throughput == max(result.best.throughput for result in results)


PLANNER = """bins:
  - min_tokens: 0
    max_tokens: 500
    weight: 0.25
  - min_tokens: 500
    max_tokens: 4000
    weight: 0.75
"""


def test_the_bins_of_the_published_planner(tmp_path: Path) -> None:
    (tmp_path / "bins.yaml").write_text(PLANNER)
    requests = 'workload w { requests = lengths_from("bins.yaml", output = 100 tok) }\n'
    path = tmp_path / "plan.spec"
    study = "study s { workload = w; deployments = d; simulate = none }"
    path.write_text(HEAD + requests + DEPLOYMENT.format(more="") + study)
    rows = Session(path).document.studies[0].workload.requests
    assert [(row.share, row.input, row.output) for row in rows] == [
        (0.25, (0, 500), (100, 101)),
        (0.75, (500, 4000), (100, 101)),
    ]
    path.write_text(path.read_text().replace(", output = 100 tok", ""))
    assert "says nothing of output tokens" in Session(path).diagnostics[0].message
    (tmp_path / "bins.yaml").write_text(PLANNER.replace("4000", "500"))
    path.write_text(path.read_text().replace('.yaml"', '.yaml", output = 9 tok'))
    assert "is empty" in Session(path).diagnostics[0].message


def test_the_workloads_of_the_library_can_be_extended(tmp_path: Path) -> None:
    path = tmp_path / "plan.spec"
    own = "use std.workloads\nworkload w extends mlperf_server { output = 100 tok }\n"
    study = "study s { workload = w; deployments = d }"
    path.write_text(HEAD + own + DEPLOYMENT.format(more="") + study)
    (found,) = Session(path).results.studies
    assert [kept.fact for kept in best_of(found).slo] == ["ttft.p99", "tpot.p99"]


@pytest.mark.skipif(not REFERENCE.exists(), reason="the faults stand beside the reference data")
def test_faults_that_were_seen(tmp_path: Path) -> None:
    """A rate beyond the hardware; a fleet that does not hold."""
    text = (REFERENCE.parent / "faults" / "beyond_hardware.spec").read_text()
    path = tmp_path / "plan.spec"
    path.write_text(text)
    best = best_of(Session(path).results.studies[0])
    assert best.rate <= 5.33
    assert best.closed_form.rate <= 5.33
