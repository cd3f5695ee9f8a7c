"""What crosses a process is data, and a task knows by its key what its outcome depends on."""

import json
import pickle
import sys
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specc.ir.json import from_json, to_json
from specc.plan import PlannedStudy, Task, lower
from specc.results import BatchCurve, Candidate
from specc.run.evaluate import Tradeoff, evaluate, point_at
from specc.run.executors import evaluated, outcomes
from specc.run.runner import Runner
from specc.run.subjects import Simulator, Subject, subject_of
from specc.serving.transfer import CacheSize
from specc.session import Session
from tests.conftest import ROOT

PAIRED = """
use std.devices
use std.models
workload chat {{ input = 2000 tok; output = 200 tok; slo {{ tpot.p99 <= 80 ms }} }}
deployment d {{
    model = qwen3_8b; device = atlas_800_a3_752t_die; devices = 4; mode = pd_ratio
    parallel {{ tp = [2, 4] }}
    fleet {{ devices = 24 }}
}}
study s {{
    workload = chat; deployments = [d]
    simulate {{ arrival = poisson(2 req/s); requests = 200 }}
    {extra}
}}
"""


@pytest.fixture
def planned(tmp_path: Path) -> PlannedStudy:
    path = tmp_path / "plan.spec"
    path.write_text(PAIRED.format(extra=""))
    return Session(path).plan.studies[0]


def same_as_json(value: object, cls: type) -> bool:
    return from_json(json.loads(json.dumps(to_json(value))), cls) == value


def test_what_comes_back_from_a_process_is_data(planned: PlannedStudy) -> None:
    for task in planned.tasks:
        (outcome,) = outcomes([task])
        candidate, cache, _, decoding, curve = pickle.loads(pickle.dumps(outcome))
        for part, kind in ((candidate, Candidate), (cache, CacheSize), (curve.curve, BatchCurve)):
            assert same_as_json(part, kind)
        assert decoding is None or same_as_json(decoding, Tradeoff)
        # With serving models, tables and tasks it was ten times as much.
        assert len(pickle.dumps(outcome)) < 20_000


def test_what_is_simulated_is_data_and_is_the_same_when_it_comes_back(
    planned: PlannedStudy, tmp_path: Path
) -> None:
    known = evaluated(planned.tasks, Runner())
    result = Session(tmp_path / "plan.spec").results.studies[0]
    study = planned.study
    assert study.simulate is not None
    subject = subject_of(study, study.simulate, result.configurations[0], 1, known)
    assert same_as_json(subject, Subject)
    back = from_json(json.loads(json.dumps(to_json(subject))), Subject)
    first, second = (Simulator(s, events=_Silent()).metrics() for s in (subject, back))
    assert first == second


class _Silent:
    def advanced(self, work: float = 1.0) -> None: ...

    def simulated(self, found: object, outcome: object) -> None: ...


columns = st.lists(st.tuples(st.floats(0.001, 1.0), st.floats(0.1, 100.0)), min_size=1, max_size=30)


@given(columns, st.floats(0.0, 1.2))
def test_a_tradeoff_serves_what_the_best_row_within_a_limit_serves(
    rows: list[tuple[float, float]], limit: float
) -> None:
    """Against all rows: the highest rate within the limit, or the shortest TPOT beyond it."""
    ordered = sorted(rows, key=lambda row: row[0])
    kept = [row for n, row in enumerate(ordered) if all(row[1] > r for _, r in ordered[:n])]
    tradeoff = Tradeoff(
        tuple(range(1, len(kept) + 1)), tuple(t for t, _ in kept), tuple(r for _, r in kept)
    )
    within = [row for row in ordered if row[0] <= limit]
    place = tradeoff.place(limit)
    if within:
        assert tradeoff.rate[place] == max(rate for _, rate in within)
        assert tradeoff.tpot[place] <= limit
    else:
        assert place == 0


def test_the_tradeoff_of_a_decode_candidate_is_that_of_its_rows(planned: PlannedStudy) -> None:
    task = next(t for t in planned.tasks if t.phase.value == "decode")
    (found,) = evaluate([task])
    assert found.decoding is not None
    assert list(found.decoding.tpot) == sorted(found.decoding.tpot)
    assert list(found.decoding.rate) == sorted(set(found.decoding.rate))
    for batch, tpot, rate in list(
        zip(found.decoding.batch, found.decoding.tpot, found.decoding.rate, strict=True)
    )[:: max(1, len(found.decoding.batch) // 5)]:
        point = point_at(task, batch)
        assert point.batch == batch
        assert point.tpot == pytest.approx(tpot, rel=1e-12)
        assert point.rate == pytest.approx(rate, rel=1e-12)


def test_keys_depend_on_the_version_and_on_the_calibration(
    planned: PlannedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = planned.tasks[0]
    deployment = task.deployment
    calibration = deployment.device.calibration
    assert calibration is not None
    changed = attrs.evolve(
        calibration, gemm=attrs.evolve(calibration.gemm, launch=calibration.gemm.launch * 1.01)
    )
    device = attrs.evolve(deployment.device, calibration=changed)
    other = attrs.evolve(
        task, setup=attrs.evolve(task.setup, deployment=attrs.evolve(deployment, device=device))
    )
    assert other.key != task.key
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["specc.plan.lower"], "__version__", "99.0")
        fresh = attrs.evolve(task, setup=attrs.evolve(task.setup))
        assert fresh.key != task.key
    assert attrs.evolve(task, setup=attrs.evolve(task.setup)).key == task.key


def test_keys_are_unique_over_all_examples() -> None:
    keys: dict[str, Task] = {}
    for path in sorted((ROOT / "specs").glob("*.spec")):
        document = Session(path).document
        if document is None:  # its trace is not in the project
            continue
        for study in lower(document).studies:
            for task in study.tasks:
                held = keys.setdefault(task.key, task)
                assert (held.layout, held.drafted, held.phase) == (
                    task.layout,
                    task.drafted,
                    task.phase,
                )


def test_a_trace_is_written_of_the_simulation_that_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No simulation runs a second time for it."""
    from specc.cli import main

    (tmp_path / "plan.spec").write_text(PAIRED.format(extra=""))
    monkeypatch.chdir(tmp_path)
    counts = []
    original = Simulator.outcome

    def counted(self: Simulator, *args: object, **named: object) -> object:
        counts[-1] += 1
        return original(self, *args, **named)

    monkeypatch.setattr(Simulator, "outcome", counted)
    for more in ([], ["--perfetto", "trace.json"]):
        counts.append(0)
        main(["simulate", "plan.spec", *more])
    assert counts[0] == counts[1] > 0
    trace = json.loads((tmp_path / "trace.json").read_text())
    assert sum(event.get("cat") == "request" for event in trace["traceEvents"]) >= 200
    assert np.isfinite([e["ts"] for e in trace["traceEvents"] if "ts" in e]).all()
