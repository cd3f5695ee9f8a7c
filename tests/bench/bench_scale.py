"""Plans beyond one core: processes beside one, a cluster, and the memory of a long sweep.

    python -m tests.bench.bench_scale [matrix|sweep]

`matrix` runs studies of several models and loads with one process, with two, and on a local
cluster, compares the bytes and prints the ratios. `sweep` runs a thousand variants with a table
of all candidates and prints the largest memory and the evaluations of batch sizes.
"""

import argparse
import csv
import itertools
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODELS = ("qwen3_8b", "qwen3_32b", "qwen3_30b_a3b")
DEVICES = ("atlas_800_a3_752t_die", "atlas_800_a2_376t")
LOADS = {"chat": (1500, 300), "rag": (6000, 200), "code": (3000, 80), "think": (800, 2000)}
VALUES = 1000


def matrix() -> str:
    """Return a plan of a study for each model, device and load."""
    lines = ["use std.devices", "use std.models"]
    for name, (prompt, output) in LOADS.items():
        lines.append(
            f"workload {name} {{ input = {prompt} tok; output = {output} tok; "
            "slo { ttft <= 8 s; tpot <= 60 ms } }"
        )
    for model, device in itertools.product(MODELS, DEVICES):
        lines.append(
            f"deployment {model}_{device} {{ model = {model}; device = {device}; devices = 8; "
            "parallel { tp = [1, 2, 4, 8] } }"
        )
    for model, device, load in itertools.product(MODELS, DEVICES, LOADS):
        own = f"{model}_{device}"
        lines.append(f"study {own}_{load} {{ workload = {load}; deployments = [{own}] }}")
    return "\n".join(lines) + "\n"


def sweep(values: int) -> str:
    """Return a plan whose study has so many variants, each with some ten thousand batch sizes."""
    prompts = ", ".join(f"{500 + 3 * n} tok" for n in range(values))
    outputs = ", ".join(f"{100 + n} tok" for n in range(values))
    return f"""use std.devices
use std.models
workload w {{ input = 1000 tok; output = 200 tok; slo {{ ttft <= 30 s; tpot <= 100 ms }} }}
deployment d {{
    model = qwen3_32b; device = atlas_800_a3_752t_die
    devices = [4, 8, 16]
    parallel {{ tp = [1, 2, 4, 8, 16]; pp = [1, 2, 4] }}
}}
study s {{
    workload = w; deployments = [d]; simulate = none
    sweep zip {{
        sweep w.input in [{prompts}]
        sweep w.output in [{outputs}]
    }}
}}
"""


def timed(folder: Path, *options: str) -> float:
    """Run the plan of a folder and return the seconds."""
    line = [sys.executable, "-m", "specc", "run", "plan.spec", "-q", "--no-cache", "--yes"]
    start = time.perf_counter()
    subprocess.run([*line, "--out", "out", *options], cwd=folder, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure what is asked for, by default all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=("matrix", "sweep"))
    what = parser.parse_args().what
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if what != "sweep":
            (folder / "plan.spec").write_text(matrix())
            found = {}
            for options in ("--jobs 1", "--jobs 2", "--cluster local:2"):
                seconds = timed(folder, *options.split())
                found[options] = (seconds, (folder / "out" / "plan.result.json").read_bytes())
            alone, text = found["--jobs 1"]
            for options, (seconds, own) in found.items():
                same = "the same bytes" if own == text else "OTHER BYTES"
                print(f"{options:<18} {seconds:7.1f} s  {alone / seconds:4.2f} ×  {same}")
        if what != "matrix":
            (folder / "plan.spec").write_text(sweep(VALUES))
            seconds = timed(folder, "--jobs", "1", "--table", "all.csv")
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            with (folder / "all.csv").open(newline="") as file:
                probes = [int(row["probes"]) for row in csv.DictReader(file)]
            print(
                f"{VALUES} values, {sum(probes) / VALUES:,.0f} evaluations each: {seconds:.0f} s, "
                f"at most {peak:.0f} MB, {len(probes):,} rows"
            )


if __name__ == "__main__":
    main()
