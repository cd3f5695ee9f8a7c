"""The whole loop, with a real load generator: plan, launch, measure, compare, correct.

The server is a stand-in for vLLM whose steps take longer than planned, by a factor and a time of
every request that specc does not know. aiperf drives it; it is looked for on the path and in the
environment `.loadtest` of the checkout.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from specc.loadtest import read_load_tests
from specc.run.subjects import Simulator
from specc.session import Session, chosen_of
from specc.simulation.costs import PICOSECONDS
from specc.workspace import Workspace
from tests.conftest import ROOT

SLOWER, REQUEST_TIME = 1.4, 0.030  # what the server adds, which the plan does not know
TOKENS = [0, 32, 64, 128, 192, 256, 384, 512, 768, 1024, 2048]
BATCH = list(range(17))
PLAN = """\
use std.devices
use std.models
{use}
workload w {{ input = 256 tok; output = 24 tok }}
deployment d {{
    model = qwen3_8b
    device = {device}
    devices = 1
    engine {{ software = vllm_ascend; max_sequences = 16; async_scheduling = false }}
}}
study s {{
    workload = w; deployments = [d]; simulate {{ arrival = {arrival}; requests = 120 }}
}}
"""
RATE, CLIENTS = "poisson(4 req/s)", "concurrency(3)"
LOADS = ((1, 8), (2, 12), (6, 36), (10, 50))  # clients and requests that the correction sees
# What each of the loads that it does not see is judged by. Clients with requests of one length fall
# into step with the engine, so that their TTFT hangs on a millisecond; those that come at random
# times do not, but their throughput is what was asked for.
JUDGED = {"rate": (RATE, 120, ("ttft", "tpot")), "clients": (CLIENTS, 24, ("tpot", "throughput"))}


def planned(use: str, device: str, arrival: str) -> str:
    return PLAN.format(use=use, device=device, arrival=arrival)


def aiperf() -> str | None:
    path = os.pathsep.join([str(ROOT / ".loadtest" / "bin"), os.environ.get("PATH", "")])
    return shutil.which("aiperf", path=path)


def tokenizer(folder: Path) -> Path:
    """Write a tokenizer whose tokens are bytes."""
    folder.mkdir()
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in kept]
    letters = {b: chr(b) for b in kept} | {b: chr(256 + n) for n, b in enumerate(others)}
    vocab = {letters[b]: b for b in range(256)} | {"<unk>": 256}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
             "use_regex": False}  # fmt: skip
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
             "ignore_merges": False, "vocab": vocab, "merges": []}  # fmt: skip
    (folder / "tokenizer.json").write_text(
        json.dumps(
            {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
             "normalizer": None, "pre_tokenizer": level, "post_processor": None,
             "decoder": level, "model": model}
        )
    )  # fmt: skip
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>",
             "eos_token": "<unk>", "model_max_length": 100_000}  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
    return folder


def true_steps(plan: Path) -> dict[str, list]:
    """Return the steps of the server: those of the plan, each slower."""
    chosen = chosen_of(Session(plan), None, None)
    from specc.calibration.comparison import planned_subject
    from specc.loadtest import Lengths, LoadTest, SentLoad

    test = LoadTest(
        tool="none", load=SentLoad(process="clients", clients=3), input=Lengths(256),
        output=Lengths(24), requests=24, duration=1.0, tokens=1.0,
    )  # fmt: skip
    subject = planned_subject(chosen.plan, chosen.result.study, chosen.configuration, test, 0.0)
    (instance,) = Simulator(subject, None).instances
    costs = instance.pool(subject.simulate.router, 4096).costs

    def seconds(tokens: int, batch: int) -> float:
        if not tokens:
            sums = costs.decode(max(1, batch))
            return (sums[281] - sums[280]) / PICOSECONDS
        keys = tokens * min(tokens, 256) // 2
        return costs.mixed(tokens, keys, batch, 280 if batch else 0) / PICOSECONDS

    rows = [[SLOWER * seconds(t, b) for b in BATCH] for t in TOKENS]
    return {"tokens": TOKENS, "batch": BATCH, "seconds": rows}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Loop:
    """A folder in which a plan is launched and measured."""

    def __init__(self, folder: Path, specc) -> None:
        self.folder, self.specc = folder, specc
        self.model = tokenizer(folder / "model")
        self.port = free_port()
        (folder / "bin").mkdir()
        program = folder / "bin" / "vllm"
        mock = ROOT / "tests" / "loop" / "mock_vllm.py"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{mock}" "$@"\n')
        program.chmod(0o755)
        (folder / "plan.spec").write_text(planned("", "atlas_800_a3_752t_die", CLIENTS))
        (folder / "steps.json").write_text(json.dumps(true_steps(folder / "plan.spec")))
        self.environment = {
            "PATH": os.pathsep.join(
                [str(folder / "bin"), str(Path(aiperf()).parent), os.environ["PATH"]]
            ),
            "HOME": str(folder),
            "MODEL": str(self.model),
            "PORT": str(self.port),
            "URL": f"http://127.0.0.1:{self.port}",
            "MOCK_STEPS": str(folder / "steps.json"),
            "MOCK_REQUEST_TIME": str(REQUEST_TIME),
        }

    def launch(self, name: str, arrival: str, requests: int) -> Path:
        self.specc(
            "launch", "plan.spec", "--out", name,
            "--set", f"study.s.simulate.arrival={arrival}",
            "--set", f"study.s.simulate.requests={requests}",
        )  # fmt: skip
        return self.folder / name

    def serve(self, folder: Path) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            ["bash", str(folder / "serve.sh")], env=self.environment, cwd=self.folder
        )
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return process
            assert process.poll() is None
            time.sleep(0.05)
        raise AssertionError("the server does not listen")

    def measure(self, folder: Path) -> Path:
        """Run the load test of a folder with aiperf; return its results."""
        done = subprocess.run(
            ["bash", str(folder / "loadtest.sh"), "aiperf"],
            env={**self.environment, "RESULT": str(folder / "result.json")},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return folder / "result-aiperf"

    def compared(self, plan: str, result: Path) -> dict:
        done = subprocess.run(
            [sys.executable, "-m", "specc", "compare", plan, str(result), "--format", "json"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1), done.stderr
        return json.loads(done.stdout)


def errors(found: dict) -> dict[str, float]:
    """Return how far each prediction is off, as a share of what was measured."""
    measured, predicted = found["measured"], found["predicted"]
    of = {name: (measured[name]["mean"], predicted[name]["mean"]) for name in ("ttft", "tpot")}
    of["throughput"] = measured["throughput"], predicted["throughput"]
    return {name: abs(theirs / own - 1) for name, (own, theirs) in of.items()}


@pytest.mark.skipif(aiperf() is None, reason="aiperf is not installed (pip install aiperf)")
def test_a_plan_is_corrected_by_what_was_measured(tmp_path, specc) -> None:
    loop = Loop(tmp_path, specc)
    folders = {name: loop.launch(name, load, n) for name, (load, n, _) in JUDGED.items()}
    server = loop.serve(folders["clients"])
    try:
        results = {name: loop.measure(folder) for name, folder in folders.items()}
        for clients, requests in LOADS:
            other = loop.launch(f"c{clients}", f"concurrency({clients})", requests)
            shutil.copytree(loop.measure(other), tmp_path / "seen" / f"c{clients}")
    finally:
        server.terminate()
        server.wait()
    (test,) = read_load_tests(Workspace(tmp_path), results["clients"])
    assert (test.requests, test.failed, test.load.clients) == (24, 0, 3)
    said = specc(
        "calibrate", "--served", "seen", "--plan", "plan.spec",
        "--device", "atlas_800_a3_752t_die", "--name", "mine", "-o", "mine.spec",
    )  # fmt: skip
    assert "vllm_ascend_graph" in said.stdout
    for name, (arrival, _, metrics) in JUDGED.items():
        (tmp_path / "before.spec").write_text(planned("", "atlas_800_a3_752t_die", arrival))
        (tmp_path / "after.spec").write_text(planned('use "mine.spec" as own', "own.mine", arrival))
        before, after = (
            errors(loop.compared(plan, results[name])) for plan in ("before.spec", "after.spec")
        )
        print(name, "before", before, "after", after)
        for metric in metrics:
            assert after[metric] < before[metric], (name, metric)
            assert after[metric] < 0.05, (name, metric, after, before)
