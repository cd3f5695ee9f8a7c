"""From an instance of a deployment, or a measured server, to the engines that are simulated."""

import math

import numpy as np
from attrs import frozen

from specc.engines import hashed_tokens, scheduling_of, state_rules
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
        hashed: tokens of the blocks that a trace names; 0 where it names none.
    """

    server: Server
    engine: Engine
    phase: Phase
    batch: int
    budget: Tokens
    longest: Tokens
    hashed: Tokens = 0

    @property
    def in_step(self) -> int:
        """Data-parallel ranks that share experts, and so run every step together."""
        layout, model = self.server.layout, self.server.cost.memory_model.model
        return layout.replicas_per_experts if model.experts is not None else 1

    @property
    def engines(self) -> int:
        """Engines of the instance: data-parallel ranks, one for each pipeline stage's batch."""
        return self.server.batches

    @property
    def settings(self) -> EngineLimits:
        """The limits of an engine."""
        engine, whole = self.engine, self.phase is Phase.WHOLE
        running = self.batch if self.phase is not Phase.PREFILL else PREFILL_LIMIT
        scheduler = engine.scheduler if whole and engine.scheduler else Scheduler.DECODE_FIRST
        flat = self.phase is not Phase.DECODE and self.server.mixture.has_hits
        acceptance = self.acceptance
        new = 1 + len(acceptance)
        # A budget that was found for prompts is no limit where there are none.
        budget = max(self.budget, running * new) if self.phase is Phase.DECODE else self.budget
        places = min(running, budget // new)
        scheduling = scheduling_of(
            engine,
            scheduler,
            flat_hits=flat,
            model=self.server.cost.memory_model.model,
            stages=self.server.layout.pp,
            drafts=bool(acceptance),
        )
        return EngineLimits(
            scheduler=scheduler,
            budget=budget,
            limit=places,
            admission=engine.prefill_admission or running,
            decode_batch=places,
            capacity=self.cache_blocks,
            block=self.block,
            longest=self.longest,
            slack=engine.slack if scheduler.takes_slack else 0.0,
            start=scheduling.admission,
            prefix_caching=scheduling.prefix_caching,
            async_scheduling=scheduling.async_scheduling,
            long_prompt=scheduling.long_prompt or 0,
            acceptance=acceptance,
            queue=engine.queue,
        )

    @property
    def acceptance(self) -> tuple[float, ...]:
        """The share of steps in which the first, second, … drafted token is accepted."""
        speculative = self.engine.speculative
        return () if speculative is None else speculative.acceptance[: self.server.drafted]

    @property
    def cache_blocks(self) -> int:
        """KV-cache blocks of a replica."""
        blocks = self.server.cache_blocks(self.budget, self.batch)
        return blocks * self.server.block // self.block

    @property
    def block(self) -> Tokens:
        """Tokens of a KV-cache block.

        Where a block is as large as a state, it holds whole blocks of the trace: an engine may find
        a little more.
        """
        own = self.server.block
        if own == self.engine.block_size or not self.hashed:
            return own
        return hashed_tokens(self.hashed, own)

    @property
    def caches_outputs(self) -> bool:
        """Whether a next turn finds what was decoded, as well as prompts."""
        recurrent = self.server.cost.memory_model.model.recurrent_layers
        return not recurrent or state_rules(self.engine.software).keeps_outputs

    @property
    def deviation(self) -> float:
        """Standard deviation of log(measured / predicted) of a decode step at its batch."""
        server = self.server
        step = server.mixture.decode([self.batch], server.block, server.drafted)
        return float(server.times(step).deviation[0])

    @property
    def deviation_of_kernels(self) -> float:
        """That without the error that the serving software adds."""
        return math.sqrt(
            max(self.deviation**2 - self.server.cost.rules.deviation_of_software**2, 0.0)
        )

    def pool(self, routing: Routing, longest: Tokens, deviations: float = 0.0) -> Pool:
        """Return the engines of an instance; `longest` is the longest request that comes.

        All steps take as long as the cost model says, times exp(deviations · deviation).
        """
        settings = self.settings
        longest = settings.longest_context(longest)
        costs = CostTable(
            server=self.server,
            longest=longest,
            budget=int(settings.budget * (1 + settings.slack)) + 1,
            limit=settings.limit,
            ranks=self.in_step,
            overhead=0.0 if self.phase is Phase.WHOLE else self.server.serving_cost,
            slowness=float(np.exp(deviations * self.deviation)),
        )
        outside = picoseconds(self.server.request_time)
        return Pool(settings, costs, self.engines, routing, self.engines, self.in_step, outside)


def measured_pool(
    server: MeasuredServer, routing: Routing, longest: Tokens, *, flat_hits: bool
) -> Pool:
    """Return an engine whose steps were measured.

    Args:
        server: the engine.
        routing: which of several a request goes to.
        longest: tokens of the longest request that comes.
        flat_hits: the workload sets a flat hit rate, which is instead of prefix caching.
    """
    decode_batch = min(server.decode_batch or server.max_sequences, server.max_sequences)
    capacity = UNLIMITED if server.kv_cache is None else server.kv_cache // server.block_size
    scheduling = scheduling_of(server, server.scheduler, flat_hits=flat_hits)
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
        start=scheduling.admission,
        prefix_caching=scheduling.prefix_caching,
        async_scheduling=scheduling.async_scheduling,
        long_prompt=scheduling.long_prompt or 0,
        queue=server.queue,
    )
    points = {
        kind: sorted((row.size, row.time) for row in server.step_cost if row.step is kind)
        for kind in StepKind
    }
    longest = settings.longest_context(longest)
    costs = MeasuredCosts(points[StepKind.PREFILL], points[StepKind.DECODE], longest)
    return Pool(settings, costs, routing=routing)
