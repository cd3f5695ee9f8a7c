"""Aggregated serving as a loop over steps: long prompts in chunks, prefill beside decode."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from specc.cost import Sequences, StepMemory, StepTable, StepTimes
from specc.cost.times import P10, P90
from specc.ir import Scheduler, StepLatency
from specc.ir.engine import USUAL_SLACK
from specc.results import BinRow, Point, Timeline
from specc.serving.mixture import allocate
from specc.serving.schedulers import Budget, interleaved
from specc.serving.server import Server
from specc.serving.stepping import Schedule, Stepping
from specc.serving.table import Bands, Column, Integers, ServingTable, Shares, joined
from specc.units import Tokens

POOL = 200  # requests over which the means of a mixture are taken at least
TOGETHER = 8192  # steps that the cost model is given at once


@frozen(eq=False)
class StepLoop:
    """Aggregated serving as a loop over steps, for prompts longer than the budget as well.

    All C = batch · DP requests of a batch arrive together. Each step the scheduler takes in
    prompts, or chunks of them, and decodes; the loop is over groups of requests in the same
    state. The last chunk of a prompt brings its first token. A step is one `mixed` batch that
    decodes at the true contexts, or, as in the reference planner, `overlapped`: the longer of its
    two parts, decoding at the mean context. TTFT and TPOT = (last - first token) / (output - 1)
    are means over requests. Throughput is C · output / F with F the time until the last token of
    all; with several shapes F is the mean over requests of the time until the last token of their
    shape, as in service the others would be followed by new requests.
    With pipeline stages PP batches run interleaved, each as if alone.

    A batch of fewer requests than `POOL` cannot hold each shape in its share, so as many batches
    as deal out a pool of that size run one after the other, and the means are over all of them.

    Without `decodes` the first token is the last: an instance that prefills alone.

    Attributes:
        server: the instance.
        budget: new tokens a replica takes in a step.
        scheduler: what a step takes in.
        slack: share by which a step may exceed the budget, if the scheduler takes slack.
        latency: how long a step takes that prefills and decodes.
        decodes: whether requests decode here.
    """

    server: Server
    budget: Tokens
    scheduler: Scheduler = Scheduler.DECODE_FIRST_WITH_SLACK
    slack: float = USUAL_SLACK
    latency: StepLatency = StepLatency.MIXED
    decodes: bool = True

    def evaluate(self, batch: Integers) -> ServingTable:
        """Return a row for each batch size (requests a replica), shape (N,)."""
        decode = self.server.mixture.decode(batch, self.server.block, self.server.drafted)
        steps = self.server.times(decode) if self.decodes else None
        tables = []
        for row, timed in enumerate(self._timed(batch.tolist())):
            tables.append(timed.table(steps.rows(np.array([row])) if steps else None))
        return joined(tables)

    def bins(self, point: Point) -> tuple[BinRow, ...]:
        """Return what each shape sees at a batch size, as means over its requests."""
        (timed,) = self._timed([point.batch])
        return timed.bins()

    def timeline(self, batch: int) -> Timeline:
        """Return what ran in each step."""
        (timed,) = self._timed([batch])
        return timed.timeline()

    def times(self, steps: StepTable) -> StepTimes:
        """Return the times of steps that prefill and decode."""
        if self.latency is StepLatency.MIXED:
            return self.server.times(steps)
        none, nothing = Sequences.none(len(steps)), np.zeros(len(steps))
        prefill = evolve(steps, decode=none)
        decode = evolve(steps, prefill=none, patches=nothing, patch_pairs=nothing)
        parts = [self.server.times(part) for part in (prefill, decode)]
        longer = parts[0].total >= parts[1].total
        return parts[0].where(longer, parts[1])

    def _timed(self, batches: Iterable[int]) -> "Iterator[TimedTrajectory]":
        """Yield the trajectory of each batch size; the cost model is called for many at once."""
        waiting: list[Trajectory] = []
        for batch in batches:
            waiting.append(Trajectory(self, batch))
            if sum(2 * len(trajectory.steps) for trajectory in waiting) >= TOGETHER:
                yield from self._timed_together(waiting)
                waiting = []
        if waiting:
            yield from self._timed_together(waiting)

    def _timed_together(self, trajectories: "Sequence[Trajectory]") -> "Iterator[TimedTrajectory]":
        table = StepTable.joined([trajectory.table_of_steps for trajectory in trajectories])
        times, memory = self.times(table), self.server.memory_of(table)
        start = 0
        for trajectory in trajectories:
            rows = np.arange(start, start + 2 * len(trajectory.steps))
            tightest = rows[[int(np.argmax(memory.total[rows]))]]
            row = evolve(
                memory,
                kv_cache=memory.kv_cache[tightest],
                activations=memory.activations[tightest],
            )
            yield TimedTrajectory(trajectory, times.rows(rows), row)
            start += len(rows)


@frozen(eq=False, slots=False)
class Trajectory:
    """One batch size of a step loop: its schedule, and what its steps are, without times."""

    loop: StepLoop
    batch: int

    @property
    def size(self) -> int:
        """Requests of a batch in the instance, one pipeline stage's worth."""
        return self.batch * self.loop.server.layout.dp

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Requests of each shape, over all batches."""
        shapes = self.loop.server.mixture.shapes
        batches = 1 if len(shapes) == 1 else -(-POOL // self.size)
        return allocate(batches * self.size, shapes)

    @cached_property
    def schedule(self) -> Schedule:
        """What runs when, without times."""
        loop, replicas = self.loop, self.loop.server.layout.dp
        pools = loop.server.cost.pools_budgets
        forms = loop.scheduler.loop
        if forms is None:
            raise ValueError(f"no loop over steps stands for '{loop.scheduler.value}'")
        budget = Budget(
            loop.budget * replicas,
            loop.budget,
            loop.slack if forms.slack else 0.0,
            1 + loop.server.drafted,
            replicas=1 if pools else replicas,
        )
        engine = Stepping(
            loop.server.mixture.shapes,
            budget,
            forms,
            loop.server.tokens_per_step,
            loop.decodes,
        )
        return engine.run(interleaved(self.counts, self.size))

    @property
    def steps(self) -> NDArray[np.int64]:
        """Steps of each run."""
        return self.schedule.steps

    @cached_property
    def table_of_steps(self) -> StepTable:
        """The first step of every run on the fullest replica, then the last of every run."""
        prefill, first = self.schedule.prefill.T, self.schedule.context
        decoding = self.schedule.decoding.astype(np.float64)
        grown = decoding * (self.steps - 1) * self.loop.server.tokens_per_step
        kv = self._replica_share() * self.schedule.held / self.loop.server.block
        sequences = self.fullest(decoding + prefill[0])
        parts = [
            self._rows(prefill, decoding, context, kv + sequences / 2)
            for context in (first, first + grown)
        ]
        return StepTable.joined(parts)

    def _rows(
        self, prefill: Column, decoding: Column, context: Column, kv_blocks: Column
    ) -> StepTable:
        server, block = self.loop.server, self.loop.server.block
        requests, tokens, pairs, causal, attended = prefill
        share = self.fullest(requests) / np.maximum(requests, 1)
        if not server.cost.pools_budgets:  # none takes more than a step of its own
            share = np.minimum(share, self._budget_with_slack / np.maximum(tokens, 1))
        prefilled = Sequences(
            requests=requests * share,
            tokens=tokens * share,
            pairs=pairs * share,
            causal_pairs=causal * share,
            context=attended * share,
            blocks=np.ceil(attended * share / block),
        )
        fullest = self.fullest(decoding)
        if self.loop.latency is StepLatency.OVERLAPPED:
            mean = server.mixture.decode(fullest, block, server.drafted).decode
        else:
            new = 1 + server.drafted
            each = context / np.maximum(decoding, 1) + server.drafted
            mean = Sequences.of(fullest, new, each, block)
        images = self.loop.server.mixture
        begun = tokens * share / images.mean_new
        return StepTable.of(
            prefill=prefilled,
            decode=mean,
            kv_blocks=kv_blocks,
            kv_sequences=np.full(len(requests), float(self.batch)),
            patches=begun * images.patches,
            patch_pairs=begun * images.patch_pairs,
        )

    @property
    def _budget_with_slack(self) -> Tokens:
        forms = self.loop.scheduler.loop
        slack = self.loop.slack if forms is not None and forms.slack else 0.0
        return int(self.loop.budget * (1 + slack) + 1e-9)

    def fullest(self, requests: Column) -> Column:
        """Return the requests of the fullest replica."""
        return np.asarray(np.ceil(requests / self.loop.server.layout.dp))

    def _replica_share(self) -> float:
        return 1 / self.loop.server.layout.dp


@frozen(eq=False, slots=False)
class TimedTrajectory:
    """A trajectory with its times.

    Attributes:
        trajectory: the steps.
        times: of the first step of every run, then of the last of every run.
        memory: of the tightest step.
    """

    trajectory: Trajectory
    times: StepTimes
    memory: StepMemory

    @property
    def loop(self) -> StepLoop:
        """The step loop."""
        return self.trajectory.loop

    @property
    def schedule(self) -> Schedule:
        """What runs when."""
        return self.trajectory.schedule

    @cached_property
    def durations(self) -> Column:
        """Seconds of each run: its steps grow evenly from the first to the last."""
        first, last = np.split(self.times.total, 2)
        return self.schedule.steps * (first + last) / 2

    @cached_property
    def ends(self) -> Column:
        """Seconds from the arrival of the first batch to the end of each run."""
        durations = self.durations.copy()
        durations[self.schedule.begins] += self.loop.server.serving_cost
        return np.cumsum(durations)

    @cached_property
    def arrivals(self) -> Column:
        """Seconds from the arrival of the first batch to that of each batch."""
        return np.concatenate([[0.0], self.ends])[self.schedule.begins]

    @cached_property
    def ttft(self) -> Column:
        """Time to first token of each group."""
        waited = self.ends[self.schedule.first] - self.arrivals[self.schedule.batch]
        return np.asarray(waited + self.loop.server.request_time)

    @cached_property
    def tpot(self) -> Column:
        """Time per output token of each group; NaN for outputs of one token."""
        outputs = np.array([s.output for s in self.loop.server.mixture.shapes])[self.schedule.shape]
        gaps = np.where(outputs > 1, outputs - 1, np.nan)
        between = self.ends[self.schedule.last] - self.ends[self.schedule.first]
        return np.asarray(between / gaps)

    def table(self, decode: StepTimes | None) -> ServingTable:
        """Return the row of the table; `decode` is the step at the mean context, if any is."""
        loop, server = self.loop, self.loop.server
        ttft = np.array([np.average(self.ttft, weights=self.schedule.count)])
        makespan = self._turnover()
        batch = np.array([self.trajectory.batch])
        stages = server.layout.pp
        prefills = self.schedule.prefill[:, 0] > 0
        rate = np.array([self.schedule.count.sum() / makespan * stages])
        memory = server.parts(batch, self.memory, decodes=loop.decodes, budget=loop.budget)
        requests = np.array([int(self.trajectory.fullest(self.schedule.prefill[:, 0]).max())])
        both = np.concatenate([prefills, prefills])
        prefill_step = np.array([float(self.times.total[both].max())])
        shares, spread = self._shares(prefills)
        if decode is None:
            from specc.serving.phases import prefill_table

            return prefill_table(
                server,
                batch,
                ttft=ttft,
                rate=rate,
                step=prefill_step,
                requests=requests,
                deviation=spread,
                memory=memory,
                shares=shares,
            )
        output = server.mixture.mean_output
        throughput = rate * output
        tpot = np.array([_mean(self.tpot, self.schedule.count)])
        low, high = (np.exp(deviations * spread) for deviations in (P10, P90))
        return ServingTable(
            batch=batch,
            concurrency=batch * server.batches,
            ttft=ttft,
            tpot=tpot,
            throughput=throughput,
            throughput_per_device=throughput / server.devices,
            rate=rate,
            decode_step=decode.total,
            prefill_step=prefill_step,
            wave_requests=requests,
            bands=Bands(
                ttft * low,
                ttft * high,
                tpot * low,
                tpot * high,
                throughput / high,
                throughput / low,
            ),
            memory=memory,
            prefill=shares,
            decode=Shares.of(decode),
        )

    def _turnover(self) -> float:
        """Seconds after which the requests of a batch make room for others, over all batches.

        Of each batch it is the mean over its requests of the time until the last of their shape.
        """
        ends = self.ends[self.schedule.last] - self.arrivals[self.schedule.batch]
        batches, shapes = len(self.arrivals), len(self.trajectory.counts)
        own = self.schedule.batch * shapes + self.schedule.shape
        if not self.loop.decodes:  # an instance that prefills alone is done with a batch at once
            own = self.schedule.batch * shapes
        last = np.zeros(batches * shapes)
        np.maximum.at(last, own, ends)
        requests = np.bincount(own, weights=self.schedule.count, minlength=batches * shapes)
        return float((last * requests).sum() / self.trajectory.size)

    def _shares(self, prefills: NDArray[np.bool_]) -> tuple[Shares, Column]:
        """Return what bounds the steps that prefill, and the deviation of the mean step."""
        runs = len(prefills)
        weights = np.where(prefills, self.schedule.steps, 0).astype(float)
        whole = self.times.rows(np.arange(runs))
        summed = whole.scaled(weights).collapsed()
        deviation = np.average(whole.deviation, weights=self.durations)
        return Shares.of(summed), np.array([deviation])

    def bins(self) -> tuple[BinRow, ...]:
        """Return what each shape sees."""
        rows = []
        shapes = self.loop.server.mixture.shapes
        in_flight = allocate(self.trajectory.size * self.loop.server.layout.pp, shapes)
        for index, (shape, samples) in enumerate(zip(shapes, in_flight, strict=True)):
            own = self.schedule.shape == index
            ttft = _mean(self.ttft[own], self.schedule.count[own]) if own.any() else None
            decodes = own.any() and self.loop.decodes and shape.output > 1
            tpot = _mean(self.tpot[own], self.schedule.count[own]) if decodes else None
            rows.append(
                BinRow(shape.share, samples, shape.input, shape.cached, shape.output, ttft, tpot)
            )
        return tuple(rows)

    def timeline(self) -> Timeline:
        """Return what ran in each step of the first batch."""
        begins = [*self.schedule.begins.tolist(), len(self.schedule.steps)]
        stop = begins[1]
        ends = self.ends[:stop]
        starts = ends - self.durations[:stop]
        return Timeline(
            start=tuple(starts.tolist()),
            end=tuple(ends.tolist()),
            steps=tuple(self.schedule.steps[:stop].tolist()),
            prefilled=tuple(self.schedule.prefill[:stop, 1].astype(int).tolist()),
            decoding=tuple(self.schedule.decoding[:stop].tolist()),
            cached=tuple(int(held) for held in self.schedule.held[:stop].tolist()),
        )


def _mean(values: Column, weights: NDArray[np.int64]) -> float:
    known = ~np.isnan(values)
    if not known.any():
        return np.nan
    return float(np.average(values[known], weights=weights[known]))
