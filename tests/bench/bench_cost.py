"""Step rows a second that the cost model evaluates for one layout.

    python tests/bench/bench_cost.py

Goal: at least 1 million rows a second on one core.
"""

import time
from pathlib import Path

import numpy as np

from specc.compilation import Compilation
from specc.cost import CostModel, Layout, StepTable

SPEC = Path(__file__).resolve().parents[2] / "specs" / "qwen3-32b-test-device.spec"
ROWS = 1_000_000


def main() -> None:
    """Measure and print."""
    document = Compilation(SPEC).document
    assert document is not None
    cost = CostModel.of(document.studies[0].deployments[0], Layout(8, 1, 1))
    steps = StepTable.decoding(np.arange(ROWS) % 512 + 1, np.arange(ROWS) % 8000 + 1, 128)
    best = min(_seconds(lambda: cost.times(steps)) for _ in range(5))
    print(f"times  {ROWS / best / 1e6:6.2f} million rows a second (goal 1)")
    best = min(_seconds(lambda: cost.memory(steps)) for _ in range(5))
    print(f"memory {ROWS / best / 1e6:6.2f} million rows a second")


def _seconds(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
