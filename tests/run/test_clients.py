"""Closed loops from the spec to the report."""

import json
from pathlib import Path

import pytest

from specc.ir.simulation import requests_of_clients
from specc.results import load_results
from specc.session import Session

# vllm-ascend issue 11750: a benchmark with --max-concurrency 20 and 80 prompts of 3500/1500 tokens,
# card not named. Measured there: TTFT mean 1.78 s, median 1.00 s, p99 7.40 s; 80 requests in 227 s.
FIELD_CASE = """
use std.devices
use std.models
workload bench {{ input = 3500 tok; output = 1500 tok{slo} }}
deployment one {{
    model   = qwen2_5_7b
    quant   = bf16
    device  = atlas_800_a2_376t
    devices = 1
    engine {{ memory_utilization = 90%; max_sequences = 20; chunk_budget = 8Ki tok }}
}}
study bench_run {{
    workload = bench; deployments = one
    simulate {{ arrival = {arrival}{more} }}
    {behind}
}}
"""


def _write(
    tmp_path: Path, arrival: str, more: str = "; requests = 80", slo: str = "", behind: str = ""
) -> Path:
    path = tmp_path / "plan.spec"
    path.write_text(FIELD_CASE.format(arrival=arrival, more=more, slo=slo, behind=behind))
    return path


def test_clients_of_a_load_tool(tmp_path: Path) -> None:
    """The first wave waits, later requests find a place: the median is below the mean."""
    session = Session(_write(tmp_path, "concurrency(20)"))
    metrics = session.results.studies[0].simulations[0].metrics
    assert metrics.requests == metrics.finished == 80
    assert metrics.ttft.mean == pytest.approx(1.4, abs=0.4)  # 1.78 s were measured
    assert metrics.ttft.p50 < metrics.ttft.mean < metrics.ttft.p90
    assert metrics.ttft.p99 > 3 * metrics.ttft.p50
    assert 0.35 < metrics.served < 0.6  # 0.353 were
    burst = Session(_write(tmp_path, "burst")).results.studies[0].simulations[0].metrics
    assert burst.ttft.mean > 30 * metrics.ttft.mean  # the sixty that wait count there
    assert burst.span == pytest.approx(metrics.span, rel=0.05)


def test_thinking_and_ramp(tmp_path: Path) -> None:
    def span(arrival: str) -> float:
        session = Session(_write(tmp_path, arrival))
        return session.results.studies[0].simulations[0].metrics.span

    plain = span("concurrency(20)")
    # Four requests of each client one after the other: three times it thinks.
    assert span("concurrency(20, think = 5 s)") == pytest.approx(plain + 15, abs=5)
    assert plain < span("concurrency(20, ramp = 10 s)") < plain + 11


@pytest.mark.parametrize(("clients", "requests"), [(20, 500), (100, 500), (101, 505), (300, 1500)])
def test_requests_of_clients_by_default(tmp_path: Path, clients: int, requests: int) -> None:
    (study,) = Session(_write(tmp_path, f"concurrency({clients})", more="")).document.studies
    assert study.simulate.count == requests


def test_results_say_it_and_load_again(tmp_path: Path) -> None:
    arrival = "concurrency(20, think = 500 ms, ramp = 10 s)"
    files = Session(_write(tmp_path, arrival)).report.files
    text = files["plan.report.md"]
    assert "20 clients that each send the next one when the last one is done" in text
    assert arrival in text  # among the inputs
    path = tmp_path / "plan.result.json"
    path.write_text(files[path.name])
    loaded = load_results(path).studies[0].study.simulate.arrival
    assert (loaded.clients, loaded.think, loaded.ramp) == (20, 0.5, 10.0)
    assert (
        json.loads(files[path.name])["studies"][0]["study"]["simulate"]["arrival"]["clients"] == 20
    )


