"""Signals end a run at once, with its code, without a traceback, half a file or a process.

`python -m tests.run.signals` sends many, and prints how long each end takes.
"""

import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from tests.begun import begun
from tests.cli.test_simulate import SPEC
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_a_simulation(number: int, tmp_path: Path) -> None:
    """What is known at an interrupt is told."""
    trace = "arrived_at,num_prefill_tokens,num_decode_tokens\n0,40,8\n"
    (tmp_path / "once.csv").write_text(trace)
    (tmp_path / "plan.spec").write_text(SPEC.replace("requests = 400", "requests = 2000000"))
    run = begun(
        "specc.run.events:Events.advanced",
        ["simulate", "plan.spec", "--study", "steady"],
        tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    run.send_signal(number)
    out, errors = run.communicate(timeout=60)
    if number == signal.SIGINT:
        assert "interrupted: " in out
        assert "TTFT" in out
    else:
        assert errors == "terminated\n"
    assert run.returncode == (130 if number == signal.SIGINT else 143)
