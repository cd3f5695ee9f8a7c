"""Collectives on a hierarchy of interconnect levels.

The reference costs a collective flat, as if every hop used the outermost level that the group
spans; the calibrated rule goes level by level: within the node, then between nodes.
"""

import math
from collections.abc import Iterator

import numpy as np
from attrs import frozen

from specc.cost.operators.communication import Collective
from specc.cost.steps import Column
from specc.ir import CollectiveRule, Collectives, Device, Level, Topology
from specc.units import BytesPerSecond, Seconds


@frozen
class Link:
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


@frozen
class Hop:
    """The part of a group that one level joins: ranks, and a rank's bandwidth among them."""

    ranks: int
    bandwidth: BytesPerSecond
    latency: Seconds


def hops(device: Device, group: int, stride: int) -> Iterator[Hop]:
    """Yield the levels that a group of ranks, `stride` apart, goes through, from the inside.

    A level whose members all lie within one stride is skipped.
    """
    reach, left = 1, group
    for level in device.levels:
        below, reach = reach, reach * level.size
        if reach <= stride or left == 1:
            continue
        step = max(1, stride // below)
        ranks = min(left, max(1, level.size // step))
        if ranks > 1:
            bandwidth = level.bandwidth
            if level.topology is Topology.FULL_MESH:
                bandwidth *= (ranks - 1) / (level.size - 1)
            yield Hop(ranks, bandwidth, level.latency)
            left = -(-left // ranks)


def hierarchical_time(
    rules: Collectives, kind: Collective, held_bytes: Column, path: tuple[Hop, ...]
) -> Column:
    """Return the seconds of a collective that goes level by level; shape (N,).

    A reduction shrinks what the outer levels carry, a gathering grows what the inner ones do. An
    all-to-all sends to every rank over the level that joins the two.
    """
    if kind is Collective.ALL_REDUCE:
        total = math.prod(hop.ranks for hop in path)
        scatter = hierarchical_time(rules, Collective.REDUCE_SCATTER, held_bytes, path)
        return scatter + hierarchical_time(rules, Collective.ALL_GATHER, held_bytes / total, path)
    if kind is Collective.SEND:
        return _hop_time(rules.send, path[-1], held_bytes, held_bytes)
    exchanges = {
        Collective.ALL_TO_ALL: rules.all_to_all,
        Collective.FUSED_DISPATCH: rules.fused_dispatch,
        Collective.FUSED_COMBINE: rules.fused_combine,
    }
    if kind in exchanges:
        return _exchange_time(exchanges[kind], held_bytes, path)
    gathers = kind is Collective.ALL_GATHER
    rule = rules.all_gather if gathers else rules.reduce_scatter
    time, held = np.zeros_like(held_bytes), held_bytes
    # Protocols switch on what one rank has for another, on all levels alike.
    message = held_bytes if gathers else held_bytes / math.prod(hop.ranks for hop in path)
    # Gathering starts on the outer levels, with the least data; scattering ends there.
    for hop in reversed(path) if gathers else path:
        received = held * (hop.ranks - 1) if gathers else held * (hop.ranks - 1) / hop.ranks
        time = time + _hop_time(rule, hop, received, message)
        held = held * hop.ranks if gathers else held / hop.ranks
    return time


def _hop_time(rule: CollectiveRule, hop: Hop, received: Column, message: Column) -> Column:
    """Return the seconds of one level; long messages pay for every rank."""
    per_rank = np.where(message > rule.short, rule.rank_time * hop.ranks, 0.0)
    start = rule.launch + hop.latency + per_rank
    time: Column = start + received / (hop.bandwidth * rule.share)
    return time


def _exchange_time(rule: CollectiveRule, sent: Column, path: tuple[Hop, ...]) -> Column:
    """Return the seconds of an all-to-all: what crosses a level is the share of its far ranks."""
    total = math.prod(hop.ranks for hop in path)
    time, inside = np.full_like(sent, rule.launch), 1
    for hop in path:
        crossing = inside * (hop.ranks - 1) / max(total - 1, 1)
        time = time + hop.latency + rule.rank_time * hop.ranks
        time = time + sent * crossing / (hop.bandwidth * rule.share)
        inside *= hop.ranks
    return time
