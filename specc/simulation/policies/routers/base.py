"""What a router sees, and what it decides."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from specc.ir import Routing


class RouterPolicy(ABC):
    """A router. What it sees depends on the `sight` of its name: nothing, loads, or prefixes too.

    Attributes:
        name: its name in a spec.
    """

    name: ClassVar[Routing]

    @abstractmethod
    def choose(self, number: int, loads: Sequence[int], matches: Sequence[int]) -> int:
        """Return the place of the engine that a request goes to.

        Args:
            number: place of the request in the order of arrival, from 0.
            loads: requests that wait or run on each engine; 0 of a router that sees nothing.
            matches: leading blocks of the prompt that each engine has in its cache; 0 of a router
                that sees no prefixes, and where prompts have none.
        """


def least(loads: Sequence[int]) -> int:
    """Return the place of the least load, the first of several."""
    return min(range(len(loads)), key=loads.__getitem__)
