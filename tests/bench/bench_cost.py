"""How fast the cost model is: rows a second, and a large space of layouts.

    python -m tests.bench.bench_cost

Goals on one core: at least 1 million rows a second with the reference calibration; the decode
steps of a 61-layer model with experts, 100 layouts × 512 batch sizes, in 1 s when calibrated.
"""

import time
from pathlib import Path

import numpy as np

from specc.calibration.setting import Setting, deployment
from specc.cost import CostModel, StepTable
from specc.ir import Layout
from specc.session import Session

SPEC = Path(__file__).resolve().parents[2] / "specs" / "qwen3-32b-test-device.spec"
ROWS = 1_000_000


def main() -> None:
    """Measure and print."""
    document = Session(SPEC).document
    assert document is not None
    cost = CostModel.of(document.studies[0].deployments[0], Layout(8, 1, 1))
    steps = StepTable.decoding(np.arange(ROWS) % 512 + 1, np.arange(ROWS) % 8000 + 1, 128)
    best = min(_seconds(lambda: cost.times(steps)) for _ in range(5))
    print(f"times  {ROWS / best / 1e6:6.2f} million rows a second (goal 1)")
    best = min(_seconds(lambda: cost.memory(steps)) for _ in range(5))
    print(f"memory {ROWS / best / 1e6:6.2f} million rows a second")
    print(f"DeepSeek-V3 {step_rows():.2f} million decode steps a second (goal 1.5)")
    best = min(_seconds(_large_space) for _ in range(3))
    print(f"61 layers with experts, 100 layouts x 512 batches: {best:.2f} s (goal 1)")


def _large_space() -> None:
    """Evaluate the decode steps of DeepSeek V3 in a hundred layouts."""
    layouts = [
        Layout(tp, 1, devices // tp, ep=ep, moe_tp=devices // ep)
        for devices in (16, 32, 64, 128, 256)
        for tp in (1, 2, 4, 8, 16)
        for ep in (devices // 8, devices // 4, devices // 2, devices)
    ]
    batches = np.arange(1, 513)
    for layout in layouts:
        setting = Setting("deepseek_v3", "atlas_800_a3_752t_die", layout.devices, "w8a8_dynamic")
        cost = CostModel.of(deployment(setting), layout)
        cost.times(StepTable.decoding(batches, 4097, 128))


def step_rows() -> float:
    """Return millions of decode steps a second of DeepSeek-V3, forty operators each."""
    setting = Setting("deepseek_v3", "atlas_800_a3_752t_die", 64, "w8a8_dynamic")
    cost = CostModel.of(deployment(setting), Layout(4, 1, 16, ep=64, moe_tp=1))
    rows = np.arange(65_536)
    steps = StepTable.decoding(rows % 512 + 1, rows % 8000 + 1, 128)
    return len(rows) / min(_seconds(lambda: cost.times(steps)) for _ in range(5)) / 1e6


def _seconds(work) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
