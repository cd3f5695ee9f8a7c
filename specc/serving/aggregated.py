"""Prefill and decode on the same devices, in closed form, for prompts that fit one chunk."""

import numpy as np
from attrs import frozen

from specc.cost import StepTable, StepTimes
from specc.cost.times import P10, P90
from specc.results import BinRow, Point
from specc.serving.closed import ClosedForm
from specc.serving.table import Bands, Column, Integers, ServingTable, Shares
from specc.serving.waves import Waves, wave_counts
from specc.units import Seconds, Tokens


@frozen(eq=False, repr=False)
class Aggregated(ClosedForm):
    """The closed form of aggregated serving.

    All C = batch · DP · PP requests arrive together. Prefill runs in waves (see `Waves`) with the
    mean time to first token TTFT. Then all decode together; every step costs L_d, that at the mean
    context input + ⌊output/2⌋ + 1, and yields a token a request, or the accepted ones of
    speculative decoding. So, with L = L_d / tokens a step,
        end-to-end = TTFT + L · output,
        TPOT = end-to-end / output,   throughput = C · output / end-to-end.
    The first published version of this form divided by TTFT + TPOT · output, which counts TTFT
    twice. With several shapes, input and output are means over the requests, and C requests in
    flight finish at a rate of C / end-to-end (Little's law).

    The KV cache is counted for all requests of the batch in every step: in prefill at the prompt
    length (the reference planner counts the wave alone), in decode at the mean context.

    Attributes:
        budget: new prompt tokens a replica takes in a step; at least the longest computed prompt.
    """

    budget: Tokens

    def counts(self, batch: Integers) -> tuple[Integers, Integers]:
        """Return the requests of its steps: waves of rising size, and every batch."""
        return wave_counts(self.server, self.budget, batch * self.server.batches), batch

    def _decode(self, batch: Integers) -> StepTable:
        return self.server.mixture.decode(batch, self.server.block, self.server.drafted)

    def table(self, batch: Integers, times: StepTimes) -> ServingTable:
        """Return a row for each batch size from the times of its `steps`."""
        server, output = self.server, self.server.mixture.mean_output
        concurrency = batch * server.batches
        steps = self._decode(batch)
        split = len(times.total) - len(batch)
        decode = times.rows(np.arange(split, len(times.total)))
        waves = Waves.timed(server, self.budget, concurrency, times.rows(np.arange(split)))
        each = decode.total / server.tokens_per_step
        end_to_end = waves.ttft + each * output
        throughput = concurrency * output / end_to_end
        resident = server.mixture.blocks_of_prompts(batch, server.block)
        prefill_memory = server.memory_of(waves.steps(resident))
        return ServingTable(
            batch=batch,
            concurrency=concurrency,
            ttft=waves.ttft + server.request_time,
            tpot=end_to_end / output if output > 1 else np.full(len(batch), np.nan),
            throughput=throughput,
            throughput_per_device=throughput / server.devices,
            rate=throughput / output,
            decode_step=decode.total,
            prefill_step=waves.latency,
            wave_requests=waves.requests,
            bands=self._bands(concurrency, waves, decode),
            memory=server.parts(batch, prefill_memory, server.memory_of(steps), budget=self.budget),
            prefill=Shares.of(waves.times),
            decode=Shares.of(decode),
        )

    def _bands(self, concurrency: Integers, waves: Waves, decode: StepTimes) -> Bands:
        """Return the metrics with all steps at the edge of their bands."""
        output = self.server.mixture.mean_output
        quantiles: dict[str, Column] = {}
        for name, opposite, deviations in (("p10", "p90", P10), ("p90", "p10", P90)):
            first = waves.ttft * np.exp(deviations * waves.times.deviation)
            each = decode.quantile(deviations) / self.server.tokens_per_step
            end_to_end = first + each * output
            quantiles[f"ttft_{name}"] = first + self.server.request_time
            quantiles[f"tpot_{name}"] = end_to_end / output if output > 1 else first * np.nan
            quantiles[f"throughput_{opposite}"] = concurrency * output / end_to_end
        return Bands(**quantiles)

    def bins(self, point: Point) -> tuple[BinRow, ...]:
        """Return what each shape sees: waves mix the shapes, so all have the same mean TTFT."""
        ttft, step = point.ttft, point.decode_step
        assert ttft is not None
        assert step is not None
        each = step / self.server.tokens_per_step
        waited = ttft - self.server.request_time
        return self._rows(point.batch, lambda s: (ttft, _tpot(waited, each, s.output)))


def _tpot(ttft: Seconds, step: Seconds, output: Tokens) -> Seconds | None:
    """Return the end-to-end time per output token; outputs of one token have no TPOT."""
    return ttft / output + step if output > 1 else None
