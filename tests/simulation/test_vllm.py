"""The simulated engine against vLLM's own scheduler: every start, first token and finish."""

from collections import Counter

import pytest

from tests.simulation.plain import PlainEngine
from tests.simulation.vllm import (
    MODES,
    SHARED,
    TIMES,
    Case,
    Ticks,
    limits_of,
    measured,
    own_cases,
    requests_of,
    shared_cases,
    simulated,
)

OWN = own_cases()


@pytest.mark.parametrize("case", OWN, ids=lambda case: case.name)
def test_all_times_are_those_of_vllm(case: Case) -> None:
    for mode in MODES:
        assert simulated(case, mode) == measured(case, mode), mode


@pytest.mark.parametrize("case", OWN, ids=lambda case: case.name)
def test_the_plain_engine_does_the_same(case: Case) -> None:
    for mode in MODES:
        limits = limits_of(case, mode)
        costs = Ticks(case.given, limits.longest)
        sequences = PlainEngine.of(limits, costs, requests_of(case)).run().sequences
        found = {name: [getattr(s, name) for s in sequences] for name in TIMES}
        assert found == measured(case, mode), mode


def test_modes_differ_in_the_cases_of_this_project() -> None:
    """Otherwise they would tell nothing."""
    assert Counter(case.family for case in OWN) == {case.family: 2 for case in OWN}
    assert len(OWN) == 28
    for before, mode in (("plain", "reserve"), ("reserve", "default"), ("default", "async"), (
        "default", "long_threshold")):  # fmt: skip
        changed = sum(measured(case, before) != measured(case, mode) for case in OWN)
        assert changed >= 2, mode


@pytest.mark.skipif(not SHARED.exists(), reason="the folder with all 140 cases is not there")
@pytest.mark.parametrize("mode", MODES)
def test_all_cases_in_all_modes(mode: str) -> None:
    cases = shared_cases()
    assert len(cases) == 140
    differ = [case.name for case in cases if simulated(case, mode) != measured(case, mode)]
    assert not differ
