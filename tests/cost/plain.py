"""The calibrated rules for one kernel at a time, in plain numbers: slow, and easy to believe.

Times are seconds of one kernel on a machine; `rule` has the coefficients.
"""

from collections.abc import Iterable, Sequence
from math import ceil, exp, inf, log2, sqrt

from specc.cost.rules.machine import Machine
from specc.ir import (
    CollectiveRule,
    DecodeAttentionRule,
    ExpertsRule,
    GemmKernels,
    GemmRule,
    PrefillAttentionRule,
    QuantisationRule,
)

TILES = [
    (16, 64), (16, 128), (16, 256), (16, 512), (32, 64), (32, 128), (32, 256),
    (64, 64), (64, 128), (64, 256), (128, 64), (128, 128), (128, 256), (256, 128),
]  # fmt: skip
KIB32 = 32_768


def rounded_max(power: float, *terms: float) -> float:
    """A maximum with a round corner: the p-norm."""
    largest = max(terms)
    return largest * sum((term / largest) ** power for term in terms) ** (1 / power)


def gemm(
    rule: GemmRule, at: Machine, m: float, n: int, k: int, bytes_: tuple[float, int], peak: float,
    batch: int = 1,
) -> float:  # fmt: skip
    """m × k times k × n, weights from memory; bytes of an element of weights and of inputs."""
    if rule.kernels is not GemmKernels.ASCEND:
        return _gpu_gemm(rule, at, m, n, k, bytes_, peak, batch)
    weights, inputs, results = (
        batch * n * k * bytes_[0],
        batch * m * k * bytes_[1],
        2 * batch * m * n,
    )
    on_stride = k * bytes_[1] % KIB32 == 0
    vectors = m < 12 and rule.gemv_loop_time > 0
    loop = rule.loop_time
    if vectors:
        loop = rule.gemv_loop_time
        if on_stride and n <= 512:
            loop = (rule.loop_time + rule.gemv_loop_time) / 2
    best = inf
    for rows, columns in TILES:
        count = ceil(m / rows) * ceil(n / columns)
        high, wide = min(rows, 16 * ceil(m / 16)), min(columns, n)
        step = rounded_max(
            16,
            2 * high * wide / (rule.cube_efficiency * peak / at.cores),
            (high + wide) * bytes_[1] / (rule.feed_rate * at.core),
            loop / at.core,
        )
        for parts in (1, 2, 4, 8):
            idle = count * parts <= at.cores and m <= 16 and n <= 512 and k / parts >= 128
            if parts == 1 or (rule.gemv_loop_time and idle and not (vectors and on_stride)):
                waves = ceil(count * parts * batch / at.cores)
                best = min(best, waves * step * k / parts)
    caches = [best, (inputs + results) / (rule.l2_rate * at.compute)]
    if rule.spill_rate:
        spilled = (inputs + results) / (1 + ((inputs + results) / at.l2) ** -4)
        caches.append(spilled / (rule.spill_rate * at.memory))
    tiles = rounded_max(rule.stages, *caches)
    if rule.stride_input_rate and on_stride:
        tiles += inputs / rule.stride_input_rate / at.compute
        tiles += 0 if vectors else weights / rule.stride_weight_rate / at.compute
    cold = weights / (rule.memory_rate * at.memory)
    if m <= 128:
        time = rounded_max(rule.overlap, tiles, cold)
    else:
        time = tiles + cold / (1 + (tiles / (rule.hiding * cold)) ** 2)
    time += rule.launch
    if rule.result_rate:
        time += results / (rule.result_rate * at.compute)
        time += rule.result_time * n / (n + 8192) * (1 + m / (m + 95))
    if rule.large_floor:
        time = (time**6 + _floor(rule, m, n) ** 6) ** (1 / 6)
    return time * _correction(rule, (m, n, k), 5.6, ((0, 7, 14), (8, 11, 14), (8, 11, 14)))


def _floor(rule: GemmRule, m: float, n: int) -> float:
    """Small kernels take no less."""
    if 3 <= m < 12 and n <= (2048 if m < 6 else 4096):
        return rule.small_floor
    return rule.large_floor if m >= 100 else 0.0


GPU_TILES = [(64, 64), (64, 128), (64, 256), (128, 64), (128, 128), (128, 256), (256, 128)]


