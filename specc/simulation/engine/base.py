"""What all engines share: the queue, the admission of prompts and their chunks, and the cache.

Policies decide what a step takes in and when a request may start; the engine keeps the books.
"""

from abc import ABC, abstractmethod
from array import array
from collections import deque
from collections.abc import Callable

import numpy as np
from attrs import Factory, define, field

from specc.ir import Admission
from specc.results import EngineLimits
from specc.simulation.blocks import BlockCache
from specc.simulation.costs import PICOSECONDS, StepCosts
from specc.simulation.engine.lives import Chunk, Lives
from specc.simulation.policies.admissions import AdmissionPolicy, admission_of
from specc.simulation.policies.schedulers import (
    SchedulerPolicy,
    StepPlan,
    StepView,
    scheduler_of,
)
from specc.simulation.requests import Gaps, Integers, TooLongError
from specc.units import Tokens

NEVER = 100 * 86400 * PICOSECONDS  # no step begins later: 64 bits end at 107 days
LONGEST_RUN = 6 * 86400 * PICOSECONDS  # of steps in a row: what begins before NEVER ends in 64 bits
RUN_COLUMNS = ("start", "steps", "batch", "context", "tokens", "duration", "waiting", "used")
START, STEPS, BATCH, CONTEXT, TOKENS, DURATION, WAITING, USED = range(len(RUN_COLUMNS))


