"""Engines behind a router, and pools of them for prefill and decode."""

import heapq
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import numpy as np
from attrs import evolve, frozen

from specc.ir import Routing, Sight
from specc.results import EngineLimits
from specc.simulation.blocks import BlockCache
from specc.simulation.costs import RankCosts, StepCosts, picoseconds
from specc.simulation.engine import (
    NEVER,
    Continuous,
    Drafting,
    InOrder,
    InStep,
    Lives,
    RoundRobin,
    SimulatedEngine,
)
from specc.simulation.metrics import Outcome
from specc.simulation.policies.routers import EngineView, router_of
from specc.simulation.policies.schedulers import scheduler_of
from specc.simulation.requests import (
    REJECTED,
    Gaps,
    Integers,
    Requests,
    TooLongError,
)
from specc.simulation.stage import Stage
from specc.units import Seconds, Tokens

AT_ONCE = 2000  # requests between two signs of life
LOOK = 500  # requests between two looks at whether a simulation is lost

Progress = Callable[[int], None]


class LostError(Exception):
    """More requests than are allowed have missed a limit, whatever comes."""


@frozen
class Allowance:
    """How many requests may wait longer than a limit for their first token.

    Attributes:
        wait: the limit, in picoseconds.
        misses: the requests that may.
    """

    wait: int
    misses: int

    def check(self, lives: Lives, count: int, now: int) -> None:
        """Look at the first `count` requests, which came by `now`.

        Raises:
            LostError: more of them than may have waited too long, or do.
        """
        first, arrival = (np.array(c[:count], np.int64) for c in (lives.first, lives.arrival))
        waited = np.where(first == REJECTED, now, first) - arrival
        if np.count_nonzero(waited > self.wait) > self.misses:
            raise LostError


def takes_turns(settings: EngineLimits) -> bool:
    """Tell whether the sequences of an engine take turns to decode, which goes step by step."""
    remembers = scheduler_of(settings.scheduler).remembers
    return remembers or settings.decode_batch < settings.limit


def engine_kind(settings: EngineLimits) -> type[SimulatedEngine]:
    """Return the kind of engine that does what the settings say."""
    if takes_turns(settings):
        return RoundRobin
    if settings.long_prompt:
        return InOrder
    return Drafting if settings.acceptance else Continuous


