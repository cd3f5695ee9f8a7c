"""The wheel holds all it needs: installed in a clean environment it runs the example elsewhere."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PYPROJECT = """
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"
[project]
name = "ascend-lab"
version = "1.0"
[project.entry-points."specc.library"]
ascend_lab = "ascend_lab"
"""


def _install_a_package_of_specs(run, home: Path, folder: Path) -> None:
    package = folder / "lab" / "ascend_lab"
    (package / "specs").mkdir(parents=True)
    (folder / "lab" / "pyproject.toml").write_text(PYPROJECT)
    (package / "__init__.py").write_text("raise RuntimeError('specs are data')\n")
    text = "use std.devices\ndevice npu_x extends test_device { }\n"
    (package / "specs" / "devices.spec").write_text(text)
    run(str(home / "bin" / "pip"), "install", "-q", str(folder / "lab"), folder=folder)


@pytest.mark.wheel
def test_the_wheel_runs_the_example_outside_the_checkout(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}

    def run(*command: str, folder: Path) -> str:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    wheels, home, work = tmp_path / "wheels", tmp_path / "env", tmp_path / "work"
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(wheels), str(ROOT),
        folder=tmp_path)  # fmt: skip
    (wheel,) = wheels.glob("*.whl")
    run(sys.executable, "-m", "venv", str(home), folder=tmp_path)
    run(str(home / "bin" / "pip"), "install", "-q", str(wheel), folder=tmp_path)
    work.mkdir()
    shutil.copy(ROOT / "specs" / "qwen3-32b-chat.spec", work)
    specc = str(home / "bin" / "specc")
    assert "no errors" in run(specc, "check", "qwen3-32b-chat.spec", folder=work)
    run(specc, "run", "qwen3-32b-chat.spec", folder=work)
    names = {path.name for path in work.iterdir()}
    assert {"qwen3-32b-chat.report.md", "qwen3-32b-chat.report.html"} <= names
    _install_a_package_of_specs(run, home, tmp_path)
    (work / "lab.spec").write_text(
        "use std.models\nuse ascend_lab.devices\nworkload w { input = 9 tok; output = 9 tok }\n"
        "deployment d { model = qwen3_8b; device = npu_x; devices = 1 }\n"
        "study s { workload = w; deployments = d }\n"
    )
    assert "no errors" in run(specc, "check", "lab.spec", folder=work)
    # The report does not depend on where specc is installed.
    fresh = (work / "qwen3-32b-chat.report.md").read_bytes()
    assert fresh == (ROOT / "specs" / "qwen3-32b-chat.report.md").read_bytes()
