"""Where jobs run changes nothing: here, in other processes, on a cluster whose workers die."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from specc.run.cluster import _checked, own_version
from specc.run.failure import EvaluationError
from specc.run.keys import code
from specc.run.runner import Job, OtherVersionError, Runner, local_runner, performed
from specc.run.workers import Processes
from specc.session import Session
from tests.conftest import ROOT

PLAN = """use std.devices
use std.models
workload w { input = 1000 tok; output = 100 tok; slo { ttft.p99 <= 5 s; tpot <= 50 ms } }
workload means { input = 1000 tok; output = 100 tok; slo { ttft <= 5 s; tpot <= 50 ms } }
deployment d {
    model = qwen3_8b; device = atlas_800_a3_752t_die; devices = 2; parallel { tp = [1, 2] }
}
study s {
    workload = w
    deployments = [d]
    sensitivity = none
    simulate { arrival = poisson(8 req/s); requests = 100 }
    capacity { attainment = 90%; seeds = 3 }
}
study swept {
    workload = means
    deployments = [d]
    simulate = none
    sweep means.output in [50 tok, 60 tok, 70 tok, 80 tok]
}
study t extends s { capacity { seeds = 2 } }
study u extends t { capacity { seeds = 1 } }
"""


@pytest.fixture(autouse=True)
def worth_it(monkeypatch) -> None:
    """So small a plan is worth no workers."""
    for place in ("executors.WORTH_PROCESSES", "plans.WORTH_PROCESSES", "simulate.WORTH_JOBS"):
        monkeypatch.setattr(f"specc.run.{place}", 0.0)


def _plan(folder: Path) -> Path:
    (folder / "plan.spec").write_text(PLAN)
    return folder / "plan.spec"


@cache
def _alone() -> str:
    """Return what is found in this process alone."""
    with tempfile.TemporaryDirectory() as folder:
        return _found_alone(_plan(Path(folder)))


def _found_alone(path: Path) -> str:
    session = Session(path)
    session.runner = Runner()
    return session.results.to_json()


@pytest.mark.parametrize("many", [True, False])
def test_processes_change_nothing(tmp_path: Path, monkeypatch, many: bool) -> None:
    """Neither where whole studies are jobs, nor where evaluations and simulations are."""
    path = _plan(tmp_path)
    session = Session(path)
    if not many:
        monkeypatch.setattr("specc.run.plans._is_worth_workers", lambda parts, runner: False)
    with local_runner(2) as runner:
        session.runner = runner
        assert session.results.to_json() == _alone()


class Reversed(ThreadPoolExecutor):
    """Does the last job first, in this process."""

    def __init__(self) -> None:
        super().__init__(1)
        self.orders: list = []

    def submit(self, fn, /, *args, **kwargs):
        future = super().submit(lambda: None)
        future.result()
        made = super().submit(fn, *args, **kwargs)
        self.orders.append(fn)
        return made


def test_any_executor_will_do(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("specc.run.plans._is_worth_workers", lambda parts, runner: False)
    path = _plan(tmp_path)
    session = Session(path)
    with Reversed() as executor:
        session.runner = Runner(executor=executor, workers=2)
        assert session.results.to_json() == _alone()
        assert len(executor.orders) > 20


CLUSTER = """
import os, signal, sys
from pathlib import Path
from specc.run import executors, plans, simulate
from specc.run.cluster import cluster_runner
from specc.run.events import Events
from specc.session import Session

executors.WORTH_PROCESSES = plans.WORTH_PROCESSES = simulate.WORTH_JOBS = 0.0
workers, kills, whole = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
if not whole:
    plans._is_worth_workers = lambda parts, runner: False
session = Session("plan.spec")


class Watcher(Events):
    def __init__(self, client):
        self.client, self.done = client, 0

    def advanced(self, work=1.0):
        self.done += 1
        if self.done == 3 and kills:
            pids = self.client.run(os.getpid)
            os.kill(sorted(pids.values())[0], signal.SIGKILL)


if __name__ == "__main__":
    with cluster_runner(f"local:{workers}") as runner:
        assert runner.workers == workers
        runner.events = Watcher(runner.executor._client)
        session.runner = runner
        Path("found.json").write_text(session.results.to_json())
