"""How long large plans take: step loops, many deployments, many candidates, long sweeps.

    python -m tests.bench.bench_plans [--against FOLDER] [--times N] [ROW ...]

Each row runs in a process of its own, N times; printed is the least CPU time of all its processes,
the least wall time, and the peak of memory. With a folder that holds another checkout, its rows are
measured in turn with these, so that both see the same machine.

Goals: 180 deployments 2 s; a sweep of 160 values 1 s and 20 files; 5 models × 3 devices 3 s and
250 MB; two processes 1.7 times as fast as one where they are used.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from specc.outputs.files import write_files
from specc.run import runner
from specc.session import Session

ROOT = Path(__file__).resolve().parents[2]
USES = "use std.devices\nuse std.models\n"
CHAT = "workload w { input = 3500 tok; output = 1500 tok; slo { ttft <= 15 s; tpot <= 50 ms } }\n"
MIXED = """
workload w {
    requests {
        | share | input        | output     |
        | 45%   | 1 .. 1Ki     | 64 .. 512  |
        | 30%   | 1Ki .. 4Ki   | 128 .. 1Ki |
        | 20%   | 4Ki .. 12Ki  | 128 .. 1Ki |
        | 5%    | 12Ki .. 32Ki | 1000       |
    }
    slo { ttft <= 5 s; tpot <= 50 ms }
}
"""
MODELS = ("qwen3_235b_a22b", "deepseek_v3", "qwen3_30b_a3b", "kimi_k2", "glm_4_7")
DEVICES = ("atlas_800_a3_752t_die", "atlas_800_a3_560t_die", "atlas_800_a2_313t")
SIZES = "tp = auto; pp = [1, 2, 4, 8]; ep = auto; moe_tp = auto; cp = [1, 2, 4]"


def looped() -> str:
    """Return a spec of step loops: lengths in bins, and dense and wide layouts."""
    return f"""{USES}{MIXED}
deployment dense {{
    model = qwen3_32b; quant = w8a8_dynamic; device = {DEVICES[0]}; devices = 8
    parallel {{ tp = [2, 4, 8] }}
    engine {{ chunk_budget = 8Ki tok; scheduler = decode_first }}
}}
deployment wide extends dense {{
    model = qwen3_235b_a22b; devices = 16
    parallel {{ tp = [2, 4, 8]; ep = [8, 16] }}
}}
study s {{ workload = w; deployments = [dense, wide]; simulate = none }}
"""


def many_deployments() -> str:
    """Return a spec of 180 deployments, many of whose batch sizes beat none of the others."""
    text = f"""{USES}{CHAT}
deployment d0 {{
    model = qwen3_32b; quant = w8a8_dynamic; device = {DEVICES[0]}; devices = 8
    parallel {{ tp = [1, 2, 4, 8] }}
}}
"""
    for number in range(1, 180):
        budget = 3600 + 10 * number
        text += f"deployment d{number} extends d0 {{ engine {{ chunk_budget = {budget} tok }} }}\n"
    names = ", ".join(f"d{number}" for number in range(180))
    return f"{text}study s {{ workload = w; deployments = [{names}]; simulate = none }}\n"


def many_values() -> str:
    """Return a spec that sweeps 160 lengths of outputs."""
    values = ", ".join(f"{100 + 10 * number} tok" for number in range(160))
    return f"""{USES}{CHAT}
deployment d {{
    model = qwen3_32b; quant = w8a8_dynamic; device = {DEVICES[0]}; devices = 8
    parallel {{ tp = [2, 4, 8] }}
}}
study s {{ workload = w; deployments = d; simulate = none; sweep w.output in [{values}] }}
"""


def many_candidates() -> str:
    """Return a spec of five models on three devices each, in all layouts."""
    text = USES + CHAT
    names = [f"{model}_on_{device}" for model in MODELS for device in DEVICES]
    for name in names:
        model, device = name.split("_on_")
        text += f"""deployment {name} {{
            model = {model}; quant = w8a8_dynamic; device = {device}; devices = 64
            parallel {{ {SIZES} }} }}\n"""
    return (
        f"{text}study s {{ workload = w; deployments = [{', '.join(names)}]; simulate = none }}\n"
    )


def long_loops() -> str:
    """Return a spec of step loops that takes some seconds."""
    return f"""{USES}{MIXED}
deployment wide {{
    model = qwen3_235b_a22b; quant = w8a8_dynamic; device = {DEVICES[0]}; devices = 32
    parallel {{ tp = [1, 2, 4, 8]; pp = [1, 2]; ep = auto; moe_tp = auto }}
    engine {{ chunk_budget = 8Ki tok; scheduler = decode_first }}
}}
study s {{ workload = w; deployments = wide; simulate = none }}
"""


def very_long_loops() -> str:
    """Return a spec of step loops that takes longer than ten seconds."""
    return (
        long_loops()
        .replace("devices = 32", "devices = 64")
        .replace("pp = [1, 2];", "pp = [1, 2, 4]; cp = [1, 2, 4];")
    )


def moe_space() -> str:
    """Return a spec of a model with experts in many layouts."""
    return f"""{USES}{CHAT}
