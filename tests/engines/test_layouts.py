"""Which layouts engines launch, and what is said of those that they do not."""

from pathlib import Path

import pytest

from specc.engines import engines_for, launch_problem
from specc.ir import Layout, Software, Vendor
from specc.session import Session, SpecError

PLAN = """use std.devices
use std.models
workload w {{ input = 2Ki tok; output = 200 tok }}
deployment d {{
    model = {model}; quant = w8a8_dynamic; device = {device}; devices = {devices}
    engine {{ {engine} }}; parallel {{ {parallel} }}
}}
study s {{ workload = w; deployments = d; simulate = none }}
"""


def session(
    folder: Path,
    parallel: str = "",
    software: str = "vllm_ascend",
    *,
    model: str = "deepseek_v3",
    device: str = "atlas_800_a3_752t_die",
    devices: int = 32,
) -> Session:
    engine = f"software = {software}" if software else ""
    text = PLAN.format(
        model=model, device=device, devices=devices, engine=engine, parallel=parallel
    )
    (folder / "plan.spec").write_text(text)
    return Session(folder / "plan.spec")


def layouts(found: Session) -> list[Layout]:
    return [task.layout for task in found.plan.studies[0].tasks]


@pytest.mark.parametrize(("software", "count"), [("", 36), ("vllm_ascend", 12), ("sglang", 36)])
def test_of_the_layouts_of_32_dies(tmp_path: Path, software: str, count: int) -> None:
    """vLLM has experts on all ranks, or split over them, at each of six TP sizes."""
    found = layouts(session(tmp_path, software=software))
    assert len(found) == count
    if software == "vllm_ascend":
        assert {(one.ep, one.moe_tp) for one in found} == {(32, 1), (1, 32)}


@pytest.mark.parametrize(
    ("software", "layout", "size"),
    [
        (Software.VLLM, Layout(4, 1, 2, ep=8), ""),
        (Software.VLLM, Layout(4, 1, 2, moe_tp=8), ""),
        (Software.VLLM, Layout(4, 1, 2, ep=4, moe_tp=2), "EP = 4"),
        (Software.VLLM, Layout(4, 2, 2, ep=8), ""),  # experts of a stage
        (Software.VLLM, Layout(4, 1, 2, ep=4, moe_dp=2), "MOE-DP = 2"),
        (Software.VLLM, Layout(1, 1, 4, ep=4, moe_dp=1), ""),
        (Software.VLLM, Layout(8, 1, 1), ""),  # without experts
        (Software.VLLM, Layout(2, 1, 1, ep=8, cp=4), ""),
        (Software.VLLM, Layout(4, 1, 1, ep=8, cp=2, dcp=2), "DCP = 2"),
        (Software.VLLM, Layout(4, 1, 1, ep=8, cp=2, dcp=4), ""),
        (Software.VLLM_ASCEND, Layout(2, 1, 1, ep=8, cp=4), "CP = 4"),
        (Software.VLLM_ASCEND, Layout(8, 1, 1, ep=8, dcp=8), ""),
        (Software.SGLANG, Layout(2, 1, 4, ep=4, moe_tp=2), ""),
        (Software.SGLANG, Layout(2, 1, 4, ep=4, moe_dp=2), "MOE-DP = 2"),
        (Software.SGLANG, Layout(2, 1, 2, ep=4, moe_dp=2, cp=2), ""),
        (Software.SGLANG, Layout(2, 2, 2, ep=4, moe_dp=2, cp=2), "MOE-DP = 2"),
        (Software.MINDIE, Layout(2, 1, 4, ep=4, moe_tp=2), ""),
        (Software.MINDIE, Layout(2, 2, 4, ep=8), "PP = 2"),
        (Software.MINDIE, Layout(2, 1, 4, ep=8, dcp=2), "DCP = 2"),
        (Software.CANN_RECIPES, Layout(2, 2, 4, ep=4, moe_dp=2), ""),  # nothing is known
    ],
)
def test_rules(software: Software, layout: Layout, size: str) -> None:
    problem = launch_problem(software, layout)
    assert problem.startswith(f"{size} cannot be launched" if size else "")
    assert bool(problem) == bool(size)


def test_without_experts_a_layout_of_tp_and_dp_is_launched_everywhere() -> None:
    for tp, dp in ((1, 1), (8, 1), (4, 2), (1, 16)):
        assert engines_for(Vendor.HUAWEI, Layout(tp, 1, dp)) == (
            Software.VLLM_ASCEND,
            Software.MINDIE,
            Software.SGLANG,
        )
    assert engines_for(Vendor.NVIDIA, Layout(8, 2, 1)) == (Software.VLLM, Software.SGLANG)


