"""Collectives on a hierarchy of interconnect levels, costed flat at one level (reference)."""

import math

import numpy as np
from attrs import frozen

from specc.cost.operators import Collective
from specc.cost.steps import Column
from specc.ir import Device, Level, Topology
from specc.units import BytesPerSecond, Seconds


@frozen
class Link:
    """What a collective of a group sees of the interconnect."""

    bandwidth: BytesPerSecond
    latency: Seconds


def innermost_level(device: Device, group: int) -> tuple[Level, int]:
    """Return the innermost level whose span holds `group` neighbouring ranks, and the members used.

    A member of a level is a device, or a group of the level below.

    Raises:
        ValueError: the group is larger than the interconnect.
    """
    span = 1
    for level in device.levels:
        below, span = span, span * level.size
        if group <= span:
            return level, -(-group // below)
    raise ValueError(f"a group of {group} does not fit into {device.name}, which joins {span}")


def link(device: Device, group: int) -> Link:
    """Return the effective link of a group: on a full mesh it uses the links to its members."""
    level, members = innermost_level(device, group)
    bandwidth = level.bandwidth * level.efficiency
    if level.topology is Topology.FULL_MESH:
        bandwidth *= (members - 1) / (level.size - 1)
    return Link(bandwidth, level.latency)


def collective_time(kind: Collective, held_bytes: Column, group: int, link: Link) -> Column:
    """Return the seconds of a collective, ring or tree, whichever is cheaper; shape (N,).

    Args:
        kind: which collective.
        held_bytes: bytes each rank brings in, M; shape (N,).
        group: ranks, n.
        link: latency a and bandwidth B of the level they share.

    The alpha-beta model, as the reference planner has it:
    all-reduce min(2(n-1)a + 2(n-1)/n · M/B, 2·log2(n)·a + 2M/B);
    all-gather min(n-1, log2 n)·a + (n-1)·M/B.
    """
    n, a, seconds = group, link.latency, held_bytes / link.bandwidth
    if kind is Collective.ALL_REDUCE:
        ring = 2 * (n - 1) * a + 2 * (n - 1) / n * seconds
        tree = 2 * math.log2(n) * a + 2 * seconds
        return np.minimum(ring, tree)
    return min(n - 1, math.log2(n)) * a + (n - 1) * seconds
