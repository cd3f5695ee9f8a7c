"""Prefill and decode on the same devices, in closed form, for prompts that fit one chunk."""

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from specc.cost import CostModel, Layout, StepMemory, StepTable, StepTimes
from specc.cost.times import P10, P90
from specc.ir import Workload
from specc.serving.table import Bands, Column, Integers, MemoryParts, ServingTable, Shares
from specc.units import Bytes, Tokens


@frozen
class Aggregated:
    """The closed form of aggregated serving.

    All C = batch · DP requests arrive together. Prefill runs in waves of
    W = ⌊budget · DP / new⌋ requests, as the reference planner has it: the fullest replica takes
    ⌈W / DP⌉, which may be one prompt above its own budget. n = C div W full waves take L_W each,
    a rest of r = C mod W requests takes L_r. Then all decode together; every step costs L_d, that
    at the mean context input + ⌊output/2⌋ + 1. So
        TTFT = [W·L_W·(n + n(n-1)/2P) + r·(n·L_W/P + L_r)] / C   with P pipeline stages,
        end-to-end = TTFT + L_d · output,
        TPOT = end-to-end / output,   throughput = C · output / end-to-end.
    The first published version of this form divided by TTFT + TPOT · output, which counts TTFT
    twice. A prefilled token attends to the cached prefix too, which the reference planner drops.

    The KV cache is counted for all requests of the batch in every step: in prefill at the prompt
    length (the reference planner counts the wave alone), in decode at the mean context.

    Attributes:
        budget: new prompt tokens a replica takes in a step; at least the computed prompt.
        memory: bytes of a device.
        reserved: bytes of it that are kept free.
    """

    cost: CostModel
    layout: Layout
    workload: Workload
    budget: Tokens
    memory: Bytes
    reserved: Bytes

    def evaluate(self, batch: Integers) -> ServingTable:
        """Return a row for each batch size (requests a replica), shape (N,)."""
        concurrency = batch * self.layout.dp * self.layout.pp
        ttft, step, requests, prefill_times = self._prefill(concurrency)
        decode_steps = self._decode_steps(batch)
        decode_times = self.cost.times(decode_steps)
        output = self.workload.output
        end_to_end = ttft + decode_times.total * output
        throughput = concurrency * output / end_to_end
        return ServingTable(
            batch=batch,
            concurrency=concurrency,
            ttft=ttft,
            tpot=end_to_end / output,
            throughput=throughput,
            throughput_per_device=throughput / self.layout.devices,
            decode_step=decode_times.total,
            prefill_step=step,
            wave_requests=requests,
            bands=self._bands(concurrency, ttft, prefill_times, decode_times),
            memory=self._memory(batch, requests, decode_steps),
            prefill=Shares.of(prefill_times),
            decode=Shares.of(decode_times),
        )

    def _bands(
        self, concurrency: Integers, ttft: Column, prefill: StepTimes, decode: StepTimes
    ) -> Bands:
        """Return the metrics with all steps at the edge of their bands."""
        output = self.workload.output
        quantiles: dict[str, Column] = {}
        for name, opposite, deviations in (("p10", "p90", P10), ("p90", "p10", P90)):
            first = ttft * np.exp(deviations * prefill.deviation)
            end_to_end = first + decode.quantile(deviations) * output
            quantiles[f"ttft_{name}"] = first
            quantiles[f"tpot_{name}"] = end_to_end / output
            quantiles[f"throughput_{opposite}"] = concurrency * output / end_to_end
        return Bands(**quantiles)

    @property
    def wave(self) -> int:
        """Requests of a full prefill wave, over all replicas."""
        return self.budget * self.layout.dp // self.workload.effective_input

    def prefill_memory(self, batch: Integers) -> StepMemory:
        """Return the memory of the largest prefill step of each batch size."""
        concurrency = batch * self.layout.dp
        return self._prefill_memory(batch, self._per_replica(np.minimum(concurrency, self.wave)))

    def _prefill(self, concurrency: Integers) -> tuple[Column, Column, Integers, StepTimes]:
        """Return TTFT, and latency, requests a replica and times of the largest prefill step."""
        wave = self.wave
        largest = np.minimum(concurrency, wave)
        latency, times = self._prefill_latencies(int(self._per_replica(largest.max())))
        full, rest = concurrency // wave, concurrency % wave
        full_latency = latency[self._per_replica(np.full_like(full, min(wave, largest.max())))]
        rest_latency = latency[self._per_replica(rest)]
        # A wave follows the one before as soon as the first stage is free.
        stages = self.layout.pp
        waves = wave * full_latency * (full + full * (full - 1) / (2 * stages))
        ttft = (waves + rest * (full * full_latency / stages + rest_latency)) / concurrency
        requests = self._per_replica(largest)
        return ttft, latency[requests], requests, times.rows(requests - 1)

    def _prefill_latencies(self, most: int) -> tuple[Column, StepTimes]:
        """Return latencies of prefilling 0 … `most` requests on a replica, and times of 1 … ."""
        times = self.cost.times(self._prefill_steps(np.arange(1, most + 1)))
        return np.concatenate([[0.0], times.total]), times

    def _prefill_steps(
        self, requests: NDArray[np.int64], kv_blocks: Column | None = None
    ) -> StepTable:
        block = self.cost.memory_model.block
        w = self.workload
        return StepTable.prefilling(requests, w.effective_input, w.input, block, kv_blocks)

    def _decode_steps(self, batch: Integers) -> StepTable:
        context = self.workload.input + self.workload.output // 2 + 1
        return StepTable.decoding(batch, context, self.cost.memory_model.block)

    def _per_replica(self, requests: Integers) -> Integers:
        """Return the requests of the fullest replica when they are dealt evenly."""
        return -(-requests // self.layout.dp)

    def _prefill_memory(self, batch: Integers, requests: Integers) -> StepMemory:
        block = self.cost.memory_model.block
        resident = np.ceil((self.workload.input + 1) * batch / block)
        return self.cost.memory(self._prefill_steps(requests, resident))

    def _memory(self, batch: Integers, requests: Integers, decode_steps: StepTable) -> MemoryParts:
        prefill = self._prefill_memory(batch, requests)
        decode = self.cost.memory(decode_steps)
        tighter = prefill.total > decode.total
        kv = np.where(tighter, prefill.kv_cache, decode.kv_cache)
        activations = np.where(tighter, prefill.activations, decode.activations)
        weights = np.full(len(batch), float(decode.weights))
        available = self.memory - self.reserved - weights - kv - activations
        block = self.cost.memory_model.block
        longest = -(-(self.workload.input + self.workload.output) // block)
        memory = self.cost.memory_model
        kv_at_end = batch * longest * memory.batches * float(memory.kv_block_bytes)
        at_end = self.memory - self.reserved - weights - kv_at_end - decode.activations
        return MemoryParts(
            weights=weights,
            kv_cache=kv,
            activations=activations,
            reserved=np.full(len(batch), float(self.reserved)),
            available=available,
            available_at_end=np.minimum(available, at_end),
        )