"""


@pytest.mark.parametrize(
    ("workers", "kills", "whole"), [(1, 0, 1), (2, 1, 1), (3, 0, 0), (2, 1, 0)]
)
def test_a_cluster_changes_nothing(tmp_path: Path, workers: int, kills: int, whole: int) -> None:
    """Also where one of the workers is killed in the middle."""
    _plan(tmp_path)
    (tmp_path / "cluster.py").write_text(CLUSTER)
    subprocess.run(
        [sys.executable, "cluster.py", str(workers), str(kills), str(whole)],
        cwd=tmp_path, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, timeout=240,
    )  # fmt: skip
    assert (tmp_path / "found.json").read_text() == _alone()


def test_the_option(tmp_path: Path) -> None:
    """From the command line; where nobody answers it is said at once what to start."""
    _plan(tmp_path)
    line = [sys.executable, "-m", "specc", "run", "plan.spec", "-q", "--no-cache"]
    for place, more in (("a", ["--jobs", "1"]), ("b", ["--cluster", "local:2"])):
        subprocess.run([*line, "--out", place, *more], cwd=tmp_path, check=True,
                       env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    files = [sorted(p for p in (tmp_path / place).rglob("*") if p.is_file()) for place in "ab"]
    assert [p.read_bytes() for p in files[0]] == [p.read_bytes() for p in files[1]]
    wrong = subprocess.run([*line, "--cluster", "local:none"], cwd=tmp_path, check=False,
                           capture_output=True, text=True,
                           env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    assert wrong.returncode == 71
    assert "error[E0022]" in wrong.stderr


def doubled(number: int) -> int:
    return 2 * number


def dying(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def _jobs(function) -> list[Job]:
    return [Job(function, (n,), f"number {n}") for n in range(6)]


@pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")
def test_a_job_that_kills_twice_is_reported_when_the_others_are_done() -> None:
    found = {}

    def taken(executor: Executor) -> None:
        for place, result in Runner(executor=executor, workers=2).each(_jobs(dying)):
            found[place] = result

    with Processes(2) as executor, pytest.raises(EvaluationError) as caught:
        taken(executor)
    assert found == {n: n for n in (0, 1, 2, 4, 5)}
    assert caught.value.diagnostic.code == "E0020"
    assert "number 3" in caught.value.diagnostic.message


KILLED = """
from specc.run.cluster import cluster_runner
from specc.run.failure import EvaluationError
from tests.run.test_executors import _jobs, dying

if __name__ == "__main__":
    found = []
    with cluster_runner("local:2") as runner:
        try:
            for _, result in runner.each(_jobs(dying)):
                found.append(result)
        except EvaluationError as error:
            print(sorted(found), error.diagnostic.message)
"""


@pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")
def test_the_same_on_a_cluster(tmp_path: Path) -> None:
    (tmp_path / "killed.py").write_text(KILLED)
    done = subprocess.run([sys.executable, "killed.py"], cwd=tmp_path, check=True, text=True,
                          capture_output=True, timeout=240,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    assert done.stdout.startswith("[0, 1, 2, 4, 5] ")
    assert "number 3" in done.stdout


def test_workers_of_another_version_are_refused(monkeypatch) -> None:
    with pytest.raises(OtherVersionError):
        performed("0.0.0", doubled, (1,))
    assert performed(code(), doubled, (1,)) == 2
    executor = ThreadPoolExecutor(2)
    monkeypatch.setattr(executor, "submit", _with_another_version(executor, "0.0.0"))
    with executor, pytest.raises(EvaluationError) as caught:
        Runner(executor=executor, workers=2).all(_jobs(doubled))
    assert caught.value.diagnostic.code == "E0021"
    assert "pip install specc==" in caught.value.diagnostic.help


def _with_another_version(executor: Executor, version: str):
    submit = executor.submit
    return lambda function, _, *order: submit(function, version, *order)


class Client:
    """As that of Dask, with workers of some versions."""

    def __init__(self, *versions: object) -> None:
        self.versions = versions

    def wait_for_workers(self, count: int, timeout: float) -> None:
        if len(self.versions) < count:
            raise TimeoutError

    def run(self, function, on_error: str) -> dict[str, object]:
        assert function() == code()
        return {f"tcp://w{n}": version for n, version in enumerate(self.versions)}

    def nthreads(self) -> dict[str, int]:
        return {f"tcp://w{n}": 2 for n in range(len(self.versions))}


def test_a_cluster_is_checked_before_it_is_used() -> None:
    assert own_version() == code()
    assert _checked(Client(code(), code())) == 4
    with pytest.raises(EvaluationError) as caught:
        _checked(Client(code(), "0.0.1"))
    assert "tcp://w1 has specc 0.0.1" in caught.value.diagnostic.message
    with pytest.raises(EvaluationError, match="cannot be imported"):
        _checked(Client(ModuleNotFoundError("specc")))
    with pytest.raises(EvaluationError, match="has no worker"):
        _checked(Client())


def test_progress_for_machines(tmp_path: Path) -> None:
    _plan(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "specc", "run", "plan.spec", "-q", "--progress", "json",
         "--cache", "store"],
        cwd=tmp_path, check=True, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines
    assert all(0 <= line["done"] <= 1 for line in lines)
    shares = [line["done"] for line in lines]
    assert shares == sorted(shares)
    assert set(lines[0]) == {"what", "done", "seconds", "remaining_seconds", "reused"}
    assert done.stdout == ""
