"""What a router sees, and what it decides."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from specc.ir import Routing
from specc.units import Tokens


class EngineView(NamedTuple):
    """What a router sees of an engine: nothing, unless the `sight` of its name says more.

    Attributes:
        waiting: requests that wait.
        running: requests that run.
        used: share of the KV cache that is in use.
        found: tokens of the prompt that it has in its cache.
    """

    waiting: int = 0
    running: int = 0
    used: float = 0.0
    found: Tokens = 0

    @property
    def load(self) -> int:
        """Requests that wait or run."""
        return self.waiting + self.running


class RouterPolicy(ABC):
    """A router. What it sees depends on the `sight` of its name: nothing, loads, or prefixes too.

    Attributes:
        name: its name in a spec.
        within_instances: whether it chooses a data-parallel rank of an instance, and instances are
            taken in turn; otherwise it chooses among all ranks.
    """

    name: ClassVar[Routing]
    within_instances: ClassVar[bool] = False

    @abstractmethod
    def choose(self, number: int, engines: Sequence[EngineView]) -> int:
        """Return the place of the engine that a request goes to.

        Args:
            number: place of the request in the order of arrival, from 0.
            engines: what it sees of each.
        """


def least(engines: Sequence[EngineView]) -> int:
    """Return the place of the least load, the first of several."""
    loads = [waiting + running for waiting, running, *_ in engines]
    return loads.index(min(loads))