def codes(found: Session) -> list[str]:
    return [d.code for d in found.diagnostics]


@pytest.mark.parametrize(
    ("parallel", "expected"),
    [
        ("ep = 32", []),
        ("ep = 1", []),
        ("ep = 8", ["E0447"]),
        ("ep = [8, 16]", ["E0447"]),
        ("ep = [8, 32]", ["W0008"]),
        ("moe_tp = 32", []),
        ("moe_tp = 2", ["E0447"]),
        ("moe_dp = 2", ["E0447"]),
        ("cp = 2", ["E0447"]),
        ("tp = 8; dcp = 8", []),
        ("pp = 2", []),
        # Each size is possible alone: the message is about what is at fault.
        ("pp = 2; moe_dp = 2", ["E0447"]),
        ("pp = 2; ep = 16", []),
    ],
)
def test_what_was_asked_for(tmp_path: Path, parallel: str, expected: list[str]) -> None:
    found = session(tmp_path, parallel)
    assert codes(found) == expected
    *_, asked = parallel.split("; ")
    name, _ = asked.split(" = ")
    for diagnostic in found.diagnostics:
        assert f"cannot launch {name.upper().replace('_', '-')} = " in diagnostic.message


def test_sizes_that_contradict_each_other(tmp_path: Path) -> None:
    """Each can be launched alone."""
    found = session(tmp_path, "ep = 32; pp = 2")
    assert codes(found) == []
    with pytest.raises(SpecError) as error:
        _ = found.plan
    (problem,) = error.value.diagnostics
    assert problem.code == "E0439"


def test_stages_by_model(tmp_path: Path) -> None:
    assert codes(session(tmp_path, "pp = 2", model="qwen3_32b")) == ["W0009"]
    assert codes(session(tmp_path, "pp = 1", model="qwen3_32b")) == []
    assert codes(session(tmp_path, "pp = 2", "sglang", model="qwen3_32b")) == []


def test_software_runs_on_devices_of_its_vendors(tmp_path: Path) -> None:
    assert codes(session(tmp_path, software="vllm")) == ["E0440"]
    assert codes(session(tmp_path, software="mindie", device="h200")) == ["E0440"]
    assert codes(session(tmp_path, software="vllm", device="h200")) == []
    # Nobody says who makes a device of this name.
    assert codes(session(tmp_path, software="vllm", device="test_device")) == []


def test_a_report_says_which_engines_launch_the_layout(tmp_path: Path) -> None:
    def card(*args: str) -> str:
        text = session(tmp_path, *args, model="qwen3_30b_a3b", devices=8).report
        return text.files["plan.report.md"].replace("\\", "")

    launched = card("tp = 4; ep = 8", "")
    assert "Engines that launch the layout: vllm_ascend, mindie, sglang." in launched
    assert "Engines that launch the layout: mindie, sglang." in card("tp = 4; ep = 4", "")
    none = card("tp = 4; ep = 4; moe_dp = 2", "")
    assert "No engine that specc knows launches the layout" in none
    assert "launch the layout" not in card("tp = 4", "vllm_ascend")


def test_all_ranks_are_tried_where_they_are_no_power_of_two(tmp_path: Path) -> None:
    """Five servers of eight: experts on all 40 ranks, with copies that make them divide."""
    found = session(tmp_path, "tp = 8", devices=40)
    text = (tmp_path / "plan.spec").read_text()
    (tmp_path / "plan.spec").write_text(
        text.replace("engine {", "experts { redundant = 24 }; engine {")
    )
    found = Session(tmp_path / "plan.spec")
    assert {one.ep for one in layouts(found)} == {40}


def test_sglang_counts_sequences_over_all_replicas(tmp_path: Path) -> None:
    found = session(tmp_path, "tp = 2", "sglang", model="qwen3_8b", devices=8)
    text = found.report.files["plan.report.md"].replace("\\", "")
    (instance,) = found.results.studies[0].best.instances
    total = 4 * instance.engine.max_sequences
    assert f"--max-running-requests = 4 × {total // 4} = {total:,}." in text
    assert (
        "counts sequences"
        not in session(tmp_path, "tp = 2", model="qwen3_8b").report.files["plan.report.md"]
    )


def test_what_would_make_experts_divide(tmp_path: Path) -> None:
    """160 experts on 64 dies: 32 copies more are 192."""
    found = session(tmp_path, "ep = 64", model="qwen3_coder_480b_a35b", devices=64)
    with pytest.raises(SpecError) as error:
        _ = found.plan
    (problem,) = error.value.diagnostics
    assert "experts { redundant = 32 } makes it" in problem.why
