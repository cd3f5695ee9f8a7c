"""GEMM on NVIDIA GPUs: waves of tiles beside the traffic of memory.

    t = launch + join(tiles, memory)

Two families of kernels differ in how they choose tiles. cuBLAS (16 bit) picks the shape that ends
first and may split the inner width over idle cores, whose partial results are then added. The
CUTLASS kernels of vLLM in fp8 go by the rows alone (csrc/quantization/w8a8/cutlass/c3x,
scaled_mm_sm90_fp8_dispatch.cuh). Found on 951 bf16 and 884 fp8 kernels of an H200 (AIConfigurator,
vLLM 0.24.0), by residuals.
"""

import numpy as np

from specc.cost.rules.machine import Machine
from specc.cost.rules.shapes import Shape, smooth_max
from specc.cost.steps import Column
from specc.ir import GemmKernels, GemmRule
from specc.units import FlopPerSecond

_TILES = ((64, 64), (64, 128), (64, 256), (128, 64), (128, 128), (128, 256), (256, 128))
_SPLITS = (1, 2, 4, 8, 16)
# Up to so many rows the CUTLASS kernels take such a tile.
_BY_ROWS = ((64, (64, 64)), (128, (64, 128)), (np.inf, (128, 128)))
_PARTIAL = 2 * 4  # bytes of an fp32 partial result, written and read


def gpu_gemm_time(rule: GemmRule, machine: Machine, s: Shape, peak: FlopPerSecond) -> Column:
    """Return seconds, broadcast over the shape, without a correction."""
    moved = s.weights * s.cold + s.inputs + s.results
    memory = moved / (rule.memory_rate * machine.memory)
    if rule.kernels is GemmKernels.CUTLASS:
        tiles = _tiles_by_rows(rule, machine, s, peak)
        return rule.launch + smooth_max(rule.overlap, tiles, memory)
    best: Column = np.full(np.broadcast_shapes(s.m.shape, s.n.shape, s.k.shape), np.inf)
    for rows, columns in _TILES:
        for split in _SPLITS:
            tiles = _tiles(rule, machine, s, peak, rows, columns, split)
            best = np.minimum(best, tiles)
    return rule.launch + smooth_max(rule.overlap, best, memory)


def _tiles_by_rows(rule: GemmRule, machine: Machine, s: Shape, peak: FlopPerSecond) -> Column:
    most = [s.m <= bound for bound, _ in _BY_ROWS]
    times = [_tiles(rule, machine, s, peak, *tile, 1) for _, tile in _BY_ROWS]
    chosen: Column = np.select(np.broadcast_arrays(*most), np.broadcast_arrays(*times))
    return chosen


def _tiles(
    rule: GemmRule,
    machine: Machine,
    s: Shape,
    peak: FlopPerSecond,
    rows: int,
    columns: int,
    split: int,
) -> Column:
    """Return the seconds of all waves of tiles of one shape, the inner width cut in `split`."""
    arithmetic = 2 * rows * columns * machine.cores / (rule.cube_efficiency * peak)
    operands = (rows + columns) * s.input_bytes / (rule.feed_rate * machine.core)
    step = (arithmetic**8 + operands**8) ** (1 / 8)
    tiles = np.ceil(s.m / rows) * np.ceil(s.n / columns) * (split * s.batch)
    each = step * s.k / split + rule.tile_time / machine.core
    time: Column = np.ceil(tiles / machine.cores) * each
    if split == 1 or rule.split_rate is None:
        return time if split == 1 else np.full_like(time, np.inf)
    added = split * s.batch * s.m * s.n * _PARTIAL / (rule.split_rate * machine.compute)
    return time + added + rule.split_time
