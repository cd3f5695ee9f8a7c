"""A plain engine: one step at a time, one sequence at a time. It is slow, and easy to believe.

Blocks are objects in a queue, as in the engines that are simulated; a step that is composed while
another runs waits in a variable of its own. It asks the policies what a step does, as any engine
does; the books of blocks, sequences and time are its own.
"""

from collections import Counter, defaultdict, deque
from functools import cache

import numpy as np
from attrs import Factory, define

from specc.ir import Queue
from specc.results import EngineLimits
from specc.simulation.costs import RankCosts, StepCosts
from specc.simulation.policies.admissions import AdmissionPolicy, admission_of
from specc.simulation.policies.schedulers import (
    SchedulerPolicy,
    StepPlan,
    StepView,
    scheduler_of,
)
from specc.simulation.requests import REJECTED, Requests

Key = tuple[object, ...]


@cache
def draws(seed: int) -> list[float]:
    """Random numbers, one for each step of a request; it begins at a place of its own."""
    return np.random.default_rng([seed, 7]).random(1 << 20).tolist()


@define(eq=False)
class Block:
    """A block of the KV cache: what it holds, if that can be found, and who uses it.

    A block with a hash may be of several, its `group`: without one of them it cannot be found.
    """

    key: Key | None = None
    users: int = 0
    group: "list[Block]" = Factory(list)


@define(eq=False)
class BlockQueue:
    """All blocks: those that nobody uses in a queue, and which can be found by what they hold."""

    free: deque[Block]
    found: defaultdict[Key, list[Block]] = Factory(lambda: defaultdict(list))

    def take(self) -> Block:
        block = self.free.popleft()
        for other in [block, *block.group]:
            self.name(other, None)
        block.users = 1
        return block

    def name(self, block: Block, key: Key | None) -> None:
        if block.key is not None:
            self.found[block.key].remove(block)
        block.key, block.group = key, []
        if key is not None:
            self.found[key].append(block)

    def use(self, block: Block) -> None:
        if not block.users:
            self.free.remove(block)
        block.users += 1

    def give_back(self, table: list[Block]) -> None:
        """Last block first; what cannot be found is the first to be taken again."""
        for block in reversed(table):
            block.users -= 1
            if not block.users and block.key is None:
                self.free.appendleft(block)
            elif not block.users:
                self.free.append(block)


@define(eq=False)
class Sequence:
    """A request: `held` tokens are computed or will be, `target` must be before its next token.

    `flying` are the tokens that come from steps that are composed and not yet done.
    """

    number: int
    arrival: int
    prompt: int
    cached: int
    answer: int
    target: int
    held: int = 0
    generated: int = 0
    flying: int = 0
    start: int = REJECTED
    first: int = REJECTED
    last: int = REJECTED
    finish: int = REJECTED
    preemptions: int = 0
    hits: int = 0
    transferred: bool = False
    priority: int = 1
    hashes: tuple[int, ...] = ()
    table: list[Block] = Factory(list)

    steps: int = 0

    @property
    def decodes(self) -> bool:
        return self.held >= self.target

    @property
    def ends(self) -> bool:
        """Whether its last token is on its way."""
        return self.generated + self.flying >= self.answer


@define(eq=False)
class ComposedStep:
    """What a step takes in: of prompts the sequence, new tokens, those before, and whether it is
    the last chunk; of what decodes the sequence and its tokens before."""

    prompts: list[tuple[Sequence, int, int, bool]] = Factory(list)
    decoding: list[tuple[Sequence, int]] = Factory(list)

    @property
    def tokens(self) -> int:
        return sum(query for _, query, _, _ in self.prompts)

    @property
    def keys(self) -> int:
        return sum(sum(range(done + 1, done + query + 1)) for _, query, done, _ in self.prompts)

    @property
    def batch(self) -> int:
        return len(self.decoding)

    @property
    def context(self) -> int:
        return sum(held + 1 for _, held in self.decoding) // max(1, self.batch)

    def __bool__(self) -> bool:
        return bool(self.prompts or self.decoding)


