"""The facts of a result: every metric once, with all that anyone says about it.

Columns of tables, `expect`, `limits`, `specc docs`, CSV, the terminal and the definitions of a
report read `FACTS`. A new metric is a new entry here.

Where a fact is found is a path of attributes: of a configuration and of one of its instances (see
`specc.results`), of a row of the search over batch sizes (a layout or a serving table), or of a
simulation. Nothing of these rooms is imported.
"""

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from attrs import frozen

from specc.ir.deployment import Phase
from specc.records import Record
from specc.units import (
    BYTES,
    DIMENSIONLESS,
    ENERGY,
    REQUESTS,
    TIME,
    TOKENS,
    Dimension,
)

MONEY = Dimension.base("money")  # stands for whichever currency the devices are priced in

Read = str | Callable[[Any], Any] | None


class Better(Enum):
    """Which way a metric is better."""

    MORE = "more"
    LESS = "less"
    NEITHER = ""


class Digits(Enum):
    """How a number is written in a table."""

    MILLISECONDS = "ms, two decimals"
    RATE = "whole above 100, else one decimal"
    QUANTITY = "three significant digits"
    COUNT = "whole"
    LENGTH = "rounded to whole tokens"
    GIBIBYTES = "GiB, two decimals"
    WATT_HOURS = "Wh, three significant digits"
    WORD = "as it is"


ALL_PHASES = (Phase.WHOLE, Phase.PREFILL, Phase.DECODE)


@frozen(kw_only=True)
class Term:
    """Something that reports explain.

    Attributes:
        name: in the language and in files.
        title: in tables.
        unit: of the numbers in tables.
        definition: what exactly it is; empty where the title says it.
        simulated: whether only a simulation has it.
    """

    name: str
    title: str
    unit: str = ""
    definition: str = ""
    simulated: bool = False


@frozen(kw_only=True)
class Fact(Term):
    """A metric of a result.

    Attributes:
        dimension: of its numbers in base units; None for a word.
        better: which way it is better.
        digits: how tables write it.
        configuration, instance, row, simulation: where it is found, None where there is none.
            `row` is of a batch size of a layout, what `limits` judge before all else.
        phases: what instances have it.
        needs: what every device must say for it, such as its price.
        was: its former name, accepted with a warning and a fix.
    """

    dimension: Dimension | None
    better: Better = Better.NEITHER
    digits: Digits = Digits.COUNT
    configuration: Read = None
    instance: Read = None
    row: str | None = None
    simulation: Read = None
    phases: tuple[Phase, ...] = ALL_PHASES
    needs: str = ""
    was: str = ""

    @property
    def is_number(self) -> bool:
        """Whether it is a number, which can be limited."""
        return self.dimension is not None

    @property
    def limitable(self) -> bool:
        """Whether `limits` can name it."""
        return self.is_number and not self.simulated and bool(self.row or self.configuration)


def value(read: Read, owner: Any) -> Any:
    """Return what a fact is for its owner; None where it has none.

    Raises:
        AttributeError: the path is misspelt.
    """
    if read is None or owner is None:
        return None
    if callable(read):
        return read(owner)
    for name in read.split("."):
        owner = None if owner is None else getattr(owner, name)
    return owner


def _size(name: str, title: str) -> Fact:
    return Fact(
        name=name,
        title=title,
        dimension=DIMENSIONLESS,
        instance=f"layout.{name}",
        row=f"layout.{name}",
    )


def _word(name: str, title: str, instance: str | None = None, configuration: str = "") -> Fact:
    return Fact(
        name=name,
        title=title,
        dimension=None,
        digits=Digits.WORD,
        configuration=configuration or name,
        instance=instance,
    )


def _memory(name: str, title: str, definition: str = "", *, row: bool = False) -> Fact:
    path = f"memory.{name}"
    return Fact(
        name=name,
        title=title,
        unit="GiB",
        definition=definition,
        dimension=BYTES,
        digits=Digits.GIBIBYTES,
        better=Better.MORE if row else Better.LESS,
        configuration=name if row else None,
        instance=f"point.{path}",
        row=path if row else None,
    )


