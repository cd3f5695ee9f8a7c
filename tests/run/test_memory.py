"""Does an engine start, and with which context: memory of every layout."""

import json
from pathlib import Path

import pytest

from specc.cli.main import main
from specc.run.memory import by_phase, memory_of_plan, something_starts
from specc.session import Session
from tests.check.test_config_keys import BASE

GIB = 2**30
PLAN = """use std.devices
use std.models
workload w {{ input = 1Ki tok; output = 256 tok }}
deployment d {{
    model = qwen3_32b; quant = bf16; device = atlas_800_a2_376t; devices = {devices}
    engine {{ {engine} }}
    {more}
}}
study s {{ workload = w; deployments = d; simulate = none }}
"""
CONFIG = {**BASE, "num_hidden_layers": 36}


def session(folder: Path, engine: str = "", devices: int = 2, more: str = "") -> Session:
    (folder / "plan.spec").write_text(PLAN.format(engine=engine, devices=devices, more=more))
    return Session(folder / "plan.spec")


def found(folder: Path, engine: str = "", devices: int = 2, more: str = ""):
    return by_phase(memory_of_plan(session(folder, engine, devices, more).plan))


def test_parts_add_up_and_the_cache_is_that_of_the_report(tmp_path: Path) -> None:
    own = session(tmp_path, "chunk_budget = 4Ki tok; max_sequences = 16", devices=4)
    (phase,) = by_phase(memory_of_plan(own.plan))
    reported = {c.instance.parallel: c.instance.memory for c in own.results.studies[0].candidates}
    assert len(phase.rows) == len(reported) == 3
    for row in phase.rows:
        parts = row.weights + row.activations + row.reserved + row.kv_cache
        assert parts == pytest.approx(row.memory, abs=2)
        assert row.cache_tokens == reported[row.layout].cache_tokens
        assert row.weights == reported[row.layout].weights


def test_a_start_up_rule(tmp_path: Path) -> None:
    """Field case context-limit-start: 40,960 tokens need 5 GiB a device, where are less than 4."""
    engine = "memory_utilization = 55%; max_sequences = 16; max_model_length = {} tok"
    (phase,) = found(tmp_path, engine.format(40_960), more="parallel { tp = 2 }")
    (row,) = phase.rows
    assert not phase.starts
    assert row.kv_cache / GIB == pytest.approx(2.8, abs=0.1)
    assert row.longest_request == 22_784
    # Each change that is named is one that helps.
    assert "engine { max_model_length = 22784 tok }, and no longer requests" in phase.remedies
    (shorter,) = found(tmp_path, engine.format(22_784), more="parallel { tp = 2 }")
    assert shorter.starts
    (wider,) = found(tmp_path, engine.format(40_960), devices=4)
    assert wider.starts
    assert phase.remedies[0].startswith("devices = 4 without the sizes in 'parallel'")
    assert "quant = w8a8_dynamic" in phase.remedies
    cache = "formats { kv_cache = int8 }"
    assert cache in phase.remedies
    (halved,) = found(tmp_path, engine.format(40_960), more=f"parallel {{ tp = 2 }}; {cache}")
    assert halved.starts


def test_without_a_limit_it_must_hold_what_the_plan_serves(tmp_path: Path) -> None:
    (phase,) = found(tmp_path, "memory_utilization = 55%", more="parallel { tp = 2 }")
    (row,) = phase.rows
    assert phase.starts
    assert row.needed == 1280
    assert not row.holds_limit


def test_a_card_that_is_too_small(tmp_path: Path) -> None:
    """Weights alone are more than the memory: nothing but fewer bits, or more devices, helps."""
    (phase,) = found(tmp_path, devices=1)
    assert not phase.starts
    assert phase.rows[0].kv_cache < 0
    assert phase.rows[0].longest_request == 0
    assert [remedy.split(",")[0] for remedy in phase.remedies] == [
        "devices = 2",
        "quant = w8a8_dynamic",
        "quant = w4a16",
    ]


def test_all_phases_of_a_deployment_must_start(tmp_path: Path) -> None:
    more = "mode = pd_ratio; fleet {{ devices = 8 }}; prefill {{ devices = {} }}; "
    more += "decode {{ devices = {} }}"
    for prefill, decode, expected in ((2, 2, True), (1, 2, False), (2, 1, False)):
        phases = found(tmp_path, more=more.format(prefill, decode))
        assert [each.rows[0].phase for each in phases] == ["prefill", "decode"]
        assert something_starts(phases) is expected


def test_variants_of_a_sweep_count_once(tmp_path: Path) -> None:
    path = session(tmp_path, "chunk_budget = 4Ki tok").path
    swept = "simulate = none; sweep w.prefix_hit in [0%, 50%]"
    path.write_text(path.read_text().replace("simulate = none", swept))
    plan = Session(path).plan
    assert len(plan.studies) == 2
    assert len(memory_of_plan(plan)) == 2  # layouts


