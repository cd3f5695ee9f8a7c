"""A plain engine: one step at a time, one sequence at a time. It is slow, and easy to believe.

Every time it is asked what is free, it counts all blocks anew. It asks the policies what a step
does, as any engine does; the books of blocks, sequences and time are its own.
"""

from collections import Counter

from attrs import Factory, define

from specc.ir import Admission
from specc.results import EngineLimits
from specc.simulation.costs import StepCosts
from specc.simulation.policies.admissions import AdmissionPolicy, admission_of
from specc.simulation.policies.schedulers import (
    SchedulerPolicy,
    StepPlan,
    StepView,
    scheduler_of,
)
from specc.simulation.requests import REJECTED, Requests


@define(eq=False)
class Sequence:
    """A request: `held` tokens are in the cache, `target` must be before its next token."""

    number: int
    arrival: int
    prompt: int
    cached: int
    answer: int
    target: int
    held: int = 0
    generated: int = 0
    start: int = REJECTED
    first: int = REJECTED
    last: int = REJECTED
    finish: int = REJECTED
    preemptions: int = 0
    hits: int = 0
    hashes: tuple[int, ...] = ()
    using: list[int] = Factory(list)  # shared blocks that it holds

    @property
    def decodes(self) -> bool:
        return self.generated > 0 and self.held >= self.target


