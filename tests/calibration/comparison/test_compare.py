"""`specc compare`, as a user runs it: with a plan, with flags, and alone."""

import json

import pytest

from specc import library
from specc.calibration.comparison import AskedServer, asked_subject
from specc.loadtest import read_load_tests
from specc.workspace import Workspace
from tests.loadtest.files import DETAILED, vllm_file

MOCK = """\
workload w { input = 256 tok; output = 64 tok }
server mock {
    scheduler = prefill_first
    max_sequences = 32
    chunk_budget = 4096 tok
    prefill_admission = 1
    step_cost {
        | step    | size | time  |
        | prefill | 100  | 13 ms |
        | prefill | 1000 | 58 ms |
        | decode  | 1    | 21 ms |
        | decode  | 32   | 52 ms |
    }
}
study s { workload = w; servers = [mock]; simulate { arrival = concurrency(8); requests = 40 } }
"""
PLAN = """\
use std.devices
use std.models
workload w { input = 100 tok; output = 5 tok; prefix_hit = 20% }
deployment d {
    model = qwen3_32b
    device = atlas_800_a3_752t_die
    devices = 2
    parallel { tp = [2] }
    engine { software = vllm_ascend; max_sequences = 2 }
}
study s { workload = w; deployments = [d] }
"""
SERVER = ("--model", "qwen3_32b", "--device", "atlas_800_a3_752t_die", "--devices", "2")


@pytest.mark.parametrize("run", ["vllm/c8_256_64", "aiperf/c8_256_64", "aiperf/poisson4_512_128"])
def test_a_known_server_is_met(specc, tmp_path, reference_data, run) -> None:
    (tmp_path / "mock.spec").write_text(MOCK)
    folder = reference_data / "load_test_results" / run
    main = folder / (folder / "main_file").read_text().strip()
    found = json.loads(specc("compare", "mock.spec", str(main), "--format", "json").stdout)
    measured, predicted = found["measured"], found["predicted"]
    assert predicted["tpot"]["mean"] == pytest.approx(measured["tpot"]["mean"], rel=0.005)
    assert predicted["throughput"] == pytest.approx(measured["throughput"], rel=0.012)
    assert predicted["itl"]["p99"] == pytest.approx(measured["itl"]["p99"], rel=0.02)
    assert abs(measured["ttft"]["mean"] - predicted["ttft"]["mean"]) < 0.024
    assert found["interval"] is None  # steps that were measured have no error band


def test_what_differs_from_a_plan_is_said(specc, tmp_path) -> None:
    (tmp_path / "plan.spec").write_text(PLAN)
    slow = {"mean_ttft_ms": 60.0, "mean_tpot_ms": 480.0, "duration": 4.0}
    vllm_file(tmp_path, label="slow", mean_itl_ms=480.0, **slow)
    said = specc("compare", "plan.spec", "result.json", code=1)
    assert "verdict: the means are outside their intervals" in said.stdout
    assert "looks like host overhead" in said.stdout or "memory-bound decode" in said.stdout
    assert "prompts are taken as not cached" in said.stdout
    data = json.loads(
        specc("compare", "plan.spec", "result.json", "--format", "json", code=1).stdout
    )
    assert data["verdict"] == "outside"
    assert data["measured"]["ttft"] == {"mean": 0.06, "p50": 0.09, "p99": 0.18}
    low, high = data["interval"]["tpot"]["mean"]
    assert low < data["predicted"]["tpot"]["mean"] < high < 0.48
    assert data["looks_like"][0]["try"]


def test_a_plan_is_also_its_results(specc, tmp_path) -> None:
    (tmp_path / "plan.spec").write_text(PLAN)
    vllm_file(tmp_path)
    specc("run", "plan.spec")
    of_spec, of_results = (
        specc("compare", name, "result.json", "--format", "json", code=1).stdout
        for name in ("plan.spec", "plan.result.json")
    )
    assert json.loads(of_spec)["predicted"] is not None
    assert of_spec == of_results


def test_a_report_with_what_was_measured(specc, tmp_path) -> None:
    (tmp_path / "plan.spec").write_text(PLAN)
    vllm_file(tmp_path)
    specc("run", "plan.spec")
    before = (tmp_path / "plan.report.md").read_bytes()
    said = specc("compare", "plan.spec", "result.json", "--report", code=1)
    assert "wrote plan.measured.report.md" in said.stdout
    text = (tmp_path / "plan.measured.report.md").read_text()
    assert '## <a id="measured"></a>Measured' in text
    assert "| TTFT mean | ms | 100 |" in text
    assert (tmp_path / "plan.report.md").read_bytes() == before
    assert 'id="measured"' not in before.decode()
    assert not (tmp_path / "plan.measured.result.json").exists()
    specc("run", "plan.spec", "--check")


