"""A module imports only from floors below its own, and the light commands stay light."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from tests.conftest import ROOT


def test_imports_point_downward_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))
    assert lint_imports(config_filename="pyproject.toml", no_cache=True) == 0


def test_a_class_name_occurs_once() -> None:
    trees = (ast.parse(path.read_text("utf-8")) for path in (ROOT / "specc").rglob("*.py"))
    nodes = (node for tree in trees for node in ast.walk(tree))
    names = Counter(node.name for node in nodes if isinstance(node, ast.ClassDef))
    assert {name for name, count in names.items() if count > 1} == set()


def _modules_of(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


def test_check_needs_no_numbers() -> None:
    code = "from specc.cli import main; main(['check', 'specs/qwen3-32b-chat.spec'])"
    _modules_of(code)  # fills the cache
    loaded = _modules_of(code)
    assert "specc.check.build" in loaded
    assert not loaded & {"numpy", "pandas", "jinja2", "rich", "cattrs"}
    assert not loaded & {"lark", "tempfile", "shutil", "specc.tables", "specc.engines.flags"}


def test_run_needs_what_the_spec_asks_for(tmp_path: Path) -> None:
    arguments = ["run", "specs/qwen3-32b-test-device.spec", "--out", str(tmp_path)]
    code = f"from specc.cli import main; main({arguments})"
    _modules_of(code)
    loaded = _modules_of(code)
    assert "specc.run.plans" in loaded
    assert not loaded & {"lark", "pandas", "rich", "specc.simulation", "specc.calibration"}
    alone = _modules_of("import numpy")  # before 2.0 it loads more than it needs
    assert not loaded & ({"numpy.random", "numpy.ma"} - alone)


def test_help_needs_no_compiler() -> None:
    code = "from specc.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    assert not _modules_of(code) & {"lark", "attrs", "specc.session", "numpy"}