def _gpu_gemm(
    rule: GemmRule, at: Machine, m: float, n: int, k: int, bytes_: tuple[float, int], peak: float,
    batch: int,
) -> float:  # fmt: skip
    """Tiles in waves over the multiprocessors, joined with all that memory moves."""

    def tiles(rows: int, columns: int, parts: int) -> float:
        step = rounded_max(
            8,
            2 * rows * columns / (rule.cube_efficiency * peak / at.cores),
            (rows + columns) * bytes_[1] / (rule.feed_rate * at.core),
        )
        waves = ceil(ceil(m / rows) * ceil(n / columns) * batch * parts / at.cores)
        time = waves * (step * k / parts + rule.tile_time / at.core)
        if parts > 1:
            time += rule.split_time + parts * batch * m * n * 8 / (rule.split_rate * at.compute)
        return time

    if rule.kernels is GemmKernels.CUTLASS:
        best = tiles(*((64, 64) if m <= 64 else (64, 128) if m <= 128 else (128, 128)), 1)
    else:
        best = min(tiles(*tile, parts) for tile in GPU_TILES for parts in (1, 2, 4, 8, 16))
    moved = batch * (n * k * bytes_[0] + m * k * bytes_[1] + 2 * m * n)
    time = rule.launch + rounded_max(rule.overlap, best, moved / (rule.memory_rate * at.memory))
    wide = (6.5, 9.5, 12.5, 15.5)
    return time * _correction(rule, (m, n, k), 3.6, ((0, 4.5, 9, 14), wide, wide))


def _correction(
    rule: GemmRule, sizes: tuple[float, int, int], width: float, grid: Sequence[Sequence[float]]
) -> float:
    """The factor that bumps on a grid make; `width` is that of the rows."""
    weight, (m, n, k) = iter(rule.correction), sizes
    total = sum(
        next(weight) * _bump(m, row, width) * _bump(n, column, 2.4) * _bump(k, inner, 2.4)
        for row in grid[0]
        for column in grid[1]
        for inner in grid[2]
        if rule.correction
    )
    return exp(total)


def _bump(size: float, centre: float, width: float) -> float:
    return exp(-(((log2(size) - centre) / width) ** 2) / 2)


def quantisation(rule: QuantisationRule, at: Machine, m: float, width: int) -> float:
    """m rows: read as 16 bit, written as 8."""
    return (
        rule.launch * m / (m + rule.ramp)
        + m * rule.row_time / at.compute
        + m * (2 * width + width) / (rule.rate * at.memory)
    )


def prefill(
    rule: PrefillAttentionRule, at: Machine, sequences: int, new: int, cached: int,
    heads: tuple[int, int],
) -> float:  # fmt: skip
    """Equal sequences of heads of 128 with 16-bit caches."""
    grouped, context = heads[1] < heads[0], cached + new
    pairs = sum(cached + query for query in range(1, new + 1))
    head = pairs * rule.pair_time
    token = rule.grouped_token_time if grouped else rule.token_time
    head += new * token * context / (context + rule.token_length)
    head += rule.grouped_head_time if grouped else rule.head_time
    if grouped and heads[1] == 1:
        head *= 1 - rule.shared_gain * context / (context + 4096)
    rounds = sequences * heads[0] / at.cores
    held = rule.grouped_tiles_held if grouped else rule.tiles_held
    if held:
        tiles = ceil(new / rule.tile_rows)
        last = cached + new * (1 - 1 / (2 * tiles))  # mean context of the last tile
        rounds = rounded_max(2, rounds, min(1.0, held / tiles * last / (cached + new / 2)))
    busy = rounds * head / at.core
    if heads[1] * 2 * 128 >= 16 * 1024 and sequences >= 8:
        busy *= 1 + rule.wide_rows * min(1.0, max(0.0, log2(context / 512)))
    moved = 4 * 128 * sequences * (new * heads[0] + context * heads[1])
    beyond = moved / (1 + (moved / rule.cached) ** -4)
    return rule.launch + busy + beyond / (rule.memory_rate * at.memory)


