"""Continuous batching, exact and fast: between events a batch only ages.

While the batch stays as it is, all its sequences advance together. So a sequence is a number in a
heap (the turn at which it finishes), the cost of a stride is a difference of prefix sums over the
mean context, and the blocks that a stride needs are a sum over a histogram: (context − turn) mod
block does not change while a sequence decodes. Nothing is touched step by step. Results are those
of a plain loop over steps and sequences, to the last digit.
"""

import heapq
from abc import ABC, abstractmethod
from array import array
from bisect import bisect_left
from collections import deque

import numpy as np
from attrs import Factory, define, field

from specc.ir import Scheduler
from specc.results import EngineLimits
from specc.simulation.blocks import BlockCache
from specc.simulation.costs import PICOSECONDS, StepCosts
from specc.simulation.requests import (
    REJECTED,
    Gaps,
    Integers,
    Requests,
    Served,
    TooLongError,
)
from specc.units import Tokens

NEVER = 100 * 86400 * PICOSECONDS  # no step begins later: 64 bits end at 107 days
LONGEST_RUN = 6 * 86400 * PICOSECONDS  # of steps in a row: what begins before NEVER ends in 64 bits
Chunk = tuple[int, Tokens, Tokens]  # a request, its tokens that are done, its tokens in the step
RUN_COLUMNS = ("start", "steps", "batch", "context", "tokens", "duration", "waiting", "used")
START, STEPS, BATCH, CONTEXT, TOKENS, DURATION, WAITING, USED = range(len(RUN_COLUMNS))


@define
class Lives:
    """The requests of a simulation as lists, one entry each, and what has become of them.

    `known` are the tokens to compute before the next one comes: the prompt, and after a preemption
    also what was generated. `last` is the time of the latest token of a request that is out of
    the batch; `transferred` ones come with the cache of their prompt.
    """

    arrival: list[int]
    input: list[int]
    cached: list[int]
    output: list[int]
    known: list[int]
    generated: list[int]
    last: list[int]
    start: list[int]
    first: list[int]
    finish: list[int]
    preemptions: list[int]
    hits: list[int]
    transferred: list[bool]
    hashes: "list[tuple[int, ...]] | None" = None
    block_tokens: int = 0

    @classmethod
    def of(cls, requests: Requests) -> "Lives":
        """Return requests to which nothing has happened, or whose first token came elsewhere."""
        count = len(requests)
        elsewhere = requests.first_token
        prompt = requests.input.tolist()
        never = [REJECTED] * count
        return cls(
            arrival=requests.arrival.tolist(),
            input=prompt,
            cached=requests.cached.tolist(),
            output=requests.output.tolist(),
            known=list(prompt),
            generated=[0 if elsewhere is None else 1] * count,
            last=list(never) if elsewhere is None else elsewhere.tolist(),
            start=list(never),
            first=list(never) if elsewhere is None else elsewhere.tolist(),
            finish=list(never),
            preemptions=[0] * count,
            hits=[0] * count,
            transferred=[elsewhere is not None] * count,
            hashes=None if requests.blocks is None else [tuple(b) for b in requests.blocks],
            block_tokens=requests.block_tokens,
        )

    def served(self) -> Served:
        """Return what became of them."""
        columns = (self.start, self.first, self.finish, self.preemptions, self.hits)
        return Served(*(np.array(column, np.int64) for column in columns))


def work_of(chunks: list[Chunk]) -> tuple[Tokens, int]:
    """Return the new tokens of chunks, and their query-key pairs that causality leaves."""
    tokens = keys = 0
    for _, done, query in chunks:
        tokens += query
        keys += query * done + query * (query + 1) // 2
    return tokens, keys