def test_without_a_plan_flags_say_what_was_measured(specc, tmp_path) -> None:
    vllm_file(tmp_path)
    said = specc("compare", "result.json", *SERVER, code=1).stdout
    assert "beside qwen3_32b on 2 × atlas_800_a3_752t_die: TP=2" in said
    assert "the engine is taken for vllm_ascend" in said
    assert "TP = 2 is assumed" not in said  # the file says it
    alone = specc("compare", "result.json").stdout
    assert "predicted" not in alone.partition("note:")[0]
    assert json.loads(specc("compare", "result.json", "--format", "json").stdout)["verdict"] is None


def test_several_runs_are_compared_one_by_one(specc, tmp_path) -> None:
    (tmp_path / "runs").mkdir()
    for clients in (2, 4):
        name = f"c{clients}.json"
        vllm_file(tmp_path / "runs", name, max_concurrency=clients, label=name)
    data = json.loads(specc("compare", "runs", "--format", "json").stdout)
    assert [run["load"] for run in data["runs"]] == ["2 clients", "4 clients"]
    one = json.loads(specc("compare", "runs", "--run", "2", "--format", "json").stdout)
    assert one["run"] == "c4.json"
    assert "have 2 runs" in specc("compare", "runs", "--run", "3", code=2).stderr


def test_the_log_of_a_start_is_set_beside_the_memory(specc, tmp_path) -> None:
    vllm_file(tmp_path)
    (tmp_path / "start.log").write_text(
        "Loading model weights took 30.8 GB\nGPU KV cache size: 175,296 tokens\n"
        "Maximum concurrency for 32,768 tokens per request: 5.35x\n"
    )
    arguments = ("compare", "result.json", *SERVER, "--log", "start.log")
    data = json.loads(specc(*arguments, "--format", "json", code=1).stdout)
    memory = {row["name"]: row for row in data["memory"]}
    assert memory["weights"]["logged"] == pytest.approx(30.8)
    assert memory["weights"]["predicted"] == pytest.approx(30.53, abs=0.01)
    assert memory["KV cache of a replica"]["predicted"] > 100_000
    assert memory["requests of 32,768 tok at a time"]["logged"] == 5.35


def test_failures_are_told_before_all_else(specc, tmp_path) -> None:
    vllm_file(tmp_path, **DETAILED, mean_e2el_ms=1.0)
    said = specc("compare", "result.json").stdout
    assert "failed: 1" in said
    assert "1 of 4 requests failed" in said


@pytest.mark.parametrize(
    ("fields", "arguments", "code", "message"),
    [
        ({"model_id": "Qwen3-8B-W8A8"}, SERVER, "E0015", "not of 'qwen3_32b'"),
        ({"tp": "3"}, SERVER, "E0015", "make 3 devices, not 2"),
        ({"model_id": "Qwen3-8B"}, ("plan.spec",), "E0015", "not of 'qwen3_32b'"),
        ({"tp": "1"}, ("plan.spec",), "E0015", "the file says TP = 1"),
        ({"spec_decode_acceptance_length": 2.0}, SERVER, "E0015", "which of them were accepted"),
        ({"prefix_hit": "much"}, ("plan.spec",), "E0014", "is no share"),
        ({}, ("--model", "qwen3_32b", "--device", "npu", "--devices", "2"), "E0203", "no device"),
        ({}, ("plan.spec", "--configuration", "99"), "E0203", "has no configuration 99"),
        ({}, ("plan.spec", "--study", "x"), "E0203", "there is no study 'x'"),
        ({}, ("--log", "result.json"), "E0014", "no line on the memory"),
    ],
)
def test_what_cannot_be_compared(specc, tmp_path, fields, arguments, code, message) -> None:
    (tmp_path / "plan.spec").write_text(PLAN)
    vllm_file(tmp_path, **fields)
    plan = arguments[:1] if arguments[0].endswith(".spec") else ()
    said = specc("compare", *plan, "result.json", *arguments[len(plan) :], code=2).stderr
    assert f"error[{code}]" in said
    assert message in said
    assert "help:" in said or "why:" in said or code == "E0203"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plan.spec",), "name the results of load tests after the plan"),
        (("result.json", "--study", "s"), "--study is of a plan"),
        (("result.json", "--model", "qwen3_32b"), "--model needs --device"),
        (("plan.spec", "result.json", "--tp", "2"), "--tp is of a server without a plan"),
        (("plan.spec", "result.json", "--out", "x"), "--out is where --report writes"),
        (("result.json", "--prefix-hit", "120%"), "is not a share"),
    ],
)
def test_command_lines_that_contradict_themselves(specc, tmp_path, arguments, message) -> None:
    (tmp_path / "plan.spec").write_text(PLAN)
    vllm_file(tmp_path)
    assert message in specc("compare", *arguments, code=2).stderr


