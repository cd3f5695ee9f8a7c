"""What the program `specc` sets before a command runs."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

NAMES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ["1", "1", "1"]),
        ({"OMP_NUM_THREADS": "4"}, ["None", "None", "4"]),
        ({"OPENBLAS_NUM_THREADS": "2"}, ["2", "None", "None"]),
    ],
)
def test_one_thread_multiplies_unless_somebody_says_otherwise(given, expected) -> None:
    code = "import os\nfrom specc import __main__ as program\n"
    code += f"program.main = lambda _: print(*map(os.environ.get, {NAMES})) or 0\n"
    code += "program.program()"
    environment = {k: v for k, v in os.environ.items() if k not in NAMES}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | given,
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.split() == expected
