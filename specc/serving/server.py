"""What all serving models share: the cost of a step, the requests, and the memory of a device."""

import math
from functools import cached_property

import numpy as np
from attrs import evolve, frozen

from specc.cost import (
    CacheShape,
    CostModel,
    MemoryModel,
    Sequences,
    StepMemory,
    StepTable,
    StepTimes,
)
from specc.engines import reserved_bytes
from specc.ir import Deployment, Layout, Model, Phase, Workload
from specc.records import Record
from specc.serving.mixture import Mixture
from specc.serving.table import Column, Integers, MemoryParts
from specc.units import Bytes, Seconds, Tokens

MOST_WAVES = 8  # prefill waves after which another one tells nothing new


@frozen(eq=False, repr=False)
class Server(Record):
    """An instance of a deployment in one layout.

    Attributes:
        cost: the cost model of the model, with its draft layers if they draft.
        draft: the cost model of a draft model of its own, or None.
        mixture: the requests.
        drafted: tokens drafted before each decode step.
        tokens_per_step: tokens that a decode step yields, accepted drafts included.
        memory: bytes of a device that the engine sees.
        reserved: bytes of it that are kept free.
        kept_prefix: tokens of prefixes that a replica caches beside the requests in flight.
        per_device: engines that share its devices.
        serving_cost: time that the server adds to a step of a separate phase.
    """

    cost: CostModel
    mixture: Mixture
    memory: Bytes
    reserved: Bytes
    draft: CostModel | None = None
    drafted: int = 0
    tokens_per_step: float = 1.0
    kept_prefix: Tokens = 0
    serving_cost: Seconds = 0.0
    per_device: int = 1

    @classmethod
    def of(
        cls,
        deployment: Deployment,
        layout: Layout,
        workload: Workload,
        phase: Phase = Phase.WHOLE,
        drafted: int = 0,
    ) -> "Server":
        """Return an instance that serves a workload, drafting `drafted` tokens a step."""
        engine, speculative = deployment.engine, deployment.engine.speculative
        own_model = speculative.draft if speculative and drafted else None
        layers = drafted if own_model is None else 0
        if phase is Phase.PREFILL:
            # A prompt passes the draft layer once, to fill its cache; nothing is drafted.
            layers = min(layers, 1)
        draft = None
        if own_model is not None:
            layout_of_draft = _draft_layout(layout, own_model)
            draft = CostModel.of(evolve(deployment, model=own_model), layout_of_draft)
        cost = CostModel.of(deployment, layout, layers)
        return cls(
            cost=cost if phase is Phase.WHOLE else cost.apart,
            mixture=Mixture.of(workload, deployment.model),
            memory=deployment.memory,
            reserved=reserved_bytes(deployment, layout),
            draft=draft,
            drafted=0 if phase is Phase.PREFILL else drafted,
            tokens_per_step=speculative.tokens_per_step(drafted) if speculative else 1.0,
            kept_prefix=engine.prefix_cache,
            serving_cost=engine.serving_cost,
            per_device=engine.per_device,
        )

    @property
    def layout(self) -> Layout:
        """The parallel layout."""
        return self.cost.layout

    @property
    def request_time(self) -> Seconds:
        """Time to a first token that is none of its steps."""
        return self.cost.rules.request_time

    @property
    def devices(self) -> float:
        """Devices that are its own; of some that it shares a part."""
        return self.layout.devices / self.per_device

    @property
    def block(self) -> Tokens:
        """Tokens of a KV-cache block."""
        return self.cost.memory_model.block

    @property
    def memory_models(self) -> tuple[MemoryModel, ...]:
        """The memory of the model, and of a draft model of its own."""
        return tuple(cost.memory_model for cost in (self.cost, self.draft) if cost is not None)

    @property
    def batches(self) -> int:
        """Batches in flight: data-parallel replicas, each with one for every pipeline stage."""
        return self.layout.dp * self.layout.pp

    def times(self, steps: StepTable) -> StepTimes:
        """Return the times of steps, those of a draft model with them.

        A draft model takes in the prompts of a step, and runs once for every drafted token.
        """
        times = self.cost.times(steps)
        if self.draft is None:
            return times
        share = 1 / (1 + self.drafted)
        one_token = evolve(steps.decode, tokens=steps.decode.tokens * share)
        one_token = evolve(
            one_token,
            pairs=steps.decode.pairs * share,
            causal_pairs=steps.decode.context,
        )
        first = self.draft.times(evolve(steps, decode=one_token))
        times = times.plus(first)
        if self.drafted > 1:
            alone = StepTable.of(
                prefill=Sequences.none(len(steps)),
                decode=one_token,
                kv_blocks=steps.kv_blocks,
                kv_sequences=steps.kv_sequences,
            )
            times = times.plus(self.draft.times(alone).scaled(float(self.drafted - 1)))
        return times

    def memory_of(self, steps: StepTable) -> StepMemory:
        """Return the memory of steps, with kept prefixes and with a draft model."""
        kept = -(-self.kept_prefix // self.block)
        steps = evolve(steps, kv_blocks=steps.kv_blocks + kept)
        memory = self.cost.memory(steps)
        if self.draft is None:
            return memory
        ratio = self.block / self.draft.memory_model.block
        other = self.draft.memory(evolve(steps, kv_blocks=steps.kv_blocks * ratio))
        return StepMemory(
            memory.weights + other.weights,
            memory.kv_cache + other.kv_cache,
            np.maximum(memory.activations, other.activations),
        )

    @property
    def weight_bytes(self) -> Bytes:
        """Weights on the fullest device."""
        return sum(model.weight_bytes for model in self.memory_models)

    def cache_blocks(self, budget: Tokens, sequences: int) -> int:
        """Return the KV-cache blocks of a replica, as an engine counts them when it starts.

        What weights, and a step of the whole budget, leave of its memory; `sequences` hold what
        does not grow with their length.
        """
        free = self.memory - self.reserved - float(self.at_start(budget, sequences).total[0])
        # What a sequence holds beside its tokens is counted with them.
        free += float(self.cache.bytes(0, sequences))
        return int(self.cache.blocks_in(free, sequences) + 1e-9)

    @cached_property
    def cache(self) -> CacheShape:
        """What the batches of all stages hold of the cache of a device, a draft model's with it."""
        shapes = (model.cache.scaled(model.batches) for model in self.memory_models)
        return CacheShape.joined(shapes, self.block)

    def cache_tokens(self, budget: Tokens, sequences: int) -> Tokens:
        """Return the tokens that the cache of a replica holds, in the batches of all its stages."""
        return self.cache_blocks(budget, sequences) * self.layout.pp * self.block

    def at_start(self, budget: Tokens, sequences: int) -> StepMemory:
        """Return the memory of a step of the whole budget whose requests have no cache yet."""
        step = StepTable.prefilling(1, budget, budget, self.block, 0)
        return self.memory_of(evolve(step, kv_sequences=np.array([float(sequences)])))

    @property
    def request_bytes(self) -> float:
        """KV cache of the mean request in flight, of all batches on a device."""
        return float(self.cache.bytes(self.mixture.mean_context / self.block, 1))

    @property
    def largest_batch(self) -> int:
        """A batch size that the memory of a device cannot hold."""
        free = self.memory - self.reserved - self.weight_bytes
        return int(max(1, free // self.request_bytes + 1))

    def largest_queue(self, budget: Tokens) -> int:
        """A batch size above which an instance that prefills alone only lets requests wait."""
        waves = budget / max(1.0, self.mixture.mean_new)
        return max(1, math.ceil(MOST_WAVES * max(1.0, waves)))

    def parts(
        self, batch: Integers, *phases: StepMemory, decodes: bool = True, budget: Tokens = 0
    ) -> MemoryParts:
        """Return the memory of the tightest of some steps, and at the end of outputs if any.

        One of them has the longest request of a mixture among those in flight, with its prompt in
        the step, as far as the budget of an instance that prefills goes.
        """
        last = phases[-1]
        if len(self.mixture.shapes) > 1:
            phases = (*phases, self._with_longest(last, budget, decodes=decodes))
        totals = np.array([phase.total for phase in phases])
        tightest = np.argmax(totals, axis=0)
        rows = np.arange(len(batch))

        def of_tightest(name: str) -> Column:
            column: Column = np.array([getattr(phase, name) for phase in phases])[tightest, rows]
            return column

        weights = np.full(len(batch), float(self.weight_bytes))
        kv, activations = of_tightest("kv_cache"), of_tightest("activations")
        limit = float(self.memory - self.reserved)
        available = limit - weights - kv - activations
        at_end = available
        if decodes:
            at_end = limit - weights - self._kv_at_end(batch) - last.activations
        return MemoryParts(
            weights=weights,
            kv_cache=kv,
            activations=activations,
            reserved=np.full(len(batch), float(self.reserved)),
            available=available,
            available_at_end=np.minimum(available, at_end),
        )

    def _with_longest(self, step: StepMemory, budget: Tokens, *, decodes: bool) -> StepMemory:
        """Return the memory of steps in which the longest request stands for a mean one.

        It comes, however rare it is, while the others are in flight.
        """
        extra = self.mixture.blocks_beyond_the_mean(self.block, decodes=decodes)
        cache = extra * self.cache.growth / self.layout.pp
        live = np.maximum(step.activations, self._activations_of(budget))
        return StepMemory(step.weights, step.kv_cache + cache, live)

    def _activations_of(self, budget: Tokens) -> float:
        """Return the activations of a full step, for which an engine keeps memory."""
        context = max(budget, self.mixture.longest_input)
        step = StepTable.prefilling(1, budget, context, self.block)
        return float(self.memory_of(step).activations[0])

    def _kv_at_end(self, batch: Integers) -> Column:
        blocks = self.mixture.blocks_at_end(batch, self.block) + math.ceil(
            self.kept_prefix / self.block
        )
        return self.cache.bytes(blocks, batch)


def _draft_layout(layout: Layout, draft: Model) -> Layout:
    """A draft model is split like the attention of the model, as far as its heads allow.

    Its experts, if it has any, are all on every device.
    """
    tp = math.gcd(layout.tp, draft.attention_heads)
    return Layout(tp, 1, layout.devices // tp)
