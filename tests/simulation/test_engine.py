"""The fast engine against a plain one, and what must hold of any engine."""

import random
from array import array
from collections import Counter

import attrs
import numpy as np
import pytest
from attrs import define

from specc.ir import Admission, Queue, Scheduler
from specc.results import EngineLimits
from specc.simulation.cluster import Pool
from specc.simulation.costs import StepCosts, prefix_sums
from specc.simulation.engine import (
    Continuous,
    Drafting,
    InOrder,
    InStep,
    Lives,
    RoundRobin,
    SimulatedEngine,
)
from specc.simulation.policies.schedulers import SCHEDULERS
from specc.simulation.requests import Requests
from tests.simulation.plain import PlainEngine, PlainRanks


@define
class Curved:
    """Steps that cost more than in proportion to the context, in microseconds."""

    longest: int

    def decode(self, batch: int) -> "array[int]":
        contexts = np.arange(self.longest + 2)
        return prefix_sums(1e-6 * (40 + batch + batch * np.sqrt(contexts) / 7))

    def mixed(self, tokens: int, keys: int, batch: int, context: int) -> int:
        return 1_000_000 * (45 + 3 * tokens + batch + keys // 50) + batch * context


def settings(**changes: object) -> EngineLimits:
    usual = {
        "scheduler": Scheduler.DECODE_FIRST,
        "budget": 64,
        "limit": 16,
        "admission": 16,
        "decode_batch": 16,
        "capacity": 200,
        "block": 8,
        "longest": 400,
    }
    return EngineLimits(**{**usual, **changes})  # type: ignore[arg-type]


def some(generator: random.Random, transferred: bool) -> Requests:
    """Requests with bursts, ties, one-token answers and prompts of all lengths."""
    count = generator.randint(1, 40)
    gap = generator.choice([0, 10, 200, 2000]) * 1_000_000
    arrival = np.cumsum([generator.choice([0, generator.randint(0, gap)]) for _ in range(count)])
    prompt = [generator.choice([1, 7, 8, 9, 40, generator.randint(1, 200)]) for _ in range(count)]
    output = [generator.choice([1, 2, 8, generator.randint(1, 120)]) for _ in range(count)]
    share = generator.choice([0.0, 0.3, 0.9])
    first = None
    if transferred:
        output = [x + 1 for x in output]
        first = np.maximum(arrival - generator.randint(0, 50) * 1_000_000, 0)
    return Requests(
        arrival=np.asarray(arrival, np.int64),
        input=np.array(prompt),
        cached=np.array([int(p * share) if p > 1 else 0 for p in prompt]),
        output=np.array(output),
        bin=np.zeros(count, np.int64),
        first_token=None if first is None else np.asarray(first, np.int64),
    )


def with_prefixes(generator: random.Random, requests: Requests, block: int) -> Requests:
    """Let prompts share their beginnings: a few histories, cut off and gone on differently."""
    histories = [[generator.randint(0, 30) for _ in range(60)] for _ in range(3)]
    blocks, size = [], generator.choice([1, 2])
    for prompt, answer in zip(requests.input.tolist(), requests.output.tolist(), strict=True):
        history = generator.choice(histories)
        cut = generator.randint(0, 40)
        # A block is named by all that is before it, as engines do.
        names = [*history[:cut], *(generator.randint(31, 10**9) for _ in range(300))]
        held = generator.choice([prompt, prompt + answer]) // (size * block)
        blocks.append(tuple(hash(tuple(names[: n + 1])) for n in range(held)))
    return attrs.evolve(
        requests,
        cached=np.zeros(len(requests), np.int64),
        blocks=blocks,
        block_tokens=size * block,
    )


def limits(generator: random.Random, scheduler: Scheduler, kind: type) -> EngineLimits:
    limit = generator.choice([1, 2, 5, 16])
    turns = kind is RoundRobin
    block = generator.choice([1, 4, 8, 16])
    return settings(
        scheduler=scheduler,
        budget=generator.choice([16, 17, 64, 300]),
        limit=limit,
        decode_batch=generator.randint(1, max(1, limit - 1)) if turns else limit,
        admission=generator.choice([1, 2, 16]),
        capacity=generator.choice([8, 20, 41, 60, 1000]) * (2 if block == 4 else 1),
        block=block,
        slack=0.15 if scheduler.takes_slack else 0.0,
        start=generator.choice(list(Admission)),
        prefix_caching=generator.random() < 0.7,
        async_scheduling=scheduler is Scheduler.DECODE_FIRST
        and not turns
        and generator.random() < 0.5,
        long_prompt=generator.choice([5, 16, 100]) if kind is InOrder else 0,
    )


def with_priorities(generator: random.Random, requests: Requests) -> Requests:
    """Let requests be of up to three classes."""
    priority = [generator.choice([1, 2, 2, 5]) for _ in range(len(requests))]
    return attrs.evolve(requests, priority=np.array(priority))


ACCEPTANCE = ((0.9, 0.6, 0.4, 0.2), (0.7,), (0.5, 0.05))


def drafting(generator: random.Random, limited: EngineLimits) -> EngineLimits:
    """Let an engine draft: the sequences that run have all a place in the budget."""
    acceptance = generator.choice([*ACCEPTANCE, *ACCEPTANCE, (0.0, 0.0), (1.0,) * 3, (1.0, 0.0)])
    limit = min(limited.limit, limited.budget // (1 + len(acceptance)))
    turns = limited.decode_batch < limited.limit
    return attrs.evolve(
        limited,
        acceptance=acceptance,
        limit=limit,
        decode_batch=min(limited.decode_batch, max(1, limit - 1)) if turns else limit,
        async_scheduling=False,
    )


def engine_of(
    kind: type, limited: EngineLimits, costs: StepCosts, requests: Requests
) -> SimulatedEngine:
    """An engine as `Pool` makes it, of a kind that it might not take."""
    made = Pool(limited, costs).engine(Lives.of(requests))
    return kind(limited, costs, made.lives, made.cache)


def as_drafting(kind: type) -> type:
    """The kind of engine that does the same with drafts."""
    return Drafting if kind is Continuous else kind


CONTINUOUS = [policy.name for policy in SCHEDULERS if not policy.remembers]
CASES = (
    [(500, s, Continuous) for s in CONTINUOUS if s is not Scheduler.DECODE_FIRST]
    + [(2500, Scheduler.DECODE_FIRST, Continuous), (1000, Scheduler.DECODE_FIRST, InOrder)]
    + [(180, s, RoundRobin) for s in Scheduler]
)


@pytest.mark.parametrize(("cases", "scheduler", "kind"), CASES)
def test_equal_to_the_plain_engine(cases: int, scheduler: Scheduler, kind: type) -> None:
    """Each start, first token, finish, preemption, hit, the steps, and all gaps together."""
    _equal_to_the_plain_engine(cases, scheduler, kind, drafts=False)


DRAFTING = [
    (2000, Scheduler.DECODE_FIRST, Continuous),
    (500, Scheduler.PREFILL_FIRST, Continuous),
    (500, Scheduler.DECODE_FIRST, InOrder),
    (200, Scheduler.DECODE_FIRST, RoundRobin),
]


@pytest.mark.parametrize(("cases", "scheduler", "kind"), DRAFTING)
def test_drafts_are_as_in_the_plain_engine(cases: int, scheduler: Scheduler, kind: type) -> None:
    _equal_to_the_plain_engine(cases, scheduler, kind, drafts=True)


PRIORITIES = [
    (1500, Scheduler.DECODE_FIRST, Continuous),
    (400, Scheduler.PREFILL_FIRST, Continuous),
    (400, Scheduler.DECODE_FIRST_WITH_SLACK, Continuous),
    (200, Scheduler.VLLM_V0, Continuous),
    (800, Scheduler.DECODE_FIRST, InOrder),
    (150, Scheduler.DECODE_FIRST, RoundRobin),
    (100, Scheduler.PREFILL_THEN_DECODE, RoundRobin),
]


@pytest.mark.parametrize("drafts", [False, True])
@pytest.mark.parametrize(("cases", "scheduler", "kind"), PRIORITIES)
def test_priorities_are_as_in_the_plain_engine(
    cases: int, scheduler: Scheduler, kind: type, drafts: bool
) -> None:
    cases = cases // 3 if drafts else cases
    _equal_to_the_plain_engine(cases, scheduler, kind, drafts=drafts, queue=Queue.PRIORITY)


def _equal_to_the_plain_engine(
    cases: int, scheduler: Scheduler, kind: type, *, drafts: bool, queue: Queue = Queue.FIFO
) -> None:
    preempted = rejected = found = overtaken = 0
    for seed in range(cases):
        generator = random.Random(seed)
        transferred = scheduler is Scheduler.DECODE_FIRST and seed % 4 == 0
        requests = some(generator, transferred)
        limited = limits(generator, scheduler, kind)
        if drafts:
            limited = drafting(generator, limited)
            requests = attrs.evolve(requests, seed=seed % 2)
        if queue is Queue.PRIORITY:
            limited = attrs.evolve(limited, queue=queue)
            requests = with_priorities(generator, requests)
        costs = Curved(limited.longest)
        if seed % 2 and not transferred:
            requests = with_prefixes(generator, requests, limited.block)
        plain = PlainEngine.of(limited, costs, requests).run()
        engine = engine_of(as_drafting(kind) if drafts else kind, limited, costs, requests)
        for number in range(len(requests)):
            engine.submit(number)
        if seed % 3 == 0:
            for until in range(0, plain.now, max(1, plain.now // 7)):
                engine.advance(until)
        engine.advance()
        served = engine.lives.served()
        for name in ("start", "first", "finish", "preemptions", "hits"):
            expected = [getattr(s, name) for s in plain.sequences]
            assert getattr(served, name).tolist() == expected, (seed, name)
        gaps = engine.gaps()
        assert dict(zip(gaps.durations.tolist(), gaps.counts.tolist(), strict=True)) == dict(
            plain.gaps
        ), seed
        assert engine.runs[:, 1].sum() == plain.steps
        assert engine.used == 0
        assert plain.most_used <= limited.capacity
        preempted += int(served.preemptions.sum())
        rejected += engine.rejected
        found += int(served.hits.sum()) if limited.prefix_caching else 0
        starts = served.start[served.start >= 0]
        overtaken += int((np.diff(starts) < 0).sum())
    assert (overtaken > cases) == (queue is Queue.PRIORITY)
    assert preempted > cases / 4
    assert rejected > cases / 10
    assert found > 10 * cases


@define
class CurvedRanks(Curved):
    """Ranks that wait for each other; experts take a third of a microsecond a token of the mean."""

    ranks: int

    def spread(self, tokens: int, total: int) -> int:
        return (total * 300_000) // self.ranks - tokens * 300_000

    def least(self, tokens: int, batch: int) -> int:
        return 60_000_000 + 2_000_000 * batch + (30_000_000 if tokens else 0)


@pytest.mark.parametrize("drafts", [False, True])
@pytest.mark.parametrize(("cases", "kind"), [(400, Continuous), (150, InOrder), (80, RoundRobin)])
def test_ranks_in_step_are_equal_to_plain_ones(cases: int, kind: type, drafts: bool) -> None:
    """Requests go to ranks at random; those that have none in a step take part with nothing."""
    preempted = idle = 0
    for seed in range(cases):
        generator = random.Random(seed)
        requests = some(generator, transferred=False)
        limited = limits(generator, Scheduler.DECODE_FIRST, kind)
        if drafts:
            limited = drafting(generator, limited)
        if seed % 5 == 0:
            limited = attrs.evolve(limited, queue=Queue.PRIORITY)
            requests = with_priorities(generator, requests)
        if seed % 2:
            requests = with_prefixes(generator, requests, limited.block)
        count = generator.choice([2, 3, 8])
        costs = CurvedRanks(limited.longest, count)
        places = [generator.randrange(count) for _ in range(len(requests))]
        plain = PlainRanks([PlainEngine.of(limited, costs, requests) for _ in range(count)], costs)
        lives = Lives.of(requests)
        engines = [
            engine_of(as_drafting(kind) if drafts else kind, limited, costs, requests)
            for _ in range(count)
        ]
        for place, engine in enumerate(engines):
            engine.lives = lives
            chosen = plain.engines[place]
            chosen.coming = [s for s in chosen.coming if places[s.number] == place]
        for number, place in enumerate(places):
            engines[place].submit(number)
        group = InStep(engines, costs)
        plain.run()
        end = plain.engines[0].now
        if seed % 3 == 0:
            for until in range(0, end, max(1, end // 7)):
                group.advance(until)
        group.advance()
        served = lives.served()
        for name in ("start", "first", "finish", "preemptions", "hits"):
            expected = [getattr(plain.engines[p].sequences[n], name) for n, p in enumerate(places)]
            assert getattr(served, name).tolist() == expected, (seed, name)
        gaps = group.gaps()
        expected_gaps = sum((engine.gaps for engine in plain.engines), Counter())
        assert dict(zip(gaps.durations.tolist(), gaps.counts.tolist(), strict=True)) == dict(
            expected_gaps
        ), seed
        steps = [int(engine.runs[:, 1].sum()) for engine in engines]
        assert steps == [engine.steps for engine in plain.engines]
        preempted += int(served.preemptions.sum())
        idle += max(steps) - min(steps)
    assert preempted > cases / 4
    assert idle > cases


@define
class Even:
    """A step that prefills takes 1 µs a token, one that decodes 10 µs."""

    longest: int

    def decode(self, batch: int) -> "array[int]":
        return prefix_sums(np.full(self.longest + 2, 10e-6))

    def mixed(self, tokens: int, keys: int, batch: int, context: int) -> int:
        assert batch == 0
        return tokens * 1_000_000


def test_vllm_v0_by_hand() -> None:
    """Budget 64; prompts of 40, 20, 10, 65 and 64 tokens at once, one of 30 at 75 µs.

    40 + 20 fit a step, with 10 they would not: 60 µs. 10 alone, as 64 beside it would not fit: to
    70 µs. 64 alone: to 134 µs, and while it runs the prompt of 30 comes: it is before all decodes
    too, to 164 µs. Then all five decode: to 174 and 184 µs. 65 is longer than a step, and rejected.
    """
    requests = Requests(
        arrival=np.array([0, 0, 0, 0, 0, 75_000_000]),
        input=np.array([40, 20, 10, 65, 64, 30]),
        cached=np.zeros(6, np.int64),
        output=np.array([3, 3, 2, 3, 1, 3]),
        bin=np.zeros(6, np.int64),
    )
    limited = settings(scheduler=Scheduler.VLLM_V0)
    engine = Continuous(limited, Even(limited.longest), Lives.of(requests))
    for number in range(len(requests)):
        engine.submit(number)
    engine.advance()
    served = engine.lives.served()
    assert (served.first // 1_000_000).tolist() == [60, 60, 70, -1, 134, 164]
    assert (served.finish // 1_000_000).tolist() == [184, 184, 174, -1, 134, 184]
    assert engine.rejected == 1
    # Steps: three that prefill at first, one for the late prompt, two that decode.
    assert engine.runs[:, 4].tolist() == [60, 10, 64, 30, 0, 0]
    assert engine.runs[:, 2].tolist() == [0, 0, 0, 0, 4, 3]


def test_a_hit_is_no_part_of_the_budget_and_is_of_the_longest_prompt() -> None:
    """Two prompts of 60 with 40 cached go together in a budget of 64; 70 with 40 is rejected."""
    requests = Requests(
        arrival=np.zeros(3, np.int64),
        input=np.array([60, 60, 70]),
        cached=np.array([40, 40, 40]),
        output=np.ones(3, np.int64),
        bin=np.zeros(3, np.int64),
    )
    limited = settings(scheduler=Scheduler.VLLM_V0)
    engine = Continuous(limited, Even(limited.longest), Lives.of(requests))
    for number in range(3):
        engine.submit(number)
    engine.advance()
    assert engine.runs[:, 4].tolist() == [40]
    assert engine.rejected == 1
