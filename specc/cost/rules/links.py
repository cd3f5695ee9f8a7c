"""Collectives on a hierarchy of interconnect levels: within the node, then between nodes."""

import math
from collections.abc import Iterator

import numpy as np
from attrs import frozen

from specc.cost.operators.communication import Collective
from specc.cost.steps import Column
from specc.ir import CollectiveRule, Collectives, Device, Topology
from specc.records import Record
from specc.units import BytesPerSecond, Seconds


@frozen(eq=False, repr=False)
class Hop(Record):
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
    if kind is Collective.ALL_REDUCE and rules.all_reduce is not None and len(path) == 1:
        [hop] = path
        moved = 2 * held_bytes * (hop.ranks - 1) / hop.ranks
        return _hop_time(rules.all_reduce, hop, moved, held_bytes)
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
    start = rule.launch + hop.latency + per_rank + rule.arrival_time * hop.ranks
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
