"""As vLLM by default, `scheduling_policy = fcfs`."""

from collections import deque
from collections.abc import Sequence

from specc.ir import Queue
from specc.simulation.policies.queues.base import QueuePolicy, WaitingRequests


class Fifo(QueuePolicy):
    """By arrival; the latest admitted is preempted first, and then the first to start again."""

    name = Queue.FIFO
    overtakes = False

    def waiting(self, priority: Sequence[int]) -> WaitingRequests:
        """Return a queue that does not look at priorities."""
        return deque()

    def victim(self, running: dict[int, None], priority: Sequence[int]) -> int:
        """Return the latest admitted."""
        return next(reversed(running))
