"""Every code has a page whose examples do what they say."""

import json
import re
from pathlib import Path

import pytest
from sarif_pydantic import Sarif

from specc.diagnostics import Diagnostic, Label, Source, Span
from specc.diagnostics.render import render_terminal, to_json
from specc.diagnostics.rules import RULES
from specc.diagnostics.sarif import to_sarif
from specc.session import Session, SpecError
from tests.conftest import ROOT

FILES = {
    "itself.spec": 'use "itself.spec"',
    "bamba.json": '{"architectures": ["BambaForCausalLM"]}',
    "trace.csv": "arrived_at,num_prefill_tokens,num_decode_tokens\n0,374,44\n4.3,396,109\n",
    "bins.csv": "share,input,output\n50%,1 .. 2Ki,64\n50%,2Ki .. 4Ki,64\n",
    "hashed.jsonl": '{"timestamp": 0, "input_length": 5, "output_length": 2, "hash_ids": [1]}\n',
}


@pytest.fixture
def codes_of(tmp_path: Path):
    """Check the text of an example; returns the codes of its diagnostics."""

    def run(text: str) -> set[str]:
        for name, content in FILES.items():
            (tmp_path / name).write_text(content)
        path = tmp_path / "plan.spec"
        path.write_text(text)
        session = Session(path)
        if session.document is not None and session.document.studies:
            try:
                _ = session.plan
            except SpecError as error:
                return {d.code for d in error.diagnostics}
        return {d.code for d in session.diagnostics}

    return run


def test_rules_are_in_order_and_whole() -> None:
    assert list(RULES) == sorted(RULES, key=lambda code: (code[0] != "E", code))
    for rule in RULES.values():
        assert rule.title
        assert rule.text
        assert not rule.title.endswith(".")
        if not rule.is_retired:
            assert bool(rule.session) != bool(rule.wrong and rule.right), rule.code


def test_no_rule_is_written_twice() -> None:
    written = sum(text.count("    Rule(\n") for text in _texts("specc/diagnostics/rules"))
    assert len(RULES) == written
    titles = [rule.title for rule in RULES.values()]
    assert sorted(set(titles)) == sorted(titles)


def test_every_code_is_raised_somewhere_and_has_a_rule() -> None:
    raised: set[str] = set()
    for text in _texts("specc", skip="diagnostics"):
        raised |= set(re.findall(r'"([EW]\d{4})"', text))
    assert raised == {code for code, rule in RULES.items() if not rule.is_retired}


def test_retired_codes_name_codes_that_are_in_use() -> None:
    retired = [rule for rule in RULES.values() if rule.is_retired]
    assert [rule.code for rule in retired] == ["E0406"]
    for rule in retired:
        assert not any(RULES[code].is_retired for code in rule.replaced_by)
        with pytest.raises(ValueError, match="retired"):
            Diagnostic(rule.code, "a problem")
    with pytest.raises(KeyError):
        Diagnostic("E9999", "a problem")


def _texts(folder: str, skip: str = "") -> list[str]:
    paths = sorted((ROOT / folder).glob("**/*.py"))
    return [p.read_text(encoding="utf-8") for p in paths if not skip or skip not in p.parts]


@pytest.mark.parametrize("code", [code for code, rule in RULES.items() if rule.wrong])
def test_examples(code: str, codes_of) -> None:
    assert codes_of(RULES[code].wrong) == {code}
    assert codes_of(RULES[code].right) == set()


SOURCE = Source("a folder/plan.spec", "let a = 1\n\tlet 重 = 2  # wide\n" + "x" * 400)


def _sample() -> list[Diagnostic]:
    return [
        Diagnostic(
            "E0204",
            "a name is defined twice",
            (Label(Span(SOURCE, 11, 14), "again"), Label(Span(SOURCE, 4, 5), "first")),
            why="names are unique",
            help="rename one",
        ),
        Diagnostic.at(Span(SOURCE, 300, 310), "W0002", "far to the right", label="here"),
        Diagnostic("E0006", "no place at all"),
    ]


def test_terminal_text(snapshot) -> None:
    assert render_terminal(_sample(), color=False) == snapshot


def test_colour_changes_nothing_but_colour() -> None:
    import re

    colored = render_terminal(_sample(), color=True)
    assert colored != render_terminal(_sample(), color=False)
    assert re.sub(r"\x1b\[[\d;]*m", "", colored) == render_terminal(_sample(), color=False)


def test_json_form(snapshot) -> None:
    assert [to_json(d) for d in _sample()] == snapshot


def test_sarif_is_valid_and_complete() -> None:
    log = to_sarif(_sample(), "1.0")
    model = Sarif.model_validate(json.loads(json.dumps(log)))
    (run,) = model.runs
    assert [result.rule_id for result in run.results] == ["E0204", "W0002", "E0006"]
    assert [rule.id for rule in run.tool.driver.rules] == ["E0006", "E0204", "W0002"]
    region = run.results[0].locations[0].physical_location.region
    assert (region.start_line, region.start_column, region.end_column) == (2, 2, 5)
    assert run.results[0].locations[0].physical_location.artifact_location.uri == (
        "a%20folder/plan.spec"
    )
