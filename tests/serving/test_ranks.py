"""A step takes no more of prompts on any replica than the budget of that replica."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specc.calibration.setting import Setting, deployment
from specc.ir import Calibration, Cut, Layout, LengthBin, Scheduler, Workload
from specc.serving import Aggregated, Prefill, Server, StepLoop
from specc.serving.loop import Trajectory
from specc.serving.schedulers import Budget, Waiting, composed
from specc.serving.waves import wave_size

A3 = "atlas_800_a3_752t_die"


def _server(workload: Workload, dp: int, calibration: Calibration | None = None) -> Server:
    given = deployment(Setting("qwen3_30b_a3b", A3, 2 * dp, "w8a8_dynamic"))
    if calibration is not None:
        given = given.__class__(
            model=given.model, device=given.device, devices=2 * dp, calibration=calibration
        )
    return Server.of(given, Layout(2, 1, dp, ep=2 * dp), workload)


def test_a_wave_is_what_the_budgets_of_the_replicas_hold() -> None:
    """Prompts of 3 000 in budgets of 8 192: two a replica; by the reference rules ⌊32 768 / 3 000⌋.

    With 10 of these one replica of four has three, 9 000 tokens.
    """
    workload = Workload(input=3000, output=10)
    assert wave_size(_server(workload, 4), 8192) == 8
    assert wave_size(_server(workload, 4, Calibration.REFERENCE), 8192) == 10
    # One prompt that is longer than the mean budget allows still goes alone.
    assert wave_size(_server(Workload(input=9000, output=10), 4), 8192) == 4


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 8192), st.sampled_from([1, 2, 4]), st.integers(1, 60), st.booleans())
def test_no_replica_prefills_more_than_its_budget(prompt, dp, batch, alone: bool) -> None:
    server = _server(Workload(input=prompt, output=10), dp)
    form = (Prefill if alone else Aggregated)(server, 8192)
    steps = form.steps(np.array([batch]))
    assert steps.prefill.tokens.max() <= 8192


ROWS = st.lists(
    st.tuples(st.integers(1, 9), st.integers(1, 9000), st.integers(1, 60)), min_size=1, max_size=3
)


@settings(deadline=None, max_examples=40)
@given(
    ROWS,
    st.sampled_from([s for s in Scheduler if s.loop is not None]),
    st.integers(500, 9000),
    st.integers(1, 30),
    st.sampled_from([2, 4]),
)
def test_no_step_of_the_loop_does(rows, scheduler: Scheduler, budget, batch, dp) -> None:
    if scheduler.loop.cut is Cut.WHOLE:
        budget = max(budget, *(n for _, n, _ in rows))
    bins = tuple(
        LengthBin(share=share, input=(n, n + 1), output=(o, o + 1)) for share, n, o in rows
    )
    loop = StepLoop(_server(Workload(requests=bins), dp), budget, scheduler)
    tokens = Trajectory(loop, batch).table_of_steps.prefill.tokens
    assert tokens.max() <= budget * (1.15 if scheduler.takes_slack else 1) + 1e-6


@pytest.mark.parametrize("scheduler", [s for s in Scheduler if s.loop is not None])
@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 2000), st.integers(1, 7)), min_size=1, max_size=4),
    st.integers(100, 2000),
    st.sampled_from([2, 3, 8]),
    st.integers(0, 50),
)
def test_prompts_go_to_replicas_as_one_by_one(scheduler, groups, budget, replicas, ready) -> None:
    """Each in turn to the replica with most room, all of it or in part as the scheduler cuts."""
    if scheduler.loop.cut is Cut.WHOLE:
        budget = max(budget, *(tokens for tokens, _ in groups))
    given = Budget(budget * replicas, budget, 0.0, replicas=replicas)
    lengths = tuple(tokens for tokens, _ in groups)
    waiting = deque(Waiting(shape, 0, 0, count) for shape, (_, count) in enumerate(groups))
    admitted, decoding = composed(scheduler.loop, waiting, lengths, ready, given)
    left = given.total - (decoding if scheduler.loop.beside else 0)
    rooms, taken = [left // replicas] * replicas, []
    for tokens in [tokens for tokens, count in groups for _ in range(count)]:
        room = max(rooms)
        part = min(tokens, room) if scheduler.loop.cut is Cut.PART else tokens
        query = min(part, budget)
        if not room or query > room:
            break
        rooms[rooms.index(room)] -= query
        taken.append(query)
    assert [a.query for a in admitted for _ in range(a.count)] == taken
