"""Several engines on one device: no faster than alone, no slower than a fair share."""

from pathlib import Path

import numpy as np
import pytest

from specc import library
from specc.cost import CostModel, StepTable
from specc.engines import reserved_bytes
from specc.ir import Deployment, Engine, Generation, Layout, Quantisation, Software
from specc.session import Session, SpecError

GIB = 2**30
PLAN = """use std.devices
use std.models
workload w {{ input = 1Ki tok; output = 200 tok; slo {{ tpot <= 50 ms }} }}
deployment d {{
    model = qwen3_0_6b; quant = bf16; device = atlas_800_a3_752t_die; devices = 1
    engine {{ software = vllm_ascend; {engine} }}
    {more}
}}
study s {{ workload = w; deployments = d; {study} }}
"""


def best(folder: Path, engine: str, more: str = "", study: str = "simulate = none"):
    path = folder / "plan.spec"
    path.write_text(PLAN.format(engine=engine, more=more, study=study))
    return Session(path).results.studies[0].best


def deployment(
    model: str, per_device: int, generation: Generation = Generation.GRAPH, **engine
) -> Deployment:
    fields = {"per_device": per_device, **engine}
    return Deployment(
        model=library.model(model),
        device=library.device("atlas_800_a3_752t_die"),
        devices=8,
        quant=Quantisation.W8A8_DYNAMIC,
        engine=Engine(**fields) if "software" in engine else Engine.like(generation, **fields),
    )


@pytest.mark.parametrize("model", ["qwen3_0_6b", "qwen3_32b", "qwen3_30b_a3b"])
@pytest.mark.parametrize("generation", list(Generation))
def test_steps_take_no_less_than_alone_and_no_more_than_a_fair_share(model, generation) -> None:
    experts = library.model(model).experts is not None
    layout = Layout(8, 1, 1, ep=8) if experts else Layout(8, 1, 1)
    decoding = StepTable.decoding(np.array([1, 4, 16, 64, 256]), 2000, 128)
    prefilling = StepTable.prefilling(np.array([1, 2, 4, 8, 16]), 500, 1000, 128)
    for steps in (decoding, prefilling):
        alone = CostModel.of(deployment(model, 1, generation=generation), layout).times(steps)
        before = alone.total
        for count in (2, 3, 4, 8):
            own = deployment(model, count, generation=generation)
            shared = CostModel.of(own, layout).times(steps).total
            assert (shared >= before * (1 - 1e-12)).all()
            assert (shared <= count * alone.total * (1 + 1e-12)).all()
            before = shared
        # The kernels of eight fill what the host leaves free, at least of small batches.
        assert (before > alone.total).any()


def test_the_memory_is_divided() -> None:
    """Together they take what one would, and each has its own runtime and buffers."""
    layout, seen = Layout(8, 1, 1), 61.27 * GIB

    def free(count: int, **engine) -> float:
        own = deployment("qwen3_32b", count, **engine)
        return (seen - reserved_bytes(own, layout)) / GIB

    for count in (2, 3, 4):
        assert count * free(count) == pytest.approx(free(1), abs=1e-6)
        assert count * free(count, reserved_memory=4 * GIB) == pytest.approx(61.27 - 4, abs=1e-6)
        # A share is one that each engine is given, of the whole memory.
        assert free(count, memory_utilization=0.2) == pytest.approx(0.2 * 61.27, abs=1e-6)
        libraries = 0.13 + 400 / 1024
        ascend = free(count, software=Software.VLLM_ASCEND)
        assert ascend == pytest.approx(0.92 * 61.27 / count - libraries, abs=1e-3)


def test_devices_count_once(tmp_path: Path) -> None:
    """Four engines fill a device; what they serve is of that device."""
    one, four = best(tmp_path, ""), best(tmp_path, "per_device = 4")
    (instance,) = four.instances
    assert (four.devices, instance.count, instance.all_devices) == (1, 4, 1)
    assert four.throughput == pytest.approx(4 * instance.point.throughput)
    assert instance.point.throughput_per_device == pytest.approx(four.throughput_per_device)
    # No more than four of one alone, no less than nothing beside it.
    assert four.throughput <= 4 * one.throughput
    assert four.throughput > 0.2 * one.throughput


@pytest.mark.parametrize(("count", "devices"), [("rate = 100 req/s", None), ("devices = 3", 3)])
def test_fleets(tmp_path: Path, count: str, devices: int | None) -> None:
    found = best(tmp_path, "per_device = 4", f"fleet {{ {count} }}")
    (instance,) = found.instances
    assert found.devices == -(-instance.count // 4)
    if devices is None:
        assert instance.count * instance.point.rate >= 100
        assert (instance.count - 1) * instance.point.rate < 100
    else:
        assert instance.count == 4 * devices


def test_a_simulation_serves_with_all_of_them(tmp_path: Path) -> None:
    study = "simulate { arrival = poisson(4 req/s); requests = 300 }"
    alone, shared = (best(tmp_path, f"per_device = {n}", study=study) for n in (1, 4))
    assert shared.simulated
    assert alone.metrics.tpot.mean < shared.metrics.tpot.mean < 4 * alone.metrics.tpot.mean


def test_the_report_says_what_was_assumed(tmp_path: Path) -> None:
    path = tmp_path / "plan.spec"
    path.write_text(PLAN.format(engine="per_device = 4", more="", study="simulate = none"))
    session = Session(path)
    text = session.report.files["plan.report.md"]
    assert "4 engines share a device: steps are as long as if the others were always busy" in text
    assert "4 instances × 1, 4 of them on the same ones = 1 atlas" in text.replace("\\", "")
    assert "the other 3 on the device" in session.report.files["plan.report.html"]


@pytest.mark.parametrize(
    ("engine", "more", "code"),
    [
        ("per_device = 4; memory_utilization = 30%", "", "E0448"),
        ("per_device = 2", "mode = pd_ratio; fleet { devices = 4 }", "E0449"),
        ("per_device = 0", "", "E0402"),
    ],
)
def test_what_cannot_be(tmp_path: Path, engine: str, more: str, code: str) -> None:
    with pytest.raises(SpecError) as error:
        best(tmp_path, engine, more)
    assert [d.code for d in error.value.diagnostics] == [code]