@define
class Engine(ABC):
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
    _pending: "deque[int]" = Factory(deque)
    # Whether the next step may take in what this one could not.
    _unsettled: bool = False
    _partial: int = -1  # the request whose prompt is begun and not done
    _done: Tokens = 0  # tokens of it in the cache
    _free: int = field(init=False)
    _whole_chunks: bool = field(init=False)
    _step_tokens: Tokens = field(init=False)  # new tokens of a step, with its slack
    _runs: "array[int]" = field(factory=lambda: array("q"))
    _gaps: "array[int]" = field(factory=lambda: array("q"))  # pairs of duration and number

    def __attrs_post_init__(self) -> None:
        """Start empty."""
        settings = self.settings
        self.now = settings.ready_at
        self._free = settings.capacity
        self._whole_chunks = settings.scheduler is Scheduler.DECODE_FIRST_WITH_SLACK
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
        lives = self.lives
        if self.settings.takes(lives.input[request], lives.output[request]):
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

    def _take_in(self, left: Tokens, room: int) -> "list[Chunk]":
        """Take prompts into a step of `left` more tokens, with `room` blocks for them.

        The one that is begun comes first, then those that wait, in order, the last one in part.
        """
        self._unsettled = False
        if self._partial < 0:
            return self._admit(left, room)
        request, done = self._partial, self._done
        rest = self.lives.known[request] - done
        query = min(rest, self.settings.budget if self._whole_chunks else left)
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
        block, most = self.settings.block, len(running) + self.settings.admission
        most = min(most, self.settings.limit)
        chunks: list[Chunk] = []
        while waiting and left > 0 and len(running) < most:
            request = waiting[0]
            if lives.transferred[request]:
                rest, done = 1, lives.known[request]
            else:
                done = self._found(request)
                rest = lives.known[request] - done
            query = min(rest, self.settings.budget if self._whole_chunks else left)
            need = -(-(done + query) // block)
            if self.cache is not None:
                need += self._shared_need(request, done)
            if query > left or need > room:
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


@define
class Continuous(Engine):
    """Continuous batching in which every step decodes all that is ready, or nothing.

    A turn is a decode step. A sequence that began to decode at turn b, after `known` tokens, has
    the context known + 1 + (turn − b) in the step of a turn.
    """

    turn: int = 0
    _finishing: list[int] = Factory(list)  # turn · number of requests + request
    _ends: dict[int, int] = Factory(dict)  # turn of each sequence that decodes
    _began: dict[int, int] = Factory(dict)
    _offset: int = 0  # Σ over sequences that decode of known + 1 − began
    _residues: list[int] = field(init=False)
    _prefill_first: bool = field(init=False)
    # When all sequences that decode had their last token, but for the fresh ones.
    _token_at: int = 0
    _fresh: dict[int, int] = Factory(dict)

    def __attrs_post_init__(self) -> None:
        """Start empty."""
        super().__attrs_post_init__()
        self._residues = [0] * self.settings.block
        self._prefill_first = self.settings.scheduler is Scheduler.PREFILL_FIRST

    def _step(self, until: int) -> None:
        """Run the next step, and those after it in which the batch only ages."""
        once, taken = False, []
        needed = self._residues[self.turn % self.settings.block]
        if self._prefill_first:
            taken = self._take_in(self.settings.budget, self._free)
            once = self._unsettled
        elif needed <= self._free and (
            self._partial >= 0 or (self.waiting and len(self.running) < self.settings.limit)
        ):
            left, room = self._step_tokens - self.ready, self._free - needed
            self._unsettled = False
            taken = self._take_in(left, room) if self._partial >= 0 else self._admit(left, room)
            once = self._unsettled
        if taken:
            self._mixed(taken, 0 if self._prefill_first else self.ready)
            return
        if needed > self._free:
            self._make_room()
            once = True
        self._age(until, once)

    def _mixed(self, prompts: list[Chunk], decoding: int) -> None:
        """Run a step that prefills, and decodes all sequences that are ready or none."""
        tokens, keys = work_of(prompts)
        context = 0
        if decoding:
            self._free -= self._residues[self.turn % self.settings.block]
            context = self._offset // decoding + self.turn
        if self.cache is not None:
            self.cache.trim(self._free)
        duration = self.costs.mixed(tokens, keys, decoding, context)
        self._record(1, decoding, context, tokens, duration)
        if decoding:
            if self._fresh or self.now != self._token_at:
                self._late(duration)
            self.turn += 1
        end = self.now = self.now + duration
        if decoding:
            self._token_at = end
            self._finish()
        self._prompts_done(prompts)

    def _age(self, until: int, once: bool) -> None:
        """Run decode steps until something else can happen, or one step."""
        batch, turn, heap = self.ready, self.turn, self._finishing
        count, ends = len(self.lives.arrival), self._ends
        while ends.get(heap[0] % count) != heap[0] // count:
            heapq.heappop(heap)
        steps = 1 if once else heap[0] // count - turn
        context = self._offset // batch + turn
        sums = self.costs.decode(batch)
        if steps > 1:
            if self._pending and not self.waiting and len(self.running) < self.settings.limit:
                until = min(until, self.lives.arrival[self._pending[0]])
            if until < NEVER:
                last = sums[context] + until - self.now
                steps = max(1, bisect_left(sums, last, context, context + steps) - context)
        needed = self._demand(steps)
        if needed > self._free:
            steps = self._affordable(steps)
            needed = self._demand(steps)
        if self.waiting and self.cache is not None and self.cache.evicts(self._free - needed):
            # Without its prefix a prompt may fit, as it comes in smaller chunks.
            steps, needed = 1, self._demand(1)
        self._free -= needed
        if self.cache is not None:
            self.cache.trim(self._free)
        duration = sums[context + steps] - sums[context]
        self._record(steps, batch, context, 0, duration)
        if self._fresh or self.now != self._token_at:
            self._late(sums[context + 1] - sums[context])
        self._token_at = self.now = self.now + duration
        self.turn = turn + steps
        self._finish()

    def _demand(self, steps: int) -> int:
        """Return the blocks that sequences need in the next decode steps."""
        residues, block = self._residues, self.settings.block
        first = self.turn % block
        if steps == 1:
            return residues[first]
        rounds, rest = divmod(steps, block)
        needed = rounds * self.ready + sum(residues[first : first + rest])
        if first + rest > block:
            needed += sum(residues[: first + rest - block])
        return needed

    def _affordable(self, steps: int) -> int:
        """Return how many of the steps there are blocks for; there are for the first."""
        low, high = 1, steps
        while high - low > 1:
            middle = (low + high) // 2
            if self._demand(middle) <= self._free:
                low = middle
            else:
                high = middle
        return low

    def _make_room(self) -> None:
        """Preempt the latest admitted until those that stay can decode."""
        turn, residues = self.turn % self.settings.block, self._residues
        while residues[turn] > self._free:
            self._preempt(next(reversed(self.running)))

    def _join(self, request: int, since: int) -> None:
        if since != self._token_at:
            self._fresh[request] = since
        lives, turn = self.lives, self.turn
        end = turn + lives.output[request] - lives.generated[request]
        self._ends[request] = end
        self._began[request] = turn
        heapq.heappush(self._finishing, end * len(lives.arrival) + request)
        self._offset += lives.known[request] + 1 - turn
        self._residues[(turn - lives.known[request]) % self.settings.block] += 1
        self.ready += 1

    def _leave(self, request: int) -> None:
        lives = self.lives
        left = self._ends[request] - self.turn
        held = lives.known[request] + self.turn - self._began[request]
        lives.generated[request] = lives.output[request] - left
        lives.last[request] = self._fresh.pop(request, self._token_at)
        self._end_decode(request)
        self._release(request, held)

    def _end_decode(self, request: int) -> None:
        known, began = self.lives.known[request], self._began.pop(request)
        del self._ends[request]
        self._offset -= known + 1 - began
        self._residues[(began - known) % self.settings.block] -= 1
        self.ready -= 1

    def _finish(self) -> None:
        """End the sequences that have all their tokens."""
        heap, count, lives = self._finishing, len(self.lives.arrival), self.lives
        while heap and heap[0] // count <= self.turn:
            turn, request = divmod(heapq.heappop(heap), count)
            if self._ends.get(request) == turn:
                self._end_decode(request)
                self._finished(request, lives.input[request] + lives.output[request] - 1)

    def _late(self, duration: int) -> None:
        """Count the gaps before the tokens of a decode step that are longer than the step."""
        end = self.now + duration
        old = self.ready - len(self._fresh)
        if self.now != self._token_at and old:
            self._gaps.extend((duration, -old, end - self._token_at, old))
        for since in self._fresh.values():
            if since != self.now:
                self._gaps.extend((duration, -1, end - since, 1))
        self._fresh.clear()

    def gaps(self) -> Gaps:
        """Return the times between tokens of all requests."""
        extra, runs = Engine.gaps(self), self.runs
        durations, counts = [extra.durations], [extra.counts]
        mixed = runs[(runs[:, TOKENS] > 0) & (runs[:, BATCH] > 0)]
        durations.append(mixed[:, DURATION])
        counts.append(mixed[:, BATCH])
        aging = runs[runs[:, TOKENS] == 0]
        for batch in np.unique(aging[:, BATCH]).tolist():
            rows = aging[aging[:, BATCH] == batch]
            first, last = rows[:, CONTEXT], rows[:, CONTEXT] + rows[:, STEPS]
            low, high = int(first.min()), int(last.max())
            sums: Integers = np.array(self.costs.decode(batch)[low : high + 1], np.int64)
            often = np.zeros(high - low + 1, np.int64)
            np.add.at(often, first - low, batch)
            np.add.at(often, last - low, -batch)
            often = np.cumsum(often)[:-1]
            durations.append(np.diff(sums)[often > 0])
            counts.append(often[often > 0])
        return Gaps.of(np.concatenate(durations), np.concatenate(counts))
