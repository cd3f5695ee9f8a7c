"""Instances that prefill alone or decode alone, in closed form."""

import numpy as np
from attrs import frozen

from specc.cost import StepTimes
from specc.cost.times import P10, P90
from specc.results import BinRow, Point
from specc.serving.closed import ClosedForm
from specc.serving.server import Server
from specc.serving.table import Bands, Column, Integers, MemoryParts, ServingTable, Shares
from specc.serving.waves import Waves, wave_counts
from specc.units import Tokens


@frozen(eq=False, repr=False)
class Prefill(ClosedForm):
    """An instance that prefills alone, for prompts that fit one chunk.

    C = batch · DP · PP requests arrive together and run in waves. TTFT is their mean, and the rate
    of the instance comes from the time until the last of them is done (the reference planner takes
    C / TTFT, more than the instance can do). Throughput counts prompt tokens, cached ones too.
    The cache holds the wave and the one before, which is on its way to a decode instance.

    Attributes:
        budget: new prompt tokens a replica takes in a step; at least the longest computed prompt.
    """

    budget: Tokens

    def counts(self, batch: Integers) -> tuple[Integers, Integers]:
        """Return the requests of its steps: waves of rising size."""
        return wave_counts(self.server, self.budget, batch * self.server.batches), batch[:0]

    def table(self, batch: Integers, times: StepTimes) -> ServingTable:
        """Return a row for each batch size from the times of its `steps`."""
        server = self.server
        concurrency = batch * server.batches
        waves = Waves.timed(server, self.budget, concurrency, times)
        ttft = waves.ttft + server.serving_cost + server.request_time
        rate = concurrency / (waves.makespan + server.serving_cost)
        held = np.minimum(batch, 2 * waves.requests)
        resident = server.mixture.blocks_of_prompts(held, server.block)
        deviation = waves.times.deviation
        return prefill_table(
            server,
            batch,
            ttft=ttft,
            rate=rate,
            step=waves.latency,
            requests=waves.requests,
            deviation=deviation,
            memory=server.parts(
                batch,
                server.memory_of(waves.steps(resident)),
                decodes=False,
                budget=self.budget,
            ),
            shares=Shares.of(waves.times),
        )

    def bins(self, point: Point) -> tuple[BinRow, ...]:
        """Return what each shape sees: waves mix the shapes, so all have the same mean TTFT."""
        return self._rows(point.batch, lambda _: (point.ttft, None))


@frozen(eq=False, repr=False)
class Decode(ClosedForm):
    """An instance that decodes alone.

    TPOT = (step + serving cost) / tokens a step, throughput = C / TPOT in output tokens, and
    requests finish at a rate of throughput / (output - 1): the first token comes from prefill. The
    step is that at the mean context, with each shape as often as it is in flight.
    """

    def counts(self, batch: Integers) -> tuple[Integers, Integers]:
        """Return the requests of its steps: one decode step a batch size."""
        return batch[:0], batch

    def table(self, batch: Integers, times: StepTimes) -> ServingTable:
        """Return a row for each batch size from the times of its `steps`."""
        server = self.server
        concurrency = batch * server.batches
        steps = self.steps(batch)
        tpot = (times.total + server.serving_cost) / server.tokens_per_step
        throughput = concurrency / tpot
        none = np.full(len(batch), np.nan)
        low, high = (
            (times.quantile(deviations) + server.serving_cost) / server.tokens_per_step
            for deviations in (P10, P90)
        )
        return ServingTable(
            batch=batch,
            concurrency=concurrency,
            ttft=none,
            tpot=tpot,
            throughput=throughput,
            throughput_per_device=throughput / server.devices,
            rate=throughput / server.mixture.mean_steps,
            decode_step=times.total,
            prefill_step=none,
            wave_requests=np.zeros(len(batch), dtype=np.int64),
            bands=Bands(none, none, low, high, concurrency / high, concurrency / low),
            memory=server.parts(batch, server.memory_of(steps)),
            prefill=Shares.none(len(batch)),
            decode=Shares.of(times),
        )

    def bins(self, point: Point) -> tuple[BinRow, ...]:
        """Return what each shape sees: all decode in the same steps."""
        return self._rows(point.batch, lambda _: (None, point.tpot))


def prefill_table(
    server: Server,
    batch: Integers,
    *,
    ttft: Column,
    rate: Column,
    step: Column,
    requests: Integers,
    deviation: Column,
    memory: MemoryParts,
    shares: Shares,
) -> ServingTable:
    """Return the table of an instance that prefills alone from what it does."""
    none = np.full(len(batch), np.nan)
    throughput = rate * server.mixture.mean_input
    low, high = (np.exp(deviations * deviation) for deviations in (P10, P90))
    return ServingTable(
        batch=batch,
        concurrency=batch * server.batches,
        ttft=ttft,
        tpot=none,
        throughput=throughput,
        throughput_per_device=throughput / server.devices,
        rate=rate,
        decode_step=none,
        prefill_step=step,
        wave_requests=requests,
        bands=Bands(ttft * low, ttft * high, none, none, throughput / high, throughput / low),
        memory=memory,
        prefill=shares,
        decode=Shares.none(len(batch)),
    )
