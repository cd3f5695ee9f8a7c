"""Calibrations: the coefficients of the calibrated cost model, one block an operator class.

The rules that use them are in `specc/cost/rules/`; what a coefficient means stands here, where
it comes from in the block that gives it. Times and rates are those of the device that was
measured; on another device they are scaled by its peaks, as each rule says.
"""

from enum import Enum
from typing import Any

from attrs import frozen

from specc.ir import vocabulary as v
from specc.ir.cube import CubeUnit
from specc.units import (
    BYTES,
    DIMENSIONLESS,
    FLOP_RATE,
    TIME,
    Bytes,
    BytesPerSecond,
    FlopPerSecond,
    Seconds,
)

CORRECTIONS = (27, 64)  # weights that a correction of GEMM times may have: those of its grids


def _time(doc: str, default: Seconds = 0.0) -> Any:
    return v.number(TIME, doc, default=default, at_least=0)


def _rate(doc: str) -> Any:
    return v.number(BYTES / TIME, doc, above=0)


def _optional_rate(doc: str) -> Any:
    return v.number(BYTES / TIME, doc, default=None, above=0)


def _factor(doc: str, default: float = 0.0) -> Any:
    return v.number(DIMENSIONLESS, doc, default=float(default), at_least=0)


@frozen(kw_only=True, eq=False, repr=False)
class Fit(v.Node):
    """How well a rule meets measurements that its fit did not see."""

    rows: int = v.number_of("measured kernels", default=0)
    mean_error: float = _factor("mean absolute error")
    median_error: float = _factor("median absolute error")
    spread: float = _factor("standard deviation of log(measured / predicted)", 0.2)
    p10: float = _factor("10th percentile of measured / predicted", 0.75)
    p90: float = _factor("90th percentile of measured / predicted", 1.33)


class GemmKernels(Enum):
    """Families of GEMM kernels, by how they choose their tiles."""

    ASCEND = "ascend"
    CUBLAS = "cublas"
    CUTLASS = "cutlass"


@frozen(kw_only=True, eq=False, repr=False)
class GemmRule(v.Node):
    """GEMM: tiles in whole waves over the cores, then what does not hide behind them."""

    source: str = v.text("where the coefficients are from", default="")
    kernels: GemmKernels = v.choice(
        GemmKernels,
        "whose kernels: of Ascend; of cuBLAS, which split the inner width over idle cores; of "
        "CUTLASS, whose tiles follow from the rows",
        default=GemmKernels.ASCEND,
    )
    launch: Seconds = _time("fixed time")
    cube_efficiency: float = v.fraction("share of the peak inside a tile", default=0.92)
    feed_rate: BytesPerSecond = _rate("operands that one core takes in")
    loop_time: Seconds = _time("least time of a step of the inner loop")
    gemv_loop_time: Seconds = _time("the same with fewer than 12 rows; 0: no such kernel")
    l2_rate: BytesPerSecond = _rate("L2 cache, all cores")
    memory_rate: BytesPerSecond = _rate("weights from memory")
    overlap: float = _factor("exponent of hiding weights behind the tiles, up to 128 rows", 2)
    hiding: float = _factor(
        "above 128 rows: time of tiles over time to read weights at which half of the reading is "
        "hidden",
        1,
    )
    stages: float = _factor("exponent of hiding L2 traffic behind the tiles", 2)
    spill_rate: BytesPerSecond | None = _optional_rate("inputs and results beyond the L2 cache")
    stride_input_rate: BytesPerSecond | None = _optional_rate(
        "inputs whose rows lie 32 KiB apart, on top"
    )
    stride_weight_rate: BytesPerSecond | None = _optional_rate("weights whose rows lie so, on top")
    small_floor: Seconds = _time("least time with 3 to 11 rows and few columns")
    large_floor: Seconds = _time("least time from 100 rows")
    result_rate: BytesPerSecond | None = _optional_rate(
        "results on their way through dequantisation"
    )
    result_time: Seconds = _time("fixed part of dequantisation, reached with many columns")
    tile_time: Seconds = _time("fixed time of a tile on a core; not in kernels of Ascend")
    split_time: Seconds = _time("fixed time to add partial results; in those of cuBLAS alone")
    split_rate: BytesPerSecond | None = _optional_rate("partial results, written and read")
    correction: tuple[float, ...] = v.numbers(
        "27 or 64 weights of smooth bumps that correct the logarithm of the time: on a grid of "
        "log2 rows 0, 7, 14 and log2 columns and inner width 8, 11, 14, or of log2 rows 0, 4.5, 9, "
        "14 and log2 columns and inner width 6.5, 9.5, 12.5, 15.5"
    )
    fit: Fit = v.block(Fit, "how well it fits")


