"""Documents, plans and results of every example and of random specs survive JSON."""

import json
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from specc.check import check
from specc.ir import Document
from specc.ir.formula import Constant, ExpectedCondition, Formula, Operation, Reference, Truth, Word
from specc.ir.json import from_json, to_json
from specc.plan import Plan, lower
from specc.results.files import results_from
from specc.session import Session
from specc.workspace import Workspace
from tests.conftest import ROOT

EXAMPLES = sorted((ROOT / "specs").glob("*.spec"))


def again(value: object, cls: type) -> object:
    """Return a value as it comes back from the text of its JSON form."""
    text = json.dumps(to_json(value))
    back = from_json(json.loads(text), cls)
    assert json.dumps(to_json(back)) == text
    return back


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_survives(path: Path) -> None:
    session = Session(path)
    if session.document is None:
        pytest.skip("its trace is not in the project")
    assert again(session.document, Document) == session.document
    back = again(session.plan, Plan)
    assert back == session.plan
    assert isinstance(back, Plan)
    keys = [[task.key for task in study.tasks] for study in back.studies]
    assert keys == [[task.key for task in study.tasks] for study in session.plan.studies]
    assert hash(back.studies[0].tasks) == hash(session.plan.studies[0].tasks)


texts = st.text(max_size=8)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
dimensions = st.lists(st.tuples(st.sampled_from(["s", "B", "tok"]), st.integers(-3, 3)), max_size=2)
leaves = st.one_of(
    st.builds(Constant, texts, numbers, dimensions.map(tuple), texts),
    st.builds(Word, texts, texts),
    st.builds(Truth, texts, st.booleans()),
    st.builds(Reference, texts, texts),
)
formulas = st.recursive(
    leaves,
    lambda inner: st.builds(
        Operation,
        texts,
        st.sampled_from(["+", "<=", "and", "not", "=="]),
        st.lists(inner, min_size=1, max_size=2).map(tuple),
    ),
    max_leaves=12,
)


@given(formulas, texts)
def test_any_condition_survives_in_an_expectation(formula: Formula, reason: str) -> None:
    expectation = ExpectedCondition(condition=formula, reason=reason)
    back = again(expectation, ExpectedCondition)
    assert back == expectation
    assert isinstance(back, ExpectedCondition)
    assert back.condition.text == formula.text


facts = st.sampled_from(
    ["best.throughput", "best.ttft", "best.tpot", "best.devices", "best.batch", "best.weights"]
)
units = {"throughput": "tok/s", "ttft": "s", "tpot": "ms", "weights": "GiB"}


@st.composite
def conditions(draw: st.DrawFn) -> str:
    fact = draw(facts)
    unit = units.get(fact.partition(".")[2], "")
    number = draw(st.integers(1, 5000))
    sign = draw(st.sampled_from(["<=", ">=", "<", ">"]))
    return f"{fact} {sign} {number} {unit}".rstrip()


@st.composite
def specs(draw: st.DrawFn) -> str:
    """A spec of one study: lengths or a mixture, layouts, limits, a fleet, expectations."""
    model = draw(st.sampled_from(["qwen3_8b", "qwen3_32b", "qwen3_30b_a3b", "deepseek_v3"]))
    quant = draw(st.sampled_from(["bf16", "w8a8_dynamic", "w4a8"]))
    device = draw(st.sampled_from(["atlas_800_a3_752t_die", "atlas_800_a2_313t", "h200"]))
    devices = draw(st.sampled_from([8, 16]))
    lengths = f"input = {draw(st.integers(1, 9000))} tok; output = {draw(st.integers(2, 900))} tok"
    if draw(st.booleans()):
        lengths = (
            f"requests {{\n| share | input | output |\n"
            f"| {draw(st.integers(1, 9))}0% | 1 .. {draw(st.integers(2, 999))} | 64 .. 512 |\n"
            f"| 50% | 1Ki .. {draw(st.integers(2, 8))}Ki | {draw(st.integers(2, 99))} |\n}}"
        )
    tpot, hit = draw(st.integers(20, 200)), draw(st.integers(0, 99))
    options = draw(
        st.lists(
            st.sampled_from(
                [
                    "engine { max_sequences = 64; memory_utilization = 90% }",
                    "search { limits { available >= 1 GiB; cp <= 1 }; strategy = scan }",
                    "fleet { rate = 3 req/s; spare = 1 }",
                    "formats { kv_cache = int8 }",
                    "communication { sequence_parallel = true }",
                ]
            ),
            unique=True,
            max_size=3,
        )
    )
    expected = " and ".join(draw(st.lists(conditions(), min_size=1, max_size=3)))
    return f"""
    use std.devices
    use std.models
    workload w {{ {lengths}; prefix_hit = {hit}%; slo {{ tpot <= {tpot} ms }} }}
    deployment d {{
        model = {model}; quant = {quant}; device = {device}; devices = {devices}
        parallel {{ tp = [4, 8] }}
        {"; ".join(options)}
    }}
    study s {{ workload = w; deployments = [d]; expect {expected} else "somebody" }}
    """


def checked(text: str) -> Document | None:
    path = Path("plan.spec")
    return check(Workspace(Path(), unsaved={path.absolute(): text}), path)[0]


@settings(max_examples=40, deadline=None)
@given(specs())
def test_random_documents_and_plans_survive(text: str) -> None:
    document = checked(text)
    assume(document is not None)
    assert document is not None
    assert again(document, Document) == document
    plan = lower(document)
    assert again(plan, Plan) == plan


@settings(max_examples=4, deadline=None)
@given(text=specs())
def test_random_results_survive(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("random") / "plan.spec"
    path.write_text(text, encoding="utf-8")
    session = Session(path)
    assume(session.document is not None)
    results = session.results
    written = results.to_json()
    back = results_from(written, "plan.result.json")
    assert back.to_json() == written
    assert [s.study for s in back.studies] == [s.study for s in results.studies]
