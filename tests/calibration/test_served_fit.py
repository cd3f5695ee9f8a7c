"""What an engine makes of steps, fitted to served runs: made ones, and one's own table."""

import json
import math

import attrs
import numpy as np
import pytest

from specc import library
from specc.calibration.served.fitting import OVERHEADS, Curve, curves, engine_of, fit_served
from specc.calibration.served.prediction import SkippedRun, runs_of
from specc.calibration.setting import Setting, deployment, served_with
from specc.cost import CostModel, StepTable
from specc.ir import Engine, Layout, ServedRule, ServedRules, Software, Workload
from specc.serving import Server

HEAD = (
    "source,hardware,n_devices,model,quant,parallel,mode,input_len,output_len,"
    "batch_or_concurrency,prefix_hit,mtp,ttft_ms,tpot_ms,throughput_tok_s,quality,notes\n"
)


def _curve(line: int, engine: str, source: str, true: float, wait: float = 0.0) -> Curve:
    """A run whose steps take `true` times their kernels, and whose prompts wait."""
    speed, first = 1000.0 + 10 * line, 0.1 + 0.01 * line
    return Curve(
        line=line,
        engine=engine,
        source=source,
        model="m",
        measured={"throughput": speed / true, "ttft": first * true + wait},
        predicted={"throughput": speed / OVERHEADS, "ttft": first * OVERHEADS},
        deviation=0.1,
    )


def test_a_fit_finds_the_overhead_that_made_the_runs() -> None:
    found = [_curve(n, "mindie", f"source {n % 3}", 1.7, wait=0.2) for n in range(20)]
    fitted = fit_served(found, None)
    assert fitted.left_out == "sources"
    rule = fitted.rules["mindie"]
    assert rule.overhead == pytest.approx(1.7, rel=1e-3)
    assert rule.request_time == pytest.approx(0.2, rel=0.01)
    report = next(r for r in fitted.engines if r.engine == "mindie")
    assert report.unseen.mean_error < 0.001
    assert report.before.mean_error == pytest.approx(0.7, rel=0.01)  # of steps alone
    assert (report.runs, report.sources, report.inside) == (20, 3, 1.0)


def test_few_runs_lean_on_all() -> None:
    """An engine with few runs is between its own overhead and that of all; eager is alone."""
    found = [_curve(n, "sglang", f"s{n % 3}", 1.2) for n in range(60)]
    found += [_curve(n, "mindie", f"m{n % 2}", 2.0) for n in range(60, 70)]
    found += [_curve(n, "vllm_ascend_eager", f"e{n % 2}", 2.5) for n in range(70, 80)]
    rules = fit_served(found, None).rules
    assert 1.2 < rules["mindie"].overhead < 1.4
    assert rules["vllm_ascend_eager"].overhead == pytest.approx(2.5, rel=1e-3)
    assert rules["other"].overhead == pytest.approx(1.2, rel=1e-3)


def test_what_is_left_out_is_not_seen() -> None:
    """A source that is twice as slow as all others is met as badly as that says."""
    found = [_curve(n, "mindie", f"s{n % 4}", 1.0) for n in range(20)]
    found += [_curve(n, "mindie", "slow", 2.0) for n in range(20, 26)]
    report = next(r for r in fit_served(found, None).engines if r.engine == "mindie")
    slow = 6 / 26  # predicted is twice as fast
    assert report.unseen.mean_error == pytest.approx(slow * 1.0, rel=0.02)


def test_of_one_source_models_are_left_out_and_of_one_model_fifths() -> None:
    one = [_curve(n, "mindie", "mine", 1.5) for n in range(10)]
    assert fit_served(one, None).left_out == "fifths of the runs"
    assert fit_served([*one, _curve(11, "mindie", "other", 1.5)], None).left_out == "sources"
    few = fit_served(one[:3], None)
    assert few.rules == {}
    assert "fewer than" in few.engines[0].reason


def _row(clients: int, throughput: float, source: str) -> str:
    return (
        f"{source},Atlas 800I A2,4,Qwen3-32B,w8a8,TP4,agg,1000,64,{clients},0,none,,,{throughput},"
        "A,vllm-ascend; num_prompts=16\n"
    )


def test_runs_that_the_simulation_made_give_their_overhead_back() -> None:
    """With throughputs as they are with an overhead of 1.5, the fit finds 1.5."""
    text = HEAD + "".join(_row(n, 1.0, "a") for n in (1, 2, 4, 8, 16))
    made = [one for one in curves(runs_of("t.csv", text, None)) if isinstance(one, Curve)]
    rows = [
        _row(n, one.at("throughput", 1.5), f"s{n % 3}")
        for n, one in zip((1, 2, 4, 8, 16), made, strict=True)
    ]
    found = list(curves(runs_of("t.csv", HEAD + "".join(rows), None)))
    assert not any(isinstance(one, SkippedRun) for one in found)
    rule = fit_served(found, None).rules["vllm_ascend_graph"]
    assert rule.overhead == pytest.approx(1.5, rel=0.01)