deployment d {{
    model = deepseek_v3; quant = w8a8_dynamic; device = {DEVICES[0]}; devices = 64
    parallel {{ {SIZES} }}
}}
study s {{ workload = w; deployments = d; simulate = none }}
"""


def like_the_peer() -> str:
    """Return a spec like the default comparison of a planner for NVIDIA devices."""
    return f"""{USES}
workload chat {{ input = 4000 tok; output = 1000 tok; slo {{ ttft <= 2 s; tpot <= 30 ms }} }}
deployment together {{
    model = qwen3_32b; quant = bf16; device = h200; devices = 8
    parallel {{ tp = auto }}
}}
deployment apart {{
    mode = pd_ratio; model = qwen3_32b; quant = bf16; device = h200
    prefill {{ devices = [1, 2, 4] }}
    decode {{ devices = [1, 2, 4] }}
    parallel {{ tp = auto }}
    fleet {{ devices = 8 }}
}}
study s {{ workload = chat; deployments = [together, apart]; simulate = none }}
"""


def whole_run(spec: str) -> dict[str, Any]:
    """Run a spec to its files."""
    with session_of(spec) as session, tempfile.TemporaryDirectory() as folder:
        tasks = sum(len(study.tasks) for study in session.plan.studies)
        written = write_files(session.report, Path(folder))
        size = sum(path.stat().st_size for path in written)
    return {"candidates": tasks, "files": len(written), "MB written": round(size / 1e6, 1)}


def results_alone(spec: str) -> dict[str, Any]:
    """Find the results of a spec."""
    with session_of(spec) as session:
        tasks = sum(len(study.tasks) for study in session.plan.studies)
        found = session.results.studies
    probes = sum(c.probes for study in found for c in study.candidates)
    return {"candidates": tasks, "batch sizes": probes}


def in_one_process(spec: str) -> dict[str, Any]:
    """Find the results of a spec in this process alone."""
    runner.usable_cores = lambda: 1
    return results_alone(spec)


def json_alone(spec: str) -> dict[str, Any]:
    """Write the results of a spec ten times; the time is that of one text."""
    with session_of(spec) as session:
        results = session.results
    start = time.process_time()
    for _ in range(10):
        text = results.to_json()
    seconds = (time.process_time() - start) / 10
    candidates = sum(len(study.candidates) for study in results.studies)
    each = round(len(text) / candidates)
    return {"cpu": seconds, "wall": seconds, "bytes a candidate": each, "candidates": candidates}


ROWS: dict[str, tuple[Callable[[str], dict[str, Any]], Callable[[], str]]] = {
    "step loops": (in_one_process, looped),
    "180 deployments": (whole_run, many_deployments),
    "JSON of 720 candidates": (json_alone, many_deployments),
    "sweep of 160 values": (whole_run, many_values),
    "5 models × 3 devices": (whole_run, many_candidates),
    "a MoE space": (whole_run, moe_space),
    "long step loops, one process": (in_one_process, long_loops),
    "long step loops, as usual": (results_alone, long_loops),
    "very long step loops, one process": (in_one_process, very_long_loops),
    "very long step loops, as usual": (results_alone, very_long_loops),
}


@contextmanager
def session_of(spec: str) -> Iterator[Session]:
    """Yield a session of a text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.spec"
        path.write_text(spec)
        yield Session(path, unlimited=True)


def measured(row: str) -> dict[str, Any]:
    """Measure a row in this process."""
    action, spec = ROWS[row]
    text = spec()
    wall, cpu = time.perf_counter(), _cpu_seconds()
    found = action(text)
    own = {"wall": time.perf_counter() - wall, "cpu": _cpu_seconds() - cpu, "peak": _peak_mb()}
    return {**own, **found}


def _cpu_seconds() -> float:
    return sum(os.times()[:4])


def _peak_mb() -> float:
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(each).ru_maxrss for each in who) / 1024


def elsewhere(row: str, folder: Path) -> dict[str, Any]:
    """Measure a row with the package in a folder."""
    command = [sys.executable, str(Path(__file__).resolve()), "--here", row]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment, cwd=folder
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def least(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the least time of several runs, and the rest as the last one has it."""
    return {**runs[-1], **{name: min(run[name] for run in runs) for name in ("wall", "cpu")}}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure large plans.")
    parser.add_argument("rows", nargs="*", default=list(ROWS), metavar="ROW")
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--here", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        print(json.dumps(measured(options.here)))
        return
    folders = {"now": ROOT}
    if options.against:
        folders = {"before": options.against.resolve(), **folders}
    for row in options.rows:
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in folders}
        for _ in range(options.times):
            for name, folder in folders.items():
                runs[name].append(elsewhere(row, folder))
        for name in folders:
            _print(row, name, least(runs[name]))


def _print(row: str, name: str, found: dict[str, Any]) -> None:
    wall, cpu, peak = (found.pop(key) for key in ("wall", "cpu", "peak"))
    rest = ", ".join(f"{value:,} {what}" for what, value in found.items())
    print(f"{row:<29} {name:<7} {cpu:7.3f} s CPU {wall:7.3f} s wall {peak:5.0f} MB  {rest}")


if __name__ == "__main__":
    main()
