"""Sensitivity against runs of the changed spec, one at a time."""

from pathlib import Path

import pytest

from specc.ir.json import to_json
from specc.run.sensitivity import INPUTS, LESS, MORE, varied
from specc.session import Session, SpecError

PLAN = """use std.devices
use std.models
device card extends atlas_800_a3_752t_die {{ memory_bandwidth = {bandwidth} GB/s }}
workload w {{
    input = {input} tok
    output = 400 tok
    prefix_hit = 50%
    slo {{ ttft <= 5 s; tpot <= {tpot} ms }}
}}
deployment d {{
    model = qwen3_32b
    device = card
    devices = 4
    parallel {{ tp = [1, 2, 4] }}
    {more}
}}
study s {{ workload = w; deployments = d; simulate = none; {study} }}
"""
USUAL = {"bandwidth": 1600, "input": 2000, "tpot": 50, "more": "", "study": ""}


@pytest.fixture
def found(tmp_path: Path):
    def run(**changed):
        path = tmp_path / "plan.spec"
        path.write_text(PLAN.format(**{**USUAL, **changed}))
        return Session(path).results.studies[0]

    return run


def _factor(study, name: str):
    return next(f for f in study.sensitivity.factors if f.name == name)


@pytest.mark.parametrize(
    ("name", "field", "less", "more"),
    [
        ("tpot_limit", "tpot", 45, 55),
        ("memory_bandwidth", "bandwidth", 1440, 1760),
        ("prompt", "input", 1800, 2200),
    ],
)
def test_it_is_what_the_changed_spec_says(found, name, field, less, more) -> None:
    study = found()
    factor = _factor(study, name)
    layout = study.best.instances[0].parallel
    for value, seen in ((less, factor.low), (more, factor.high)):
        changed = found(**{field: value})
        own = next(c for c in changed.configurations if c.instances[0].parallel == layout)
        assert seen == pytest.approx(own.throughput, rel=1e-9)
    assert study.sensitivity.base == pytest.approx(study.best.throughput)


def test_where_another_configuration_wins_it_does(found) -> None:
    """On both sides of a threshold the changed spec recommends what the report says."""
    study = found(tpot=60, input=500)
    turns = [(t, f) for f in study.sensitivity.factors if f.name == "tpot_limit" for t in f.turns]
    assert turns
    for turn, _ in turns:
        beyond = turn.times + 0.04 * (1 if turn.times > 1 else -1)
        before = 1 + (turn.times - 1) * 0.5
        labels = []
        for times in (before, beyond):
            best = found(tpot=round(60 * times, 6), input=500).best
            labels.append(best.instances[0].parallel.replace(" | PP=1", "").replace(" | ", " "))
        kept = study.best.instances[0].parallel.replace(" | PP=1", "").replace(" | ", " ")
        assert labels == [kept, turn.winner]


def test_a_fleet_counts_its_devices(found) -> None:
    study = found(more="fleet { rate = 40 req/s }; search { maximize = fewest_devices }")
    load = _factor(study, "load")
    assert study.sensitivity.objective == "fewest_devices"
    assert study.sensitivity.base == study.best.devices
    of_rate = "fleet {{ rate = {} req/s }}; search {{ maximize = fewest_devices }}"
    fewer, more = (found(more=of_rate.format(rate)) for rate in (36, 44))
    assert (load.low, load.high) == (fewer.best.devices, more.best.devices)
    assert load.devices == (fewer.best.devices, more.best.devices)


def test_it_can_be_turned_off(found) -> None:
    assert found(study="sensitivity = none").sensitivity is None
    assert found(study="sensitivity = each_input").sensitivity is not None


def test_a_swept_study_has_none(found) -> None:
    assert found(study="sweep w.output in [100 tok, 200 tok]").sensitivity is None


def test_a_wrong_word_is_told(found) -> None:
    with pytest.raises(SpecError, match="sensitivity"):
        found(study="sensitivity = all")


def test_every_input_changes_what_it_says_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "plan.spec"
    path.write_text(PLAN.format(**USUAL))
    study = Session(path).plan.studies[0].study
    whole = to_json((study.workload, study.deployments))
    for what in INPUTS:
        less, more = (to_json((s.workload, s.deployments)) for s in
                      (varied(study, what, LESS), varied(study, what, MORE)))  # fmt: skip
        same = to_json((varied(study, what, 1.0).workload, varied(study, what, 1.0).deployments))
        assert same == whole, what.name
        if what.name in ("load", "acceptance"):  # the plan has none
            assert less == more == whole
        else:
            assert less != whole != more, what.name


def test_inputs_that_a_study_lacks_are_not_varied(found) -> None:
    names = {factor.name for factor in found().sensitivity.factors}
    assert {"load", "acceptance"} & names == set()
    assert {"ttft_limit", "prompt", "output", "prefix_hit", "compute", "host"} <= names
