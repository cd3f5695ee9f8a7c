"""Queues: in which order requests start, and what is preempted when blocks run out."""

from specc.ir import Queue
from specc.simulation.policies.queues.base import QueuePolicy, WaitingRequests
from specc.simulation.policies.registry import registered

QUEUES: tuple[type[QueuePolicy], ...] = registered(Queue, __name__)
_BY_NAME = {policy.name: policy() for policy in QUEUES}


def queue_of(name: Queue) -> QueuePolicy:
    """Return the queue of a name."""
    return _BY_NAME[name]


__all__ = ["QUEUES", "QueuePolicy", "WaitingRequests", "queue_of"]
