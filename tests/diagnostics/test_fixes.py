"""Quick fixes: each gives a text that parses, without the problem that it is for."""

import json
import shutil
from pathlib import Path

import pytest
from sarif_pydantic import Sarif

from specc.check import check
from specc.diagnostics import Diagnostic, Fix, Label, Source, Span, did_you_mean
from specc.diagnostics.fix import apart, applied
from specc.diagnostics.render import to_json
from specc.diagnostics.rules import RULES
from specc.diagnostics.sarif import to_sarif
from specc.syntax import parse
from specc.workspace import Workspace
from tests.check.test_messages import CASES, WRONG
from tests.check.test_tired import GOOD, MISTAKES

TEXTS = {
    **{case: (WRONG / f"{case}.spec").read_text(encoding="utf-8") for case in CASES},
    **{name: GOOD.replace(*change, 1) for name, change in MISTAKES.items()},
    **{code: rule.wrong for code, rule in RULES.items() if rule.wrong and rule.remedy},
    "dotted": GOOD + "workload w extends chat { slo.TPOT <= 3 s }\n"
    "deployment d extends a3 { engine.chunk_bdget = 2Ki tok; serach.strategy = binary }\n",
    "elsewhere": GOOD.replace("w8a8_dynamic", "format") + "let format = w8a8_dynamc\n",
    "a rate": GOOD + "assert chat.slo.tpot < 3 gb / 1 GB/S\n",
    "a statistic": GOOD + "workload w extends chat { slo { ttft.p98 <= 3 s } }\n",
    "a fact": GOOD.replace("deployments = [a3]", "deployments = [a3]; expect a3.best.tpott < 1 s"),
}


@pytest.fixture
def problems(tmp_path: Path):
    """Check a text beside the files of the cases."""
    shutil.copytree(WRONG, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "text.spec"

    def run(text: str) -> list[Diagnostic]:
        path.write_text(text, encoding="utf-8")
        return check(Workspace(tmp_path), path)[1]

    return run


@pytest.mark.parametrize("name", TEXTS)
def test_a_fix_removes_its_problem_and_makes_no_error_of_syntax(name: str, problems) -> None:
    text = TEXTS[name]
    found = problems(text)
    errors = len(parse(Source("text.spec", text))[1])
    for diagnostic in found:
        for fix in diagnostic.fixes:
            if fix.span.source.text != text:
                continue  # in a used file, which the editor and --fix leave alone
            assert diagnostic.title_of(fix)
            fixed = applied(text, [fix])
            assert len(parse(Source("text.spec", fixed))[1]) <= errors, fixed
            shown = (diagnostic.code, diagnostic.message)
            before = [(d.code, d.message) for d in found].count(shown)
            assert [(d.code, d.message) for d in problems(fixed)].count(shown) < before, fixed


def test_near_misses_that_are_spelled_out_have_fixes(problems) -> None:
    texts = {
        "dotted": "chunk_bdget -> chunk_budget",
        "elsewhere": "w8a8_dynamc -> w8a8_dynamic",
        "a statistic": "p98 -> p99",
        "a fact": "tpott -> tpot",
    }
    for name, change in texts.items():
        fixes = [fix for d in problems(TEXTS[name]) for fix in d.fixes]
        assert change in [f"{fix.span.text} -> {fix.text}" for fix in fixes], name
    (fix,) = [f for d in problems(GOOD.replace("3500 tok", "3500 tokens")) for f in d.fixes]
    assert (fix.span.text, fix.text, fix.is_guess) == ("tokens", "tok", True)


def test_case_alone_is_no_guess_if_one_name_fits() -> None:
    source = Source("a.spec", "TTFT")
    at = Span(source, 0, 4)

    def guess(*known: str) -> bool:
        fix = did_you_mean("TTFT", known, "metric", at=at).fix
        assert fix is not None
        return fix.is_guess

    assert not guess("ttft", "tpot")
    assert guess("ttft", "TTfT")
    assert guess("ttfs")
    assert did_you_mean("TTFT", ["ttft"], "metric").fix is None
    assert did_you_mean("ttft", ["ttfs"], "metric", at=at).fix is None  # written elsewhere


def test_fixes_that_touch_wait_for_the_next_round() -> None:
    source = Source("a.spec", "abcdef")
    fixes = [Fix(Span(source, *ends), "-") for ends in ((4, 6), (0, 2), (1, 3), (2, 4))]
    assert [fix.span[1:] for fix in apart(fixes)] == [(0, 2), (4, 6)]
    assert applied(source.text, apart(fixes)) == "-cd-"


def _sample() -> Diagnostic:
    source = Source("a folder/plan.spec", "let a = 1\nlet b = TTFT\n")
    span = Span(source, 18, 22)
    return Diagnostic("E0203", "no such name", (Label(span),), fixes=(Fix(span, "ttft"),))


def test_json_and_sarif_carry_fixes() -> None:
    assert to_json(_sample())["fixes"] == [
        {
            "title": "Change to 'ttft'",
            "safe": True,
            "file": "a folder/plan.spec",
            "line": 2,
            "column": 9,
            "end_line": 2,
            "end_column": 13,
            "text": "ttft",
        }
    ]
    model = Sarif.model_validate(json.loads(json.dumps(to_sarif([_sample()], "1.0"))))
    (fix,) = model.runs[0].results[0].fixes
    (change,) = fix.artifact_changes
    (replacement,) = change.replacements
    assert fix.description.text == "Change to 'ttft'"
    assert change.artifact_location.uri == "a%20folder/plan.spec"
    region = replacement.deleted_region
    assert (region.start_line, region.start_column, region.end_column) == (2, 9, 13)
    assert replacement.inserted_content.text == "ttft"


def test_a_rule_without_a_remedy_has_no_fixes() -> None:
    source = Source("a.spec", "abc")
    span = Span(source, 0, 3)
    with pytest.raises(ValueError, match="how its fix is offered"):
        Diagnostic("E0001", "cannot read", (Label(span),), fixes=(Fix(span, "x"),))
