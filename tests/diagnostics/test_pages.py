"""Every code has a page whose examples do what they say."""

import json
from pathlib import Path

import pytest
from sarif_pydantic import Sarif

from specc.check import check
from specc.diagnostics import CODES, Diagnostic, Label, Source, Span
from specc.diagnostics.pages import PAGES
from specc.diagnostics.render import render_terminal, to_json
from specc.diagnostics.sarif import to_sarif
from specc.workspace import Workspace


@pytest.fixture
def codes_of(tmp_path: Path):
    """Check the text of an example; returns the codes of its diagnostics."""

    def run(text: str) -> set[str]:
        (tmp_path / "itself.spec").write_text('use "itself.spec"')
        (tmp_path / "bamba.json").write_text('{"architectures": ["BambaForCausalLM"]}')
        path = tmp_path / "plan.spec"
        path.write_text(text)
        return {d.code for d in check(Workspace(tmp_path), path)[1]}

    return run


def test_every_code_has_a_page_and_no_page_is_left_over() -> None:
    assert list(PAGES) == sorted(PAGES, key=lambda c: (c[0] != "E", c))
    assert set(PAGES) == set(CODES)
    for page in PAGES.values():
        assert page.text
        assert bool(page.session) != bool(page.wrong and page.right)


@pytest.mark.parametrize("code", [code for code, page in PAGES.items() if page.wrong])
def test_examples(code: str, codes_of) -> None:
    assert codes_of(PAGES[code].wrong) == {code}
    assert codes_of(PAGES[code].right) == set()


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