def test_stages_share_one_pool(tmp_path: Path) -> None:
    """A rank of TP 2 has half of each token, a stage of PP 2 half of the layers: as many tokens."""
    engine = "chunk_budget = 2Ki tok; memory_utilization = 60%"
    (phase,) = found(tmp_path, engine, more="parallel { tp = [1, 2]; pp = [1, 2]; dp = 1 }")
    tensor, stages = sorted(phase.rows, key=lambda row: row.layout, reverse=True)
    assert tensor.layout.startswith("TP=2 | PP=1")
    assert stages.layout.startswith("TP=1 | PP=2")
    assert stages.cache_tokens == pytest.approx(tensor.cache_tokens, rel=0.02)


def test_a_state_of_one_sequence_is_enough_to_start(tmp_path: Path) -> None:
    """A hybrid model holds states of what runs, not of all that may."""
    text = PLAN.replace("qwen3_32b", "qwen3_5_35b_a3b").replace("atlas_800_a2_376t", "h100")
    (tmp_path / "plan.spec").write_text(
        text.format(engine="software = vllm; max_model_length = 32Ki tok", devices=1, more="")
    )
    (phase,) = by_phase(memory_of_plan(Session(tmp_path / "plan.spec").plan))
    assert phase.starts


def test_no_layout_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    args = ("--model", "qwen3_30b_a3b", "--device", "atlas_800_a2_376t", "--devices", "7")
    code, _, err = run(capsys, *args, "--quant", "bf16", "--software", "vllm_ascend")
    assert code == 2
    assert "E0439" in err


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = main(["show", "memory", *args])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def downloaded(tmp_path: Path) -> str:
    folder = tmp_path / "Qwen3-8B"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return str(folder)


def test_a_folder_as_downloaded(downloaded: str, capsys: pytest.CaptureFixture[str]) -> None:
    device = ("--device", "atlas_800_a2_280t_32g_pcie")
    code, out, _ = run(capsys, "--model", downloaded, *device, "--devices", "2")
    assert code == 0
    assert "Qwen3-8B: 2 × atlas_800_a2_280t_32g_pcie, of which an engine sees 29.50 GiB" in out
    code, out, _ = run(capsys, "--model", downloaded, *device, "--format", "json")
    (phase,) = json.loads(out)["phases"]
    (row,) = phase["layouts"]
    # 8.19 billion weights in two bytes, and tables of the rotary embedding.
    assert row["weights"] / GIB == pytest.approx(15.26, abs=0.05)
    assert row["cache_tokens"] % 128 == 0
    assert code == 0
    # 144 KiB a token: what is left holds so many.
    assert row["cache_tokens"] == pytest.approx(row["kv_cache"] / (144 * 1024), abs=128)
    code, out, _ = run(capsys, "--model", downloaded, *device, "--context", "40Ki")
    assert code == (0 if row["cache_tokens"] >= 40960 else 3)
    code, out, _ = run(
        capsys, "--model", downloaded, *device, "--context", "40960", "--software", "mindie",
        "--quant", "w4a16", "--kv-cache", "int8",
    )  # fmt: skip
    assert code == 0


def test_nothing_starts(downloaded: str, capsys: pytest.CaptureFixture[str], tmp_path) -> None:
    session(tmp_path, devices=1)
    code, out, _ = run(capsys, str(tmp_path / "plan.spec"))
    assert code == 3
    assert "No engine starts. Each of these changes that: devices = 2" in out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "name a spec, or --model with --device"),
        (("plan.spec", "--model", "qwen3_8b"), "name a spec, or --model with --device"),
        (("--model", "qwen3_8b"), "--model needs --device"),
        (("plan.spec", "--quant", "bf16"), "are of --model"),
        (("--model", "qwen3_8b", "--device", "h200", "--study", "s"), "are of a spec"),
        (
            ("--model", "qwen3_8b", "--device", "h200", "--context", "3s"),
            "3s is no number of tokens",
        ),
        (("--model", "qwen3_8b", "--device", "h200", "--context", "many"), "no number of tokens"),
        (("--model", "qwen3_8b", "--device", "h200", "--devices", "0"), "0 is not a number"),
    ],
)
def test_wrong_command_lines(args, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, *args)
    assert code == 2
    assert said in err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--model", "nope", "--device", "h200"), "there is no model 'nope'"),
        (("--model", "qwen3_8b", "--device", "nope"), "there is no device 'nope'"),
        (("--model", "nowhere.json", "--device", "h200"), "cannot read"),
        (("--model", "qwen3_8b", "--device", "atlas_800_a2_376t", "--quant", "fp8"), "fp8"),
        (("--model", "qwen3_8b", "--device", "h200", "--context", "1000Ki"), "has 40960"),
    ],
)
def test_wrong_inputs(args, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, *args)
    assert code == 2
    assert said in err
