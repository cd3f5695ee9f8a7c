"""GEMM: time of rows × inner times inner × columns.

    t = launch + join(tiles, cold weights) + what the format adds

Tiles run in whole waves over the cores; the kernel picks the shape that ends first. A tile takes
the longest of its arithmetic, its operands and its inner loop. Inputs, results and weights in
the L2 cache hide behind the tiles, cold weights hide in part. Found on 716 bf16 and 748 int8
kernels of a 910B (aiconfigurator-npu, CANN 8.5), by residuals.
"""

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from specc.cost.rules.gpu_gemm import gpu_gemm_time
from specc.cost.rules.machine import Machine
from specc.cost.rules.shapes import Shape, bumps, smooth_max
from specc.cost.steps import Column
from specc.ir import GemmKernels, GemmRule, QuantisationRule
from specc.units import FlopPerSecond

_TILES = (
    *((16, columns) for columns in (64, 128, 256, 512)),
    *((rows, columns) for rows in (32, 64, 128) for columns in (64, 128, 256)),
    (256, 128),
)
_TILE_ROWS, _TILE_COLUMNS = np.array(_TILES, float).T
_SPLITS = (2, 4, 8)
_FRACTAL = 16  # rows that the cube unit takes at once
_STRIDE = 32 * 1024  # bytes between rows at which all rows fall on the same banks


def gemm_time(rule: GemmRule, machine: Machine, s: Shape, peak: FlopPerSecond) -> Column:
    """Return seconds, broadcast over the shape."""
    if rule.kernels is not GemmKernels.ASCEND:
        return _corrected(rule, s, gpu_gemm_time(rule, machine, s, peak))
    hidden = _behind_tiles(rule, machine, s, peak)
    cold = s.weights * s.cold / (rule.memory_rate * machine.memory)
    # Up to one block of rows the weights stream past once and overlap with the tiles; above, the
    # cold read adds to them, until the tiles take far longer.
    one_pass = smooth_max(rule.overlap, hidden, cold)
    added = hidden + cold / (1 + (hidden / np.maximum(rule.hiding * cold, 1e-12)) ** 2)
    time: Column = rule.launch + np.where(s.m <= 128, one_pass, added)
    time = time + _dequantisation(rule, machine, s)
    time = smooth_max(6.0, time, _floor(rule, s)) if rule.large_floor else time
    return _corrected(rule, s, time)


def quantisation_time(
    rule: QuantisationRule, machine: Machine, m: Column, width: Column | float
) -> Column:
    """Return seconds to quantise m rows of `width` elements from 16 to 8 bit."""
    moved = 3 * m * width / (rule.rate * machine.memory)
    ramped = rule.launch * m / (m + rule.ramp)
    time: Column = ramped + m * rule.row_time / machine.compute + moved
    return time


def benchmark_share(machine: Machine, s: Shape) -> Column:
    """Return the cold share of weights in a benchmark that rotates six copies of them."""
    footprint = (6 * s.weights + s.inputs + s.results) / machine.l2
    share: Column = 1 / (1 + np.maximum(footprint, 1e-9) ** -8)
    return share


def _behind_tiles(rule: GemmRule, machine: Machine, s: Shape, peak: FlopPerSecond) -> Column:
    """Return the time of the tiles, joined with all that the caches move."""
    cached = s.weights * (1 - s.cold) + s.inputs + s.results
    terms = [_tiles(rule, machine, s, peak), cached / (rule.l2_rate * machine.compute)]
    if rule.spill_rate:
        footprint = np.maximum((s.inputs + s.results) / machine.l2, 1e-9)
        spilled = (s.inputs + s.results) / (1 + footprint**-4)
        terms.append(spilled / (rule.spill_rate * machine.memory))
    time = smooth_max(rule.stages, *terms)
    if rule.stride_input_rate and rule.stride_weight_rate:
        on_stride = (s.k * s.input_bytes) % _STRIDE == 0
        slow = s.inputs / rule.stride_input_rate
        slow = slow + np.where(_is_gemv(rule, s), 0, s.weights / rule.stride_weight_rate)
        time = time + np.where(on_stride, slow / machine.compute, 0)
    return time


def _is_gemv(rule: GemmRule, s: Shape) -> NDArray[np.bool_]:
    gemv: NDArray[np.bool_] = (s.m < 12) & bool(rule.gemv_loop_time)
    return gemv


def _tiles(rule: GemmRule, machine: Machine, s: Shape, peak: FlopPerSecond) -> Column:
    """Return the time of the tiles in the best of the shapes that the kernel may pick.

    For matrices that all rows share it depends on the rows through whole fractals alone (and on
    whether the rows are few enough for the kernel of vectors): equal ones are computed once.
    """
    shared = all(size.ndim == 0 or size.shape[-1] == 1 for size in (s.n, s.k))
    if not shared or s.m.ndim != 1 or s.m.size < 2 * _FRACTAL:
        return _tiles_of_all(rule, machine, s, peak)
    fractals = np.where(s.m < 12, 11 / _FRACTAL, np.ceil(s.m / _FRACTAL))
    different, place = np.unique(fractals, return_inverse=True)
    times = _tiles_of_all(rule, machine, evolve(s, m=different * _FRACTAL), peak)
    return times[..., place]