@frozen(kw_only=True, eq=False, repr=False)
class QuantisationRule(v.Node):
    """The kernel that finds scales and quantises inputs."""

    source: str = v.text("where the coefficients are from", default="")
    launch: Seconds = _time("fixed time, reached with many rows")
    ramp: float = _factor("rows at which half of it is reached", 100)
    row_time: Seconds = _time("time of a row")
    rate: BytesPerSecond = _rate("bytes in and out")


@frozen(kw_only=True, eq=False, repr=False)
class PrefillAttentionRule(v.Node):
    """Causal attention of new tokens: work of all heads over the cores, or the heaviest tiles."""

    source: str = v.text("where the coefficients are from", default="")
    launch: Seconds = _time("fixed time")
    pair_time: Seconds = _time("time of a causal query-key pair of a head on a core")
    token_time: Seconds = _time("time of a query of a head on a core, with long contexts")
    grouped_token_time: Seconds = _time("the same where heads share keys and values")
    token_length: float = _factor("context at which half of that is reached", 100)
    head_time: Seconds = _time("fixed time of a head of a sequence on a core")
    grouped_head_time: Seconds = _time("the same where heads share keys and values")
    shared_gain: float = _factor("share saved in long contexts with a single key-value head")
    memory_rate: BytesPerSecond = _rate("inputs and results beyond the L2 cache")
    cached: Bytes = v.number(
        BYTES, "inputs and results half of which stay in the L2 cache", whole=True, above=0
    )
    wide_rows: float = _factor("penalty of many sequences with 16 KiB of keys a token")
    tile_rows: int = v.count("queries of a tile", default=256, at_most=65536)
    tiles_held: float = _factor("heaviest tiles of a head that one core works through", 2)
    grouped_tiles_held: float = _factor(
        "the same where heads share keys and values; 0: all cores share them evenly"
    )
    fit: Fit = v.block(Fit, "how well it fits")


@frozen(kw_only=True, eq=False, repr=False)
class DecodeAttentionRule(v.Node):
    """Attention of single tokens over the cache."""

    source: str = v.text("where the coefficients are from", default="")
    launch: Seconds = _time("fixed time")
    floor: Seconds = _time("least time in the benchmark, which the host sets")
    sequence_time: Seconds = _time("time of a sequence")
    head_time: Seconds = _time("time of a sequence and key-value head on a core")
    grouped_head_time: Seconds = _time("the same where heads share keys and values")
    memory_rate: BytesPerSecond = _rate("cache from memory")
    grouped_memory_rate: BytesPerSecond = _rate("the same where many heads share keys and values")
    single_head_gain: float = _factor("its gain with a single key-value head")
    l2_rate: BytesPerSecond = _rate("cache that is still in L2")
    unevenness: float = _factor("exponent of what an unfilled last round of cores costs")
    head_unevenness: float = _factor("the same of the time of sequences and heads")
    score_time: Seconds = _time("time of a score on all cores")
    wide_rows: float = _factor("penalty of many sequences with 16 KiB of keys a token")
    narrow_share: float = _factor("share of these rates that a cache in 8 bit reaches", 1)
    query_share: float = _factor(
        "share that each further query of a sequence (a drafted token) adds, where heads share "
        "keys and values"
    )
    fit: Fit = v.block(Fit, "how well it fits")


@frozen(kw_only=True, eq=False, repr=False)
class ExpertsRule(v.Node):
    """A block of experts: the weights of those that are hit, tiles of 128 rows, token traffic."""

    source: str = v.text("where the coefficients are from", default="")
    launch: Seconds = _time("fixed time")
    memory_rate: BytesPerSecond = _rate("weights of experts")
    large_weights: float = _factor("share that reading takes longer if a matrix exceeds the L2")
    tile_reads: float = _factor(
        "share of the weights of an expert that each further tile of its rows reads again"
    )
    cube_rate: FlopPerSecond = v.number(FLOP_RATE, "matrix operations on whole tiles", above=0)
    token_rate: BytesPerSecond = _rate("bytes of routing, combining and activations")
    overlap: float = _factor("exponent of hiding weights behind the tiles", 4)
    fit: Fit = v.block(Fit, "how well it fits")


@frozen(kw_only=True, eq=False, repr=False)
class LinearAttentionRule(v.Node):
    """Gated linear attention: all tokens of a prompt in chunks, those of a decode step in turn."""

    source: str = v.text("where the coefficients are from", default="")
    token_time: Seconds = _time("prefill: time of a token and value head on all cores")
    turn_time: Seconds = _time("decode: time of one token of every sequence, on top of its state")
    fit: Fit = v.block(Fit, "how well it fits")


