"""`specc diff`: inputs, recommendations, causes, revisions, and when it fails."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from specc.ir.json import to_json
from specc.results import load_results
from specc.results.diff import applied, difference, gain, input_changes
from specc.run.causes import causes
from specc.session import Session
from tests.conftest import ROOT

PLAN = """use std.devices
use std.models
workload w {{
    input = {input} tok
    output = 200 tok
    slo {{ ttft <= 5 s; tpot <= {tpot} ms {tail} }}
}}
deployment d {{
    model = qwen3_8b
    device = {device}
    devices = {devices}
    parallel {{ tp = [1, 2] }}
}}
deployment e extends d {{ quant = w8a8_dynamic }}
study s {{
    workload = w; deployments = [d, e]; simulate = none; sensitivity = none
    expect best.throughput >= {least} tok/s
}}
"""
USUAL = {"input": 1000, "tpot": 50, "tail": "", "device": "atlas_800_a3_752t_die", "devices": 2,
         "least": 100}  # fmt: skip


def _text(**changed) -> str:
    return PLAN.format(**{**USUAL, **changed})


@pytest.fixture
def results(tmp_path: Path):
    def run(**changed):
        path = tmp_path / "plan.spec"
        path.write_text(_text(**changed))
        return Session(path).results

    return run


def _study(folder: Path, **changed):
    """Return a study that is simulated, without running it."""
    path = folder / "plan.spec"
    path.write_text(_text(**changed).replace("simulate = none; ", ""))
    return Session(path).plan.studies[0].study


def _whats(old, new) -> list[str]:
    return [change.what for change in input_changes(old.studies[0].study, new.studies[0].study)]


def test_the_same_results_differ_in_nothing(results) -> None:
    found = difference(results(), results(), ("a", "b"))
    assert (found.studies, found.same) == ((), 1)


def test_every_example_differs_from_itself_in_nothing() -> None:
    for path in sorted((ROOT / "specs").glob("*.result.json")):
        both = load_results(path), load_results(path)
        assert difference(*both, ("a", "b")).studies == (), path


def test_inputs_are_named_as_a_spec_names_them(results) -> None:
    old = results()
    found = difference(old, results(input=2000, tpot=40), ("a", "b"))
    (study,) = found.studies
    assert [(c.what, c.old, c.new) for c in study.changes] == [
        ("workload w.input", "1,000 tok", "2,000 tok"),
        ("workload w.slo.tpot", "50 ms", "40 ms"),
    ]
    moved = {move.fact: (move.old, move.new) for move in study.moves}
    assert moved["throughput"][0] == pytest.approx(old.studies[0].best.throughput)
    assert study.change < 0


def test_what_an_extending_block_takes_over_is_one_change(results) -> None:
    assert _whats(results(), results(devices=4)) == ["deployment d, e.devices"]


def test_batch_and_memory_are_among_the_figures(results) -> None:
    old, new = results(), results(tpot=30)
    (study,) = difference(old, new, ("a", "b")).studies
    moves = {move.fact: (move.old, move.new) for move in study.moves}
    groups = [side.studies[0].best.instances[0] for side in (old, new)]
    assert moves["batch"] == tuple(group.point.batch for group in groups)
    assert moves["kv_cache"] == tuple(group.point.memory.kv_cache for group in groups)


def test_another_device_is_one_change(results) -> None:
    assert _whats(results(), results(device="atlas_800_a2_376t")) == ["deployment d, e.device"]


def test_a_changed_library_is_one_change(results) -> None:
    from attrs import evolve

    old = results()
    study = old.studies[0].study
    device = study.deployments[0].device
    cube = evolve(device.cube, **{n: 2 * getattr(device.cube, n) for n in ("fp16", "bf16", "int8")})
    other = evolve(device, memory_bandwidth=2e12, cube=cube)
    changed = evolve(study, deployments=tuple(evolve(d, device=other) for d in study.deployments))
    (change,) = input_changes(study, changed)
    assert change.what == "device atlas_800_a3_752t_die (4 fields)"
    assert to_json(applied(change, study, changed)) == to_json(changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"input": 2000},
        {"tpot": 40},
        {"tail": "; ttft.p99 <= 3 s"},
        {"devices": 4},
        {"device": "atlas_800_a2_376t"},
        {"input": 1500, "tpot": 30, "devices": 4},
    ],
    ids=str,
)
def test_all_changes_applied_one_by_one_make_the_new_study(tmp_path, changed) -> None:
    old, new = (_study(tmp_path, **values) for values in ({}, changed))
    study = old
    for change in input_changes(old, new):
        study = applied(change, study, new)
    assert to_json(study.workload) == to_json(new.workload)
    assert to_json(study.deployments) == to_json(new.deployments)


def test_causes_are_what_each_change_does(results) -> None:
    old, new = results(), results(input=3000, tpot=30)
    (study,) = difference(old, new, ("a", "b")).studies
    found = causes(study, old.studies[0], new.studies[0], lambda: None)
    by_name = {cause.what: cause for cause in found}
    alone = {name: results(**{name: value}) for name, value in (("input", 3000), ("tpot", 30))}
    objective = old.studies[0].study.objective
    for name, path in (("input", "workload w.input"), ("tpot", "workload w.slo.tpot")):
        effect = gain(old.studies[0].best, alone[name].studies[0].best, objective)
        assert by_name[path].alone == pytest.approx(effect)
    # In each order the two effects add up to the whole.
    first, second = found
    assert first.alone + second.last == pytest.approx(study.change)
    assert second.alone + first.last == pytest.approx(study.change)


def test_a_single_change_is_the_cause_of_all(results) -> None:
    old, new = results(), results(tpot=30)
    (study,) = difference(old, new, ("a", "b")).studies
    (cause,) = causes(study, old.studies[0], new.studies[0], lambda: None)
    assert cause.alone == cause.last == study.change
    assert not cause.interacts


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plans").mkdir()
    spec = tmp_path / "plans" / "plan.spec"
    spec.write_text(_text())
    for command in (
        ["init", "-q"], ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"],
    ):  # fmt: skip
        subprocess.run(["git", *command], check=True, cwd=tmp_path)
    return spec


def test_a_revision_beside_the_file_as_it_is(repository, specc) -> None:
    repository.write_text(_text(tpot=30))
    done = specc("diff", "HEAD:plans/plan.spec", "plans/plan.spec", "--format", "json")
    (study,) = json.loads(done.stdout)["studies"]
    assert [change["what"] for change in study["changes"]] == ["workload w.slo.tpot"]
    assert study["causes"][0]["what"] == "workload w.slo.tpot"


def test_a_revision_is_named_from_the_current_folder_too(repository, monkeypatch) -> None:
    monkeypatch.chdir(repository.parent)
    command = [sys.executable, "-m", "specc", "diff", "HEAD:plan.spec", "plan.spec"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Nothing differs" in done.stdout


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("HEAD:plans/other.spec", "there is no 'plans/other.spec' in HEAD"),
        ("nobranch:plans/plan.spec", "git knows no revision 'nobranch'"),
        ("--help:plan.spec", "cannot"),
    ],
)
def test_revisions_that_are_not_there(repository, specc, name: str, said: str) -> None:
    done = specc("diff", "--", name, "plans/plan.spec", code=2)
    assert said in done.stderr


def test_a_plan_that_had_errors_is_named_as_it_was_asked_for(repository, specc) -> None:
    repository.write_text("workload {")
    commit = ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qam", "broken"]
    subprocess.run(["git", *commit], check=True, cwd=repository.parent)
    repository.write_text(_text())
    done = specc("diff", "HEAD:plans/plan.spec", "plans/plan.spec", code=2)
    assert "'HEAD:plans/plan.spec' cannot be run" in done.stderr
    assert "specc-" not in done.stderr


@pytest.mark.parametrize(
    ("conditions", "code"),
    [
        ([], 0),
        (["objective:3%"], 1),
        (["objective:90%"], 0),
        (["expectations"], 1),
        (["recommendation"], 0),
        (["objective:90%", "expectations"], 1),
    ],
    ids=str,
)
def test_when_it_fails(tmp_path, monkeypatch, specc, conditions, code) -> None:
    monkeypatch.chdir(tmp_path)
    paths = []
    for name, tpot in (("old", 50), ("new", 30)):
        path = tmp_path / f"{name}.spec"
        path.write_text(_text(tpot=tpot, least=3000))
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(Session(path).results.to_json())
    options = [option for one in conditions for option in ("--fail-on", one)]
    done = specc("diff", "old.json", "new.json", *options, code=code)
    study = difference(*map(load_results, paths), ("a", "b")).studies[0]
    assert -0.9 < study.change < -0.03
    assert not study.is_another
    assert (study.expectations[0].old, study.expectations[0].new) == (True, False)
    assert "best.throughput" in done.stdout


@pytest.mark.parametrize("wrong", ["objective:3", "objective:x%", "speed", "recommendation:3%"])
def test_conditions_that_are_none(specc, wrong: str) -> None:
    done = specc("diff", "a.json", "b.json", "--fail-on", wrong, code=2)
    assert wrong in done.stderr


def test_hostile_names_stay_text_in_markdown(tmp_path, monkeypatch, specc) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "<img src=x>.spec").write_text(_text())
    (tmp_path / "new.spec").write_text(_text(tpot=30))
    done = specc("diff", "<img src=x>.spec", "new.spec", "--format", "markdown")
    assert "<img" not in done.stdout.replace("\\<img", "")
