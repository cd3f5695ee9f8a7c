"""Templates as Python, which an installation holds, are the templates; others are not used."""

from pathlib import Path

import pytest

from specc.outputs import markdown, templates
from specc.outputs.material import Material
from specc.results import load_results
from tests.conftest import ROOT


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch):
    """Returns a report, written with the templates that a folder holds as Python."""
    material = Material(load_results(ROOT / "specs" / "qwen3-32b-chat.result.json"))

    def written(made: Path) -> str:
        monkeypatch.setattr("specc.resources.MADE", made)
        templates._environment.cache_clear()
        text = markdown.write(material)
        templates._environment.cache_clear()
        return text

    return written


def _texts(folder: Path) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py"))]


def test_they_write_the_same(report, tmp_path: Path) -> None:
    expected = report(tmp_path / "none")
    templates.write_modules(tmp_path / "made")
    assert report(tmp_path / "made") == expected
    # They are what is used:
    for path in (tmp_path / "made").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("def root(", "def other("), encoding="utf-8")
    for path in (tmp_path / "made").rglob("*.pyc"):
        path.unlink()
    with pytest.raises(KeyError):
        report(tmp_path / "made")


def test_they_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        templates.write_modules(tmp_path / name)
    assert _texts(tmp_path / "one") == _texts(tmp_path / "two") != []


def test_those_of_another_jinja_are_not_used(report, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("jinja2.__version__", "3.0.0")
    templates.write_modules(tmp_path / "made")
    for path in (tmp_path / "made").rglob("*.py"):
        path.write_text("raise RuntimeError\n", encoding="utf-8")
    monkeypatch.undo()
    assert report(tmp_path / "made") == report(tmp_path / "none")
