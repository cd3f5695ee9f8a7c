"""The JSON form of the IR round-trips, and takes nothing that it would not have written."""

import json

import pytest

from specc.check import check
from specc.ir import Document, Engine, Parallel, Workload
from specc.ir.json import JsonFormError, from_json, to_json
from specc.plan import Plan, lower
from specc.workspace import Workspace
from tests.conftest import ROOT


@pytest.fixture
def document() -> Document:
    path = ROOT / "specs" / "qwen3-32b-chat.spec"
    document, diagnostics = check(Workspace(path.parent), path)
    assert diagnostics == []
    assert document is not None
    return document


def test_a_document_round_trips(document: Document) -> None:
    text = json.dumps(to_json(document))
    assert from_json(json.loads(text), Document) == document


def test_a_plan_round_trips_and_keeps_its_keys(document: Document) -> None:
    plan = lower(document)
    back = from_json(json.loads(json.dumps(to_json(plan))), Plan)
    assert back == plan
    keys = [task.key for study in back.studies for task in study.tasks]
    assert keys == [task.key for study in plan.studies for task in study.tasks]
    assert len(set(keys)) == len(keys)


def test_the_document_of_the_example(document: Document, snapshot) -> None:
    study = to_json(document)["studies"][0]
    assert [study["workload"], {**study["deployments"][0], "device": "…", "model": "…"}] == snapshot


def test_spans_are_neither_compared_nor_written(document: Document) -> None:
    workload = document.studies[0].workload
    assert workload.spans["input"].text == "3500 tok"
    assert "spans" not in to_json(workload)
    assert workload == from_json(to_json(workload), Workload)


@pytest.mark.parametrize(
    ("data", "cls"),
    [
        ({"tp": ["3"]}, Parallel),
        ({"tp": [3.0]}, Parallel),
        ({"tp": [True]}, Parallel),
        ({"tq": [3]}, Parallel),
        ({"reserved_memory": 1.5}, Engine),
        ({"input": "1"}, Workload),
        ([], Workload),
    ],
)
def test_data_of_another_form_is_refused(data: object, cls: type) -> None:
    with pytest.raises(JsonFormError):
        from_json(data, cls)
