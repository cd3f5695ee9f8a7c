"""Start-up of the commands, as ratios to bare imports measured in the same run.

    python tests/bench/bench_start.py [repetitions]

CPU time of the whole process (user and system), lower quartile of interleaved repetitions, which
is steadier on a shared machine than wall time; byte code is written before. Goals: `run` of the
known case takes no longer than five imports, `check` of forty lines 1.3 times as long as two.
"""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "specs" / "qwen3-32b-test-device.spec"
CHECK = ROOT / "specs" / "qwen3-32b-chat.spec"
# What the script `specc` of an installation holds.
SPECC = [sys.executable, "-c", "from specc.__main__ import program; program()"]
# Byte code is part of an installation: it is there, and what is missing is written.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def cpu_seconds(command: list[str]) -> float:
    """CPU time of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=ENVIRONMENT, cwd=ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


# A command without the folder for its files, and the imports it is measured against.
PAIRS = {
    "run": (("run", str(RUN)), "lark, cattrs, numpy, pandas, jinja2"),
    "check": (("check", str(CHECK)), "lark, cattrs"),
}
GOALS = {"run": 1.0, "check": 1.3}


def seconds_of(
    arguments: Sequence[str], imports: str, repetitions: int = 15
) -> tuple[float, float]:
    """Return the CPU time of a command and of bare imports."""
    with tempfile.TemporaryDirectory() as out:
        command = [*SPECC, *arguments, *(["--out", out] if arguments[0] == "run" else [])]
        bare = [sys.executable, "-c", f"import {imports}"]
        cpu_seconds(command)  # writes byte code, and fills the cache
        cpu_seconds(bare)
        times = [(cpu_seconds(command), cpu_seconds(bare)) for _ in range(repetitions)]
    ours, theirs = (sorted(column)[repetitions // 4] for column in zip(*times, strict=True))
    return ours, theirs


def ratio_of(arguments: Sequence[str], imports: str) -> float:
    """Return the time of a command over that of bare imports."""
    ours, theirs = seconds_of(arguments, imports)
    return ours / theirs


def main() -> None:
    """Measure and print."""
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    for name, (arguments, imports) in PAIRS.items():
        ours, theirs = seconds_of(arguments, imports, repetitions)
        print(
            f"specc {name:<6} {ours * 1e3:4.0f} ms, import {imports:<36} {theirs * 1e3:4.0f} ms"
            f", ratio {ours / theirs:.2f} (goal {GOALS[name]})"
        )


if __name__ == "__main__":
    main()