@frozen(kw_only=True, eq=False, repr=False)
class VectorRule(v.Node):
    """Elementwise operators."""

    source: str = v.text("where the coefficients are from", default="")
    launch: Seconds = _time("fixed time")
    rate: BytesPerSecond = _rate("bytes in and out")
    fit: Fit = v.block(Fit, "how well it fits")


@frozen(kw_only=True, eq=False, repr=False)
class CollectiveRule(v.Node):
    """A collective of n ranks in a level: t = launch + rank_time·n + bytes / (share · bandwidth).

    The bytes are those that a rank receives. Short messages have no rank_time. In a server, where
    ranks begin at different times, arrival_time·n comes on top.
    """

    source: str = v.text("where the coefficients are from", default="")
    launch: Seconds = _time("fixed time")
    rank_time: Seconds = _time("time for each rank, with long messages")
    arrival_time: Seconds = _time("time for each rank in a server, to wait for the last one")
    share: float = v.number(
        DIMENSIONLESS, "rate over the bandwidth of the level", default=0.7, above=0, at_most=2
    )
    short: Bytes = v.number(
        BYTES, "bytes a rank up to which a message is short", default=0, whole=True, at_least=0
    )


@frozen(kw_only=True, eq=False, repr=False)
class Collectives(v.Node):
    """Collectives, each with its rule; an all-reduce is a reduce-scatter and an all-gather."""

    all_gather: CollectiveRule = v.block(CollectiveRule, "all-gather", required=True)
    reduce_scatter: CollectiveRule = v.block(CollectiveRule, "reduce-scatter", required=True)
    all_reduce: CollectiveRule | None = v.block(
        CollectiveRule,
        "all-reduce within one level, where it is no reduce-scatter and all-gather",
        optional=True,
    )
    all_to_all: CollectiveRule = v.block(CollectiveRule, "all-to-all", required=True)
    fused_dispatch: CollectiveRule = v.block(
        CollectiveRule, "tokens to their experts, in one kernel", required=True
    )
    fused_combine: CollectiveRule = v.block(
        CollectiveRule, "tokens back from their experts, in one kernel", required=True
    )
    send: CollectiveRule = v.block(CollectiveRule, "sending to one other rank", required=True)
    fit: Fit = v.block(Fit, "how well they fit")
    exchange_fit: Fit = v.block(
        Fit, "how well those fit that send tokens to their experts and back"
    )


@frozen(kw_only=True, eq=False, repr=False)
class GenerationRule(v.Node):
    """What a generation of serving software adds to its kernels."""

    source: str = v.text("where the coefficients are from", default="")
    decode_gap: Seconds = _time("host time of a decode step in which the device waits")
    prefill_gap: Seconds = _time("the same for a step that prefills")
    prefill_launch: Seconds = _time(
        "host time to launch an operator in prefill: the step takes at least that for all of them"
    )
    decode_launch: Seconds = _time("the same in decode; 0 with captured graphs")
    sampling: Seconds = _time("choosing tokens, once a step")
    sequence_time: Seconds = _time("host time for each running sequence, once a step")
    launch_share: float = _factor("share of the fixed times of kernels that is left", 1)
    expert_launches: float = _factor(
        "operators that a block of experts is made of where tokens stay on the device", 1
    )
    dispatched_launches: float = _factor("the same where tokens are sent to their experts", 1)
    spread: float = _factor(
        "standard deviation of log(measured / predicted) of steps that are measured alone", 0.1
    )


@frozen(kw_only=True, eq=False, repr=False)
class ServedRule(v.Node):
    """What an engine that serves requests makes of steps, by served runs that were measured."""

    source: str = v.text("where the measured runs are from", default="")
    versions: str = v.text("of the software in them", default="")
    measured: str = v.text("when they were published", default="")
    overhead: float = v.number(
        DIMENSIONLESS, "kernels of a step in the server over those of the step alone", above=0
    )
    request_time: Seconds = _time(
        "time to a first token that is none of the engine's steps: the way to the engine, tokens "
        "from text, and back"
    )
    spread: float = _factor(
        "standard deviation of log(measured / predicted) of served runs, beside that of kernels"
    )
    fit: Fit = v.block(Fit, "how well throughput is met of sources that the fit did not see")


