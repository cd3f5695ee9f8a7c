"""The reports beside the example specs are what a run writes now."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REFERENCE, ROOT

EXAMPLES = sorted((ROOT / "specs").glob("*.spec"))


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 2


def _with_traces(spec: Path, folder: Path) -> Path:
    """Return the spec, or a copy with its reports beside the trace that it needs."""
    wanted = re.findall(r'"traces/([^"]+)"', spec.read_text(encoding="utf-8"))
    if all((spec.parent / "traces" / name).exists() for name in wanted):
        return spec
    traces = REFERENCE / "traces"
    if not all((traces / name).exists() for name in wanted):
        pytest.skip(f"the traces of {spec.name} are not here")
    for path in spec.parent.glob(f"{spec.stem}.*"):
        if path.is_dir():
            shutil.copytree(path, folder / path.name)
        else:
            shutil.copy(path, folder)
    (folder / "traces").symlink_to(traces)
    return folder / spec.name


def _allowed(spec: Path) -> list[str]:
    """Return the options that let a spec read its traces, which may be links to elsewhere."""
    traces = [path.resolve().parent for path in (spec.parent / "traces").glob("*")]
    return [option for folder in sorted(set(traces)) for option in ("--allow-path", str(folder))]


@pytest.mark.parametrize("spec", EXAMPLES, ids=lambda path: path.stem)
def test_reports_are_current(spec, tmp_path) -> None:
    spec = _with_traces(spec, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "specc", "run", str(spec), "--check", *_allowed(spec)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("spec", EXAMPLES, ids=lambda path: path.stem)
def test_results_do_not_depend_on_the_folder(spec) -> None:
    """Places in the source are no data: they name files as the one who ran specc sees them."""
    text = spec.with_suffix(".result.json").read_text(encoding="utf-8")
    assert '"spans"' not in text
    assert f"specs/{spec.name}" not in text
