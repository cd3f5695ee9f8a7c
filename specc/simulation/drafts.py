"""Speculative decoding: how many tokens each decode step of a sequence yields.

A step verifies K drafted tokens and yields one more than it accepts. Of n drafted tokens the n-th
is accepted with the cumulative probability that a spec gives, so a step yields 1 + Σ acceptance in
the mean. What is drawn depends on nothing but the seed, the request and its steps so far: a request
that begins to decode has its last step fixed, whatever the engine does.
"""

from array import array
from bisect import bisect_left
from functools import lru_cache

import numpy as np
from attrs import frozen

from specc.simulation.requests import Integers
from specc.units import Tokens

_DRAWN = 1 << 20  # steps that are drawn; a request begins somewhere among them
_SPREAD = 0x9E3779B1  # a multiplicative hash: requests begin far from each other
_STREAM = 7  # of the random numbers of a seed


@frozen(eq=False)
class Drafts:
    """Tokens that steps yield, drawn once for all requests.

    Attributes:
        each: tokens of a step, shape (N,).
        sums: those before each, shape (N + 1,).
        total: the same, to look at one by one.
    """

    each: Integers
    sums: Integers
    total: "array[int]"

    @classmethod
    def of(cls, acceptance: tuple[float, ...], seed: int, longest: Tokens) -> "Drafts":
        """Draw for requests of at most `longest` output tokens.

        Args:
            acceptance: the share of steps in which the first, second, … drafted token is accepted.
            seed: of the random numbers.
            longest: steps that a request has at most.
        """
        return _drawn(acceptance, seed, 1 << max(longest, 1).bit_length())

    @staticmethod
    def first(request: int) -> int:
        """Return the place of the first step of a request."""
        return request * _SPREAD % _DRAWN

    def steps(self, place: int, tokens: Tokens) -> int:
        """Return after how many steps from a place there are so many tokens."""
        total = self.total
        return bisect_left(total, total[place] + tokens, place + 1, place + tokens) - place

    def gained(self, place: int, steps: int) -> Tokens:
        """Return the tokens of some steps from a place."""
        return self.total[place + steps] - self.total[place]


@lru_cache(maxsize=8)
def _drawn(acceptance: tuple[float, ...], seed: int, longest: int) -> Drafts:
    uniform = np.random.default_rng([seed, _STREAM]).random(_DRAWN)
    each = np.ones(_DRAWN, np.int64)
    for share in acceptance:
        each += uniform < share
    each = np.resize(each, _DRAWN + longest)
    sums = np.concatenate([[0], np.cumsum(each)]).astype(np.int64)
    total = array("q")
    total.frombytes(sums.tobytes())
    return Drafts(each, sums, total)
