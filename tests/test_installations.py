"""What `tests.installations` reads and finds; CI runs the whole of it."""

import os
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests import installations
from tests.conftest import ROOT

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_every_dependency_states_a_minimum() -> None:
    names = {Requirement(pin).name for pin in installations.pins()}
    assert {"lark", "numpy", "pytest", "pygls", "scipy"} <= names
    assert "ruff" not in names


def test_a_dependency_without_a_minimum_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    project = {"dependencies": ["lark<2"], "optional-dependencies": {}}
    monkeypatch.setattr(installations, "_project", lambda: project)
    with pytest.raises(ValueError, match="'lark<2' states no minimum"):
        installations.pins()


def test_the_oldest_dependencies_meet_the_oldest_python_only() -> None:
    assert installations.versions()[:2] == ["3.11", "3.12"]
    options = installations._options(["--python", "3.11", "3.12"])
    asked = [(each.age, each.version) for each in installations._installations(options)]
    assert asked == [("oldest", "3.11"), ("newest", "3.11"), ("newest", "3.12")]


def test_the_python_that_runs_this_is_found_and_can_be_left_out() -> None:
    found = installations.find(RUNNING)
    assert found is not None
    assert found.path == sys.executable
    options = installations._options(["newest", "--other-pythons"])
    assert RUNNING not in [each.version for each in installations._installations(options)]


@pytest.mark.skipif(os.name != "posix", reason="a script of the shell")
def test_a_name_that_stands_for_no_python_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shim = tmp_path / "python3.1"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert installations.find("3.1") is None
    missing = installations.Installation("newest", "3.1", None)
    assert installations._try_all([missing], tmp_path, quick=True) == 0
    said = "newest dependencies on Python 3.1: not run, this Python is not found here\n"
    assert capsys.readouterr().out == said


def test_the_quick_tests_are_there() -> None:
    assert all((ROOT / path).exists() for path in installations.QUICK)
