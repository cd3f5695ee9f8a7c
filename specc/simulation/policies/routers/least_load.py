"""The engine with the fewest requests."""

from collections.abc import Sequence

from specc.ir import Routing
from specc.simulation.policies.routers.base import EngineView, RouterPolicy, least


class LeastLoad(RouterPolicy):
    """A request goes where the fewest wait or run, to the first of several."""

    name = Routing.LEAST_LOAD

    def choose(self, number: int, engines: Sequence[EngineView]) -> int:
        """Choose the least load."""
        return least(engines)
