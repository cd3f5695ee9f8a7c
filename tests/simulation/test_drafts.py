"""Drafted tokens: what a step yields in the mean, at the ends, and what it takes of the cache."""

from pathlib import Path

import numpy as np
import pytest
from attrs import evolve

from specc.results import EngineLimits
from specc.session import Session
from specc.simulation.drafts import Drafts
from specc.simulation.engine import Continuous, Drafting, Lives, SimulatedEngine
from specc.simulation.requests import Requests
from tests.simulation.test_engine import Curved, Even, settings

ROOM = settings(budget=100_000, capacity=100_000, longest=4000)


def requests_of(prompts: list[int], outputs: list[int], gap: int = 50_000_000) -> Requests:
    count = len(prompts)
    return Requests(
        arrival=np.arange(count) * gap,
        input=np.array(prompts),
        cached=np.zeros(count, np.int64),
        output=np.array(outputs),
        bin=np.zeros(count, np.int64),
        seed=5,
    )


def served(kind: type, limited: EngineLimits, costs: object, requests: Requests) -> SimulatedEngine:
    engine = kind(limited, costs, Lives.of(requests))
    for number in range(len(requests)):
        engine.submit(number)
    engine.advance()
    return engine


@pytest.mark.parametrize("acceptance", [(0.9, 0.6, 0.4, 0.2), (0.85,), (0.5, 0.5), (1.0, 0.0)])
def test_the_mean_of_a_step_is_one_and_the_sum_of_acceptance(acceptance: tuple[float, ...]) -> None:
    """Within four standard errors, of all that is drawn and of what requests see of it."""
    drafts = Drafts.of(acceptance, 3, 1000)
    mean, spread = 1 + sum(acceptance), float(drafts.each.std())
    assert drafts.each.mean() == pytest.approx(mean, abs=4 * spread / 1000)
    outputs = [900] * 300
    limited = evolve(ROOM, acceptance=acceptance)
    engine = served(Drafting, limited, Curved(4000), requests_of([20] * 300, outputs))
    steps = int((engine.runs[:, 1] * engine.runs[:, 2]).sum())  # of sequences
    # The last step of a request may yield more than it takes.
    assert 300 * 899 / steps == pytest.approx(mean, rel=0.01)


def test_nothing_is_accepted() -> None:
    """Then drafts change nothing but what the step costs."""
    requests = requests_of([20, 300, 7, 150] * 9, [30, 1, 200, 64] * 9)
    with_drafts = served(Drafting, evolve(ROOM, acceptance=(0.0, 0.0)), Curved(4000), requests)
    without = served(Continuous, ROOM, Curved(4000), requests)
    for name in ("start", "first", "finish"):
        ours, theirs = (getattr(e.lives.served(), name) for e in (with_drafts, without))
        assert ours.tolist() == theirs.tolist()


def test_all_is_accepted() -> None:
    """Four tokens a step: as many steps as an output of a fourth has, its first token apart."""
    outputs = [30, 1, 201, 64, 2, 5, 6] * 5
    requests = requests_of([20] * len(outputs), outputs, gap=0)
    shorter = evolve(requests, output=1 + -(-(requests.output - 1) // 4))
    limited = evolve(ROOM, limit=100, admission=100, decode_batch=100)
    with_drafts = served(Drafting, evolve(limited, acceptance=(1.0,) * 3), Even(4000), requests)
    without = served(Continuous, limited, Even(4000), shorter)
    assert with_drafts.lives.finish == without.lives.finish


def test_blocks_for_what_is_drafted_and_as_much_after_it() -> None:
    """Prompt 7, K = 1: the first step needs blocks for 7 + 1 + 1 + 1 tokens, three of 4 tokens.

    The second one, after two tokens, needs them for 12, the third for 14; six tokens in three
    steps after the first one, and none is left.
    """
    limited = settings(block=4, acceptance=(1.0,))
    engine = served(Drafting, limited, Curved(400), requests_of([7], [7]))
    assert engine.runs[:, -1].tolist() == [2, 4]  # used after the prompt, and in three steps
    assert limited.reach(7) == 10
    assert limited.reach(399) == 400
    assert engine.used == 0


PLAN = """
use std.devices
use std.models
workload w {{ input = 1000 tok; output = 300 tok }}
deployment d {{
    model = qwen3_8b; device = atlas_800_a3_752t_die; devices = 2; {mode}
    parallel {{ tp = 2 }}
    engine {{
        max_sequences = 16; chunk_budget = 2Ki tok
        speculative {{
            draft = qwen3_0_6b; tokens = {tokens}; acceptance = [0.8, 0.5]; source = "t"
        }}
    }}
}}
study s {{ workload = w; deployments = d }}
"""


@pytest.mark.parametrize(
    "mode", ["", "mode = decode_only", "mode = pd_ratio; fleet { devices = 8 }"]
)
def test_a_plan_with_drafts_is_simulated(tmp_path: Path, mode: str) -> None:
    """TPOT is the gap between steps over the tokens of one; the closed form agrees."""
    tokens = {}
    for count in (0, 2):
        text = PLAN.format(mode=mode, tokens=count)
        (tmp_path / "plan.spec").write_text(text.replace("chunk_budget = 2Ki tok", "", bool(mode)))
        best = Session(tmp_path / "plan.spec").results.studies[0].best
        assert best.simulated
        assert best.closed_form.throughput == pytest.approx(best.throughput, rel=0.1)
        tokens[count] = best.metrics
    assert tokens[2].itl.mean / tokens[2].tpot.mean == pytest.approx(2.3, rel=0.05)
    assert tokens[0].itl.mean == pytest.approx(tokens[0].tpot.mean, rel=0.05)
