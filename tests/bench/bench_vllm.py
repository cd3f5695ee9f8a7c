"""How many of vLLM's own schedules the simulated engine meets, by family and mode.

    python -m tests.bench.bench_vllm

A case counts if every start, first token and finish is the same. Behind a case that differs stands
how far its mean TTFT is off.
"""

import sys

import numpy as np

from tests.simulation.vllm import (
    MODES,
    SHARED,
    Case,
    measured,
    own_cases,
    shared_cases,
    simulated,
)


def main() -> None:
    """Run all cases and print the table."""
    cases = shared_cases() if SHARED.exists() else own_cases()
    families = dict.fromkeys(case.family for case in cases)
    _print("family", *MODES)
    for family in families:
        own = [case for case in cases if case.family == family]
        _print(family, *(_met(own, mode) for mode in MODES))
    _print("all", *(_met(cases, mode) for mode in MODES))
    if not SHARED.exists():
        sys.stdout.write("the cases of this repository; all 140 were not found\n")


def _met(cases: list[Case], mode: str) -> str:
    off = [_off(case, mode) for case in cases if simulated(case, mode) != measured(case, mode)]
    worst = f" ({max(off):.1%})" if off else ""
    return f"{len(cases) - len(off)} of {len(cases)}{worst}"


def _off(case: Case, mode: str) -> float:
    arrival = np.array([row[0] for row in case.given["requests"]])
    here, there = (np.array(found(case, mode)["first"]) for found in (simulated, measured))
    return abs(float((here - arrival).mean() / (there - arrival).mean()) - 1)


def _print(*cells: str) -> None:
    sys.stdout.write("".join(f"{cell:22}" for cell in cells).rstrip() + "\n")


if __name__ == "__main__":
    main()
