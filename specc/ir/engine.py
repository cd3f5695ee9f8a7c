"""The engine of a deployment: budgets, memory, scheduler, communication, speculative decoding."""

import math
from enum import Enum
from itertools import product
from typing import Any

from attrs import evolve, frozen

from specc.ir import vocabulary as v
from specc.ir.model import Model
from specc.ir.policies import Scheduler
from specc.ir.ranges import LARGEST_BLOCK
from specc.ir.software import Software, SoftwareSettings
from specc.units import (
    BYTES,
    DIMENSIONLESS,
    TIME,
    TOKENS,
    Bytes,
    Seconds,
    Tokens,
)

USUAL_SLACK = 0.15  # the reference planner's


class StepLatency(Enum):
    """How long a step takes that prefills and decodes."""

    MIXED = "mixed"
    OVERLAPPED = "overlapped"


class Dispatch(Enum):
    """How tokens reach the experts of other devices and come back."""

    ALL_TO_ALL = "all_to_all"
    FUSED = "fused"
    ALL_GATHER = "all_gather"


class Execution(Enum):
    """How an engine launches the operators of a step."""

    EAGER = "eager"
    GRAPH = "graph"


class Generation(Enum):
    """Generations of serving software; the numbers of each are in the calibration of a device."""

    EAGER = "eager"
    GRAPH = "graph"
    TUNED = "tuned"


@frozen(kw_only=True, eq=False, repr=False)
class Communication(v.Node):
    """How a deployment communicates."""

    sequence_parallel: bool = v.boolean(
        "reduce-scatter before and all-gather after the norms instead of an all-reduce",
        default=False,
    )
    fuse_all_reduce: bool = v.boolean(
        "the all-reduce runs while the GEMM before it does: the longer of the two counts",
        default=False,
    )
    two_streams: bool = v.boolean(
        "two micro-batches take turns: each computes while the other exchanges tokens with experts",
        default=False,
    )
    dispatch: Dispatch = v.choice(
        Dispatch, "how tokens reach their experts", default=Dispatch.ALL_TO_ALL
    )


@frozen(kw_only=True, eq=False, repr=False)
class ExpertPlacement(v.Node):
    """How experts are placed on the devices."""

    imbalance: float = v.number(
        DIMENSIONLESS,
        "tokens of the fullest device over the mean",
        default=1.0,
        at_least=1,
        at_most=1e3,
    )
    redundant: int = v.number_of(
        "copies of frequently used experts; their effect on the balance is set by 'imbalance'",
        default=0,
    )
    shard_shared: bool | None = v.boolean(
        "shared experts are split over the tensor-parallel ranks; otherwise each rank runs them "
        "whole on its share of the tokens; `auto` is as vllm or vllm_ascend has them where it is "
        "named, else whole",
        default=None,
    )


@frozen(kw_only=True, eq=False, repr=False)
class Speculative(v.Node):
    """Speculative decoding: drafted tokens that the model verifies in one step."""

    tokens: tuple[int, ...] = v.sizes(
        "drafted tokens a step to try; 0 is decoding without speculation",
        default=(1,),
        at_least=0,
    )
    acceptance: tuple[float, ...] = v.numbers(
        "share of steps in which the first, second, … drafted token is accepted, as measured on "
        'requests like those of the workload; `acceptance_from("result.json")` reads it from a '
        "load test"
    )
    source: str = v.text("where the acceptance was measured", default="")
    draft: Model | None = v.reference(
        "model",
        "a draft model of its own, run once a drafted token; by default the model's draft layers",
        optional=True,
    )

    def tokens_per_step(self, drafted: int) -> float:
        """Return the tokens that a step yields: the model's own and the accepted ones."""
        return 1.0 + math.fsum(self.acceptance[:drafted])


_SHORT = {"max_sequences": "SEQS", "chunk_budget": "BUDGET", "prefill_admission": "ADMIT"}