@define
class SimulatedEngine(ABC):
    """An engine with its queue: `submit` requests in the order of arrival, then `advance`.

    What all engines share: the queue, the admission of prompts and their chunks, and the cache.
    """

    settings: EngineLimits
    costs: StepCosts
    lives: Lives
    cache: BlockCache | None = None
    now: int = 0
    waiting: "deque[int]" = Factory(deque)
    running: dict[int, None] = Factory(dict)  # in the order of admission
    rejected: int = 0
    ready: int = 0  # sequences that decode
    scheduler: SchedulerPolicy = field(init=False)
    admission: AdmissionPolicy = Factory(lambda: admission_of(Admission.FIRST_CHUNK))
    _pending: "deque[int]" = Factory(deque)
    # Whether the next step may take in what this one could not.
    _unsettled: bool = False
    _partial: int = -1  # the request whose prompt is begun and not done
    _done: Tokens = 0  # tokens of it in the cache
    _free: int = field(init=False)
    _step_tokens: Tokens = field(init=False)  # new tokens of a step, with its slack
    _longest_prompt: Tokens = field(init=False)
    # Methods of the policies, found once: they are asked for every request.
    _cut: Callable[[Tokens, Tokens, Tokens], Tokens] = field(init=False)
    _to_start: Callable[[Tokens, Tokens], Tokens] = field(init=False)
    _prefilled: bool = False  # whether the last step took in prompts, where a scheduler remembers
    _runs: "array[int]" = field(factory=lambda: array("q"))
    _gaps: "array[int]" = field(factory=lambda: array("q"))  # pairs of duration and number

    def __attrs_post_init__(self) -> None:
        """Start empty."""
        settings = self.settings
        self.now = settings.ready_at
        self._free = settings.capacity
        self.scheduler = scheduler_of(settings.scheduler)
        self._cut, self._to_start = self.scheduler.cut, self.admission.tokens
        self._longest_prompt = self.scheduler.longest_prompt(settings.budget)
        self._step_tokens = int(settings.budget * (1 + settings.slack) + 1e-9)

    @abstractmethod
    def _step(self, until: int) -> None:
        """Run the next step, or several that begin before `until`."""

    @abstractmethod
    def _join(self, request: int, since: int) -> None:
        """Let a request decode from now on; its latest token came at `since`."""

    @abstractmethod
    def _leave(self, request: int) -> None:
        """Take a sequence that decodes out: its cache, and what is known of it so far."""

    @property
    def load(self) -> int:
        """Requests that wait or run."""
        return len(self.waiting) + len(self.running) + len(self._pending)

    @property
    def used(self) -> int:
        """KV-cache blocks in use."""
        return self.settings.capacity - self._free

    @property
    def runs(self) -> Integers:
        """What ran, shape (N, 8): see `RUN_COLUMNS`; a row is like steps in a row."""
        return np.array(self._runs, np.int64).reshape(-1, len(RUN_COLUMNS))

    def submit(self, request: int) -> None:
        """Queue a request for its time of arrival, which is not before that of the last one."""
        prompt = self.lives.input[request]
        fits = self.settings.takes(prompt, self.lives.output[request])
        if fits and prompt <= self._longest_prompt:
            self._pending.append(request)
        else:
            self.rejected += 1

    def advance(self, until: int = NEVER) -> None:
        """Run all steps that begin before `until`."""
        pending, waiting, running = self._pending, self.waiting, self.running
        arrival = self.lives.arrival
        while True:
            now = self.now
            while pending and arrival[pending[0]] <= now:
                waiting.append(pending.popleft())
            if not waiting and not running:
                if not pending or arrival[pending[0]] >= until:
                    return
                self.now = arrival[pending[0]]
                continue
            if now >= until:
                if until == NEVER:
                    raise TooLongError
                return
            self._step(until)

    def _plan(self, ready: int) -> StepPlan:
        """Return what the scheduler does next, if so many sequences could decode."""
        view = StepView(ready, self.settings.budget, self._step_tokens, self._prefilled)
        return self.scheduler.plan(view)

    def _take_in(self, left: Tokens, room: int) -> "list[Chunk]":
        """Take prompts into a step of `left` more tokens, with `room` blocks for them.

        The one that is begun comes first, then those that wait, in order, the last one in part.
        """
        self._unsettled = False
        if self._partial < 0:
            return self._admit(left, room)
        request, done = self._partial, self._done
        rest = self.lives.known[request] - done
        query = self._cut(rest, left, self.settings.budget)
        if query > left or query <= 0:
            return []
        block = self.settings.block
        need = -(-(done + query) // block) - -(-done // block)
        if need > room:
            self._preempt(request)
            self._unsettled = True
            return []
        self._free -= need
        if query < rest:
            self._done = done + query
            return [(request, done, query)]
        self._partial = -1
        return [(request, done, query), *self._admit(left - query, room - need)]

    def _admit(self, left: Tokens, room: int) -> "list[Chunk]":
        """Admit requests that wait, as many as the step, the engine and the cache have room for."""
        lives, waiting, running = self.lives, self.waiting, self.running
        block, budget = self.settings.block, self.settings.budget
        most = min(len(running) + self.settings.admission, self.settings.limit)
        chunks: list[Chunk] = []
        while waiting and left > 0 and len(running) < most:
            request = waiting[0]
            if lives.transferred[request]:
                rest, done = 1, lives.known[request]
            else:
                done = self._found(request)
                rest = lives.known[request] - done
            query = self._cut(rest, left, budget)
            chunk = done + query
            start = self._to_start(chunk, done + rest)
            need = free = -(-chunk // block)
            if start != chunk:
                free = -(-start // block)
            if self.cache is not None:
                shared = self._shared_need(request, done)
                need, free = need + shared, free + shared
            if query > left or free > room:
                break
            waiting.popleft()
            running[request] = None
            room -= need
            left -= query
            if lives.start[request] < 0:
                lives.start[request] = self.now
            if lives.transferred[request]:
                # The first token came elsewhere: it decodes in this very step.
                self._free -= -(-done // block)
                self._unsettled = True
                self._join(request, lives.last[request])
                continue
            self._free -= need
            lives.hits[request] += done
            if self.cache is not None:
                self._share(request, done)
            chunks.append((request, done, query))
            if query < rest:
                self._partial, self._done = request, done + query
                break
        return chunks

    def _preempt(self, request: int) -> None:
        """Take a request out of the batch, without its cache, to the front of the queue."""
        lives = self.lives
        if request == self._partial:
            self._release(request, self._done)
            self._partial = -1
        else:
            self._leave(request)
            lives.known[request] = lives.input[request] + lives.generated[request]
        lives.transferred[request] = False
        lives.preemptions[request] += 1
        del self.running[request]
        self.waiting.appendleft(request)

    def _token(self, request: int) -> None:
        """A prompt is done: its first token, or the next one after a preemption."""
        lives, now = self.lives, self.now
        lives.generated[request] += 1
        if lives.first[request] < 0:
            lives.first[request] = now
        else:
            self._gaps.extend((now - lives.last[request], 1))
        if lives.generated[request] == lives.output[request]:
            self._finished(request, lives.known[request])
        else:
            self._join(request, now)

    def _finished(self, request: int, held: Tokens) -> None:
        """The last token of a request that holds so many tokens: its blocks are for others."""
        if self.cache is not None:
            self._computed(request, held)
        self._release(request, held)
        self.lives.finish[request] = self.now
        del self.running[request]

    def _prompts_done(self, prompts: list[Chunk]) -> None:
        """After a step: the tokens of prompts that are done, and their blocks for others."""
        known = self.lives.known
        for request, done, query in prompts:
            if self.cache is not None:
                self._computed(request, done + query)
            if done + query == known[request]:
                self._token(request)

    def _release(self, request: int, tokens: Tokens) -> None:
        self._free += -(-tokens // self.settings.block)
        if self.cache is not None:
            self._free -= self.cache.shared(request)
            self._free += self.cache.release(request)

    def _found(self, request: int) -> Tokens:
        """Return the tokens of a prompt that need no computing."""
        lives = self.lives
        if self.cache is None or lives.hashes is None:
            return lives.cached[request]
        most = (lives.known[request] - 1) // lives.block_tokens
        return self.cache.match(lives.hashes[request], most) * lives.block_tokens

    def _shared_need(self, request: int, found: Tokens) -> int:
        """Return the blocks that sharing adds to the need of a request: idle ones less all."""
        lives = self.lives
        assert self.cache is not None
        assert lives.hashes is not None
        count = found // lives.block_tokens
        return self.cache.newly_used(lives.hashes[request], count) - count * self.cache.size

    def _share(self, request: int, found: Tokens) -> None:
        lives = self.lives
        assert self.cache is not None
        assert lives.hashes is not None
        self.cache.acquire(request, lives.hashes[request], found // lives.block_tokens)

    def _computed(self, request: int, done: Tokens) -> None:
        """Let others find the blocks of a prompt that are computed."""
        lives = self.lives
        assert self.cache is not None
        assert lives.hashes is not None
        self.cache.insert(request, lives.hashes[request][: done // lives.block_tokens])

    def _record(self, steps: int, batch: int, context: Tokens, tokens: Tokens, took: int) -> None:
        if took > LONGEST_RUN:
            raise TooLongError
        used = self.settings.capacity - self._free
        row = (self.now, steps, batch, context, tokens, took, len(self.waiting), used)
        self._runs.extend(row)

    def gaps(self) -> Gaps:
        """Return the times between tokens of all requests."""
        extra = np.array(self._gaps, np.int64).reshape(-1, 2)
        return Gaps.of(extra[:, 0], extra[:, 1])
