"""What sequences hold of a KV cache, by blocks of tokens: full, in windows, and as states."""

import math
from collections.abc import Iterable

import numpy as np
from attrs import frozen
from numpy.typing import ArrayLike

from specc.cost.steps import Column
from specc.records import Record
from specc.units import Tokens

Window = tuple[float, float]  # bytes of a block, and the blocks that a sequence holds at most


@frozen(eq=False, repr=False)
class CacheShape(Record):
    """Bytes of a device that sequences hold, by their blocks and by how many there are.

    Attributes:
        block: tokens of a block.
        per_block: bytes of a block in layers that keep all.
        per_sequence: bytes of a sequence whatever its length.
        windows: of layers with a window.
    """

    block: Tokens
    per_block: float
    per_sequence: float
    windows: tuple[Window, ...] = ()

    @classmethod
    def joined(cls, shapes: Iterable["CacheShape"], block: Tokens) -> "CacheShape":
        """Return the sum of several, in blocks of so many tokens."""
        parts = [shape.in_blocks_of(block) for shape in shapes]
        return cls(
            block,
            math.fsum(part.per_block for part in parts),
            math.fsum(part.per_sequence for part in parts),
            tuple(window for part in parts for window in part.windows),
        )

    def in_blocks_of(self, block: Tokens) -> "CacheShape":
        """Return the same in blocks of other tokens."""
        if block == self.block:
            return self
        ratio = block / self.block
        windows = tuple((size * ratio, most / ratio) for size, most in self.windows)
        return CacheShape(block, self.per_block * ratio, self.per_sequence, windows)

    def scaled(self, factor: float) -> "CacheShape":
        """Return that of so many batches."""
        windows = tuple((size * factor, most) for size, most in self.windows)
        return CacheShape(self.block, self.per_block * factor, self.per_sequence * factor, windows)

    @property
    def growth(self) -> float:
        """Bytes of a block of a sequence whose windows are not full."""
        return self.per_block + math.fsum(size for size, _ in self.windows)

    def bytes(self, blocks: ArrayLike, sequences: ArrayLike) -> Column:
        """Return the bytes of sequences that hold blocks together, and are alike."""
        blocks, sequences = np.asarray(blocks, float), np.asarray(sequences, float)
        held = self.per_block * blocks + self.per_sequence * sequences
        for size, most in self.windows:
            held = held + size * np.minimum(blocks, most * sequences)
        return held

    def blocks_in(self, free: float, sequences: int) -> float:
        """Return the blocks that `sequences` can hold together in so many bytes."""
        left, size, found = free - self.per_sequence * sequences, self.growth, 0.0
        for each, most in sorted(self.windows, key=lambda window: window[1]):
            full = most * sequences
            if left <= size * (full - found):
                break
            left -= size * (full - found)
            size, found = size - each, full
        return max(0.0, found + left / max(size, 1e-9))
