"""The engines of a pool, followed request by request in the order of time.

Between two requests engines run on their own. An engine need not be looked at before the time of
its next change: until then it neither starts nor ends a request, and a router would see the same.
"""

import heapq
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from attrs import Factory, define, field

from specc.ir import Sight
from specc.simulation.engine import NEVER, InStep, Lives, SimulatedEngine
from specc.simulation.policies.routers import EngineView
from specc.simulation.requests import TooLongError

if TYPE_CHECKING:
    from specc.simulation.cluster import Pool

Finished = Callable[[int, int], None]  # what becomes of a request that ends at a time


@define(eq=False)
class Stage:
    """Engines behind a router, and when to look at them.

    Attributes:
        pool: what they are.
        lives: the requests, in the order in which they come.
        engines: the engines, and `groups` of them that run on their own.
        finished: told of each request that ends, if anybody asks.
        sent: requests that came.
    """

    pool: "Pool"
    lives: Lives
    engines: Sequence[SimulatedEngine]
    groups: Sequence[SimulatedEngine | InStep]
    finished: Finished | None = None
    sent: int = 0
    _sees: bool = field(init=False)  # whether the router looks at engines, or at prefixes
    _sees_prefixes: bool = field(init=False)
    _views: list[EngineView] = field(init=False)
    _changes: list[int] = field(init=False)
    _due: list[tuple[int, int]] = Factory(list)  # changes and groups; outdated ones stay a while

    @classmethod
    def of(cls, pool: "Pool", lives: Lives, finished: Finished | None = None) -> "Stage":
        """Return the engines of a pool, at the start."""
        engines = [pool.engine(lives) for _ in range(pool.engines)]
        return cls(pool, lives, engines, pool.groups(engines), finished)

    def __attrs_post_init__(self) -> None:
        """Look at nobody yet."""
        self._sees = not self.pool.is_blind
        self._sees_prefixes = self._sees and self.pool.routing.sight is Sight.PREFIXES
        self._views = [EngineView()] * len(self.engines)
        self._changes = [NEVER] * len(self.groups)
        if self.finished is not None:
            for engine in self.engines:
                engine.ended = []

    @property
    def next_change(self) -> int:
        """A time before which no engine starts or ends a request."""
        due, changes = self._due, self._changes
        while due and due[0][0] != changes[due[0][1]]:
            heapq.heappop(due)
        return due[0][0] if due else NEVER

    def run(self, until: int) -> None:
        """Run the engine that changes next: its steps that begin before `until`."""
        change, group = heapq.heappop(self._due)
        if change >= NEVER:
            raise TooLongError
        self.groups[group].advance(until)
        self._look(group)

    def send(self, time: int) -> None:
        """Let the next request come, at a time before which nothing changes."""
        number = self.sent
        self.sent += 1
        self.lives.arrival[number] = time
        place = self.pool.chosen(number, self._views, self.engines)
        engine, group = self.engines[place], place // self.pool.in_step
        self.groups[group].advance(time)
        rejected = engine.rejected
        engine.submit(number)
        if self.finished is not None and engine.rejected > rejected:
            self.finished(number, time)
        self._look(group)

    def _look(self, group: int) -> None:
        """See how a group is, pass on what has ended, and note when to look again."""
        pool, each = self.pool, self.groups[group]
        first = group * pool.in_step
        own = self.engines[first : first + pool.in_step]
        if self._sees:
            self._views[first : first + pool.in_step] = map(pool.view, own)
        if self.finished is not None:
            self._tell(self.finished, own)
        self._changes[group] = NEVER
        if not each.is_done:
            # A prefix may be found as soon as a step has computed it.
            self._changes[group] = each.next_step if self._sees_prefixes else each.next_change
            heapq.heappush(self._due, (self._changes[group], group))

    def _tell(self, finished: Finished, engines: Sequence[SimulatedEngine]) -> None:
        for engine in engines:
            assert engine.ended is not None
            for request in engine.ended:
                finished(request, self.lives.finish[request])
            engine.ended.clear()