@define
class PlainEngine:
    """As `SimulatedEngine`, without its shortcuts."""

    settings: EngineLimits
    costs: StepCosts
    sequences: list[Sequence]
    pool: BlockQueue
    now: int = 0
    steps: int = 0
    coming: list[Sequence] = Factory(list)
    waiting: list[Sequence] = Factory(list)
    running: list[Sequence] = Factory(list)
    turns: list[Sequence] = Factory(list)
    prefilled: bool = False
    ahead: ComposedStep | None = None
    gaps: "Counter[int]" = Factory(Counter)
    most_used: int = 0
    block_tokens: int = 0
    flat: bool = False
    left: int = 0  # of the budget of the step that is being composed
    preempted: bool = False  # by the step that is being composed
    seed: int = 0

    @property
    def new(self) -> int:
        """Tokens of a sequence that decodes in a step."""
        return 1 + len(self.settings.acceptance)

    def reserved(self, sequence: Sequence) -> int:
        """More tokens than it holds that a sequence needs blocks for, to decode: those that are
        drafted, and as many after them."""
        more = 1 + 2 * len(self.settings.acceptance)
        return min(more, self.settings.longest - sequence.held)

    def accepted(self, sequence: Sequence) -> int:
        """Tokens that come with the one of a step, one by one as they are drafted."""
        place = sequence.number * 0x9E3779B1 % (1 << 20) + sequence.steps
        sequence.steps += 1
        drawn = draws(self.seed)[place % (1 << 20)]
        count = 0
        while count < len(self.settings.acceptance) and drawn < self.settings.acceptance[count]:
            count += 1
        return count

    @property
    def scheduler(self) -> SchedulerPolicy:
        return scheduler_of(self.settings.scheduler)

    @property
    def admission(self) -> AdmissionPolicy:
        return admission_of(self.settings.start)

    @property
    def caching(self) -> bool:
        return self.settings.prefix_caching and not self.flat

    @classmethod
    def of(cls, settings: EngineLimits, costs: StepCosts, requests: Requests) -> "PlainEngine":
        rows = zip(
            requests.arrival.tolist(),
            requests.input.tolist(),
            requests.cached.tolist(),
            requests.output.tolist(),
            strict=True,
        )
        sequences = [Sequence(i, a, p, c, o, p) for i, (a, p, c, o) in enumerate(rows)]
        if requests.first_token is not None:
            for sequence, first in zip(sequences, requests.first_token.tolist(), strict=True):
                sequence.first = sequence.last = first
                sequence.generated = 1
                sequence.transferred = True
        if requests.priority is not None:
            for sequence, priority in zip(sequences, requests.priority.tolist(), strict=True):
                sequence.priority = priority
        if requests.blocks is not None:
            for sequence, hashes in zip(sequences, requests.blocks, strict=True):
                sequence.hashes = tuple(hashes)
        # More blocks than all requests take together make no difference.
        drafted = 2 * len(settings.acceptance)
        most = sum(settings.blocks(s.prompt + s.answer + drafted) for s in sequences) + 1
        engine = cls(
            settings,
            costs,
            sequences,
            BlockQueue(deque(Block() for _ in range(min(settings.capacity, most)))),
            now=settings.ready_at,
            block_tokens=requests.block_tokens or settings.block,
            flat=bool(requests.cached.any()),
            seed=requests.seed,
        )
        engine.coming = [s for s in sequences if engine.accepts(s)]
        return engine

    @property
    def by_priority(self) -> bool:
        return self.settings.queue is Queue.PRIORITY

    def wait(self, sequence: Sequence, place: int) -> None:
        """Let a request wait, at its place in the order of arrival or in that of priorities."""
        self.waiting.insert(place, sequence)
        if self.by_priority:
            self.waiting.sort(key=lambda s: (s.priority, s.number))

    @property
    def victim(self) -> Sequence:
        """What is preempted next: the latest admitted, or the last in the order of priorities."""
        if self.by_priority:
            return max(self.running, key=lambda s: (s.priority, s.number))
        return self.running[-1]

    def blocks(self, tokens: int) -> int:
        return -(-tokens // self.settings.block)

    @property
    def free(self) -> int:
        return len(self.pool.free)

    # What can be found.

    def keys(self, sequence: Sequence, tokens: int) -> list[Key]:
        """Names of the full blocks of the first tokens: those of hashes, and its own."""
        block = self.settings.block
        size = self.block_tokens // block
        hashed = min(tokens // self.block_tokens, len(sequence.hashes))
        keys: list[Key] = [(h, i) for h in sequence.hashes[:hashed] for i in range(size)]
        own = range(len(keys), tokens // block)
        return keys + [("own", sequence.number, index) for index in own]

    def publish(self, sequence: Sequence, tokens: int) -> None:
        """Let the full blocks of the first tokens be found."""
        if not self.caching:
            return
        for block, key in zip(sequence.table, self.keys(sequence, tokens), strict=False):
            if block.key != key:
                self.pool.name(block, key)
        size = self.block_tokens // self.settings.block
        hashed = min(tokens // self.block_tokens, len(sequence.hashes)) * size
        for index in range(hashed):
            first = index // size * size
            sequence.table[index].group = sequence.table[first : first + size]

    def match(self, sequence: Sequence) -> list[Block]:
        """The leading blocks that are there; a token at least is left to compute."""
        if not self.caching:
            return []
        most, size = sequence.target - 1, self.block_tokens // self.settings.block
        blocks: list[Block] = []
        for key in sequence.hashes[: most // self.block_tokens]:
            if not self.pool.found.get((key, 0)):
                break
            blocks += [self.pool.found[key, index][0] for index in range(size)]
        own = range(len(blocks), most // self.settings.block)
        for index in own:
            copies = self.pool.found.get(("own", sequence.number, index))
            if not copies:
                break
            blocks.append(copies[0])
        return blocks

    def lose(self, sequence: Sequence) -> None:
        """What a sequence computed for itself before and does not use now, nobody finds again."""
        for block in list(self.pool.free):
            if block.key is not None and block.key[:2] == ("own", sequence.number):
                self.pool.name(block, None)

    # Steps.

    def run(self) -> "PlainEngine":
        while self.next_step():
            pass
        return self

    def arrive(self) -> None:
        while self.coming and self.coming[0].arrival <= self.now:
            self.wait(self.coming.pop(0), len(self.waiting))

    def upcoming(self) -> ComposedStep | None:
        """The step that begins now, or nothing: then the next request comes later."""
        if self.ahead:
            return self.ahead
        self.arrive()
        return self.composed() or None

    def next_step(self) -> bool:
        """Run a step, or wait for the next request; False if there is neither."""
        step = self.upcoming()
        if step is None:
            if not self.coming:
                return False
            self.now = max(self.now, self.coming[0].arrival)
            return True
        self.complete(step, self.compose_ahead(), self.duration(step))
        return True

    def duration(self, step: ComposedStep) -> int:
        if step.prompts:
            return self.costs.mixed(step.tokens, step.keys, step.batch, step.context)
        sums = self.costs.decode(step.batch)
        return sums[step.context + 1] - sums[step.context]

    def compose_ahead(self) -> ComposedStep | None:
        """Compose the step after the one that begins now, where that is done ahead."""
        if not self.settings.async_scheduling:
            return None
        self.arrive()
        return self.composed()

    def accepts(self, sequence: Sequence) -> bool:
        fits = self.settings.takes(sequence.prompt, sequence.answer)
        return fits and sequence.prompt <= self.scheduler.longest_prompt(self.settings.budget)

    def preempt(self, sequence: Sequence) -> None:
        self.preempted = True
        self.running.remove(sequence)
        if sequence in self.turns:
            self.turns.remove(sequence)
        self.pool.give_back(sequence.table)
        sequence.table = []
        sequence.held = 0
        sequence.target = sequence.prompt + sequence.generated + sequence.flying
        sequence.transferred = False
        sequence.preemptions += 1
        self.wait(sequence, 0)

    def grow(self, sequence: Sequence, query: int, step: ComposedStep) -> bool:
        """Give a sequence its blocks, after preempting others; False if it was the one."""
        while self.blocks(sequence.held + query) - len(sequence.table) > self.free:
            victim = self.victim
            self.left += self.take_out(victim, step)
            self.preempt(victim)
            if victim is sequence:
                return False
        while len(sequence.table) < self.blocks(sequence.held + query):
            sequence.table.append(self.pool.take())
        return True

    def take_out(self, victim: Sequence, step: ComposedStep) -> int:
        """Take a sequence out of a step that is being composed; its tokens are for others."""
        for place, (sequence, _) in enumerate(step.decoding):
            if sequence is victim:
                del step.decoding[place]
                victim.held, victim.flying = victim.held - 1, victim.flying - 1
                return self.new
        for place, (sequence, query, _, last) in enumerate(step.prompts):
            if sequence is victim:
                del step.prompts[place]
                victim.flying -= last
                return query
        return 0

    def plan(self) -> StepPlan:
        """What the scheduler does next; where no prompt has a place it is not asked."""
        settings = self.settings
        begun = any(not s.decodes for s in self.running)
        if not begun and not (self.waiting and len(self.running) < settings.limit):
            return StepPlan(decodes=True, prompts=0)
        ready = len(self.next_turns()) * self.new
        limit = int(settings.budget * (1 + settings.slack) + 1e-9)
        return self.scheduler.plan(StepView(ready, settings.budget, limit, self.prefilled))

    def next_turns(self) -> list[Sequence]:
        """Who decodes next: in the order of turns, or of admission where all do."""
        ready = [s for s in self.turns if not s.ends]
        if self.all_decode:
            ready.sort(key=self.running.index)
        return ready[: self.settings.decode_batch]

    def composed(self) -> ComposedStep:
        """Compose a step: what it takes in, and what it decodes."""
        step, self.preempted = ComposedStep(), False
        if self.settings.long_prompt:
            self.in_order(step)
            if not self.preempted:
                self.admit(step, self.left)
        else:
            self.by_plan(step)
        self.prefilled = bool(step.prompts)
        used = {id(block) for sequence in self.running for block in sequence.table}
        self.most_used = max(self.most_used, len(used))
        return step

    def decode_next(self, step: ComposedStep, sequence: Sequence) -> None:
        """Take a sequence that has its block into a step; what is full with it can be found."""
        step.decoding.append((sequence, sequence.held))
        sequence.held += 1
        sequence.flying += 1
        self.publish(sequence, min(sequence.held, sequence.prompt + sequence.generated))

    def in_order(self, step: ComposedStep) -> None:
        """What runs goes on in the order of admission, as far as the budget goes."""
        self.left, most = self.settings.budget, self.longest_chunk()
        for sequence in list(self.running):
            if self.left <= 0:
                break
            if sequence not in self.running:
                continue
            if sequence.decodes:
                if sequence.ends:
                    continue
                if self.left < self.new:
                    break
                if not self.grow(sequence, self.reserved(sequence), step):
                    continue
                self.decode_next(step, sequence)
                self.left -= self.new
                continue
            query = min(sequence.target - sequence.held, most, self.left)
            if not self.grow(sequence, query, step):
                continue
            self.prefill(step, sequence, query)
            self.left -= query

    def longest_chunk(self) -> int:
        """The most tokens of a prompt in a step; a request that is alone may take it all."""
        alone = len(self.running) + len(self.waiting) <= 1
        long = self.settings.long_prompt
        return self.settings.budget if alone or not long else long

    def by_plan(self, step: ComposedStep) -> None:
        """All decode or none, as the scheduler says, then the prompt that is begun, then others."""
        if self.by_priority:
            self.make_room_for_prompt()
        plan = self.plan()
        if plan.decodes:
            self.decode(step)
        begun = any(not s.decodes for s in self.running)
        if plan.prompts > 0 and (begun or not self.preempted):
            left = plan.prompts
            begun = [s for s in self.running if not s.decodes]
            for sequence in begun:
                rest = sequence.target - sequence.held
                query = self.scheduler.cut(rest, left, self.settings.budget)
                if query > left or query <= 0:
                    left = 0
                    break
                if self.blocks(sequence.held + query) - len(sequence.table) > self.free:
                    self.preempt(sequence)
                    break
                self.grow(sequence, query, step)
                self.prefill(step, sequence, query)
                left = left - query if query == rest else 0
            if not self.preempted:
                self.admit(step, left)
        if not step:
            self.decode(step)

    def make_room_for_prompt(self) -> None:
        """Preempt until the prompt that is begun has its blocks beside those of what decodes."""
        while begun := [s for s in self.running if not s.decodes]:
            plan, (prompt,) = self.plan(), begun
            query = self.scheduler.cut(
                prompt.target - prompt.held, plan.prompts, self.settings.budget
            )
            wanted = 0
            if 0 < query <= plan.prompts:
                wanted = self.blocks(prompt.held + query) - len(prompt.table)
            for sequence in self.next_turns() if plan.decodes else []:
                held = self.blocks(sequence.held + self.reserved(sequence))
                wanted += max(0, held - len(sequence.table))
            if wanted <= self.free:
                break
            self.preempt(self.victim)

    def decode(self, step: ComposedStep) -> None:
        """Give each sequence that decodes its block, in order, after preempting the latest."""
        while True:
            decoding = self.next_turns()
            wanted = [self.blocks(s.held + self.reserved(s)) - len(s.table) for s in decoding]
            grown = sum(max(0, more) for more in wanted)
            if grown <= self.free:
                break
            self.preempt(self.victim)
        for sequence in decoding:
            self.grow(sequence, self.reserved(sequence), step)
            self.decode_next(step, sequence)

    @property
    def all_decode(self) -> bool:
        return self.settings.decode_batch >= self.settings.limit

    def prefill(self, step: ComposedStep, sequence: Sequence, query: int) -> None:
        done, sequence.held = sequence.held, sequence.held + query
        step.prompts.append((sequence, query, done, sequence.decodes))
        self.publish(sequence, sequence.held)
        if sequence.decodes:
            sequence.flying += 1
            if self.all_decode:
                self.turns.append(sequence)

    def admit(self, step: ComposedStep, left: int) -> None:
        admitted = 0
        settings, most = self.settings, self.longest_chunk()
        while self.waiting and left > 0 and admitted < settings.admission:
            sequence = self.waiting[0]
            if len(self.running) >= settings.limit:
                break
            if sequence.transferred:
                begun = Sequence(0, 0, 0, 0, 0, 0, held=sequence.target)
                if self.blocks(sequence.target + self.reserved(begun)) > self.free:
                    break
                self.begin(sequence)
                sequence.held = sequence.target
                self.grow(sequence, self.reserved(sequence), step)
                self.publish(sequence, sequence.target)
                self.turns.append(sequence)
                if self.all_decode:
                    self.decode_next(step, sequence)
                admitted, left = admitted + 1, left - self.new
                continue
            found = self.match(sequence)
            cached = sequence.cached if self.flat else len(found) * settings.block
            rest = sequence.target - cached
            query = self.scheduler.cut(min(rest, most), left, settings.budget)
            wanted = self.blocks(self.admission.tokens(cached + query, sequence.target))
            if query > left or wanted - sum(b.users > 0 for b in found) > self.free:
                break
            self.begin(sequence)
            for block in found:
                self.pool.use(block)
            self.lose(sequence)
            sequence.table = found
            sequence.held = cached
            sequence.hits += cached
            self.grow(sequence, query, step)
            self.prefill(step, sequence, query)
            admitted, left = admitted + 1, left - query
            if query < rest and not settings.long_prompt:
                break

    def begin(self, sequence: Sequence) -> None:
        self.waiting.pop(0)
        self.running.append(sequence)
        if sequence.start == REJECTED:
            # What is composed ahead begins when the step that runs has ended.
            sequence.start = self.now

    def complete(self, step: ComposedStep, ahead: ComposedStep | None, duration: int) -> None:
        """Run a step; `ahead` is composed already and begins when it ends."""
        self.steps += 1
        self.ahead = ahead
        prompts = [(sequence, last) for sequence, _, _, last in step.prompts]
        decoded = [sequence for sequence, _ in step.decoding]
        for sequence in [sequence for sequence, _ in prompts] + decoded:
            if sequence.start < REJECTED:
                sequence.start = self.now
        self.now += duration
        if not self.all_decode:
            others = [sequence for sequence in self.turns if sequence not in decoded]
            self.turns = others + decoded + [sequence for sequence, last in prompts if last]
        for sequence in decoded:
            more = min(self.accepted(sequence), sequence.answer - sequence.generated - 1)
            sequence.held += more
            sequence.generated += more
            self.token(sequence)
        for sequence, last in prompts:
            if last:
                self.token(sequence)

    def token(self, sequence: Sequence) -> None:
        sequence.flying -= 1
        sequence.generated += 1
        if sequence.first == REJECTED:
            sequence.first = self.now
        else:
            self.gaps[self.now - sequence.last] += 1
        sequence.last = self.now
        here = sequence in self.running
        if here and self.settings.async_scheduling:
            self.publish(sequence, sequence.prompt + sequence.generated - 1)
        if sequence.generated < sequence.answer:
            return
        sequence.finish = self.now
        if here:
            self.running.remove(sequence)
            self.turns.remove(sequence)
            self.pool.give_back(sequence.table)
            sequence.table = []
        else:
            self.waiting.remove(sequence)


@define
class PlainRanks:
    """Plain engines whose steps begin and end together; each step is as long as its longest."""

    engines: list[PlainEngine]
    costs: RankCosts

    def run(self) -> "PlainRanks":
        while self.next_step():
            pass
        return self

    def next_step(self) -> bool:
        steps = [engine.upcoming() for engine in self.engines]
        begun = [step for step in steps if step is not None]
        if not begun:
            coming = [engine.coming[0].arrival for engine in self.engines if engine.coming]
            for engine in self.engines:
                engine.now = max(engine.now, min(coming, default=0))
            return bool(coming)
        new = self.engines[0].new
        total = sum(step.tokens + step.batch * new for step in begun)
        duration = max(self.duration(step, total) for step in begun)
        for engine, step in zip(self.engines, steps, strict=True):
            if step is None:
                engine.now += duration
            else:
                engine.complete(step, engine.compose_ahead(), duration)
        return True

    def duration(self, step: ComposedStep, total: int) -> int:
        engine = self.engines[0]
        own = engine.duration(step)
        own += self.costs.spread(step.tokens + step.batch * engine.new, total)
        return max(own, self.costs.least(step.tokens, step.batch))