@define
class PlainEngine:
    """As `SimulatedEngine`, without its shortcuts."""

    settings: EngineLimits
    costs: StepCosts
    sequences: list[Sequence]
    now: int = 0
    steps: int = 0
    waiting: list[Sequence] = Factory(list)
    running: list[Sequence] = Factory(list)
    turns: list[Sequence] = Factory(list)
    prefilled: bool = False
    admission: AdmissionPolicy = Factory(lambda: admission_of(Admission.FIRST_CHUNK))
    gaps: "Counter[int]" = Factory(Counter)
    most_used: int = 0
    block_tokens: int = 0
    idle: list[int] = Factory(list)  # shared blocks that nobody uses, in the order they fell idle

    @property
    def scheduler(self) -> SchedulerPolicy:
        return scheduler_of(self.settings.scheduler)

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
        if requests.blocks is not None:
            for sequence, hashes in zip(sequences, requests.blocks, strict=True):
                sequence.hashes = tuple(hashes)
        return cls(settings, costs, sequences, block_tokens=requests.block_tokens)

    def blocks(self, tokens: int) -> int:
        return -(-tokens // self.settings.block)

    @property
    def free(self) -> int:
        own = sum(self.blocks(s.held) - len(s.using) * self.size for s in self.running)
        shared = {key for s in self.running for key in s.using}
        return self.settings.capacity - own - len(shared) * self.size

    @property
    def size(self) -> int:
        """KV-cache blocks of a shared block."""
        return self.block_tokens // self.settings.block

    def match(self, sequence: Sequence) -> list[int]:
        """The leading blocks that the cache has; a token at least is left to compute."""
        known = {key for s in self.running for key in s.using} | set(self.idle)
        found: list[int] = []
        most = (sequence.target - 1) // self.block_tokens if self.block_tokens else 0
        for key in sequence.hashes[:most]:
            if key not in known:
                break
            found.append(key)
        return found

    def share(self, sequence: Sequence) -> None:
        """Let others find what a sequence has computed."""
        known = {key for s in self.running for key in s.using} | set(self.idle)
        count = sequence.held // self.block_tokens if self.block_tokens else 0
        for key in sequence.hashes[:count]:
            if key not in known:
                known.add(key)
                sequence.using.append(key)

    def release(self, sequence: Sequence) -> None:
        """Take a sequence out; what nobody else uses falls idle, ends of prompts first."""
        self.running.remove(sequence)
        others = {key for s in self.running for key in s.using}
        self.idle += [key for key in reversed(sequence.using) if key not in others]
        sequence.using = []

    def run(self) -> "PlainEngine":
        coming = [s for s in self.sequences if self.accepts(s)]
        while coming or self.waiting or self.running:
            if not self.waiting and not self.running:
                self.now = max(self.now, coming[0].arrival)
            while coming and coming[0].arrival <= self.now:
                self.waiting.append(coming.pop(0))
            self.step()
        return self

    def accepts(self, sequence: Sequence) -> bool:
        fits = self.settings.takes(sequence.prompt, sequence.answer)
        return fits and sequence.prompt <= self.scheduler.longest_prompt(self.settings.budget)

    def preempt(self, sequence: Sequence) -> None:
        self.release(sequence)
        if sequence in self.turns:
            self.turns.remove(sequence)
        sequence.held = 0
        sequence.target = sequence.prompt + sequence.generated
        sequence.preemptions += 1
        self.waiting.insert(0, sequence)

    def make_room(self) -> tuple[list[Sequence], bool]:
        """Give each sequence that decodes its block, in the order of admission."""
        evicted = False
        while True:
            decoding = self.turns[: self.settings.decode_batch]
            grown = sum(self.blocks(s.held + 1) - self.blocks(s.held) for s in decoding)
            if grown <= self.free:
                return decoding, evicted
            self.preempt(self.running[-1])
            evicted = True

    def take_in(self, left: int, reserved: int) -> list[tuple[Sequence, int]]:
        room = self.free - reserved
        prompts: list[tuple[Sequence, int]] = []
        for sequence in [s for s in self.running if not s.decodes]:
            rest = sequence.target - sequence.held
            query = self.scheduler.cut(rest, left, self.settings.budget)
            if query > left or query <= 0:
                return []
            need = self.blocks(sequence.held + query) - self.blocks(sequence.held)
            if need > room:
                self.preempt(sequence)
                return []
            prompts.append((sequence, query))
            if query < rest:
                return prompts
            room, left = room - need, left - query
        return prompts + self.admit(left, room)

    def admit(self, left: int, room: int) -> list[tuple[Sequence, int]]:
        prompts: list[tuple[Sequence, int]] = []
        admitted = 0
        while self.waiting and left > 0 and admitted < self.settings.admission:
            sequence = self.waiting[0]
            if len(self.running) >= self.settings.limit:
                break
            found = self.match(sequence)
            cached = len(found) * self.block_tokens or sequence.cached
            rest = sequence.target - cached
            moved = sequence.first != REJECTED and not sequence.preemptions
            moved = moved and sequence.start == REJECTED
            if moved:
                held = sequence.prompt + 1
                query, need = 1, self.blocks(held)
                wanted = self.blocks(self.admission.tokens(held, held))
            else:
                query = self.scheduler.cut(rest, left, self.settings.budget)
                shared = sum(key in self.idle for key in found) - len(found)
                need = self.blocks(cached + query) + shared * self.size
                wanted = self.blocks(self.admission.tokens(cached + query, sequence.target))
                wanted += shared * self.size
            if query > left or wanted > room:
                break
            self.waiting.pop(0)
            self.running.append(sequence)
            if sequence.start == REJECTED:
                sequence.start = self.now
            admitted, room, left = admitted + 1, room - need, left - query
            if moved:
                sequence.held = sequence.target
                self.turns.append(sequence)
                continue
            sequence.held = cached
            sequence.hits += cached
            sequence.using = found
            self.idle = [key for key in self.idle if key not in found]
            prompts.append((sequence, query))
            if query < rest:
                break
        return prompts

    def plan(self) -> StepPlan:
        """What the scheduler does next; where no prompt has a place it is not asked."""
        settings = self.settings
        begun = any(not s.decodes for s in self.running)
        if not begun and not (self.waiting and len(self.running) < settings.limit):
            return StepPlan(decodes=True, prompts=0)
        ready = len(self.turns[: settings.decode_batch])
        limit = int(settings.budget * (1 + settings.slack) + 1e-9)
        return self.scheduler.plan(StepView(ready, settings.budget, limit, self.prefilled))

    def composed(self) -> tuple[list[tuple[Sequence, int]], list[Sequence]]:
        """What a step takes in, and what it decodes."""
        plan = self.plan()
        prompts: list[tuple[Sequence, int]] = []
        decoding, evicted = self.make_room() if plan.decodes else ([], False)
        if plan.prompts > 0 and not evicted:
            grown = sum(self.blocks(s.held + 1) - self.blocks(s.held) for s in decoding)
            prompts = self.take_in(plan.prompts, grown)
            if plan.decodes and self.settings.decode_batch >= self.settings.limit:
                # Those whose first token came elsewhere decode in the step that takes them in.
                decoding = self.turns[: self.settings.decode_batch]
        if not prompts and not decoding:
            decoding = self.make_room()[0]
        self.prefilled = bool(prompts)
        return prompts, decoding

    def step(self) -> None:
        prompts, decoding = self.composed()
        batch = len(decoding)
        context = sum(s.held + 1 for s in decoding) // batch if batch else 0
        if prompts:
            tokens = sum(query for _, query in prompts)
            keys = sum(sum(range(s.held + 1, s.held + q + 1)) for s, q in prompts)
            duration = self.costs.mixed(tokens, keys, batch, context)
        else:
            sums = self.costs.decode(batch)
            duration = sums[context + 1] - sums[context]
        self.now += duration
        self.steps += 1
        self.turns = self.turns[len(decoding) :]
        grown = sum(self.blocks(s.held + 1) - self.blocks(s.held) for s in decoding)
        added = sum(self.blocks(s.held + q) - self.blocks(s.held) for s, q in prompts)
        self.most_used = max(self.most_used, self.settings.capacity - self.free + grown + added)
        while len(self.idle) * self.size > self.free - grown - added:
            self.idle.pop(0)
        ends = [s.generated + 1 == s.answer for s in decoding]
        for sequence in decoding:
            sequence.held += 1
        # Those that end do so in the order of their numbers.
        for sequence in decoding:
            if sequence.generated + 1 < sequence.answer:
                self.token(sequence)
        for sequence in sorted(
            (s for s, over in zip(decoding, ends, strict=True) if over), key=lambda s: s.number
        ):
            self.token(sequence)
        for sequence, query in prompts:
            sequence.held += query
            self.share(sequence)
            if sequence.held == sequence.target:
                self.token(sequence)

    def token(self, sequence: Sequence) -> None:
        sequence.generated += 1
        if sequence.first == REJECTED:
            sequence.first = self.now
        else:
            self.gaps[self.now - sequence.last] += 1
        sequence.last = self.now
        if sequence.generated == sequence.answer:
            sequence.finish = self.now
            self.share(sequence)
            self.release(sequence)
        else:
            self.turns.append(sequence)
