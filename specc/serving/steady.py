"""The steady state: requests come as others go, and what a step costs does not ask when.

Places, turnovers and steps are those of a replica; see `Steady`.
"""

import math
from functools import lru_cache

import numpy as np
from attrs import frozen

from specc.cost import StepTable, StepTimes
from specc.cost.times import P10, P90
from specc.ir.simulation import requests_of_clients
from specc.results import BinRow, Point
from specc.serving.closed import ClosedForm
from specc.serving.table import Bands, Column, Integers, ServingTable, Shares
from specc.units import Tokens

_ROUNDS = 60  # of the fixed point, each of which halves the distance
_MOST_AT_ONCE = 120  # prompts that come to a replica in one step, beyond which they are many
_MANY = 40.0
_MEANS = 1000  # that are tabulated: between them it is exact to 1e-4


@frozen(eq=False)
class Turnover:
    """What runs while each place is taken once; arrays of shape (N,).

    Attributes:
        steps: steps that it takes.
        mixed: those of them that take in prompts.
        own: steps that a prompt is taken in by, at least.
        tokens: prompt tokens of a mixed step, on the replica that has most.
        rest: those of the last one, where requests end together; else those of the mean replica.
        beside: sequences that decode in a mixed step.
        alone: sequences that decode in a step without prompts.
    """

    steps: Column
    mixed: Column
    own: Column
    tokens: Column
    rest: Column
    beside: Column
    alone: Column


