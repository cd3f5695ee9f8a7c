"""The store: what comes back, what is found again, several runs at once, damage."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from specc.ir.json import to_json
from specc.results import Metrics
from specc.run import store as stores
from specc.run.plans import ALL, PlannedPart, run
from specc.run.runner import Runner
from specc.run.store import Store, StoreError
from specc.session import Session
from tests.conftest import ROOT

PLAN = """use std.devices
use std.models
workload w {{ input = 1000 tok; output = 100 tok; slo {{ ttft <= 5 s; tpot <= {tpot} ms }} }}
deployment d {{
    model = qwen3_8b; device = atlas_800_a3_752t_die; devices = 2; parallel {{ tp = [1, 2] }}
}}
study s {{
    workload = w; deployments = [d]; {more}
    sweep w.output in [{outputs}]
}}
study t {{ workload = w; deployments = [d]; {more} }}
"""


def _plan(folder: Path, *, tpot: int = 50, variants: int = 12, more: str = "simulate = none",
          name: str = "plan.spec") -> Path:  # fmt: skip
    path = folder / name
    outputs = ", ".join(f"{100 + 10 * n} tok" for n in range(variants))
    path.write_text(PLAN.format(tpot=tpot, outputs=outputs, more=more))
    return path


def _found(path: Path, store: Store | None) -> tuple[str, Runner]:
    session = Session(path)
    session.runner = runner = Runner(store=store)
    return session.results.to_json(), runner


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.of(tmp_path / "store")


def test_what_is_stored_comes_back_to_the_byte(tmp_path: Path, store: Store) -> None:
    path = _plan(tmp_path, more="simulate { arrival = poisson(3 req/s); requests = 300 }\n    "
                 "capacity { attainment = 90% }", variants=2)  # fmt: skip
    alone, _ = _found(path, None)
    first, runner = _found(path, store)
    assert (first, runner.reused, runner.made) == (alone, 0, 3)
    again, runner = _found(path, store)
    assert (again, runner.reused, runner.made) == (alone, 3, 0)
    session = Session(path)
    session.runner = Runner(store=store)
    files = session.report.files
    plain = Session(path)
    plain.runner = Runner()
    assert files == plain.report.files


def test_only_what_changed_is_found_again(tmp_path: Path, store: Store) -> None:
    _found(_plan(tmp_path), store)
    text = (tmp_path / "plan.spec").read_text()
    (tmp_path / "plan.spec").write_text(text.replace("[100 tok", "[90 tok"))
    changed, runner = _found(tmp_path / "plan.spec", store)
    # That variant, and the best one, which is shown whole and is another one now or the same.
    assert runner.made in (1, 2)
    assert runner.reused >= 12
    assert changed == _found(tmp_path / "plan.spec", None)[0]
    judged = text.replace("study t {", "study t { expect best.devices >= 1; ")
    (tmp_path / "plan.spec").write_text(judged)
    found, runner = _found(tmp_path / "plan.spec", store)
    assert runner.made == 0  # how a result is judged is not what it depends on
    assert '"met": true' in found


def test_another_limit_model_or_version_is_another_key(tmp_path: Path, monkeypatch) -> None:
    def keys(**changed) -> list[str]:
        planned = Session(_plan(tmp_path, **changed)).plan.studies
        return [PlannedPart(one, ALL).key for one in planned]

    base = keys()
    assert len(set(base)) == len(base)
    assert keys() == base
    assert not set(keys(tpot=49)) & set(base)
    monkeypatch.setattr("specc.run.keys.code", lambda: "another version")
    assert not set(keys()) & set(base)


def test_a_damaged_row_is_found_again(tmp_path: Path, store: Store) -> None:
    path = _plan(tmp_path)
    first, runner = _found(path, store)
    rows = runner.made
    with sqlite3.connect(store.path) as connection:
        (key, body) = connection.execute("select key, body from results limit 1").fetchone()
        connection.execute("update results set body = ? where key = ?",
                           (body[:-3] + b"xyz", key))  # fmt: skip
        other = connection.execute("select key from results where key != ?", (key,)).fetchone()
        connection.execute("update results set checksum = zeroblob(32) where key = ?", other)
    assert store.verify() == (rows, 2)
    again, runner = _found(path, store)
    assert again == first
    assert runner.made == 2
    assert store.verify() == (rows, 0)
    with sqlite3.connect(store.path) as connection:
        connection.execute("update results set body = zeroblob(10)")
    again, runner = _found(path, store)  # damage is found where it is read, too
    assert (again, runner.reused) == (first, 0)


def test_the_least_recently_used_are_dropped(tmp_path: Path) -> None:
    Store.of(tmp_path)
    small = Store(tmp_path / stores.NAME, largest=400_000)
    for number in range(60):
        small.put(f"key {number}", [os.urandom(10_000).hex()])
        assert small.get("key 0", list[str])[0] is True  # used again and again
    assert small.info().stored <= 400_000 + 40_000
    assert small.get("key 1", list[str])[0] is False
    assert small.get("key 59", list[str])[0] is True


def test_a_store_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / stores.NAME).write_text("this is no database, and long enough to tell" * 50)
    with pytest.raises(StoreError, match="not a database"):
        Store.of(tmp_path)
    with pytest.raises(StoreError):
        Store.of(tmp_path / stores.NAME)


def test_an_interrupted_run_repeats_nothing(tmp_path: Path) -> None:
    """Interrupted half way: what was found is not found again."""
    path = _plan(tmp_path, variants=199)
    code = (
        "import sys, os, signal; from specc.run import runner; from specc.cli import main\n"
        "keep = runner.Runner.keep\n"
        "def kept(self, key, found):\n"
        "    keep(self, key, found)\n"
        "    if self.made == 100: os.kill(os.getpid(), signal.SIGINT)\n"
        "runner.Runner.keep = kept\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    line = ["run", "plan.spec", "--cache", "store", "--out", "out", "--jobs", "1"]
    stopped = subprocess.run([sys.executable, "-c", code, *line], cwd=tmp_path, check=False,
                             capture_output=True, text=True, env=_environment())  # fmt: skip
    assert stopped.returncode in (130, -signal.SIGINT), stopped.stderr
    assert Store.of(tmp_path / "store").info().rows == 100
    done = subprocess.run([sys.executable, "-m", "specc", *line], cwd=tmp_path, check=True,
                          capture_output=True, text=True, env=_environment())  # fmt: skip
    # 199 variants and a study, and once more the variant that is shown whole.
    assert "100 of 201 results are from earlier runs" in done.stdout
    assert (tmp_path / "out" / "plan.result.json").read_text() == _found(path, None)[0]


def test_ten_runs_at_once_lose_and_repeat_nothing(tmp_path: Path) -> None:
    _plan(tmp_path, variants=30)
    line = ["run", "plan.spec", "--cache", "store", "--jobs", "1"]
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "specc", *line, "--out", f"out{n}"],
            cwd=tmp_path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
        )
        for n in range(10)
    ]
    said = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0] * 10
    texts = {(tmp_path / f"out{n}" / "plan.result.json").read_text() for n in range(10)}
    assert len(texts) == 1
    # All but one of the ten of each result are from the store.
    reused = [int(text.partition(" results are from")[0].split()[-3])
              for text in said if "are from earlier runs" in text]  # fmt: skip
    assert sum(reused) == 9 * 32


def test_what_a_run_that_died_had_claimed_is_taken_over(tmp_path: Path, store: Store) -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as gone:
        gone.wait()
    owner = store._owner.rpartition(":")[0]
    keys = [PlannedPart(p, ALL).key for p in Session(_plan(tmp_path, variants=2)).plan.studies]
    with sqlite3.connect(store.path) as connection:
        for key in keys:
            connection.execute("insert into claims values (?, ?, ?)",
                               (key, f"{owner}:{gone.pid}", time.time()))  # fmt: skip
    assert store.claim(keys) == [True] * len(keys)
    with sqlite3.connect(store.path) as connection:
        for _ in keys:
            connection.execute("update claims set owner = 'elsewhere:1'")
    other = Store(store.path)
    assert other.claim(keys) == [False] * len(keys)
    with sqlite3.connect(store.path) as connection:
        connection.execute("update claims set renewed = renewed - 1000")
    assert other.claim(keys) == [True] * len(keys)


def test_every_result_of_a_simulation_comes_back(store: Store) -> None:
    store.put("a", None)
    store.put("b", 0.1 + 0.2)
    assert store.get("a", float) == (True, None)
    assert store.get("b", float) == (True, 0.1 + 0.2)
    assert store.get("c", float) == (False, None)
    assert store.clear() == 2
    assert store.info().rows == 0


def test_the_command(specc, tmp_path: Path) -> None:
    store = Store.of(tmp_path)
    store.put("a", 1.0)
    said = json.loads(specc("cache", "info", "--cache", str(tmp_path), "--format", "json").stdout)
    assert (said["rows"], said["path"]) == (1, str(store.path))
    assert (
        "1 results, 0 of them damaged" in specc("cache", "verify", "--cache", str(tmp_path)).stdout
    )
    with sqlite3.connect(store.path) as connection:
        connection.execute("update results set body = x'00'")
    assert "1 of them damaged" in specc("cache", "verify", "--cache", str(tmp_path), code=1).stdout
    assert "dropped 0" in specc("cache", "clear", "--cache", str(tmp_path)).stdout
    wrong = specc("cache", "info", "--cache", "/dev/null", code=2)
    assert "error[E0023]" in wrong.stderr


def test_the_metrics_of_a_simulation_come_back(tmp_path: Path, store: Store) -> None:
    path = _plan(tmp_path, more="simulate { arrival = poisson(3 req/s); requests = 200 }",
                 variants=1)  # fmt: skip
    session = Session(path)
    session.runner = Runner()
    metrics = session.results.studies[0].simulations[0].metrics
    store.put("m", metrics)
    assert to_json(store.get("m", Metrics)[1]) == to_json(metrics)
    assert run(session.plan, Runner(store=store))[0].simulations


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}