@pytest.mark.parametrize(
    ("arrival", "code", "help_"),
    [
        ("concurrency", "E0401", "concurrency(20)"),
        ("concurrency(0)", "E0402", "at least 1"),
        ("concurrency(2.5)", "E0301", ""),
        ("concurrency(20, think = 3)", "E0303", "3 ms"),
        ("concurrency(20, think = 3 tok)", "E0302", ""),
        ("concurrency(20, ramp = -1 s)", "E0402", ""),
        ("concurrency(20, 1 s, 2 s, 3 s)", "E0202", ""),
    ],
)
def test_what_clients_cannot_be(tmp_path: Path, arrival: str, code: str, help_: str) -> None:
    found = Session(_write(tmp_path, arrival)).diagnostics
    assert found[0].code == code
    assert help_ in str(found[0].help)


@pytest.mark.parametrize(
    ("more", "behind", "code"),
    [
        ("; speed = 2", "", "E0486"),
        ("; sessions { turns = 3 }", "", "E0486"),
        ("\n        rates {\n| at | rate |\n| 0 s | 2 req/s |\n}", "", "E0486"),
        ("", "capacity { attainment = 90% }", "E0498"),
    ],
)
def test_what_does_not_go_with_clients(tmp_path: Path, more: str, behind: str, code: str) -> None:
    path = _write(tmp_path, "concurrency(20)", more, "; slo { ttft <= 1 s }", behind)
    codes = [diagnostic.code for diagnostic in Session(path).diagnostics]
    assert codes == [code]


def test_clients_of_two_phases_and_of_several_instances(tmp_path: Path) -> None:
    path = _write(tmp_path, "concurrency(60)", "; requests = 300; instances = 2")
    text = path.read_text().replace(
        "devices = 1", "mode = pd_ratio; devices = 1\n fleet { devices = 3 }"
    )
    path.write_text(text.replace("max_sequences = 20; chunk_budget = 8Ki tok", ""))
    simulation = Session(path).results.studies[0].simulations[0]
    assert simulation.metrics.finished == 300
    assert len(simulation.engines) == 2
    assert simulation.metrics.most_decoding <= 60


BEYOND = """
use std.devices
use std.models
workload w {{ input = 3500 tok; output = {output} tok; slo {{ tpot <= 50 ms }} }}
deployment a {{
    model = qwen3_32b; quant = w8a8_dynamic; device = atlas_800_a3_752t_die; devices = 4
    search {{ method = {method} }}
    parallel {{ tp = 4 }}
}}
study s {{
    workload = w; deployments = a
    simulate {{ arrival = concurrency({clients}) }}
}}
"""


def test_the_steady_state_is_what_the_closed_loop_does(tmp_path: Path) -> None:
    """The plan and the simulation of as many clients as it has places agree."""
    path = tmp_path / "plan.spec"
    path.write_text(BEYOND.format(output=600, method="steady", clients=1))
    places = Session(path).results.studies[0].best.instances[0].point.concurrency
    path.write_text(BEYOND.format(output=600, method="steady", clients=places))
    session = Session(path)
    (study,) = session.results.studies
    (simulated,) = study.simulations
    within = {"rate": 0.08, "tpot": 0.08, "ttft": 0.4}  # of TTFT the mean of the first wave is much
    for closed in simulated.closed:
        wanted = pytest.approx(closed.simulated, rel=within[closed.metric])
        assert closed.planned == wanted, closed.metric
    text = session.report.files["plan.report.html"]
    assert "steady state" in text
    assert "has as many clients as places" in text
    assert "at once, and no request comes later" not in text


@pytest.mark.parametrize(("method", "beyond"), [("waves", True), ("steady", False)])
def test_a_rate_beyond_its_own_prefill_step(tmp_path: Path, method: str, beyond: bool) -> None:
    """Outputs of one token: a prefill step in the server allows 4.2 requests a second."""
    path = tmp_path / "plan.spec"
    text = BEYOND.format(output=1, method=method, clients=1)
    path.write_text(text.replace("; slo { tpot <= 50 ms }", "").replace("    simulate", "    # "))
    rate = Session(path).results.studies[0].best.closed_form.rate
    assert (rate > 4.3) is beyond
    assert rate > 4


@pytest.mark.parametrize(
    ("clients", "requests"),
    [(1, 500), (101, 505), (20_000, 100_000), (30_000, 100_000), (60_000, 120_000)],
)
def test_how_many_requests_clients_send(clients: int, requests: int) -> None:
    assert requests_of_clients(clients) == requests
