"""As vLLM with `scheduling_policy = priority`.

Its scheduler skips, for one step, what comes after a request that is preempted for its own tokens;
that is left out here.
"""

import heapq
from collections.abc import Sequence

from specc.ir import Queue
from specc.simulation.policies.queues.base import QueuePolicy


class PriorityQueue:
    """Requests that wait, by priority; those of one priority in the order in which they came."""

    def __init__(self, priority: Sequence[int]) -> None:
        self._priority = priority
        self._heap: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def __getitem__(self, place: int) -> int:
        return self._heap[place][1]

    def append(self, request: int) -> None:
        """Put a request where its priority is."""
        heapq.heappush(self._heap, (self._priority[request], request))

    appendleft = append

    def popleft(self) -> int:
        """Take out the first."""
        return heapq.heappop(self._heap)[1]


class Priority(QueuePolicy):
    """Priority 1 first; what runs and comes last in this order is preempted."""

    name = Queue.PRIORITY
    overtakes = True

    def waiting(self, priority: Sequence[int]) -> PriorityQueue:
        """Return a queue in the order of priorities."""
        return PriorityQueue(priority)

    def victim(self, running: dict[int, None], priority: Sequence[int]) -> int:
        """Return the last in the order of priorities."""
        return max(running, key=lambda request: (priority[request], request))
