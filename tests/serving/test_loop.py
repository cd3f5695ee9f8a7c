"""The step loop against a plain one that moves every request by itself, and its schedulers."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specc.cost import StepTable
from specc.ir import Cut, Deployment, Layout, LengthBin, Scheduler, StepLatency, Workload
from specc.run.evaluate import point_of
from specc.serving import Aggregated, Server, StepLoop, joined
from specc.serving.loop import Trajectory
from specc.serving.schedulers import Budget, Waiting, composed
from tests.cost.test_rules import DEVICE, MODEL


def _server(workload: Workload, dp: int = 1, pp: int = 1) -> Server:
    deployment = Deployment(model=MODEL, device=DEVICE, devices=2 * dp * pp)
    return Server.of(deployment, Layout(2, pp, dp), workload)


def test_decode_first_with_slack_fills_the_slack() -> None:
    """Budget 8192 with 15 % is 9420; 100 decode, and ⌊(9420 - 100) / 2048⌋ = 4 chunks fit."""
    waiting = deque([Waiting(0, 0, 0, 50)])
    admitted, decoding = composed(
        Scheduler.DECODE_FIRST_WITH_SLACK.loop, waiting, (5000,), 100, Budget(8192, 2048, 0.15)
    )
    assert decoding == 100
    assert [(a.count, a.query) for a in admitted] == [(4, 2048)]
    # What began goes to the back, behind the 46 that have not.
    assert [(w.chunk, w.count) for w in waiting] == [(0, 46), (1, 4)]


def test_more_decodes_than_budget_leave_no_room() -> None:
    waiting = deque([Waiting(0, 0, 0, 5)])
    admitted, decoding = composed(
        Scheduler.DECODE_FIRST_WITH_SLACK.loop, waiting, (5000,), 9000, Budget(8192, 2048, 0.15)
    )
    assert (admitted, decoding) == ([], 8192)


def test_decode_first_takes_the_last_prompt_in_part_and_goes_on_with_it() -> None:
    waiting = deque([Waiting(0, 0, 0, 3)])
    budget = Budget(1000, 1000, 0.0)
    first, _ = composed(Scheduler.DECODE_FIRST.loop, waiting, (700,), 100, budget)
    assert [(a.count, a.query, a.last) for a in first] == [(1, 700, True), (1, 200, False)]
    second, _ = composed(Scheduler.DECODE_FIRST.loop, waiting, (700,), 101, budget)
    assert [(a.count, a.query, a.last) for a in second] == [(1, 500, True), (1, 399, False)]


def test_prefill_first_decodes_nothing_while_prompts_wait() -> None:
    waiting = deque([Waiting(0, 0, 0, 3)])
    admitted, decoding = composed(
        Scheduler.PREFILL_FIRST.loop, waiting, (400,), 50, Budget(1000, 1000, 0.0)
    )
    assert decoding == 0
    assert sum(a.count * a.query for a in admitted) == 1000
    assert composed(Scheduler.PREFILL_FIRST.loop, deque(), (400,), 50, Budget(1000, 1000, 0.0)) == (
        [],
        50,
    )


def test_whole_prompts_wait_until_they_fit() -> None:
    """Budget 1000: two of 400 fit, the third waits whole; on two replicas four fit, not five."""
    loop = Scheduler.VLLM_V0.loop
    waiting = deque([Waiting(0, 0, 0, 3)])
    admitted, decoding = composed(loop, waiting, (400,), 50, Budget(1000, 1000, 0.0))
    assert [(a.count, a.query, a.last) for a in admitted] == [(2, 400, True)]
    assert (decoding, waiting[0].count) == (0, 1)
    waiting = deque([Waiting(0, 0, 0, 9)])
    admitted, _ = composed(loop, waiting, (400,), 50, Budget(2000, 1000, 0.0))
    assert [a.count for a in admitted] == [4]
    # The next in line decides: 500 do not fit behind 600, though 300 behind them would.
    waiting = deque([Waiting(0, 0, 0, 1), Waiting(1, 0, 0, 1), Waiting(2, 0, 0, 1)])
    admitted, _ = composed(loop, waiting, (600, 500, 300), 0, Budget(1000, 1000, 0.0))
    assert [a.shape for a in admitted] == [0]
    with pytest.raises(ValueError, match="exceeds the budget"):
        composed(loop, deque([Waiting(0, 0, 0, 1)]), (1001,), 5, Budget(2000, 1000, 0.0))


def test_a_loop_needs_a_scheduler_that_has_one() -> None:
    loop = StepLoop(_server(Workload(input=100, output=2)), 128, Scheduler.PREFILL_THEN_DECODE)
    with pytest.raises(ValueError, match="prefill_then_decode"):
        loop.evaluate(np.array([1]))


def test_chunks_of_a_prompt() -> None:
    """5000 tokens by 2048 are 2048, 2048 and 904."""
    loop = StepLoop(_server(Workload(input=5000, output=1)), 2048)
    trajectory = Trajectory(loop, 1)
    assert [tokens for _, tokens, *_ in trajectory.schedule.prefill] == [2048, 2048, 904]
    contexts = [context for *_, context in trajectory.schedule.prefill]
    assert contexts == [2048, 4096, 5000]


def _one_by_one(loop: StepLoop, batch: int) -> dict[str, float]:
    """Every request and every step by itself, for one shape and `decode_first_with_slack`."""
    server, dp = loop.server, loop.server.layout.dp
    (shape,) = server.mixture.shapes
    limit = int(loop.budget * dp * (1 + loop.slack) + 1e-9)
    queue = deque((number, 0) for number in range(batch * dp))  # request, tokens done
    generated: dict[int, int] = {}
    first, finish = {}, {}
    clock = 0.0
    while queue or generated:
        decoding = [n for n, tokens in generated.items() if tokens < shape.output]
        left, taken = limit - len(decoding), []
        front = queue[0][1] if queue else None
        while queue and queue[0][1] == front:
            query = min(loop.budget, shape.new - front)
            if left < query:
                break
            left -= query
            taken.append(queue.popleft())
        contexts = [shape.input + generated[n] for n in decoding]
        clock += _step_time(loop, len(taken), front, decoding, contexts)
        for number in decoding:
            generated[number] += 1
            if generated[number] == shape.output:
                finish[number] = clock
                del generated[number]
        for number, done in taken:
            reached = done + min(loop.budget, shape.new - done)
            if reached < shape.new:
                queue.append((number, reached))
                continue
            first[number] = clock
            if shape.output == 1:
                finish[number] = clock
            else:
                generated[number] = 1
    count = batch * dp
    tpots = [(finish[n] - first[n]) / max(shape.output - 1, 1) for n in range(count)]
    return {
        "ttft": sum(first.values()) / count,
        "tpot": sum(tpots) / count,
        "throughput": count * shape.output / max(finish.values()),
    }


def _step_time(loop: StepLoop, prefills: int, done: int | None, decoding, contexts) -> float:
    server, dp = loop.server, loop.server.layout.dp
    (shape,) = server.mixture.shapes
    tables = []
    if prefills:
        assert done is not None
        query = min(loop.budget, shape.new - done)
        attended = shape.cached + done + query
        tables.append(StepTable.prefilling(-(-prefills // dp), query, attended, 128))
    if decoding:
        mean = sum(contexts) / len(contexts)
        if loop.latency is StepLatency.OVERLAPPED:
            mean = shape.input + shape.output // 2 + 1
        tables.append(StepTable.decoding(-(-len(decoding) // dp), mean, 128))
    if len(tables) == 2 and loop.latency is StepLatency.MIXED:
        tables = [StepTable.of(prefill=tables[0].prefill, decode=tables[1].decode)]
    return max(float(server.times(table).total[0]) for table in tables)


@settings(max_examples=40)
@given(
    st.integers(1, 4000),
    st.integers(1, 60),
    st.sampled_from([0.0, 0.5]),
    st.integers(1, 24),
    st.sampled_from([1, 2, 4]),
    st.integers(64, 3000),
    st.sampled_from(list(StepLatency)),
)
def test_groups_equal_requests_one_by_one(
    prompt: int, output: int, hit: float, batch: int, dp: int, budget: int, latency: StepLatency
) -> None:
    """The reference planner's loop, as written down here from its description."""
    workload = Workload(input=prompt, output=output, prefix_hit=hit)
    loop = StepLoop(_server(workload, dp), budget, latency=latency)
    row = loop.evaluate(np.array([batch])).row(0)
    wanted = _one_by_one(loop, batch)
    for name, value in wanted.items():
        if name == "tpot" and output == 1:
            continue
        # Runs of steps are summed as if their cost grew evenly; block counts round up.
        assert row[name] == pytest.approx(value, rel=2e-3), name


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.integers(1, 5000), st.integers(1, 90)),
        min_size=1,
        max_size=5,
        unique_by=lambda row: row[1],
    ),
    st.sampled_from([s for s in Scheduler if s.loop is not None]),
    st.integers(40, 4000),
    st.integers(1, 30),
    st.sampled_from([1, 3]),
)
def test_no_token_is_lost(rows, scheduler: Scheduler, budget: int, batch: int, dp: int) -> None:
    requests = tuple(
        LengthBin(share=share, input=(n, n + 1), output=(o, o + 1)) for share, n, o in rows
    )
    if scheduler.loop.cut is Cut.WHOLE:
        budget = max(budget, *(n for _, n, _ in rows))
    loop = StepLoop(_server(Workload(requests=requests), dp), budget, scheduler)
    trajectory = Trajectory(loop, batch)
    schedule, shapes = trajectory.schedule, loop.server.mixture.shapes
    prefilled = sum(tokens for _, tokens, *_ in schedule.prefill)
    assert prefilled == sum(n * s.new for n, s in zip(trajectory.counts, shapes, strict=True))
    decoded = sum(n * k for n, k in zip(schedule.decoding, schedule.steps, strict=True))
    assert decoded == sum(
        n * (s.output - 1) for n, s in zip(trajectory.counts, shapes, strict=True)
    )
    served = np.zeros(len(shapes), dtype=int)
    np.add.at(served, schedule.shape, schedule.count)
    assert tuple(served) == trajectory.counts
    limit = budget * dp * (1.15 if scheduler.takes_slack else 1)
    for (_, tokens, *_), decoding in zip(schedule.prefill, schedule.decoding, strict=True):
        assert tokens + decoding <= limit + 1e-9