@pytest.mark.parametrize(
    ("says", "message"),
    [
        ({"specc_study": "other"}, "the load test is of the study 'other', and the study is 's'"),
        ({"software": "sglang"}, "the file says software = sglang, the plan has vllm_ascend"),
    ],
)
def test_a_test_of_another_plan_is_refused(specc, tmp_path, says, message) -> None:
    (tmp_path / "plan.spec").write_text(PLAN)
    vllm_file(tmp_path, **says)
    said = specc("compare", "plan.spec", "result.json", code=2)
    assert message in said.stderr


def test_a_test_of_another_configuration_is_noted(specc, tmp_path) -> None:
    (tmp_path / "plan.spec").write_text(PLAN)
    vllm_file(tmp_path, specc_study="s", specc_plan="plan.spec", specc_configuration="7")
    said = specc("compare", "plan.spec", "result.json", code=1).stdout
    assert "it is a test of configuration 7, this is number 1" in said


def test_text_for_a_number_of_devices_is_none(specc, tmp_path) -> None:
    vllm_file(tmp_path, devices="eight")
    said = specc("compare", "result.json", *SERVER[:4], code=2).stderr
    assert "--device needs --devices" in said


@pytest.mark.parametrize(
    ("says", "message"),
    [
        ({"max_concurrency": 0}, "had 0 clients"),
        ({"max_concurrency": None, "request_rate": 0.0}, "had 0 requests a second"),
        ({"max_concurrency": 1, "num_prompts": 4, "duration": 0.5}, "the units"),
        ({"max_concurrency": 4, "duration": 2000.0}, "the units"),
    ],
)
def test_loads_that_cannot_have_been(specc, tmp_path, says, message) -> None:
    vllm_file(tmp_path, mean_tpot_ms=200.0, **says)
    assert message in specc("compare", "result.json", *SERVER, code=2).stderr


def test_drafts_of_a_model_that_has_none(specc, tmp_path) -> None:
    vllm_file(tmp_path, spec_decode_per_position_acceptance_rates=[0.8])
    said = specc("compare", "result.json", *SERVER, code=2).stderr
    assert "tokens were drafted, and qwen3_32b has no layers that draft" in said


def test_stages_share_the_sequences_that_a_flag_says(tmp_path) -> None:
    (test,) = read_load_tests(Workspace(tmp_path), vllm_file(tmp_path))
    asked = AskedServer(
        model=library.model("qwen3_32b"), device="h200", devices=4, sizes={"tp": 2, "pp": 2},
        max_sequences=8,
    )  # fmt: skip
    subject, _ = asked_subject(asked, test, 0.0)
    assert subject.parts[0].task.deployment.engine.max_sequences == 4


def test_ranks_of_attention_lie_within_the_tp_of_sglang(tmp_path) -> None:
    said = {
        "tp": "16",
        "tp_size": "16",
        "dp_size": "4",
        "max_running_requests": "64",
        "model_id": "DeepSeek-V3",
    }
    (test,) = read_load_tests(Workspace(tmp_path), vllm_file(tmp_path, **said))
    asked = AskedServer(model=library.model("deepseek_v3"), device="h200", devices=16)
    subject, _ = asked_subject(asked, test, 0.0)
    task = subject.parts[0].task
    assert (task.layout.tp, task.layout.dp) == (4, 4)
    assert task.deployment.engine.max_sequences == 16


def test_a_layout_that_no_model_has_is_refused(specc, tmp_path) -> None:
    vllm_file(tmp_path, tp="3")
    said = specc("compare", "result.json", *SERVER[:4], "--devices", "3", code=2).stderr
    assert "TP = 3 does not divide 64 attention heads" in said
