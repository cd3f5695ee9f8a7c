"""What all engines share: the queue, the admission of prompts and their chunks, and the cache.

Policies decide what a step takes in and when a request may start; the engine keeps the books. A
step is composed, and then completed with what it took: an engine alone, or several in step, ask
the costs in between.

With asynchronous scheduling a step is composed when the one before begins. Its books are those of
an engine that composes when that one ends, but for two things: it does not see requests that came
meanwhile, and what ends in the step before has its place and its blocks until then.
"""

from abc import ABC, abstractmethod
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from attrs import Factory, define, field

from specc.results import EngineLimits
from specc.simulation.blocks import BlockCache
from specc.simulation.costs import PICOSECONDS, StepCosts
from specc.simulation.drafts import Drafts
from specc.simulation.engine.lives import Chunk, Lives
from specc.simulation.policies.admissions import admission_of
from specc.simulation.policies.queues import QueuePolicy, WaitingRequests, queue_of
from specc.simulation.policies.schedulers import (
    SchedulerPolicy,
    StepPlan,
    StepView,
    scheduler_of,
)
from specc.simulation.policies.schedulers.base import UNLIMITED
from specc.simulation.requests import Gaps, Integers, TooLongError
from specc.units import Tokens

NEVER = 100 * 86400 * PICOSECONDS  # no step begins later: 64 bits end at 107 days
LONGEST_RUN = 6 * 86400 * PICOSECONDS  # of steps in a row: what begins before NEVER ends in 64 bits
RUN_COLUMNS = ("start", "steps", "batch", "context", "tokens", "duration", "waiting", "used")
START, STEPS, BATCH, CONTEXT, TOKENS, DURATION, WAITING, USED = range(len(RUN_COLUMNS))


# A tuple, as an engine makes one for every step.
class EngineStep(NamedTuple):
    """A step that is composed.

    Attributes:
        prompts: chunks of prompts that it takes in.
        tokens, keys: new tokens of these, and their query-key pairs that causality leaves.
        batch: sequences that it decodes.
        context: their mean context, rounded down.
        steps: how many like it may follow each other, each some tokens longer, if no request comes.
    """

    prompts: "list[Chunk]"
    tokens: Tokens
    keys: int
    batch: int
    context: Tokens
    steps: int = 1


