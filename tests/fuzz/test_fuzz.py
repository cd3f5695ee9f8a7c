"""As many random plans as fit in 48 seconds of CPU, from text to every output: nothing is found.

`python -m tests.fuzz` runs as many as one likes.
"""

import time
from itertools import count
from pathlib import Path

import pytest
from hypothesis import find
from hypothesis import strategies as st

from specc.ir import KINDS
from specc.ir.vocabulary import (
    BlocksType,
    BlockType,
    BoundsType,
    LimitType,
    TableType,
    TailsType,
    entries,
)
from tests.fuzz import harness
from tests.fuzz.__main__ import generated
from tests.fuzz.harness import run
from tests.fuzz.tree import Plan
from tests.fuzz.values import Kind, value

PARTS = 4
WRITTEN_BY_THE_AUTHOR = (BlockType, BlocksType, TableType, BoundsType, LimitType, TailsType)
BUDGET_S = 48 / PARTS  # of CPU; how far it comes is up to the machine


@pytest.fixture
def one_process():
    """Let many runs share this process."""
    with harness.one_process():
        yield


@pytest.mark.parametrize("part", range(PARTS))
def test_random_plans(part: int, tmp_path: Path, one_process: None) -> None:
    folder, tried = tmp_path / "run", tmp_path / "tried"
    folder.mkdir()
    tried.mkdir()
    start = time.process_time()
    for number, plan in zip(count(), generated(1000 + part, tried), strict=False):
        found = run(plan, folder).findings
        assert not found, f"#{number}: {found[0].key}\n{harness.reproduction(plan)}"
        if time.process_time() - start > BUDGET_S:
            break


SOUND = """use std.devices
use std.models
workload w { input = 100 tok; output = 10 tok }
deployment d { model = qwen3_8b; device = h100; devices = 1 }
study s { workload = w; deployments = d }
"""


@pytest.mark.parametrize(
    ("target", "fault", "key"),
    [
        ("specc.outputs.registry.render", lambda *_: 1 / 0, "exit code 70"),
        ("specc.session.Session.report_in", lambda *_: print("\x1b[2J"), "prints '\\x1b'"),
    ],
)
def test_a_fault_is_found(
    target: str, fault, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_process: None
) -> None:
    """The harness sees what it is there to see; without the fault it sees nothing."""
    assert not run(Plan(SOUND), tmp_path).findings
    monkeypatch.setattr(target, fault)
    assert any(key in finding.key for finding in run(Plan(SOUND), tmp_path).findings)


def test_a_finding_is_made_small(tmp_path: Path) -> None:
    plan = Plan(SOUND.replace("study s", "workload other { input = 1 tok }\nstudy s"))
    small = harness.minimised(plan, lambda smaller: "devices = 1" in smaller.spec)
    assert small.spec.strip() == "deployment d { model = qwen3_8b; device = h100; devices = 1 }"
    assert "specc run plan.spec" in harness.reproduction(small)


def test_the_same_seed_makes_the_same_plans(tmp_path: Path) -> None:
    def first(start: int) -> list[str]:
        plans = generated(start, tmp_path)
        return [next(plans).spec for _ in range(5)]

    assert first(7) == first(7)
    assert first(7) != first(8)


def _fields():
    for kind, cls in KINDS.items():
        for name, (attribute, entry) in entries(cls).items():
            if not isinstance(entry.type, WRITTEN_BY_THE_AUTHOR):
                yield f"{kind}.{name}", attribute, entry


@pytest.mark.parametrize(("name", "attribute", "entry"), list(_fields()))
def test_every_field_of_the_vocabulary_has_a_value(name: str, attribute, entry) -> None:
    """A field that is new is covered the day it is written: values are read off its type."""

    @st.composite
    def made(draw):
        return value(draw, attribute, entry, {}, Kind.LEGAL)

    assert find(made(), lambda found: True) is not None, name