@frozen(eq=False, repr=False)
class Steady(ClosedForm):
    """The closed form of aggregated serving under a load that goes on.

    A replica has B places; as soon as a request ends, the next one takes its place (a closed loop
    of as many clients as places). While each place is taken once, B prompts of P new tokens pass,
    and B·S decodes, S = (output − 1) / tokens a step. A step holds M tokens, those of the b
    sequences that decode among them, and a prompt takes k = ⌈P / (M − b)⌉ steps. So
        steps = the larger of S + k and of the mixed steps,   b = B·S / steps,
    a fixed point. How many steps are mixed depends on how requests end:
        - Of one length, those that began together end together: ⌈B·P / (M − b)⌉ steps, all but the
          last with a full budget. In a step without prompts all B decode.
        - Of many lengths, they end at random: of all steps the share 1 − exp(−λ·R) in which any of
          R replicas takes in a prompt, with λ = B / steps. R is 1, or the replicas that share
          experts: their steps last as long as the longest, with its E[max] prompts; the experts
          work on the mean of the tokens.
    A turnover takes T = mixed · t(mixed) + (steps − mixed) · t(decode). Then
        throughput = B · output / T,   TPOT = (T − own prompt) / (steps − k) / tokens a step,
        TTFT = T − S · TPOT by Little's law, at least the steps of its own prompt.
    A load tool's run begins with all clients at once; of its max(500, 5 clients) requests the first
    of each client wait for that wave, and TTFT is the mean over all.

    Agreement with the simulated closed loop: `python -m tests.bench.bench_steady`.

    Attributes:
        budget: new tokens that a replica takes in a step.
        replicas: those that run in step, as they share experts.
        ahead: whether the engine composes a step while the one before runs.
    """

    budget: Tokens
    replicas: int = 1
    ahead: bool = False

    @property
    def key(self) -> tuple[object, ...]:
        """What makes its steps equal to those of others."""
        return *super().key, self.budget, self.replicas

    @property
    def _decodes(self) -> float:
        """Decode steps of the mean request."""
        mixture, server = self.server.mixture, self.server
        return max(mixture.mean_output - 1, 0.0) / server.tokens_per_step

    @property
    def _ends_together(self) -> bool:
        return len(self.server.mixture.shapes) == 1

    def counts(self, batch: Integers) -> tuple[Integers, ...]:
        """Return the batches for its kinds of steps; see `steps_of`."""
        return batch, batch, batch, batch

    def steps_of(self, *counts: Integers) -> StepTable:
        """Return steps for batches: mixed ones, those with `rest`, those without, and the first.

        The first step of a run takes in as many prompts as its budget holds.
        """
        batch = counts[0]  # as of all kinds
        turn, new = self.turnover(batch), self.server.mixture.mean_new
        beside = turn.beside
        if self._ends_together:
            beside = np.maximum(batch - np.ceil(turn.rest / new), 0.0)
        return StepTable.joined(
            [
                self._step(turn.tokens, turn.beside),
                self._step(turn.rest, beside),
                self._step(np.zeros(len(batch)), turn.alone),
                self._step(np.minimum(batch * new, self.budget), turn.beside / 2),
            ]
        )

    def _step(self, tokens: Column, decoding: Column) -> StepTable:
        """Return steps with so many tokens of prompts, and so many sequences that decode."""
        server = self.server
        mixture = server.mixture
        prefill = mixture.prefill(tokens / max(mixture.mean_new, 1e-9), server.block)
        decode = mixture.decode(decoding, server.block, server.drafted)
        return StepTable.of(
            prefill=prefill.prefill,
            decode=decode.decode,
            patches=prefill.patches,
            patch_pairs=prefill.patch_pairs,
        )

    def turnover(self, batch: Integers) -> Turnover:
        """Return what runs while each of some numbers of places is taken once."""
        places = batch.astype(np.float64)
        new, decodes = self.server.mixture.mean_new, self._decodes
        each = 1 + self.server.drafted  # tokens of a sequence that decodes
        decoding = places if decodes else np.zeros_like(places)
        steps = np.full_like(places, decodes + 1)
        for _ in range(_ROUNDS):
            room = np.maximum(self.budget - each * decoding, 1.0)
            own = np.ceil(new / room)
            tokens, rest, mixed = self._mixed(places, room, steps, decodes + own)
            steps = np.maximum(decodes + own, mixed)
            decoding = (decoding + places * decodes / steps) / 2
        mixed = np.minimum(mixed, steps)
        beside = np.clip(decoding, 0.0, places)
        if self._ends_together:
            apart = np.clip(places - tokens / new * own, 0.0, places)
            beside = np.where(mixed < steps, apart, beside)
        alone = (places * decodes - mixed * beside) / np.maximum(steps - mixed, 1e-9)
        alone = np.where(mixed < steps, np.clip(alone, 0.0, places), 0.0)
        return Turnover(steps, mixed, own, tokens, rest, beside, alone)

    def _mixed(
        self, places: Column, room: Column, steps: Column, least: Column
    ) -> tuple[Column, Column, Column]:
        """Return the tokens of a mixed step, the `rest` of a turnover, and the mixed steps."""
        new = self.server.mixture.mean_new
        if self._ends_together or not self._decodes:
            full = np.floor(places * new / room + 1e-9)
            rest = np.maximum(places * new - full * room, 0.0)
            rest = np.where(rest < 1e-6 * new, 0.0, rest)
            return np.minimum(places * new, room), rest, full + (rest > 0)
        ending = places / steps
        any_ = -np.expm1(-self.replicas * ending)
        tokens = np.minimum(room, new * most_of(ending, self.replicas) / any_)
        mean = np.minimum(tokens, new * ending / any_)
        mixed: Column = np.maximum(any_ * least, places * new / room)
        return tokens, mean, mixed

    def table(self, batch: Integers, times: StepTimes) -> ServingTable:
        """Return a row for each batch size from the times of its `steps`."""
        server, rows = self.server, len(batch)
        mixture, turn = server.mixture, self.turnover(batch)
        parts = [times.rows(np.arange(n * rows, (n + 1) * rows)) for n in range(4)]
        filling, other, alone, first = parts
        mixed, own = self._prompt_time(batch, turn, filling, other)
        decoding = (turn.steps - turn.mixed) * np.where(turn.alone > 0, alone.total, 0.0)
        time = mixed + decoding
        deviation = (mixed * filling.deviation + decoding * alone.deviation) / time
        concurrency = batch * server.batches
        step = mixed / turn.mixed
        tpot = self._tpot(turn, time, own)
        ttft = self._ttft(batch, turn, time, tpot, own, first.total)
        throughput = concurrency * mixture.mean_output / time
        low, high = (np.exp(deviations * deviation) for deviations in (P10, P90))
        resident = mixture.decode(batch, server.block, server.drafted)
        prefill = self._step(turn.tokens, turn.beside)
        full = StepTable.of(prefill.prefill, prefill.decode, resident.kv_blocks, batch)
        decodes = mixture.mean_output > 1
        return ServingTable(
            batch=batch,
            concurrency=concurrency,
            ttft=ttft,
            tpot=tpot,
            throughput=throughput,
            throughput_per_device=throughput / server.devices,
            rate=throughput / mixture.mean_output,
            decode_step=np.where(turn.alone > 0, alone.total, step),
            prefill_step=step,
            wave_requests=np.ceil(turn.tokens / max(mixture.mean_new, 1e-9)).astype(np.int64),
            bands=Bands(
                ttft * low,
                ttft * high,
                tpot * low,
                tpot * high,
                throughput / high,
                throughput / low,
            ),
            memory=server.parts(
                batch,
                server.memory_of(full),
                server.memory_of(resident),
                decodes=decodes,
                budget=self.budget,
            ),
            prefill=Shares.of(filling),
            decode=Shares.of(alone.where(turn.alone > 0, filling)),
        )

    def _prompt_time(
        self, batch: Integers, turn: Turnover, filling: StepTimes, other: StepTimes
    ) -> tuple[Column, Column]:
        """Return the seconds of all mixed steps of a turnover, and of those of one's own prompt."""
        chunks = np.maximum(self.server.mixture.mean_new / turn.tokens, 1.0)
        if not self._ends_together and self._decodes:
            step = filling.total
            if self.replicas > 1:  # experts work on the mean of the tokens of all replicas
                step = step - filling.pooled + other.pooled
            return turn.mixed * step, chunks * step
        last = np.where(turn.rest > 0, other.total, 0.0)
        full = turn.mixed - (turn.rest > 0)
        share = turn.rest / (batch * self.server.mixture.mean_new)
        first = np.where(full > 0, filling.total, 0.0)
        mean = share * last + (1 - share) * first
        own = np.where(turn.own > 1, np.minimum(chunks * first, full * first + last), mean)
        return full * first + last, own

    def _tpot(self, turn: Turnover, time: Column, own: Column) -> Column:
        """Return the mean time to the next token of a request that decodes."""
        if not self._decodes:
            return np.full(len(time), np.nan)
        after = np.maximum(time - own, 0.0) / np.maximum(turn.steps - turn.own, 1e-9)
        # Where all steps are mixed, a prompt waits until it is its turn.
        each = np.where(turn.mixed < turn.steps, after, time / turn.steps)
        per_token: Column = each / self.server.tokens_per_step
        return per_token

    def _ttft(
        self,
        batch: Integers,
        turn: Turnover,
        time: Column,
        tpot: Column,
        own: Column,
        first: Column,
    ) -> Column:
        """Return the mean time to first token of a load tool's run."""
        output = self.server.mixture.mean_output
        decoding = 0.0 if not self._decodes else tpot * (output - 1)
        if not self._ends_together and self.ahead:
            own = own + time / turn.steps  # it is seen a step later
        later = np.maximum(time - decoding, own)
        waves = np.ceil(batch * self.server.mixture.mean_new / self.budget)
        begin = (waves + turn.own) / 2 * first
        clients = (batch * self.server.batches).tolist()
        rounds = np.array([requests_of_clients(n) / n for n in clients])
        ttft: Column = (begin + (rounds - 1) * later) / rounds
        return ttft + self.server.request_time

    def bins(self, point: Point) -> tuple[BinRow, ...]:
        """Return what each shape sees: all decode in the same steps; their TTFT is not known."""
        known = len(self.server.mixture.shapes) == 1
        ttft = point.ttft if known else None
        return self._rows(point.batch, lambda s: (ttft, point.tpot if s.output > 1 else None))


def most_of(mean: Column, replicas: int) -> Column:
    """Return the expected largest of so many Poisson numbers of a mean, shape (N,).

    Between tabulated means it is linear; for large means it follows the normal tail.
    """
    if replicas == 1:
        return mean
    means, largest = _largest(replicas)
    many = mean + np.sqrt(2 * mean * math.log(replicas))
    found: Column = np.where(mean > _MANY, many, np.interp(mean, means, largest))
    return found


@lru_cache(maxsize=256)
def _largest(replicas: int) -> tuple[Column, Column]:
    """Return means, and the expected largest of so many Poisson numbers of each.

    E[max] = Σ_{j ≥ 0} 1 − P(X ≤ j)^R.
    """
    means = np.concatenate([[0.0], np.geomspace(1e-5, _MANY, _MEANS)])
    below, term, total = np.zeros_like(means), np.exp(-means), np.zeros_like(means)
    for number in range(_MOST_AT_ONCE):
        below = below + term
        total = total + 1 - np.minimum(below, 1.0) ** replicas
        term = term * means / (number + 1)
    return means, total