@frozen(kw_only=True, eq=False, repr=False)
class ServedRules(v.Node):
    """Engines that serve requests; one that is not named here is like `other`."""

    vllm: ServedRule | None = v.block(ServedRule, "vLLM", optional=True)
    vllm_ascend_graph: ServedRule | None = v.block(
        ServedRule, "vLLM-Ascend, decode steps as captured graphs", optional=True
    )
    vllm_ascend_eager: ServedRule | None = v.block(
        ServedRule, "vLLM-Ascend, operators launched one by one", optional=True
    )
    mindie: ServedRule | None = v.block(ServedRule, "MindIE", optional=True)
    sglang: ServedRule | None = v.block(ServedRule, "SGLang", optional=True)
    cann_recipes: ServedRule | None = v.block(ServedRule, "the recipes of CANN", optional=True)
    apart: ServedRule | None = v.block(
        ServedRule, "engines of any kind that prefill or decode alone", optional=True
    )
    other: ServedRule = v.block(ServedRule, "all engines together", required=True)

    def rule(self, software: str, execution: str) -> tuple[str, ServedRule]:
        """Return the rule of an engine ("" if none is named), and the name that it has here."""
        for name in (f"{software}_{execution}", software):
            found: ServedRule | None = getattr(self, name, None) if software else None
            if found is not None:
                return name, found
        return "other", self.other


@frozen(kw_only=True, eq=False, repr=False)
class AssumedAcceptance(v.Node):
    """How often a drafted token is accepted whose predecessors were, where nobody measured it.

    Used for measured runs alone; a plan has acceptance rates of its own.
    """

    deepseek_mtp: float = v.fraction("of the draft layers of DeepSeek", at_least=0, at_most=1)
    glm_mtp: float = v.fraction("of those of GLM", at_least=0, at_most=1)
    kimi_mtp: float = v.fraction("of those that Kimi has", at_least=0, at_most=1)
    other: float = v.fraction("of other draft layers and models", at_least=0, at_most=1)
    spread: float = v.fraction("standard deviation of these shares", at_least=0, at_most=1)
    tokens: int = v.count("tokens that a draft model drafts where nobody says how many", at_most=32)
    source: str = v.text("where they are from")


@frozen(kw_only=True, eq=False, repr=False)
class CalibrationData(v.Node):
    """Coefficients fitted to measured kernels of one device, for it and its relatives."""

    source: str = v.text("where the measurements are from")
    measured: str = v.text("when, and with which software", default="")
    device: str = v.text("the device that was measured")
    cores: int = v.count("its matrix cores")
    l2: Bytes = v.number(BYTES, "its L2 cache", whole=True, above=0)
    memory_bandwidth: BytesPerSecond = v.number(BYTES / TIME, "its memory bandwidth", above=0)
    assumed_spread: float = _factor(
        "standard deviation of log(measured / predicted) that a kernel which nobody measured has "
        "beside that of the nearest one that was",
        0.4,
    )
    drafts: AssumedAcceptance | None = v.block(
        AssumedAcceptance, "what is assumed of drafted tokens in served runs", optional=True
    )
    cube: CubeUnit = v.block(CubeUnit, "its matrix unit", required=True)
    gemm: GemmRule = v.block(GemmRule, "GEMM in 16 bit", required=True)
    gemm_int8: GemmRule = v.block(GemmRule, "GEMM in int8 (or fp8)", required=True)
    quantisation: QuantisationRule = v.block(
        QuantisationRule, "dynamic quantisation of inputs", required=True
    )
    prefill_attention: PrefillAttentionRule = v.block(
        PrefillAttentionRule, "attention in prefill", required=True
    )
    decode_attention: DecodeAttentionRule = v.block(
        DecodeAttentionRule, "attention in decode", required=True
    )
    experts: ExpertsRule = v.block(ExpertsRule, "experts in 16 bit", required=True)
    experts_int8: ExpertsRule = v.block(ExpertsRule, "experts in int8 (or fp8)", required=True)
    linear_attention: LinearAttentionRule = v.block(
        LinearAttentionRule, "gated linear attention", required=True
    )
    vector: VectorRule = v.block(VectorRule, "elementwise operators", required=True)
    collectives: Collectives = v.block(Collectives, "collectives", required=True)
    served: ServedRules | None = v.block(
        ServedRules, "what engines that serve requests make of steps", optional=True
    )
    eager: GenerationRule = v.block(
        GenerationRule, "software that launches every operator from the host", required=True
    )
    graph: GenerationRule = v.block(
        GenerationRule, "software that decodes in captured graphs", required=True
    )
    tuned: GenerationRule = v.block(
        GenerationRule, "graphs, fused kernels and an asynchronous scheduler", required=True
    )