def decode(
    rule: DecodeAttentionRule, at: Machine, sequences: int, context: int, heads: tuple[int, int],
    arithmetic: float, queries: int = 1,
) -> float:  # fmt: skip
    """New tokens of equal sequences, heads of 128, 16-bit caches from memory."""
    grouped, pairs = heads[1] < heads[0], sequences * heads[1]
    rate = rule.memory_rate
    if grouped:
        rate = rule.grouped_memory_rate * (1 + rule.single_head_gain / heads[1])
    reading = sequences * context * heads[1] * 2 * 128 * 2 / (rate * at.memory)
    if grouped:
        reading *= (ceil(pairs / at.cores) * at.cores / pairs) ** rule.unevenness
    rounds = ceil(pairs / at.cores) * at.cores / pairs
    if heads[1] * 2 * 128 >= 16 * 1024 and sequences >= 8:
        reading *= 1 + rule.wide_rows * min(1.0, max(0.0, log2(context / 512) / 4))
    each = rule.grouped_head_time if grouped else rule.head_time
    each *= rounds**rule.head_unevenness
    busy = rounded_max(3, each / at.core * pairs / at.cores, reading, arithmetic)
    busy += sequences * context * heads[0] * rule.score_time / at.compute
    if grouped:
        busy *= 1 + rule.query_share * (queries - 1)
    return rule.launch + sequences * rule.sequence_time / at.core + busy


def experts(
    rule: ExpertsRule, at: Machine, tokens: float, active: int, held: tuple[float, float, float],
    sizes: tuple[int, int], weight_bytes: float, ratio: float,
) -> float:  # fmt: skip
    """`held`: experts hit, tiles of all, and experts with rows if those were Poisson."""
    hit, tiles, first = held
    hidden, inner = sizes
    copies = tokens * active
    matrix = 2 * hidden * inner * weight_bytes
    weights = hit * 3 * hidden * inner * weight_bytes
    weights *= 1 + rule.large_weights / (1 + (matrix / at.l2) ** -16)
    weights += rule.tile_reads * max(tiles - first, 0) * 3 * hidden * inner * weight_bytes
    rows = min(tiles * 128, 16 * hit + 1.3 * copies)
    busy = rounded_max(
        rule.overlap,
        weights / (rule.memory_rate * at.memory),
        rows * 6 * hidden * inner / (rule.cube_rate * ratio),
    )
    moved = 6 * copies * hidden + copies * (12 * inner + 4 * hidden)
    return rule.launch + busy + moved / (rule.token_rate * at.memory)


def tiles_of_experts(copies: float, local: int) -> float:
    """Tiles of 128 rows, of experts whose rows are Poisson: summed over the distribution."""
    mean = copies / local
    spread = 12 * sqrt(mean) + 20
    probability, total = exp(-mean) if mean < 700 else 0.0, 0.0
    if not probability:
        return local * (mean / 128 + 0.5)
    for rows in range(1, int(mean + spread)):
        probability *= mean / rows
        total += probability * ceil(rows / 128)
    return local * total


Rank = Sequence[tuple[int, float, float]]  # of each level: ranks, bandwidth, latency


def gathered(rule: CollectiveRule, levels: Rank, own: float, message: float) -> float:
    """Every rank gets what the others have, the outer levels first."""
    time, held = 0.0, own
    for ranks, bandwidth, latency in reversed(levels):
        received = (ranks - 1) * held
        time += _hop(rule, ranks, bandwidth, latency, received, message)
        held += received
    return time


def scattered(rule: CollectiveRule, levels: Rank, own: float) -> float:
    """Every rank gets the sum of its part, the inner levels first."""
    message = own
    for ranks, *_ in levels:
        message /= ranks
    time, held = 0.0, own
    for ranks, bandwidth, latency in levels:
        part = held / ranks
        time += _hop(rule, ranks, bandwidth, latency, held - part, message)
        held = part
    return time


def exchanged(rule: CollectiveRule, levels: Rank, sent: float) -> float:
    """Every rank sends as much to each of the others, over the level that joins the two."""
    total = 1
    for ranks, *_ in levels:
        total *= ranks
    place, time = 1, rule.launch
    for ranks, bandwidth, latency in levels:
        # Of the ranks of this level, those that an inner one does not reach.
        others = place * ranks - place
        time += latency + rule.rank_time * ranks
        time += sent * others / (total - 1) / (bandwidth * rule.share)
        place *= ranks
    return time


def _hop(
    rule: CollectiveRule, ranks: int, bandwidth: float, latency: float, received: float,
    message: float,
) -> float:  # fmt: skip
    long = rule.rank_time * ranks if message > rule.short else 0.0
    long += rule.arrival_time * ranks
    return rule.launch + latency + long + received / (bandwidth * rule.share)


def norm(parts: Iterable[float]) -> float:
    """The root of the sum of squares."""
    return sqrt(sum(part**2 for part in parts))