def test_the_command_writes_a_device_with_its_servers(specc, tmp_path) -> None:
    rows = "".join(_row(n, 100.0 * n**0.8, f"s{n % 2}") for n in (1, 2, 3, 4, 6, 8))
    (tmp_path / "runs.csv").write_text(HEAD + rows + _row(0, 5, "broken"))
    said = specc("calibrate", "--served", "runs.csv", "--device", "atlas_800_a2_313t",
                 "--name", "mine", "-o", "mine.spec")  # fmt: skip
    assert "vllm_ascend_graph" in said.stdout
    assert "1 rows not used: the concurrency is not given" in said.stdout
    assert "sources left out" in said.stdout
    device = library.device_in(tmp_path / "mine.spec", "mine")
    own, std = device.calibration.served, library.device("atlas_800_a2_313t").calibration.served
    assert own.vllm_ascend_graph.fit.rows == 6
    assert own.vllm_ascend_graph.source == "runs.csv"
    assert (own.sglang, own.other) == (std.sglang, std.other)
    assert "other" not in said.stdout.split("overhead: kernels")[0]
    again = specc("calibrate", "--served", "runs.csv", "--device", "atlas_800_a2_313t",
                  "--format", "json")  # fmt: skip
    engines = {one["engine"]: one for one in json.loads(again.stdout)["engines"]}
    assert engines["vllm_ascend_graph"]["n"] == 6


def test_tables_that_a_fit_of_servers_cannot_use(specc, tmp_path) -> None:
    (tmp_path / "few.csv").write_text(HEAD + _row(4, 100, "a"))
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    near = ("--device", "atlas_800_a2_313t")
    assert "too few served runs" in specc("calibrate", "--served", "few.csv", *near, code=2).stderr
    assert "error[E0010]" in specc("calibrate", "--served", "odd.csv", *near, code=2).stderr
    both = ("calibrate", "--served", "few.csv", "few.csv", *near)
    assert "into one table" in specc(*both, code=2).stderr
    far = specc("calibrate", "--served", "few.csv", "--device", "h200", code=2).stderr
    assert "another calibration" in far


# --- What a plan makes of it --------------------------------------------------------------------


def _server(software: Software | None, served: ServedRules | None = None) -> Server:
    built = deployment(Setting("qwen3_32b", "atlas_800_a3_752t_die", 4, "w8a8_dynamic",
                               software=software))  # fmt: skip
    if served is not None:
        built = served_with(built, served)
    return Server.of(built, Layout(4, 1, 1), Workload(input=1000, output=100))


def test_a_plan_has_the_overhead_of_its_engine() -> None:
    """Kernels take longer by it, waiting for the host does not."""
    data = library.device("atlas_800_a3_752t_die").calibration.served
    steps = StepTable.decoding([8], 2000, 128)
    host = 1.7e-3
    alone = _server(None, ServedRules(other=ServedRule(overhead=1.0))).times(steps).total[0] - host
    for software, rule in (
        (None, data.other),
        (Software.MINDIE, data.mindie),
        (Software.SGLANG, data.sglang),
        (Software.VLLM_ASCEND, data.vllm_ascend_graph),
    ):
        found = _server(software).times(steps)
        assert found.total[0] - host == pytest.approx(alone * rule.overhead, rel=1e-6)
        assert found.deviation[0] == pytest.approx(
            math.hypot(rule.spread, _kernels(software)), rel=1e-6
        )


def _kernels(software: Software | None) -> float:
    rule = ServedRules(other=ServedRule(overhead=1.0))
    steps = StepTable.decoding([8], 2000, 128)
    return float(_server(software, rule).times(steps).deviation[0])


def test_an_engine_that_no_runs_are_known_of_is_like_all() -> None:
    data = library.device("h200").calibration.served
    name, rule = data.rule("mindie", "graph")
    assert (name, rule) == ("other", data.other)
    assert data.rule("vllm", "graph") == ("vllm", data.vllm)


def test_phases_apart_have_a_rule_of_their_own() -> None:
    given = deployment(Setting("qwen3_32b", "atlas_800_a3_752t_die", 4))
    cost = CostModel.of(given, Layout(4, 1, 1))
    served = given.fitted.served
    assert cost.rules.overhead == served.other.overhead
    assert cost.apart.rules.overhead == served.apart.overhead
    assert cost.apart.rules is CostModel.of(given, Layout(2, 1, 2)).apart.rules  # computed as one
    alone = served_with(given, None)
    assert CostModel.of(alone, Layout(4, 1, 1)).rules.overhead == 1.0