@define
class SimulatedEngine(ABC):
    """An engine with its queue: `submit` requests in the order of arrival, then `advance`."""

    settings: EngineLimits
    costs: StepCosts
    lives: Lives
    cache: BlockCache | None = None
    now: int = 0
    waiting: WaitingRequests = field(init=False)
    running: dict[int, None] = Factory(dict)  # in the order of admission
    rejected: int = 0
    ended: list[int] | None = None  # requests that ended, for one who asks for them
    ready: int = 0  # sequences that decode
    scheduler: SchedulerPolicy = field(init=False)
    queue: QueuePolicy = field(init=False)
    drafts: Drafts | None = None  # what becomes of drafted tokens
    _pending: "deque[int]" = Factory(deque)
    _seen: int = 0  # requests that came until then are known to the step that is composed next
    # Whether the next step may take in what this one could not.
    _unsettled: bool = False
    # Requests whose prompt is begun and not done, with the tokens of it in the cache.
    _begun: dict[int, Tokens] = Factory(dict)
    # What ended in the step before one that was composed ahead: tokens in the cache of each.
    _leaving: dict[int, Tokens] = Factory(dict)
    _again: int = 0  # requests that wait after a preemption
    _preempted: bool = False  # by the step that is being composed
    # Settings that every step looks at.
    _limit: int = field(init=False)
    _new: Tokens = field(init=False)  # of a sequence that decodes, in a step
    _ahead: bool = field(init=False)
    _overtakes: bool = field(init=False)  # whether what comes may start before what waits
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
        self.now = self._seen = settings.ready_at
        self._free = settings.capacity
        self._limit, self._ahead = settings.limit, settings.async_scheduling
        self._new = settings.new
        if settings.acceptance:
            self.drafts = Drafts.of(settings.acceptance, self.lives.seed, settings.longest)
        self.scheduler, self.queue = scheduler_of(settings.scheduler), queue_of(settings.queue)
        self.waiting = self.queue.waiting(self.lives.priority)
        self._overtakes = self.queue.overtakes
        self._cut, self._to_start = self.scheduler.cut, admission_of(settings.start).tokens
        self._longest_prompt = self.scheduler.longest_prompt(settings.budget)
        self._step_tokens = int(settings.budget * (1 + settings.slack) + 1e-9)

    @abstractmethod
    def compose(self) -> EngineStep | None:
        """Compose the next step; `complete` has to follow.

        None if nothing could be taken in beside what ends: then it can be asked again at once.
        """

    @abstractmethod
    def complete(self, step: EngineStep, steps: int, took: int, ends: tuple[int, int]) -> None:
        """Run so many steps like the one composed.

        Args:
            step: what was composed.
            steps: how many like it run.
            took: how long they take together.
            ends: how long the first and the last of them take.
        """

    @abstractmethod
    def _join(self, request: int, since: int) -> None:
        """Let a request decode from now on; its latest token came at `since`."""

    @abstractmethod
    def _leave(self, request: int) -> None:
        """Take a sequence that decodes out: its cache, and what is known of it so far."""

    @property
    def waits(self) -> int:
        """Requests that came and did not start."""
        return len(self.waiting) + len(self._pending)

    @property
    def used(self) -> int:
        """KV-cache blocks in use."""
        return self.settings.capacity - self._free

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do until the next request comes."""
        return not self.waiting and not self.running

    @property
    def is_done(self) -> bool:
        """Whether all requests that were submitted have left."""
        return self.is_idle and not self._pending

    @property
    def next_step(self) -> int:
        """When the next step begins, at the earliest."""
        return max(self.now, self.next_arrival) if self.is_idle else self.now

    @property
    def next_change(self) -> int:
        """A time before which it neither starts nor ends a request, and none waits."""
        return self.next_step

    def only_ages(self) -> EngineStep | None:
        """Return the steps in which its batch only ages, if nothing else is to be done before.

        None where that is not known.
        """
        return None

    @property
    def next_arrival(self) -> int:
        """When the next request comes that has not been seen; `NEVER` if none does."""
        return self.lives.arrival[self._pending[0]] if self._pending else NEVER

    @property
    def runs(self) -> Integers:
        """What ran, shape (N, 8): see `RUN_COLUMNS`; a row is like steps in a row."""
        return np.array(self._runs, np.int64).reshape(-1, len(RUN_COLUMNS))

    def found(self, request: int) -> Tokens:
        """Return the tokens of a prompt that need no computing here, as far as hashes say."""
        if self.cache is None or self.lives.hashes is None:
            return 0
        hashes = self.lives.hashes[request]
        return self.cache.match(hashes, len(hashes)) * self.lives.block_tokens

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
        while not self.rests(until):
            self._step(until)

    def rests(self, until: int) -> bool:
        """Take in what has come, and tell whether no further step begins before `until`.

        Raises:
            TooLongError: 64 bits cannot tell when the next one begins.
        """
        self.arrive()
        if not self.waiting and not self.running:
            came = self.next_arrival
            if not self._pending or came >= until:
                return True
            self.wait(max(self.now, came))
            self.arrive()
        if self.now < until:
            return False
        if until == NEVER:
            raise TooLongError
        return True

    def wait(self, until: int) -> None:
        """Do nothing until a time: what has come by then is known to the next step."""
        self.now = self._seen = until

    def arrive(self) -> None:
        """Take in the requests that the next step knows of."""
        pending, arrival = self._pending, self.lives.arrival
        while pending and arrival[pending[0]] <= self._seen:
            self.waiting.append(pending.popleft())

    def _step(self, until: int) -> None:
        """Run the next step, or several like it that begin before `until`."""
        step = self.compose()
        if step is None:
            return
        prompts, tokens, keys, batch, context, steps = step
        if prompts:
            took = self.costs.mixed(tokens, keys, batch, context)
            self.complete(step, 1, took, (took, took))
            return
        sums = self.costs.decode(batch)
        if steps > 1:
            steps = self.within(until, steps, sums, context)
        begin, end = sums[context], context + steps
        ends = sums[context + 1] - begin, sums[end] - sums[end - 1]
        self.complete(step, steps, sums[end] - begin, ends)

    def within(self, until: int, steps: int, ends: Sequence[int], first: int) -> int:
        """Return how many of some steps run before a request may start, or `until`.

        Args:
            until: no step begins from then on.
            steps: how many there are.
            ends: [first + n] − [first] is how long the first n take.
            first: where they begin in it.
        """
        passed, pending, last = ends[first] - self.now, self._pending, first + steps
        may_start = not self.waiting or self._overtakes
        if pending and may_start and len(self.running) < self._limit:
            came = self.lives.arrival[pending[0]]  # it could start at once
            if came < until:
                last = bisect_left(ends, came + passed, first, last)
                if self._ahead and self.running:
                    last = min(last + 1, first + steps)
        if until < NEVER:
            last = bisect_left(ends, until + passed, first, last)
        return max(1, last - first)

    def _plan(self, ready: int) -> StepPlan:
        """Return what the scheduler does next, if so many sequences could decode."""
        tokens = ready * self._new
        view = StepView(tokens, self.settings.budget, self._step_tokens, self._prefilled)
        return self.scheduler.plan(view)

    def _take_in(self, left: Tokens, room: int) -> "list[Chunk]":
        """Take prompts into a step of `left` more tokens, with `room` blocks for them.

        The one that is begun comes first, then those that wait, in order, the last one in part.
        """
        self._unsettled = False
        if not self._begun:
            return self._admit(left, room)
        ((request, done),) = self._begun.items()
        rest = self.lives.known[request] - done
        query = self._cut(rest, left, self.settings.budget)
        if query > left or query <= 0:
            return []
        need = self._growth(done, query)
        if need > room:
            self._preempt(request)
            self._unsettled = True
            return []
        self._prefill(request, done, query, room - need)
        chunk = (request, done, query)
        if query < rest or self._preempted:
            return [chunk]
        return [chunk, *self._admit(left - query, room - need)]

    def _make_room_for_prompt(self, upcoming: Callable[[], tuple[StepPlan, int]]) -> bool:
        """Preempt until the prompt that is begun has room beside what decodes; True if it did.

        By the order of arrival that is the prompt itself; here it may be before others.
        `upcoming` tells what the scheduler does next, and the blocks that decoding needs then.
        """
        while self._begun:
            ((request, done),) = self._begun.items()
            (decodes, prompts), needed = upcoming()
            query = self._cut(self.lives.known[request] - done, prompts, self.settings.budget)
            own = self._growth(done, query) if 0 < query <= prompts else 0
            if own + (needed if decodes else 0) <= self._free:
                break
            self._preempt(self._victim())
        return self._preempted

    def _victim(self) -> int:
        """Return what is preempted next."""
        return self.queue.victim(self.running, self.lives.priority)

    def _growth(self, held: Tokens, query: Tokens) -> int:
        """Return the blocks that more tokens of a sequence need."""
        block = self.settings.block
        return -(-(held + query) // block) - -(-held // block)

    def _prefill(self, request: int, done: Tokens, query: Tokens, left: int) -> None:
        """Give the next chunk of a prompt its blocks, which leaves so many to what prompts need.

        Those that are full can be found from now on.
        """
        self._free -= self._growth(done, query)
        if self.cache is not None:
            self._publish(request, done + query)
            self.cache.trim(left)
        if done + query < self.lives.known[request]:
            self._begun[request] = done + query
        else:
            self._begun.pop(request, None)

    def _admit(self, left: Tokens, room: int, most: Tokens = UNLIMITED) -> "list[Chunk]":
        """Admit requests that wait, as many as the step, the engine and the cache have room for.

        Args:
            left: new tokens that the step takes.
            room: blocks that are free for them.
            most: new tokens that it takes of one prompt.
        """
        lives, waiting, running, cache = self.lives, self.waiting, self.running, self.cache
        block, budget = self.settings.block, self.settings.budget
        hashes = lives.hashes
        places = min(len(running) + self.settings.admission, self.settings.limit)
        several = self.settings.long_prompt > 0  # prompts may be begun at a time
        chunks: list[Chunk] = []
        while waiting and left > 0 and len(running) < places:
            request = waiting[0]
            if lives.transferred[request]:
                need = -(-self.settings.reach(lives.known[request]) // block)
                if need > room:
                    break
                room, left = room - need, left - self._new
                self._take_over(request)
                if cache is not None and cache.idle > room:
                    cache.trim(room)
                continue
            known, done = lives.known[request], lives.cached[request]
            hashed = own = shared = 0
            looks = cache is not None and (hashes is not None or lives.preemptions[request] > 0)
            if looks:
                assert cache is not None
                hashed, own = self._find(request)
                done = hashed * lives.block_tokens + own * block
                shared = cache.in_use(self._hashes(request), hashed)
            rest = known - done
            query = self._cut(rest if rest < most else most, left, budget)
            chunk = done + query
            need = -(-chunk // block) - shared
            if query > left or -(-self._to_start(chunk, known) // block) - shared > room:
                break
            self._start(request)
            room, left = room - need, left - query
            self._free -= need
            lives.hits[request] += done
            if cache is not None:
                if looks:
                    cache.acquire(request, self._hashes(request), hashed, own)
                    self._publish(request, chunk)
                if cache.idle > room:
                    cache.trim(room)
            chunks.append((request, done, query))
            if query < rest:
                self._begun[request] = chunk
                if not several:
                    break
        return chunks

    def _start(self, request: int) -> None:
        """Let the first request that waits run."""
        self.waiting.popleft()
        self.running[request] = None
        self._again -= self.lives.preemptions[request] > 0
        if self.lives.start[request] < 0:
            self.lives.start[request] = self._seen

    def _take_over(self, request: int) -> None:
        """Start a request whose first token came elsewhere: it decodes in this very step."""
        held = self.lives.known[request]
        self._start(request)
        self._free -= -(-held // self.settings.block)
        self._unsettled = True
        if self.cache is not None:
            self._publish(request, held)
        self._join(request, self.lives.last[request])

    def _preempt(self, request: int) -> None:
        """Take a request out of the batch, without its cache, to the front of the queue."""
        lives = self.lives
        self._preempted = True
        lives.preemptions[request] += 1
        self._again += 1
        del self.running[request]
        if request in self._leaving:  # its last token is on its way
            held = self._leaving.pop(request)
            self._release(request, held, self._known_before(request, held), keep=False)
            return
        if request in self._begun:
            done = self._begun.pop(request)
            self._release(request, done, done, keep=True)
        else:
            self._leave(request)
            lives.known[request] = lives.input[request] + lives.generated[request]
        lives.transferred[request] = False
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

    def _finished(self, request: int, held: Tokens, computed: Tokens | None = None) -> None:
        """The last token of a request that has blocks for so many tokens: they are for others.

        Where the next step is composed already they are, and its place is, from the one after.
        `computed` are the tokens that it holds, if these are not as many.
        """
        self.lives.finish[request] = self.now
        if self.ended is not None:
            self.ended.append(request)
        if self._ahead:
            self._leaving[request] = held
            self._publish(request, self._known_before(request, held))
        else:
            self._release(request, held, held if computed is None else computed, keep=False)
            del self.running[request]

    def _known_before(self, request: int, held: Tokens) -> Tokens:
        """Return the tokens that were known before the step that brought the last one."""
        lives = self.lives
        return held - 1 if held > lives.known[request] + lives.transferred[request] else held

    def _settle(self) -> None:
        """Let go what ended before the step that is composed."""
        for request, held in self._leaving.items():
            self._release(request, held, held, keep=False)
            del self.running[request]
        self._leaving.clear()

    def _prompts_done(self, prompts: "list[Chunk]") -> None:
        """After a step: the tokens of prompts that are done."""
        known = self.lives.known
        for request, done, query in prompts:
            if done + query == known[request]:
                self._token(request)

    def _pass(self, took: int, last: int) -> None:
        """Let the time of some steps pass, and note what the next step knows of."""
        self.now += took
        self._seen = self.now - last if self._ahead else self.now

    def _release(self, request: int, held: Tokens, published: Tokens, *, keep: bool) -> None:
        """Give the blocks of `held` tokens back, of which those `published` are computed."""
        block, cache = self.settings.block, self.cache
        blocks = -(-held // block)
        if cache is not None:
            if self.lives.hashes is not None:
                self._publish(request, published)
            blocks = cache.release(request, blocks, published // block, keep=keep)
        self._free += blocks

    def _hashes(self, request: int) -> "tuple[int, ...]":
        hashes = self.lives.hashes
        return () if hashes is None else hashes[request]

    def _find(self, request: int) -> tuple[int, int]:
        """Return the blocks with a hash, and those of its own, that a request need not compute.

        A token at least is left to compute.
        """
        lives, cache = self.lives, self.cache
        assert cache is not None
        most, hashed = lives.known[request] - 1, 0
        if lives.hashes is not None:
            hashed = cache.match(lives.hashes[request], most // lives.block_tokens)
        rest = most // self.settings.block - hashed * cache.size
        return hashed, cache.own(request, hashed, rest)

    def _publish(self, request: int, tokens: Tokens) -> None:
        """Let others find the blocks of the first tokens, which are scheduled."""
        lives, cache = self.lives, self.cache
        if lives.hashes is not None and cache is not None:
            cache.publish(request, lives.hashes[request], tokens // lives.block_tokens)

    def _record(self, step: EngineStep, steps: int, took: int) -> None:
        if took > LONGEST_RUN:
            raise TooLongError
        _, tokens, _, batch, context, _ = step
        used, waits = self.settings.capacity - self._free, len(self.waiting)
        self._runs.extend((self.now, steps, batch, context, tokens, took, waits, used))

    def gaps(self) -> Gaps:
        """Return the times between tokens of all requests."""
        return self.noted_gaps

    @property
    def noted_gaps(self) -> Gaps:
        """The times between tokens that were noted one by one."""
        extra = np.array(self._gaps, np.int64).reshape(-1, 2)
        return Gaps.of(extra[:, 0], extra[:, 1])
