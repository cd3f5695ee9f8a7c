"""From an instance of a deployment, or a measured server, to the engines that are simulated."""

import numpy as np
from attrs import evolve, frozen

from specc.cost import StepTable
from specc.ir import Engine, MeasuredServer, Phase, Routing, Scheduler
from specc.ir.engine import USUAL_SLACK
from specc.ir.simulation import StepKind
from specc.results import EngineLimits
from specc.serving.server import Server
from specc.simulation.cluster import Pool
from specc.simulation.costs import CostTable, MeasuredCosts, picoseconds
from specc.simulation.policies.schedulers.base import UNLIMITED
from specc.units import Tokens

PREFILL_LIMIT = 1024  # prompts that an instance has begun, where it prefills alone


def is_unlimited(limits: EngineLimits) -> bool:
    """Tell whether the KV cache of an engine has no limit."""
    return limits.capacity >= UNLIMITED // limits.block


@frozen(eq=False)
class SimulatedInstance:
    """An instance of a deployment at the batch size that was found for it.

    Attributes:
        batch: sequences a replica runs.
        budget: new tokens a replica takes in a step.
        longest: tokens of prompt and output that it takes.
    """

    server: Server
    engine: Engine
    phase: Phase
    batch: int
    budget: Tokens
    longest: Tokens

    @property
    def in_step(self) -> int:
        """Data-parallel replicas that share experts, and so run every step together.

        They are one engine with the budgets, sequences and caches of all of them.
        """
        layout, model = self.server.layout, self.server.cost.memory_model.model
        return layout.dp if model.experts is not None else 1

    @property
    def engines(self) -> int:
        """Engines of the instance: replicas on their own, one for each pipeline stage's batch."""
        layout = self.server.layout
        return layout.dp // self.in_step * layout.pp

    @property
    def settings(self) -> EngineLimits:
        """The limits of an engine."""
        engine, together = self.engine, self.in_step
        whole = self.phase is Phase.WHOLE
        running = self.batch if self.phase is not Phase.PREFILL else PREFILL_LIMIT
        scheduler = engine.scheduler if whole and engine.scheduler else Scheduler.DECODE_FIRST
        limit = running * together
        return EngineLimits(
            scheduler=scheduler,
            budget=self.budget * together,
            limit=min(limit, self.budget * together),
            admission=(engine.prefill_admission or running) * together,
            decode_batch=limit,
            capacity=self.cache_blocks * together,
            block=self.server.block,
            longest=self.longest,
            slack=engine.slack if scheduler.takes_slack else 0.0,
        )

    @property
    def cache_blocks(self) -> int:
        """KV-cache blocks of a replica beside the weights and a full prefill step."""
        server = self.server
        step = StepTable.prefilling(1, self.budget, self.budget, server.block, 0)
        step = evolve(step, kv_sequences=np.array([float(self.batch)]))
        free = server.memory - server.reserved - float(server.memory_of(step).total[0])
        block = server.cost.memory_model.batches * server.cost.memory_model.kv_block_bytes
        if server.draft is not None:
            block += server.draft.memory_model.batches * server.draft.memory_model.kv_block_bytes
        return max(0, int(free // max(block, 1e-9)))

    @property
    def deviation(self) -> float:
        """Standard deviation of log(measured / predicted) of a decode step at its batch."""
        server = self.server
        step = server.mixture.decode([self.batch], server.block, server.drafted)
        return float(server.times(step).deviation[0])

    def pool(self, routing: Routing, longest: Tokens, deviations: float = 0.0) -> Pool:
        """Return an engine of the instance; `longest` is the longest request that comes.

        All steps take as long as the cost model says, times exp(deviations · deviation).
        """
        settings = self.settings
        longest = settings.longest_context(longest)
        costs = CostTable(
            server=self.server,
            longest=longest,
            budget=int(settings.budget * (1 + settings.slack)) + 1,
            limit=settings.limit,
            replicas=self.in_step,
            overhead=0.0 if self.phase is Phase.WHOLE else self.server.serving_cost,
            slowness=float(np.exp(deviations * self.deviation)),
        )
        return Pool(settings, costs, routing=routing)


def measured_pool(server: MeasuredServer, routing: Routing, longest: Tokens) -> Pool:
    """Return an engine whose steps were measured; `longest` is the longest request that comes."""
    decode_batch = min(server.decode_batch or server.max_sequences, server.max_sequences)
    capacity = UNLIMITED if server.kv_cache is None else server.kv_cache // server.block_size
    settings = EngineLimits(
        scheduler=server.scheduler,
        budget=server.chunk_budget,
        limit=min(server.max_sequences, server.chunk_budget),
        admission=server.prefill_admission or decode_batch,
        decode_batch=decode_batch,
        capacity=capacity,
        block=server.block_size,
        longest=server.max_model_length or UNLIMITED,
        slack=USUAL_SLACK if server.scheduler.takes_slack else 0.0,
        ready_at=picoseconds(server.ready_after),
    )
    points = {
        kind: sorted((row.size, row.time) for row in server.step_cost if row.step is kind)
        for kind in StepKind
    }
    longest = settings.longest_context(longest)
    costs = MeasuredCosts(points[StepKind.PREFILL], points[StepKind.DECODE], longest)
    return Pool(settings, costs, routing=routing)