@frozen(kw_only=True, eq=False, repr=False)
class Engine(SoftwareSettings):
    """Settings of the serving engine."""

    @classmethod
    def like(cls, generation: Generation, **fields: Any) -> "Engine":
        """Return an engine with the gaps and fixed times of a generation."""
        if generation is Generation.TUNED:
            return cls(software=Software.CANN_RECIPES, **fields)
        return cls(execution=Execution(generation.value), **fields)

    @property
    def generation(self) -> Generation:
        """Whose gaps and fixed times hold."""
        if self.software is Software.CANN_RECIPES and self.execution is Execution.GRAPH:
            return Generation.TUNED
        return Generation(self.execution.value)

    @property
    def drafts(self) -> bool:
        """Whether any candidate drafts tokens."""
        return self.speculative is not None and any(self.speculative.tokens)

    execution: Execution = v.choice(
        Execution,
        "operators are launched one by one, or decode steps as captured graphs: gaps of the host, "
        "sampling, fixed times; with `software = cann_recipes` those of its recipes",
        default=Execution.GRAPH,
        was="generation",
        former_values={"tuned": {"execution": "graph", "software": "cann_recipes"}},
    )
    micro_batches: int = v.number(
        DIMENSIONLESS,
        "parts that a prefill step is cut into on its way through the pipeline stages",
        whole=True,
        at_least=1,
        at_most=1024,
        default=1,
    )
    chunk_budget: Tokens | None = v.number(
        TOKENS,
        "new tokens that a replica takes in a step; `auto` is the default of the software where "
        "one is named; else it tries 4, 2 and 1 times the longest prompt and takes the first whose "
        "prefill fits the memory",
        default=None,
        whole=True,
        at_least=1,
        several=True,
    )
    scheduler: Scheduler | None = v.choice(
        Scheduler,
        "what a step takes in, for a loop over steps; `auto` is the closed form where every prompt "
        "fits the chunk budget, and decode_first_with_slack where one does not",
        default=None,
    )
    slack: float = v.number(
        DIMENSIONLESS,
        "decode_first_with_slack: share by which a step may exceed the chunk budget",
        default=USUAL_SLACK,
        at_least=0,
        at_most=10,
    )
    step: StepLatency = v.choice(
        StepLatency,
        "a step that prefills and decodes is one mixed batch, or takes the longer of the two",
        default=StepLatency.MIXED,
    )
    decode_batch: tuple[int, int] | None = v.interval(
        "requests a replica decodes together, as a range to search; by default from 1 to what "
        "the memory holds"
    )
    prefill_admission: int | None = v.number(
        DIMENSIONLESS,
        "simulation: waiting requests that a step takes in; `auto` is as many as a replica runs",
        default=None,
        several=True,
        whole=True,
        at_least=1,
        at_most=1_000_000,
    )
    max_sequences: int | None = v.number(
        DIMENSIONLESS,
        "limit of the engine on the sequences of a replica; by default that of the software where "
        "one is named. A number is of an engine as it is, and simulated so; of a list each is "
        "tried",
        default=None,
        several=True,
        whole=True,
        at_least=1,
        at_most=1_000_000,
    )
    max_model_length: Tokens | None = v.number(
        TOKENS,
        "limit of the engine on prompt and output together; by default that of the model",
        default=None,
        whole=True,
        at_least=2,
    )
    reserved_memory: Bytes | None = v.number(
        BYTES,
        "memory of a device kept for the runtime, workspaces and fragmentation; `auto` is 10 GiB, "
        "and where vllm or vllm_ascend is named what its share leaves out, with the buffers of its "
        "libraries",
        default=None,
        whole=True,
        at_least=0,
    )
    memory_utilization: float | None = v.fraction(
        "share of the memory of a device that the engine may use, instead of 'reserved_memory'; "
        "`auto` is that of vllm or vllm_ascend where it is named",
        default=None,
        above=0,
        at_most=1,
    )
    per_device: int = v.number(
        DIMENSIONLESS,
        "engines that share each device of an instance: memory and time are divided among them, as "
        "if all were always busy",
        whole=True,
        at_least=1,
        at_most=64,
        default=1,
    )
    block_size: Tokens = v.number(
        TOKENS,
        "tokens of a KV-cache block",
        default=128,
        whole=True,
        at_least=1,
        at_most=LARGEST_BLOCK,
    )
    prefix_cache: Tokens = v.number(
        TOKENS,
        "prefixes that the cache of a replica keeps beside the requests in flight, to reach the "
        "hit rate of the workload",
        default=0,
        whole=True,
        at_least=0,
    )
    serving_cost: Seconds = v.number(
        TIME,
        "time that the server adds to every step of separate prefill or decode instances",
        default=0.0,
        at_least=0,
    )
    speculative: Speculative | None = v.block(
        Speculative, "speculative decoding; by default none", optional=True
    )

    # Fields that were given as lists: each combination of their values is tried.
    tried: v.Tried = ()

    @property
    def each(self) -> "tuple[Engine, ...]":
        """The engines to try: with one value of each field that was given as a list."""
        names = [name for name, _ in self.tried]
        return tuple(
            self._with(dict(zip(names, values, strict=True)))
            for values in product(*(values for _, values in self.tried))
        )

    def _with(self, values: dict[str, Any]) -> "Engine":
        tried = tuple((name, (value,)) for name, value in values.items())
        return evolve(self, tried=tried, **values)

    @property
    def label(self) -> str:
        """What tells it from the others that are tried: ` | SEQS=128`; nothing if it is alone."""
        return "".join(f" | {_SHORT[name]}={value}" for name, (value, *_) in self.tried)
