"""Start-up and memory of the commands, as ratios to bare imports measured in the same run.

    python tests/bench/bench_start.py [repetitions]

CPU time of the whole process (user and system), lower quartile of interleaved repetitions, which
is steadier on a shared machine than wall time. Goals: run ≤ 1.6, check ≤ 1.5, --help ≤ 2.5.
"""

import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "specs" / "qwen3-32b-test-device.spec"


def cpu_seconds(command: list[str]) -> float:
    """CPU time of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def peak_bytes(command: list[str]) -> int:
    """Peak resident memory of one process."""
    script = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *command], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def main() -> None:
    """Measure and print."""
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    specc = shutil.which("specc", path=str(Path(sys.executable).parent)) or "specc"
    with tempfile.TemporaryDirectory() as out:
        run = [specc, "run", str(SPEC), "--out", out]
        pairs = {
            "specc run": (run, "import lark, cattrs, numpy, pandas, jinja2", 1.6),
            "specc check": ([specc, "check", str(SPEC)], "import lark, cattrs", 1.5),
            "specc --help": ([specc, "--help"], "import argparse", 2.5),
        }
        for name, (command, imports, goal) in pairs.items():
            bare = [sys.executable, "-c", imports]
            times = [(cpu_seconds(command), cpu_seconds(bare)) for _ in range(repetitions)]
            ours, theirs = (sorted(column)[repetitions // 4] for column in zip(*times, strict=True))
            print(
                f"{name:<14} {ours * 1e3:6.0f} ms, {imports:<45} {theirs * 1e3:6.0f} ms, "
                f"ratio {ours / theirs:.2f} (goal {goal})"
            )
        print(f"specc run peak memory {peak_bytes(run) / 2**20:.0f} MiB (goal 250 MB)")


if __name__ == "__main__":
    main()
