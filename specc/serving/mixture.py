"""Requests of several shapes as rows of a step table, and as whole requests."""

import math
from collections.abc import Sequence

import numpy as np
from attrs import frozen
from numpy.typing import ArrayLike, NDArray

from specc.cost import Sequences, StepTable
from specc.cost.steps import Column
from specc.ir import Model, RequestShape, Workload
from specc.ir.images import image_patches, image_tokens
from specc.records import Record
from specc.units import Tokens


@frozen(eq=False, repr=False)
class Mixture(Record):
    """The shapes of the requests of a workload.

    A step of n requests holds every shape in its share, fractions of requests included, so that
    the mixture is the same at every batch size; `allocate` deals whole requests. Decoding, a
    request is in flight as long as its output, so the shares there are weighted by its length.

    Attributes:
        shapes: the shapes; their shares add up to 1.
        patches: patches of the images of the mean request.
        patch_pairs: sum of their squares over its images.
    """

    shapes: tuple[RequestShape, ...]
    patches: float = 0.0
    patch_pairs: float = 0.0

    @classmethod
    def of(cls, workload: Workload, model: Model) -> "Mixture":
        """Return the mixture of a workload, with the tokens that its images have for a model."""
        shapes, vision = workload.shapes(image_tokens(workload, model)), model.vision
        if vision is None:
            return cls(shapes)
        images = [
            (share * one.count, image_patches(vision, one.height, one.width))
            for share, part in zip(workload.shares, workload.parts, strict=True)
            if (one := part.images) is not None
        ]
        return cls(
            shapes,
            math.fsum(count * each for count, each in images),
            math.fsum(count * each**2 for count, each in images),
        )

    @property
    def has_hits(self) -> bool:
        """Whether any shape has tokens that are cached at a flat rate."""
        return any(shape.cached for shape in self.shapes)

    @property
    def mean_input(self) -> float:
        """Tokens of the mean prompt."""
        return math.fsum(s.share * s.input for s in self.shapes)

    @property
    def mean_new(self) -> float:
        """Computed tokens of the mean prompt."""
        return math.fsum(s.share * s.new for s in self.shapes)

    @property
    def mean_output(self) -> float:
        """Tokens of the mean output."""
        return math.fsum(s.share * s.output for s in self.shapes)

    @property
    def mean_steps(self) -> float:
        """Tokens of the mean output after the first, at least one."""
        return math.fsum(s.share * max(s.output - 1, 1) for s in self.shapes)

    @property
    def longest_new(self) -> Tokens:
        """Computed tokens of the longest prompt."""
        return max(s.new for s in self.shapes)

    @property
    def longest_input(self) -> Tokens:
        """Tokens of the longest prompt."""
        return max(s.input for s in self.shapes)

    @property
    def longest_context(self) -> Tokens:
        """Tokens of the longest request, prompt and output together."""
        return max(s.input + s.output for s in self.shapes)

    @property
    def in_flight(self) -> tuple[float, ...]:
        """Share of each shape among the requests that decode."""
        return tuple(s.share * s.output / self.mean_output for s in self.shapes)

    @property
    def mean_context(self) -> float:
        """Context of the mean request that decodes: its prompt, half its output, and one."""
        return math.fsum(
            weight * (s.input + s.output // 2 + 1)
            for weight, s in zip(self.in_flight, self.shapes, strict=True)
        )

    def prefill(
        self, requests: ArrayLike, block: Tokens, kv_blocks: ArrayLike | None = None
    ) -> StepTable:
        """Return steps that prefill whole prompts of `requests` requests, shape (N,).

        Cached tokens are attended to. The cache holds the requests of the step, with room for one
        more token each, unless `kv_blocks` says otherwise.
        """
        n = np.atleast_1d(np.asarray(requests, np.float64))
        one = Sequences.summed(((s.share, s.new, s.input) for s in self.shapes), block)
        sequences = one.scaled(n)
        pool = np.ceil((sequences.context + sequences.requests) / block)
        return StepTable.of(
            prefill=sequences,
            kv_blocks=pool if kv_blocks is None else kv_blocks,
            patches=n * self.patches,
            patch_pairs=n * self.patch_pairs,
        )

    def decode(self, requests: ArrayLike, block: Tokens, drafted: int = 0) -> StepTable:
        """Return steps that decode `requests` requests at their mean context, shape (N,)."""
        n = np.atleast_1d(np.asarray(requests, np.float64))
        new = 1 + drafted
        shapes = zip(self.in_flight, self.shapes, strict=True)
        one = Sequences.summed(
            ((weight, new, s.input + s.output // 2 + new) for weight, s in shapes), block
        )
        sequences = one.scaled(n)
        pool = np.ceil((sequences.context + sequences.requests) / block)
        return StepTable.of(decode=sequences, kv_blocks=pool)

    def blocks_of_prompts(self, requests: Column | NDArray[np.int64], block: Tokens) -> Column:
        """Return the KV-cache blocks of prompts with one token more each, shape (N,)."""
        return np.asarray(np.ceil((self.mean_input + 1) * requests / block))

    def blocks_beyond_the_mean(self, block: Tokens, *, decodes: bool) -> float:
        """Return the KV-cache blocks that the longest request has more than the mean one.

        Where it decodes, at its last token; none where all requests are alike.
        """
        if len(self.shapes) == 1:
            return 0.0
        if not decodes:
            longest = max(-(-(s.input + 1) // block) for s in self.shapes)
            return longest - math.fsum(s.share * -(-(s.input + 1) // block) for s in self.shapes)
        longest = max(-(-(s.input + s.output) // block) for s in self.shapes)
        return longest - math.fsum(
            weight * -(-(s.input + s.output // 2 + 1) // block)
            for weight, s in zip(self.in_flight, self.shapes, strict=True)
        )

    def blocks_at_end(self, requests: Column | NDArray[np.int64], block: Tokens) -> Column:
        """Return the KV-cache blocks when all requests reach their last token, shape (N,)."""
        each = math.fsum(
            weight * -(-(s.input + s.output) // block)
            for weight, s in zip(self.in_flight, self.shapes, strict=True)
        )
        return np.asarray(requests * each)


def allocate(total: int, shapes: Sequence[RequestShape]) -> tuple[int, ...]:
    """Deal whole requests to shapes by largest remainder, ties to the longer prompt."""
    exact = [total * s.share for s in shapes]
    # Shares are quotients: a count may come out a last digit below the whole number it is.
    counts = [int(x + 1e-9) for x in exact]
    order = sorted(
        range(len(shapes)),
        key=lambda i: (-round(exact[i] - counts[i], 9), -shapes[i].input, -shapes[i].output, i),
    )
    for i in order[: total - sum(counts)]:
        counts[i] += 1
    return tuple(counts)