METHOD = Term(
    name="method",
    title="Method",
    definition="What ranks candidates before anything is simulated. Steady state: as many clients "
    "as places, each of which sends its next request when one is done, and prompts run beside "
    "decodes. Waves, usual under the reference calibration where every prompt fits the chunk "
    "budget and no scheduler is named: all requests of the batch arrive together, are prefilled "
    "with nobody decoding, then all decode. Step loop: the same, step by step, with chunks of "
    "prompts beside decodes.",
)
BANDS = Term(
    name="bands",
    title="p10–p90",
    definition="80 % interval from errors of the cost model alone. Within a step the errors of "
    "operator classes are independent, each with the spread of its fit, and the spread of the "
    "serving software is added. All steps are assumed slow together, or fast together.",
)
LENGTHS = Term(
    name="lengths",
    title="Lengths",
    definition="Every bin of lengths stands for one length of prompt and one of output. A step "
    "contains each bin in proportion to its share; parts of a request are possible. For decoding "
    "requests the share is weighted by output length, because long outputs stay in flight longer.",
)
COST = Term(
    name="cost",
    title="Cost and energy",
    definition="Price and power of all devices, spares included, over the output tokens of the "
    "same time.",
)
SIMULATION = Term(
    name="simulation",
    title="Simulation",
    simulated=True,
    definition="Every request arrives at its own time, waits, and runs in the steps of an engine "
    "with a token budget, a limit on sequences and a KV cache of blocks: sequences that run decode "
    "first, prompts in order of arrival fill the rest of the step, in chunks. A prompt starts when "
    "the blocks of all of it are free, or of its first chunk; when blocks run out the latest "
    "admitted is preempted, and computes again what the prefix cache no longer has. Full blocks "
    "are found by their hash, the least recently used is evicted. With asynchronous scheduling a "
    "step is composed when the one before begins. Each data-parallel rank has a queue, a budget "
    "and a cache of its own; ranks that share experts run in step, and a step takes as long as the "
    "longest of them, with the experts at the mean of their tokens. With the scheduler "
    "decode_first an engine does what the V1 scheduler of vLLM 0.33 does: on 140 workloads of one "
    "engine each start, first token and finish is the same, without prefix caching, with it and "
    "whole-prompt admission, with asynchronous scheduling beside these, and with "
    "'long_prefill_token_threshold' beside these. 'Simulated engines' shows what is on. Routers, "
    "ranks in step and other schedulers were not compared. Of each request: TTFT = first token − "
    "arrival; TPOT = (last − first token) / "
    "(output tokens − 1); latency = last token − arrival; queue = when a step first takes it in − "
    "arrival. ITL are the gaps between tokens, of all requests together; tokens of one step, with "
    "drafts, come at once and make one gap. Percentiles interpolate between the two nearest ones.",
)
TRANSFER = Fact(
    name="transfer",
    title="KV-cache transfer",
    unit="ms",
    definition="Time to move the KV cache of the mean prompt: link latency + bytes on one rank / "
    "bandwidth of a device's link. It falls between the first and the second token. Layer by "
    "layer, only the part that does not overlap with prefill counts.",
    dimension=TIME,
    digits=Digits.MILLISECONDS,
    better=Better.LESS,
    configuration="transfer",
)
THROUGHPUT = Fact(
    name="throughput",
    title="Throughput",
    unit="tok/s",
    definition="Output tokens a second of all instances without spares; prefill-only: prompt "
    "tokens. As simulated: of the requests done in the middle of a run, from when the first ones "
    "are done, but for one in a hundred, or half have come, to the last arrival; of clients that "
    "begin together, of bursts and of measured servers over the whole run. In closed form: "
    "requests in flight × output tokens / end-to-end time, which in the step loop ends with the "
    "last request of each length; with separate prefill and decode: request rate × output tokens.",
    dimension=TOKENS / TIME,
    digits=Digits.RATE,
    better=Better.MORE,
    configuration="throughput",
    instance="point.throughput",
)
THROUGHPUT_PER_DEVICE = Fact(
    name="throughput_per_device",
    title="per device",
    unit="tok/s",
    definition="Throughput divided by all devices, spare instances included.",
    dimension=TOKENS / TIME,
    digits=Digits.RATE,
    better=Better.MORE,
    configuration="throughput_per_device",
    instance="point.throughput_per_device",
)
RATE = Fact(
    name="rate",
    title="Rate",
    unit="req/s",
    definition="Completed requests a second, without spare instances; as simulated in the time "
    "that throughput is of. In closed form, prefill-only: requests of a batch over the time until "
    "the last prompt is done; decode-only: throughput / (output tokens − 1); with separate prefill "
    "and decode: the rate of the slower phase.",
    dimension=REQUESTS / TIME,
    digits=Digits.QUANTITY,
    better=Better.MORE,
    configuration="rate",
    instance="point.rate",
)
TTFT = Fact(
    name="ttft",
    title="TTFT",
    unit="ms",
    definition="Mean time to first token over all requests: first token − arrival, the wait in "
    "the queue included. In the closed loop, and the steady state that stands for it, the first "
    "request of each client arrives with the others; the mean is over max(500, 5 × clients) "
    "requests. In waves and step loops all arrive together as one batch.",
    dimension=TIME,
    digits=Digits.MILLISECONDS,
    better=Better.LESS,
    configuration="ttft",
    instance="point.ttft",
    row="ttft",
    phases=(Phase.WHOLE, Phase.PREFILL),
)
TPOT = Fact(
    name="tpot",
    title="TPOT",
    unit="ms",
    definition="Mean time per output token, over requests: (last token − first token) / (output "
    "tokens − 1), including the KV-cache transfer. Waves, the published planner's method, include "
    "prefill's share: (TTFT + decode step × output tokens) / output tokens, which is the "
    "end-to-end time per output token and larger than the gap between tokens.",
    dimension=TIME,
    digits=Digits.MILLISECONDS,
    better=Better.LESS,
    configuration="tpot",
    instance="point.tpot",
    row="tpot",
    phases=(Phase.WHOLE, Phase.DECODE),
)
DECODE_STEP = Fact(
    name="decode_step",
    title="Decode step",
    unit="ms",
    definition="One decode step of the batch at the mean context: prompt + half the output + 1. "
    "With speculative decoding it also yields the accepted tokens.",
    dimension=TIME,
    digits=Digits.MILLISECONDS,
    better=Better.LESS,
    instance="point.decode_step",
    row="decode_step",
    phases=(Phase.WHOLE, Phase.DECODE),
)
BATCH = Fact(
    name="batch",
    title="Batch",
    definition="Requests that a replica (a data-parallel rank) runs in one batch; with PP > 1 it "
    "has PP such batches. Shown is the feasible batch with the highest throughput; for "
    "prefill-only the smallest batch that reaches 99 % of it, because more requests would only "
    "wait.",
    dimension=DIMENSIONLESS,
    instance="point.batch",
    row="batch",
)
CONCURRENCY = Fact(
    name="concurrency",
    title="Concurrency",
    definition="Requests in flight in an instance: batch × DP × PP.",
    dimension=DIMENSIONLESS,
    instance="point.concurrency",
    row="concurrency",
)
CHUNK_BUDGET = Fact(
    name="chunk_budget",
    title="Chunk budget",
    unit="tok",
    definition="New tokens a replica takes in a step. A wave holds DP × ⌊budget / computed prompt⌋ "
    "requests, at least one each. Only under calibration = reference, as in the published planner, "
    "replicas pool their budgets: ⌊budget × DP / computed prompt⌋ requests, so the fullest replica "
    "may take one prompt more than its own budget holds.",
    dimension=TOKENS,
    instance="engine.chunk_budget",
)
AVAILABLE = _memory(
    "available",
    "Available",
    "Free device memory in the step that needs the most: memory − weights − KV cache − "
    "activations − reserved. The KV cache holds all requests in flight (decoding ones at their "
    "mean context, each with its own copy of a cached prefix) and the prefixes that the engine "
    "keeps. Of a mixture of lengths the longest request, at its last token, is one of them, and "
    "its prompt is in the step as far as the chunk budget goes.",
    row=True,
)
AVAILABLE_AT_END = _memory(
    "available_at_end",
    "Available at the end",
    "Free memory if all requests of the batch reach the end of their output at the same time. "
    "Below zero, an engine would have to preempt requests.",
    row=True,
)
CACHE_TOKENS = Fact(
    name="cache_tokens",
    title="KV cache",
    unit="tok",
    definition="Tokens that the KV cache of a replica holds: what the weights and a step of the "
    "whole chunk budget leave of the memory of the engine when it starts. Divided by the limit on "
    "the length of a request it is how many of the longest requests run at a time.",
    dimension=TOKENS,
    digits=Digits.COUNT,
    better=Better.MORE,
    instance="point.memory.cache_tokens",
)
LONGEST_REQUEST = Fact(
    name="longest_request",
    title="Longest request",
    unit="tok",
    definition="Tokens of prompt and output of the longest request that the KV cache of a replica "
    "holds, as far as the model goes. An engine does not start with a larger 'max_model_length'.",
    dimension=TOKENS,
    digits=Digits.COUNT,
    better=Better.MORE,
    instance="point.memory.longest_request",
)
GOODPUT = Fact(
    name="goodput",
    title="Goodput",
    unit="req/s",
    definition="Requests that meet every objective, a second, in the time that throughput is of, "
    "so without the start and the end of the run, which attainment counts too. A request is judged "
    "by the loosest limit on each metric; a rejected request counts as missed.",
    dimension=REQUESTS / TIME,
    digits=Digits.QUANTITY,
    better=Better.MORE,
    simulated=True,
    simulation="metrics.goodput",
)
CAPACITY = Fact(
    name="capacity",
    title="Capacity",
    unit="req/s",
    definition="The highest rate at which the target share of the requests meets every objective, "
    "every statistic meets its limit and the queue does not grow, by bisection to 1 % with the "
    "same requests at every rate; mean over seeds.",
    dimension=REQUESTS / TIME,
    digits=Digits.QUANTITY,
    better=Better.MORE,
    simulated=True,
    simulation="capacity.rate",
)

