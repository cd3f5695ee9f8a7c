"""The same bytes under other hash seeds, locales, time zones and numbers of cores.

`python -m tests.determinism` does it with every example, three times each.
"""

from pathlib import Path

from tests.conftest import ROOT
from tests.determinism import digests
from tests.run.signals import PLAN


def test_an_example() -> None:
    assert len(digests(ROOT / "specs" / "qwen3-32b-test-device.spec", 1)) == 1


def test_a_plan_for_several_processes(tmp_path: Path) -> None:
    spec = tmp_path / "large.spec"
    spec.write_text(PLAN)
    assert len(digests(spec, 1)) == 1


def test_what_differs_is_seen(tmp_path: Path) -> None:
    spec = tmp_path / "plan.spec"
    spec.write_text((ROOT / "specs" / "qwen3-32b-test-device.spec").read_text())
    one = digests(spec, 1)
    spec.write_text(spec.read_text().replace("study ", "study other_", 1))
    assert one.isdisjoint(digests(spec, 1))