@frozen(eq=False)
class Pool:
    """Engines of one kind behind a router.

    Attributes:
        settings: of an engine.
        costs: of its steps.
        engines: how many there are.
        routing: which of them a request goes to.
        ranks: neighbouring engines that are one instance to the router.
        in_step: neighbouring engines of an instance that run their steps together.
        request_time: picoseconds to a first token that are none of their steps.
    """

    settings: EngineLimits
    costs: StepCosts
    engines: int = 1
    routing: Routing = Routing.ROUND_ROBIN
    ranks: int = 1
    in_step: int = 1
    request_time: int = 0

    def serve(
        self,
        requests: Requests,
        progress: Progress = lambda _: None,
        allowance: Allowance | None = None,
    ) -> Outcome:
        """Serve requests; stopped by the keyboard, it says what is known so far.

        Raises:
            LostError: more requests waited too long than an allowance has.
        """
        lives = Lives.of(requests)
        engines = [self.engine(lives) for _ in range(self.engines)]
        groups = self.groups(engines)
        interrupted = False
        try:
            if self.is_blind:
                self._in_turn(engines, groups, requests, progress, lives, allowance)
            else:
                self._by_state(engines, groups, requests, progress, lives, allowance)
        except KeyboardInterrupt:
            interrupted = True
        return Outcome(
            requests=requests,
            served=lives.served(),
            gaps=Gaps.joined([group.gaps() for group in groups]),
            runs=[engine.runs for engine in engines],
            capacity=[self.settings.capacity] * self.engines,
            rejected=sum(engine.rejected for engine in engines),
            interrupted=interrupted,
            request_time=self.request_time,
        )

    def engine(self, lives: Lives) -> SimulatedEngine:
        """Return an engine for requests, at the start."""
        settings = self.settings
        # A flat hit rate stands for a cache: the tokens that it says are found, and no others.
        caches = settings.prefix_caching and not any(lives.cached)
        size = max(1, lives.block_tokens // settings.block)
        engine = engine_kind(settings)
        return engine(settings, self.costs, lives, BlockCache(size) if caches else None)

    def groups(self, engines: Sequence[SimulatedEngine]) -> "Sequence[SimulatedEngine | InStep]":
        """Return what runs on its own: engines, or those that run in step."""
        if self.in_step == 1:
            return engines
        costs = cast(RankCosts, self.costs)
        starts = range(0, self.engines, self.in_step)
        return [InStep(engines[start : start + self.in_step], costs) for start in starts]

    @property
    def is_blind(self) -> bool:
        """Whether the router sees nothing of the engines, or nothing that it needs."""
        router = router_of(self.routing)
        among = self.ranks if router.within_instances else self.engines
        return self.routing.sight is Sight.NOTHING or among == 1

    def known(self, number: int) -> tuple[int, range]:
        """Return the engines that a router chooses from, and the place of a request in theirs."""
        if not router_of(self.routing).within_instances:
            return number, range(self.engines)
        round_, instance = divmod(number, self.engines // self.ranks)
        return round_, range(instance * self.ranks, (instance + 1) * self.ranks)

    def _in_turn(
        self,
        engines: Sequence[SimulatedEngine],
        groups: "Sequence[SimulatedEngine | InStep]",
        requests: Requests,
        progress: Progress,
        lives: Lives,
        allowance: Allowance | None,
    ) -> None:
        arrival, count = requests.arrival, len(requests)
        unseen = [EngineView()] * self.engines
        for number in range(count):
            engines[self.chosen(number, unseen, engines)].submit(number)
        each, told = LOOK if allowance else AT_ONCE, 0
        for last in (*range(each, count, each), count):
            until = int(arrival[last]) if last < count else NEVER
            for group in groups:
                group.advance(until)
            if last % AT_ONCE == 0 or last == count:
                progress(last - told)
                told = last
            if allowance is not None and last < count:
                allowance.check(lives, last, until)

    def _by_state(
        self,
        engines: Sequence[SimulatedEngine],
        groups: "Sequence[SimulatedEngine | InStep]",
        requests: Requests,
        progress: Progress,
        lives: Lives,
        allowance: Allowance | None,
    ) -> None:
        stage = Stage(self, lives, engines, groups)
        for number, time in enumerate(requests.arrival.tolist()):
            while stage.next_change < time:
                stage.run(time)
            stage.send(time)
            if number % AT_ONCE == AT_ONCE - 1:
                progress(AT_ONCE)
            if allowance is not None and number % LOOK == LOOK - 1:
                allowance.check(lives, number, time)
        for each in groups:
            each.advance()
        progress(len(requests) % AT_ONCE)

    def chosen(
        self, number: int, views: Sequence[EngineView], engines: Sequence[SimulatedEngine]
    ) -> int:
        """Return the place of the engine that a request goes to, by what the router sees."""
        turn, known = self.known(number)
        if len(known) == 1:
            return known.start
        seen = views[known.start : known.stop]
        if self.routing.sight is Sight.PREFIXES:
            found = [engine.found(number) for engine in engines[known.start : known.stop]]
            seen = [v._replace(found=f) for v, f in zip(seen, found, strict=True)]
        return known[router_of(self.routing).choose(turn, seen)]

    def view(self, engine: SimulatedEngine) -> EngineView:
        """Return what a router sees of an engine, but for the prompts in its cache."""
        used = engine.used / max(self.settings.capacity, 1)
        return EngineView(engine.waits, len(engine.running), used)


class Transfers(Protocol):
    """How the caches of prompts move."""

    def times(self, tokens: Sequence[Tokens]) -> Sequence[Seconds]:
        """Return how long each is on its way, by the tokens of its prompt."""


@frozen(eq=False)
class Disaggregated:
    """A pool that prefills and a pool that decodes; the cache of a prompt moves between them.

    Attributes:
        transfer: how the caches move.
        links: caches that move at a time; others wait for a link, in the order of their prefill.
    """

    prefill: Pool
    decode: Pool
    transfer: Transfers
    links: int = 1

    def serve(
        self,
        requests: Requests,
        progress: Progress = lambda _: None,
        allowance: Allowance | None = None,
    ) -> Outcome:
        """Serve requests: the pools one after the other, since nothing flows back.

        The first token comes from the prefill; the transfer is part of the time to the second.

        Raises:
            LostError: more requests waited too long than an allowance has.
        """
        prompts = evolve(requests, output=np.ones(len(requests), np.int64))
        first = self.prefill.serve(prompts, lambda n: progress(n // 2), allowance)
        several = requests.output > 1
        done = np.flatnonzero((first.served.first != REJECTED) & several)
        finish = np.where(several, REJECTED, first.served.finish)
        served = evolve(first.served, finish=finish)
        if not len(done) or first.interrupted:
            return evolve(first, requests=requests, served=served)
        done = done[np.argsort(first.served.first[done], kind="stable")]
        arrival = self._moved(first.served.first[done], requests.input[done])
        order = np.argsort(arrival, kind="stable")
        index = done[order]
        later = evolve(
            requests.rows(index),
            arrival=arrival[order],
            first_token=first.served.first[index],
            blocks=None,
            cached=np.zeros(len(index), np.int64),
        )
        second = self.decode.serve(later, lambda n: progress(n - n // 2))
        finish[index] = second.served.finish
        preemptions = first.served.preemptions.copy()
        preemptions[index] += second.served.preemptions
        return Outcome(
            requests,
            evolve(served, finish=finish, preemptions=preemptions),
            second.gaps,
            [*first.runs, *second.runs],
            [*first.capacity, *second.capacity],
            first.rejected + second.rejected,
            second.interrupted,
            decoding_from=len(first.runs),
            request_time=first.request_time,
        )

    def _moved(self, ready: Integers, tokens: Integers) -> Integers:
        """Return when caches have moved over the links, by when they are ready, in order."""
        times = [picoseconds(seconds) for seconds in self.transfer.times(tokens.tolist())]
        free = [0] * self.links
        arrived = []
        for moment, time in zip(ready.tolist(), times, strict=True):
            end = max(moment, heapq.heappop(free)) + time
            heapq.heappush(free, end)
            arrived.append(end)
        if arrived and max(arrived) > NEVER:
            raise TooLongError
        return np.array(arrived, np.int64)


Cluster = Pool | Disaggregated
