"""The balancer that an engine has over its data-parallel ranks.

After `DPLBAsyncMPClient.get_core_engine_for_request` in `vllm/v1/engine/core_client.py` of vLLM
0.33.0. Up to 0.18 a request that waits counted as four that run. What it sees is up to 100 ms old
there, and not here.
"""

from collections.abc import Sequence

from specc.ir import Routing
from specc.simulation.policies.routers.base import EngineView, RouterPolicy

PRESSURE = 6.0  # what a waiting request counts more, per share of the cache in use above FULL
FULL = 0.5


class EngineBalancer(RouterPolicy):
    """A request goes to the rank with the fewest requests.

    Those that wait count more, up to four times, as the cache of their rank fills. Of several the
    first one from a place that moves on with every request.
    """

    name = Routing.ENGINE
    within_instances = True

    def choose(self, number: int, engines: Sequence[EngineView]) -> int:
        """Choose the least score."""
        start = number % len(engines)
        turned = [*engines[start:], *engines[:start]]
        scores = [w + r + w * PRESSURE * max(0.0, used - FULL) for w, r, used, _ in turned]
        return (start + scores.index(min(scores))) % len(engines)