def test_the_time_of_a_request_is_in_its_first_token(tmp_path) -> None:
    """Closed form and simulation have it, and the time between tokens does not."""
    from specc.session import Session

    text = """use std.calibrations
use std.devices
use std.models
calibration mine extends nvidia_hopper {{ served {{ vllm {{ overhead = 1; request_time = {} }} }} }}
device own extends h200 {{ calibration = mine }}
workload w {{ input = 1000 tok; output = 50 tok }}
deployment d {{ model = qwen3_8b; device = own; devices = 1; engine {{ software = vllm }} }}
study s {{
    workload = w; deployments = d; simulate {{ arrival = poisson(2 req/s); requests = 60 }}
}}
"""
    found = []
    for wait in ("0 ms", "250 ms"):
        path = tmp_path / "plan.spec"
        path.write_text(text.format(wait))
        study = Session(path).results.studies[0]
        metrics = study.simulations[0].metrics
        found.append((study.best.closed_form, metrics))
    (closed, simulated), (later, waited) = found
    assert later.ttft - closed.ttft == pytest.approx(0.25)
    assert waited.ttft.mean - simulated.ttft.mean == pytest.approx(0.25, abs=1e-6)
    assert waited.latency.mean - simulated.latency.mean == pytest.approx(0.25, abs=1e-6)
    assert waited.tpot.mean == pytest.approx(simulated.tpot.mean)
    assert waited.queue.mean == pytest.approx(simulated.queue.mean)
    assert later.tpot == pytest.approx(closed.tpot)


def test_every_engine_of_the_library_is_in_the_range_of_overheads() -> None:
    for device in ("atlas_800_a2_376t", "h200"):
        served = library.device(device).calibration.served
        for name in ("vllm", "vllm_ascend_graph", "mindie", "sglang", "apart", "other"):
            rule = getattr(served, name)
            if rule is not None:
                assert OVERHEADS[0] < rule.overhead < OVERHEADS[-1]
                assert rule.fit.rows > 0
                assert rule.source
    assert np.all(np.diff(OVERHEADS) > 0)
    assert Engine().software is None


def test_a_row_names_its_device_its_engine_and_how_it_launches(tmp_path) -> None:
    """In words of the language, where a row has such columns; other words are refused."""
    head = HEAD.strip() + ",software,execution\n"
    row = "our lab,atlas_800_a2_280t,4,Qwen3-32B,w8a8,TP4,agg,1000,64,4,0,none,,,100,A,"
    text = head + f"{row},mindie,\n{row},vllm-ascend,eager\n{row},tgi,\n{row},,fast\n"
    mindie, eager, unknown, odd = runs_of("t.csv", text, None)
    assert mindie.deployment.device.name == "atlas_800_a2_280t"
    assert [engine_of(one) for one in (mindie, eager)] == ["mindie", "vllm_ascend_eager"]
    assert "'tgi' is not one of vllm, vllm_ascend" in unknown.reason
    assert "'fast' is not one of eager, graph" in odd.reason


def test_a_request_time_that_the_runs_do_not_tell_stays() -> None:
    start = ServedRules(
        other=ServedRule(overhead=1.0), vllm=ServedRule(overhead=1.2, request_time=0.07)
    )
    found = [_curve(n, "vllm", f"s{n % 2}", 1.6, wait=0.2) for n in range(20)]
    own = fit_served(found, start).rules["vllm"]
    assert 1.5 < own.overhead < 1.6  # leans on 1.2 as if that were five runs
    assert 0.07 < own.request_time < 0.2
    slim = [attrs.evolve(one, measured={"throughput": one.measured["throughput"]}) for one in found]
    assert fit_served(slim, start).rules["vllm"].request_time == 0.07


def test_a_band_has_the_error_that_all_runs_share() -> None:
    """Sources left out that are all met too fast widen it, however equal they are."""
    found = [_curve(n, "mindie", "a", 1.0) for n in range(10)]
    found += [_curve(n, "mindie", "b", 2.0) for n in range(10, 20)]
    report = next(r for r in fit_served(found, None).engines if r.engine == "mindie")
    assert report.rule.spread > 0.5 * math.log(2)
    assert report.inside >= 0.8


def test_a_table_without_a_run_of_use_is_an_error(specc, tmp_path) -> None:
    (tmp_path / "runs.csv").write_text(HEAD + _row(0, 5, "a") + _row(4, 0, "b"))
    said = specc("validate", "serving", "runs.csv", code=2).stderr
    assert "no row has a run that can be predicted" in said
    assert "1 rows: no throughput, TTFT or TPOT was measured, or none that is a number" in said