# In the order of documentation and CSV.
FACTS: tuple[Fact, ...] = (
    THROUGHPUT,
    THROUGHPUT_PER_DEVICE,
    RATE,
    TTFT,
    TPOT,
    DECODE_STEP,
    BATCH,
    CONCURRENCY,
    _size("tp", "TP"),
    _size("pp", "PP"),
    _size("dp", "DP"),
    _size("cp", "CP"),
    _size("dcp", "DCP"),
    _size("ep", "EP"),
    _size("moe_tp", "MOE-TP"),
    _size("moe_dp", "MOE-DP"),
    Fact(
        name="drafted",
        title="Drafted",
        unit="tok",
        dimension=DIMENSIONLESS,
        instance="engine.drafted",
    ),
    CHUNK_BUDGET,
    Fact(
        name="devices",
        title="Devices",
        dimension=DIMENSIONLESS,
        better=Better.LESS,
        configuration="devices",
        instance="devices",
    ),
    Fact(
        name="instances",
        title="Instances",
        dimension=DIMENSIONLESS,
        configuration="instance_count",
        instance="count",
    ),
    AVAILABLE,
    AVAILABLE_AT_END,
    _memory("weights", "Weights"),
    _memory("kv_cache", "KV cache"),
    _memory("activations", "Activations"),
    _memory("reserved", "Reserved"),
    CACHE_TOKENS,
    LONGEST_REQUEST,
    TRANSFER,
    Fact(
        name="cost_per_million_tokens",
        title="Cost",
        unit="{currency}/Mtok",
        dimension=MONEY,
        digits=Digits.QUANTITY,
        better=Better.LESS,
        configuration="cost_per_million_tokens",
        needs="price",
    ),
    Fact(
        name="energy_per_thousand_tokens",
        title="Energy",
        unit="Wh/ktok",
        dimension=ENERGY,
        digits=Digits.WATT_HOURS,
        better=Better.LESS,
        configuration="energy_per_thousand_tokens",
        needs="power",
    ),
    _word("deployment", "Deployment"),
    _word("device", "Device", instance="device"),
    _word("model", "Model", instance="model"),
    _word("quantisation", "Quantisation", instance="quantisation"),
    GOODPUT,
    Fact(
        name="attainment",
        title="Attainment",
        dimension=DIMENSIONLESS,
        digits=Digits.QUANTITY,
        better=Better.MORE,
        simulated=True,
        simulation="metrics.attainment",
    ),
    CAPACITY,
    Fact(
        name="instances_needed",
        was="replicas",
        title="Instances needed",
        definition="The fewest instances with which a simulation at the `rate` of the block "
        "`capacity` reaches the target share; of a configuration with several instances, copies "
        "of all of them.",
        dimension=DIMENSIONLESS,
        better=Better.LESS,
        simulated=True,
        simulation="capacity.instances",
    ),
)

