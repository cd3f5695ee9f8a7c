"""Prefill of requests that arrive together, in waves of whole prompts, in closed form."""

import numpy as np
from attrs import frozen

from specc.cost import StepMemory, StepTable, StepTimes
from specc.serving.server import Server
from specc.serving.table import Column, Integers
from specc.units import Tokens


@frozen(eq=False)
class Waves:
    """Waves of W requests, back to back, each replica with as many as its budget holds.

    W = DP · ⌊budget / new⌋, and at least one each, with `new` the mean computed prompt. By the
    reference rules, as the published planner has it, W = ⌊budget · DP / new⌋, of which the
    fullest replica takes ⌈W / DP⌉: that may be one prompt above its own budget. Of C requests
    n = C div W full waves take L_W each, a rest of r = C mod W takes L_r; a wave follows the one
    before as soon as the first of P pipeline stages is free. So
        TTFT = [W·L_W·(n + n(n-1)/2P) + r·(n·L_W/P + L_r)] / C,
        makespan = the later of L_W·(1 + (n-1)/P) and n·L_W/P + L_r.
    A prefilled token attends to the cached prefix too, which the reference planner drops.

    Attributes (arrays of shape (N,)):
        ttft: mean time to first token.
        makespan: time until the last prompt is done.
        latency: of the largest wave.
        requests: of the largest wave on the fullest replica.
        times: of the largest wave, with its parts.
    """

    server: Server
    ttft: Column
    makespan: Column
    latency: Column
    requests: Integers
    times: StepTimes

    @classmethod
    def timed(
        cls, server: Server, budget: Tokens, concurrency: Integers, times: StepTimes
    ) -> "Waves":
        """Return the waves from the times of `wave_counts`."""
        wave = wave_size(server, budget)
        replicas, stages = server.layout.dp, server.layout.pp
        largest = np.minimum(concurrency, wave)
        latency = np.concatenate([[0.0], times.total])
        full, rest = concurrency // wave, concurrency % wave
        full_latency = latency[_per_replica(np.minimum(wave, largest.max()), replicas)]
        rest_latency = latency[_per_replica(rest, replicas)]
        waves = wave * full_latency * (full + full * (full - 1) / (2 * stages))
        before_rest = full * full_latency / stages
        ttft = (waves + rest * (before_rest + rest_latency)) / concurrency
        last_full = np.where(full > 0, full_latency * (1 + (full - 1) / stages), 0.0)
        last = np.maximum(last_full, np.where(rest > 0, before_rest + rest_latency, 0.0))
        requests = _per_replica(largest, replicas)
        return cls(server, ttft, last, latency[requests], requests, times.rows(requests - 1))

    def steps(self, kv_blocks: Column | None = None) -> StepTable:
        """Return the largest waves as steps."""
        return self.server.mixture.prefill(self.requests, self.server.block, kv_blocks)


def wave_counts(server: Server, budget: Tokens, concurrency: Integers) -> Integers:
    """Return 1, 2, … requests on a replica, up to the largest wave."""
    largest = np.minimum(concurrency, wave_size(server, budget))
    most = int(_per_replica(largest, server.layout.dp).max())
    return np.arange(1, most + 1)


def wave_size(server: Server, budget: Tokens) -> int:
    """Return the requests of a full wave, over all replicas."""
    new, replicas = server.mixture.mean_new, server.layout.dp
    if server.cost.pools_budgets:
        return max(1, int(budget * replicas / new + 1e-9))
    return replicas * max(1, int(budget / new + 1e-9))


def full_wave_memory(server: Server, budget: Tokens) -> StepMemory:
    """Return the memory of a full wave."""
    requests = _per_replica(np.array([wave_size(server, budget)]), server.layout.dp)
    return server.memory_of(
        server.mixture.prefill(
            requests, server.block, server.mixture.blocks_of_prompts(requests, server.block)
        )
    )


def _per_replica(requests: Integers | int, replicas: int) -> Integers:
    """Return the requests of the fullest replica when they are dealt evenly."""
    return np.asarray(-(-requests // replicas))
