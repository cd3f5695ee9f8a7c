"""Every message of the checker, as a person sees it. Read a snapshot aloud before accepting it."""

import shutil
from pathlib import Path

import pytest

from specc.check import check
from specc.diagnostics import CODES
from specc.diagnostics.render import render_terminal
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
    "configs",
    "empty",
    "claims",
    "tables",
    "review",
    "experts",
    "modes",
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
    elsewhere = {
        "E0002",
        "E0003",
        "E0404",
        "W0003",
        "W0004",
        "E0102",
        "E0103",
    }  # by their pages
    elsewhere |= {
        "E0006",
        "E0007",
        "E0008",
        "E0009",
        "E0010",
        "E0011",
        "E0012",
        "W0005",
        "W0006",
    }  # tests/cli, tests/test_workspace
    assert {code for code in CODES if f"[{code}]" not in shown} == elsewhere
