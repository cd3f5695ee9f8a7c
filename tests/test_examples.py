"""The reports beside the example specs are what a run writes now."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

EXAMPLES = sorted((ROOT / "specs").glob("*.spec"))


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 2


@pytest.mark.parametrize("spec", EXAMPLES, ids=lambda path: path.stem)
def test_reports_are_current(spec) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "specc", "run", str(spec), "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