# What every report explains, in its order; facts with a definition that are not here follow.
GLOSSARY: tuple[Term, ...] = (
    METHOD,
    TTFT,
    TPOT,
    THROUGHPUT,
    THROUGHPUT_PER_DEVICE,
    RATE,
    BANDS,
    LENGTHS,
    DECODE_STEP,
    BATCH,
    CONCURRENCY,
    CHUNK_BUDGET,
    TRANSFER,
    AVAILABLE,
    AVAILABLE_AT_END,
    COST,
    SIMULATION,
    GOODPUT,
    CAPACITY,
)


@frozen(eq=False, repr=False)
class RequestMetric(Record):
    """What a simulation measures of every request; statistics over requests are facts."""

    name: str
    title: str


REQUEST_METRICS: tuple[RequestMetric, ...] = (
    RequestMetric("ttft", "TTFT"),
    RequestMetric("tpot", "TPOT"),
    RequestMetric("itl", "ITL"),
    RequestMetric("queue", "Queue"),
    RequestMetric("latency", "Latency"),
)
METRICS = tuple(metric.name for metric in REQUEST_METRICS)
STATISTICS = ("mean", "p50", "p90", "p95", "p99", "max")


def find(name: str) -> Fact | None:
    """Return a fact by its name; None if there is none."""
    return next((fact for fact in FACTS if fact.name == name), None)


