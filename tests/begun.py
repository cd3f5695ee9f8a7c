"""Start specc and wait until it calls a function: a test that interrupts it need not guess when."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

_STARTER = """
import os, runpy, sys
from importlib import import_module

pipe, place = int(sys.argv[1]), sys.argv[2]
module, *path, name = place.split(":")[0], *place.split(":")[1].split(".")
owner = import_module(module)
for part in path:
    owner = getattr(owner, part)
function = getattr(owner, name)


def told(*args, **named):
    setattr(owner, name, function)
    os.close(pipe)
    return function(*args, **named)


setattr(owner, name, told)
sys.argv[:3] = ["specc"]
runpy.run_module("specc", run_name="__main__", alter_sys=True)
"""


def begun(
    place: str, arguments: Sequence[str], folder: Path, **options: Any
) -> "subprocess.Popen[str]":
    """Start `specc …` in a folder; return when it calls `module:function`, or has ended."""
    ours, theirs = os.pipe()
    run = subprocess.Popen(
        [sys.executable, "-c", _STARTER, str(theirs), place, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        pass_fds=[theirs],
        **options,
    )
    os.close(theirs)
    os.read(ours, 1)  # ends when nobody can write any more
    os.close(ours)
    return run
