"""A closed loop: clients that send their next request when the last one is done.

The time of a request depends on the one before it, so requests and engines are followed together,
in the order of time; see `stage.py`.
"""

import heapq
from enum import IntEnum

import numpy as np
from attrs import Factory, define, evolve, field, frozen

from specc.simulation.cluster import AT_ONCE, Cluster, Disaggregated, Progress
from specc.simulation.costs import picoseconds
from specc.simulation.engine import NEVER, Lives
from specc.simulation.metrics import Outcome
from specc.simulation.requests import REJECTED, Gaps, Requests, Served
from specc.simulation.stage import Stage


@frozen(eq=False)
class Clients:
    """Clients of a closed loop; times in picoseconds.

    Attributes:
        count: how many there are.
        think: from the end of a request of a client to its next one.
        ramp: the time over which they send their first requests, at even intervals.
    """

    count: int
    think: int = 0
    ramp: int = 0

    @property
    def starts(self) -> list[int]:
        """When each sends its first request."""
        return [self.ramp * number // self.count for number in range(self.count)]


class _Event(IntEnum):
    """What happens at a time; of several at once the first here comes first."""

    PREFILLED = 0  # a prompt whose cache waits for a link to an instance that decodes
    MOVED = 1  # a cache that has come there
    READY = 2  # a client that sends its next request


@define(eq=False)
class _Loop:
    """Clients, and the instances that serve them: those for prefill and for decode, or one kind."""

    cluster: Cluster
    requests: Requests
    clients: Clients
    events: list[tuple[int, int, int]] = Factory(list)  # time, kind, request or client
    first: Stage = field(init=False)
    second: Stage | None = None
    client_of: list[int] = Factory(list)  # of each request that was sent
    moved: list[int] = Factory(list)  # requests in the order in which they came to decode
    _links: list[int] = Factory(list)

    def __attrs_post_init__(self) -> None:
        """Start with idle engines, and clients that are about to send."""
        cluster, prompts = self.cluster, _untimed(self.requests)
        if isinstance(cluster, Disaggregated):
            prompts = evolve(prompts, output=np.ones(len(prompts), np.int64))
            none = evolve(prompts.rows(np.zeros(0, np.int64)), first_token=np.zeros(0, np.int64))
            lives = Lives.of(evolve(none, blocks=None))
            self.second = Stage.of(cluster.decode, lives, self._decoded)
            self.first = Stage.of(cluster.prefill, Lives.of(prompts), self._prefilled)
            self._links = [0] * cluster.links
        else:
            prompts = prompts if self._prefills else prompts.rows(np.zeros(0, np.int64))
            self.first = Stage.of(cluster, Lives.of(prompts), self._served)
        for client, time in enumerate(self.clients.starts):
            heapq.heappush(self.events, (time, _Event.READY, client))

    @property
    def _prefills(self) -> bool:
        """Whether prompts are computed here; else their caches come with the requests."""
        return self.requests.first_token is None

    def run(self, progress: Progress) -> None:
        """Serve all requests."""
        stages = [self.first] if self.second is None else [self.first, self.second]
        while True:
            changes = [stage.next_change for stage in stages]
            change, time = min(changes), self.events[0][0] if self.events else NEVER
            if change < time:
                # No further: what ends then is followed by others.
                stages[changes.index(change)].run(change + 1)
            elif not self.events:
                return
            else:
                self._happen(*heapq.heappop(self.events), progress)

    def _happen(self, time: int, kind: int, number: int, progress: Progress) -> None:
        if kind == _Event.PREFILLED:
            self._move(number, time)
        elif kind == _Event.MOVED:
            self._deliver(number, time)
        elif self.first.sent < len(self.requests):
            self.client_of.append(number)
            if not self._prefills:
                request = self.first.sent
                prompt, output = self.requests.input[request], self.requests.output[request]
                self.first.lives.append(int(prompt), int(output), time, self._priority(request))
            self.first.send(time)
            if self.first.sent % AT_ONCE == 0:
                progress(AT_ONCE)

    def _served(self, request: int, time: int) -> None:
        """Let the client think, and then send again: when it has the last token."""
        again = time + self.first.pool.request_time + self.clients.think
        heapq.heappush(self.events, (again, _Event.READY, self.client_of[request]))

    def _prefilled(self, request: int, time: int) -> None:
        if self.requests.output[request] > 1 and self.first.lives.first[request] != REJECTED:
            heapq.heappush(self.events, (time, _Event.PREFILLED, request))
        else:
            self._served(request, time)

    def _move(self, request: int, time: int) -> None:
        assert isinstance(self.cluster, Disaggregated)
        (takes,) = self.cluster.transfer.times([int(self.requests.input[request])])
        end = max(time, heapq.heappop(self._links)) + picoseconds(takes)
        heapq.heappush(self._links, end)
        heapq.heappush(self.events, (end, _Event.MOVED, request))

    def _deliver(self, request: int, time: int) -> None:
        assert self.second is not None
        prompt, output = (int(c[request]) for c in (self.requests.input, self.requests.output))
        first = self.first.lives.first[request]
        self.second.lives.append(prompt, output, first, self._priority(request))
        self.moved.append(request)
        self.second.send(time)

    def _priority(self, request: int) -> int:
        priority = self.requests.priority
        return 1 if priority is None else int(priority[request])

    def _decoded(self, number: int, time: int) -> None:
        self._served(self.moved[number], time)

    def outcome(self, *, interrupted: bool) -> Outcome:
        """Return what became of the requests that were sent."""
        first, sent = self.first, self.first.sent
        arrival = np.array(first.lives.arrival[:sent], np.int64)
        requests = evolve(self.requests.rows(np.arange(sent)), arrival=arrival)
        served = first.lives.served().first_of(sent)
        stages = [first]
        if self.second is not None:
            stages.append(self.second)
            served = self._joined(served, self.second.lives.served())
        pools = [stage.pool for stage in stages]
        return Outcome(
            requests=requests,
            served=served,
            gaps=Gaps.joined([group.gaps() for group in stages[-1].groups]),
            runs=[engine.runs for stage in stages for engine in stage.engines],
            capacity=[pool.settings.capacity for pool in pools for _ in range(pool.engines)],
            rejected=sum(engine.rejected for stage in stages for engine in stage.engines),
            interrupted=interrupted,
            decoding_from=len(first.engines) if self.second is not None else 0,
            request_time=first.pool.request_time,
        )

    def part(self) -> None:
        """Let the stages go, which know this loop: a run of the command line collects no cycles."""
        self.first.finished = None
        if self.second is not None:
            self.second.finished = None

    def _joined(self, prefill: Served, decode: Served) -> Served:
        """Return what became of requests whose caches moved, in part by what decode did."""
        several = self.requests.output[: len(prefill.finish)] > 1
        finish = np.where(several, REJECTED, prefill.finish)
        preemptions = prefill.preemptions.copy()
        moved = np.array(self.moved, np.int64)
        finish[moved] = decode.finish
        preemptions[moved] += decode.preemptions
        return evolve(prefill, finish=finish, preemptions=preemptions)


def serve_clients(
    cluster: Cluster,
    requests: Requests,
    clients: Clients,
    progress: Progress = lambda _: None,
) -> Outcome:
    """Serve the requests of clients; their times of arrival are when they are sent.

    Stopped by the keyboard, it says what is known so far.
    """
    loop = _Loop(cluster, requests, clients)
    interrupted = False
    try:
        loop.run(progress)
    except KeyboardInterrupt:
        interrupted = True
    outcome = loop.outcome(interrupted=interrupted)
    loop.part()
    return outcome


def _untimed(requests: Requests) -> Requests:
    return evolve(requests, arrival=np.full(len(requests), REJECTED, np.int64))