def fact(name: str) -> Fact:
    """Return a fact by its name.

    Raises:
        KeyError: there is none.
    """
    found = find(name)
    if found is None:
        raise KeyError(name)
    return found


def names(*, simulated: bool) -> tuple[str, ...]:
    """Return the names of the facts of a result, those of simulations included or not."""
    return tuple(fact.name for fact in FACTS if simulated or not fact.simulated)


def current_name(name: str) -> str:
    """Return the name that a fact has now, for a former one."""
    return next((fact.name for fact in FACTS if fact.was == name), name)


def limitable() -> dict[str, Fact]:
    """Return the facts that `limits` can name."""
    return {fact.name: fact for fact in FACTS if fact.limitable}


def glossary(*, simulated: bool) -> Iterator[Term]:
    """Yield what a report explains, with or without simulations."""
    more = (f for f in FACTS if f.definition and f not in GLOSSARY)
    for term in (*GLOSSARY, *more):
        if simulated or not term.simulated:
            yield term


def is_statistic(path: str) -> bool:
    """Say whether a path ends with a statistic over requests, such as `ttft.p90`."""
    return path.rpartition(".")[2] in STATISTICS


def is_simulated(path: str) -> bool:
    """Say whether only a simulation has the fact that a path ends with."""
    found = find(path.rpartition(".")[2])
    return is_statistic(path) or (found is not None and found.simulated)


def dimension_of(path: str) -> Dimension | None:
    """Return the dimension of the fact that a path ends with; None for a word."""
    return TIME if is_statistic(path) else fact(path.rpartition(".")[2]).dimension