def test_long_answers_decode_at_their_true_contexts() -> None:
    """Contexts of a mixed step grow with the output; overlapped, all decode at the mean."""
    server = _server(Workload(input=100, output=2001))
    mixed = StepLoop(server, 200).evaluate(np.array([1])).row(0)
    steps = StepTable.decoding(1, np.arange(101, 2101), 128)
    assert mixed["tpot"] == pytest.approx(server.times(steps).total.mean(), rel=1e-3)


def test_interference_is_what_the_closed_form_leaves_out() -> None:
    """With prefill and decode overlapped for free, the loop is near the closed form."""
    workload = Workload(input=2000, output=300)
    server = _server(workload)
    batch = np.array([16])
    closed = Aggregated(server, 2500).evaluate(batch).row(0)
    mixed = StepLoop(server, 2500, slack=0.0).evaluate(batch).row(0)
    overlapped = StepLoop(server, 2500, slack=0.0, latency=StepLatency.OVERLAPPED)
    assert overlapped.evaluate(batch).row(0)["throughput"] > mixed["throughput"]
    assert mixed["throughput"] == pytest.approx(closed["throughput"], rel=0.15)


def test_prefill_first_has_the_shortest_ttft_and_decode_first_the_shorter_tpot() -> None:
    server = _server(Workload(input=3000, output=200))
    rows = {
        s: StepLoop(server, 1000, s).evaluate(np.array([20])).row(0)
        for s in (Scheduler.PREFILL_FIRST, Scheduler.DECODE_FIRST)
    }
    first, other = rows[Scheduler.PREFILL_FIRST], rows[Scheduler.DECODE_FIRST]
    assert first["ttft"] < other["ttft"]
    assert first["tpot"] > other["tpot"]


