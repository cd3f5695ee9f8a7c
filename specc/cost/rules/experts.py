"""Experts: time of a whole block of routed experts on one device."""

import numpy as np

from specc.cost.rules.machine import Machine
from specc.cost.rules.shapes import smooth_max
from specc.cost.steps import Column
from specc.ir import ExpertsRule

TILE = 128  # rows that a tile of the grouped GEMM holds
# Experts with few rows have smaller tiles: at least so many rows, and so much more than there are.
_FEWEST_ROWS, _PADDED = 16, 1.3


def experts_time(
    rule: ExpertsRule,
    machine: Machine,
    *,
    tokens: Column,
    copies: Column,
    active: Column | float,
    hit: Column,
    local: Column | int,
    hidden: Column | int,
    inner: Column | int,
    matrices: int,
    weight_bytes: float,
    peak_ratio: float,
) -> Column:
    """Return seconds of routing, two grouped GEMMs and combination.

    Args:
        rule: coefficients.
        machine: the device.
        tokens: tokens that the device routes.
        copies: token copies that its experts compute.
        active: experts that a token passes.
        hit: expected experts of the device that a copy comes to.
        local: experts of the device.
        hidden: width of the tokens that they get.
        inner: inner width of an expert.
        matrices: of an expert: gate, up and down, or the last two.
        weight_bytes: bytes of a stored weight.
        peak_ratio: peak of the format over that of the measured device.
    """
    # The larger of the two products of an expert, gate and up together.
    matrix = np.asarray((matrices - 1) * hidden * inner * weight_bytes)
    slower = 1 + rule.large_weights / (1 + (matrix / machine.l2) ** -16.0)
    tiles = expected_tiles(copies, local)
    again = rule.tile_reads * np.maximum(tiles - first_tiles(copies, local), 0.0)
    weights = (hit * slower + again) * matrices * hidden * inner * weight_bytes
    rows = np.minimum(tiles * TILE, _FEWEST_ROWS * hit + _PADDED * copies)
    arithmetic = rows * 2 * matrices * hidden * inner
    moved = 6 * tokens * active * hidden + 2 * copies * (2 * matrices * inner + 2 * hidden)
    busy = smooth_max(
        rule.overlap,
        weights / (rule.memory_rate * machine.memory),
        arithmetic / (rule.cube_rate * peak_ratio),
    )
    time: Column = rule.launch + busy + moved / (rule.token_rate * machine.memory)
    return time * (copies > 0)


def first_tiles(copies: Column, local: Column | int) -> Column:
    """Return the expected experts with any row, whose rows are Poisson with mean copies / local."""
    first: Column = local * (1 - np.exp(-np.maximum(copies / local, 1e-12)))
    return first


def expected_tiles(copies: Column, local: Column | int) -> Column:
    """Return E[Σ ⌈rows / 128⌉] over experts whose rows are Poisson with mean copies / local.

    It is Σ_{j ≥ 0} P(rows > 128·j): exact for j = 0, by the logistic approximation of the normal
    tail above. Far beyond the first tiles each expert rounds up by half a tile on average.
    """
    mean = np.maximum(copies / local, 1e-12)
    few = 1 - np.exp(-mean)
    for j in range(1, 4):
        excess = (mean - TILE * j - 0.5) / np.sqrt(mean)
        few = few + 1 / (1 + np.exp(-np.clip(1.702 * excess, -50, 50)))
    tiles: Column = local * np.where(mean < 2.5 * TILE, few, mean / TILE + 0.5)
    return tiles
