"""All figures that specc's speed is judged by, in one table.

    python -m tests.bench [ROW ...] [--json FILE] [--compare OLD.json] [--profile FILE]

Each row is measured in processes of its own, as the least CPU time of three runs (of all of their
processes), and printed as a ratio to something measured in the same run where there is such a
thing. `--compare` adds the figures of an earlier table, which means something on the same machine
alone. `--profile` writes where the time goes in the row that is farthest from its goal.
"""

import argparse
import cProfile
import importlib.metadata
import io
import json
import os
import platform
import pstats
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import frozen

from specc._version import __version__
from tests.bench import bench_cost, bench_plans, bench_simulation
from tests.bench.bench_start import PAIRS, SPECC, cpu_seconds, ratio_of

ROOT = Path(__file__).resolve().parents[2]
RUNS = 3
PACKAGES = ("numpy", "attrs", "lark", "cattrs", "jinja2")
PEER = "aiconfigurator"


@frozen
class Row:
    """A figure.

    Attributes:
        name: what is measured.
        goal: what it should be.
        unit: of both.
        measure: measures it once, in a process of its own.
        more: whether more is better.
    """

    name: str
    goal: float
    unit: str
    measure: Callable[[], float]
    more: bool = False

    def distance(self, found: float) -> float:
        """Return how far it is from the goal: 1 is on it, 2 twice as bad."""
        return self.goal / found if self.more else found / self.goal


class AbsentError(Exception):
    """Something that a row needs is not installed."""


def _cpu_of(plan: str) -> Callable[[], float]:
    return lambda: float(bench_plans.measured(plan)["cpu"])


def _peak_of(plan: str) -> Callable[[], float]:
    return lambda: float(bench_plans.measured(plan)["peak"])


def _files_of(plan: str) -> Callable[[], float]:
    return lambda: float(bench_plans.measured(plan)["files"])


def _candidate() -> float:
    found = bench_plans.measured("a MoE space")
    return float(found["cpu"]) / found["candidates"] * 1e3


def _beside_peer() -> float:
    """Return how many times as long a peer's default comparison of a model on 8 GPUs takes."""
    peer = shutil.which(PEER)
    if peer is None:
        raise AbsentError(f"{PEER} is not installed")
    theirs = [peer, "cli", "default", "--model-path", "Qwen/Qwen3-32B", "--total-gpus", "8"]
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "like.spec"
        spec.write_text(bench_plans.like_the_peer())
        ours = [*SPECC, "run", str(spec), "--out", folder]
        cpu_seconds(ours)  # writes byte code
        own = min(cpu_seconds(ours) for _ in range(RUNS))
        return cpu_seconds([*theirs, "--system", "h200_sxm"]) / own


def _two_processes() -> float:
    """Return how many times as fast two processes are as one, by the clock."""
    if bench_plans.runner.usable_cores() < 2:
        raise AbsentError("this machine has one core")
    alone, both = (
        bench_plans.elsewhere(f"very long step loops, {name}", ROOT)["wall"]
        for name in ("one process", "as usual")
    )
    return float(alone / both)


ROWS = (
    Row("run known case / five imports", 1.0, "×", lambda: ratio_of(*PAIRS["run"])),
    Row("check / lark and cattrs", 1.3, "×", lambda: ratio_of(*PAIRS["check"])),
    Row("a peer's default / a like study", 25, "×", _beside_peer, more=True),
    Row("step rows, DeepSeek-V3", 1.5, "M/s", bench_cost.step_rows, more=True),
    Row("a candidate of a MoE space", 0.4, "ms", _candidate),
    Row("5 models × 3 devices", 3.0, "s", _cpu_of("5 models × 3 devices")),
    Row("5 models × 3 devices, memory", 250, "MB", _peak_of("5 models × 3 devices")),
    Row("180 deployments", 2.0, "s", _cpu_of("180 deployments")),
    Row("sweep of 160 values", 1.0, "s", _cpu_of("sweep of 160 values")),
    Row("sweep of 160 values, files", 20, "", _files_of("sweep of 160 values")),
    Row("simulator, 1024/256", 300, "k req/s", bench_simulation.thousands_a_second, more=True),
    Row("capacity, 10 000 requests, 5 seeds", 1.5, "s", bench_simulation.capacity_seconds),
    Row("64 replicas / one", 1.7, "×", bench_simulation.replicas_ratio),
    Row("two processes / one, over 10 s", 1.7, "×", _two_processes, more=True),
)


def machine() -> dict[str, str]:
    """Return what the figures were measured on."""
    packages = {name: importlib.metadata.version(name) for name in PACKAGES}
    cores = f"{bench_plans.runner.usable_cores()} cores"
    names = {"machine": f"{_processor()}, {cores}", "python": platform.python_version()}
    return {**names, "specc": __version__, **packages}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def measured(row: Row) -> float | None:
    """Return the best of several runs of a row, None where it cannot be measured."""
    command = [sys.executable, "-m", "tests.bench", "--here", row.name]
    found: list[float] = []
    for _ in range(RUNS):
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode:
            reason = done.stderr.strip().splitlines()[-1:] or ["it failed"]
            print(f"{row.name:<36} not measured: {reason[0]}")
            return None
        found.append(float(done.stdout.split()[-1]))
    return max(found) if row.more else min(found)


def printed(row: Row, found: float, old: dict[str, float]) -> None:
    """Print a row of the table."""
    sign, met = ("≥", found >= row.goal) if row.more else ("≤", found <= row.goal)
    text = f"{row.name:<36} {found:8.2f} {row.unit:<8} goal {sign} {row.goal:<6g}"
    text += "reached" if met else f"missed by {row.distance(found):.2f} ×"
    if row.name in old:
        text = f"{text:<80} before {old[row.name]:8.2f}, now / before {found / old[row.name]:.2f}"
    print(text, flush=True)


def profile_of(row: Row) -> str:
    """Return where the time of a row goes, as far as it is spent in one process."""
    profile = cProfile.Profile()
    profile.runcall(row.measure)
    text = io.StringIO()
    stats = pstats.Stats(profile, stream=text).strip_dirs()
    stats.sort_stats("tottime").print_stats(30)
    return f"{row.name}\n{text.getvalue()}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure specc.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="parts of names; all by default")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument("--compare", type=Path, metavar="OLD", help="figures to stand beside")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="profile of the worst row")
    parser.add_argument("--here", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        try:
            print(next(row for row in ROWS if row.name == options.here).measure())
        except AbsentError as reason:
            sys.exit(str(reason))
        return
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    kept: dict[str, Any] = json.loads(options.compare.read_text()) if options.compare else {}
    if kept and kept["on"] != machine():
        print(f"the figures before are from {kept['on']}")
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    found: dict[str, float] = {}
    for row in ROWS:
        if not options.rows or any(part in row.name for part in options.rows):
            value = measured(row)
            if value is not None:
                found[row.name] = value
                printed(row, value, kept.get("figures", {}))
    if options.json:
        text = json.dumps({"on": machine(), "figures": found}, indent=1, ensure_ascii=False)
        options.json.write_text(text + "\n")
    if options.profile and found:
        worst = max((r for r in ROWS if r.name in found), key=lambda r: r.distance(found[r.name]))
        options.profile.write_text(profile_of(worst))
        print(f"where the time of '{worst.name}' goes: {options.profile}")


if __name__ == "__main__":
    main()
