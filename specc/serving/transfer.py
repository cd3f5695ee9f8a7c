"""The way of the KV cache from a prefill instance to a decode instance."""

import math
from collections.abc import Sequence

from specc.ir import Device, Timing, Transfer
from specc.serving.server import Server
from specc.units import BytesPerSecond, Seconds, Tokens


def transfer_time(
    transfer: Transfer, sender: Server, receiver: Server, slower: Device, prefill: Seconds
) -> Seconds:
    """Return how long the mean request waits for its cache after its prefill.

    Every rank sends its part over its own link, so the larger part of the two sides counts:
        time = latency + bytes / bandwidth.
    Layer by layer, all but the last layer moves while the prefill of `prefill` seconds still runs,
    and what does not fit behind it is left.

    Args:
        transfer: how it moves.
        sender: the prefill instance.
        receiver: the decode instance.
        slower: the device with the slower outermost level.
        prefill: seconds of the prefill step that makes the cache.
    """
    size = max(cache_bytes(sender), cache_bytes(receiver))
    return _waiting(transfer, sender, slower, prefill, size)


def transfer_times(
    transfer: Transfer,
    sender: Server,
    receiver: Server,
    slower: Device,
    prefill: Seconds,
    tokens: Sequence[Tokens],
) -> list[Seconds]:
    """Return how long requests wait for their caches, by the tokens of their prompts."""
    waited = []
    for prompt in tokens:
        size = max(cache_bytes(sender, prompt), cache_bytes(receiver, prompt))
        waited.append(_waiting(transfer, sender, slower, prefill, size))
    return waited


def _waiting(
    transfer: Transfer, sender: Server, slower: Device, prefill: Seconds, size: float
) -> Seconds:
    if transfer.timing is Timing.FREE:
        return 0.0
    level = slower.levels[-1]
    latency = level.latency if transfer.latency is None else transfer.latency
    moving = size / _bandwidth(transfer, slower)
    if transfer.timing is Timing.AFTER_PREFILL:
        return latency + moving
    last_layer = moving / sender.cost.memory_model.model.layers
    return latency + last_layer + max(0.0, moving - last_layer - prefill)


def link_rate(transfer: Transfer, server: Server, slower: Device) -> float:
    """Return the requests a second whose caches the links of an instance can move.

    Every replica moves one cache at a time, all its ranks in parallel.
    """
    if transfer.timing is Timing.FREE:
        return math.inf
    return server.layout.dp * _bandwidth(transfer, slower) / cache_bytes(server)


def _bandwidth(transfer: Transfer, slower: Device) -> BytesPerSecond:
    level = slower.levels[-1]
    return transfer.bandwidth or level.bandwidth * level.efficiency


def cache_bytes(server: Server, tokens: float | None = None) -> float:
    """Return the cache of a prompt on one rank, with what a sequence holds besides.

    Without `tokens` it is the mean prompt.
    """
    model = server.cost.memory_model
    length = server.mixture.mean_input if tokens is None else tokens
    return model.kv_token_bytes * length + model.sequence_bytes


def slower_link(first: Device, second: Device) -> Device:
    """Return the device whose outermost level moves fewer bytes a second."""

    def rate(device: Device) -> BytesPerSecond:
        return device.levels[-1].bandwidth * device.levels[-1].efficiency

    return min(first, second, key=rate)
