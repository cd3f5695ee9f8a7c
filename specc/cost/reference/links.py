"""Collectives of the published planner: flat, every hop over the outermost level of the group."""

import math

import numpy as np
from attrs import frozen

from specc.cost.operators.communication import Collective
from specc.cost.steps import Column
from specc.ir import Device, Level, Topology
from specc.records import Record
from specc.units import BytesPerSecond, Seconds


@frozen(eq=False, repr=False)
class Link(Record):
    """What a collective of a group sees of the interconnect."""

    bandwidth: BytesPerSecond
    latency: Seconds


def innermost_level(device: Device, span: int) -> tuple[Level, int]:
    """Return the innermost level that holds `span` neighbouring ranks, and the members used.

    A member of a level is a device, or a group of the level below.

    Raises:
        ValueError: the group is larger than the interconnect.
    """
    reach = 1
    for level in device.levels:
        below, reach = reach, reach * level.size
        if span <= reach:
            return level, -(-span // below)
    raise ValueError(f"a group of {span} does not fit into {device.name}, which joins {reach}")


def link(device: Device, span: int) -> Link:
    """Return the effective link of a group: on a full mesh it uses the links to its members."""
    level, members = innermost_level(device, span)
    bandwidth = level.bandwidth * level.efficiency
    if level.topology is Topology.FULL_MESH:
        bandwidth *= (members - 1) / (level.size - 1)
    return Link(bandwidth, level.latency)


def collective_time(kind: Collective, held_bytes: Column, group: int, link: Link) -> Column:
    """Return the seconds of a collective, ring or tree, whichever is cheaper; shape (N,).

    Args:
        kind: which collective.
        held_bytes: bytes each rank brings in, M; in an all-to-all those that it sends away.
        group: ranks, n.
        link: latency a and bandwidth B of the level they share.

    The alpha-beta model, as the reference planner has it, with s = min(n-1, log2 n) steps:
    all-reduce min(2(n-1)a + 2(n-1)/n · M/B, 2·log2(n)·a + 2M/B); all-gather s·a + (n-1)·M/B;
    reduce-scatter s·a + (n-1)/n · M/B; all-to-all s·a + M/B; sending a + M/B.
    """
    n, a, seconds = group, link.latency, held_bytes / link.bandwidth
    if kind is Collective.ALL_REDUCE:
        ring = 2 * (n - 1) * a + 2 * (n - 1) / n * seconds
        tree = 2 * math.log2(n) * a + 2 * seconds
        best: Column = np.minimum(ring, tree)
        return best
    steps = min(n - 1, math.log2(n))
    factors = {
        Collective.ALL_GATHER: n - 1,
        Collective.REDUCE_SCATTER: (n - 1) / n,
        Collective.ALL_TO_ALL: 1,
        Collective.FUSED_DISPATCH: 1,
        Collective.FUSED_COMBINE: 1,
        Collective.SEND: 1,
    }
    time: Column = steps * a + factors[kind] * seconds
    return time
