"""Signals end a run at once, with its code, without a traceback, half a file or a process.

`python -m tests.run.signals` sends many, and prints how long each end takes.
"""

import os
import random
from pathlib import Path

import pytest

from tests.run import signals

SLOW_MACHINE_S = 20  # where the goal is 2

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[float, dict[str, bytes]]:
    return signals.whole(tmp_path_factory.mktemp("undisturbed"))


@pytest.mark.parametrize("kind", signals.KINDS)
def test_a_signal_at_some_moment(kind: str, undisturbed, tmp_path: Path) -> None:
    lasts, wanted = undisturbed
    share = random.Random(kind).uniform(0.05, 0.9)
    ended = signals.signalled(tmp_path, kind, share * lasts, wanted)
    assert ended.problems == ()
    assert ended.seconds < SLOW_MACHINE_S