def test_pipeline_stages_serve_a_batch_each() -> None:
    workload = Workload(input=3000, output=200)
    row = StepLoop(_server(workload, pp=2), 1000).evaluate(np.array([8])).row(0)
    assert row["concurrency"] == 16
    whole = row["ttft"] + row["tpot"] * 199
    assert row["throughput"] == pytest.approx(16 * 200 / whole, rel=0.4)


def test_the_timeline_adds_up() -> None:
    loop = StepLoop(_server(Workload(input=3000, output=50)), 1000)
    timeline = loop.timeline(10)
    row = loop.evaluate(np.array([10])).row(0)
    assert timeline.start[0] == 0
    assert timeline.end[:-1] == pytest.approx(timeline.start[1:])
    assert row["throughput"] == pytest.approx(10 * 50 / timeline.end[-1])
    assert max(timeline.cached) <= 10 * 3050
    assert sum(timeline.prefilled) == 30000


def test_a_batch_too_small_for_every_shape_still_sees_each_in_its_share() -> None:
    """One prompt at a time: the mean of prompts alone, weighted by their shares."""
    rows = tuple(
        LengthBin(share=share, input=(n, n + 1), output=(5, 6))
        for share, n in ((7, 500), (2, 3000), (1, 9000))
    )
    loop = StepLoop(_server(Workload(requests=rows)), 1000, slack=0.0, decodes=False)
    table = loop.evaluate(np.array([1]))
    row, point = table.row(0), point_of(table, 0)
    alone = [
        StepLoop(_server(Workload(input=n, output=5)), 1000, slack=0.0, decodes=False)
        .evaluate(np.array([1]))
        .row(0)["ttft"]
        for n in (500, 3000, 9000)
    ]
    assert row["ttft"] == pytest.approx(0.7 * alone[0] + 0.2 * alone[1] + 0.1 * alone[2])
    assert row["rate"] == pytest.approx(1 / row["ttft"])
    assert [b.samples for b in loop.bins(point)] == [1, 0, 0]
    assert [b.ttft for b in loop.bins(point)] == pytest.approx(alone)


@pytest.mark.parametrize("latency", list(StepLatency))
def test_batch_sizes_together_are_each_as_alone(latency: StepLatency, monkeypatch) -> None:
    """In one call of the cost model, in several, and one by one."""
    rows = tuple(
        LengthBin(share=share, input=(n, n + 1), output=(o, o + 1))
        for share, n, o in ((7, 500, 90), (2, 3000, 40), (1, 9000, 1))
    )
    loop = StepLoop(_server(Workload(requests=rows), dp=2), 1000, latency=latency)
    batches = np.array([1, 2, 5, 17, 60])
    together = loop.evaluate(batches)
    monkeypatch.setattr("specc.serving.loop.TOGETHER", 100)
    for other in (loop.evaluate(batches), joined([loop.evaluate(batches[[i]]) for i in range(5)])):
        for row in range(5):
            assert other.row(row) == together.row(row)
