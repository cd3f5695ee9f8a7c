"""Routers: which of several engines a request goes to."""

from specc.ir import Routing
from specc.simulation.policies.registry import registered
from specc.simulation.policies.routers.base import EngineView, RouterPolicy

ROUTERS: tuple[type[RouterPolicy], ...] = registered(Routing, __name__)
_BY_NAME = {policy.name: policy() for policy in ROUTERS}


def router_of(name: Routing) -> RouterPolicy:
    """Return the router of a name."""
    return _BY_NAME[name]


__all__ = ["ROUTERS", "EngineView", "RouterPolicy", "router_of"]
