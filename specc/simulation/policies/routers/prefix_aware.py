"""The engine that has computed most of the prompt before."""

from collections.abc import Sequence

from specc.ir import Routing
from specc.simulation.policies.routers.base import EngineView, RouterPolicy, least

IMBALANCE = 2.0  # load over the mean above which a prefix does not decide


class PrefixAware(RouterPolicy):
    """A request goes where most of its prompt is cached, unless that engine is crowded.

    Of several with as much, to the one with the least load. Without a match, or if the load there
    is above `IMBALANCE` times the mean and one, the least load of all decides.
    """

    name = Routing.PREFIX_AWARE

    def choose(self, number: int, engines: Sequence[EngineView]) -> int:
        """Choose the longest match that is not crowded."""
        best = max(range(len(engines)), key=lambda i: (engines[i].found, -engines[i].load, -i))
        mean = sum(engine.load for engine in engines) / len(engines)
        crowded = engines[best].load > IMBALANCE * mean + 1
        return least(engines) if crowded or not engines[best].found else best
