"""The engines in turn, whatever they do."""

from collections.abc import Sequence

from specc.ir import Routing
from specc.simulation.policies.routers.base import EngineView, RouterPolicy


class EnginesInTurn(RouterPolicy):
    """Each request goes to the next engine."""

    name = Routing.ROUND_ROBIN

    def choose(self, number: int, engines: Sequence[EngineView]) -> int:
        """Choose the next engine."""
        return number % len(engines)