def _tiles_of_all(rule: GemmRule, machine: Machine, s: Shape, peak: FlopPerSecond) -> Column:
    loop = np.where(_is_gemv(rule, s), _gemv_loop(rule, s), rule.loop_time) / machine.core
    best: Column = _waves(rule, machine, s, peak, 1, loop).min(axis=0)
    if rule.gemv_loop_time and np.any((s.m <= 16) & (s.n <= 512)):
        best = np.minimum(best, _split_inner(rule, machine, s, peak, loop))
    return best


def _gemv_loop(rule: GemmRule, s: Shape) -> Column:
    """Few rows run in a kernel of their own, with a slower inner loop."""
    on_stride = ((s.k * s.input_bytes) % _STRIDE == 0) & (s.n <= 512)
    between = (rule.loop_time + rule.gemv_loop_time) / 2
    loop: Column = np.where(on_stride, between, rule.gemv_loop_time)
    return loop


def _split_inner(
    rule: GemmRule, machine: Machine, s: Shape, peak: FlopPerSecond, loop: Column
) -> Column:
    """Return the time with the inner width split over idle cores; infinite where it is not."""
    barred = _is_gemv(rule, s) & ((s.k * s.input_bytes) % _STRIDE == 0)
    best: Column = np.full(np.broadcast_shapes(s.m.shape, s.n.shape, s.k.shape), np.inf)
    for split in _SPLITS:
        allowed = (_tile_count(s) * split <= machine.cores) & (s.m <= 16) & (s.n <= 512)
        allowed = allowed & (s.k / split >= 128) & ~barred
        times = np.where(allowed, _waves(rule, machine, s, peak, split, loop), np.inf)
        best = np.minimum(best, times.min(axis=0))
    return best


def _tile_axis(sizes: Column, s: Shape) -> Column:
    """Return sizes of tiles along an axis before those of the shape."""
    dimensions = max(s.m.ndim, s.n.ndim, s.k.ndim)
    return sizes.reshape((-1, *(1,) * dimensions))


def _tile_count(s: Shape) -> Column:
    """Return the tiles that each tile shape makes, along a first axis."""
    count: Column = np.ceil(s.m / _tile_axis(_TILE_ROWS, s)) * np.ceil(
        s.n / _tile_axis(_TILE_COLUMNS, s)
    )
    return count


def _waves(
    rule: GemmRule, machine: Machine, s: Shape, peak: FlopPerSecond, split: int, loop: Column
) -> Column:
    """Return the time of all waves of every tile shape, along a first axis."""
    rows = np.minimum(_tile_axis(_TILE_ROWS, s), np.ceil(s.m / _FRACTAL) * _FRACTAL)
    columns = np.minimum(_tile_axis(_TILE_COLUMNS, s), s.n)
    # Per step of the inner loop, as everything is proportional to it.
    arithmetic = 2 * rows * columns * (machine.cores / (rule.cube_efficiency * peak))
    operands = (rows + columns) * (s.input_bytes / (rule.feed_rate * machine.core))
    step = _max16(arithmetic, operands, loop)
    tiles = _tile_count(s) * (split * s.batch)
    time: Column = np.ceil(tiles / machine.cores) * step * (s.k / split)
    return time


def _max16(*terms: Column) -> Column:
    """Return the smooth maximum with exponent 16, by squares and roots: powers are slow."""
    largest = np.maximum(np.maximum(terms[0], terms[1]), terms[2])
    total: Column = np.zeros_like(largest)
    for term in terms:
        ratio = term / largest
        for _ in range(4):
            ratio = ratio * ratio
        total = total + ratio
    for _ in range(4):
        total = np.sqrt(total)
    return largest * total


def _dequantisation(rule: GemmRule, machine: Machine, s: Shape) -> Column | float:
    if rule.result_rate is None:
        return 0.0
    moved = s.results / (rule.result_rate * machine.compute)
    ramp = 1 + s.m / (s.m + 95)
    time: Column = moved + rule.result_time * s.n / (s.n + 8192) * ramp
    return time


def _floor(rule: GemmRule, s: Shape) -> Column:
    small = (s.m >= 3) & (s.m < 12) & (s.n <= np.where(s.m < 6, 2048, 4096))
    floor: Column = np.where(small, rule.small_floor, np.where(s.m < 100, 0.0, rule.large_floor))
    return floor


def _corrected(rule: GemmRule, s: Shape, time: Column) -> Column:
    """Return the time with the smooth correction of its logarithm."""
    if not rule.correction:
        return time
    rows, columns, inner = bumps(s, len(rule.correction))
    count = rows.shape[-1]
    weights = np.array(rule.correction).reshape(count, count, count)
    by_rows = np.einsum("ijk,...j,...k->...i", weights, columns, inner)
    terms = rows * by_rows
    total: Column = terms[..., 0]
    for place in range(1, count):
        total = total + terms[..., place]
    return time * np.exp(total)
