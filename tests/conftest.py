"""Shared fixtures."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from specc.check import check
from specc.diagnostics import Diagnostic
from specc.ir import Document
from specc.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT.parent / "shared" / "reference"

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: at the end nobody waits for a single one."""
    items.sort(key=lambda item: item.path.name != "test_examples.py")


@pytest.fixture(autouse=True, scope="session")
def _cache_of_this_run(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the caches of a test run apart from the user's, so that it starts cold."""
    import os

    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["SPECC_JOBS"] = "1"  # tests themselves run beside each other
    os.environ["SPECC_CACHE"] = "off"  # what is run is run, and not looked up


@pytest.fixture(autouse=True, scope="session")
def _signals_are_heard() -> None:
    """Let programs that tests start hear Ctrl-C, also where pytest runs in the background."""
    import signal

    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _collisions_are_looked_for_once() -> None:
    """Do not compare the terminals of the grammar with each other for every text.

    Lark does so wherever interegular is installed, as it is for tests; `tests.syntax.test_parser`
    does it once.
    """
    import lark.lexer

    lark.lexer.has_interegular = False


@pytest.fixture
def reference_data() -> Path:
    """The folder of measured data that lies beside some checkouts."""
    if not REFERENCE.is_dir():
        pytest.skip("the measured reference data is not beside this checkout")
    return REFERENCE


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Check the text of a spec; returns its document and diagnostics."""
    monkeypatch.chdir(tmp_path)

    def run(text: str) -> tuple[Document | None, list[Diagnostic]]:
        path = tmp_path / "plan.spec"
        path.write_text(text, encoding="utf-8")
        return check(Workspace(tmp_path), Path("plan.spec"))

    return run


SMALL = """
use std.devices
use std.models
workload chat {{ input = 3500 tok; output = 1500 tok; slo {{ {slo} }} }}
deployment eight {{
    model = qwen3_32b; quant = w8a8_dynamic; device = test_device; devices = 8
    parallel {{ tp = [1, 2, 4, 8] }}
    {extra}
}}
study layouts {{ workload = chat; deployments = [eight] }}
"""


@pytest.fixture
def small_spec():
    """The text of a small valid spec with given objectives and extra settings."""
    return lambda slo="tpot <= 50 ms", extra="": SMALL.format(slo=slo, extra=extra)


@pytest.fixture
def specc(tmp_path: Path):
    """Run the program as a user does, in a folder of its own."""

    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "specc", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr + done.stdout
        assert "Traceback" not in done.stderr
        return done

    return run
