"""The transfer of the KV cache from a prefill instance to a decode instance."""

import math
from collections.abc import Sequence

from attrs import frozen

from specc.ir import Device, Timing, Transfer
from specc.records import Record
from specc.serving.server import Server
from specc.units import BytesPerSecond, Seconds, Tokens


@frozen(eq=False, repr=False)
class CacheSize(Record):
    """The KV cache of a request on one rank.

    Attributes:
        token: bytes of a token.
        sequence: bytes of a sequence whatever its length.
        windows: of layers with a window, bytes of a token and the tokens that they hold at most.
        layers: layers of the model, which may be moved one by one.
        replicas: data-parallel replicas of an instance; each moves one cache at a time.
    """

    token: float
    sequence: float
    layers: int
    replicas: int
    windows: tuple[tuple[float, float], ...] = ()

    @classmethod
    def of(cls, server: Server) -> "CacheSize":
        """Return that of an instance."""
        memory = server.cost.memory_model
        by_token = memory.cache.in_blocks_of(1)
        return cls(
            token=by_token.per_block,
            sequence=by_token.per_sequence,
            layers=memory.model.layers,
            replicas=server.layout.dp,
            windows=by_token.windows,
        )

    def bytes(self, tokens: float) -> float:
        """Return the bytes of a prompt of so many tokens."""
        windows = sum(each * min(tokens, most) for each, most in self.windows)
        return self.token * tokens + self.sequence + windows


@frozen(eq=False, repr=False)
class CacheTransfer(Record):
    """How the cache of a prompt gets from one instance to another.

    Every rank sends its part over its own link, so the larger part of the two sides counts:
        time = latency + bytes / bandwidth.
    Layer by layer, all but the last layer moves while the prefill still runs, and what does not
    fit behind it is left.

    Attributes:
        transfer: how it moves.
        slower: the device with the slower outermost level.
        sender, receiver: what moves.
        prefill: seconds of the prefill step that makes the cache.
    """

    transfer: Transfer
    slower: Device
    sender: CacheSize
    receiver: CacheSize
    prefill: Seconds

    def time(self, tokens: float) -> Seconds:
        """Return how long a request waits for its cache, by the tokens of its prompt."""
        if self.transfer.timing is Timing.FREE:
            return 0.0
        level = self.slower.levels[-1]
        latency = level.latency if self.transfer.latency is None else self.transfer.latency
        size = max(self.sender.bytes(tokens), self.receiver.bytes(tokens))
        moving = size / _bandwidth(self.transfer, self.slower)
        if self.transfer.timing is Timing.AFTER_PREFILL:
            return latency + moving
        last_layer = moving / self.sender.layers
        return latency + last_layer + max(0.0, moving - last_layer - self.prefill)

    def times(self, tokens: Sequence[Tokens]) -> list[Seconds]:
        """Return how long requests wait for their caches, by the tokens of their prompts."""
        return [self.time(prompt) for prompt in tokens]


def link_rate(transfer: Transfer, slower: Device, cache: CacheSize, tokens: float) -> float:
    """Return the requests a second whose caches the links of an instance can move.

    Every replica moves one cache at a time, all its ranks in parallel.

    Args:
        transfer: how they move.
        slower: the device with the slower outermost level.
        cache: what the instance holds of a request.
        tokens: of the mean prompt.
    """
    if transfer.timing is Timing.FREE:
        return math.inf
    return cache.replicas * _bandwidth(transfer, slower) / cache.bytes(tokens)


def _bandwidth(transfer: Transfer, slower: Device) -> BytesPerSecond:
    level = slower.levels[-1]
    return transfer.bandwidth or level.bandwidth * level.efficiency


def slower_link(first: Device, second: Device) -> Device:
    """Return the device whose outermost level moves fewer bytes a second."""

    def rate(device: Device) -> BytesPerSecond:
        return device.levels[-1].bandwidth * device.levels[-1].efficiency

    return min(first, second, key=rate)
