"""Every message of the checker, as a person sees it. Read a snapshot aloud before accepting it."""

import shutil
from pathlib import Path

import pytest

from specc.check import check
from specc.diagnostics.render import render_terminal
from specc.diagnostics.rules import RULES
from specc.workspace import Workspace

WRONG = Path(__file__).parent / "wrong"
CASES = [
    "units",
    "names",
    "values",
    "rules",
    "not_yet",
    "simulations",
    "places",
    "circle",
    "one_token",
    "configs",
    "empty",
    "claims",
    "tables",
    "review",
    "launch",
    "experts",
    "modes",
    "contradictions",
    "former",
    "unchunked",
    "software",
    "hits",
    "classes",
]


@pytest.fixture
def render(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Check a case in a folder of its own; returns the text of its messages."""
    shutil.copytree(WRONG, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)

    def run(name: str) -> str:
        document, diagnostics = check(Workspace(tmp_path), Path(f"{name}.spec"))
        assert (document is None) == any(d.is_error for d in diagnostics)
        return render_terminal(diagnostics, color=False)

    return run


@pytest.mark.parametrize("case", CASES)
def test_messages(case: str, render, snapshot) -> None:
    assert render(case) == snapshot


def test_every_code_of_the_checker_is_shown_by_a_case(render) -> None:
    shown = "".join(render(case) for case in CASES)
    missing = {code for code, rule in RULES.items() if f"[{code}]" not in shown}
    elsewhere = {code for code in missing if RULES[code].session or RULES[code].is_retired}
    # By the examples of their rules, and by tests/plan.
    by_example = {"E0002", "E0102", "E0103", "E0427", "E0439", "W0003", "W0004"}
    assert missing - elsewhere == by_example
