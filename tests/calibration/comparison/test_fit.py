"""`calibrate --served` with load tests: what a server adds is found again."""

import json
import re

import pytest
from attrs import evolve

from specc.calibration.comparison import planned_subject
from specc.calibration.setting import served_with
from specc.ir import ServedRule, ServedRules
from specc.loadtest import read_load_tests
from specc.plan import Setup, Task
from specc.run.events import Events
from specc.run.subjects import Simulator
from specc.session import Session, chosen_of
from specc.workspace import Workspace
from tests.loadtest.files import vllm_file

PLAN = """\
use std.devices
use std.models
{use}
workload w {{ input = 300 tok; output = 40 tok }}
deployment d {{
    model = qwen3_8b; device = {device}; devices = 1
    engine {{ software = vllm_ascend; max_sequences = 32 }}
}}
study s {{ workload = w; deployments = [d]; simulate = none }}
"""
OVERHEAD, REQUEST_TIME = 1.9, 0.05
DEVICE = "atlas_800_a3_752t_die"


def measured(plan, folder, clients: int):
    """Write what a server with this overhead would have measured."""
    usual = {
        "model_id": "Qwen3-8B",
        "max_concurrency": clients,
        "num_prompts": 6 * clients,
        "completed": 6 * clients,
        "total_input_tokens": 300 * 6 * clients,
        "total_output_tokens": 40 * 6 * clients,
        "tp": "1",
    }
    path = vllm_file(folder, f"c{clients}.json", **usual)
    raw = json.loads(path.read_text())
    raw |= {"mean_ttft_ms": 1000.0, "mean_tpot_ms": 40.0, "duration": 20.0}
    raw.pop("mean_itl_ms")
    path.write_text(json.dumps(raw))
    (test,) = read_load_tests(Workspace(folder), path)
    chosen = chosen_of(Session(plan), None, None)
    subject = planned_subject(chosen.plan, chosen.result.study, chosen.configuration, test, 0.0)
    rules = ServedRules(other=ServedRule(overhead=OVERHEAD, request_time=REQUEST_TIME))
    (part,) = subject.parts
    setup = part.task.setup
    slowed = Setup(setup.workload, served_with(setup.deployment, rules), setup.phase)
    subject = evolve(subject, parts=(evolve(part, task=Task(slowed, part.task.layout)),))
    found = Simulator(subject, Events()).outcome().metrics(setup.workload)
    raw |= {
        "mean_ttft_ms": 1e3 * found.ttft.mean,
        "mean_tpot_ms": 1e3 * found.tpot.mean,
        "duration": found.span,
    }
    path.write_text(json.dumps(raw))
    return path


def test_what_a_server_adds_is_found_again(specc, tmp_path) -> None:
    (tmp_path / "plan.spec").write_text(PLAN.format(use="", device=DEVICE))
    (tmp_path / "seen").mkdir()
    for clients in (1, 4, 16):
        measured(tmp_path / "plan.spec", tmp_path / "seen", clients)
    specc("calibrate", "--served", "seen", "--plan", "plan.spec", "--device", DEVICE,
          "--name", "mine", "-o", "mine.spec")  # fmt: skip
    text = (tmp_path / "mine.spec").read_text()
    assert float(re.search(r"overhead\s+= ([\d.]+)", text)[1]) == pytest.approx(OVERHEAD, rel=0.005)
    wait = float(re.search(r"request_time\s+= ([\d.]+) us", text)[1])
    assert wait / 1e6 == pytest.approx(REQUEST_TIME, rel=0.03)
    (tmp_path / "new.spec").write_text(PLAN.format(use='use "mine.spec" as own', device="own.mine"))
    other = measured(tmp_path / "plan.spec", tmp_path, 8)
    found = json.loads(specc("compare", "new.spec", other.name, "--format", "json").stdout)
    assert found["verdict"] == "inside"
    for name in ("ttft", "tpot"):
        own, theirs = (found[which][name]["mean"] for which in ("measured", "predicted"))
        assert theirs == pytest.approx(own, rel=0.02), name
    assert found["predicted"]["throughput"] == pytest.approx(
        found["measured"]["throughput"], rel=0.02
    )


def test_a_plan_for_another_device_is_no_evidence(specc, tmp_path) -> None:
    (tmp_path / "plan.spec").write_text(PLAN.format(use="", device=DEVICE))
    (tmp_path / "seen").mkdir()
    for clients in (1, 4, 16):
        measured(tmp_path / "plan.spec", tmp_path / "seen", clients)
    said = specc("calibrate", "--served", "seen", "--plan", "plan.spec", "--device",
                 "atlas_800_a2_313t", "-o", "mine.spec", code=2).stderr  # fmt: skip
    assert f"it is on {DEVICE}, not on atlas_800_a2_313t" in said
    assert not (tmp_path / "mine.spec").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("c1.json", "--plan", "plan.spec"), "have 1 load, and a fit needs 3"),
        (("c1.json", "c1.json", "c1.json", "--plan", "plan.spec"), "2 of the 3 load tests"),
        (("seen",), "name what served: --plan, or --devices with --model"),
        (("seen", "--plan", "plan.spec", "--devices", "1"), "name what served"),
    ],
)
def test_what_cannot_be_fitted(specc, tmp_path, arguments, message) -> None:
    (tmp_path / "plan.spec").write_text(PLAN.format(use="", device=DEVICE))
    (tmp_path / "seen").mkdir()
    measured(tmp_path / "plan.spec", tmp_path, 1)
    said = specc("calibrate", "--served", *arguments, "--device", DEVICE, code=2).stderr
    assert message in said
