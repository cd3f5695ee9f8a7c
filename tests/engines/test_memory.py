"""What engines keep of a device, part by part."""

from pathlib import Path

import pytest

from specc.cost import CostModel
from specc.engines import reserve_of, reserved_bytes
from specc.engines.memory import communicators
from specc.ir import Layout
from specc.run.evaluate import server_of
from specc.session import Session

GIB = 2**30
PLAN = """use std.devices
use std.models
model small extends qwen3_8b {{
    layers = 28; hidden_size = 1024; intermediate_size = 3072; attention_heads = 16
    kv_heads = 8; head_dim = 128; vocab_size = 151936; tied_embeddings = true
}}
workload w {{ input = 1Ki tok; output = 200 tok }}
deployment d {{
    model = {model}; quant = bf16; device = {device}; devices = {devices}
    parallel {{ tp = {devices} }}
    engine {{ {engine} }}
    {more}
}}
study s {{ workload = w; deployments = d; simulate = none }}
"""


def session(folder: Path, engine: str = "", **kwargs) -> Session:
    fields = {"model": "qwen3_8b", "device": "atlas_800_a3_752t_die", "devices": 1, "more": ""}
    (folder / "plan.spec").write_text(PLAN.format(**(fields | kwargs), engine=engine))
    return Session(folder / "plan.spec")


def parts(found: Session) -> dict[str, float]:
    (task,) = found.plan.studies[0].tasks
    reserve = reserve_of(task.deployment, task.layout)
    assert sum(part.size for part in reserve) == reserved_bytes(task.deployment, task.layout)
    return {part.name: part.size / GIB for part in reserve}


def test_what_the_spec_says_counts(tmp_path: Path) -> None:
    for software in ("", "software = vllm_ascend; "):
        engine = f"{software}reserved_memory = 7 GiB"
        assert parts(session(tmp_path, engine)) == {"reserved_memory": 7}
    share = parts(session(tmp_path, "memory_utilization = 80%"))
    assert share == {"outside of the share of 0.8": pytest.approx(0.2 * 61.27)}


def test_without_a_software_it_is_that_of_the_planner(tmp_path: Path) -> None:
    (size,) = parts(session(tmp_path)).values()
    assert size == 10
    # Nor do the parts of one count in the cost model of the planner.
    found = session(tmp_path, "software = vllm_ascend", more="calibration = reference")
    assert list(parts(found).values()) == [10]
    # Of other engines nothing is known in parts.
    assert list(parts(session(tmp_path, "software = mindie")).values()) == [10]


@pytest.mark.parametrize(
    ("device", "software", "share"),
    [
        ("atlas_800_a3_752t_die", 'vllm_ascend; version = "0.18"', 0.9),
        ("atlas_800_a3_752t_die", "vllm_ascend", 0.92),
        ("h200", 'vllm; version = "0.19"', 0.9),
        ("h200", "vllm", 0.92),
    ],
)
def test_shares_by_version(tmp_path: Path, device: str, software: str, share: float) -> None:
    found = session(tmp_path, f"software = {software}", device=device)
    seen = {"h200": 139.8, "atlas_800_a3_752t_die": 61.27}[device]
    assert parts(found)[f"outside of the share of {share}"] == pytest.approx((1 - share) * seen)


@pytest.mark.parametrize(
    ("layout", "count"),
    [
        (Layout(1, 1, 1), 0),
        (Layout(8, 1, 1), 1),
        (Layout(8, 2, 1), 2),
        (Layout(1, 1, 8), 0),  # replicas of a dense model exchange nothing
        (Layout(1, 1, 8, ep=8), 2),
        (Layout(4, 1, 2, ep=8), 3),
        (Layout(4, 1, 2, moe_tp=8), 3),
    ],
)
def test_communicators(layout: Layout, count: int) -> None:
    assert communicators(layout, dispatches=True) == count


def test_a_logged_start(tmp_path: Path) -> None:
    """vllm-ascend pull request 8289: Qwen3-0.6B on a die of A3, by the log of its worker.

    A share of 0.9 of 61.27 GiB is 55.14 GiB; 1.14 are weights, 0.22 the peak of activations (at
    2,048 tokens and 256 sequences), 0.13 are not of torch. What is left is the cache.
    """
    found = session(tmp_path, 'software = vllm_ascend; version = "0.18"', model="small")
    (task,) = found.plan.studies[0].tasks
    server = server_of(task)
    block = server.cost.memory_model.kv_block_bytes
    cache = server.cache_blocks(2048, 256) * block / GIB
    assert cache == pytest.approx(55.14 - 1.14 - 0.22 - 0.13, rel=0.005)
    assert CostModel.of(task.deployment, task.layout).memory_model.weight_bytes / GIB == (
        pytest.approx(1.14, rel=0.03)
    )


def test_the_report_has_the_parts_with_their_sources(tmp_path: Path) -> None:
    found = session(tmp_path, "software = vllm_ascend", devices=2)
    text = found.report.files["plan.report.html"]
    assert "Reserved memory of the recommendation" in text
    assert "buffers of 1 communicator" in text
    assert "HCCL" in text
    (best,) = found.results.studies[0].best.instances
    total = 0.08 * 61.27 + 0.13 + 400 / 1024
    assert best.engine.reserved_memory / GIB == pytest.approx(total, rel=1e-4)
    assert best.point.memory.reserved == best.engine.reserved_memory
